;;; error: 5:6 program-error car: expected a list
;; The place is the form that failed, not the one that called.
(define (total entries)
  (reduce #'+ (mapcar (lambda (entry)
     (car entry)) entries)))

(total '((1) 2))
