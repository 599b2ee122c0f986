#!/usr/bin/env -S postoffice run
;;; Saves all attachments of one content type (image, image/png, application/pdf, …) from the inbox
;;; to a folder.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run save-attachments.scm HOST USER TYPE FOLDER
;;;
;;; File names from letters are made safe, and no file is overwritten. Nothing changes on the
;;; server.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run save-attachments.scm HOST USER TYPE FOLDER~%")
  (exit 2))

;; Returns true if a content type such as "image/png" is of type "image" or "image/png".
(defun of-type? (content-type type)
  (or (string-equal content-type type)
      (equal 0 (search (concatenate 'string (string-downcase type) "/") (string-downcase content-type)))))

(let ((arguments (command-line)))
  (unless (= (length arguments) 4) (usage))
  (let ((type (third arguments)) (folder (fourth arguments)) (saved 0))
    (ensure-directories-exist (concatenate 'string folder "/"))
    (with-imap-connection (mb (first arguments)
                           :user (second arguments)
                           :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
      (select-mailbox mb "inbox" :read-only t)
      (for-each-letter
       (lambda (item)
         (let ((letter (parse-letter (fetch-field (first item) "body[]" (list item)))))
           (dolist (attachment (letter-attachments letter))
             (when (of-type? (attachment-type attachment) type)
               (format t "~a~%" (save-attachment attachment folder))
               (incf saved)))))
       mb '(:seq 1 :*) "body.peek[]" :raw t))
    (format t "~a attachments saved~%" saved)))
