;; A script in the style of the manual.
(in-package :user)
(defvar *seen* nil)
(defun summarize (entries &key (limit 2))
  "The first entries, as strings."
  (let ((result nil))
    (dolist (entry entries (reverse result))
      (when (>= (length result) limit) (return (reverse result)))
      (destructuring-bind (number name) entry
        (push number *seen*)
        (push (format nil "~3d ~a" number name) result)))))

(check (summarize '((1 "inbox") (12 "sent") (3 "x"))) '("  1 inbox" " 12 sent"))
(check *seen* '(12 1))
(check (let ((mb (find "SENT" '((:a "inbox") (:b "sent")) :key #'second :test #'string-equal))) (first mb)) :b)
(check (handler-case (error "no ~a" :mail) (error (c) (po-condition-message c))) "no mail")
