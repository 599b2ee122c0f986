#!/usr/bin/env -S postoffice run
;;; Appends new letters from a POP server to an mbox file. A second file keeps the unique ids of
;;; fetched letters, so that the next run fetches only new ones. The letters stay on the server.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run pop-to-mbox.scm HOST USER MBOX ID-FILE
;;;
;;; Each id is written after its letter, so after an interrupted run at most one letter is fetched
;;; twice, and none is lost.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run pop-to-mbox.scm HOST USER MBOX ID-FILE~%")
  (exit 2))

(defun read-lines (path)
  (if (probe-file path)
      (with-open-file (in path)
        (let ((lines '()))
          (do ((line (read-line in nil nil) (read-line in nil nil)))
              ((null line) (reverse lines))
            (push line lines))))
      '()))

(defun append-line (path line)
  (with-open-file (out path :direction :output :if-exists :append :if-does-not-exist :create)
    (write-line line out)))

(let ((arguments (command-line)))
  (unless (= (length arguments) 4) (usage))
  (let* ((mbox (third arguments))
         (id-file (fourth arguments))
         (known (read-lines id-file))
         (fetched 0))
    (with-pop-connection (pb (first arguments)
                          :user (second arguments)
                          :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
      (dolist (entry (unique-id pb))
        (unless (member (second entry) known :test equal)
          (save-letter pb (first entry) mbox :append t :mbox t)
          (append-line id-file (second entry))
          (incf fetched))))
    (format t "~a new letters~%" fetched)))
