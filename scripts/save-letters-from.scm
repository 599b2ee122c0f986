#!/usr/bin/env -S postoffice run
;;; Saves those letters of one sender that have attachments to a folder, one file per letter.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run save-letters-from.scm HOST USER SENDER FOLDER
;;;
;;; SENDER is part of the From field, such as an address. Files are named UIDVALIDITY-UID.eml, never
;;; by names from the letters.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run save-letters-from.scm HOST USER SENDER FOLDER~%")
  (exit 2))

;; Returns true if a body structure has a part with the disposition "attachment", at any depth.
(defun attachment? (structure)
  (cond ((stringp structure) (string-equal structure "attachment"))
        ((consp structure) (or (attachment? (car structure)) (attachment? (cdr structure))))
        (t nil)))

(let ((arguments (command-line)))
  (unless (= (length arguments) 4) (usage))
  (let ((folder (fourth arguments)) (saved 0))
    (with-imap-connection (mb (first arguments)
                           :user (second arguments)
                           :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
      (select-mailbox mb "inbox" :read-only t)
      (ensure-directories-exist (concatenate 'string folder "/"))
      (dolist (item (fetch-parts mb (search-mailbox mb `(:from ,(third arguments)) :uid t) "(uid bodystructure)" :uid t))
        (let ((uid (fetch-field (first item) "uid" (list item))))
          (when (attachment? (fetch-field (first item) "bodystructure" (list item)))
            (save-letter mb uid (format nil "~a/~a-~a.eml" folder (mailbox-uidvalidity mb) uid) :uid t)
            (incf saved)))))
    (format t "~a letters with attachments saved~%" saved)))
