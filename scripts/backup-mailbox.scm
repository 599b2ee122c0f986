#!/usr/bin/env -S postoffice run
;;; Saves every letter of a mailbox to a file of its own, FOLDER/UIDVALIDITY-UID.eml. A second run
;;; saves only new letters.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run backup-mailbox.scm HOST USER MAILBOX FOLDER
;;;
;;; The files hold the server's exact bytes. An interrupted run leaves only complete files, and the
;;; next run continues.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run backup-mailbox.scm HOST USER MAILBOX FOLDER~%")
  (exit 2))

(let ((arguments (command-line)))
  (unless (= (length arguments) 4) (usage))
  (let ((folder (fourth arguments)))
    (with-imap-connection (mb (first arguments)
                           :user (second arguments)
                           :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
      (select-mailbox mb (third arguments) :read-only t)
      (ensure-directories-exist (concatenate 'string folder "/"))
      (let* ((prefix (format nil "~a-" (mailbox-uidvalidity mb)))
             (uids (search-mailbox mb :all :uid t))
             (new (remove-if (lambda (uid) (probe-file (format nil "~a/~a~a.eml" folder prefix uid))) uids))
             (saved (save-letters mb new folder :uid t :prefix prefix)))
        (format t "~a letters saved, ~a were there already~%" (length saved) (- (length uids) (length new)))))))
