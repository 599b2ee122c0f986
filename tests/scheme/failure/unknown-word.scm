;;; error: 4:3 program-error did you mean `mapcar`?
(define list-of-names '("a" "b"))
(when list-of-names
  (mapcarr #'string-upcase list-of-names))
