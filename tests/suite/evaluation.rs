//! `eval`, `read` and `read-from-string`, and the forms of a top-level `progn`.

use super::common_lisp::{Language, check};
use postoffice::condition::Identifier;
use postoffice::host::{Host, Options};
use postoffice::policy::Policy;

#[test]
fn read_from_string_starts_anywhere_in_a_long_text() {
    let text = "(concatenate 'string (make-string 2000 :initial-element #\\é) \" (a b) c\")";
    let read =
        |keys: &str| format!("(multiple-value-list (read-from-string {text} nil :none {keys}))");
    let rows: Vec<(String, &str)> = vec![
        (read(":start 2000"), "((a b) 2006)"),
        (read(":start 2006"), "(c 2008)"),
        (read(":start 2008"), "(:none 2008)"),
        (read(":start 2000 :end 2001"), "(:none 2008)"),
        (
            read(":start 3000"),
            "error: read-from-string: expected :start and :end within a length of 2008, got 3000 and 2008",
        ),
        (
            read(":start 5 :end 4"),
            "error: read-from-string: expected :start and :end within a length of 2008, got 5 and 4",
        ),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(form, answer)| (&**form, *answer)).collect();
    check(&rows);
}

#[test]
fn eval_does_what_the_form_does_at_top_level() {
    check(&[
        ("(eval '(+ 1 2))", "3"),
        ("(eval 5)", "5"),
        ("(list (eval nil) (eval t) (eval :k) (eval \"s\") (eval ''a))", "(nil t :k \"s\" a)"),
        ("(progn (setq *x* 5) (eval '*x*))", "5"),
        ("(eval '(let ((y 2)) (* y 21)))", "42"),
        ("(eval (list '+ 1 (list '* 2 3)))", "7"),
        ("(eval `(list ,@'(1 2) 'a \"b\" #\\c 1.5 :d))", "(1 2 a \"b\" #\\c 1.5 :d)"),
        ("(let ((x 1)) (eval '(defvar *y* 7)) (eval '*y*))", "7"),
        ("(progn (eval '(defun f (x) (* x 2))) (f 21))", "42"),
        ("(progn (eval '(setq f2 (lambda (x) (* x 2)))) (funcall f2 4))", "8"),
        ("(eval '(progn (defun g () (h)) (defun h () 3) (g)))", "3"),
        (
            "(progn (setq n 0) (defmacro counter () (incf n)) (list (eval '(list (counter) (counter))) n))",
            "((1 2) 2)",
        ),
        ("(eval '(progn (defmacro twice (x) `(list ,x ,x)) (twice 4)))", "(4 4)"),
        (
            "(progn (defmacro thrice (x) `(list ,x ,x ,x)) (eval '(thrice (thrice 1))))",
            "((1 1 1) (1 1 1) (1 1 1))",
        ),
        (
            "(eval '(progn (define-syntax my-or (syntax-rules () ((_ a b) (let ((x a)) (if x x b))))) (setq x 5) (my-or nil x)))",
            "5",
        ),
        ("(progn (eval '(defstruct point x y)) (eval '(point-x (make-point :x 3))))", "3"),
        ("(multiple-value-list (eval '(floor 7 2)))", "(3 1)"),
        ("(multiple-value-list (eval '(values)))", "nil"),
        ("(+ 0 (eval '(floor 7 2)))", "3"),
        ("(eval '(eval '(eval '(+ 1 1))))", "2"),
        ("(mapcar #'eval '((+ 1 1) (* 2 3) 'a))", "(2 6 a)"),
        ("(let ((sum 0)) (dotimes (i 600) (setq sum (+ sum (eval `(+ ,i 1))))) sum)", "180300"),
        ("(block b (eval '(dolist (i '(1 2 3)) (when (= i 2) (return i)))))", "2"),
        ("(eval '(block nil (handler-case (error \"no\") (error (c) (return 9)))))", "9"),
        ("(let ((i 0)) (list (unwind-protect (eval '(+ 1 1)) (setq i 5)) i))", "(2 5)"),
        // Objects that have no syntax.
        ("(let ((f (lambda (x) (+ x 1)))) (eval `(funcall ,f 4)))", "5"),
        ("(let ((f (lambda (x) (+ x 1)))) (eval `(mapcar ,f '(1 2))))", "(2 3)"),
        ("(let ((h (make-hash-table))) (eval `(setf (gethash 1 ,h) 2)) (gethash 1 h))", "2"),
        ("(let ((h (make-hash-table))) (eq h (second (eval `'(a ,h)))))", "t"),
        ("(let ((v (vector 1 2))) (eval `(setf (aref ,v 0) 9)) v)", "#(9 2)"),
        ("(let ((v (vector 1 2))) (eq v (eval v)))", "t"),
        // The lexical variables around are not seen.
        ("(let ((hidden 1)) (eval 'hidden))", "error: unbound variable: hidden"),
        ("(let ((hidden 1)) (eval '(+ hidden 1)))", "error: unbound variable: hidden"),
    ]);
}

