;;; The part of the language that calls functions back: conditions, jumps, higher-order functions.
;;; It is written in the language itself, in the system's namespace, so definitions of scripts do
;;; not change it. Names that start with % are not for scripts.

;; --- several values ------------------------------------------------------------------------------
;; `values` returns its first value, and keeps the list of all of them for a caller that wants them;
;; see natives/control.rs.

(define (%values-of thunk)
  (%forget-values)
  (%values-list (thunk)))

(define (%values-from list)
  (if (and (pair? list) (null? (cdr list))) (car list) (apply values list)))

(define (call-with-values producer consumer) (apply consumer (%values-of producer)))
(define (multiple-value-list* thunk) (%values-of thunk))

;; --- flights -------------------------------------------------------------------------------------
;; See natives/flights.rs.

(define %flights nil)

(define (%launch flight)
  (set! %flights (%with-flight flight %flights))
  (%raise-newest %flights))

(define (%take-flight number)
  (let ((flight (%flight number %flights)))
    (set! %flights (%without-flight number %flights))
    flight))

;; --- handlers ------------------------------------------------------------------------------------
;; A list of clusters, innermost first; a cluster is a list of (class . function).

(define %handlers nil)

(define (%run-handlers condition)
  (let ((saved %handlers))
    (let next ((clusters saved))
      (when (pair? clusters)
        ;; A handler runs with the handlers outside of its own.
        (set! %handlers (cdr clusters))
        (let each ((bindings (car clusters)))
          (when (pair? bindings)
            (when (%matches? (car (car bindings)) condition) ((cdr (car bindings)) condition))
            (each (cdr bindings))))
        (next (cdr clusters))))
    (set! %handlers saved)))

