;; -*- mode: common-lisp; package: user -*-
;;
;; batch-sender.scm -- sends a letter to every person in a file, over one connection
;;
;;   postoffice run batch-sender.scm FOLDER [HOST USER PASSWORD ADDRESS IMAP-PORT SMTP-PORT]

(eval-when (compile load eval)
  (require :imap)
  (require :smtp))

(in-package :user)

(declaim (optimize (speed 1) (safety 1))
	 (ftype (function (string) list) read-records))

(defun arg (n default) (or (nth n (command-line)) default))

(defvar *folder* (arg 0 "batch/") "The folder of the records and the log.")
(defvar *host* (arg 1 "mail.example.org"))
(defvar *address* (arg 4 "myacct@example.org"))

(defparameter *template*
    "Dear {title}{name},

your subscription no. {number} ends on {date}.
{?price}It costs {price} a year.
Yours,
 the office
"
  "The text; a line that begins with {?field} stays only if the record has the field.")

(defun in-folder (name)
  (namestring (merge-pathnames name *folder*)))

(defun write-sample-records (path tag)
  "Writes records, property lists; the print form of each, and comments."
  (with-open-file (s path :direction :output :if-exists :supersede :if-does-not-exist :create)
    (format s ";; records of ~a~%" tag)
    (dolist (record `((:name "Ann" :title "Ms. " :number 17 :date (1 2 2003) :price 12.5)
		      (:name "O'Brien \"Bob\"" :number 1234567 :date (28 12 2002))
		      (:name "Nobody" :number 0 :date (1 1 2003) :address "no such address")
		      (:name "Cy" :title "Dr. " :number 3 :date (15 7 2003) :price 9)))
      (prin1 record s)
      (terpri s))
    (format s "#| the end |#~%")))

(defun read-records (path)
  "The records of the file PATH, a list."
  (with-open-file (s path :direction :input)
    (let ((eof (list nil)))
      (do ((record (read s nil eof) (read s nil eof))
	   (records '() (cons record records)))
	  ((eq record eof) (nreverse records))))))

(defun field-text (record field)
  "The value of FIELD in RECORD as text; empty if it is not there."
  (let ((value (getf record field)))
    (ecase field
      ((:name :title :address) (or value ""))
      (:number (format nil "~:d" value))
      (:price (if value (format nil "$~,2f" value) ""))
      (:date (destructuring-bind (day month year) value
	       (format nil "~d ~a ~d" day
		       (svref #("January" "February" "March" "April" "May" "June" "July"
				"August" "September" "October" "November" "December")
			      (1- month))
		       year))))))

(defun personalise-line (line record)
  (with-output-to-string (out)
    (do* ((start 0 (1+ close))
	  (open (position #\{ line) (position #\{ line :start start))
	  (close (and open (position #\} line :start open)) (and open (position #\} line :start open))))
	((null close) (write-string (subseq line start) out))
      (write-string (subseq line start open) out)
      (unless (char= (char line (1+ open)) #\?)
	(write-string (field-text record (intern (subseq line (1+ open) close) :keyword)) out)))))

(defun personalise (template record)
  "TEMPLATE with the fields of RECORD."
  (with-output-to-string (out)
    (with-input-from-string (in template)
      (loop for line = (read-line in nil)
	  while line
	  do (unless (and (> (length line) 2)
			  (string= "{?" line :end2 2)
			  (not (getf record (intern (subseq line 2 (position #\} line)) :keyword))))
	       (write-line (personalise-line line record) out))))))

(defun log-line (stream control &rest args)
  (multiple-value-bind (s m h day month year) (decode-universal-time (get-universal-time))
    (format stream "~4d-~2,'0d-~2,'0d ~2,'0d:~2,'0d:~2,'0d ~?~%" year month day h m s control args))
  (force-output stream))

(defun send-all (records subject log-path)
  "Sends a letter for each of RECORDS; returns how many were sent, and the records that failed."
  (let ((sent 0) (failed '())
	(server (net.post-office:make-smtp-connection *host* :port (parse-integer (arg 6 "25")))))
    (with-open-file (log log-path :direction :output :if-exists :append :if-does-not-exist :create)
      (unwind-protect
	  (dolist (record records)
	    (let ((to (getf record :address *address*)))
	      (handler-case
		  (progn
		    (net.post-office:send-letter server *address* to (personalise *template* record)
						 :subject subject)
		    (incf sent)
		    (log-line log "sent to ~a <~a>" (getf record :name) to))
		(net.post-office:po-error (c)
		  (push record failed)
		  (log-line log "FAILED ~a: ~s" (getf record :name)
			    (net.post-office:po-condition-identifier c))))))
	(net.post-office:close-connection server)
	(log-line log "~r letter~:p sent, ~r failed" sent (length failed))))
    (values sent (nreverse failed))))

(defun fetch-texts (subject count)
  "The bodies of the letters with SUBJECT in the inbox, after COUNT of them have come; deletes them."
  (net.post-office:with-imap-connection (mb *host* :user (arg 2 "myacct") :password (arg 3 "mypasswd")
					 :port (parse-integer (arg 5 "143")))
    (net.post-office:select-mailbox mb "inbox")
    (let ((found '()))
      (dotimes (i 40)
	(net.post-office:noop mb)
	(setq found (net.post-office:search-mailbox mb `(:subject ,subject)))
	(when (>= (length found) count) (return))
	(sleep 0.25))
      (prog1 (mapcar #'(lambda (n)
			 (nth-value 1 (net.post-office:parse-mail-header
				       (net.post-office:fetch-letter mb n))))
		     found)
	(net.post-office:delete-letter mb found)))))

(defun main ()
  (unless (char= #\/ (char *folder* (1- (length *folder*))))
    (setq *folder* (concatenate 'string *folder* "/")))
  (ensure-directories-exist *folder*)
  (let* ((subject (format nil "Subscription ~d" (get-universal-time)))
	 (records-file (in-folder "records.lisp"))
	 (log-file (in-folder "batch.log")))
    (when (probe-file log-file) (delete-file log-file))
    (fetch-texts subject 0)		; fails now if the account does not work
    (write-sample-records records-file subject)
    (multiple-value-bind (sent failed) (send-all (read-records records-file) subject log-file)
      (let ((texts (fetch-texts subject sent))
	    (log (with-open-file (s log-file)
		   (loop for line = (read-line s nil nil) while line collect (subseq line 20)))))
	(format t "~{~a~%~}" log)
	(map nil #'(lambda (name) (delete-file (in-folder name))) '("records.lisp" "batch.log"))
	(and (= sent 3)
	     (equal '("Nobody") (mapcar #'(lambda (r) (getf r :name)) failed))
	     (equal log (list (format nil "sent to Ann <~a>" *address*)
			      (format nil "sent to O'Brien \"Bob\" <~a>" *address*)
			      "FAILED Nobody: :syntax-error"
			      (format nil "sent to Cy <~a>" *address*)
			      "three letters sent, one failed"))
	     (= (length texts) 3)
	     (flet ((has (text n) (search text (nth n texts))))
	       (and (has (format nil "Dear Ms. Ann,~%~%your subscription no. 17 ends on 1 February 2003.~%It costs $12.50 a year.~%Yours,") 0)
		    (has (format nil "Dear O'Brien \"Bob\",~2%your subscription no. 1,234,567 ends on 28 December 2002.~%Yours,") 1)
		    (has "It costs $9.00 a year." 2))))))))

(if* (main)
   then (format t "ok~%")
   else (format t "the letters or the log are not as they should be~%")
	(exit 1))
