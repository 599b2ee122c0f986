#!/usr/bin/env -S postoffice run
;;; Shows who fills a mailbox, when, and with what sizes; with FILE.html it also writes an HTML
;;; page.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run mailbox-report.scm HOST USER [MAILBOX [FILE.html]]
;;;
;;; MAILBOX is the inbox by default. Nothing changes on the server: the mailbox is opened read-only.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run mailbox-report.scm HOST USER [MAILBOX [FILE.html]]~%")
  (exit 2))

(let* ((arguments (command-line))
       (count (length arguments)))
  (unless (and (>= count 2) (<= count 4)) (usage))
  (with-imap-connection (mb (first arguments)
                         :user (second arguments)
                         :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
    (select-mailbox mb (or (third arguments) "inbox") :read-only t)
    (mailbox-report mb :html (fourth arguments))))
