//! Loops, structures, keys and errors of files, where they once differed from Common Lisp.

use super::common_lisp::check;

#[test]
fn do_assigns_its_variables() {
    check(&[
        (
            "(let ((fs '())) (do ((i 0 (+ i 1))) ((= i 3)) (push (lambda () i) fs)) (mapcar #'funcall fs))",
            "(3 3 3)",
        ),
        (
            "(let ((f nil)) (do ((i 0 (+ i 1)) (j 10)) ((= i 3) (list (funcall f) j)) (unless f (setq f (lambda () (incf j) i)))))",
            "(3 11)",
        ),
        ("(do ((i 0 (+ i 1)) (l '() (cons i l))) ((= i 3) l))", "(2 1 0)"),
        ("(do ((a 1 b) (b 2 a) (n 0 (+ n 1))) ((= n 3) (list a b)) #'car)", "(2 1)"),
        ("(do* ((i 0 (+ i 1)) (j i (* i 2))) ((= i 3) j) #'car)", "6"),
    ]);
}

#[test]
fn bodies_of_loops_may_have_tags() {
    check(&[
        ("(let ((l '())) (dotimes (i 4) (when (oddp i) (go next)) (push i l) next) l)", "(2 0)"),
        ("(let ((l '())) (dolist (x '(1 2 3)) (if (= x 2) (go skip)) (push x l) skip) l)", "(3 1)"),
        (
            "(let ((l '()) (n 0)) (dolist (x '(1 2)) again (incf n) (push n l) (when (< n 3) (go again))) l)",
            "(4 3 2 1)",
        ),
        (
            "(let ((l '())) (do ((i 0 (+ i 1))) ((= i 3) l) (when (= i 1) (go 10)) (push i l) 10))",
            "(2 0)",
        ),
        (
            "(let ((l '())) (do* ((i 0 (+ i 1))) ((= i 3) l) (when (= i 1) (go end)) (push i l) end))",
            "(2 0)",
        ),
        ("(dolist (x '(1 2)) (dotimes (i 2) (when (= i 1) (go out))) out)", "nil"),
    ]);
}

#[test]
fn a_default_of_a_slot_sees_what_is_around_the_structure() {
    check(&[
        ("(defvar a 10) (defstruct s (a 1) (b a)) (s-b (make-s))", "10"),
        (
            "(setq c 5) (defstruct s (c 1) (d (+ c 1))) (list (s-d (make-s)) (s-d (make-s :c 7)) (s-d (make-s :d 0)))",
            "(6 6 0)",
        ),
        (
            "(let ((n 0)) (defstruct s (id (incf n)))) (list (s-id (make-s)) (s-id (make-s)))",
            "(1 2)",
        ),
        ("(defstruct s a b) (make-s :b 1 :a 2)", "#S(s :a 2 :b 1)"),
        ("(defstruct s a) (make-s :x 1)", "error: make-s: unknown key :x; expected :a"),
        ("(defstruct (s (:constructor new (a &optional (b a)))) a b) (new 3)", "#S(s :a 3 :b 3)"),
        ("(defstruct s list string) (make-s :list 1 :string 2)", "#S(s :list 1 :string 2)"),
    ]);
}

#[test]
fn a_setter_is_a_function() {
    check(&[
        ("(defstruct p x) (let ((s (make-p :x 1))) (funcall #'(setf p-x) 5 s) s)", "#S(p :x 5)"),
        (
            "(defstruct p x) (let ((l (list (make-p) (make-p)))) (mapc #'(setf p-x) '(1 2) l) (mapcar #'p-x l))",
            "(1 2)",
        ),
        (
            "(defstruct (p (:conc-name p.)) x) (let ((s (make-p))) (apply #'(setf p.x) (list 5 s)) (p.x s))",
            "5",
        ),
        ("(defun (setf second-of) (v l) (list v l)) (funcall #'(setf second-of) 1 2)", "(1 2)"),
    ]);
}

