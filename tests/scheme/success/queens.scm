;; Eight queens: recursion, lists, predicates.
(define (safe? queen distance placed)
  (or (null? placed)
      (and (not (= (car placed) queen))
           (not (= (abs (- (car placed) queen)) distance))
           (safe? queen (+ distance 1) (cdr placed)))))

(define (queens size)
  (labels ((place (row placed)
             (if (= row size)
                 1
                 (loop for column from 1 to size
                       when (safe? column 1 placed)
                       sum (place (+ row 1) (cons column placed))))))
    (place 0 '())))

(check (queens 6) 4)
