;;; Break levels of the prompt; see breaks.rs.

;; The innermost level that is open; 0 is the prompt itself.
(define %break-level 0)
;; Whether all levels are being left.
(define %break-resets nil)

;; One cluster of handlers, with one binding.
(define %break-handlers (list (list (cons 'error (lambda (condition) (%break condition))))))

;; A handler outside of all others. It asks what to do while the call that failed is still there, so
;; that its restarts can be taken. If it returns, the condition unwinds, as it does at once if there
;; is no restart.
(define (%break condition)
  (let ((restarts (compute-restarts condition)))
    (when (pair? restarts) (%break-with restarts condition (+ %break-level 1)))))

(define (%break-with restarts condition level)
  (%break-opened level condition (mapcar #'%restart-text restarts))
  (%protect
   (lambda ()
     (set! %break-level level)
     (let next ()
       (let* ((input (%break-input level)) (argument (second input)))
         (case (first input)
           ((forms) (%break-evaluate argument level) (next))
           ((continue)
            (%break-attempt level (lambda () (invoke-restart-interactively (nth argument restarts))))
            (next))
           ((exit) (exit argument))
           (else (set! %break-resets (eq? (first input) 'reset)) nil)))))
   (lambda () (set! %break-level (- level 1)))))

(define (%restart-text restart) (format nil "~a: ~a" (restart-name restart) restart))

;; Runs what was typed. An error opens the next level; when that is left, this one goes on.
(define (%break-attempt level thunk)
  (let ((handlers %handlers))
    (%on-error (lambda () (set! %handlers %break-handlers) (thunk) (set! %handlers handlers))
               (lambda (flight)
                 (if (and (eq? (first flight) 'condition) (not %break-resets))
                     (set! %break-level level)
                     (%launch flight))))))

(define (%break-evaluate text level)
  (set! %break-resets nil)
  (%break-attempt level
                  (lambda ()
                    (%break-values (%values-of (lambda () (%evaluate-text text)))))))

;; Evaluates the forms of a text. Returns the values of the last one.
(define (%evaluate-text text)
  (let next ((start 0) (values '()))
    (let ((found (%read-from-string text start nil nil)))
      (if found
          (next (second found) (%values-of (lambda () (eval (first found)))))
          (%values-from values)))))

;; Asks for the value that a restart takes.
(define (%asked question)
  (%values-of (lambda () (%evaluate-text (%break-asked question)))))
