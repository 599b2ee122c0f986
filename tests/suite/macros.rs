//! Local macros, names that stand for forms, and globals by their names.

use super::common_lisp::check;

#[test]
fn macrolet_defines_macros_for_its_body() {
    check(&[
        ("(macrolet ((m (x) `(* 2 ,x))) (m (m 4)))", "16"),
        ("(macrolet ((a () 1) (b (&rest l) `(+ ,@l))) (b (a) (a) 5))", "7"),
        (
            "(macrolet ((my-if (test &optional then &body else) `(if ,test ,then (progn ,@else)))) (my-if nil 1 2 3))",
            "3",
        ),
        ("(defun f (x) (macrolet ((twice (y) `(list ,y ,y))) (twice x))) (f 3)", "(3 3)"),
        ("(let ((x 5)) (macrolet ((get-x () 'x)) (list (get-x) (let ((x 6)) (get-x)))))", "(5 6)"),
        (
            "(macrolet ((outer (x) `(macrolet ((inner (y) `(list ,y))) (inner ,x)))) (outer 7))",
            "(7)",
        ),
        ("(defmacro m () 1) (list (macrolet ((m () 2)) (m)) (m))", "(2 1)"),
        ("(macrolet ((car (x) `(list :mine ,x))) (car '(1)))", "(:mine (1))"),
        ("(list (macrolet ((m () 1)) (m)) (macrolet ((m () 2)) (m)))", "(1 2)"),
        ("(macrolet ((m () 1)) (defun g () (m))) (g)", "1"),
        ("(macrolet () 5)", "5"),
        ("(defmacro with-it (form) `(macrolet ((it () 10)) ,form)) (with-it (+ (it) 1))", "11"),
        (
            "(defun count-to (n) (macrolet ((collect (x) `(push ,x result))) (let ((result '())) (dotimes (i n) (collect i)) (reverse result)))) (count-to 3)",
            "(0 1 2)",
        ),
        (
            "(macrolet ((m (x) (car x))) (m 5))",
            "error: while expanding: car: expected a list or pair, got 5",
        ),
        ("(macrolet ((m)) 1)", "error: macrolet: expected (name (parameter …) form …)"),
        ("(macrolet ((5 () 1)) 1)", "error: macrolet: expected a name"),
        ("(macrolet nil 5)", "5"),
        ("(macrolet m 5)", "error: macrolet: expected a list of macros"),
        ("(symbol-macrolet 5 6)", "error: symbol-macrolet: expected a list of names and forms"),
        ("(let-syntax m 5)", "error: let-syntax: expected a list of macros"),
        ("(letrec-syntax m 5)", "error: letrec-syntax: expected a list of macros"),
        ("(define-condition c x ())", "error: define-condition: expected a list of parents"),
        ("(define-condition c () x)", "error: define-condition: expected a list of slots"),
    ]);
}

#[test]
fn macros_of_letrec_syntax_expand_to_calls_of_each_other() {
    let or = "(my-or (syntax-rules () ((_) #f) ((_ e) e) ((_ e r ...) (let ((t e)) (if t t (my-or r ...))))))";
    let parity = "(ev? (syntax-rules () ((_) t) ((_ x r ...) (od? r ...)))) (od? (syntax-rules () ((_) nil) ((_ x r ...) (ev? r ...))))";
    check(&[
        (&format!("(letrec-syntax ({or}) (let ((t 5)) (my-or #f nil t)))"), "5"),
        (&format!("(letrec-syntax ({parity}) (list (ev? 1 2) (ev? 1 2 3)))"), "(t nil)"),
        (
            &format!("(defun f (x) (letrec-syntax ({or}) (my-or nil x 7))) (list (f nil) (f 1))"),
            "(7 1)",
        ),
        ("(letrec-syntax () 1 2)", "2"),
        ("(letrec-syntax ((m)) 1)", "error: letrec-syntax: expected (name (syntax-rules …))"),
    ]);
}

