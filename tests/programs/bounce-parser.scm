;; -*- mode: common-lisp; package: user -*-
;;
;; bounce-parser.scm -- reads delivery status notifications (RFC 1894) and tells whom to
;; take off the list
;;
;;   postoffice run bounce-parser.scm [HOST USER PASSWORD IMAP-PORT]

(eval-when (compile load eval)
  (require :imap))

(in-package :user)

(declaim (optimize (speed 1) (safety 2)))

(defvar *bounces* (make-hash-table :test #'equalp)
  "From addresses to lists of bounces.")

(defstruct bounce
  (address nil)
  (action :failed :type symbol)
  (status nil)				; (class subject detail)
  (reason "")
  (date 0 :type integer))

;;; Text of a report

(defun split-lines (text)
  "The lines of TEXT, a list of strings."
  (let ((lines nil) (start 0))
    (loop
      (let ((end (position #\newline text :start start)))
	(push (string-right-trim '(#\return) (subseq text start end)) lines)
	(if* end
	   then (setq start (1+ end))
	   else (return (nreverse lines)))))))

(defun split-groups (text)
  "The groups of header lines in TEXT, separated by blank lines; a list of alists."
  (let ((groups nil) (current nil))
    (dolist (line (append (split-lines text) '("")))
      (cond ((string= "" (string-trim " " line))
	     (when current
	       (push (nreverse current) groups)
	       (setq current nil)))
	    ((and current (member (char line 0) '(#\space #\tab)))
	     ;; continued
	     (setf (cdr (first current))
	       (concatenate 'string (cdr (first current)) " " (string-trim '(#\space #\tab) line))))
	    (t (let ((colon (position #\: line)))
		 (when colon
		   (push (cons (intern (string-downcase (subseq line 0 colon)) :keyword)
			       (string-trim " " (subseq line (1+ colon))))
			 current))))))
    (nreverse groups)))

(defun after-semicolon (value)
  "The part of VALUE after the type, rfc822; or smtp;"
  (when value
    (string-trim " <>" (subseq value (let ((at (position #\; value))) (if at (1+ at) 0))))))

(defun parse-status (text)
  "(5 1 1) for \"5.1.1\", nil for what is no status."
  (let ((numbers nil) (at 0))
    (dotimes (i 3 (nreverse numbers))
      (multiple-value-bind (n end) (parse-integer text :start at :junk-allowed t)
	(unless n (return nil))
	(push n numbers)
	(setq at (min (length text) (1+ end)))))))

(defun status-reason (status)
  (case (second status)
    (1 (if (member (third status) '(1 3 6)) "no such address" "bad address"))
    (2 (case (third status) (2 "mailbox full") (1 "mailbox disabled") (otherwise "mailbox")))
    (3 "mail system")
    (4 "network")
    ((5 6) "protocol or content")
    (7 "refused by policy")
    (t "unknown")))

;;; The letter

(defun find-status-part (part)
  "The first part of type message/delivery-status in PART, or nil."
  (cond ((and (string-equal (mime-part-type part) "message")
	      (string-equal (mime-part-subtype part) "delivery-status"))
	 part)
	(t (some #'find-status-part (mime-part-parts part)))))

(defun parse-bounce (text)
  "The bounces that the letter TEXT reports, a list; nil for other letters."
  (let* ((letter (net.post-office:parse-mime-structure text))
	 (part (find-status-part letter))
	 (headers (net.post-office:parse-mail-header text))
	 (date (let ((d (assoc "date" headers :test #'equalp)))
		 (if* d then (parse-date (cdr d)) else 0))))
    (when part
      (loop for group in (rest (split-groups (mime-part-text part)))
	  as status = (parse-status (or (cdr (assoc :status group)) ""))
	  as recipient = (after-semicolon (cdr (or (assoc :original-recipient group)
						   (assoc :final-recipient group))))
	  when recipient
	  collect (make-bounce :address (string-downcase recipient)
			       :action (intern (string-downcase (or (cdr (assoc :action group)) "failed"))
					       :keyword)
			       :status status
			       :reason (or (after-semicolon (cdr (assoc :diagnostic-code group)))
					   (status-reason status))
			       :date date)))))

(defun permanent-p (bounce)
  (and (eq :failed (bounce-action bounce))
       (eql 5 (first (bounce-status bounce)))))

(defun read-bounces (mb)
  "Reads all letters of the selected mailbox; returns how many were bounces and how many not."
  (let ((yes 0) (no 0))
    (loop for n from 1 to (net.post-office:mailbox-message-count mb)
	for bounces = (parse-bounce (net.post-office:fetch-letter mb n))
	do (if* bounces
	      then (incf yes)
		   (dolist (b bounces)
		     (push b (gethash (bounce-address b) *bounces*)))
		   (net.post-office:alter-flags mb n :add-flags :\\flagged)
	      else (incf no)))
    (values yes no)))

(defun table ()
  "Rows (address count permanent-p last-reason) in the order of the addresses."
  (sort (loop for address being the hash-keys of *bounces* using (hash-value bounces)
	    for newest = (car (sort (copy-list bounces) #'> :key #'bounce-date))
	    collect (list address (length bounces) (permanent-p newest)
			  (format nil "~{~d~^.~} ~a" (bounce-status newest)
				  (status-reason (bounce-status newest)))))
	#'string< :key #'first))

(defun print-bounce-table (rows &optional (stream *standard-output*))
  (format stream "~30a ~5@a  ~9a ~a~%~60,,,'-a~%" "address" "times" "permanent" "reason" "-")
  (loop for (address count permanent reason) in rows
      do (format stream "~30a ~5d  ~:[no~;yes~]~48t~a~%" address count permanent reason)))

;;; Letters to try it on

(defun sample-report (date &rest recipients)
  "A report of DATE; each of RECIPIENTS is (address action status &optional diagnostic)."
  (with-output-to-string (s)
    (format s "From: Mail Delivery Subsystem <MAILER-DAEMON@example.org>~%")
    (format s "To: list-owner@example.org~%Subject: Returned mail: see transcript for details~%")
    (format s "Date: ~a~%MIME-Version: 1.0~%" date)
    (format s "Content-Type: multipart/report; report-type=delivery-status;~%~8tboundary=\"=_b1\"~2%")
    (format s "--=_b1~%~%   ----- The following addresses had problems -----~%~{~a~%~}" (mapcar #'first recipients))
    (format s "~%--=_b1~%Content-Type: message/delivery-status~2%Reporting-MTA: dns; mail.example.org~%")
    (loop for (address action status diagnostic) in recipients
	do (format s "~%Final-Recipient: RFC822; ~a~%Action: ~a~%Status: ~a~%" address action status)
	   (when diagnostic (format s "Diagnostic-Code: smtp;~%  ~a~%" diagnostic)))
    (format s "~%--=_b1~%Content-Type: message/rfc822~2%Subject: the list, no. 7~2%Hello.~%--=_b1--~%")))

(defparameter *samples*
    (list (sample-report "Mon, 5 Mar 2001 10:00:00 +0000"
			 '("Gone@example.com" "failed" "5.1.1" "550 5.1.1 <Gone@example.com>... User unknown")
			 '("full@example.net" "delayed" "4.2.2"))
	  (sample-report "Tue, 6 Mar 2001 10:00:00 +0000" '("gone@example.com" "failed" "5.1.1"))
	  (sample-report "Wed, 7 Mar 2001 10:00:00 +0000" '("full@example.net" "failed" "5.2.2 (over quota)"))
	  (sample-report "Wed, 7 Mar 2001 11:00:00 +0000" '("slow@example.org" "delayed" "4.4.1"))
	  (format nil "From: a@example.org~%Subject: Status: failed~2%Final-Recipient: rfc822; not@example.org~%")))

(defun arg (n default) (or (nth n (command-line)) default))

(defun main ()
  (let ((mb (net.post-office:make-imap-connection (arg 0 "mail.example.org")
						  :user (arg 1 "myacct")
						  :password (arg 2 "mypasswd")
						  :port (parse-integer (arg 3 "143"))))
	(box (format nil "bounces~d" (get-universal-time))))
    (unwind-protect
	(progn
	  (net.post-office:create-mailbox mb box)
	  (mapc #'(lambda (sample) (net.post-office:append-letter mb box sample)) *samples*)
	  (net.post-office:select-mailbox mb box)
	  (multiple-value-bind (yes no) (read-bounces mb)
	    (let ((rows (table)))
	      (print-bounce-table rows)
	      (and (= yes 4) (= no 1)
		   (equal rows '(("full@example.net" 2 t "5.2.2 mailbox full")
				 ("gone@example.com" 2 t "5.1.1 no such address")
				 ("slow@example.org" 1 nil "4.4.1 network")))
		   (equal "550 5.1.1 <Gone@example.com>... User unknown"
			  (bounce-reason (car (last (gethash "GONE@EXAMPLE.COM" *bounces*)))))
		   (equal '(1 2 3 4) (net.post-office:search-mailbox mb :flagged))))))
      (ignore-errors (net.post-office:close-mailbox mb)
		     (net.post-office:delete-mailbox mb box))
      (net.post-office:close-connection mb))))

(if* (main) then (format t "ok~%") else (exit 1))
