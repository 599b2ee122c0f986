#!/usr/bin/env -S postoffice run
;;; Adds the DMARC reports (RFC 7489) of a mailbox to a CSV file, a row for each source of letters. A
;;; letter that is done gets the flag "reported", so the next run adds only new ones.
;;;
;;;   POSTOFFICE_PASSWORD=… postoffice run dmarc-to-csv.scm HOST USER MAILBOX FILE.csv
;;;
;;; Reports are attachments packed by gzip or ZIP. A report that cannot be read is named, and skipped.

(defun report-texts (attachment)
  (let ((bytes (attachment-bytes attachment)) (type (attachment-type attachment)))
    (mapcar #'utf8->string
            (cond ((search "gzip" type) (list (gunzip bytes)))
                  ((search "zip" type) (mapcar #'cdr (unzip bytes)))))))

;; Returns what stands in the first element of that name, nil if there is none.
(defun element (name text) (second (regexp-match (format nil "<~a>\\s*([^<]*?)\\s*</~a>" name name) text)))

(defun report-rows (text)
  (let ((day (format-date "%Y-%m-%d" (+ 2208988800 (parse-integer (element "begin" text)))))
        (records (rest (split-re "<record>" text))))
    (mapcar (lambda (record)
              (cons day (cons (element "org_name" text)
                              (mapcar (lambda (name) (element name record))
                                      '("header_from" "source_ip" "count" "disposition" "dkim" "spf")))))
            records)))

(defun collect (host user mailbox file)
  (with-imap-connection (mb host :user user :password '(:env "POSTOFFICE_PASSWORD"))
    (select-mailbox mb mailbox)
    (do-letters (letter (select-letters mb '(and (:unkeyword :reported) :undeleted)))
      (dolist (attachment (letter-attachments letter))
        (handler-case
            (dolist (text (report-texts attachment))
              (write-csv (report-rows text) :file file :append t
                         :columns '("day" "reporter" "domain" "source" "letters" "disposition" "dkim" "spf")))
          (error (c) (format t "~a: cannot be read: ~a~%" (letter-subject letter) c))))
      (flag-letters letter :reported))))

(if (= (length (command-line)) 4)
    (apply #'collect (command-line))
    (progn (format t "usage: POSTOFFICE_PASSWORD=… postoffice run dmarc-to-csv.scm HOST USER MAILBOX FILE.csv~%") (exit 2)))