#[test]
fn keys_may_be_given_twice_or_be_unknown_where_that_is_allowed() {
    check(&[
        ("(defun f (&key a b) (list a b)) (f :a 1 :a 2)", "(1 nil)"),
        ("(defun f (&key a) a) (f :a 1 :b 2 :allow-other-keys t)", "1"),
        ("(defun f (&key a) a) (f :allow-other-keys nil :a 1)", "1"),
        (
            "(defun f (&key a) a) (f :a 1 :b 2 :allow-other-keys nil)",
            "error: f: unknown key :b; expected :a",
        ),
        ("(defun f (&key a &allow-other-keys) a) (f :b 2 :a 1)", "1"),
        ("(defun f (&rest all &key a) (list all a)) (f :a 1 :a 2)", "((:a 1 :a 2) 1)"),
        ("(position 2 '(1 2 3 2) :from-end t :from-end nil)", "3"),
    ]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_goes_wrong_with_a_file_is_a_file_error() {
    check(&[
        (
            "(handler-case (with-open-file (s \"/dev/full\" :direction :output :if-exists :append) (dotimes (i 100000) (write-line \"text\" s))) (file-error (c) (po-condition-identifier c)))",
            ":file",
        ),
        (
            "(handler-case (let ((s (open \"/dev/full\" :direction :output :if-exists :append))) (write-line \"text\" s) (close s)) (file-error (c) (princ-to-string c)))",
            "\"close: No space left on device (os error 28)\"",
        ),
        ("(handler-case (with-open-file (s \"/\") (read-line s)) (file-error () :file))", ":file"),
        (
            "(handler-case (copy-file \"/etc/passwd\" \"/no/such/folder/x\") (file-error (c) (princ-to-string c)))",
            "\"copy-file: /no/such/folder/x: No such file or directory (os error 2)\"",
        ),
    ]);
}

#[test]
fn keys_of_sequence_functions_are_checked() {
    check(&[
        ("(member 2 '(2 1 3) :test-not #'=)", "(1 3)"),
        ("(member 2 '(2 1 3) :test-not (lambda (a b) (= a b)))", "(1 3)"),
        ("(member 2 '((1) (2)) :key #'car :test-not #'=)", "((1) (2))"),
        ("(assoc 2 '((1 . a) (2 . b)) :test-not #'=)", "(1 . a)"),
        (
            "(assoc 2 '((1 . a)) :tst #'=)",
            "error: assoc: unknown key :tst; expected :test, :test-not or :key; did you mean `:test`?",
        ),
        (
            "(member 2 '(1) :tst #'=)",
            "error: member: unknown key :tst; expected :test, :test-not or :key; did you mean `:test`?",
        ),
        (
            "(find 1 '(1 2) :test #'= :test-not #'=)",
            "error: :test and :test-not cannot both be given",
        ),
        (
            "(remove 1 '(1 2) :test #'= :test-not #'=)",
            "error: :test and :test-not cannot both be given",
        ),
        ("(remove 1 '(1 2 1) :count 'x)", "error: :count: expected a whole number, got x"),
        ("(remove 1 '(1 2 1) :count -1)", "(1 2 1)"),
        ("(fill (vector 1 2 3) 0 :start 5)", "error: 5 to 3 is not within a sequence of length 3"),
        (
            "(fill (vector 1 2 3) 0 :start 2 :end 1)",
            "error: 2 to 1 is not within a sequence of length 3",
        ),
        (
            "(replace (vector 1 2 3) '(9) :start1 5)",
            "error: 5 to 3 is not within a sequence of length 3",
        ),
        (
            "(let ((l '())) (list (map nil (lambda (x y) (push (+ x y) l)) '(1 2) #(3 4)) l))",
            "(nil (6 4))",
        ),
        ("(let ((p (list :a 1 :b 2))) (list (remf p :a) (remf p :c) p))", "(t nil (:b 2))"),
        (
            "(defstruct s a) (mapcar #'type-of (list 5 \"a\" 'a :k nil t 1.5 #\\a '(1) #'car (make-s) (make-condition 'type-error)))",
            "(integer string symbol keyword null boolean float character cons function s type-error)",
        ),
        (
            "(with-input-from-string (s (format nil \"a~%b\")) (list (multiple-value-list (read-line s)) (multiple-value-list (read-line s)) (multiple-value-list (read-line s nil :eof))))",
            "((\"a\" nil) (\"b\" t) (:eof t))",
        ),
        (
            "(with-input-from-string (s \"a\" :index 5) (read s))",
            "error: with-input-from-string: unknown key :index; expected :start or :end",
        ),
        ("(with-input-from-string (s \"abc\" :start 1 :end 2) (read s))", "b"),
    ]);
}
