;;; Common Lisp's restarts: named ways to go on after a condition, offered by the code that signals
;;; it and chosen by a handler, which runs before the stack unwinds.
;;;
;;; `%restarts` holds those of the dynamic extent, innermost first. Whoever catches a flight sets it
;;; back, as it does `%handlers`. To invoke a restart of `restart-case` is a jump to it; a restart
;;; of `restart-bind` is a plain call.

(define %restarts nil)

(define (%restart-case thunk restarts)
  (let ((saved %restarts) (tag (%tag)))
    (let ((outcome (%catch tag
                           (lambda ()
                             (set! %restarts (%in-front-of saved (map (lambda (restart) (%restart-at restart tag)) restarts)))
                             (cons nil (%values-of thunk))))))
      (set! %restarts saved)
      (if (car outcome)
          (apply (%restart-function (car outcome)) (cdr outcome))
          (%values-from (cdr outcome))))))

;; Copies the short list only; nested forms would take quadratic memory.
(define (%in-front-of rest restarts)
  (if (null? restarts) rest (cons (car restarts) (%in-front-of rest (cdr restarts)))))

(define (%restart-bind restarts thunk)
  (let ((saved %restarts))
    (set! %restarts (%in-front-of saved restarts))
    (let ((values (%values-of thunk)))
      (set! %restarts saved)
      (%values-from values))))

(define-syntax restart-case
  (syntax-rules ()
    ((_ form clause ...) (%restart-clauses form () clause ...))))

(define-syntax %restart-clauses
  (syntax-rules ()
    ((_ form (made ...)) (%restart-case (lambda () form) (list made ...)))
    ((_ form (made ...) (name parameters . body) clause ...)
     (%restart-clauses form (made ... (%restart-clause name parameters nil nil nil . body)) clause ...))))

