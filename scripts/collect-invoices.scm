#!/usr/bin/env -S postoffice run
;;; Saves the PDF files of invoices to FOLDER/YEAR-MONTH, by the date of the letter. An invoice is a
;;; letter with WORD, "invoice" by default, in its subject. A letter that is done gets the flag
;;; "collected", so the next run saves only new ones.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run collect-invoices.scm HOST USER FOLDER [WORD]
;;;
;;; File names from letters are made safe, and no file is overwritten.

(defun collect (host user folder &optional (word "invoice"))
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (select-mailbox mb "inbox")
    (do-letters (letter (select-letters mb `(and (:subject ,word) (:unkeyword :collected) :undeleted)))
      (let ((month (format nil "~a/~a/" folder (format-date "%Y-%m" (letter-date letter)))))
        (dolist (attachment (letter-attachments letter))
          (when (match-re "\\.pdf$" (or (attachment-name attachment) "") :case-fold t)
            (ensure-directories-exist month)
            (format t "~a~%" (save-attachment attachment month))))
        (flag-letters letter :collected)))))

(if (<= 3 (length (command-line)) 4)
    (apply #'collect (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run collect-invoices.scm HOST USER FOLDER [WORD]~%") (exit 2)))
