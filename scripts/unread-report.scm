#!/usr/bin/env -S postoffice run
;;; Counts the unread letters of every mailbox and shows sender and subject of the five newest.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run unread-report.scm HOST USER
;;;
;;; Nothing changes on the server: mailboxes are opened read-only.

(defun report-mailbox (mb name)
  (select-mailbox mb name :read-only t)
  (let ((unread (letters->list (select-letters mb '(and :unseen :undeleted)))))
    (when unread
      (format t "~a: ~a unread of ~a~%" name (length unread) (mailbox-message-count mb))
      ;; A set of its own, so that only these five are asked for.
      (do-letters (letter (letters-union (last unread 5)))
        (format t "  ~a: ~a~%"
                (if (letter-from letter) (address->string (letter-from letter)) "(no sender)")
                (or (letter-subject letter) "(no subject)"))))
    (length unread)))

(defun report (host user)
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (let ((total 0))
      (dolist (entry (mailbox-list mb))
        (unless (member :\\noselect (mailbox-list-flags entry))
          (incf total (report-mailbox mb (mailbox-list-name entry)))))
      (format t "~a unread in all~%" total))))

(if (= (length (command-line)) 2)
    (apply #'report (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run unread-report.scm HOST USER~%") (exit 2)))