#[test]
fn errors_in_an_evaluated_form_are_conditions() {
    check(&[
        ("(eval '(error \"no ~a\" 1))", "error: no 1"),
        ("(handler-case (eval '(car 5)) (error (c) :caught))", ":caught"),
        (
            "(handler-case (eval '(if)) (error (c) (po-condition-message c)))",
            "\"if: expected (if test then else)\"",
        ),
        (
            "(handler-case (eval '(defclass a () ())) (error (c) (integerp (search \"defclass\" (po-condition-message c)))))",
            "t",
        ),
        ("(let ((n 0)) (ignore-errors (eval `(no-such-function (setq n 1)))) n)", "0"),
        ("(eval '(1 2))", "error: not a function: 1; a list of data is quoted: '(1 …)"),
        ("(eval '(a . b))", "error: a call is a proper list; this one has a dot"),
        ("(eval '(defmacro bad () (car 5)))", "bad"),
        ("(progn (ignore-errors (eval '(progn (setq a1 1) (error \"x\") (setq a1 2)))) a1)", "1"),
        (
            "(progn (eval '(defmacro m () '(progn (m)))) (handler-case (eval '(m)) (error () :deep)))",
            ":deep",
        ),
        (
            "(let ((form 1)) (dotimes (i 1500) (setq form (list 'list form))) (handler-case (eval form) (error () :deep)))",
            ":deep",
        ),
        (
            "(defmacro late () (eval '(+ 1 1))) (late)",
            "error: while expanding: eval: not while a macro of the program is being expanded",
        ),
    ]);
}

#[test]
fn a_form_typed_later_sees_what_eval_defined() {
    let mut language = Language::new();
    for (form, shown) in [
        ("(eval '(defun f (x) (* x 2)))", "f"),
        ("(f 3)", "6"),
        ("(eval '(defmacro m (x) `(f ,x)))", "m"),
        ("(m 4)", "8"),
        ("(defun f (x) (* x 10))", "f"),
        ("(eval '(m 4))", "40"),
        ("(eval '(defvar *v* 1))", "*v*"),
        ("(let ((*v* 2)) (eval '*v*))", "2"),
        ("*v*", "1"),
        ("(eval '(setf *v* (string-upcase \"x\")))", "\"X\""),
        ("(ignore-errors (eval '(list (string-downcase \"A\") (undefined-thing))))", "nil"),
        ("(string-downcase \"A\")", "\"a\""),
        ("(eval '(remove-duplicates '(1 1 2)))", "(1 2)"),
        ("(remove-duplicates '(2 2))", "(2)"),
    ] {
        assert_eq!(language.shows(form), shown, "{form}");
    }
}

#[test]
fn a_program_that_evaluates_is_still_checked_for_unknown_functions() {
    let run = |text: &str| {
        let result = Host::new(Options::default()).evaluate_file(text, "test");
        result.map(drop).map_err(|report| report.condition.message)
    };
    assert_eq!(run("(eval '(defun f () 1)) (f)"), Ok(()));
    assert_eq!(run("(eval (read-from-string \"(defun f () 1)\")) (f)"), Ok(()));
    let refused = run("(eval '(+ 1 1)) (carr 5)").unwrap_err();
    assert!(refused.starts_with("the function carr is not defined"), "{refused}");
}

#[test]
fn an_untrusted_script_gains_nothing_by_eval() {
    let mut host = Host::new(Options { policy: Policy::untrusted(), ..Options::default() });
    host.register_fn("forbidden", "()", "", |_| Ok(postoffice::host::nil()));
    for form in [
        "(forbidden)",
        "(eval '(forbidden))",
        "(eval '(funcall 'forbidden))",
        "(eval (read-from-string \"(forbidden)\"))",
        "(eval (list (intern \"forbidden\")))",
        "(eval '(let ((f #'forbidden)) (funcall f)))",
        "(eval '(progn (defmacro m () '(forbidden)) (m)))",
        "(eval '(open \"/etc/passwd\"))",
        "(eval '(%run-text \"1\"))",
        "(eval '(s/%run-text \"1\"))",
        "(eval '(#%prim.eval-string \"1\"))",
        "(eval '(%constant 0))",
    ] {
        let refused = host.evaluate(form, "test").map(drop).unwrap_err().condition;
        let is_refusal = refused.identifier == Identifier::NotAllowed
            || refused.message.contains("is not defined")
            || refused.message.contains("unbound variable")
            || refused.message.contains("unknown syntax")
            || refused.message.contains("may not");
        assert!(is_refusal, "{form}: {refused:?}");
    }
}

