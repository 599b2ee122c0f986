#!/usr/bin/env -S postoffice run
;;; Moves letters older than DAYS days from the inbox to archive/YEAR, by the year of their arrival.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run archive-by-age.scm HOST USER DAYS [--move]
;;;
;;; Without --move it only prints what it would do. Flagged letters stay in the inbox.

(defun archive (host user days &optional option)
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (let ((move (equal option "--move")))
      (select-mailbox mb "inbox" :read-only (not move))
      (let ((old (select-letters mb `(and (:older ,(parse-integer days)) :unflagged :undeleted))))
        (when (= (letters-count old) 0) (format t "nothing is older than ~a days~%" days))
        (dolist (group (group-letters old :by (lambda (letter) (date-year (letter-arrived letter)))))
          (let ((box (format nil "archive~a~a" (or (mailbox-separator mb) "-") (car group))))
            (format t "~a ~a letters to ~a~%" (if move "moving" "would move") (letters-count (cdr group)) box)
            (when move (move-letters (cdr group) :to box :create t))))))))

(if (<= 3 (length (command-line)) 4)
    (apply #'archive (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run archive-by-age.scm HOST USER DAYS [--move]~%") (exit 2)))
