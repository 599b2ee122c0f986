#!/usr/bin/env -S postoffice watch
;;; Tells of each new letter of the inbox: prints sender and subject, or runs a program with them.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice watch notify.scm -- HOST USER [PROGRAM ARGUMENT …]
;;;   POSTOFFICE_PASSWORD=… postoffice watch notify.scm -- mail.example.org me notify-send --app-name=mail
;;;
;;; The program gets the sender and the subject as its last arguments; there is no shell. If it fails, the letter is
;;; tried again later. With --once before the script, letters since last time are told, and it ends.

(defun tell (program arguments letter)
  (let ((from (if (letter-from letter) (address->string (letter-from letter)) "(no sender)"))
        (subject (or (letter-subject letter) "(no subject)")))
    (if program
        (multiple-value-bind (output code error)
            (run-program program :arguments (append arguments (list from subject)) :timeout 60)
          (unless (eql code 0) (error "~a ended with ~a: ~a" program code error)))
        (format t "~a: ~a~%" from subject))))

(destructuring-bind (&optional host user program &rest arguments) (command-line)
  (unless user
    (format t "usage: POSTOFFICE_PASSWORD=… postoffice watch notify.scm -- HOST USER [PROGRAM ARGUMENT …]~%")
    (exit 2))
  (define-account me :host host :user user :password '(:env "POSTOFFICE_PASSWORD"))
  (watch (list (list 'me "inbox" 'notify
                     (lambda (mb letters) (do-letters (letter letters) (tell program arguments letter)))))))
