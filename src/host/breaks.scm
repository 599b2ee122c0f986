;;; Break levels of the prompt; see breaks.rs.

;; The innermost level that is open; 0 is the prompt itself.
(define %break-level 0)
;; The restarts of the form that waits in that level; `t` if no form waits.
(define %break-waiting t)
;; Whether all levels are being left.
(define %break-resets nil)

;; One cluster of handlers, with one binding.
(define %break-handlers (begin (%offer-restarts) (list (list (cons 'error (lambda (condition) (%break condition)))))))

;; A handler outside of all others. It asks what to do while the call that failed is still there, so
;; that its restarts can be taken. If it returns, the condition unwinds, as it does at once if
;; nothing waits that could go on.
(define (%break condition)
  (let ((restarts (%own-restarts condition)))
    (when (or (pair? restarts) (not (eq? %break-waiting t)))
      (%break-with restarts condition (+ %break-level 1)))))

;; The restarts that the failed form has made. Those of the forms that wait in outer levels are not
;; offered by number: to take one would leave this level, too.
(define (%own-restarts condition)
  (let next ((rest %restarts))
    (cond ((or (null? rest) (eq? rest %break-waiting)) '())
          ((%applies? (car rest) condition) (cons (car rest) (next (cdr rest))))
          (t (next (cdr rest))))))

(define (%break-with restarts condition level)
  (let ((waiting %break-waiting))
    (%break-opened level condition (mapcar #'%restart-text restarts))
    (%protect
     (lambda ()
       (set! %break-level level)
       (set! %break-waiting %restarts)
       (let next ()
         (let* ((input (%break-input level)) (argument (second input)))
           (case (first input)
             ((forms) (%break-evaluate argument level) (next))
             ((continue)
              (%break-attempt level (lambda () (invoke-restart-interactively (nth argument restarts))))
              (next))
             ((exit) (exit argument))
             (else (set! %break-resets (eq? (first input) 'reset)) nil)))))
     (lambda ()
       (set! %break-waiting waiting)
       (set! %break-level (- level 1))))))

(define (%restart-text restart) (format nil "~a: ~a" (restart-name restart) restart))

;; The tag of the innermost attempt, to which an unanswered question jumps.
(define %break-tag nil)

;; Runs what was typed. An error opens the next level; when that is left, this one goes on.
(define (%break-attempt level thunk)
  (let ((handlers %handlers) (outer %break-tag))
    (set! %break-tag (%tag))
    (%on-error (lambda () (set! %handlers %break-handlers) (thunk) (set! %handlers handlers))
               (lambda (flight)
                 (let ((is-own (and (eq? (first flight) 'throw) (eq? (car (second flight)) %break-tag))))
                   (set! %break-tag outer)
                   (if (or is-own (and (eq? (first flight) 'condition) (not %break-resets)))
                       nil
                       (%launch flight)))))
    (set! %break-tag outer)))

(define (%break-evaluate text level)
  (set! %break-resets nil)
  (let ((before (%last-value-counts nil)))
    (%protect (lambda ()
                (%last-value-counts (or before %break-remembers))
                (%break-attempt level (lambda () (%evaluate-text text %break-shown))))
              ;; The form that waits may be in a file, where `*` is the function.
              (lambda () (%last-value-counts before)))))

;; Whether a value was shown at a level.
(define %break-remembers nil)

;; Shows a value, which is that of `*` from now on, as at the prompt itself.
(define (%break-shown value)
  (%break-value value)
  ((%run-text (%remembering)) value)
  (set! %break-remembers t)
  (%last-value-counts t))

;; Evaluates the forms of a text, and calls `received` with the value of each. Returns the value of
;; the last one.
(define (%evaluate-text text received)
  (let next ((start 0) (value nil))
    (let ((found (%read-from-string text start nil nil)))
      (if found
          (let ((values (%values-of (lambda () (eval (first found))))))
            (received (first values))
            (next (second found) (first values)))
          value))))

;; Asks for a form, and returns a list of its value, for a restart that takes one.
(define (%ask-value)
  (list (%evaluate-text (or (%break-asked "A form for the value: " nil) (%unanswered)) identity)))
(define (%ask-password)
  (list (or (%break-asked "Password: " t) (%unanswered))))
(define (%unanswered) (%throw %break-tag '()))