#[test]
fn a_variable_may_be_named_t() {
    check(&[
        ("(let ((t nil)) (if t 1 2))", "2"),
        ("(let ((t 5)) (cond (t t)))", "5"),
        (
            "(let-syntax ((m (syntax-rules () ((_ e) (let ((t e)) (if t t 7)))))) (list (m nil) (m 1)))",
            "(7 1)",
        ),
        ("(defun f (t) (and t :yes)) (list (f nil) (f 1))", "(nil :yes)"),
        ("(list (if t 1 2) (cond (else 3)) (let ((t nil)) (case 1 (t 4))))", "(1 3 4)"),
    ]);
}

#[test]
fn whole_is_the_form_of_the_call() {
    check(&[
        ("(defmacro m (&whole w a b) `(list ',w ,a ,b)) (m 1 (+ 1 1))", "((m 1 (+ 1 1)) 1 2)"),
        ("(defmacro m (&whole w) `',w) (m)", "(m)"),
        ("(defmacro m (&whole w &rest r) `'(,w ,r)) (m 1 2)", "((m 1 2) (1 2))"),
        (
            "(defmacro m (&whole w a &optional (b 5) &key (c 6)) `'(,w ,a ,b ,c)) (list (m 1) (m 1 2 :c 3))",
            "(((m 1) 1 5 6) ((m 1 2 :c 3) 1 2 3))",
        ),
        ("(defmacro m (&whole w a . r) `'(,(length w) ,a ,r)) (m 1 2 3)", "(4 1 (2 3))"),
        (
            "(defmacro m (&whole w (a &whole v b) c) `'(,w ,a ,v ,b ,c)) (m (1 2) 3)",
            "error: lambda: &whole comes first, with a name after it",
        ),
        (
            "(defmacro m (&whole w (&whole v a b) c) `'(,w ,v ,a ,b ,c)) (m (1 2) 3)",
            "((m (1 2) 3) (1 2) 1 2 3)",
        ),
        (
            "(defmacro m ((&whole v a &rest r) &body b) `'(,v ,a ,r ,b)) (m (1 2 3) 4)",
            "((1 2 3) 1 (2 3) (4))",
        ),
        ("(macrolet ((m (&whole w x) `'(,w ,x))) (m 5))", "((m 5) 5)"),
        (
            "(list (macrolet ((m (&whole w x) `'(,w ,x))) (m 5)) (macrolet ((m (x) `'(,x))) (m 5)))",
            "(((m 5) 5) (5))",
        ),
        ("(eval '(macrolet ((m (&whole w x) `'(,w ,x))) (m 5)))", "((m 5) 5)"),
        ("(eval '(defmacro m (&whole w x) `'(,w ,x))) (eval '(m 6))", "((m 6) 6)"),
        ("(destructuring-bind (&whole w a (b)) '(1 (2)) (list w a b))", "((1 (2)) 1 2)"),
        ("(destructuring-bind (&whole w &key a) '(:a 1) (list w a))", "((:a 1) 1)"),
        (
            "(destructuring-bind (a (&whole w b &optional (c (length w)))) '(1 (2)) (list a w b c))",
            "(1 (2) 2 1)",
        ),
        (
            "(let ((n 0)) (destructuring-bind (&whole w a) (progn (incf n) '(1)) (list w a n)))",
            "((1) 1 1)",
        ),
        // A macro that gives up returns its form.
        (
            "(defun twice (x) (* 2 x)) (defmacro m (&whole w x) (if (numberp x) (* 2 x) `(twice ,(second w)))) (list (m 4) (let ((y 5)) (m y)))",
            "(8 10)",
        ),
        ("(defmacro m (a &whole w) 1)", "error: lambda: &whole comes first, with a name after it"),
        ("(defmacro m (&whole) 1) (m)", "error: lambda: &whole comes first, with a name after it"),
        ("(lambda (&whole w a) 1)", "error: lambda: &whole is for the lambda list of a macro"),
        ("(defun f (&whole w a) 1)", "error: lambda: &whole is for the lambda list of a macro"),
    ]);
}

