#!/usr/bin/env -S postoffice run
;;; Sends a letter for every row of a CSV file. The first row names the columns; one of them is
;;; "email", the recipient. The template's first line is the subject, the rest is the text. {name}
;;; stands for the row's value in the column of that name.
;;;
;;;   postoffice run mail-merge.scm SERVER FROM CSV TEMPLATE [--send]
;;;
;;; Without --send it prints the letters and sends nothing. If POSTOFFICE_LOGIN is set, it logs in
;;; with that name and POSTOFFICE_PASSWORD.

(defun read-text (path) (with-open-file (in path) (read-string in)))

;; Parses CSV (RFC 4180) into rows. A quoted field may contain commas, line ends, and quotes written
;; twice.
(defun parse-csv (text)
  (let ((rows '()) (row '()))
    (replace-re text "(?:\"((?:[^\"]|\"\")*)\"|([^,\r\n]*))(,|\r?\n|$)"
                (lambda (match)
                  (push (if (second match) (replace-re (second match) "\"\"" "\"") (third match)) row)
                  (unless (equal (fourth match) ",")
                    (unless (equal row '("")) (push (reverse row) rows))
                    (setq row '()))
                  ""))
    (reverse rows)))

(defun fill-in (text columns row)
  (replace-re text "\\{([^{}]*)\\}"
              (lambda (match)
                (let ((column (position (second match) columns :test #'equal)))
                  (if column (nth column row) (first match))))))

(defun merge-letters (server from csv template &optional option)
  (let* ((rows (parse-csv (read-text csv)))
         (columns (first rows))
         (email (or (position "email" columns :test #'string-equal) (error "the CSV has no column email: ~a" columns)))
         (parts (split-re "\n" (read-text template) :limit 2))
         (login (getenv "POSTOFFICE_LOGIN"))
         (send (equal option "--send")))
    (flet ((each-letter (deliver)
             (dolist (row (rest rows))
               (funcall deliver (nth email row) (fill-in (first parts) columns row) (fill-in (or (second parts) "") columns row)))))
      (if send
          (with-smtp-connection (s (if login (list server :login login :password (getenv "POSTOFFICE_PASSWORD")) server))
            (each-letter (lambda (to subject body)
                           (send-letter s from to body :subject subject)
                           (format t "sent to ~a~%" to))))
          (each-letter (lambda (to subject body) (format t "To: ~a~%Subject: ~a~%~%~a~%" to subject body)))))
    (format t "~a ~a letters~%" (if send "sent" "would send") (length (rest rows)))))

(if (<= 4 (length (command-line)) 5)
    (apply #'merge-letters (command-line))
    (progn (format t "usage: postoffice run mail-merge.scm SERVER FROM CSV TEMPLATE [--send]~%") (exit 2)))