#[test]
fn data_is_read_as_programs_are() {
    check(&[
        (
            "(multiple-value-list (read-from-string \"(a b \\\"c\\\" :d 1.5 #\\\\x) rest\"))",
            "((a b \"c\" :d 1.5 #\\x) 20)",
        ),
        ("(multiple-value-list (read-from-string \"abc def\"))", "(abc 4)"),
        (
            "(multiple-value-list (read-from-string \"abc def\" t nil :preserve-whitespace t))",
            "(abc 3)",
        ),
        ("(multiple-value-list (read-from-string \"(a)  b\"))", "((a) 3)"),
        ("(multiple-value-list (read-from-string \"12\"))", "(12 2)"),
        ("(multiple-value-list (read-from-string \" ; c\n 'x\"))", "((quote x) 8)"),
        ("(multiple-value-list (read-from-string \"a b c\" t nil :start 2))", "(b 4)"),
        ("(multiple-value-list (read-from-string \"a bcd\" t nil :start 2 :end 4))", "(bc 4)"),
        ("(multiple-value-list (read-from-string \"ä ö\" t nil :start 2))", "(ö 3)"),
        ("(multiple-value-list (read-from-string \"\" nil :eof))", "(:eof 0)"),
        ("(multiple-value-list (read-from-string \"  \" nil))", "(nil 2)"),
        ("(read-from-string \"\")", "error: read-from-string: the string has ended"),
        (
            "(read-from-string \"(a\")",
            "error: read-from-string: the form that starts here is not closed",
        ),
        (
            "(read-from-string \"(a\" nil)",
            "error: read-from-string: the form that starts here is not closed",
        ),
        ("(read-from-string \")\")", "error: read-from-string: this parenthesis closes nothing"),
        (
            "(read-from-string \"#<x>\")",
            "error: read-from-string: #<…> is how an object prints; it cannot be read",
        ),
        (
            "(read-from-string \"a\" t nil :start 2)",
            "error: read-from-string: expected :start and :end within a length of 1, got 2 and 1",
        ),
        ("(read-from-string 5)", "error: read-from-string: expected a string, got 5"),
        (
            "(equal (read-from-string (prin1-to-string '(a \"b\\\"c\" (1 . 2) #(3) :k #\\Space))) '(a \"b\\\"c\" (1 . 2) #(3) :k #\\Space))",
            "t",
        ),
        (
            "(with-input-from-string (s \"(a\n b) c 12 \\\"x\\\"y\") (list (read s) (read s) (read s) (read s) (read s) (read s nil :eof)))",
            "((a b) c 12 \"x\" y :eof)",
        ),
        (
            "(with-input-from-string (s \"(a) rest of the line\nnext\") (list (read s) (read-line s) (read-line s)))",
            "((a) \" rest of the line\" \"next\")",
        ),
        ("(with-input-from-string (s \"a b\") (list (read s) (read-char s)))", "(a #\\b)"),
        ("(with-input-from-string (s \"; only a comment\") (read s nil nil))", "nil"),
        (
            "(with-input-from-string (s \"(a \") (read s nil nil))",
            "error: read: the form that starts here is not closed",
        ),
        ("(with-input-from-string (s \"\") (read s t))", "error: read: the file has ended"),
        ("(eof-object? (with-input-from-string (s \"\") (read s)))", "t"),
        ("(eval (read-from-string \"(mapcar #'1+ '(1 2 3))\"))", "(2 3 4)"),
        (
            "(with-input-from-string (s (format nil \"(~{~a~%~})\" (loop for i below 5000 collect i))) (length (read s)))",
            "5000",
        ),
    ]);
}

#[test]
fn a_macro_that_a_progn_defines_is_known_to_the_rest_of_it() {
    check(&[
        ("(progn (defmacro m (x) `(* 2 ,x)) (m 4))", "8"),
        ("(begin (define-syntax m (syntax-rules () ((_ x) (* 2 x)))) (m 5))", "10"),
        ("(progn (progn (defmacro m () 1)) (progn (defun f () (m))) (f))", "1"),
        (
            "(defmacro def-both (name) `(progn (defmacro ,name (x) `(list ,x)) (defun use () (,name 7)))) (def-both wrap) (use)",
            "(7)",
        ),
        (
            "(define-syntax both (syntax-rules () ((_ name f) (begin (define-syntax name (syntax-rules () ((_ x) (list x x)))) (define (f) (name 1)))))) (both pair g) (g)",
            "(1 1)",
        ),
        (
            "(defmacro def-point () '(progn (defstruct pt x y) (defun xs () (pt-x (make-pt :x 3))))) (def-point) (xs)",
            "3",
        ),
        (
            "(defmacro def-place () '(progn (defun get-it (h) (gethash 1 h)) (defsetf get-it (h) (v) `(setf (gethash 1 ,h) ,v)) (define-modify-macro add-to (n) +))) (def-place) (let ((h (make-hash-table))) (setf (get-it h) 5) (add-to (get-it h) 2) (get-it h))",
            "7",
        ),
        (
            "(defmacro m1 () '(progn (defmacro m2 () '(progn (defmacro m3 () 3) (m3))) (m2))) (m1)",
            "3",
        ),
        ("(defmacro m () '(block nil (return 1) 2)) (m)", "1"),
        ("(defmacro m () '(block nil (return-from nil 1) 2)) (m)", "1"),
        ("(multiple-value-list (progn 1 (values 2 3)))", "(2 3)"),
        ("(progn)", "nil"),
    ]);
}
