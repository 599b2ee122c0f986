#!/usr/bin/env -S postoffice run
;;; Saves those letters of one sender that have attachments to a folder, one file per letter.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run save-letters-from.scm HOST USER SENDER FOLDER
;;;
;;; SENDER is part of the From field, such as an address. Files are named UIDVALIDITY-UID.eml, never
;;; by names from the letters.

;; Returns true if a body structure has a part with the disposition "attachment", at any depth.
(defun attachment? (structure)
  (if (consp structure)
      (or (attachment? (car structure)) (attachment? (cdr structure)))
      (and (stringp structure) (string-equal structure "attachment"))))

(defun save (host user sender folder)
  (ensure-directories-exist (format nil "~a/" folder))
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (select-mailbox mb "inbox" :read-only t)
    (let* ((found (fetch-parts mb (search-mailbox mb `(:from ,sender) :uid t) "(uid bodystructure)" :uid t))
           (with-attachments (remove-if-not (lambda (item) (attachment? (fetch-field (first item) "bodystructure" (list item)))) found))
           (uids (mapcar (lambda (item) (fetch-field (first item) "uid" (list item))) with-attachments))
           (saved (save-letters mb uids folder :uid t :prefix (format nil "~a-" (mailbox-uidvalidity mb)))))
      (format t "~a letters with attachments saved~%" (length saved)))))

(if (= (length (command-line)) 4)
    (apply #'save (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run save-letters-from.scm HOST USER SENDER FOLDER~%") (exit 2)))
