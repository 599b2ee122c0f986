;; -*- mode: common-lisp; package: user -*-
;;
;; digester.scm -- makes one digest of the unread letters of a mailbox
;;
;;   postoffice run digester.scm [HOST USER PASSWORD ADDRESS IMAP-PORT SMTP-PORT]

(eval-when (compile load eval)
  (require :imap)
  (require :smtp))

(in-package :user)

(use-package :net.post-office)

(declaim (optimize (speed 2) (safety 1)))

(defvar *digest-width* 70 "Length of the separator lines (RFC 1153).")

(defstruct (item (:constructor make-item (number uid from subject date body)))
  "One letter of the digest."
  number uid from subject date body)

(defun arg (n default)
  (or (nth n (command-line)) default))

(defmacro with-mailbox ((var name) &body body)
  "Runs BODY with VAR bound to a connection that has NAME selected."
  `(let ((,var (net.post-office:make-imap-connection (arg 0 "mail.example.org")
						     :user (arg 1 "myacct")
						     :password (arg 2 "mypasswd")
						     :port (parse-integer (arg 4 "143")))))
     (unwind-protect (progn (net.post-office:select-mailbox ,var ,name) ,@body)
       (net.post-office:close-connection ,var))))

(defun printable-sender (envelope)
  (let ((from (car (envelope-from envelope))))
    (cond ((null from) "(unknown)")
	  ((address-name from))
	  (t (concatenate 'string (address-mailbox from) "@" (address-host from))))))

(defun collect-unread (mb)
  "A list of items for the unread letters of the selected mailbox."
  (let* ((uids (search-mailbox mb '(and :unseen :undeleted) :uid t))
	 (info (and uids (fetch-parts mb uids "(uid envelope)" :uid t)))
	 (i 0))
    (mapcar #'(lambda (uid)
		(let ((envelope (fetch-field uid "envelope" info :uid t)))
		  (multiple-value-bind (headers body)
		      (parse-mail-header (fetch-letter mb uid :uid t))
		    (declare (ignore headers))
		    (make-item (incf i) uid
			       (printable-sender envelope)
			       (or (envelope-subject envelope) "(no subject)")
			       (envelope-date envelope)
			       body))))
	    uids)))

(defun separator-line (char)
  (make-string *digest-width* :initial-element char))

(defun trim-body (text)
  (string-right-trim '(#\space #\newline #\tab #\return) text))

(defmacro with-accessors-of-item ((item &rest slots) &body body)
  `(let (,@(mapcar #'(lambda (slot)
		       `(,slot (,(intern (format nil "~a-~a" 'item slot)) ,item)))
		   slots))
     ,@body))

(defun write-item (item stream)
  (with-accessors-of-item (item from subject date body)
    (format stream "Date: ~@[~a~]~%From: ~a~%Subject: ~a~2%~a~2%~a~2%"
	    date from subject (trim-body body) (separator-line #\-))))

(defun digest-text (items title)
  (with-output-to-string (s)
    (format s "~a~%~%Today's Topics:~2%" title)
    (dolist (item items)
      (format s "~4d. ~45a (~a)~%" (item-number item)
	      (if* (> (length (item-subject item)) 45)
		 then (subseq (item-subject item) 0 45)
		 else (item-subject item))
	      (item-from item)))
    (terpri s)
    (write-line (separator-line #\-) s)
    (terpri s)
    (dolist (item items)
      (write-item item s))
    (let ((end (format nil "End of ~a" title)))
      (format s "~a~%~v,,,'*<~>~%" end (length end)))))

(defun count-lines (text)
  (count #\newline text))

(defun main ()
  (let* ((address (arg 3 "myacct@example.org"))
	 (server (list (arg 0 "mail.example.org") :port (parse-integer (arg 5 "25"))))
	 (stamp (get-universal-time))
	 (box (format nil "digest~d" stamp))
	 (title (multiple-value-bind (s m h day month year) (decode-universal-time stamp 0)
		  (declare (ignore s m h))
		  (format nil "Digest ~d of ~2,'0d-~[Jan~;Feb~;Mar~;Apr~;May~;Jun~;Jul~;Aug~;Sep~;Oct~;Nov~;Dec~]-~4d"
			  stamp day (1- month) year)))
	 (result t))
    (with-mailbox (mb "inbox")
      (create-mailbox mb box)
      (unwind-protect
	  (progn
	    (loop for (from subject body) in '(("Ann <ann@example.org>" "First things" "one")
					       ("bob@example.net" "A subject that is a good deal longer than forty-five characters" "two")
					       ("\"Cy D.\" <cy@example.com>" nil "three"))
		do (append-letter mb box
				  (format nil "From: ~a~%To: list@example.org~@[~%Subject: ~a~]~%Date: Tue, 13 Mar 2001 10:00:00 +0000~2%~a~%"
					  from subject body)))
	    (append-letter mb box (format nil "From: x@example.org~%Subject: read already~2%four~%")
			   :flags '(:\\seen))
	    (select-mailbox mb box)
	    (let* ((items (collect-unread mb))
		   (text (digest-text items title)))
	      (format t "~d letter~:p, ~d line~:p of digest~%" (length items) (count-lines text))
	      (send-letter server address address text :subject title :reply-to "list@example.org")
	      (unless (= (length items) 3) (setq result nil))
	      ;; every letter has been read now
	      (when (search-mailbox mb :unseen) (setq result nil))
	      (select-mailbox mb "inbox")
	      (let ((found (loop repeat 40
			       do (noop mb)
			       thereis (search-mailbox mb `(:subject ,title))
			       do (sleep 0.25))))
		(if* (null found)
		   then (format t "the digest did not arrive~%")
			(setq result nil)
		   else (let ((letter (fetch-letter mb (car found))))
			  (format t "~a" (subseq letter (search "Today's" letter)))
			  (dolist (word '("   1. First things" "(Ann)" "(bob@example.net)" "(Cy D.)" "three" "(no subject)"))
			    (unless (search word letter)
			      (format t "missing in the digest: ~s~%" word)
			      (setq result nil)))
			  (when (search "read already" letter) (setq result nil))
			  (delete-letter mb found))))))
	(select-mailbox mb "inbox")
	(delete-mailbox mb box)))
    result))

(if (main) (format t "ok~%") (exit 1))
