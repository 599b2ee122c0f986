#!/usr/bin/env -S postoffice watch
;;; Files new letters of the inbox by rules, which are below: edit them.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice watch filer.scm -- HOST USER
;;;   POSTOFFICE_PASSWORD=… postoffice watch --once filer.scm -- HOST USER
;;;
;;; The first run looks at all letters of the inbox, each later one at those that have arrived since. A letter
;;; that no rule takes stays.

(defun file-letters (mb letters)
  (let ((new `(:uid ,(letters-uids letters))))
    (with-rules (mb "inbox" :create t :log t)
      ((and ,new (:matches :list-id "<([^.>]+)")) (:move "lists/\\1"))
      ((and ,new (:matches :from "(?i)no-?reply@(?:[^>]*\\.)?([a-z0-9-]+)\\.(?:com?\\.|org\\.)?[a-z]+>?$")) (:flag :automatic) (:move "shops/\\1"))
      ((and ,new (:matches :subject "(?i)^\\[?spam\\b")) (:flag :\\seen) (:move "spam")))))

(destructuring-bind (&optional host user) (command-line)
  (unless user
    (format t "usage: POSTOFFICE_PASSWORD=… postoffice watch filer.scm -- HOST USER~%")
    (exit 2))
  (define-account me :host host :user user :password '(:env "POSTOFFICE_PASSWORD"))
  (watch (list (list 'me "inbox" 'filer #'file-letters :from :all)) :batch 1000))
