#!/usr/bin/env -S postoffice run
;;; Saves every letter of a mailbox to a file of its own, FOLDER/UIDVALIDITY-UID.eml. A second run
;;; saves only new letters.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run backup-mailbox.scm HOST USER MAILBOX FOLDER
;;;
;;; The files hold the server's exact bytes. An interrupted run leaves only complete files, and the
;;; next run continues.

(defun backup (host user mailbox folder)
  (ensure-directories-exist (format nil "~a/" folder))
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (select-mailbox mb mailbox :read-only t)
    (let* ((prefix (format nil "~a-" (mailbox-uidvalidity mb)))
           (all (letters->list (select-letters mb :all)))
           (new (remove-if (lambda (letter) (probe-file (format nil "~a/~a~a.eml" folder prefix (letter-uid letter)))) all)))
      (format t "~a letters saved, ~a were there already~%"
              (save-letters new folder :prefix prefix) (- (length all) (length new))))))

(if (= (length (command-line)) 4)
    (apply #'backup (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run backup-mailbox.scm HOST USER MAILBOX FOLDER~%") (exit 2)))
