;;; error: 2:1 program-error not closed
(define (f x)
  (list x)

(f 1)
