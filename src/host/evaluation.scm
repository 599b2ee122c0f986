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
          (errorp (%error 'end-of-file "read-from-string: the string has ended"))
          (else (values end (length string))))))

;; --- globals by their names ----------------------------------------------------------------------

(define (%name function symbol)
  (if (and (symbolp symbol) symbol (not (keywordp symbol)) (not (eq symbol t)))
      symbol
      (%fail "~a: expected the name of a variable, got ~s" function symbol)))
(define (%constant-name? symbol) (and (symbolp symbol) (or (not symbol) (keywordp symbol) (eq symbol t))))
(define (symbol-value symbol)
  (if (%constant-name? symbol) symbol (eval (%name "symbol-value" symbol))))
(define (set symbol value) (eval (list 'setq (%name "set" symbol) (list 'quote value))))
(define (boundp symbol)
  (if (%constant-name? symbol) t (eval (list '%name-bound? (%name "boundp" symbol)))))
(define (makunbound symbol) (eval (list '%unbind-name (%name "makunbound" symbol))) symbol)
(define (fboundp symbol)
  (if (%constant-name? symbol) nil (eval (list '%name-called? (%name "fboundp" symbol)))))
(define (symbol-function symbol)
  (if (fboundp (%name "symbol-function" symbol))
      (eval (list 'function symbol))
      (%raise (%error-of 'undefined-function "the function ~a is not defined" (list symbol) 'name symbol))))
(define fdefinition symbol-function)

(define-syntax progv
  (syntax-rules ()
    ((_ symbols values form ...) (%progv symbols values (lambda () nil form ...)))))
(define (%progv symbols values thunk)
  (let ((old (%map-one (lambda (symbol) (if (boundp symbol) (list (symbol-value symbol)) nil)) symbols)))
    (%protect (lambda ()
                (let next ((symbols symbols) (values values))
                  (when (pair? symbols)
                    (if (pair? values) (set (car symbols) (car values)) (makunbound (car symbols)))
                    (next (cdr symbols) (if (pair? values) (cdr values) nil))))
                (thunk))
              (lambda ()
                (%map-all (lambda (symbol value) (if value (set symbol (car value)) (makunbound symbol)))
                          (list symbols old))))))
