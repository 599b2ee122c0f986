#!/usr/bin/env -S postoffice run
;;; Counts the unread letters of every mailbox and shows sender and subject of the five newest.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run unread-report.scm HOST USER
;;;   POSTOFFICE_PASSWORD=… postoffice watch unread-report.scm -- HOST USER --watch   reports after each new letter, too
;;;
;;; No letter is marked as read.

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

(defun report ()
  (with-account (mb 'me)
    (let ((total 0))
      (dolist (entry (mailbox-list mb))
        (unless (member :\\noselect (mailbox-list-flags entry))
          (incf total (report-mailbox mb (mailbox-list-name entry)))))
      (format t "~a unread in all~%" total))))

(destructuring-bind (&optional host user option) (command-line)
  (unless (and user (member option '(nil "--watch") :test #'equal))
    (format t "usage: POSTOFFICE_PASSWORD=… postoffice run unread-report.scm HOST USER [--watch]~%")
    (exit 2))
  (define-account me :host host :user user :password '(:env "POSTOFFICE_PASSWORD"))
  (report)
  (when option
    (watch (list (list 'me "inbox" 'unread-report (lambda (mb letters) (report)))) :batch 1000)))
