;;; Classes of conditions: `define-condition`, `make-condition`, and the designators of conditions
;;; that `error`, `signal`, `warn` and `cerror` take; see occurrence.rs.

;; What scripts define: lists of the name, the slots' initial forms, the report and the default keys.
(define %condition-definitions nil)

(define (%define-condition name parents slots initforms report defaults)
  (%define-condition-class name parents slots)
  (set! %condition-definitions
        (cons (list name initforms report defaults)
              (%without-definition name %condition-definitions)))
  name)

(define (%without-definition name definitions)
  (cond ((null? definitions) '())
        ((eq? (car (car definitions)) name) (cdr definitions))
        (else (cons (car definitions) (%without-definition name (cdr definitions))))))

(define (%definition-of name)
  (let next ((rest %condition-definitions))
    (cond ((null? rest) nil)
          ((eq? (car (car rest)) name) (car rest))
          (else (next (cdr rest))))))

(define (make-condition class . keys-and-values) (%make "make-condition" class keys-and-values))

(define (%make function class keys-and-values)
  (let* ((condition (%new-condition function class keys-and-values))
         (definitions (%definitions-of (%condition-line condition))))
    (%fill-defaults function condition keys-and-values definitions)
    (%fill-slots condition definitions)
    (%settle-condition condition)
    (%tell condition definitions)
    condition))

(define (%definitions-of line)
  (if (null? line)
      '()
      (let ((definition (%definition-of (car line))) (rest (%definitions-of (cdr line))))
        (if definition (cons definition rest) rest))))

;; The keys of the most specific class count first; a key that was given counts before them.
(define (%fill-defaults function condition given definitions)
  (unless (null? definitions)
    (let ((thunk (fourth (car definitions))))
      (let next ((rest (if thunk (thunk) '())) (given given))
        (if (null? rest)
            (%fill-defaults function condition given (cdr definitions))
            (begin
              (unless (%find-key (car rest) given) (%set-by-key condition (car rest) (cadr rest)))
              (next (cddr rest) (cons (car rest) (cons nil given)))))))))

(define (%fill-slots condition definitions)
  (for-each (lambda (definition)
              (for-each (lambda (slot)
                          (when (%slot-missing? condition (car slot))
                            (%set-condition-slot condition (car slot) ((cdr slot)) 'make-condition)))
                        (second definition)))
            definitions))

(define (%tell condition definitions)
  (unless (null? definitions)
    (let ((report (third (car definitions))))
      (if report
          (let ((text (if (string? report) report (%told report condition))))
            (when text (%set-message condition text)))
          (%tell condition (cdr definitions))))))

;; What a report prints; nil if it fails. The handlers of the program do not see that it failed.
(define (%told report condition)
  (let* ((saved %handlers)
         (text (%on-error (lambda ()
                            (set! %handlers nil)
                            (let ((port (%string-port))) (report condition port) (%string-port-text port)))
                          (lambda (flight) (if (eq? (first flight) 'condition) nil (%launch flight))))))
    (set! %handlers saved)
    text))

;; A condition, a class with keys, or a text with arguments, as ANSI 9.1.2.1 has it.
(define (%designated function kind text arguments)
  (cond ((or (not (symbol? text)) (null? text) (keyword? text)) (%make-condition kind text arguments))
        ((%condition-class? text) (%make function text arguments))
        ((and (pair? arguments) (keyword? (car arguments)))
         (%fail "~a: there is no condition class ~a" function text))
        (else (%make-condition kind text arguments))))

(define (error text . irritants) (%raise (%designated "error" 'error text irritants)))
(define (signal text . irritants) (%signal (%designated "signal" 'signal text irritants)))
(define (warn text . irritants)
  (let ((condition (%designated "warn" 'warning text irritants)))
    (if (%warning? condition)
        (%warn condition)
        (%fail "warn: expected a warning, got ~s" condition))))

;; Raises an error of a class of the language.
(define (%error class text . irritants) (%raise (%error-of class text irritants)))

;; --- assertions ----------------------------------------------------------------------------------

(define-syntax assert
  (syntax-rules ()
    ((_ test) (%assert (lambda () test) (lambda () (%make-condition 'error "assertion failed: ~s" (list 'test)))))
    ((_ test places) (assert test))
    ((_ test places text argument ...)
     (%assert (lambda () test) (lambda () (%designated "assert" 'error text (list argument ...)))))))

;; `continue` tests again; a handler may have set the places that the test reads.
(define (%assert test failure)
  (unless (test)
    (let ((condition (failure)))
      (%restart-case (lambda () (%raise condition))
                     (list (%make-restart 'continue "Test the assertion again." nil nil (lambda () (%assert test failure)))))))
  nil)

(define (%wrong-type value place type text)
  (%error-of 'type-error "check-type: ~s: expected ~a, got ~s"
             (list place (or text (format nil "a value of type ~s" type)) value)
             'datum value 'expected-type type))
(define (%store-instead value place type text)
  (let ((condition (%wrong-type value place type text)))
    (%restart-case (lambda () (%raise condition))
                   (list (%make-restart 'store-value "Store another value." %ask-value nil (lambda (value) value))))))
