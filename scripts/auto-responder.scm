#!/usr/bin/env -S postoffice run
;;; Answers unread letters from people with an "I am away" text, each sender once a week. It follows RFC
;;; 3834: it never answers lists, bounces, automatic replies or yourself. Each answer says that a
;;; program wrote it and has an empty return path, so nothing can answer it.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run auto-responder.scm IMAP-HOST USER SMTP-SERVER YOUR-ADDRESS TEXT-FILE [--send]
;;;   POSTOFFICE_PASSWORD=… postoffice watch auto-responder.scm -- IMAP-HOST … TEXT-FILE --watch
;;;
;;; Without --send it only prints whom it would answer. With --watch it answers each new letter as it comes.
;;; Answered letters get the flag \Answered, before the answer is sent: nobody gets two.

;; Addresses that only programs use (RFC 3834, section 2).
(defvar programs "^(mailer-daemon|postmaster|no-?reply|do-?not-?reply|listserv|majordomo|root)@|^owner-|-request.*@|-bounce.*@")

;; Returns true if a person wrote the letter and addressed it to us.
(defun answerable? (letter ours)
  (let ((from (address-email (letter-from letter))))
    (flet ((says (field regexp) (let ((text (letter-header letter field))) (and text (match-re regexp text :case-fold t)))))
      (and from
           (not (string-equal from ours))
           (not (member :\\answered (letter-flags letter)))
           (not (match-re programs from :case-fold t))
           (or (says "auto-submitted" "^no$") (not (letter-header letter "auto-submitted")))
           (not (says "precedence" "^(bulk|list|junk)$"))
           (not (says "return-path" "^<>$"))
           (notany (lambda (field) (letter-header letter field)) '("list-id" "list-unsubscribe" "list-post" "x-loop" "x-auto-response-suppress"))
           (member ours (mapcar #'address-email (append (letter-to letter) (letter-cc letter))) :test #'string-equal)))))

(defun answer (server letter ours text)
  (let ((id (letter-message-id letter)))
    (flag-letters letter :\\answered)
    (handler-case
        (send-letter server ours (address-email (letter-from letter)) text
                     :null-return-path t
                     :subject (format nil "Auto: ~a" (or (letter-subject letter) ""))
                     :headers (cons '("Auto-Submitted" . "auto-replied")
                                    (when id (list (cons "In-Reply-To" id) (cons "References" id)))))
      (error (c) (unflag-letters letter :\\answered) (error c)))))

;; Whether a letter of this sender was answered within a week.
(defun answered-lately? (mb from)
  (> (letters-count (select-letters mb `(and :answered (:from ,from) (:younger 7)))) 0))

(defun answer-all (mb letters server ours file send)
  (let ((text (with-open-file (in file) (read-string in))) (answered '()))
    (do-letters (letter letters)
      (let ((from (address-email (letter-from letter))))
        (when (and (answerable? letter ours)
                   (not (member from answered :test #'string-equal))
                   (not (answered-lately? mb from)))
          (when send (answer server letter ours text))
          (push from answered)
          (format t "~a ~a~%" (if send "answered" "would answer") from))))
    (length answered)))

(destructuring-bind (&optional host user server ours file (option "")) (command-line)
  (unless (and file (member option '("" "--send" "--watch") :test #'string=))
    (format t "usage: POSTOFFICE_PASSWORD=… postoffice run auto-responder.scm IMAP-HOST USER SMTP-SERVER YOUR-ADDRESS TEXT-FILE [--send | --watch]~%")
    (exit 2))
  (define-account me :host host :user user :password '(:env "POSTOFFICE_PASSWORD"))
  (if (string= option "--watch")
      (watch (list (list 'me "inbox" 'auto-responder (lambda (mb letters) (answer-all mb letters server ours file t)))))
      (with-account (mb 'me)
        (let ((send (string= option "--send")))
          (select-mailbox mb "inbox" :read-only (not send))
          (format t "~a answers~%" (answer-all mb (select-letters mb '(and :unseen :unanswered :undeleted)) server ours file send))))))
