;; -*- mode: common-lisp; package: user -*-
;;
;; pipe.scm -- pipes the letters of a mailbox through programs and files them by what comes out
;;
;;   postoffice run pipe.scm [HOST USER PASSWORD IMAP-PORT]

(eval-when (compile load eval)
  (require :imap))

(in-package :user)

(use-package :net.post-office)

(declaim (optimize (speed 1) (safety 1)))

(defvar *programs* '() "Names of the programs that ran, newest first.")

(defmacro while (test &body body)
  `(loop (unless ,test (return)) ,@body))

(defun arg (n default) (or (nth n (command-line)) default))

(defun pipe (input program &rest arguments)
  "Runs PROGRAM on the text INPUT; returns its output, or signals an error with what it complained of."
  (push program *programs*)
  (multiple-value-bind (output code complaint)
      (run-program program :arguments arguments :input input :timeout 30)
    (if* (eql code 0)
       then output
       else (error "~a ended with code ~d: ~a" program code (string-trim '(#\newline) complaint)))))

(defun lines (text)
  (with-input-from-string (s text)
    (let ((result nil) line)
      (while (setq line (read-line s nil nil))
	(push line result))
      (nreverse result))))

(defun language-of (body)
  "Guesses the language of BODY by its commonest short words: a keyword."
  (let* ((words (lines (pipe (pipe body "tr" "A-Z" "a-z") "tr" "-cs" "a-z" "\\n")))
	 (scores (mapcar #'(lambda (entry)
			     (cons (car entry)
				   (count-if #'(lambda (w) (member w (cdr entry) :test #'string=)) words)))
			 '((:english "the" "and" "of" "is" "to")
			   (:german "der" "die" "und" "ist" "das")
			   (:french "le" "et" "les" "est" "des"))))
	 (best (car (sort scores #'> :key #'cdr))))
    (if (zerop (cdr best)) :unknown (car best))))

(defun strip-quotes (body)
  "BODY without quoted lines and without the signature."
  (pipe body "sed" "-e" "/^-- $/,$d" "-e" "/^>/d"))

(defun word-count (text)
  (parse-integer (string-trim '(#\space #\newline) (pipe text "wc" "-w"))))

(defun separate (mb letter-number)
  "The header and the body of a letter, two values, exactly as they are stored."
  (let ((info (fetch-parts mb letter-number "(body.peek[header] body.peek[text])")))
    (values (fetch-field letter-number "body[header]" info)
	    (fetch-field letter-number "body[text]" info))))

(defun file-letters (mb prefix)
  "Appends a cleaned copy of each letter to the mailbox of its language.
Returns a list of (number mailbox words)."
  (let ((done nil) (boxes nil))
    (dolist (n (search-mailbox mb '(not :deleted)))
      (multiple-value-bind (header body) (separate mb n)
	(let* ((clean (strip-quotes body))
	       (language (language-of clean))
	       (box (format nil "~a-~(~a~)" prefix (symbol-name language)))
	       (words (word-count clean)))
	  (unless (member box boxes :test #'equal)
	    (create-mailbox mb box)
	    (push box boxes))
	  (append-letter mb box
			 (concatenate 'string
			   (string-right-trim '(#\newline) header)
			   (format nil "~%X-Words: ~d~%~%" words)
			   clean))
	  (alter-flags mb n :add-flags '(:\\seen :\\deleted) :silent t)
	  (push (list n box words) done))))
    (expunge-mailbox mb)
    (nreverse done)))

(defun letter (subject &rest lines)
  (format nil "From: a@example.org~%To: b@example.org~%Subject: ~a~2%~{~a~%~}" subject lines))

(defparameter *letters*
    (list (letter "one" "> Wo ist die Katze und der Hund?" "The cat is in the house," "and the dog, too." "-- " "sent to the and of")
	  (letter "zwei" "> the and of is to the" "Der Hund ist da, und die Katze auch.")
	  (letter "trois" "Le chat est noir et les chiens sont blancs.")
	  (letter "four" "12345 67")
	  (letter "five" "Is that the end of THE story?")))

(defun main (stamp)
  (let ((in (format nil "pipe~d" stamp))
	(right t)
	(mb (make-imap-connection (arg 0 "mail.example.org") :user (arg 1 "myacct")
				  :password (arg 2 "mypasswd") :port (parse-integer (arg 3 "143")))))
    (flet ((check (wanted got)
	     (unless (equal wanted got)
	       (setq right nil)
	       (format t "wanted ~s~%   got ~s~%" wanted got)))
	   (box (name) (concatenate 'string in "-" name)))
      (unwind-protect
	  (progn
	    (create-mailbox mb in)
	    (map nil #'(lambda (l) (append-letter mb in l)) *letters*)
	    (select-mailbox mb in)
	    (let ((done (file-letters mb in)))
	      (format t "~:{~3d ~30a ~3d word~:p~%~}" done)
	      (check `((1 ,(box "english") 10) (2 ,(box "german") 8) (3 ,(box "french") 9)
		       (4 ,(box "unknown") 2) (5 ,(box "english") 7))
		     done))
	    (check 0 (mailbox-message-count mb))
	    (select-mailbox mb (box "english"))
	    (check 2 (mailbox-message-count mb))
	    (check (format nil "The cat is in the house,~%and the dog, too.~%")
		   (nth-value 1 (parse-mail-header (fetch-letter mb 1))))
	    (check "7" (cdr (assoc "x-words" (parse-mail-header (fetch-letter mb 2)) :test #'equalp)))
	    (check "false ended with code 1: "
		   (handler-case (pipe "x" "false")
		     (error (c) (princ-to-string c))))
	    (check :no-program
		   (handler-case (pipe "x" "/nonexistent/program")
		     (po-error (c) (if (eq :file (po-condition-identifier c)) :no-program c))))
	    (check '("false" "sed" "tr" "wc")
		   (sort (remove "/nonexistent/program" (remove-duplicates *programs* :test #'string=)
				 :test #'string=)
			 #'string<)))
	(ignore-errors (select-mailbox mb "inbox"))
	(dolist (entry (mailbox-list mb :pattern (concatenate 'string in "*")))
	  (delete-mailbox mb (mailbox-list-name entry)))
	(close-connection mb)))
    right))

(if (main (get-universal-time)) (format t "ok~%") (exit 1))
