;; -*- mode: common-lisp; package: user -*-
;;
;; test-suite.scm -- exercises the imap, pop and smtp modules
;;
;;   postoffice run test-suite.scm [HOST USER PASSWORD ADDRESS IMAP-PORT POP-PORT SMTP-PORT]
;;
;; $Id: test-suite.cl,v 1.7 2001/03/12 18:04:51 rjb Exp $

(eval-when (compile load eval)
  (require :imap)
  (require :smtp))

(defpackage :user.mail-test
  (:use :common-lisp :excl :net.post-office)
  (:export #:run-tests))

(in-package :user.mail-test)

(declaim (optimize (speed 1) (safety 3)))

(defvar *successes* 0 "Number of tests that did what they should.")
(defvar *failures* 0 "Number of tests that did not.")
(defvar *conditions* nil "Identifiers of the post-office conditions seen, newest first.")
(defvar *verbose* nil)

;;; The arguments

(defun arg (n default)
  "The Nth argument of the command line, or DEFAULT."
  (let ((args (command-line)))
    (if* (> (length args) n)
       then (nth n args)
       else default)))

(defparameter *host*      (arg 0 "mail.example.org"))
(defparameter *user*      (arg 1 "myacct"))
(defparameter *password*  (arg 2 "mypasswd"))
(defparameter *address*   (arg 3 "myacct@example.org"))
(defparameter *imap-port* (parse-integer (arg 4 "143")))
(defparameter *pop-port*  (parse-integer (arg 5 "110")))
(defparameter *smtp-port* (parse-integer (arg 6 "25")))

;;; The harness

(defun note-result (ok form wanted got)
  (cond (ok
	 (incf *successes*)
	 (when *verbose* (format t "~&passed: ~s~%" form)))
	(t
	 (incf *failures*)
	 (format t "~&FAILED: ~s~%  wanted: ~s~%     got: ~s~%" form wanted got)))
  ok)

(defun note-condition (c)
  (push (net.post-office:po-condition-identifier c) *conditions*))

(defmacro test-equal (wanted form &key (test '#'equal))
  "Evaluates FORM, whose value must be WANTED under TEST."
  (let ((w (gensym)) (g (gensym)))
    `(let ((,w ,wanted)
	   (,g (handler-case ,form
		 (error (c) (list :error (princ-to-string c))))))
       (note-result (funcall ,test ,w ,g) ',form ,w ,g))))

(defmacro test-t (form)
  `(test-equal t (not (null ,form))))

(defmacro test-err (form &key (identifier nil))
  "FORM must signal an error; with IDENTIFIER, a po-error of that kind."
  (let ((c (gensym)))
    `(handler-case (let ((v (handler-bind ((net.post-office:po-condition #'note-condition))
			      (multiple-value-list ,form))))
		     (note-result nil ',form :an-error v))
       (net.post-office:po-error (,c)
	 (let ((id (po-condition-identifier ,c)))
	   (note-result (or (null ,identifier) (eq id ,identifier))
			',form ,identifier id)))
       (error (,c)
	 (note-result (null ,identifier) ',form ,identifier (princ-to-string ,c))))))

(defun make-tag ()
  (format nil "~36r-~36r" (get-universal-time) (random 1000000)))

(defun wait-for-subject (mb subject &optional (tries 20))
  "Numbers of the letters with SUBJECT, waiting for the first."
  (dotimes (i tries nil)
    (noop mb)
    (let ((found (search-mailbox mb `(:subject ,subject))))
      (when found (return found)))
    (sleep 0.25)))

;;; The tests

