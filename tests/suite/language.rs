//! The language as scripts see it, without any mail: words, reader, printer, conditions,
//! definitions, the places that errors are reported at, natives, and interrupts.
//!
//! Most tests are tables of a form and what it prints, evaluated in one session, so a form can use
//! the definitions of those before it. A failing table prints the rows to paste.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::stopwatch::Stopwatch;
use postoffice::condition::{Condition, Identifier};
use postoffice::host::{self, Call, Function, Host, Options, Report, Run, Value};
use postoffice::lisp::{
    Completeness, Datum, ReadErrorKind, completeness, printer, read, read_data,
};
use proptest::prelude::*;

struct Session {
    host: Host,
    output: Arc<Mutex<String>>,
    warnings: Arc<Mutex<Vec<String>>>,
}

fn session() -> Session {
    let (output, warnings) =
        (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
    let (written, warned) = (output.clone(), warnings.clone());
    let options = Options {
        arguments: vec!["one".into(), "two".into()],
        output: Box::new(move |text| {
            written.lock().unwrap().push_str(text);
            Ok(())
        }),
        warnings: Box::new(move |condition| warned.lock().unwrap().push(condition.to_string())),
        ..Options::default()
    };
    Session { host: Host::new(options), output, warnings }
}

impl Session {
    fn run(&mut self, source: &str) -> Result<String, Box<Report>> {
        let value = self.host.evaluate(source, "test.scm").map_err(Box::new)?;
        Ok(printer::readably(&self.host.datum(&value)))
    }

    /// Returns the value as printed, or `error: message`.
    fn shows(&mut self, source: &str) -> String {
        self.run(source).unwrap_or_else(|report| format!("error: {}", report.condition.message))
    }

    fn output(&self) -> String {
        std::mem::take(&mut *self.output.lock().unwrap())
    }

    /// Returns the error as `line:column message`.
    fn failure(&mut self, source: &str) -> String {
        match self.run(source) {
            Ok(value) => format!("no error but {value}"),
            Err(report) => match &report.place {
                Some(place) => {
                    format!("{}:{} {}", place.line, place.column, report.condition.message)
                }
                None => format!("nowhere {}", report.condition.message),
            },
        }
    }
}

/// Checks pairs of a form and what it prints, all in one session.
fn check(table: &[(&str, &str)]) {
    let mut session = session();
    let mut wrong = String::new();
    for (source, expected) in table {
        let got = session.shows(source);
        if got != *expected {
            wrong.push_str(&format!("\n        ({source:?}, {got:?}),   // expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn common_lisp_words() {
    check(&[
        ("(setq a 1 b 2)", "2"),
        ("(list a b)", "(1 2)"),
        ("(defun add (x &optional (y 10 yp)) (list x y yp))", "add"),
        ("(add 1)", "(1 10 nil)"),
        ("(add 1 2)", "(1 2 t)"),
        ("(add 1 2 3)", "error: add: got 1 argument too many"),
        ("(defun keyed (&rest all &key (a 1) ((:b bee) (+ a 1) bp)) (list all a bee bp))", "keyed"),
        ("(keyed)", "(nil 1 2 nil)"),
        ("(keyed :b 5)", "((:b 5) 1 5 t)"),
        ("(keyed :c 5)", "error: keyed: unknown key :c; expected :a or :b"),
        ("(keyed :a)", "error: keyed: the key :a has no value"),
        ("(keyed :a 1 :a 2)", "((:a 1 :a 2) 1 2 nil)"),
        ("(defvar v 1)", "v"),
        ("(defvar v 2)", "v"),
        ("v", "1"),
        ("(defparameter v 3)", "v"),
        ("v", "3"),
        ("(defmacro swap (x y) `(let ((tmp ,x)) (setq ,x ,y) (setq ,y tmp)))", "swap"),
        ("(let ((p 1) (q 2)) (swap p q) (list p q))", "(2 1)"),
        ("(defmacro with-it ((name value) &body body) `(let ((,name ,value)) ,@body))", "with-it"),
        ("(with-it (z 5) (* z z))", "25"),
        ("(let ((x 1)) (let* ((x 2) (y x)) (list x y)))", "(2 2)"),
        ("(let ((x 1)) (let ((x 2) (y x)) (list x y)))", "(2 1)"),
        ("(flet ((f (x) (* 2 x))) (f 4))", "8"),
        (
            "(labels ((ev (n) (if (= n 0) t (od (- n 1)))) (od (n) (if (= n 0) nil (ev (- n 1))))) (ev 1001))",
            "nil",
        ),
        ("((lambda (x . y) (list x y)) 1 2 3)", "(1 (2 3))"),
        ("(if nil 1 2)", "2"),
        ("(if '() 1 2)", "2"),
        ("(if #f 1 2)", "2"),
        ("(if 0 1 2)", "1"),
        ("(if nil 1)", "nil"),
        ("(when (list) 1)", "nil"),
        ("(unless nil 1 2)", "2"),
        ("(cond (nil 1) ((list 5) => car) (t 3))", "5"),
        ("(cond (nil 1) (7) (else 3))", "7"),
        ("(case :b (:a 1) ((:b :c) 2) (otherwise 3))", "2"),
        ("(case 9 (1 2))", "nil"),
        ("(and 1 nil 2)", "nil"),
        ("(and 1 2)", "2"),
        ("(or nil '() #f 3 (car 5))", "3"),
        ("(not nil)", "t"),
        ("(not 0)", "nil"),
        ("(null '())", "t"),
        ("(mapcar #'not '(nil 1))", "(t nil)"),
        ("(mapcar 'null '(1))", "(nil)"),
        ("(progn 1 2)", "2"),
        ("(prog1 1 2)", "1"),
        ("(let ((acc nil)) (dolist (x '(1 2 3) acc) (push x acc)))", "(3 2 1)"),
        ("(dolist (x '(1 2 3)) (when (= x 2) (return (* 10 x))))", "20"),
        ("(dolist (x nil) x)", "nil"),
        ("(dolist (x 5) x)", "error: dolist: expected a list, got 5"),
        ("(let ((s 0)) (dotimes (i 5 s) (incf s i)))", "10"),
        ("(do ((i 0 (+ i 1)) (s 0 (+ s i))) ((= i 5) s))", "10"),
        ("(do* ((i 0 (+ i 1)) (j i i)) ((= i 3) j))", "3"),
        (
            "(let ((x 5)) (incf x) (incf x 10) (decf x 2) (list x (pop (list))))",
            "error: pop: (list …) is not a place: nothing defines how it is set; (defun (setf list) (value …) …) or defsetf can",
        ),
        ("(let ((x 5)) (incf x) (incf x 10) (decf x 2) x)", "14"),
        ("(let ((l '(1 2))) (push 0 l) (list (pop l) l))", "(0 (1 2))"),
        ("(setf a 9 b 10)", "10"),
        ("(multiple-value-bind (x y z) (values 1 2) (list x y z))", "(1 2 nil)"),
        ("(list (values 1 2) 3)", "(1 3)"),
        ("(multiple-value-bind (x y) 7 (list x y))", "(7 nil)"),
        ("(multiple-value-list (values 1 2 3))", "(1 2 3)"),
        ("(call-with-values (lambda () (values 1 2)) +)", "3"),
        ("(receive (a . rest) (values 1 2 3) (list a rest))", "(1 (2 3))"),
        ("(let-values (((a b) (values 1 2)) ((c) (values 3))) (list a b c))", "(1 2 3)"),
        ("(define-values (dv1 dv2) (values 1 2))", "nil"),
        ("(list dv1 dv2)", "(1 2)"),
        ("(funcall #'+ 1 2)", "3"),
        ("(apply #'+ 1 2 '(3 4))", "10"),
        ("(mapcar #'+ '(1 2 3) '(10 20))", "(11 22)"),
        ("(let ((s 0)) (mapc (lambda (x) (incf s x)) '(1 2)) s)", "3"),
        ("(mapcan (lambda (x) (list x x)) '(1 2))", "(1 1 2 2)"),
        ("(reduce #'+ '(1 2 3))", "6"),
        ("(reduce #'list '(1 2 3) :initial-value 0)", "(((0 1) 2) 3)"),
        ("(reduce #'list '(1 2 3) :from-end t)", "(1 (2 3))"),
        ("(reduce + 0 '(1 2 3))", "6"),
        ("(reduce #'+ nil)", "0"),
        ("(remove-if #'evenp '(1 2 3 4))", "(1 3)"),
        ("(remove-if-not #'evenp '(1 2 3 4))", "(2 4)"),
        ("(remove-if (lambda (c) (equal c #\\a)) \"banana\")", "\"bnn\""),
        ("(find 2 '(1 2 3))", "2"),
        ("(find \"b\" '((\"a\" 1) (\"B\" 2)) :key #'first :test #'string-equal)", "(\"B\" 2)"),
        ("(find 9 '(1))", "nil"),
        ("(find-if #'evenp '(1 3 4))", "4"),
        ("(position 3 '(1 2 3))", "2"),
        ("(position #\\l \"hello\")", "2"),
        ("(member 2 '(1 2 3))", "(2 3)"),
        ("(member 9 '(1 2 3))", "nil"),
        ("(member \"B\" '(\"a\" \"b\") :test #'equalp)", "(\"b\")"),
        ("(member 2.0 (list 1 2 3) =)", "(2 3)"),
        ("(assoc :b '((:a 1) (:b 2)))", "(:b 2)"),
        ("(assoc \"B\" '((\"a\" . 1) (\"b\" . 2)) :test #'string-equal)", "(\"b\" . 2)"),
        ("(assoc 9 nil)", "nil"),
        ("(equal '(1 (2)) (list 1 (list 2)))", "t"),
        ("(equal nil #f)", "t"),
        ("(eq nil '())", "t"),
        ("(eq 'a 'a)", "t"),
        ("(eql 1 1)", "t"),
        ("(equalp \"ABC\" \"abc\")", "t"),
        ("(string= \"a\" \"A\")", "nil"),
        ("(string-equal \"a\" \"A\")", "t"),
        (
            "(list (first '(1 2 3)) (second '(1 2 3)) (third '(1 2 3)) (rest '(1 2 3)))",
            "(1 2 3 (2 3))",
        ),
        ("(list (first nil) (rest nil) (third '(1)))", "(nil nil nil)"),
        ("(first \"x\")", "error: first: expected a list, got \"x\""),
        ("(nth 1 '(a b c))", "b"),
        ("(last '(1 2 3))", "(3)"),
        ("(append '(1) nil '(2 3))", "(1 2 3)"),
        ("(reverse '(1 2 3))", "(3 2 1)"),
        ("(reverse \"abc\")", "\"cba\""),
        ("(sort '(3 1 2) #'<)", "(1 2 3)"),
        ("(sort (list '(b 2) '(a 1)) #'< :key #'second)", "((a 1) (b 2))"),
        ("(length \"héllo\")", "5"),
        ("(length '(1 2))", "2"),
        ("(length nil)", "0"),
        ("(subseq \"héllo\" 1 3)", "\"él\""),
        ("(subseq '(1 2 3) 1)", "(2 3)"),
        ("(subseq \"abc\" 5)", "error: subseq: 5 is not within a sequence of length 3"),
        ("(concatenate 'string \"a\" \"b\")", "\"ab\""),
        ("(concatenate 'list '(1) '(2))", "(1 2)"),
        ("(search \"lo\" \"hello\")", "3"),
        ("(search \"x\" \"hello\")", "nil"),
        ("(search '(2 3) '(1 2 3))", "1"),
        ("(string-upcase \"abc\")", "\"ABC\""),
        ("(string-downcase \"ABC\")", "\"abc\""),
        ("(string-trim \" x\" \" xax \")", "\"a\""),
        ("(string-trim \"  a \")", "\"a\""),
        ("(parse-integer \"42\")", "42"),
        ("(parse-integer \"-7 \")", "-7"),
        ("(parse-integer \"4x\")", "error: parse-integer: not a whole number: \"4x\""),
        ("(parse-integer \"4x\" :junk-allowed t)", "4"),
        ("(parse-integer \"ff\" :radix 16)", "255"),
        ("(numberp (get-universal-time))", "t"),
        (
            "(multiple-value-list (decode-universal-time 3141592653 0))",
            "(33 37 0 22 7 1999 3 nil 0)",
        ),
        ("(encode-universal-time 33 37 0 22 7 1999 0)", "3141592653"),
        ("(getenv \"POSTOFFICE_NOT_SET\")", "nil"),
        ("(command-line)", "(\"one\" \"two\")"),
        ("(sleep 0)", "nil"),
        ("(catch 'done (dolist (x '(1 2)) (throw 'done x)))", "1"),
        ("(block b (+ 1 (return-from b 5)))", "5"),
        ("(defun early (x) (when x (return-from early 'yes)) 'no)", "early"),
        ("(list (early t) (early nil))", "(yes no)"),
        ("(destructuring-bind (a (b) &rest c) '(1 (2) 3 4) (list a b c))", "(1 2 (3 4))"),
        ("(every #'evenp '(2 4))", "t"),
        ("(some #'evenp '(1 4))", "t"),
        ("(net.post-office:first '(1))", "1"),
        ("(net.post-office::first '(1))", "1"),
        ("#x2064ca4a", "543476298"),
    ]);
}

#[test]
fn loop_clauses() {
    check(&[
        ("(loop for x in '(1 2 3) collect (* x x))", "(1 4 9)"),
        ("(loop for x on '(1 2) collect x)", "((1 2) (2))"),
        ("(loop for i from 0 to 10 by 5 collect i)", "(0 5 10)"),
        ("(loop for i from 3 downto 1 collect i)", "(3 2 1)"),
        ("(loop for i below 3 sum i)", "3"),
        ("(loop for x in '(3 1 2) maximize x)", "3"),
        ("(loop for x in '(3 1 2) minimize x)", "1"),
        ("(loop for x in '(1 2 3 4) when (evenp x) collect x)", "(2 4)"),
        (
            "(loop for x in '(1 2 3 4) unless (evenp x) collect x else collect (list x))",
            "(1 (2) 3 (4))",
        ),
        ("(loop for x in '(1 2 3) count (oddp x))", "2"),
        ("(loop for x in '((1) (2 3)) append x)", "(1 2 3)"),
        ("(loop for (a b) in '((1 2) (3 4)) collect (+ a b))", "(3 7)"),
        ("(loop for x in '(1 2 3) for y = (* x 10) collect (list x y))", "((1 10) (2 20) (3 30))"),
        ("(loop for x = 1 then (* 2 x) while (< x 20) collect x)", "(1 2 4 8 16)"),
        ("(loop repeat 3 collect 'x)", "(x x x)"),
        ("(loop with a = 5 for x in '(1 2) do (setq a (+ a x)) finally (return a))", "8"),
        ("(loop for c across \"abc\" collect c)", "(#\\a #\\b #\\c)"),
        (
            "(loop for x in '(1 2 3) until (= x 3) collect x into got finally (return (list 'got got)))",
            "(got (1 2))",
        ),
        ("(let ((n 0)) (loop (incf n) (when (> n 4) (return n))))", "5"),
        ("(loop for x in '(1 2 3) thereis (and (> x 1) x))", "2"),
        ("(loop for x in '(1 2 3) always (< x 5))", "t"),
        ("(loop for x in '(1 2) frobnicate x)", "error: loop: unknown clause frobnicate"),
        ("(loop :for x :in '(1 2) :collect x)", "(1 2)"),
        ("(while nil 1)", "nil"),
        ("(let ((i 0)) (while (< i 5) (incf i)) i)", "5"),
    ]);
}

#[test]
fn format_directives() {
    check(&[
        ("(format nil \"~a ~s\" \"x\" \"x\")", "\"x \\\"x\\\"\""),
        ("(format nil \"~d|~5d|~:d|~x\" 42 42 1234567 255)", "\"42|   42|1,234,567|FF\""),
        ("(format nil \"~{~a~^, ~}\" '(1 2 3))", "\"1, 2, 3\""),
        ("(format nil \"~{~a=~a ~}\" '(a 1 b 2))", "\"a=1 b=2 \""),
        ("(format nil \"~:{<~a ~a>~}\" '((1 2) (3 4)))", "\"<1 2><3 4>\""),
        ("(format nil \"~c~~\" #\\z)", "\"z~\""),
        ("(format nil \"~&a~%~&b\")", "\"a\nb\""),
        ("(format nil \"~10a|~10@a|\" 'x 'y)", "\"x         |         y|\""),
        ("(format nil \"~,2f\" 3.14159)", "\"3.14\""),
        ("(format nil \"~[zero~;one~]\" 1)", "\"one\""),
        ("(format nil \"~:[no~;yes~]\" nil)", "\"no\""),
        ("(format nil \"~d letter~:p\" 2)", "\"2 letters\""),
        ("(format nil \"~(ABC~)\")", "\"abc\""),
        ("(format nil \"~a\")", "error: format: more directives than arguments"),
        ("(format nil \"~q\" 1)", "error: format: unknown directive ~q"),
        ("(format nil \"~a\" nil)", "\"nil\""),
        ("(format nil \"~s\" '(:a \"b\"))", "\"(:a \\\"b\\\")\""),
        ("(with-output-to-string (s) (format s \"~a\" 1) (princ 2 s) (terpri s))", "\"12\n\""),
    ]);
}

#[test]
fn output_goes_to_the_sink() {
    let mut session = session();
    for (source, expected) in [
        ("(princ \"a\")", "a"),
        ("(prin1 \"a\")", "\"a\""),
        ("(print '(1 \"b\"))", "\n(1 \"b\") "),
        ("(write-line \"x\")", "x\n"),
        ("(terpri)", "\n"),
        ("(format t \"~a~%\" 5)", "5\n"),
        ("(display \"x\")", "x"),
        ("(newline)", "\n"),
    ] {
        session.run(source).unwrap();
        assert_eq!(session.output(), expected, "{source}");
    }
}

#[test]
fn files() {
    let path = std::env::temp_dir().join(format!("postoffice-language-{}", std::process::id()));
    let mut session = session();
    session.host.define("path", host::string(path.to_string_lossy()));
    for (source, expected) in [
        (
            "(with-open-file (s path :direction :output :if-exists :supersede) (write-line \"one\" s) (format s \"two\") 7)",
            "7",
        ),
        (
            "(with-open-file (s path :direction :output :if-exists :append) (format s \"~%three~%\"))",
            "nil",
        ),
        (
            "(with-open-file (s path) (list (read-line s) (read-line s nil nil) (read-char s) (read-line s) (read-line s nil 'end)))",
            "(\"one\" \"two\" #\\t \"hree\" end)",
        ),
        (
            "(with-open-file (s path) (loop for l = (read-line s nil nil) while l collect (length l)))",
            "(3 3 5)",
        ),
        ("(with-open-file (s \"/nowhere/at/all\" :if-does-not-exist nil) s)", "nil"),
        (
            "(handler-case (open \"/nowhere/at/all\") (po-error (c) (po-condition-identifier c)))",
            ":file",
        ),
        ("(delete-file path)", "t"),
        ("(probe-file path)", "nil"),
    ] {
        assert_eq!(session.shows(source), expected, "{source}");
    }
}

#[test]
fn scheme_keeps_its_meaning() {
    check(&[
        ("(define (f . rest) rest)", "f"),
        ("(f 1 2)", "(1 2)"),
        ("(define (outer x) (define y (* x 2)) (define (inner z) (+ y z)) (inner 1))", "outer"),
        ("(outer 5)", "11"),
        (
            "(let loop ((i 0) (acc '())) (if (= i 3) (reverse acc) (loop (+ i 1) (cons i acc))))",
            "(0 1 2)",
        ),
        (
            "(letrec ((e? (lambda (n) (or (= n 0) (o? (- n 1))))) (o? (lambda (n) (and (> n 0) (e? (- n 1)))))) (e? 100))",
            "t",
        ),
        (
            "(define-syntax my-or (syntax-rules () ((_) #f) ((_ a) a) ((_ a b ...) (let ((t a)) (if t t (my-or b ...))))))",
            "my-or",
        ),
        ("(let ((t 5)) (my-or #f t))", "5"),
        (
            "(define-syntax while2 (syntax-rules () ((_ c b ...) (let lp () (when c b ... (lp))))))",
            "while2",
        ),
        ("(let ((i 0)) (while2 (< i 3) (set! i (+ i 1))) i)", "3"),
        (
            "(define-syntax for (syntax-rules (in) ((_ x in l b ...) (map (lambda (x) b ...) l))))",
            "for",
        ),
        ("(for y in '(1 2) (* y y))", "(1 4)"),
        (
            "(define-syntax flat (syntax-rules () ((_ (a b ...) ...) '(a ... (b ... ) ...))))",
            "flat",
        ),
        ("(flat (1 2 3) (4 5))", "(1 4 (2 3) (5))"),
        ("`(1 ,(+ 1 1) ,@(list 3 4))", "(1 2 3 4)"),
        ("`(1 . ,(+ 1 1))", "(1 . 2)"),
        ("`#(1 ,(+ 1 1))", "#(1 2)"),
        ("`(a `(b ,(c ,(+ 1 2))))", "(a (quasiquote (b (unquote (c 3)))))"),
        ("'(quote a)", "(quote a)"),
        ("'(if lambda define . let)", "(if lambda define . let)"),
        ("(call/cc (lambda (k) (+ 1 (k 42))))", "42"),
        (
            "(let ((k #f)) (call/cc (lambda (c) (set! k c))) (k 1))",
            "error: a jump to a place that has been left already",
        ),
        ("(string-append \"a\" \"b\")", "\"ab\""),
        ("(list-ref '(1 2 3) 1)", "2"),
        ("(vector-ref (vector 1 2) 1)", "2"),
        ("(string->number \"12\")", "12"),
        ("(eq? '() #f)", "nil"),
        ("(assq 'b '((a 1) (b 2)))", "(b 2)"),
        ("(filter odd? '(1 2 3))", "(1 3)"),
        ("(fold-left cons '() '(1 2))", "((nil . 1) . 2)"),
        ("(define p (make-parameter 1))", "p"),
        ("(list (p) (parameterize ((p 2)) (p)) (p))", "(1 2 1)"),
        ("((case-lambda ((a) (list 'one a)) ((a b) (list 'two a b))) 1 2)", "(two 1 2)"),
        ("(force (delay (+ 1 2)))", "3"),
        ("(define t2 (let ((t 3)) t))", "t2"),
        ("t2", "3"),
        ("(begin (define in-begin 1) (+ in-begin 1))", "2"),
        (
            "(do ((vec (make-vector 3)) (i 0 (+ i 1))) ((= i 3) vec) (vector-set! vec i i))",
            "#(0 1 2)",
        ),
    ]);
}

#[test]
fn conditions() {
    check(&[
        ("(handler-case (error \"x ~a\" 5) (error (c) (po-condition-message c)))", "\"x 5\""),
        (
            "(handler-case (error \"plain\" 5 \"six\") (error (c) (po-condition-message c)))",
            "\"plain 5 \\\"six\\\"\"",
        ),
        ("(handler-case (car 5) (error (c) (po-condition-identifier c)))", ":program-error"),
        ("(handler-case (car 5) (po-error () 'po) (error () 'other))", "other"),
        ("(handler-case 5 (error () 'e) (:no-error (x) (list 'ok x)))", "(ok 5)"),
        ("(handler-case (values 1 2) (:no-error (x y) (list x y)) (error () 'e))", "(1 2)"),
        (
            "(multiple-value-bind (a b) (handler-case (values 1 2) (error () 0)) (list a b))",
            "(1 2)",
        ),
        ("(ignore-errors (car 5))", "nil"),
        (
            "(multiple-value-bind (v c) (ignore-errors (error \"e\")) (list v (po-condition-message c)))",
            "(nil \"e\")",
        ),
        ("(ignore-errors 7)", "7"),
        ("(guard (e ((symbol? e) (list 'sym e)) ((string? e) 'str)) (raise 'boom))", "(sym boom)"),
        ("(guard (e ((string? e) 'str)) (raise 5))", "error: raised: 5"),
        ("(with-handler (lambda (e) 'handled) (car 5))", "handled"),
        // Nesting and re-signalling.
        (
            "(handler-case (handler-case (error \"a\") (error (c) (error \"b ~a\" (po-condition-message c)))) (error (c) (po-condition-message c)))",
            "\"b a\"",
        ),
        ("(handler-case (handler-case (car 5) (warning () 'w)) (error () 'outer))", "outer"),
        (
            "(handler-case (handler-case (error \"a\") (error (c) (error c))) (error (c) (po-condition-message c)))",
            "\"a\"",
        ),
        (
            "(handler-case (with-handler (lambda (e) (with-handler (lambda (f) (raise 'third)) (raise 'second))) (raise 'first)) (t (c) c))",
            "third",
        ),
        // Handlers run before unwinding; clean-up forms run from the inside out.
        ("(define log nil)", "log"),
        ("(define (note x) (push x log))", "note"),
        (
            "(handler-case (handler-bind ((error (lambda (c) (note 'handler)))) (unwind-protect (error \"x\") (note 'cleanup))) (error () (note 'clause)))",
            "(clause cleanup handler)",
        ),
        ("(setq log nil)", "nil"),
        (
            "(handler-case (handler-bind ((error (lambda (c) (note 'handler)))) (unwind-protect (car 5) (note 'cleanup))) (error () (note 'clause)))",
            "(clause cleanup handler)",
        ),
        ("(setq log nil)", "nil"),
        (
            "(block b (unwind-protect (unwind-protect (return-from b 1) (note 'inner)) (note 'outer)))",
            "1",
        ),
        ("log", "(outer inner)"),
        ("(setq log nil)", "nil"),
        ("(dolist (x '(1 2)) (unwind-protect (when (= x 1) (return x)) (note x)))", "1"),
        ("log", "(1)"),
        (
            "(call/cc (lambda (k) (dynamic-wind (lambda () (note 'in)) (lambda () (k 5)) (lambda () (note 'out)))))",
            "5",
        ),
        ("log", "(out in 1)"),
        // A non-local exit from a handler restores the handlers that were in effect before.
        (
            "(block b (handler-bind ((error (lambda (c) (return-from b 'escaped)))) (error \"x\")))",
            "escaped",
        ),
        ("(handler-case (error \"again\") (error () 'fine))", "fine"),
        // An error in a clean-up form replaces the first error.
        (
            "(handler-case (unwind-protect (error \"a\") (error \"b\")) (error (c) (po-condition-message c)))",
            "\"b\"",
        ),
        (
            "(handler-case (unwind-protect (handler-case (unwind-protect (error \"a\") (car 5)) (error () 1)) (error \"z\")) (error (c) (po-condition-message c)))",
            "\"z\"",
        ),
        // A handler runs with only the handlers outside its own in effect.
        (
            "(handler-case (handler-bind ((error (lambda (c) (error \"from handler\")))) (error \"x\")) (error (c) (po-condition-message c)))",
            "\"from handler\"",
        ),
        (
            "(let ((n 0)) (handler-bind ((warning (lambda (c) (incf n)))) (signal \"a\") (warn \"b\")) n)",
            "1",
        ),
        ("(handler-case (warn \"w\") (warning (c) (po-condition-message c)))", "\"w\""),
        ("(handler-case (progn (signal \"w\") 5) (error () 'e))", "5"),
        ("(handler-case (error \"x\") ((or warning error) () 'either))", "either"),
        ("(handler-case (error \"x\") (:program-error () 'by-identifier))", "by-identifier"),
        (
            "(handler-case (error \"x\") (no-such-class () 1))",
            "error: handler-case: expected the name of a condition class: po-error, po-condition, error, warning, condition, got no-such-class",
        ),
        ("(po-error? 5)", "nil"),
        ("(po-condition-message 5)", "error: po-condition-message: expected a condition, got 5"),
        ("(handler-case (error \"x\") (error (c) c))", "#<error \"x\">"),
        (
            "(multiple-value-bind (a b) (unwind-protect (values 1 2) (values 3 4)) (list a b))",
            "(1 2)",
        ),
        ("(assert (= 1 2))", "error: assertion failed: (= 1 2)"),
    ]);
}

#[test]
fn unhandled_warnings_reach_the_host_and_the_program_goes_on() {
    let mut session = session();
    assert_eq!(session.shows("(progn (warn \"careful ~a\" 1) 5)"), "5");
    assert_eq!(session.warnings.lock().unwrap().as_slice(), ["careful 1"]);
}

#[test]
fn a_hundred_thousand_signals_leave_nothing_behind() {
    let mut session = session();
    let half =
        "(let ((n 0)) (dotimes (i 10000) (handler-case (error \"x\") (error () (incf n)))) n)";
    let start = Stopwatch::start();
    assert_eq!(session.shows(half), "10000");
    let first = start.elapsed();
    let start = Stopwatch::start();
    assert_eq!(session.shows(half), "10000");
    assert!(
        start.elapsed() < first * 3 + Duration::from_millis(200),
        "it slows down: {first:?}, then {:?}",
        start.elapsed()
    );
}

#[test]
fn definitions_can_be_changed() {
    check(&[
        ("(defun callee () 1)", "callee"),
        ("(defun caller () (callee))", "caller"),
        ("(defun callee () 2)", "callee"),
        ("(caller)", "2"),
        ("(define callee (car 5))", "error: car: expected a list or pair, got 5"),
        ("(caller)", "2"),
        ("(setq callee (lambda () 3))", "#<procedure>"),
        ("(caller)", "3"),
        // Functions and variables defined later, or never.
        ("(defun uses-later () (later 1))", "uses-later"),
        ("(uses-later)", "error: the function later is not defined"),
        ("(defun later (x) (+ x 1))", "later"),
        ("(uses-later)", "2"),
        ("(define (a1) (b1)) (define (b1) 'b) (a1)", "b"),
        ("(define (reads) some-variable)", "reads"),
        ("(reads)", "error: unbound variable: some-variable"),
        ("(setq some-variable 5)", "5"),
        ("(reads)", "5"),
        ("(uses-latr)", "error: the function uses-latr is not defined; did you mean `uses-later`?"),
        // Redefining the language's own names.
        ("(defun filter (x) (list 'mine x))", "filter"),
        ("(filter 1)", "(mine 1)"),
        ("(remove-if #'odd? '(1 2))", "(2)"),
        ("(define (car x) 'mine)", "car"),
        ("(car '(1 2))", "mine"),
        ("(mapcar #'+ '(1) '(2))", "(3)"),
        ("(define (+ . all) 'sum)", "+"),
        ("(+ 1 2)", "sum"),
        ("(length '(1 2 3))", "3"),
        ("(define (when x) (list 'when x))", "when"),
        ("(when 1)", "(when 1)"),
        ("(define (if x) x)", "error: if is a form of the language: it cannot be redefined"),
        ("(define t 5)", "error: t is a constant: it cannot be defined"),
        ("(let ((list 5)) list)", "5"),
        ("(setq log 5)", "5"),
    ]);
}

#[test]
fn errors_have_places() {
    for (source, expected) in [
        ("(+ 1\n   (car 5))", "2:4 car: expected a list or pair, got 5"),
        (
            "(define (f x)\n  (car x))\n(define (g y) (+ 1 (f y)))\n(g 5)",
            "2:3 car: expected a list or pair, got 5",
        ),
        ("(list 1)\n(mapcar #'car 5)", "2:1 mapcar: expected a list, got 5"),
        ("(define (f l)\n  (mapcar #'car l))\n(f 5)", "2:3 mapcar: expected a list, got 5"),
        ("(define (f l)\n  (error \"bad ~a\" l))\n(mapcar #'f '(1))", "2:3 bad 1"),
        ("(progn 1\n  (no-such-function 2))", "2:3 the function no-such-function is not defined"),
        ("(list 1 no-such-variable)", "1:9 unbound variable: no-such-variable"),
        ("(let ((x 1))\n  (if))", "2:3 if: expected (if test then else)"),
        ("(dolist (x '(1 2))\n  (when (= x 2)\n    (error \"at two\")))", "3:5 at two"),
        ("(handler-case\n  (unwind-protect (error \"x\") (list))\n (warning () 1))", "2:19 x"),
        ("(list 1\n  (list 2", "2:3 the form that starts here is not closed"),
        ("(list 1))", "1:9 this parenthesis closes nothing"),
        ("(let ((é \"ü\")) (car é))", "1:16 car: expected a list or pair, got \"ü\""),
        (
            "(define-syntax twice (syntax-rules () ((_ x) (list x x))))\n(twice\n (car 5))",
            "3:2 car: expected a list or pair, got 5",
        ),
        (
            "(defmacro twice (x) `(list ,x ,x))\n(twice\n (car 5))",
            "3:2 car: expected a list or pair, got 5",
        ),
        ("((lambda (x) x) 1 2)", "1:2 expected 1 argument, got 2"),
        ("(define (one x) x)\n(one 1 2)", "2:1 one: expected 1 argument, got 2"),
        ("(defun f (x &optional y) x)\n(f)", "2:1 f: expected at least 1 argument, got 0"),
        ("(5 6)", "1:1 not a function: 5; a list of data is quoted: '(5 …)"),
        (
            "(vector-ref (vector 1) 9)",
            "1:1 index out of bounds, index given: 9, length of vector: 1",
        ),
        ("(raise 'x)", "1:1 raised: x"),
        ("(list 1)\n(apply + 1 2)", "2:1 apply: expected a list, got 2"),
        (
            "(remove-duplicates '(1))\n(list\n (remove-duplicates 5))",
            "3:2 remove-duplicates: expected a list, string or vector, got 5",
        ),
        (
            "(remove-duplicates '(1))\n(map remove-duplicates '(5))",
            "2:1 remove-duplicates: expected a list, string or vector, got 5",
        ),
        ("(+ 1 nil)", "1:1 +: expected numbers, got 1 and nil"),
    ] {
        assert_eq!(session().failure(source), expected, "{source}");
    }
}

#[test]
fn what_stands_before_an_error_has_run() {
    let mut session = session();
    assert_eq!(
        session.failure("(princ 1)\n(princ 2)\n(if)\n(princ 3)"),
        "3:1 if: expected (if test then else)"
    );
    assert_eq!(session.output(), "12");
    assert_eq!(
        session.failure("(princ 1)\n(princ (list 2)"),
        "2:1 the form that starts here is not closed"
    );
    assert_eq!(session.output(), "", "a text that cannot be read runs not at all");
}

#[test]
fn a_report_shows_the_line() {
    let report = session().run("(list 1)\n\t(car \"\u{1b}[2J\")").unwrap_err();
    let shown = report.to_string();
    assert!(shown.starts_with("test.scm:2:2: error: car: expected"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "control characters are escaped: {shown}");
    assert!(shown.lines().any(|line| line == "  2 |     (car \"\\u{1b}[2J\")"), "{shown}");
}

#[test]
fn secrets_are_never_shown() {
    for source in [
        "(car (list :password \"hunter2\"",
        "(car :password \"hunter2\")",
        "(no-such-function \"host\" :token\n \"hunter2\" (car 5))",
        "(let ((p 5)) (car p)) (f :pasword \"hunter2\")",
        "(list (car 5) :password '(\"hunter2\"))",
        "(list (car 5) \"x\" :password \"hunter2\" :user \"me\")",
        "(list (car 5)) (send-smtp-auth \"server\" \"from\" '(\"a\" \"b\") \"login\" \"hunter2\" \"text\")",
        "(setq my-password \"hunter2\" x (car 5))",
        "(car 5) :password \"hunter2",
        "(car \"é\" :password \"hunter2\\\" hunter2\")",
    ] {
        let report = session().run(source).unwrap_err();
        assert!(!report.to_string().contains("hunter2"), "{source}: {report}");
        assert!(!format!("{report:?}").contains("hunter2"), "{source}: {report:?}");
    }
    let report = session().run("(list :password \"hunter2\" (car 5))").unwrap_err().to_string();
    assert!(
        report.ends_with(
            "\n  1 | (list :password #<secret> (car 5))\n    |                           ^^^^^^^"
        ),
        "{report}"
    );
    let mut session = session();
    session.host.register_fn("login", "(host &key password token)", "", |call| {
        call.key_string("password")?;
        Ok(host::nil())
    });
    for (source, message) in [
        (
            "(login \"h\" :password 12345)",
            "error: login: :password: expected a string, got #<secret>",
        ),
        (
            "(login \"h\" \"12345\" 1)",
            "error: login: expected a key, :password or :token, got a string",
        ),
    ] {
        assert_eq!(session.shows(source), message);
    }
}

#[test]
fn long_lines_are_cut() {
    let filler = "x".repeat(100_000);
    let report = session().run(&format!("(list \"{filler}\" (car 5) \"{filler}\")")).unwrap_err();
    let shown = report.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[1].chars().count() < 180, "{shown}");
    let place = report.place.as_ref().unwrap();
    assert!(
        place.source_line.chars().skip(place.offset).collect::<String>().starts_with("(car 5)"),
        "{shown}"
    );
    let caret = lines[2].chars().position(|character| character == '^').unwrap();
    assert!(lines[1].chars().skip(caret).collect::<String>().starts_with("(car 5)"), "{shown}");
    let report = session().run(&format!("(list\n (car \"{filler}\"))")).unwrap_err();
    assert!(report.to_string().len() < 800, "{report}");
}

#[test]
fn endless_recursion_is_an_error() {
    let mut session = session();
    session.run("(defun r (x) (+ 1 (r x)))").unwrap();
    for (source, expected) in [
        (
            "(let ((a (handler-case (r 1) (error (c) 3)))) (setq b (+ a 1)) (list a b 'four))",
            "(3 4 four)",
        ),
        ("(list 'a (handler-case (r 1) (error (c) 'caught)))", "(a caught)"),
        ("(list (ignore-errors (mapcar (lambda (x) (r x)) '(1 2))) 5)", "(nil 5)"),
        ("(defun w (x) (handler-case (w x) (error (c) 5)))", "w"),
        ("(list (w 1) (handler-case (w 1) (error () 'outer)))", "(5 5)"),
        ("(defun b (x) (unwind-protect (b x) (list 1)))", "b"),
        ("(list (handler-case (b 1) (error () 'outer)) 2)", "(outer 2)"),
        ("(defun k (n) (if (= n 0) 1 (handler-case (k (- n 1)) (error (c) 5))))", "k"),
        ("(k 4000)", "1"),
        ("(defun d (n) (if (= n 0) 0 (+ 1 (d (- n 1)))))", "d"),
        ("(d 200000)", "200000"),
    ] {
        assert_eq!(session.shows(source), expected, "{source}");
    }
    assert!(
        session.failure("(r 1)").ends_with("calls within one another: a recursion without an end?")
    );
    assert_eq!(session.shows("(let loop ((i 0)) (if (< i 2000000) (loop (+ i 1)) i))"), "2000000");
}

#[test]
fn a_list_grows_in_no_time_whatever_came_first() {
    let mut session = session();
    session.run("(defun note (x) (push x acc))\n(defvar acc nil)").unwrap();
    let start = Stopwatch::start();
    session.run("(dotimes (i 8000) (note i))").unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn several_values_do_not_go_stale() {
    check(&[
        ("(multiple-value-list (progn (values 1 2) 1))", "(1)"),
        ("(multiple-value-list (let ((x (values 1 2))) x))", "(1)"),
        ("(defun f () (values 1 2))", "f"),
        ("(multiple-value-list (f))", "(1 2)"),
        ("(multiple-value-list (progn (f) 1))", "(1)"),
        ("(multiple-value-list (if (f) (f) 1))", "(1 2)"),
        ("(multiple-value-list (let ((y (f))) (cond (y (f)))))", "(1 2)"),
        ("(defun g (x) (f) x)", "g"),
        ("(multiple-value-list (g 1))", "(1)"),
        ("(multiple-value-list (values))", "nil"),
        ("(multiple-value-list (block b (return-from b (values 1 2))))", "(1 2)"),
    ]);
}

#[test]
fn numbers_do_not_overflow() {
    check(&[
        ("(multiple-value-list (floor 7 2))", "(3 1)"),
        ("(multiple-value-list (floor -7 2))", "(-4 1)"),
        ("(multiple-value-list (floor 7 -2))", "(-4 -1)"),
        ("(multiple-value-list (truncate -7 2))", "(-3 -1)"),
        ("(multiple-value-list (ceiling 7 2))", "(4 -1)"),
        ("(list (round 7 2) (round 5 2) (round -7 2) (round 8 3))", "(4 2 -4 3)"),
        ("(list (mod -7 2) (rem -7 2) (mod 7 -2) (quotient 7 2))", "(1 -1 -1 3)"),
        ("(list (floor 2.5) (truncate 2.5) (floor 7.5 2))", "(2 2 3)"),
        ("(mod 1 0)", "error: mod: division by zero"),
        ("(abs -9223372036854775808)", "9223372036854775808"),
        ("(abs -5)", "5"),
        ("(quotient -9223372036854775808 -1)", "9223372036854775808"),
        ("(* 9223372036854775807 2)", "18446744073709551614"),
        ("(- -9223372036854775808 1)", "-9223372036854775809"),
        ("(- -9223372036854775808)", "9223372036854775808"),
        ("(< -1 (random 10) 10)", "t"),
        ("(random 0)", "error: random: expected a number above 0, got 0"),
        ("(exit 256)", "error: exit: expected a status from 0 to 255, got 256"),
        ("(exit -1)", "error: exit: expected a status from 0 to 255, got -1"),
    ]);
    assert_eq!(session().run("(quit 7)").unwrap_err().exit, Some(7));
}

#[test]
fn lists_of_common_lisp() {
    check(&[
        ("(list* 1 2 '(3))", "(1 2 3)"),
        ("(list* 1 2)", "(1 . 2)"),
        ("(list (car nil) (cdr nil) (cdr (assoc 'x '((a . 1)))))", "(nil nil nil)"),
        (
            "(list (cadr '(1 2 3)) (cddr '(1 2 3)) (caar '((1) 2)) (cdar '((1 5) 2)) (caddr '(1 2 3)) (cdddr '(1 2 3 4)) (cadddr '(1 2 3 4)))",
            "(2 (3) 1 (5) 3 (4) 4)",
        ),
        ("(list (cadr nil) (car '(1 . 2)) (cdr '(1 . 2)))", "(nil 1 2)"),
        ("(car 5)", "error: car: expected a list or pair, got 5"),
        ("(mapcar #'car '((1) (2)))", "(1 2)"),
        ("(nconc (list 1) (list 2))", "(1 2)"),
        ("(substitute 9 1 '(1 2 1))", "(9 2 9)"),
        ("(substitute #\\b #\\a \"banana\")", "\"bbnbnb\""),
        (
            "(list (coerce \"ab\" 'list) (coerce '(#\\a) 'string) (coerce '(1) 'vector))",
            "((#\\a #\\b) \"a\" #(1))",
        ),
        ("(typecase \"x\" (integer 1) (string 2) (t 3))", "2"),
        ("(typecase 'a ((or string number) 1) (t 3))", "3"),
        ("(typecase 1.5 (integer 1))", "nil"),
        ("(etypecase 1.5 (integer 1))", "error: etypecase: no clause for 1.5"),
        ("(ecase 3 (1 2))", "error: ecase: no clause for 3"),
        ("(list (write-to-string \"a\") (prin1-to-string 'a))", "(\"\\\"a\\\"\" \"a\")"),
        (
            "(list (count 1 '(1 2 1)) (count-if #'evenp '(1 2)) (notany #'evenp '(1 3)) (remove-duplicates '(1 2 1)))",
            "(2 1 t (2 1))",
        ),
        (
            "(list (string-left-trim \" \" \" a \") (string-right-trim \" \" \" a \") (char= #\\a #\\a))",
            "(\"a \" \" a\" t)",
        ),
        (
            "(format nil \"~:(hello WORLD~) ~@(hello WORLD~) ~:@(hello~) ~(HeLLo~)\")",
            "\"Hello World Hello world HELLO hello\"",
        ),
        ("(setf (car x) 1)", "error: unbound variable: x"),
    ]);
}

#[test]
fn hash_tables() {
    check(&[
        ("(defvar h (make-hash-table :test 'equal))", "h"),
        ("(setf (gethash \"a\" h) 1)", "1"),
        ("(incf (gethash \"a\" h 0) 5)", "6"),
        ("(incf (gethash \"b\" h 0))", "1"),
        ("(push 1 (gethash '(c) h))", "(1)"),
        ("(multiple-value-list (gethash \"a\" h))", "(6 t)"),
        ("(multiple-value-list (gethash \"z\" h 'none))", "(none nil)"),
        ("h", "#<hash-table 3>"),
        (
            "(let ((all nil)) (maphash (lambda (k v) (push (list k v) all)) h) all)",
            "(((c) (1)) (\"b\" 1) (\"a\" 6))",
        ),
        (
            "(list (remhash \"a\" h) (remhash \"a\" h) (hash-table-count h) (gethash \"a\" h))",
            "(t nil 2 nil)",
        ),
        (
            "(let ((e (make-hash-table))) (setf (gethash \"a\" e) 1 (gethash 'x e) 2 (gethash 3 e) 4) (list (gethash (string-append \"a\" \"\") e) (gethash 'x e) (gethash 3 e)))",
            "(nil 2 4)",
        ),
        (
            "(let ((e (make-hash-table :test #'equalp))) (setf (gethash \"A\" e) 1) (list (gethash \"a\" e) e))",
            "(1 #<hash-table 1>)",
        ),
        (
            "(let ((e (make-hash-table))) (dotimes (i 20000) (setf (gethash i e) i)) (dotimes (i 19999) (remhash i e)) (list (gethash 19999 e) e))",
            "(19999 #<hash-table 1>)",
        ),
        (
            "(make-hash-table :test 'foo)",
            "error: make-hash-table: :test: expected eq, eql, equal or equalp, got foo",
        ),
        ("(gethash 1 5)", "error: gethash: expected a hash table, got 5"),
        ("(format nil \"~a|~s\" (handler-case (error \"e\") (error (c) c)) 1)", "\"e|1\""),
        ("(princ-to-string (handler-case (error \"e\") (error (c) c)))", "\"e\""),
    ]);
}

#[test]
fn symbols_name_functions() {
    check(&[
        ("(funcall 'car '(1))", "1"),
        ("(mapcar 'first '((1) (2)))", "(1 2)"),
        ("(apply '+ '(1 2))", "3"),
        ("(sort '(3 1) '<)", "(1 3)"),
        ("(find \"A\" '(\"a\") :test 'string-equal)", "\"a\""),
        ("(defun twice (x) (* 2 x))", "twice"),
        ("(mapcar 'twice '(1 2))", "(2 4)"),
        ("(member 'a '(b a))", "(a)"),
        ("(remove-if 'null '(1 nil))", "(1)"),
        ("(find 2 '((1 a) (2 b)) :key 'car)", "(2 b)"),
    ]);
}

#[test]
fn help_can_find_words_and_macros() {
    let mut session = session();
    session.host.register(&[Function::new(
        "with-it",
        "((mb host . options) . body)",
        "d",
        Run::Macro("(syntax-rules () ((_ (mb host . options) . body) (let ((mb host)) . body)))"),
    )]);
    session.host.register_fn("mine", "(x)", "my own", |_| Ok(host::nil()));
    let context = session.host.context().clone();
    assert_eq!(
        context.documentation("with-it").unwrap().lambda_list,
        "((mb host . options) . body)"
    );
    assert_eq!(context.documentation("mine").unwrap().doc, "my own");
    assert!(context.documentation("mapcar").is_some());
    assert_eq!(
        session.shows("(with-it c \"h\")"),
        "error: with-it: malformed: expected (with-it (mb host . options) . body)"
    );
}

#[test]
fn a_file_can_be_loaded() {
    let path = std::env::temp_dir().join(format!("postoffice-load-{}.scm", std::process::id()));
    std::fs::write(&path, "(defun loaded () 'yes)\n(setq from-file 5)\n").unwrap();
    let mut session = session();
    session.host.define("path", host::string(path.to_string_lossy()));
    assert_eq!(session.shows("(load path) (list (loaded) from-file)"), "(yes 5)");
    std::fs::write(&path, "\n(car 5)").unwrap();
    let report = session.run("(load path)").unwrap_err();
    assert_eq!(report.place.unwrap().line, 2);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(session.run("(load path)").unwrap_err().condition.identifier, Identifier::File);
    assert!(session.shows("(load 5)").starts_with("error: load: expected the path"));
}

fn catalog() -> Vec<Function> {
    fn fetch(call: &Call<'_>) -> Result<Value, Condition> {
        let name = call.string(0)?;
        let count = call.key_integer("count", 1..=10)?.unwrap_or(1);
        Ok(host::list(vec![
            host::string(name),
            host::integer(count),
            host::truth(call.boolean_key("uid")),
        ]))
    }
    fn panics(_: &Call<'_>) -> Result<Value, Condition> {
        panic!("on purpose")
    }
    fn fails(_: &Call<'_>) -> Result<Value, Condition> {
        Err(Condition::new(Identifier::ErrorResponse, "select-mailbox: refused")
            .with_server_string("NO such mailbox"))
    }
    fn warns(call: &Call<'_>) -> Result<Value, Condition> {
        call.context().warn(Condition::new(Identifier::Problem, "opened read-only"));
        Ok(host::truth(true))
    }
    fn two(call: &Call<'_>) -> Result<Value, Condition> {
        Ok(call.values(vec![host::integer(1), host::integer(2)]))
    }
    let native =
        |name, lambda_list, run| Function::new(name, lambda_list, "a test", Run::Native(run));
    vec![
        native("fetch", "(name &optional part &key uid count)", fetch),
        native("panics", "()", panics),
        native("fails", "()", fails),
        native("warns", "()", warns),
        native("two", "()", two),
        Function::new("twice", "(f x)", "", Run::Scheme("(lambda (f x) (f (f x)))")),
        Function::new(
            "with-x",
            "((x) form …)",
            "",
            Run::Macro("(syntax-rules () ((_ (x v) b ...) (let ((x (fetch v))) b ...)))"),
        ),
        Function::new(
            "with-y",
            "((y v) form …)",
            "",
            Run::Macro("(lambda (binding . body) `(let (,binding) ,@body))"),
        ),
        Function::new("get", "(name)", "", Run::Alias("fetch")),
    ]
}

#[test]
fn what_is_compiled_on_demand_can_be_redefined_at_any_time() {
    // Before the first use, and after callers were compiled.
    assert_eq!(
        session()
            .shows("(defun mapcar (f list) 'mine) (list (mapcar 1+ '(1)) (some 'evenp '(1 2)))"),
        "(mine t)"
    );
    let mut session = session();
    assert_eq!(
        session.shows("(defun halves (list) (mapcar (lambda (n) (/ n 2)) list)) (halves '(2 4))"),
        "(1 2)"
    );
    assert_eq!(session.shows("(defun mapcar (f list) 'mine) (halves '(2 4))"), "mine");
    // A native with the name of a language function replaces it for scripts; the language's own
    // code keeps the original.
    for name in ["length", "append", "cons", "list", "car", "map", "not", "reverse"] {
        session.host.register_fn(name, "(&rest arguments)", "Mine.", |_: &Call<'_>| {
            Ok(host::string("mine"))
        });
        assert_eq!(session.shows(&format!("({name} 1)")), "\"mine\"", "{name}");
    }
    let program = "(let ((l '(2))) (push 3 l) (sort l #'<))";
    assert_eq!(session.shows(program), "(2 3)");
    assert_eq!(
        session.shows("(handler-case (error \"a\") (error (c) (po-condition-message c)))"),
        "\"a\""
    );
    assert_eq!(session.shows("(remove-if 'evenp '(1 2 3))"), "(1 3)");
    // Registering a native a second time replaces it.
    let function = |number: i64| move |_: &Call<'_>| Ok(host::integer(number));
    session.host.register_fn("answer", "()", "A number.", function(41));
    assert_eq!(session.shows("(defun ask () (answer)) (ask)"), "41");
    session.host.register_fn("answer", "()", "A number.", function(42));
    assert_eq!(session.shows("(ask)"), "42");
}

#[test]
fn natives_check_their_arguments() {
    let mut session = session();
    session.host.register(&catalog());
    for (source, expected) in [
        ("(fetch \"a\")", "(\"a\" 1 nil)"),
        ("(fetch \"a\" :uid t)", "(\"a\" 1 t)"),
        ("(fetch \"a\" 2 :count 3)", "(\"a\" 3 nil)"),
        (
            "(fetch)",
            "error: fetch: expected at least 1 argument (name &optional part &key uid count), got 0",
        ),
        ("(fetch 7)", "error: fetch: name: expected a string, got 7"),
        (
            "(fetch \"a\" 1 :uidd t)",
            "error: fetch: unknown key :uidd; expected :uid or :count; did you mean `:uid`?",
        ),
        ("(fetch \"a\" 1 :uid)", "error: fetch: the key :uid has no value"),
        ("(fetch \"a\" 1 :uid t :uid t)", "error: fetch: the key :uid is given twice"),
        (
            "(fetch \"a\" :count 11)",
            "error: fetch: :count: expected a whole number from 1 to 10, got 11",
        ),
        ("(fetch \"a\" 1 2)", "error: fetch: expected a key, :uid or :count, got 2"),
        ("(two 1)", "error: two: expected no arguments, got 1"),
        ("(panics)", "error: internal error in panics: on purpose"),
        (
            "(handler-case (fails) (po-error (c) (list (po-condition-identifier c) (po-condition-server-string c) (po-error? c))))",
            "(:error-response \"NO such mailbox\" t)",
        ),
        (
            "(handler-case (fails) (po-error (c) c))",
            "#<po-error :error-response \"select-mailbox: refused\">",
        ),
        ("(handler-case (fails) (:error-response () 'refused))", "refused"),
        (
            "(handler-case (warns) (po-condition (c) (po-condition-message c)))",
            "\"opened read-only\"",
        ),
        (
            "(let ((seen nil)) (list (handler-bind ((po-condition (lambda (c) (push (po-condition-identifier c) seen)))) (warns)) seen))",
            "(t (:problem))",
        ),
        ("(multiple-value-bind (a b) (two) (list a b))", "(1 2)"),
        ("(list (two))", "(1)"),
        ("(twice (lambda (x) (* x x)) 3)", "81"),
        ("(twice 1)", "error: twice: expected 2 arguments (f x), got 1"),
        ("(with-x (v \"m\") (second v))", "1"),
        ("(with-y (v 5) v)", "5"),
        ("(get \"b\")", "(\"b\" 1 nil)"),
        ("(mapcar #'get '(\"a\"))", "((\"a\" 1 nil))"),
    ] {
        assert_eq!(session.shows(source), expected, "{source}");
    }
    assert_eq!(session.shows("(warns)"), "t");
    assert_eq!(session.warnings.lock().unwrap().last().unwrap(), "opened read-only");
    assert_eq!(session.failure("(define (f)\n  (fails))\n(f)"), "2:3 select-mailbox: refused");
    assert!(session.run("(fetch 7)").unwrap_err().to_string().contains("[:syntax-error]"));
    assert_eq!(
        session.host.documentation("fetch").unwrap().lambda_list,
        "(name &optional part &key uid count)"
    );
    assert!(session.host.names().iter().any(|name| name == "with-x"));
}

#[test]
fn objects_are_opaque() {
    let mut session = session();
    session.host.define("mb", host::object(42u32, "#<mailbox::imap-mailbox @ #x2064ca4a>"));
    assert_eq!(session.shows("(list mb)"), "(#<mailbox::imap-mailbox @ #x2064ca4a>)");
    let value = session.host.evaluate("mb", "test").unwrap();
    assert_eq!(host::downcast::<u32>(&value).as_deref(), Some(&42));
    assert!(host::downcast::<u64>(&value).is_none());
    assert_eq!(session.shows("(list (eq mb mb) (equal mb mb))"), "(t t)");
    let bytes = session.host.evaluate("#u8(1 2 255)", "test").unwrap();
    assert_eq!(host::as_bytes(&bytes), Some(vec![1, 2, 255]));
}

#[test]
fn exit_runs_cleanups_and_has_a_status() {
    let mut session = session();
    let report = session
        .run("(unwind-protect (handler-case (exit 3) (error () 1)) (princ \"bye\"))")
        .unwrap_err();
    assert_eq!(report.exit, Some(3));
    assert_eq!(session.output(), "bye");
    assert_eq!(session.run("(exit)").unwrap_err().exit, Some(0));
}

/// Interrupts a form once it has printed `started `, so that the interrupt finds it running.
fn interrupted(session: &mut Session, source: &str) -> Box<Report> {
    let (interrupter, output) = (session.host.interrupter(), session.output.clone());
    let thread = std::thread::spawn(move || {
        while !output.lock().unwrap().contains("started ") {
            std::thread::sleep(Duration::from_millis(1));
        }
        interrupter.interrupt();
    });
    let report = session.run(source).unwrap_err();
    thread.join().unwrap();
    report
}

#[test]
fn an_interrupt_stops_a_loop_and_runs_cleanups() {
    let mut session = session();
    let source = "(unwind-protect (unwind-protect (handler-case (progn (princ \"started \") (loop 1)) (t () 'caught)) (princ \"inner \")) (princ \"outer\"))";
    let report = interrupted(&mut session, source);
    assert!(report.interrupted, "{report}");
    assert_eq!(session.output(), "started inner outer");
    assert_eq!(session.shows("(+ 1 2)"), "3");
    let report = interrupted(
        &mut session,
        "(unwind-protect (progn (princ \"started \") (sleep 100)) (princ \"slept\"))",
    );
    assert!(report.interrupted);
    assert_eq!(session.output(), "started slept");
    assert_eq!(session.shows("(handler-case (error \"x\") (error () 'fine))"), "fine");
}

#[test]
fn an_interrupt_stops_a_cleanup() {
    let mut session = session();
    let report = interrupted(
        &mut session,
        "(unwind-protect (unwind-protect 1 (princ \"started \") (loop 2)) (princ \"outer\"))",
    );
    assert!(report.interrupted);
    assert_eq!(session.output(), "started outer");
}

#[test]
fn reading() {
    for (source, expected) in [
        ("; comment\n1", "(1)"),
        ("#| a #| nested |# b |# 2", "(2)"),
        ("#;(skipped) 3", "(3)"),
        ("(a #;b c)", "((a c))"),
        ("#!/usr/bin/env postoffice\n4", "(4)"),
        ("\"a\\n\\t\\\\\\\"\\x41;\"", "(\"a\n\t\\\\\\\"A\")"),
        ("\"one \\\n   line\"", "(\"one line\")"),
        ("\"raw\nnewline\"", "(\"raw\nnewline\")"),
        (":Foo :\\\\Deleted", "(:foo :\\\\deleted)"),
        (
            "'a `b ,c ,@d #'e",
            "((quote a) (quasiquote b) (unquote c) (unquote-splicing d) (function e))",
        ),
        ("#\\a #\\space #\\newline #\\( #\\x41 #\\λ", "(#\\a #\\space #\\newline #\\( #\\A #\\λ)"),
        ("#(1 2) #u8(1 255)", "(#(1 2) #u8(1 255))"),
        ("(a . b) (a . (b c)) (a b . c)", "((a . b) (a b c) (a b . c))"),
        (
            "1 -2 +3 1.5 -1e3 .5 1/3 #xff #b101 123456789012345678901234567890",
            "(1 -2 3 1.5 -1000.0 0.5 1/3 255 5 123456789012345678901234567890)",
        ),
        ("+ - ... 1+ -x a.b", "(+ - ... 1+ -x a.b)"),
        ("net.post-office:fetch net.post-office::fetch", "(fetch fetch)"),
        ("|hello world| |a\\|b|", "(|hello world| |a\\|b|)"),
        ("#t #f t nil ()", "(t nil t nil nil)"),
        ("#<mailbox \"a>\" <b>> x", "(#<mailbox \"a>\" <b>> x)"),
        ("[a b]", "((a b))"),
        ("\u{feff}x", "(x)"),
        ("", "nil"),
    ] {
        let data = read_data(source).map(|data| printer::readably(&Datum::list(data)));
        assert_eq!(data.as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn reading_fails_with_a_place() {
    for (source, kind, start, message) in [
        ("(a", ReadErrorKind::Incomplete, 0, "the form that starts here is not closed"),
        ("(a (b)", ReadErrorKind::Incomplete, 0, "the form that starts here is not closed"),
        ("\"a", ReadErrorKind::Incomplete, 0, "the string that starts here is not closed"),
        ("#| a", ReadErrorKind::Incomplete, 0, "the comment that starts here, #|, is not closed"),
        ("'", ReadErrorKind::Incomplete, 0, "a form must follow here"),
        ("#:a\\", ReadErrorKind::Incomplete, 2, "a character must follow \\"),
        (")", ReadErrorKind::Malformed, 0, "this parenthesis closes nothing"),
        ("(a . )", ReadErrorKind::Malformed, 3, "a form must follow the dot"),
        ("(. a)", ReadErrorKind::Malformed, 1, "a dot stands before the last form of a list"),
        ("(a . b c)", ReadErrorKind::Malformed, 7, "one form follows a dot, not two"),
        ("(')", ReadErrorKind::Malformed, 2, "a form must stand before this parenthesis"),
        ("#u8(256)", ReadErrorKind::Malformed, 4, "a byte is a number from 0 to 255"),
        ("#\\nosuch", ReadErrorKind::Malformed, 0, "unknown character name: #\\nosuch"),
        ("#<x>", ReadErrorKind::Malformed, 0, "#<…> is how an object prints; it cannot be read"),
        (
            "\"\\xzz;\"",
            ReadErrorKind::Malformed,
            1,
            "an escape \\x is followed by hexadecimal digits and a semicolon: \\x41;",
        ),
    ] {
        let error = read(source).unwrap_err();
        assert_eq!(
            (error.kind, error.span.start, error.message.as_str()),
            (kind, start, message),
            "{source}"
        );
    }
    assert_eq!(completeness("(a) (b"), Completeness::Incomplete);
    assert_eq!(completeness("(a)"), Completeness::Complete);
    assert!(matches!(completeness("(a))"), Completeness::Malformed(_)));
}

#[test]
fn deep_nesting_is_survived() {
    let deep = "(".repeat(100_000);
    assert_eq!(read(&deep).unwrap_err().kind, ReadErrorKind::Malformed);
    let quotes = "'".repeat(100_000) + "a";
    assert_eq!(read(&quotes).unwrap_err().kind, ReadErrorKind::Malformed);
    let mut session = session();
    let form = format!("{}1{}", "(list ".repeat(600), ")".repeat(600));
    assert!(
        session.shows(&form).starts_with("error: forms are nested more than"),
        "too deep to compile is an error"
    );
    let form = format!("{}1{}", "(list ".repeat(120), ")".repeat(120));
    assert!(session.shows(&form).starts_with("((((("));
    let text = session.shows("(let ((x nil)) (dotimes (i 1000000) (setq x (list x))) x)");
    assert_eq!(text.len(), 2 * 1_000_000 + 3);
    assert_eq!(
        session.shows("(let ((v (make-vector 1))) (vector-set! v 0 v) v)"),
        "#(#<circular>)"
    );
}

#[test]
fn nested_loops_compile_in_no_time() {
    let start = Stopwatch::start();
    let nested = format!(
        "{}1{}",
        "(loop for x in '(1) when x collect (dolist (y '(1)) (if y (return ".repeat(5),
        ")))) ".repeat(5)
    );
    session().run(&nested).unwrap();
    let chain = (0..150)
        .map(|number| format!("((= x {number}) (if x (list {number}) 1))"))
        .collect::<String>();
    session().run(&format!("(define (f x) (cond {chain})) (f 149)")).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn compiling_is_linear() {
    let source = |count: usize| {
        (0..count)
            .map(|number| format!("(define (f{number} x) (+ x {number}))\n"))
            .collect::<String>()
    };
    let time = |count| {
        let mut session = session();
        let start = Stopwatch::start();
        session.run(&(source(count) + "(f5 1)")).unwrap();
        start.elapsed()
    };
    let (few, many) = (time(300), time(1_800));
    assert!(many < few * 15 + Duration::from_millis(500), "{few:?} for 300, {many:?} for 1,800");
}

fn datum() -> impl Strategy<Value = Datum> {
    let name = "[a-z|\\\\ .:#+0-9é-]{1,6}";
    let leaf = prop_oneof![
        Just(Datum::Nil),
        Just(Datum::True),
        any::<i64>().prop_map(Datum::Integer),
        any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(Datum::Float),
        "\\PC*|[\\n\"\\\\a]*".prop_map(Datum::String),
        name.prop_filter("not nil, t", |name| name != "nil" && name != "t").prop_map(Datum::Symbol),
        "[a-z][a-z0-9-]{0,8}".prop_map(Datum::Keyword),
        any::<char>().prop_map(Datum::Char),
        proptest::collection::vec(any::<u8>(), 0..5).prop_map(Datum::Bytes),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Datum::list),
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Datum::Vector),
            (proptest::collection::vec(inner.clone(), 1..4), inner)
                .prop_map(|(elements, tail)| Datum::dotted(elements, tail)),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(datum in datum()) {
        let text = printer::readably(&datum);
        prop_assert_eq!(read_data(&text).map_err(|error| error.message), Ok(vec![datum]), "{}", text);
    }

    #[test]
    fn any_text_is_survived(text in "[ -~\\n()'`,@#|;\\\\\"é]*") {
        let _ = read(&text);
        let _ = read_data(&text);
    }
}

/// Runs the scripts in `tests/scheme`: those in `success` check their own values, those in
/// `failure` name the expected error in their first line.
#[test]
fn scripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scheme");
    let scripts = |kind: &str| {
        let mut paths: Vec<_> = std::fs::read_dir(folder.join(kind))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "scm"));
        paths.sort();
        paths
            .into_iter()
            .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
    };
    for (path, source) in scripts("success") {
        if let Err(report) = session().host.evaluate(&source, &path) {
            panic!("{report}");
        }
    }
    for (path, source) in scripts("failure") {
        let expected = source
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(";;; error: "))
            .unwrap_or_else(|| panic!("{path}: no ;;; error: line"));
        let mut words = expected.splitn(3, ' ');
        let (place, identifier, message) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or(""));
        let report = session().host.evaluate(&source, &path).expect_err(&path);
        let found = report.place.as_ref().map_or_else(
            || "nowhere".to_owned(),
            |place| format!("{}:{}", place.line, place.column),
        );
        assert_eq!(
            (found.as_str(), report.condition.identifier.name()),
            (place, identifier),
            "{path}: {report}"
        );
        assert!(report.condition.message.contains(message), "{path}: {report}");
    }
}
