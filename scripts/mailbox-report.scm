#!/usr/bin/env -S postoffice run
;;; Shows who fills a mailbox, when, and with what sizes; with FILE.html it also writes an HTML
;;; page.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run mailbox-report.scm HOST USER [MAILBOX [FILE.html]]
;;;
;;; MAILBOX is the inbox by default. Nothing changes on the server: the mailbox is opened read-only.

(defun report (host user &optional (mailbox "inbox") file)
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (select-mailbox mb mailbox :read-only t)
    (mailbox-report mb :html file)))

(if (<= 2 (length (command-line)) 4)
    (apply #'report (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run mailbox-report.scm HOST USER [MAILBOX [FILE.html]]~%") (exit 2)))
