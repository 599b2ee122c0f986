;;; `with-timeout`; see stopping.rs.

(define-syntax with-timeout
  (syntax-rules ()
    ((_ (seconds) body ...) (%with-timeout seconds (lambda () nil body ...) nil))
    ((_ (seconds form ...) body ...) (%with-timeout seconds (lambda () nil body ...) (lambda () form ...)))))

(define (%with-timeout seconds body late)
  (let* ((timer (%timer seconds)) (tag (%tag)) (pending (length %cleanups))
         (value (%catch tag (lambda () (%timed timer tag body)))))
    (if (%timed-out? timer)
        (begin
          (%clean-up (- (length %cleanups) pending))
          (if late (late) (%raise (%timeout-condition timer))))
        value)))

;; The guard is dropped before the handler runs, and takes back an interrupt that was for this body
;; alone.
(define (%timed timer tag body)
  (call-with-exception-handler
   (lambda (error)
     (if (%timed-out? timer)
         (%throw tag '())
         (if (%interrupted?) (%reraise error) (%launch (%settled error)))))
   (lambda () (%guarded (%guard timer) body))))

(define (%guarded guard body)
  (let ((values (%values-of body)))
    (%finish-timer guard)
    (%values-from values)))

;; Runs so many pending clean-up forms, innermost first, each of them even if one before it fails.
(define (%clean-up count)
  (when (> count 0)
    (let ((cleanup (car %cleanups)))
      (set! %cleanups (cdr %cleanups))
      (%protect cleanup (lambda () (%clean-up (- count 1)))))))
