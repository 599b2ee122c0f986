#!/usr/bin/env -S postoffice run
;;; Saves all attachments of one content type (image, image/png, application/pdf, …) from the inbox
;;; to a folder.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run save-attachments.scm HOST USER TYPE FOLDER
;;;
;;; File names from letters are made safe, and no file is overwritten. Nothing changes on the
;;; server.

(defun save (host user type folder)
  (ensure-directories-exist (format nil "~a/" folder))
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (select-mailbox mb "inbox" :read-only t)
    (let ((of-type (format nil "^~a(/|$)" (quote-re type))) (saved 0))
      (do-letters (letter (select-letters mb :all))
        (dolist (attachment (letter-attachments letter))
          (when (match-re of-type (attachment-type attachment) :case-fold t)
            (format t "~a~%" (save-attachment attachment folder))
            (incf saved))))
      (format t "~a attachments saved~%" saved))))

(if (= (length (command-line)) 4)
    (apply #'save (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run save-attachments.scm HOST USER TYPE FOLDER~%") (exit 2)))
