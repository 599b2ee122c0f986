#!/usr/bin/env -S postoffice run
;;; Answers unread letters from people with an "I am away" text, at most once per sender and run. It
;;; follows RFC 3834: it never answers lists, bounces, automatic replies or yourself. Each answer
;;; says that a program wrote it and has an empty return path, so nothing can answer it.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run auto-responder.scm IMAP-HOST USER SMTP-SERVER YOUR-ADDRESS TEXT-FILE [--send]
;;;
;;; Without --send it only prints whom it would answer. Answered letters get the flag \Answered.

(defun usage ()
  (format t "usage: POSTOFFICE_PASSWORD=… postoffice run auto-responder.scm IMAP-HOST USER SMTP-SERVER YOUR-ADDRESS TEXT-FILE [--send]~%")
  (exit 2))

(defun read-text (path)
  (with-open-file (in path)
    (let ((text ""))
      (do ((line (read-line in nil nil) (read-line in nil nil)))
          ((null line) text)
        (setq text (concatenate 'string text line (string #\newline)))))))

(defun header (name headers)
  (let ((found (assoc name headers :test equalp)))
    (if found (cdr found) nil)))

(defun one-line (text) (string-trim " " (substitute #\space #\newline text)))

(defun address-in (text)
  (let ((all (if text (extract-email-addresses text :compact t) '())))
    (if all (first all) nil)))

;; Returns true for addresses that only programs use (RFC 3834, section 2).
(defun program-name? (address)
  (let ((user (string-downcase (subseq address 0 (or (position #\@ address) (length address))))))
    (or (member user '("mailer-daemon" "postmaster" "noreply" "no-reply" "donotreply" "do-not-reply" "listserv" "majordomo" "root") :test equal)
        (equal 0 (search "owner-" user))
        (search "-request" user)
        (search "-bounce" user))))

;; Returns true if a person wrote the letter and addressed it to us.
(defun answerable? (headers ours)
  (let ((from (address-in (header "from" headers)))
        (submitted (header "auto-submitted" headers))
        (precedence (header "precedence" headers))
        (return-path (header "return-path" headers)))
    (and from
         (not (string-equal from ours))
         (not (program-name? from))
         (or (null submitted) (string-equal (one-line submitted) "no"))
         (not (and precedence (member (string-downcase (one-line precedence)) '("bulk" "list" "junk") :test equal)))
         (not (and return-path (equal (one-line return-path) "<>")))
         (not (some (lambda (field) (header field headers)) '("list-id" "list-unsubscribe" "list-post" "x-loop" "x-auto-response-suppress")))
         (some (lambda (address) (string-equal address ours))
               (extract-email-addresses (concatenate 'string (or (header "to" headers) "") ", " (or (header "cc" headers) "")) :compact t)))))

(defun answer (server headers ours text)
  (let* ((to (address-in (header "from" headers)))
         (id (header "message-id" headers))
         (subject (one-line (or (header "subject" headers) ""))))
    (send-letter server ours to text
                 :null-return-path t
                 :subject (concatenate 'string "Auto: " subject)
                 :headers (append '(("Auto-Submitted" . "auto-replied"))
                                  (if id (list (cons "In-Reply-To" (one-line id)) (cons "References" (one-line id))) '())))))

(let ((arguments (command-line)))
  (unless (>= (length arguments) 5) (usage))
  (let ((ours (fourth arguments)) (text (read-text (fifth arguments))) (send (member "--send" arguments :test equal)) (answered '()))
    (with-imap-connection (mb (first arguments)
                           :user (second arguments)
                           :password (or (getenv "POSTOFFICE_PASSWORD") (usage)))
      (select-mailbox mb "inbox" :read-only (not send))
      (for-each-letter
       (lambda (item)
         (let* ((number (first item))
                (headers (parse-mail-header (fetch-field number "body[header]" (list item))))
                (from (address-in (header "from" headers))))
           (when (and (answerable? headers ours) (not (member from answered :test string-equal)))
             (push from answered)
             (format t "~a ~a~%" (if send "answered" "would answer") from)
             (when send
               (answer (third arguments) headers ours text)
               (alter-flags mb (fetch-field number "uid" (list item)) :add-flags :\\answered :silent t :uid t)))))
       mb (search-mailbox mb '(and :unseen :unanswered :undeleted) :uid t) "(uid body.peek[header])" :uid t))
    (format t "~a answers~%" (length answered))))