(define (%raise condition)
  (%run-handlers condition)
  (%launch (list 'condition condition (%here))))

(define (%signal condition)
  (%run-handlers condition)
  nil)

;; Returns the flight of an error that a frame has caught. The handlers have not seen an error of
;; the interpreter itself yet.
(define (%settled error)
  (let ((number (%token error)))
    (if number
        (let ((flight (%take-flight number)))
          (if (third flight) flight (list (first flight) (second flight) (%trail error))))
        (let ((condition (%convert error)) (trail (%trail error)))
          (call-with-exception-handler
           (lambda (second-error) (if (%interrupted?) (%reraise second-error) (%settled second-error)))
           (lambda ()
             (%run-handlers condition)
             (list 'condition condition trail)))))))

;; How many calls of %on-error are nested. At many thousands, a run of the interpreter's collector
;; takes many seconds.
(define %nesting 0)

(define (%on-error thunk received)
  (let ((handlers %handlers) (restarts %restarts) (depth (%depth)) (nesting %nesting))
    (when (> nesting 5000)
      (%fail "more than 5000 handlers or blocks within one another: a recursion without an end?"))
    (set! %nesting (+ nesting 1))
    (let ((value (call-with-exception-handler
                  (lambda (error)
                    (if (%interrupted?)
                        (%reraise error)
                        (let ((flight (%settled error)))
                          (set! %handlers handlers)
                          (set! %restarts restarts)
                          (set! %nesting nesting)
                          (%set-depth depth)
                          (received flight))))
                  thunk)))
      (set! %nesting nesting)
      value)))

(define (%catch tag thunk)
  (let ((value (%on-error thunk
                          (lambda (flight)
                            (if (and (eq? (first flight) 'throw) (eq? (car (second flight)) tag))
                                (%values-from (cdr (second flight)))
                                (begin (%left! tag) (%launch flight)))))))
    (%left! tag)
    value))

(define (%throw tag values)
  (if (%left? tag)
      (%raise (%error-of 'control-error "a jump to a place that has been left already" '()))
      (%launch (list 'throw (cons tag values) nil))))

(define (%block body)
  (let ((tag (%tag)))
    (%catch tag (lambda () (body tag)))))

(define (%leave tag value) (%throw tag (%values-list value)))

(define (call-with-current-continuation receiver)
  (let ((tag (%tag)))
    (%catch tag (lambda () (receiver (lambda values (%throw tag values)))))))
(define call/cc call-with-current-continuation)
(define call-with-escape-continuation call-with-current-continuation)
(define call/ec call-with-current-continuation)

;; Runs the procedures in order. A jump runs them from that of its tag on, also out of a procedure
;; that was made before an earlier jump, so one tag serves for all.
(define (%tagbody procedures)
  (let* ((tag (%tag)) (all (procedures tag)))
    (let next ((rest all))
      (let ((target (%on-error (lambda () (let run ((rest rest)) (if (pair? rest) (begin ((car rest)) (run (cdr rest))) nil)))
                               (lambda (flight)
                                 (if (and (eq? (first flight) 'throw) (eq? (car (second flight)) tag))
                                     (car (cdr (second flight)))
                                     (begin (%left! tag) (%launch flight)))))))
        (if (null? target) (begin (%left! tag) nil) (next (nthcdr target all)))))))

;; --- clean-up ------------------------------------------------------------------------------------
;; An interrupt unwinds without running anything. So pending clean-up forms are kept in a list, and
;; the host runs those that are left.

(define %cleanups nil)

(define (%protect thunk cleanup)
  (set! %cleanups (cons cleanup %cleanups))
  (let ((values (%on-error (lambda () (%values-of thunk))
                           (lambda (flight)
                             (set! %cleanups (cdr %cleanups))
                             (cleanup)
                             (%launch flight)))))
    (set! %cleanups (cdr %cleanups))
    (cleanup)
    (%values-from values)))

(define (dynamic-wind before thunk after)
  (before)
  (%protect thunk after))

;; --- forms for conditions ------------------------------------------------------------------------

(define (%with-handlers bindings thunk)
  (let ((saved %handlers))
    (set! %handlers (cons bindings saved))
    (let ((values (%values-of thunk)))
      (set! %handlers saved)
      (%values-from values))))

;; Its handlers run before the stack unwinds, so from now on restarts are offered.
(define (%handler-bind bindings thunk)
  (%offer-restarts)
  (%on-error (lambda () (%with-handlers bindings thunk)) %launch))

(define (%handler-case thunk clauses no-error)
  (let* ((tag (%tag))
         (outcome (%catch tag
                          (lambda ()
                            (cons nil
                                  (%values-of
                                   (lambda ()
                                     (%with-handlers
                                      (map (lambda (clause)
                                             (cons (car clause) (lambda (condition) (%throw tag (list (cons clause condition))))))
                                           clauses)
                                      thunk))))))))
    (cond ((pair? (car outcome)) ((cdr (car outcome)) (cdr outcome)))
          (no-error (apply no-error (cdr outcome)))
          (else (%values-from (cdr outcome))))))

(define-syntax handler-case
  (syntax-rules ()
    ((_ form clause ...) (%handler-clauses form () () clause ...))))

(define-syntax %handler-clauses
  (syntax-rules (:no-error)
    ((_ form (made ...) no-error) (%handler-case (lambda () form) (list made ...) (begin nil . no-error)))
    ((_ form made no-error (:no-error parameters body ...) clause ...)
     (%handler-clauses form made ((lambda parameters body ...)) clause ...))
    ((_ form (made ...) no-error (class (variable) body ...) clause ...)
     (%handler-clauses form (made ... (cons 'class (lambda (variable) body ...))) no-error clause ...))
    ((_ form (made ...) no-error (class () body ...) clause ...)
     (%handler-clauses form (made ... (cons 'class (lambda (ignored) body ...))) no-error clause ...))))

(define-syntax handler-bind
  (syntax-rules ()
    ((_ ((class handler) ...) body ...) (%handler-bind (list (cons 'class handler) ...) (lambda () body ...)))))

(define-syntax ignore-errors
  (syntax-rules ()
    ((_ body ...) (%handler-case (lambda () body ...) (list (cons 'error (lambda (condition) (values nil condition)))) nil))))

(define-syntax unwind-protect
  (syntax-rules ()
    ((_ form cleanup ...) (%protect (lambda () form) (lambda () cleanup ...)))))

(define-syntax with-handler
  (syntax-rules ()
    ((_ handler body ...) (%handler-case (lambda () body ...) (list (cons 't handler)) nil))))

(define-syntax guard
  (syntax-rules ()
    ((_ (variable clause ...) body ...)
     (%handler-case (lambda () body ...) (list (cons 't (lambda (variable) (cond clause ... (else (%raise variable)))))) nil))))

(define-syntax catch
  (syntax-rules ()
    ((_ name body ...) (%catch-name name (lambda () body ...)))))

(define %catch-names nil)
(define (%catch-name name thunk)
  (let ((tag (%tag)) (saved %catch-names))
    (%catch tag
            (lambda ()
              (%protect (lambda () (set! %catch-names (cons (cons name tag) saved)) (thunk))
                        (lambda () (set! %catch-names saved)))))))
(define-syntax throw
  (syntax-rules ()
    ((_ name form) (%throw-name name (lambda () form)))))
(define (%throw-name name thunk)
  (let* ((values (%values-of thunk)) (found (%assoc name %catch-names nil)))
    (if found (%throw (cdr found) values) (%error 'control-error "throw: there is no catch for ~s" name))))

;; Raises an error with a text. `error` also takes classes of conditions, and is compiled only if a
;; script calls it with something else than a literal text.
(define (%fail text . irritants) (%raise (%make-condition 'error text irritants)))
(define (%warn-text text . irritants) (%warn (%make-condition 'warning text irritants)))
(define (raise object) (%raise object))
(define (%warn condition)
  (cond ((null? %handlers) (%unhandled condition))
        (%warning (%warning condition))
        (else (%signal condition) (%unhandled condition)))
  nil)
(define (exit &optional (status 0) &key no-unwind quiet)
  (when (and (integer? status) (or (< status 0) (> status 255)))
    (%fail "exit: expected a status from 0 to 255, got ~s" status))
  (%launch (list 'exit (cond ((integer? status) status) ((eq? status #t) 0) (status 1) (else 1)) nil)))
(define quit exit)
(define (assert-true value) (if value t (%fail "assertion failed")))

;; --- natives of the application ------------------------------------------------------------------

;; The procedures that raise a native's condition, and signal a warning, with restarts. They are nil
;; until something can choose a restart, because most scripts have nothing that could, and would
;; spend most of their start-up time on compiling these.
(define %raising nil)
(define %warning nil)

;; `native` and `arguments` are given if the call can be made again. It cannot if a procedure of the
;; script has run for it, which would run twice.
(define (%deliver outcome &optional native arguments)
  (let each ((warnings (%outcome-warnings outcome)))
    (when (pair? warnings)
      (%warn (car warnings))
      (each (cdr warnings))))
  (let ((error (%outcome-error outcome)))
    (cond ((not error) (%values-from (%outcome-values outcome)))
          (%raising (%raising error native arguments))
          (else (%raise error)))))

(define (%delivered value) (if (%outcome? value) (%deliver value) value))

;; A native that needs the result of a procedure runs again, with the results of this procedure and
;; of the earlier ones. A list asks for several calls: a state that is returned as it is, a procedure,
;; and an argument for each call.
(define (%answers asked)
  (if (pair? asked)
      (let each ((items (cddr asked)) (answers (list (car asked))))
        (if (pair? items)
            (each (cdr items) (cons ((cadr asked) (car items)) answers))
            (reverse answers)))
      (asked)))

(define (%finish outcome native arguments results)
  (let ((asked (%outcome-asked outcome)))
    (if asked
        (let* ((results (append results (list (%answers asked))))
               (value (%invoke-knowing results native arguments)))
          (if (%outcome? value) (%finish value native arguments results) value))
        (%deliver outcome (and (null? results) native) arguments))))

(define (%wrap native)
  (lambda arguments
    (let ((value (%invoke native arguments)))
      (if (%outcome? value) (%finish value native arguments '()) value))))

(define (%wrap-checked native function)
  (lambda arguments
    (let ((value (%invoke native arguments)))
      (if (%outcome? value) (%deliver value) (apply function arguments)))))

;; --- numbers ------------------------------------------------------------------------------------

(define (evenp number) (even? number))
(define (oddp number) (odd? number))
(define (list-length list) (length list))
(define (float number &optional model) (coerce number 'float))
(define (realp value) (numberp value))
(define (floatp value) (and (numberp value) (inexact? value)))
(define (rationalp value) (and (numberp value) (not (inexact? value))))
(define (complexp value) (and (complex? value) (not (real? value))))
(define (rational number) (inexact->exact number))
(define (signum number)
  (cond ((zerop number) number)
        ((plusp number) (if (floatp number) 1.0 1))
        (else (if (floatp number) -1.0 -1))))
(define (isqrt number)
  (if (and (integerp number) (>= number 0))
      (values (exact-integer-sqrt number))
      (%fail "isqrt: expected a whole number, at least 0, got ~s" number)))
(define (gcd . numbers) (fold-left %gcd 0 numbers))
(define (%gcd left right) (if (= right 0) (abs left) (%gcd right (rem left right))))
(define (lcm . numbers)
  (fold-left (lambda (left right) (if (or (= left 0) (= right 0)) 0 (abs (* (quotient left (%gcd left right)) right)))) 1 numbers))
(define (lognot number) (- -1 number))
(define (logtest left right) (not (= (logand left right) 0)))
(define (logbitp index number) (oddp (ash number (- index))))
(define (logcount number)
  (let next ((number (if (< number 0) (lognot number) number)) (bits 0))
    (if (= number 0) bits (next (ash number -1) (if (odd? number) (+ bits 1) bits)))))
(define (integer-length number)
  (let next ((number (if (< number 0) (lognot number) number)) (bits 0))
    (if (= number 0) bits (next (ash number -1) (+ bits 1)))))

(define (copy-seq sequence)
  (if (vector? sequence) (apply vector (%elements sequence)) (subseq sequence 0)))
(define (make-array size &key (initial-element nil) (initial-contents nil contents) element-type adjustable fill-pointer)
  (let* ((size (if (and (pair? size) (null? (cdr size))) (car size) size))
         (used (%fill-pointer fill-pointer size))
         (elements (if contents (%elements (subseq initial-contents 0 (if fill-pointer used nil))) nil)))
    (cond ((member element-type '(character base-char standard-char))
           (cond ((or adjustable fill-pointer)
                  (%fail "make-array: strings do not change: print to the port of with-output-to-string"))
                 (contents (coerce elements 'string))
                 (else (make-string size (or initial-element #\Space)))))
          ((and (equal element-type '(unsigned-byte 8)) (not adjustable) (not fill-pointer))
           (if contents (list->bytes elements) (make-bytes size (or initial-element 0))))
          (contents (apply vector elements))
          (else (make-vector used initial-element)))))
(define (%fill-pointer value size)
  (cond ((or (null? value) (eq? value #t)) size)
        ((and (integer? value) (>= value 0) (<= value size)) value)
        (else (%fail "make-array: expected t or a number up to ~a as :fill-pointer, got ~s" size value))))
(define (%growing function vector)
  (if (mutable-vector? vector) vector (%fail "~a: expected a vector that can change, got ~s" function vector)))
(define (fill-pointer vector) (length (%growing "fill-pointer" vector)))
(define (vector-push-extend value vector &optional extension)
  (let ((index (length (%growing "vector-push-extend" vector))))
    (vector-push! vector value)
    index))
(define (vector-pop vector)
  (if (> (length (%growing "vector-pop" vector)) 0)
      (mutable-vector-pop! vector)
      (%fail "vector-pop: the vector is empty")))
(define (%set-aref vector index value)
  (if (bytes? vector)
      (bytes-set! vector index value)
      (begin (%check-set-aref vector index) (vector-set! vector index value)))
  value)

;; --- places --------------------------------------------------------------------------------------
;; What a place is to hold after a part of it was set; see lisp/expander/places.rs.

(define (%with-car list value)
  (if (pair? list) (cons value (cdr list)) (%fail "setf: car: expected a list with an element, got ~s" list)))
(define (%with-cdr list value)
  (if (pair? list) (cons (car list) value) (%fail "setf: cdr: expected a list with an element, got ~s" list)))
(define (%with-nth index list value) (%with-tail "nth" index list (lambda (rest) (%with-car rest value))))
(define (%with-nthcdr count list value) (%with-tail "nthcdr" count list (lambda (rest) value)))
(define (%with-tail what index list change)
  (let next ((left (%count what index)) (rest list) (made nil))
    (cond ((= left 0) (append (%reverse made) (change rest)))
          ((pair? rest) (next (- left 1) (cdr rest) (cons (car rest) made)))
          (else (%fail "setf: ~a: the list has no element ~a: ~s" what index list)))))
(define (%with-getf key list value)
  (let next ((rest list) (made nil))
    (cond ((null? rest) (cons key (cons value list)))
          ((not (and (pair? rest) (pair? (cdr rest)))) (%fail "setf: getf: expected a list of keys and values, got ~s" list))
          ((eq (car rest) key) (append (%reverse made) (cons key (cons value (cdr (cdr rest))))))
          (else (next (cdr (cdr rest)) (cons (car (cdr rest)) (cons (car rest) made)))))))
(define (%rebuilt? sequence) (or (string? sequence) (listp sequence)))
(define (%with-element sequence index value)
  (cond ((listp sequence) (%with-nth index sequence value))
        ((not (characterp value)) (%fail "setf: expected a character for a string, got ~s" value))
        ((>= (%count "setf" index) (string-length sequence))
         (%fail "setf: the string has no element ~a: ~s" index sequence))
        (else (string-append (subseq sequence 0 index) (string value) (subseq sequence (+ index 1))))))
(define (%with-subseq start end sequence value)
  (let* ((end (or end (length sequence)))
         (old (subseq sequence start end))
         (count (min (length old) (length value))))
    (if (%rebuilt? sequence)
        (concatenate (if (string? sequence) 'string 'list)
                     (subseq sequence 0 start) (subseq value 0 count) (subseq sequence (+ start count)))
        (let next ((index 0))
          (if (= index count)
              sequence
              (begin (%set-aref sequence (+ start index) (elt value index)) (next (+ index 1))))))))

;; --- checked versions of the interpreter's functions ---------------------------------------------
;; They allocate whatever size they are given, and look into keys of tables by recursion.

(define (exact-integer-sqrt number) (apply values (%plain-exact-integer-sqrt number)))
;; The interpreter multiplies small ratios without looking at the size.
(define (expt base power)
  (%check-power base power)
  (if (and (integerp power) (rationalp base) (not (integerp base)))
      (let ((top (%plain-expt (numerator base) (abs power))) (bottom (%plain-expt (denominator base) (abs power))))
        (if (< power 0) (/ bottom top) (/ top bottom)))
      (%plain-expt base power)))
(define (make-vector size . fill) (apply %plain-make-vector (%size "make-vector" size) fill))
(define (make-string size . fill)
  (%make-string size (if (and (pair? fill) (keyword? (car fill))) (%find-key ':initial-element fill) fill)))
(define (%make-string size fill) (apply %plain-make-string (%size "make-string" size) fill))
(define (make-bytes size . fill) (apply %plain-make-bytes (%size "make-bytes" size) fill))
(define (make-bytevector size . fill) (apply %plain-make-bytevector (%size "make-bytevector" size) fill))
(define (range start . end) (%check-range "range" start end) (apply %plain-range start end))
(define (range-vec start . end) (%check-range "range-vec" start end) (apply %plain-range-vec start end))
(define (hash . keys-and-values) (apply %plain-hash (%shallow-keys "hash" keys-and-values)))
(define (hash-insert table key value) (%plain-hash-insert table (%shallow "hash-insert" key) value))
(define (hash-ref table key) (%plain-hash-ref table (%shallow "hash-ref" key)))
(define (hash-try-get table key) (%plain-hash-try-get table (%shallow "hash-try-get" key)))
(define (hash-get table key) (%plain-hash-get table (%shallow "hash-get" key)))
(define (hash-contains? table key) (%plain-hash-contains? table (%shallow "hash-contains?" key)))
(define (hash-remove table key) (%plain-hash-remove table (%shallow "hash-remove" key)))
(define (hash-code value) (%plain-hash-code (%shallow "hash-code" value)))

;; --- files and time ------------------------------------------------------------------------------

(define (open path . options) (%deliver (apply %open path options)))
(define (delete-file path) (%delivered (%delete-file path)))
(define (file-write-date path) (%delivered (%file-write-date path)))
(define (directory path) (%delivered (%directory path)))
(define (rename-file path new-path &key (if-exists ':error))
  (%delivered (%rename-file path new-path if-exists)))
(define (copy-file path new-path &key (if-exists ':error))
  (%delivered (%copy-file path new-path if-exists)))
(define (probe-file path) (%delivered (%probe-file path)))
(define (file-exists? path) (if (probe-file path) t nil))
(define (getenv name) (%delivered (%getenv name)))
(define (open-input-file path) (open path))
(define (open-output-file path) (open path :direction :output))
(define close-input-port close)
(define close-output-port close)

(define-syntax with-open-file
  (syntax-rules ()
    ((_ (variable path option ...) body ...)
     (let ((variable (open path option ...)))
       (unwind-protect (begin body ...) (close variable))))))
(define (call-with-input-file path receiver) (with-open-file (port path) (receiver port)))
(define (call-with-output-file path receiver)
  (with-open-file (port path :direction :output :if-exists :supersede) (receiver port)))

(define *standard-output* t)
(define *error-output* (%error-port))
(define (current-error-port) *error-output*)
(define *terminal-io* t)
(define *query-io* t)
(define *debug-io* t)

(define-syntax with-output-to-string
  (syntax-rules ()
    ((_ (variable) body ...) (let ((variable (%string-port))) body ... (%string-port-text variable)))))
(define (call-with-output-string receiver) (with-output-to-string (port) (receiver port)))
(define (open-output-string) (%string-port))
(define get-output-string %string-port-text)
(define make-string-output-stream open-output-string)
(define get-output-stream-string %string-port-text)

(define (%at-end what value errorp end)
  (cond ((not (eof-object? value)) value)
        (errorp (%error 'end-of-file "~a: the file has ended" what))
        (else end)))
;; Scheme's calls pass only the port and get the object. Common Lisp's say what the end returns.
(define (read-line &optional (port nil) (errorp nil given) (end (if given nil (eof-object))))
  (let ((line (%read-line port)))
    (if (pair? line) (values (car line) (cadr line)) (values (%at-end "read-line" line errorp end) t))))
(define (read-char &optional (port nil) (errorp nil given) (end (if given nil (eof-object))))
  (%at-end "read-char" (%read-char port) errorp end))
(define (peek-char &optional (kind nil) (port nil port-given) (errorp nil given) (end (if given nil (eof-object))))
  (if (or port-given (null kind) (eq kind t) (char? kind))
      (%at-end "peek-char" (%peek-char port kind) errorp end)
      (%peek-char kind nil)))
(define (read-string port) (%read-rest port))
(define (read-byte &optional (port nil) (errorp nil given) (end (if given nil (eof-object))))
  (%at-end "read-byte" (%read-byte port) errorp end))
(define (read-sequence bytes port &key (start 0) (end nil)) (%read-sequence bytes port start end))
(define (write-sequence bytes port &key (start 0) (end nil)) (%write-sequence bytes port start end))
(define (make-string-input-stream string &optional (start 0) (end nil))
  (%string-input "make-string-input-stream" string start end))
(define (open-input-string string) (%string-input "open-input-string" string 0 nil))
(define-syntax with-input-from-string
  (syntax-rules ()
    ((_ (variable string option ...) body ...)
     (let ((variable (%keyed-string-input string option ...))) body ...))))
(define (%keyed-string-input string . options)
  (%check-keys "with-input-from-string" '(:start :end) options #f)
  (%string-input "with-input-from-string" string (if (%find-key ':start options) (%key-of ':start options) 0) (%key-of ':end options)))

(define (decode-universal-time time &optional zone)
  (apply values (%decode-universal-time time zone)))
(define (get-decoded-time) (decode-universal-time (get-universal-time)))
(define internal-time-units-per-second 1000000)
(define (jiffies-per-second) 1000000)

;; --- forms ---------------------------------------------------------------------------------------

(define-syntax prog1
  (syntax-rules ()
    ((_ form more ...) (let ((value form)) more ... value))))
(define-syntax prog2
  (syntax-rules ()
    ((_ before form more ...) (begin before (prog1 form more ...)))))
;; At top level the host splices these forms, so that a `load` among them is at top level, too.
(define-syntax eval-when
  (syntax-rules ()
    ((_ situations) nil)
    ((_ situations form ...) (begin form ...))))
(define-syntax locally
  (syntax-rules ()
    ((_ form ...) (let () form ...))))
(define-syntax the
  (syntax-rules ()
    ((_ type form) form)))
(define-syntax remf
  (syntax-rules ()
    ((_ place indicator)
     (let ((rest (%without-key indicator place)))
       (if (eq rest '%none) nil (begin (setf place rest) t))))))
(define (%without-key key list)
  (let next ((rest list) (made nil))
    (cond ((not (and (pair? rest) (pair? (cdr rest)))) '%none)
          ((eq (car rest) key) (append (%reverse made) (cddr rest)))
          (else (next (cddr rest) (cons (cadr rest) (cons (car rest) made)))))))
(define (require name &optional path)
  (cond ((string? name) (%fail "require: a file is loaded at top level only, not within another form"))
        (path (%fail "require: with a path, stands at top level only, and the path is a literal string"))
        (else t)))
(define (provide name) t)
(define-syntax multiple-value-prog1
  (syntax-rules ()
    ((_ form more ...) (let ((values (%values-of (lambda () form)))) more ... (%values-from values)))))
(define-syntax multiple-value-list
  (syntax-rules ()
    ((_ form) (%values-of (lambda () form)))))
(define-syntax multiple-value-setq
  (syntax-rules ()
    ((_ (name ...) form) (%set-values (%values-of (lambda () form)) name ...))))
(define-syntax %set-values
  (syntax-rules ()
    ((_ list) nil)
    ((_ list name more ...) (let ((values list)) (setq name (first values)) (%set-values (rest values) more ...) name))))
(define-syntax nth-value
  (syntax-rules ()
    ((_ index form) (nth index (%values-of (lambda () form))))))
(define-syntax multiple-value-call
  (syntax-rules ()
    ((_ f form ...) (apply f (append (%values-of (lambda () form)) ...)))))
(define-syntax receive
  (syntax-rules ()
    ((_ names form body ...) (apply (lambda names body ...) (%values-of (lambda () form))))))
(define-syntax let-values
  (syntax-rules ()
    ((_ bindings body ...) (%let-values bindings () body ...))))
;; All forms are evaluated before the first name is bound.
(define-syntax %let-values
  (syntax-rules ()
    ((_ () bindings body ...) (%bind-values bindings body ...))
    ((_ ((names form) more ...) (made ...) body ...)
     (let ((list (%values-of (lambda () form)))) (%let-values (more ...) (made ... (names list)) body ...)))))
(define-syntax %bind-values
  (syntax-rules ()
    ((_ () body ...) (let () body ...))
    ((_ ((names list) more ...) body ...) (apply (lambda names (%bind-values (more ...) body ...)) list))))
(define-syntax let*-values
  (syntax-rules ()
    ((_ () body ...) (let () body ...))
    ((_ ((names form) more ...) body ...) (receive names form (let*-values (more ...) body ...)))))
(define-syntax destructuring-bind
  (syntax-rules (&whole)
    ((_ (&whole whole . pattern) form body ...) (let ((whole form)) (destructuring-bind pattern whole body ...)))
    ((_ pattern form body ...) (apply (lambda pattern body ...) form))))
(define-syntax typecase
  (syntax-rules ()
    ((_ form clause ...) (let ((value form)) (%typecase value nil clause ...)))))
(define-syntax etypecase
  (syntax-rules ()
    ((_ form clause ...) (let ((value form)) (%typecase value (%no-type value) clause ...)))))
(define-syntax ctypecase
  (syntax-rules ()
    ((_ form clause ...) (etypecase form clause ...))))
(define-syntax ccase
  (syntax-rules ()
    ((_ form (keys body ...) ...)
     (let ((value form)) (case value (keys body ...) ... (otherwise (%no-ccase value)))))))
(define-syntax %typecase
  (syntax-rules ()
    ((_ value otherwise) otherwise)
    ((_ value otherwise (type body ...) clause ...)
     (if (typep value 'type) (begin nil body ...) (%typecase value otherwise clause ...)))))
(define-syntax check
  (syntax-rules ()
    ((_ form expected) (%check 'form form expected))))
(define (%check form value expected)
  (if (equal value expected) t (%fail "check: ~s gives ~s, expected ~s" form value expected)))
(define-syntax time
  (syntax-rules ()
    ((_ form) form)))
(define-syntax case-lambda
  (syntax-rules ()
    ((_ (parameters body ...) ...)
     (lambda arguments (%case-lambda arguments (list (cons 'parameters (lambda parameters body ...)) ...))))))
(define (%case-lambda arguments clauses)
  (cond ((null? clauses) (%fail "no clause for ~a arguments" (length arguments)))
        ((%accepts? (car (car clauses)) (length arguments)) (apply (cdr (car clauses)) arguments))
        (else (%case-lambda arguments (cdr clauses)))))
(define (%accepts? parameters count)
  (cond ((pair? parameters) (and (> count 0) (%accepts? (cdr parameters) (- count 1))))
        ((null? parameters) (= count 0))
        (else t)))
(define-syntax parameterize
  (syntax-rules ()
    ((_ ((parameter value) ...) body ...)
     (%parameterize (list (cons parameter value) ...) (lambda () body ...)))))
;; With one argument, a parameter is set to it, converted; with another one, to the value as it is.
(define (make-parameter initial &optional (converter identity))
  (let ((value (converter initial)))
    (lambda arguments
      (cond ((null? arguments) value)
            ((pair? (cdr arguments)) (setq value (car arguments)))
            (else (prog1 value (setq value (converter (car arguments)))))))))
(define (%parameterize bindings thunk)
  (let ((old (%map-one (lambda (binding) ((car binding))) bindings)))
    (%protect (lambda () (for-each (lambda (binding) ((car binding) (cdr binding))) bindings) (thunk))
              (lambda () (%map-all (lambda (binding value) ((car binding) value t)) (list bindings old))))))
(define-syntax delay
  (syntax-rules ()
    ((_ form) (%promise (lambda () form)))))
(define (%promise thunk)
  (let ((done nil) (value nil))
    (lambda ()
      (unless done
        (let ((made (thunk)))
          ;; The form may have forced its own promise.
          (unless done (setq value made) (setq done t))))
      value)))
(define (make-promise value) (lambda () value))
(define (force promise) (if (procedure? promise) (promise) promise))
