#!/usr/bin/env -S postoffice run
;;; Moves letters older than DAYS days from the inbox to archive/YEAR, by the year of their arrival.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run archive-by-age.scm HOST USER DAYS [--move]
;;;
;;; Without --move it only prints what it would do. Flagged letters stay in the inbox.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run archive-by-age.scm HOST USER DAYS [--move]~%")
  (exit 2))

;; Returns the year of "13-Sep-1999 11:36:26 -0700". A day of one digit has a blank before it.
(defun year-of (internal-date) (subseq internal-date 7 11))

;; Groups messages by year: ((year uid …) …). The UIDs of a year come in reverse order.
(defun by-year (mb uids)
  (let ((groups '()))
    (dolist (item (fetch-parts mb uids "(uid internaldate)" :uid t))
      (let* ((number (first item))
             (year (year-of (fetch-field number "internaldate" (list item))))
             (uid (fetch-field number "uid" (list item)))
             (group (assoc year groups :test equal)))
        (setq groups (cons (cons year (cons uid (if group (cdr group) '())))
                           (remove-if (lambda (other) (equal (car other) year)) groups)))))
    (reverse groups)))

(let* ((arguments (command-line))
       (days (if (>= (length arguments) 3) (parse-integer (third arguments)) (usage)))
       (move (member "--move" arguments :test equal)))
  (with-imap-connection (mb (first arguments)
                         :user (second arguments)
                         :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
    (select-mailbox mb "inbox" :read-only (not move))
    (let ((old (search-mailbox mb `(and (:older ,days) :unflagged :undeleted) :uid t)))
      (if (null old)
          (format t "nothing is older than ~a days~%" days)
          (dolist (group (by-year mb old))
            (let ((destination (concatenate 'string "archive" (or (mailbox-separator mb) "-") (car group))))
              (format t "~a ~a letters to ~a~%" (if move "moving" "would move") (length (cdr group)) destination)
              (when move
                (move-to-mailbox mb (reverse (cdr group)) destination :uid t :create t))))))))
