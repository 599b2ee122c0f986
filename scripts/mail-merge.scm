#!/usr/bin/env -S postoffice run
;;; Sends a letter for every row of a CSV file. The first row names the columns; one of them is
;;; "email", the recipient. The template's first line is the subject, the rest is the text. {name}
;;; stands for the row's value in the column of that name.
;;;
;;;   postoffice run mail-merge.scm SERVER FROM CSV TEMPLATE [--send]
;;;
;;; Without --send it prints the letters and sends nothing. If POSTOFFICE_LOGIN is set, it logs in
;;; with that name and POSTOFFICE_PASSWORD.

(defun usage ()
  (format t "usage: postoffice run mail-merge.scm SERVER FROM CSV TEMPLATE [--send]~%")
  (exit 2))

(defun read-text (path)
  (with-open-file (in path)
    (let ((text ""))
      (do ((line (read-line in nil nil) (read-line in nil nil)))
          ((null line) text)
        (setq text (concatenate 'string text line (string #\newline)))))))

;; Parses CSV (RFC 4180) into rows. A quoted field may contain commas, line ends, and quotes written
;; twice.
(defun parse-csv (text)
  (let ((rows '()) (row '()) (field '()) (quoted nil) (end (length text)) (started nil))
    (flet ((end-field () (push (list->string (reverse field)) row) (setq field '()))
           (end-row () (push (reverse row) rows) (setq row '()) (setq started nil)))
      (do ((at 0 (+ at 1)))
          ((>= at end))
        (let ((c (string-ref text at)))
          (cond (quoted
                 (cond ((and (equal c #\") (< (+ at 1) end) (equal (string-ref text (+ at 1)) #\")) (push c field) (incf at))
                       ((equal c #\") (setq quoted nil))
                       (t (push c field))))
                ((equal c #\") (setq quoted t) (setq started t))
                ((equal c #\,) (end-field) (setq started t))
                ((equal c #\newline) (when started (end-field) (end-row)))
                ((equal c #\return) nil)
                (t (push c field) (setq started t)))))
      (when started (end-field) (end-row)))
    (reverse rows)))

(defun replace-all (text old new)
  (let ((at (search old text)))
    (if at
        (concatenate 'string (subseq text 0 at) new (replace-all (subseq text (+ at (length old))) old new))
        text)))

(defun fill-in (text columns row)
  (let ((filled text))
    (do ((names columns (cdr names)) (values-left row (cdr values-left)))
        ((or (null names) (null values-left)) filled)
      (setq filled (replace-all filled (concatenate 'string "{" (car names) "}") (car values-left))))))

(let ((arguments (command-line)))
  (unless (>= (length arguments) 4) (usage))
  (let* ((server (first arguments))
         (from (second arguments))
         (rows (parse-csv (read-text (third arguments))))
         (template (read-text (fourth arguments)))
         (send (member "--send" arguments :test equal))
         (line-end (or (position #\newline template) (length template)))
         (columns (first rows))
         (email (or (position "email" columns :test string-equal) (error "the CSV has no column email: ~a" columns)))
         (login (getenv "POSTOFFICE_LOGIN")))
    (flet ((each-letter (deliver)
             (dolist (row (cdr rows))
               (funcall deliver (nth email row)
                        (fill-in (subseq template 0 line-end) columns row)
                        (fill-in (subseq template (min (+ line-end 1) (length template))) columns row)))))
      (if send
          (with-smtp-connection (s (if login (list server :login login :password (getenv "POSTOFFICE_PASSWORD")) server))
            (each-letter (lambda (to subject body)
                           (send-letter s from to body :subject subject)
                           (format t "sent to ~a~%" to))))
          (each-letter (lambda (to subject body)
                         (format t "To: ~a~%Subject: ~a~%~%~a~%" to subject body)))))
    (format t "~a ~a letters~%" (if send "sent" "would send") (length (cdr rows)))))
