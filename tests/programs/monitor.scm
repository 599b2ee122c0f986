;; -*- mode: common-lisp; package: user -*-
;;
;; monitor.scm -- sends a letter round and measures how long it takes
;;
;;   postoffice run monitor.scm [HOST USER PASSWORD ADDRESS IMAP-PORT SMTP-PORT ROUNDS]

(eval-when (compile load eval)
  (require :imap)
  (require :smtp)
  #+allegro (require :process))

(defpackage :user.monitor
  (:use :common-lisp :excl :net.post-office))

(in-package :user.monitor)

(defvar *timeout* 20 "Seconds that a letter may take.")
(defvar *interval* 1/10 "Seconds between two looks at the mailbox.")
(defvar *log* '() "Events, newest first: (time kind . details).")

(defun arg (n default)
  (let ((args (command-line)))
    (or (nth n args) default)))

(defun note (kind &rest details)
  (push (list* (get-universal-time) kind details) *log*)
  (format t "~&~a ~(~a~)~{ ~a~}~%" (date->string (get-universal-time)) kind details))

(defun date->string (time)
  (multiple-value-bind (second minute hour) (decode-universal-time time)
    (format nil "~2,'0d:~2,'0d:~2,'0d" hour minute second)))

(define-condition letter-lost (error)
  ((subject :initarg :subject :reader letter-lost-subject)
   (waited :initarg :waited :initform 0 :reader letter-lost-waited))
  (:report (lambda (c stream)
	     (format stream "~s did not arrive in ~d second~:p"
		     (letter-lost-subject c) (letter-lost-waited c)))))

(defun now ()
  "Seconds, with fractions."
  (/ (get-internal-real-time) internal-time-units-per-second))

(defun wait-for-letter (mb subject timeout)
  "Waits until a letter with SUBJECT is there; returns its number.
Signals letter-lost after TIMEOUT seconds, with the restarts WAIT-LONGER, SEND-AGAIN and USE-VALUE."
  (let ((start (now)))
    (loop
      (noop mb)
      (let ((found (search-mailbox mb `(:subject ,subject))))
	(when found
	  (return (values (car found) (- (now) start)))))
      (when (> (- (now) start) timeout)
	(restart-case (error 'letter-lost :subject subject :waited timeout)
	  (wait-longer (seconds)
	      :report "Wait some more seconds."
	      :interactive (lambda () (list 10))
	    (note :waiting seconds)
	    (incf timeout seconds))
	  (use-value (value)
	      :report "Pretend that the letter has this number."
	    (return (values value nil)))))
      (sleep *interval*))))

(defun round-trip (mb server address &key (really-send t))
  "Sends a letter and waits for it. Returns the seconds that it took, and the number of attempts."
  (let ((subject (format nil "monitor ~d ~d" (get-universal-time) (random 100000)))
	(attempts 0)
	(number nil))
    (unwind-protect
	(loop
	  (incf attempts)
	  (with-simple-restart (send-again "Send the letter ~s again." subject)
	    (when really-send
	      (send-letter server address address (format nil "sent at ~d~%" (get-universal-time))
			   :subject subject))
	    (return
	      (multiple-value-bind (n seconds) (wait-for-letter mb subject *timeout*)
		(setq number n)
		(values seconds attempts))))
	  (setq really-send t))
      ;; leave nothing behind
      (when (integerp number)
	(delete-letter mb number)))))

(defun monitor (rounds)
  (let* ((address (arg 3 "myacct@example.org"))
	 (server (list (arg 0 "mail.example.org") :port (parse-integer (arg 5 "25"))))
	 (mb (make-imap-connection (arg 0 "mail.example.org")
				   :user (arg 1 "myacct") :password (arg 2 "mypasswd")
				   :port (parse-integer (arg 4 "143"))))
	 (times '())
	 (ok t))
    (flet ((check (what value)
	     (unless value
	       (note :wrong what)
	       (setq ok nil))))
      (unwind-protect
	  (progn
	    (select-mailbox mb "inbox")
	    ;; the plain case
	    (dotimes (i rounds)
	      (multiple-value-bind (seconds attempts) (round-trip mb server address)
		(note :arrived (format nil "in ~,3f s" seconds))
		(check "one attempt" (= attempts 1))
		(check "a time" (<= 0 seconds *timeout*))
		(push seconds times)))
	    (note :average (format nil "~,3f s" (/ (reduce #'+ times) (length times))))
	    ;; one that is never sent: wait once more, then send it
	    (let ((*timeout* 1/4) (seen '()) (waited nil))
	      (handler-bind ((letter-lost
			      #'(lambda (c)
				  (push (princ-to-string c) seen)
				  (note :lost c)
				  (check "restarts offered"
					 (subsetp '(wait-longer use-value send-again)
						  (mapcar #'restart-name (compute-restarts c))))
				  (if* (not waited)
				     then (setq waited t)
					  (invoke-restart 'wait-longer 1/4)
				     else (let ((r (find-restart 'send-again c)))
					    (note :restart r)
					    (setq *timeout* 20)
					    (invoke-restart r))))))
		(multiple-value-bind (seconds attempts) (round-trip mb server address :really-send nil)
		  (declare (ignore seconds))
		  (check "two attempts" (= attempts 2))
		  (check "lost twice" (= 2 (length seen)))
		  (check "reported" (search "did not arrive in 1/2 second" (first seen))))))
	    ;; given up by use-value
	    (let ((*timeout* 0))
	      (check "use-value"
		     (null (handler-bind ((letter-lost #'(lambda (c) (use-value :none c))))
			     (round-trip mb server address :really-send nil)))))
	    ;; not handled, so it unwinds
	    (let ((*timeout* 0))
	      (check "unwinds"
		     (eq :lost (handler-case (round-trip mb server address :really-send nil)
				 (letter-lost (c)
				   (check "kind" (not (typep c 'po-error)))
				   (check "slot" (string-equal "monitor " (letter-lost-subject c) :end2 8))
				   :lost)))))
	    ;; a time-out of the whole
	    (check "time-out"
		   (eq :too-late
		       (let ((end (+ (now) 1/2)) (*timeout* 1/10))
			 (catch 'too-late
			   (handler-bind ((letter-lost
					   #'(lambda (c)
					       (when (> (now) end)
						 (throw 'too-late :too-late))
					       (invoke-restart 'wait-longer (letter-lost-waited c)))))
			     (round-trip mb server address :really-send nil))))))
	    (check "nothing left" (null (search-mailbox mb '(:subject "monitor ")))))
	(close-connection mb)))
    ok))

(if* (monitor (parse-integer (arg 6 "3")))
   then (format t "~&ok~%")
   else (exit 1))
