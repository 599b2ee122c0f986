#!/usr/bin/env -S postoffice run
;;; Counts the unread letters of every mailbox and shows sender and subject of the five newest. No letter is marked
;;; as read. With --watch it goes on, and reports again when letters come into the inbox.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run unread-report.scm HOST USER
;;;   POSTOFFICE_PASSWORD=… postoffice watch unread-report.scm -- HOST USER --watch

(defun report-mailbox (mb name)
  (select-mailbox mb name :read-only t)
  (let ((unread (letters->list (select-letters mb '(and :unseen :undeleted)))))
    (when unread (format t "~a: ~a unread of ~a~%" name (length unread) (mailbox-message-count mb)))
    (do-letters (letter (letters-union (last unread 5))) ; a set of its own: only these are asked for
      (format t "  ~a: ~a~%"
              (if (letter-from letter) (address->string (letter-from letter)) "(no sender)")
              (or (letter-subject letter) "(no subject)")))
    (length unread)))

(defun report (&rest ignored)
  (with-account (mb 'me)
    (format t "~a unread in all~%"
            (loop for entry in (mailbox-list mb)
                  unless (member :\\noselect (mailbox-list-flags entry))
                    sum (report-mailbox mb (mailbox-list-name entry))))))

(destructuring-bind (&optional host user option) (command-line)
  (unless (and user (member option '(nil "--watch") :test #'equal))
    (format t "usage: postoffice run unread-report.scm HOST USER [--watch]~%") (exit 2))
  (define-account me :host host :user user :password '(:env "POSTOFFICE_PASSWORD"))
  (report)
  (when option (watch (list (list 'me "inbox" 'unread-report #'report)) :batch 1000)))
