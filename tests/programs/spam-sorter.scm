;; -*- mode: common-lisp; package: user -*-
;;
;; spam-sorter.scm -- scores the letters of a mailbox by rules and moves the worst to another
;;
;;   postoffice run spam-sorter.scm [HOST USER PASSWORD IMAP-PORT]

(eval-when (compile load eval)
  (require :imap)
  (require :regexp2))

(in-package :user)

(use-package :net.post-office)

(declaim (optimize (speed 1) (safety 1)))

(defconstant +threshold+ 5.0 "Letters with at least this score are moved.")

(defvar *rules* '() "All rules, in the order of their definition.")

(defstruct rule
  (name nil :type symbol)
  (score 0 :type number)
  (test nil))

(defstruct (verdict (:conc-name v-))
  uid (score 0) (hits '()) kind)

(defmacro defrule (name score (headers body) &body forms)
  "Defines a rule: FORMS see the headers, an alist, and the body, and return true or a factor."
  (let ((doc (if (and (stringp (car forms)) (cdr forms)) (pop forms) nil)))
    `(progn
       (setq *rules* (append (remove ',name *rules* :key #'rule-name)
			     (list (make-rule :name ',name :score ,score
					      :test #'(lambda (,headers ,body)
							(declare (ignorable ,headers ,body))
							,@forms)))))
       ,@(and doc nil)
       ',name)))

(defun header (name headers)
  "The value of the first header NAME, or the empty string."
  (or (cdr (assoc name headers :test #'equalp)) ""))

(defrule shouting 2.5 (headers body)
  "The subject has no small letter and at least eight capitals."
  (let ((subject (header "subject" headers)))
    (and (not (match-re "[a-z]" subject))
	 (match-re "([A-Z][^A-Z]*){8}" subject))))

(defrule money 1.5 (headers body)
  (let ((n 0))
    (dolist (piece (split-re "\\s+" body) n)
      (when (match-re "^\\$[0-9][0-9,]*(\\.\\d\\d)?[!.,]*$" piece)
	(incf n)))
    (and (plusp n) (min n 3))))

(defrule spaced-out 2.0 (headers body)
  "v i a g r a, and the same with dots or stars."
  (match-re "\\bv[ .*_-]i[ .*_-]a[ .*_-]g[ .*_-]r[ .*_-]a\\b" body :case-fold t))

(defrule disguised 3.0 (headers body)
  (let ((plain (replace-re (replace-re (string-downcase body) "[0@]" "o") "1" "i")))
    (and (match-re "lottery|m[o]rtgage" plain)
	 (not (match-re "lottery|mortgage" (string-downcase body))))))

(defrule forged-sender 2.0 (headers body)
  "The sender's name is an address, but another."
  (re-let "\"?([^\"<>@ ]+)@([^\"<>@ ]+)\"?\\s*<([^@>]+)@([^>]+)>" (header "from" headers)
      ((host 2) (real-host 4))
    (not (string-equal host real-host))))

(defrule unsubscribe 1.0 (headers body)
  (match-re "click (here|below) to (unsubscribe|be removed)" body :case-fold t))

(defrule from-a-list -2 (headers body)
  (match-re "." (header "list-id" headers)))

(defun classify (subject)
  "What the subject is about, a keyword."
  (re-case subject
    ("^(?i)re:\\s*(.*)$" ((rest 1))
     (if (string= rest "") :empty-answer :answer))
    ("(?i)(win|won|winner)\\b.*\\$(\\d+)" ((amount 2))
     (if (> (parse-integer amount) 1000) :big-prize :small-prize))
    ("(?i)\\bfree\\b" () :offer)
    (t :other)))

(defun judge (uid letter)
  (multiple-value-bind (headers body) (parse-mail-header letter)
    (let ((v (make-verdict :uid uid :kind (classify (header "subject" headers)))))
      (dolist (rule *rules* v)
	(let ((hit (funcall (rule-test rule) headers body)))
	  (when hit
	    (incf (v-score v) (* (rule-score rule) (if (numberp hit) hit 1)))
	    (push (rule-name rule) (v-hits v)))))
      (setf (v-hits v) (nreverse (v-hits v)))
      v)))

(defun sort-mailbox-by-score (mb junk)
  "Judges all letters; moves the bad ones to the mailbox JUNK. Returns the verdicts, worst first."
  (let ((verdicts (loop for uid in (search-mailbox mb :undeleted :uid t)
		      collect (judge uid (fetch-field uid "body[]"
						      (fetch-parts mb uid "body.peek[]" :uid t)
						      :uid t)))))
    (setq verdicts (sort verdicts #'> :key #'v-score))
    (let ((bad (loop for v in verdicts
		   while (>= (v-score v) +threshold+)
		   collect (v-uid v))))
      (when bad
	(alter-flags mb bad :add-flags '(:junk) :uid t :silent t)
	(copy-to-mailbox mb bad junk :uid t)
	(delete-letter mb bad :uid t)))
    verdicts))

(defun letter (from subject body &rest headers)
  (format nil "From: ~a~%To: me@example.org~%Subject: ~a~%~{~a: ~a~%~}~%~a~%" from subject headers body))

(defparameter *samples*
    (list (letter "Jane <jane@example.org>" "Re: lunch" "At one? It was $12 last time.")
	  (letter "\"help@bank.example\" <x9@evil.example>" "YOUR ACCOUNT IS BLOCKED"
		  "Pay $1,000.00 or $500! Click here to unsubscribe.")
	  (letter "Lucky <lucky@example.com>" "You have won $5000" "The L0ttery! Cheap V.i.a.g.r.a, too.")
	  (letter "list@example.net" "Free software meeting" "Click below to be removed"
		  "List-Id" "<free.example.net>")
	  (letter "Al <al@example.org>" "Winner takes $10" "A mortgage, but no lottery.")))

(defun arg (n default) (or (nth n (command-line)) default))

(defun main (&aux (stamp (get-universal-time)) (ok t))
  (flet ((check (wanted got)
	   (unless (equalp wanted got)
	     (format t "wanted ~s, got ~s~%" wanted got)
	     (setq ok nil))))
    (let* ((mb (make-imap-connection (arg 0 "mail.example.org")
				     :user (arg 1 "myacct") :password (arg 2 "mypasswd")
				     :port (parse-integer (arg 3 "143"))))
	   (in (format nil "sorter~d" stamp))
	   (junk (format nil "sorter-junk~d" stamp)))
      (unwind-protect
	  (progn
	    (create-mailbox mb in)
	    (create-mailbox mb junk)
	    (dolist (sample *samples*)
	      (append-letter mb in sample))
	    (select-mailbox mb in)
	    (let ((verdicts (sort-mailbox-by-score mb junk)))
	      (dolist (v verdicts)
		(format t "~5,1f ~10a ~a~%" (v-score v) (string-downcase (symbol-name (v-kind v))) (or (v-hits v) "-")))
	      (check '(8.5 5.0 1.5 0 -1.0) (mapcar #'v-score verdicts))
	      (check '(:other :big-prize) (mapcar #'v-kind (subseq verdicts 0 2)))
	      (check '((shouting money forged-sender unsubscribe) (spaced-out disguised))
		     (mapcar #'v-hits (subseq verdicts 0 2)))
	      (check '(:offer) (remove-if-not #'(lambda (k) (eq k :offer)) (mapcar #'v-kind verdicts)))
	      (check :small-prize (v-kind (find :small-prize verdicts :key #'v-kind))))
	    (check 3 (mailbox-message-count mb))
	    (select-mailbox mb junk)
	    (check 2 (length (search-mailbox mb '(:keyword :junk))))
	    (check '("You have won $5000" "YOUR ACCOUNT IS BLOCKED")
		   (sort (mapcar #'(lambda (item)
				     (envelope-subject (fetch-field (car item) "envelope" (list item))))
				 (fetch-parts mb '(:seq 1 2) "envelope"))
			 #'string-lessp)))
	(select-mailbox mb "inbox")
	(dolist (box (list in junk))
	  (ignore-errors (delete-mailbox mb box)))
	(close-connection mb))))
  ok)

(if* (main)
   then (format t "ok~%")
   else (exit 1))
