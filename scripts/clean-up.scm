#!/usr/bin/env -S postoffice run
;;; Removes letters that are older than DAYS days and larger than KB kilobytes from a mailbox. Flagged
;;; letters stay.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run clean-up.scm HOST USER MAILBOX DAYS KB [--delete]
;;;
;;; Without --delete it only prints the letters.

(defun clean-up (host user mailbox days kb &optional option)
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (let ((delete (equal option "--delete")))
      (select-mailbox mb mailbox :read-only (not delete))
      (let* ((old (select-letters mb `(and (:older ,(parse-integer days)) (:larger ,(* 1000 (parse-integer kb))) :unflagged)))
             (bytes (reduce #'+ (remove nil (map-letters #'letter-size old)))))
        (print-letters old)
        (format t "~a ~a letters, ~a kB~%" (if delete "removing" "would remove") (letters-count old) (round bytes 1000))
        (when delete (delete-letters old))))))

(if (<= 5 (length (command-line)) 6)
    (apply #'clean-up (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run clean-up.scm HOST USER MAILBOX DAYS KB [--delete]~%") (exit 2)))
