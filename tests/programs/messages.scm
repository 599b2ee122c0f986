;; -*- mode: common-lisp; package: user -*-
;;
;; messages.scm -- shows the threads of a mailbox
;;
;;   postoffice run messages.scm [HOST USER PASSWORD IMAP-PORT]

(eval-when (compile load eval)
  (require :imap)
  (require :messages-lib "messages-lib.scm"))

(in-package :user)

(use-package :net.post-office)
(use-package :net.messages)

(defparameter *samples*
    ;; id, references, in-reply-to, from, subject, date; not in the order of the dates
    '(("a1@x.org" nil nil "Ann <ann@x.org>" "Plans" "Thu, 20 Jun 2002 09:00:00 +0000")
      ("c1@x.org" nil "a1@x.org" "\"Cy D.\" <cy@x.org>" "Re: Plans" "Thu, 20 Jun 2002 13:30:00 +0200")
      ("b1@x.org" ("a1@x.org") nil "bob@x.org (Bob)" "Re: Plans" "Thu, 20 Jun 2002 10:00:00 +0000")
      ("b2@x.org" ("a1@x.org" "c1@x.org") "c1@x.org" "bob@x.org (Bob)" "Re[2]: Plans" "Thu, 20 Jun 2002 12:00 +0000")
      ("d1@x.org" ("lost@x.org" "a1@x.org" "gone@x.org") nil "dee@x.org" "AW: Plans" "Fri, 21 Jun 2002 00:30:00 -0100")
      ("e1@x.org" nil nil "Ann <ann@x.org>" "[misc] Re: Something else" "Wed, 19 Jun 2002 23:59:59 +0000")
      (nil nil nil "nobody@x.org" "no id" "Sat, 22 Jun 2002 00:00:00 +0000")))

(defun sample-letter (id references in-reply-to from subject date)
  (format nil "~@[Message-Id: <~a>~%~]~@[References:~{ <~a>~^~%~}~%~]~@[In-Reply-To: Your letter of today, <~a>~%~]From: ~a~%Subject: ~a~%Date: ~a~2%text~%"
	  id references in-reply-to from subject date))

(defun arg (n default) (or (nth n (command-line)) default))

(defvar *wrong* 0)

(defmacro expect (wanted form)
  `(let ((got ,form))
     (unless (equal ,wanted got)
       (incf *wrong*)
       (format t "~s~% is ~s~% not ~s~%" ',form got ,wanted))))

(with-imap-connection (mb (arg 0 "mail.example.org") :user (arg 1 "myacct") :password (arg 2 "mypasswd")
		       :port (parse-integer (arg 3 "143")))
  (let ((box (format nil "threads~d" (get-universal-time))))
    (create-mailbox mb box)
    (unwind-protect
	(progn
	  (dolist (sample *samples*)
	    (append-letter mb box (apply #'sample-letter sample)))
	  (select-mailbox mb box)
	  (let* ((messages (read-messages mb))
		 (threads (thread-messages messages)))
	    (print-threads threads)
	    (expect '("e1@x.org" "a1@x.org" "b1@x.org" "c1@x.org" "b2@x.org" "d1@x.org" nil)
		    (mapcar #'message-id messages))
	    (expect '(("e1@x.org") ("a1@x.org" "b1@x.org" "c1@x.org" "b2@x.org" "d1@x.org") (nil))
		    (mapcar #'(lambda (thread) (mapcar #'message-id thread)) threads))
	    (expect '(0 1 1 2 1) (mapcar #'message-depth (second threads)))
	    (expect 7 (msg:message-count threads))
	    (expect '("Ann" "Bob" "Cy D." "Bob" "dee@x.org") (mapcar #'(lambda (m) (sender-name (message-from m))) (second threads)))
	    (expect "Something else" (net.messages::plain-subject (message-subject (first messages))))
	    (expect (encode-universal-time 0 30 1 21 6 2002 0) (message-date (sixth messages)))
	    (expect '("lost@x.org" "a1@x.org" "gone@x.org") (message-references (find-message "d1@x.org" messages)))
	    (expect nil (do-messages (m messages) (setf (message-depth m) 9)))
	    (expect t (every #'message-p messages))))
      (close-mailbox mb)
      (delete-mailbox mb box))))

(if* (zerop *wrong*)
   then (write-line "ok")
   else (exit 1))
