#!/usr/bin/env -S postoffice run
;;; Appends new letters from a POP server to an mbox file. A second file keeps the unique ids of
;;; fetched letters, so that the next run fetches only new ones. The letters stay on the server.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run pop-to-mbox.scm HOST USER MBOX ID-FILE
;;;
;;; Each id is written after its letter, so after an interrupted run at most one letter is fetched
;;; twice, and none is lost.

(defun fetch-new (host user mbox id-file)
  (let ((known (when (probe-file id-file) (with-open-file (in id-file) (split-re "\n" (read-string in)))))
        (fetched 0))
    (with-pop-connection (pb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
      (dolist (entry (unique-id pb))
        (unless (member (second entry) known :test equal)
          (save-letter pb (first entry) mbox :append t :mbox t)
          (with-open-file (out id-file :direction :output :if-exists :append :if-does-not-exist :create)
            (write-line (second entry) out))
          (incf fetched))))
    (format t "~a new letters~%" fetched)))

(if (= (length (command-line)) 4)
    (apply #'fetch-new (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run pop-to-mbox.scm HOST USER MBOX ID-FILE~%") (exit 2)))