(define-syntax %restart-clause
  (syntax-rules (:report :interactive :test)
    ((_ name parameters report interactive test :report new . body)
     (%restart-clause name parameters new interactive test . body))
    ((_ name parameters report interactive test :interactive new . body)
     (%restart-clause name parameters report new test . body))
    ((_ name parameters report interactive test :test new . body)
     (%restart-clause name parameters report interactive new . body))
    ((_ name parameters report interactive test . body)
     (%make-restart 'name report interactive test (lambda parameters (progn . body))))))

(define-syntax with-simple-restart
  (syntax-rules ()
    ((_ (name text argument ...) body ...)
     (restart-case (progn body ...)
       (name () :report (format nil text argument ...) (values nil t))))))

(define-syntax restart-bind
  (syntax-rules ()
    ((_ ((name function . keys) ...) body ...)
     (%restart-bind (list (%bound-restart 'name function . keys) ...) (lambda () body ...)))))

(define (%bound-restart name function &key report-function interactive-function test-function)
  (%make-restart name report-function interactive-function test-function function))

(define (compute-restarts &optional condition)
  (remove-if-not (lambda (restart) (%applies? restart condition)) %restarts))

(define (%applies? restart condition)
  (let ((test (%restart-test restart)))
    (or (not test) (test condition))))

(define (find-restart restart &optional condition)
  (if (%restart? restart)
      (and (memq restart %restarts) restart)
      (%find-restart (%restart-word "find-restart" restart) condition)))

(define (%find-restart name condition)
  (let next ((restarts %restarts))
    (cond ((null? restarts) nil)
          ((and (eq? (restart-name (car restarts)) name) (%applies? (car restarts) condition)) (car restarts))
          (t (next (cdr restarts))))))

(define (invoke-restart restart . arguments)
  (let ((found (if (%restart? restart) restart (%find-restart (%restart-word "invoke-restart" restart) nil))))
    (unless found (%error 'control-error "invoke-restart: there is no restart `~a` here~a" restart (%restarts-here)))
    (let ((tag (%restart-tag found)))
      (if tag
          (%throw tag (list (cons found arguments)))
          (apply (%restart-function found) arguments)))))

(define (%restarts-here)
  (let ((names (map restart-name (compute-restarts))))
    (if (null? names) "" (format nil "; there are ~{~a~^, ~}" names))))

(define (invoke-restart-interactively restart)
  (let* ((found (find-restart restart)) (interactive (and found (%restart-interactive found))))
    (apply invoke-restart (or found restart) (if interactive (interactive) '()))))

(define (%invoke-if-there name condition arguments)
  (let ((restart (%find-restart name condition)))
    (and restart (apply invoke-restart restart arguments))))

(define (abort &optional condition)
  (%invoke-if-there 'abort condition '())
  (%error 'control-error "abort: there is no restart `abort` here~a" (%restarts-here)))
(define (muffle-warning &optional condition)
  (%invoke-if-there 'muffle-warning condition '())
  (%error 'control-error "muffle-warning: there is no restart `muffle-warning` here~a" (%restarts-here)))
(define (continue &optional condition) (%invoke-if-there 'continue condition '()))
(define (retry &optional condition) (%invoke-if-there 'retry condition '()))
(define (use-value value &optional condition) (%invoke-if-there 'use-value condition (list value)))
(define (store-value value &optional condition) (%invoke-if-there 'store-value condition (list value)))

(define (cerror continuation text . arguments)
  (%restart-case (lambda () (apply error text arguments))
                 (list (%make-restart 'continue (apply format nil continuation arguments) nil nil (lambda () nil)))))

;; See `%raising`.
(define (%offer-restarts)
  (set! %raising %raise-offering)
  (set! %warning %warn-offering))

;; See `%warning`.
(define (%warn-offering condition)
  (%restart-case (lambda () (%signal condition) (%unhandled condition))
                 (list (%make-restart 'muffle-warning "Do not show the warning." nil nil (lambda () nil)))))

;; --- restarts of the application's functions -----------------------------------------------------

;; See `%raising`. Raises the condition of a native, with the restarts for its kind. Without `native` it cannot be
;; called again, and there is no way but to give a value.
(define (%raise-offering condition native arguments)
  (let ((recovery (%recovery-of condition native arguments)))
    (if (and recovery %persists (%persists))
        (%reconnect recovery condition native arguments '())
        (let ((restarts (%offered condition recovery native arguments)))
          (if (null? restarts)
              (%raise condition)
              (%restart-case (lambda () (%raise condition)) restarts))))))

(define (%again native arguments keys) (apply (%wrap native) (%with-keys keys arguments)))

(define (%offered condition recovery native arguments)
  (case (and (po-condition? condition) (po-condition-identifier condition))
    ((:error-response :in-doubt)
     (append (if native
                 (list (%make-restart 'retry "Call it again." nil nil (lambda () (%again native arguments '()))))
                 '())
             (list (%make-restart 'use-value "Return a value instead." %ask-value nil (lambda (value) value))
                   (%make-restart 'skip "Return nil instead." nil nil (lambda () nil)))))
    ((:authentication)
     (if native
         (list (%make-restart 'use-value "Log in with another password." %ask-password nil
                              (lambda (password) (%again native arguments (list ':password password)))))
         '()))
    ((:server-shutdown-connection :timeout)
     (if recovery
         (list (%make-restart 'reconnect "Connect again, and call it again." nil nil
                              (lambda () (%reconnect recovery condition native arguments '()))))
         '()))
    (else '())))

;; The native that makes a lost connection anew, if the condition says that it is lost.
(define (%recovery-of condition native arguments)
  (and native
       (po-condition? condition)
       (memq (po-condition-identifier condition) '(:server-shutdown-connection :timeout))
       (%recovery arguments)))

;; Within `with-reconnect` a procedure that waits until the next attempt and returns true, or
;; returns nil if there were enough. It is asked before the condition is signalled: a handler for
;; the errors of one letter must not take a lost connection for one of them.
(define %persists nil)

(define (%persisting persists thunk)
  (%offer-restarts)
  (let ((saved %persists))
    (unwind-protect (progn (set! %persists persists) (thunk)) (set! %persists saved))))

;; How many calls have succeeded after their connection was made anew.
(define %recoveries 0)

;; Connects again. An error on the way has the restarts of the call itself, but a refused password
;; can only be replaced by another one.
(define (%reconnect recovery condition native arguments keys)
  (let* ((value (%invoke recovery (append (list (%native-name native) arguments (po-condition-message condition)) keys)))
         (error (and (%outcome? value) (%outcome-error value))))
    (cond ((not (%outcome? value)) (%reconnected value native arguments))
          ((and error (eq? (po-condition-identifier error) ':authentication))
           (%restart-case (lambda () (%deliver value))
                          (list (%make-restart 'use-value "Log in with another password." %ask-password nil
                                               (lambda (password)
                                                 (%reconnect recovery condition native arguments (list ':password password)))))))
          (error (%deliver value native arguments))
          (t (%reconnected (%deliver value) native arguments)))))

;; `doubt` is nil or the condition that says why the call must not be made again.
(define (%reconnected doubt native arguments)
  (if doubt
      (%raise-offering doubt native arguments)
      (let ((values (%values-of (lambda () (%again native arguments '())))))
        (set! %recoveries (+ %recoveries 1))
        (%values-from values))))