#[test]
fn symbol_macrolet_names_a_form() {
    check(&[
        ("(symbol-macrolet ((x (+ 1 2))) (list x (* x 2)))", "(3 6)"),
        (
            "(let ((l (list 1 2 3))) (symbol-macrolet ((a (car l)) (b (second l))) (setq a 10) (incf b) (list a b l)))",
            "(10 3 (10 3 3))",
        ),
        ("(let ((l (list 1 2))) (symbol-macrolet ((a (car l))) (setf a 5) (push 1 l) a))", "1"),
        (
            "(let ((h (make-hash-table))) (symbol-macrolet ((v (gethash :k h))) (setf v 1) (incf v 2) (list v (gethash :k h))))",
            "(3 3)",
        ),
        (
            "(let ((v (vector 1 2))) (symbol-macrolet ((x (aref v 0)) (y (aref v 1))) (rotatef x y) v))",
            "#(2 1)",
        ),
        ("(symbol-macrolet ((x 1)) (let ((x 2)) x))", "2"),
        ("(symbol-macrolet ((x (list y))) (let ((y 2)) x))", "(2)"),
        ("(symbol-macrolet ((x 1)) (symbol-macrolet ((x 2)) x))", "2"),
        ("(symbol-macrolet ((list 5)) (list list))", "(5)"),
        ("(symbol-macrolet ((x 1)) '(x))", "(x)"),
        ("(let ((n 0)) (symbol-macrolet ((next (incf n))) (list next next)))", "(1 2)"),
        ("(symbol-macrolet ((x 5)) (setq x 1))", "error: setf: expected a place, got a constant"),
        (
            "(let ((c (list 1))) (symbol-macrolet ((x (car c))) (multiple-value-setq (x) (floor 7 2)) c))",
            "(3)",
        ),
    ]);
}

#[test]
fn globals_are_reached_by_their_names() {
    check(&[
        ("(defvar *d* 1) (defun show () *d*) (list (progv '(*d*) '(2) (show)) (show))", "(2 1)"),
        ("(defvar *d* 1) (ignore-errors (progv '(*d*) '(2) (error \"x\"))) *d*", "1"),
        ("(progv '(fresh) '(1) (symbol-value 'fresh))", "1"),
        ("(progv '(fresh) '(1) nil) (boundp 'fresh)", "nil"),
        ("(defvar *d* 1) (list (progv '(*d*) '() (boundp '*d*)) *d*)", "(nil 1)"),
        ("(progv '() '(1 2) 3)", "3"),
        ("(multiple-value-list (progv '() '() (values 1 2)))", "(1 2)"),
        ("(progv '(5) '(1) 3)", "error: boundp: expected the name of a variable, got 5"),
        (
            "(defvar *d* 1) (list (boundp '*d*) (boundp 'zork) (boundp :k) (boundp nil) (boundp t))",
            "(t nil t t t)",
        ),
        (
            "(defun f () 1) (list (fboundp 'f) (fboundp 'car) (fboundp 'when) (fboundp 'if) (fboundp 'zork) (fboundp nil))",
            "(t t t t nil nil)",
        ),
        ("(defun f (x) (* x 2)) (funcall (symbol-function 'f) 4)", "8"),
        ("(funcall (fdefinition 'car) '(1 2))", "1"),
        ("(set 'zork 5) (list (symbol-value 'zork) (eval 'zork))", "(5 5)"),
        ("(set 'zork (list 1 2)) (symbol-value 'zork)", "(1 2)"),
        ("(setf (symbol-value 'zork) 5) (incf (symbol-value 'zork)) (symbol-value 'zork)", "6"),
        ("(setf (symbol-function 'zork) (lambda (x) (list x))) (eval '(zork 5))", "(5)"),
        ("(set :k 5)", "error: set: expected the name of a variable, got :k"),
        ("(set 'zork 5) (list (makunbound 'zork) (boundp 'zork))", "(zork nil)"),
        ("(symbol-value 'zork)", "error: unbound variable: zork"),
        ("(symbol-value 5)", "error: symbol-value: expected the name of a variable, got 5"),
        ("(list (symbol-value :k) (symbol-value nil) (symbol-value t))", "(:k nil t)"),
        ("(funcall (symbol-function 'zork))", "error: the function zork is not defined"),
    ]);
}
