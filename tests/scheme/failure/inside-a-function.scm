;;; error: 5:6 program-error car: expected a list
;; The error's place is the form that failed, not its caller.
(define (total entries)
  (reduce #'+ (mapcar (lambda (entry)
     (car entry)) entries)))

(total '((1) 2))
