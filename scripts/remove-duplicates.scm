#!/usr/bin/env -S postoffice run
;;; Removes all but the first of the letters of a mailbox that have the same Message-ID. Letters
;;; without one stay.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run remove-duplicates.scm HOST USER MAILBOX [--dry-run]
;;;
;;; With --dry-run it only prints the letters that it would remove.

(defun remove-duplicates-of (host user mailbox &optional option)
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (let ((dry-run (equal option "--dry-run")))
      (select-mailbox mb mailbox :read-only dry-run)
      (let* ((groups (group-letters (select-letters mb :undeleted) :by #'letter-message-id))
             (extra (mapcan (lambda (group) (when (car group) (rest (letters->list (cdr group))))) groups)))
        (print-letters extra)
        (unless dry-run (delete-letters extra))
        (format t "~a ~a letters~%" (if dry-run "would remove" "removed") (length extra))))))

(if (or (= (length (command-line)) 3) (equal (nthcdr 3 (command-line)) '("--dry-run")))
    (apply #'remove-duplicates-of (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run remove-duplicates.scm HOST USER MAILBOX [--dry-run]~%") (exit 2)))
