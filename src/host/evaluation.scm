;;; Reading data and evaluating forms; see evaluation.rs.

(define (eval form &optional environment)
  (cond ((and (pair? form) (eq? (car form) 'quote) (pair? (cdr form)) (null? (cddr form))) (cadr form))
        ((or (pair? form) (symbol? form)) (%evaluate (%evaluation form)))
        (else form)))

(define (%evaluate evaluation)
  (let next ((value nil))
    (let ((step (%evaluation-step evaluation)))
      (if (null? step)
          value
          (let ((what (second step)) (arguments (third step)))
            (case (first step)
              ((define) (%run-text what) (next value))
              ((fetch) (%evaluation-compiled evaluation (%run-text what)) (next value))
              ((expand) (%evaluation-expanded evaluation (apply (what) arguments)) (next value))
              ((compile) (next (apply (%evaluation-compiled evaluation (%run-text what)) arguments)))
              (else (next (apply what arguments)))))))))

(define (read &optional (port nil) (errorp nil given) (end (if given nil (eof-object))) recursive)
  (%at-end "read" (%read port) errorp end))

(define (read-from-string string &optional (errorp t) end &key (start 0) ((:end last) nil) (preserve-whitespace nil))
  (let ((found (%read-from-string string start last preserve-whitespace)))
    (cond (found (apply values found))
          (errorp (error "read-from-string: the string has ended"))
          (else (values end (length string))))))
