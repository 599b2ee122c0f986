;; Counters that share nothing.
(define (make-counter)
  (let ((count 0))
    (lambda () (set! count (+ count 1)) count)))

(define one (make-counter))
(define two (make-counter))
(one)
(one)
(check (list (one) (two)) '(3 1))

;; Every iteration has a fresh loop variable.
(define thunks '())
(dotimes (i 3) (push (lambda () i) thunks))
(check (mapcar #'funcall thunks) '(2 1 0))
