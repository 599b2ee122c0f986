#!/usr/bin/env -S postoffice run
;;; Files letters from mailing lists: moves them from the inbox to lists/NAME, where NAME is the first
;;; word of the list's List-Id.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run file-lists.scm HOST USER [--move]
;;;
;;; Without --move it only prints what it would do.

(defun file-lists (host user &optional option)
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (let ((move (equal option "--move")) (separator (or (mailbox-separator mb) "-")))
      (select-mailbox mb "inbox" :read-only (not move))
      (dolist (group (group-letters (select-letters mb '(and :undeleted (:header "List-Id" ""))) :by :list-id))
        (when (car group)
          ;; A name from a letter becomes one level of a mailbox's name, whatever it contains.
          (let* ((name (or (first (regexp-match "[\\w-]+" (car group))) "other"))
                 (box (format nil "lists~a~a" separator name)))
            (format t "~a ~a letters to ~a~%" (if move "moving" "would move") (letters-count (cdr group)) box)
            (when move (move-letters (cdr group) :to box :create t))))))))

(if (<= 2 (length (command-line)) 3)
    (apply #'file-lists (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run file-lists.scm HOST USER [--move]~%") (exit 2)))
