#!/usr/bin/env -S postoffice run
;;; Counts the unread letters of every mailbox and shows sender and subject of the five newest.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run unread-report.scm HOST USER
;;;
;;; Nothing changes on the server: mailboxes are opened read-only.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run unread-report.scm HOST USER~%")
  (exit 2))

(defun sender (envelope)
  (let ((from (envelope-from envelope)))
    (if from (address->string (first from)) "(no sender)")))

(defun report-mailbox (mb name)
  (select-mailbox mb name :read-only t)
  (let ((unread (search-mailbox mb '(and :unseen :undeleted))))
    (when unread
      (format t "~a: ~a unread of ~a~%" name (length unread) (mailbox-message-count mb))
      (dolist (item (fetch-parts mb (last unread 5) "envelope"))
        (let ((envelope (fetch-field (first item) "envelope" (list item))))
          (format t "  ~a: ~a~%" (sender envelope) (or (envelope-subject envelope) "(no subject)")))))
    (length unread)))

(let ((arguments (command-line)))
  (unless (= (length arguments) 2) (usage))
  (with-imap-connection (mb (first arguments)
                         :user (second arguments)
                         :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
    (let ((total 0))
      (dolist (entry (mailbox-list mb))
        (unless (member :\\noselect (mailbox-list-flags entry))
          (incf total (report-mailbox mb (mailbox-list-name entry)))))
      (format t "~a unread in all~%" total))))
