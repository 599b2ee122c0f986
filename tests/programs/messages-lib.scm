;; -*- mode: common-lisp; package: net.messages -*-
;;
;; messages-lib.scm -- letters as structures, sorted and threaded
;;
;; $Id: messages-lib.cl,v 1.3 2002/06/20 09:11:02 rjb Exp $

(eval-when (compile load eval)
  (require :imap)
  (require :regexp2))

(defpackage :net.messages
  (:nicknames :msg)
  (:use :common-lisp :excl)
  (:import-from :net.post-office #:parse-mail-header #:fetch-field)
  (:export #:message #:message-id #:message-subject #:message-from #:message-date
	   #:message-references #:message-parent #:message-children
	   #:read-messages #:thread-messages #:print-threads #:do-messages #:message-count))

(in-package :net.messages)

(declaim (optimize (speed 1) (safety 1)))

(defvar *id-regexp* (compile-re "<([^<> \\t\\n]+@[^<> \\t\\n]+)>")
  "A message id; the first group is the id without its brackets.")

(defstruct message
  "A letter, without its body."
  (uid 0 :type fixnum)
  (id nil)
  (subject "" :type string)
  (from "" :type string)
  (date 0 :type integer)			; universal time
  (references nil :type list)			; ids, the oldest first
  (parent nil)					; the id of the parent, once threaded
  (depth 0))

(defun all-ids (text)
  "The message ids in TEXT, a list, in their order."
  (let ((ids nil) (start 0))
    (loop
      (multiple-value-bind (found whole id)
	  (match-re *id-regexp* text :start start :return :index)
	(unless found
	  (return (nreverse ids)))
	(push (subseq text (car id) (cdr id)) ids)
	(setq start (cdr whole))))))

(defun header-value (name headers)
  (cdr (assoc name headers :test #'equalp)))

(defun plain-subject (subject)
  "SUBJECT without Re: and Fwd: in front and without [list] marks."
  (let ((plain (replace-re subject "^\\s*((re|fwd?|aw)(\\[\\d+\\])?:\\s*|\\[[^\\]]*\\]\\s*)*" "" :case-fold t)))
    (string-trim " " plain)))

(defun sender-name (from)
  "The name in a From field, or the address when there is none."
  (or (re-let "^\\s*\"?([^\"<]*[^\"< ])\"?\\s*<" from ((name 1)) name)
      (re-let "([^<> ]+@[^<> ]+)\\s*\\(([^)]*)\\)" from ((name 2)) name)
      (string-trim "<> " from)))

(defun parse-universal-time (text)
  "The universal time of a Date field such as \"Thu, 20 Jun 2002 09:11:02 +0200\", or 0."
  (or (re-let "(\\d+) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\\w* (\\d{4}) (\\d+):(\\d+)(:(\\d+))?\\s+([-+])(\\d\\d)(\\d\\d)"
	  text
	  ((day 1) (month 2) (year 3) (hour 4) (minute 5) (second 7) (sign 8) (zone-hours 9) (zone-minutes 10))
	(flet ((n (s) (if s (parse-integer s) 0)))
	  (- (encode-universal-time (n second) (n minute) (n hour) (n day)
				    (1+ (position month '("Jan" "Feb" "Mar" "Apr" "May" "Jun" "Jul" "Aug" "Sep" "Oct" "Nov" "Dec")
						  :test #'string-equal))
				    (n year) 0)
	     (* (if (string= sign "-") -1 1)
		(+ (* 3600 (n zone-hours)) (* 60 (n zone-minutes)))))))
      0))

(defun header->message (uid text)
  (let* ((headers (parse-mail-header text))
	 (references (all-ids (or (header-value "references" headers) "")))
	 (reply-to (first (all-ids (or (header-value "in-reply-to" headers) "")))))
    (make-message :uid uid
		  :id (first (all-ids (or (header-value "message-id" headers) "")))
		  :subject (or (header-value "subject" headers) "")
		  :from (or (header-value "from" headers) "")
		  :date (parse-universal-time (or (header-value "date" headers) ""))
		  :references (if* (and reply-to (not (member reply-to references :test #'string=)))
				 then (append references (list reply-to))
				 else references))))

(defun read-messages (mb)
  "All letters of the selected mailbox as messages, by date."
  (let* ((uids (net.post-office:search-mailbox mb :all :uid t))
	 (info (and uids (net.post-office:fetch-parts mb uids "(uid body.peek[header])" :uid t))))
    (sort (loop for uid in uids
	      collect (header->message uid (fetch-field uid "body[header]" info :uid t)))
	  #'< :key #'message-date)))

(defmacro do-messages ((var messages &optional result) &body body)
  `(dolist (,var ,messages ,result)
     (declare (type message ,var))
     ,@body))

(defun find-message (id messages)
  (find id messages :key #'message-id :test #'equal))

(defun children-of (id messages)
  (and id (remove-if-not #'(lambda (m) (equal id (message-parent m))) messages)))

(defun thread-messages (messages)
  "The threads of MESSAGES: a list of lists of messages, depth first, with parent and depth set."
  (let ((with-parents
	    (mapcar #'(lambda (m)
			(let ((m (copy-message m)))
			  (setf (message-parent m)
			    (find-if #'(lambda (id) (find-message id messages))
				     (reverse (message-references m))))
			  m))
		    messages)))
    (labels ((walk (m depth)
	       (setf (message-depth m) depth)
	       (cons m (loop for child in (children-of (message-id m) with-parents)
			   append (walk child (1+ depth))))))
      (loop for m in with-parents
	  unless (message-parent m)
	  collect (walk m 0)))))

(defun message-count (threads)
  (reduce #'+ threads :key #'length :initial-value 0))

(defun print-threads (threads &optional (stream t))
  (loop for thread in threads
      for number from 1
      do (format stream "~d: ~a~%" number (plain-subject (message-subject (first thread))))
	 (dolist (m thread)
	   (multiple-value-bind (s min hour day month year) (decode-universal-time (message-date m) 0)
	     (declare (ignore s))
	     (format stream "   ~v@t~a, ~d-~2,'0d-~2,'0d ~2,'0d:~2,'0d~%"
		     (* 2 (message-depth m)) (sender-name (message-from m)) year month day hour min)))))

(provide :messages-lib)