(defun test-sending (mb tag)
  (let ((server (list *host* :port *smtp-port*))
	(subject (concatenate 'string "suite " tag)))
    (test-t (net.post-office:send-letter server *address* *address*
	      (format nil "first line~%.second line begins with a dot~%")
	      :subject subject
	      :reply-to "nobody@example.org"))
    (test-t (net.post-office:send-smtp server *address* (list *address*)
	      (format nil "From: ~a~%To: ~a~%Subject: raw ~a~%" *address* *address* tag)
	      (format nil "~%")
	      (format nil "by hand~%")))
    (test-err (send-letter server (format nil "a@b~%c") *address* "x") :identifier :syntax-error)
    (let* ((numbers (wait-for-subject mb subject))
	   (n (first numbers)))
      (test-equal 1 (length numbers))
      (when n
	(let ((env (fetch-field n "envelope" (fetch-parts mb n "envelope"))))
	  (test-equal subject (envelope-subject env))
	  (test-equal "nobody" (address-mailbox (car (envelope-reply-to env))))
	  (test-equal "example.org" (address-host (car (envelope-reply-to env))) :test #'string-equal))
	(test-t (search (format nil "~%.second line") (fetch-letter mb n)))))))

(defun test-flagging (mb tag)
  (let* ((n (first (wait-for-subject mb (concatenate 'string "suite " tag)))))
    (when n
      (flet ((flags (info) (fetch-field n "flags" info)))
	(test-t (member :\\flagged (flags (alter-flags mb n :add-flags '(:\\flagged)))))
	(test-t (member :\\flagged (flags (fetch-parts mb n "flags"))))
	(test-equal nil (member :\\flagged (flags (alter-flags mb n :remove-flags :\\flagged))))
	(test-equal nil (alter-flags mb n :flags '(:\\seen :\\answered) :silent t))
	(test-equal '(:\\answered :\\seen)
		    (sort (remove :\\recent (flags (fetch-parts mb n "flags"))) #'string<)))
      (test-err (alter-flags mb n) :identifier :syntax-error)
      (test-err (alter-flags mb n :flags :\\seen :add-flags :\\seen) :identifier :syntax-error)
      (test-t (member n (search-mailbox mb `(and :answered (:subject ,tag))))))))

(defun test-filing (mb tag)
  (let ((box (concatenate 'string "suite" (mailbox-separator mb) tag)))
    (test-err (select-mailbox mb box) :identifier :error-response)
    (test-t (create-mailbox mb box))
    (test-err (create-mailbox mb box) :identifier :error-response)
    (unwind-protect
	(progn
	  (select-mailbox mb "inbox")
	  (let ((numbers (search-mailbox mb `(:subject ,tag))))
	    (test-t (copy-to-mailbox mb numbers box))
	    (select-mailbox mb box)
	    (test-equal (length numbers) (mailbox-message-count mb))
	    (test-t (> (mailbox-uidvalidty mb) 0))
	    (let ((uids (search-mailbox mb :all :uid t)))
	      (test-equal (length numbers) (length uids))
	      (dolist (uid uids)
		(test-t (search tag (fetch-field uid "body[header]"
						 (fetch-parts mb uid "body[header]" :uid t)
						 :uid t)))))
	    (test-equal (length numbers)
			(length (delete-letter mb `(:seq 1 ,(mailbox-message-count mb)))))
	    (test-equal 0 (mailbox-message-count mb))))
      (select-mailbox mb "inbox")
      (delete-mailbox mb box))
    (test-equal nil (find box (mailbox-list mb :pattern "*")
			  :key #'mailbox-list-name :test #'string=))))

(defun test-popping (tag)
  (let ((pb (make-pop-connection *host* :port *pop-port* :user *user* :password *password*))
	(ours nil))
    (unwind-protect
	(progn
	  (loop for n from 1 to (mailbox-message-count pb)
	      for headers = (parse-mail-header (top-lines pb n 0))
	      for subject = (cdr (assoc "subject" headers :test #'equalp))
	      when (and subject (search tag subject))
	      do (push n ours))
	  (test-equal 2 (length ours))
	  (dolist (n ours)
	    (test-t (stringp (unique-id pb n)))
	    (multiple-value-bind (headers body) (parse-mail-header (fetch-letter pb n))
	      (declare (ignorable headers))
	      (test-t (or (search "first line" body) (search "by hand" body))))
	    (delete-letter pb n)
	    (test-err (fetch-letter pb n) :identifier :error-response))
	  (test-equal nil (intersection ours (mapcar #'car (unique-id pb)))))
      (close-connection pb))))

(defun run-tests ()
  (let ((tag (make-tag)))
    (handler-bind ((net.post-office:po-condition
		    #'(lambda (c)
			(format t "~&unexpected: ~a~%" c)
			(note-condition c))))
      (let ((mb (make-imap-connection *host* :port *imap-port*
				      :user *user* :password *password* :timeout 30)))
	(unwind-protect
	    (progn
	      (select-mailbox mb "inbox")
	      (test-sending mb tag)
	      (test-flagging mb tag)
	      (test-filing mb tag))
	  (close-connection mb)))
      (test-popping tag)
      ;; pop has removed them for imap, too
      (with-imap-connection (mb *host* :port *imap-port* :user *user* :password *password*)
	(select-mailbox mb "inbox")
	(test-equal nil (search-mailbox mb `(:subject ,tag)))))
    (format t "~&~d test~:p, ~d success~:*~[es~;~:;es~], ~d failure~:p~%"
	    (+ *successes* *failures*) *successes* *failures*)
    (format t "conditions: ~{~s~^ ~}~%" (remove-duplicates (reverse *conditions*)))
    (zerop *failures*)))

(if* (and (run-tests) (>= (count :error-response *conditions*) 3))
   then (format t "ok~%")
   else (exit 1))
