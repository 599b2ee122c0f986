//! The Common Lisp words that scripts use: their values, and errors where a wrong value would go
//! unnoticed.

use postoffice::host::{Function, Host, Known, Options, TimeLimit, Value};
use postoffice::lisp::printer::readably;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Language {
    host: Host,
    output: Arc<Mutex<String>>,
}

impl Language {
    pub fn new() -> Language {
        let output = Arc::new(Mutex::new(String::new()));
        let written = output.clone();
        let options = Options {
            output: Box::new(move |text| {
                written.lock().unwrap().push_str(text);
                Ok(())
            }),
            ..Options::default()
        };
        Language { host: Host::new(options), output }
    }

    /// Returns the value as printed, or `error: message`.
    pub fn shows(&mut self, source: &str) -> String {
        match self.host.evaluate(source, "test") {
            Ok(value) => readably(&self.host.datum(&value)),
            Err(report) => format!("error: {}", report.condition.message),
        }
    }

    fn output(&self) -> String {
        std::mem::take(&mut *self.output.lock().unwrap())
    }
}

/// Checks a table of forms and their printed values. Each form gets a new host.
pub fn check(table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .map(|(form, expected)| (form, expected, Language::new().shows(form)))
        .filter(|(_, expected, shown)| *expected != shown)
        .map(|(form, expected, shown)| {
            format!("{form}\n  shows   {shown}\n  expected {expected}\n")
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.concat());
}

#[test]
fn comparisons_refuse_what_is_not_a_number() {
    check(&[
        ("(< nil 5)", "error: <: expected a number as argument 1, got nil"),
        ("(> \"10\" 5)", "error: >: expected a number as argument 1, got \"10\""),
        ("(< \"a\" \"b\")", "error: <: expected a number as argument 1, got \"a\""),
        ("(<= 1 'x)", "error: <=: expected a number as argument 2, got x"),
        ("(>= 3 2 nil)", "error: >=: expected a number as argument 3, got nil"),
        ("(= nil nil)", "error: =: expected a number as argument 1, got nil"),
        ("(= 1 1 #\\1)", "error: =: expected a number as argument 3, got #\\1"),
        ("(< nil)", "error: <: expected a number, got nil"),
        ("(if (> nil 0) 1 2)", "error: >: expected a number as argument 1, got nil"),
        ("(funcall #'< 1 nil)", "error: <: expected a number as argument 2, got nil"),
        ("(apply '> '(3 2 x))", "error: >: expected a number as argument 3, got x"),
        ("(sort '(3 nil 1) #'<)", "error: <: expected a number as argument 2, got nil"),
        (
            "(sort '((b 2) (a nil)) '< :key 'second)",
            "error: <: expected a number as argument 1, got nil",
        ),
        ("(max 1 \"x\")", "error: max: expected a number as argument 2, got \"x\""),
        ("(min nil)", "error: min: expected a number, got nil"),
        ("(zerop nil)", "error: zerop: expected a number, got nil"),
        ("(plusp \"1\")", "error: plusp: expected a number, got \"1\""),
        ("(minusp 'x)", "error: minusp: expected a number, got x"),
        ("(loop for i from 1 to nil collect i)", "error: loop: expected a number, got nil"),
        ("(loop for i from nil to 3 collect i)", "error: loop: expected a number, got nil"),
        (
            "(loop for x in '(1 nil) maximize x)",
            "error: max: expected a number as argument 2, got nil",
        ),
        ("(loop for x in '(nil) minimize x)", "error: min: expected a number, got nil"),
    ]);
    check(&[
        ("(list (< 1 2 3) (< 1 3 2) (<= 1 1 2) (>= 3 3 1) (> 3 2 2))", "(t nil t t nil)"),
        (
            "(list (= 1 1.0) (= 1/2 0.5) (= 2 2 2) (= 2 2 3) (/= 1 2 1) (/= 1 2 3))",
            "(t t t nil nil t)",
        ),
        ("(list (< 1/3 0.5) (< (expt 10 30) (expt 10 31)) (> 1e300 (expt 10 30)))", "(t t t)"),
        (
            "(list (max 1 3.5 2) (min 3 1/2) (max (expt 10 20) 1))",
            "(3.5 1/2 100000000000000000000)",
        ),
        ("(list (zerop 0) (zerop 0.0) (plusp 1/2) (minusp -1))", "(t t t t)"),
        ("(sort '(3 1 2) '>)", "(3 2 1)"),
        ("(sort '((b 2) (a 1) (c 2) (d 1)) #'< :key #'second)", "((a 1) (d 1) (b 2) (c 2))"),
        ("(sort '((b 2) (a 1) (c 2)) #'> :key #'second)", "((b 2) (c 2) (a 1))"),
        (
            "(list (sort '(2.5 1.5) #'<) (sort '(2.5 1) #'<) (sort '() #'<) (sort (vector 3 1) #'<))",
            "((1.5 2.5) (1 2.5) nil #(1 3))",
        ),
        (
            "(let ((asked 0)) (sort '(\"bb\" \"a\" \"ccc\") (lambda (a b) (< a b)) :key (lambda (s) (incf asked) (length s))) asked)",
            "3",
        ),
        ("(sort '(\"b\" \"a\") #'string<)", "(\"a\" \"b\")"),
        ("(loop for i from 1 to 3 maximize (* i i))", "9"),
        ("(let ((n 0)) (while (< n 3) (incf n)) n)", "3"),
        ("(let ((= 5)) (= = 5))", "t"),
    ]);
}

#[test]
fn quotients_are_whole_and_have_a_remainder() {
    let table: Vec<(String, &str)> = [
        ("floor 7.5", "(7 0.5)"),
        ("floor -7.5", "(-8 0.5)"),
        ("floor 7 2", "(3 1)"),
        ("floor -7 2", "(-4 1)"),
        ("floor 7/2", "(3 1/2)"),
        ("ceiling 7.2", "(8 -0.7999999999999998)"),
        ("ceiling -7/2", "(-3 -1/2)"),
        ("round 2.5", "(2 0.5)"),
        ("round 3.5", "(4 -0.5)"),
        ("round 5/2", "(2 1/2)"),
        ("round 7/2", "(4 -1/2)"),
        ("round -5 2", "(-2 -1)"),
        ("truncate -7.5", "(-7 -0.5)"),
        ("truncate -7 2", "(-3 -1)"),
        ("ffloor 7 2", "(3.0 1)"),
        ("fround 2.5", "(2.0 0.5)"),
        ("ftruncate -7.5 2", "(-3.0 -1.5)"),
        ("floor (expt 10 30) 7", "(142857142857142857142857142857 1)"),
        ("floor 5 0", "error: floor: division by zero"),
        ("floor 5.0 0", "error: floor: division by zero"),
        ("floor 'x", "error: floor: expected a number, got x"),
        ("round", "error: round: expected 1 to 2 arguments, got 0"),
    ]
    .map(|(form, expected)| (format!("(multiple-value-list ({form}))"), expected))
    .to_vec();
    check(&table.iter().map(|(form, expected)| (form.as_str(), *expected)).collect::<Vec<_>>());
    check(&[
        ("(nth (floor 2.5) '(a b c))", "c"),
        (
            "(list (mod 7.5 2) (mod -7 2) (rem -7 2) (mod 7/2 1) (rem -7.5 2))",
            "(1.5 1 -1 1/2 -1.5)",
        ),
        ("(mod (expt 10 30) 7)", "1"),
    ]);
}

#[test]
fn bindings_of_dynamic_variables_last_for_their_extent() {
    check(&[
        ("(progn (defvar *i* 0) (defun show () *i*) (let ((*i* 5)) (show)))", "5"),
        ("(progn (defvar *i* 0) (defun show () *i*) (let ((*i* 5)) (show)) (show))", "0"),
        (
            "(progn (defparameter *i* 1) (defun show () *i*) (let* ((*i* (+ *i* 1)) (b (show))) (list b *i*)))",
            "(2 2)",
        ),
        ("(progn (defvar *i* 0) (handler-case (let ((*i* 5)) (error \"x\")) (error () *i*)))", "0"),
        ("(progn (defvar *i* 0) (block nil (let ((*i* 5)) (return 1))) *i*)", "0"),
        ("(progn (defvar *i* 0) (catch 'out (let ((*i* 5)) (throw 'out 1))) *i*)", "0"),
        ("(progn (defvar *i* 0) (let ((*i* 5)) (setq *i* 6)) *i*)", "0"),
        (
            "(progn (defvar *a* 1) (defvar *b* 2) (let ((*a* *b*) (*b* *a*)) (list *a* *b*)))",
            "(2 1)",
        ),
        (
            "(progn (defvar *i* 0) (defun deep (n) (if (= n 0) *i* (let ((*i* n)) (deep (- n 1))))) (list (deep 50) *i*))",
            "(1 0)",
        ),
        ("(progn (defvar *i* 0) (let ((f (let ((*i* 5)) (lambda () *i*)))) (funcall f)))", "0"),
        ("(progn (define i 0) (define (show) i) (let ((i 5)) (show)))", "0"),
        ("(multiple-value-list (progn (defvar *i* 0) (let ((*i* 1)) (values *i* 2))))", "(1 2)"),
        (
            "(with-output-to-string (*standard-output*) (format t \"x\") (princ 'y) (terpri))",
            "\"xy\n\"",
        ),
        (
            "(with-output-to-string (s) (let ((*standard-output* s)) (format *standard-output* \"x\")))",
            "\"x\"",
        ),
        (
            "(with-output-to-string (s) (ignore-errors (let ((*standard-output* s)) (princ 1) (error \"x\"))))",
            "\"1\"",
        ),
        (
            "(let ((*standard-output* 5)) (princ 1))",
            "error: *standard-output*: expected an output port, got 5",
        ),
    ]);
    let mut language = Language::new();
    language.shows("(with-output-to-string (*standard-output*) (princ \"caught\"))");
    language.shows("(let ((*standard-output* (make-string-output-stream))) (car 5))");
    language.shows("(princ \"shown\")");
    assert_eq!(language.output(), "shown");
}

#[test]
fn a_variable_does_not_hide_a_function() {
    check(&[
        ("(let ((list '(1 2))) (list list))", "((1 2))"),
        ("(let ((string \"a\") (count 1)) (list (string string) (count 1 '(1 1))))", "(\"a\" 2)"),
        ("(let ((position 0) (rest '(1 2))) (list (position 1 rest) (rest rest)))", "(0 (2))"),
        ("(progn (defun f (list) (list list 1)) (f 2))", "(2 1)"),
        ("(progn (defun g (x) (* x 2)) (let ((g 5)) (g g)))", "10"),
        ("(dolist (first '(1)) (return (first (list first))))", "1"),
        ("(let ((+ 5)) (+ + 1))", "6"),
        ("(let ((list (lambda (x) (* 2 x)))) (list 5))", "10"),
        ("(flet ((list (x) (* 2 x))) (list 5))", "10"),
        ("(let ((x 5)) (x))", "error: not a function: 5"),
        (
            "(let () (define (even n) (if (= n 0) t (odd (- n 1)))) (define (odd n) (if (= n 0) nil (even (- n 1)))) (even 11))",
            "nil",
        ),
        ("(let ((k 2)) (define (f n) (* n k)) (define x (f 4)) (list x (f 1)))", "(8 2)"),
        ("(let () (define (f n) (* n 2)) (set! f (lambda (n) (* n 3))) (f 2))", "6"),
        ("(let () (define (f n) (* n 2)) (mapcar f '(1 2)))", "(2 4)"),
        ("(let () (define (f n &optional (m 1)) (+ n m)) (f 2))", "3"),
        ("(let () (define (f . r) r) (f 1 2))", "(1 2)"),
        ("(let () (define (f n) n) (f))", "error: f: expected 1 argument, got 0"),
    ]);
}

#[test]
fn words_print_and_read_as_common_lisp_says() {
    check(&[
        ("(format nil \"~a ~s\" :later :later)", "\"later :later\""),
        ("(princ-to-string '(:a \"b\" #\\c))", "\"(a b c)\""),
        ("(prin1-to-string :\\\\Seen)", "\":\\\\\\\\seen\""),
        ("(format nil \"~[zero~;one~:;many~]\" 5)", "\"many\""),
        ("(format nil \"~[zero~;one~:;many~]\" 1)", "\"one\""),
        ("(format nil \"~[zero~;one~]\" 5)", "\"\""),
        ("(format nil \"~[a~:;~[x~;y~:;z~]~]\" 1 7)", "\"z\""),
        ("(intern \"junk\" :keyword)", ":junk"),
        ("(eq (intern \"seen\" :keyword) :seen)", "t"),
        ("(let ((v (vector 1 2))) (setf (aref v 0) 9) (incf (aref v 1)) v)", "#(9 3)"),
        ("(list (aref (bytes 1 2) 1) (elt (bytes 1 255) 1))", "(2 255)"),
        ("(aref (bytes 1 2) 2)", "error: aref: 2 is not within a sequence of length 2"),
        ("(let ((v (make-array 2 :initial-element 0))) (setf (svref v 1) 5) v)", "#(0 5)"),
        ("(let ((v (copy-seq #(1 2)))) (setf (elt v 0) 9) v)", "#(9 2)"),
        ("(setf (aref (vector 1) 1) 5)", "error: setf: 1 is not within a vector of 1 elements"),
        (
            "(setf (aref \"abc\" 1) #\\x)",
            "error: setf: strings do not change: make a new one, with concatenate, substitute or replace, and set the variable that holds it",
        ),
        (
            "(setf (aref #(1) 0) 5)",
            "error: setf: this vector is a constant: copy-seq, vector and make-vector make one that can be changed",
        ),
    ]);
}

/// SBCL prints "FF", "(1 ...)" and so on. Here these variables have no effect, so a value that would
/// have one is refused before anything runs.
#[test]
fn variables_without_effect_are_refused() {
    let base = "error: let: *print-base* is always 10 here; use format with ~b, ~o, ~x or ~r, or write's :base";
    check(&[
        ("(let ((*print-base* 16)) (prin1-to-string 255))", base),
        ("(let ((*print-base* 10)) (prin1-to-string 255))", "\"255\""),
        ("(list (princ 1) (let ((*print-base* 2)) 1))", base),
        (
            "(let* ((n 3) (*print-length* n)) (prin1-to-string '(1 2 3 4)))",
            "error: let*: *print-length* is always nil here; use subseq",
        ),
        ("(let ((*print-length* nil) (*print-level* nil)) (prin1-to-string '(1)))", "\"(1)\""),
        ("(let ((*print-length*)) 1)", "1"),
        ("(setq *print-base* 16)", base.replace("let:", "setq:").as_str()),
        ("(setf *print-base* 16)", base.replace("let:", "setq:").as_str()),
        ("(setq *print-escape* nil)", "error: setq: *print-escape* is always t here; use princ"),
        ("(setq *print-escape* t *print-pretty* nil)", "nil"),
        ("(let ((*print-case* :downcase)) (princ-to-string 'a))", "\"a\""),
        (
            "(let ((*print-case* :capitalize)) (princ-to-string 'a))",
            "error: let: *print-case* is always :upcase or :downcase here; use string-upcase or string-capitalize",
        ),
        (
            "(let ((*read-base* 16)) (read-from-string \"ff\"))",
            "error: let: *read-base* is always 10 here; use parse-integer with :radix",
        ),
        // A variable of the script's own.
        ("(progn (defvar *print-level* 1) (let ((*print-level* 2)) *print-level*))", "2"),
    ]);
}

#[test]
fn functions_on_lists_and_ports_take_their_defaults() {
    check(&[
        ("(sublis '((a . 1)) '(a b (a)))", "(1 b (1))"),
        ("(assoc 1 '((1 . 2)) :test nil)", "(1 . 2)"),
        ("(member 1 '(1 2) :test nil :key nil)", "(1 2)"),
        ("(mapcon #'list '(1 2))", "((1 2) (2))"),
        ("(mapcon #'list)", "error: mapcon: expected at least 2 arguments, got 1"),
        (
            "(get-output-stream-string)",
            "error: get-output-stream-string: expected 1 argument, got 0",
        ),
        ("(eof-object 1)", "error: eof-object: expected 0 arguments, got 1"),
        ("(nth-value)", "error: nth-value: malformed: expected (nth-value index form)"),
    ]);
}

#[test]
fn the_end_of_a_file_is_what_the_caller_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines").display().to_string();
    let mut language = Language::new();
    language.shows(&format!("(define path {path:?})"));
    let written = "(with-open-file (f path :direction :output) (write-line \"one\" f) (write-line \"two\" f))";
    assert_eq!(language.shows(written), "\"two\"");
    for (form, expected) in [
        ("(loop for l = (read-line f nil) while l collect l)", "(\"one\" \"two\")"),
        (
            "(list (read-line f) (read-line f nil) (read-line f nil) (read-line f nil 'end))",
            "(\"one\" \"two\" nil end)",
        ),
        (
            "(progn (read-line f) (read-line f) (read-line f t))",
            "error: read-line: the file has ended",
        ),
        ("(progn (read-line f) (read-line f) (eof-object? (read-line f)))", "t"),
        ("(loop for c = (read-char f nil) while c count c)", "8"),
        (
            "(progn (read-string f) (list (read-char f nil) (read-char f nil 0) (eof-object? (read-char f))))",
            "(nil 0 t)",
        ),
        (
            "(list (peek-char f) (peek-char nil f) (read-char f) (peek-char #\\e f nil) (read-line f))",
            "(#\\o #\\o #\\o #\\e \"e\")",
        ),
        (
            "(progn (read-string f) (list (peek-char nil f nil) (peek-char nil f nil 'end) (eof-object? (peek-char f))))",
            "(nil end t)",
        ),
    ] {
        let shown = language.shows(&format!("(with-open-file (f path) {form})"));
        assert_eq!(shown, expected, "{form}");
    }
    let exists = format!(
        "error: open: {path}: it exists already; :if-exists :supersede or :append says what to do"
    );
    for (options, expected) in [
        ("", exists.as_str()),
        (":if-exists :error", &exists),
        (":if-exists nil", "nil"),
        (":if-exists :append", "(\"one\" \"two\" \"x\")"),
        (":if-exists :supersede", "(\"x\")"),
        (
            ":if-exists :away",
            "error: open: :if-exists: expected :error, :supersede, :append, :overwrite or nil, got :away",
        ),
    ] {
        let shown = language.shows(&format!(
            "(with-open-file (f path :direction :output {options}) (if f (write-line \"x\" f) nil)) \
             (if (probe-file path) (with-open-file (f path) (loop for l = (read-line f nil) while l collect l)) nil)"
        ));
        let unchanged = "(\"one\" \"two\")";
        let expected = if expected == "nil" { unchanged } else { expected };
        assert_eq!(shown, expected, "{options}");
    }
}

#[test]
fn a_call_of_an_unknown_function_evaluates_no_argument() {
    for source in [
        "(wehn (princ \"evaluated\") (princ \"body\"))",
        "(let ((x 1)) (wehn (princ x)))",
        "(handler-case (wehn (princ 1)) (error () nil))",
        "(progn (defun f () (wehn (princ 1))) (f))",
        "(mapcar (lambda (x) (wehn (princ x))) '(1 2))",
        "(unles nil (princ 1))",
        "(defstruct point (princ 1))",
        "(cond ((wehn (princ 1)) 2))",
        "(loop for x in '(1 2) do (wehn (princ x)))",
        "(defun later () (wehn (princ 1))) (later) (defun wehn (x) x)",
    ] {
        let mut language = Language::new();
        language.shows(source);
        assert_eq!(language.output(), "", "{source}");
    }
    check(&[
        ("(defun f () (g 1)) (defun g (x) (+ x 1)) (f)", "2"),
        (
            "(defun even (n) (if (= n 0) t (odd (- n 1)))) (defun odd (n) (if (= n 0) nil (even (- n 1)))) (even 11)",
            "nil",
        ),
        ("(wehn 1)", "error: the function wehn is not defined; did you mean `when`?"),
        (
            "(defclass point () (x y))",
            "error: the function defclass is not defined; use structures, which defstruct defines, and functions on them",
        ),
    ]);
}

#[test]
fn a_file_that_calls_an_unknown_function_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let included = folder.path().join("included.scm");
    std::fs::write(
        &included,
        "(defun included () 1)\n(defmacro made (name) `(defun ,name () 1))\n",
    )
    .unwrap();
    let load = format!("(load {:?})", included.display().to_string());
    for source in [
        "(princ 1) (wehn t 2)",
        "(princ 1) (defun f () (wehn t 2))",
        "(princ 1) (if nil (prnc 2) 3)",
        "(princ 1) (handler-case (wehn 1) (error () 2))",
        "(princ 1) (flet ((f () (wehn))) 1)",
        "(princ 1) (let ((x (lambda () (wehn)))) 1)",
        "(princ 1) (defmacro m (x) `(list ,x)) (defun f () (wehn))",
        "(princ 1) (defmacro m (x) `(list ,x)) (defun f () (m 1) (wehn))",
        "(princ 1) (define-syntax m (syntax-rules () ((_ x) (wehn x)))) (m 1)",
        &format!("(princ 1) {load} (includd)"),
    ] {
        let mut language = Language::new();
        let report = language.host.evaluate_file(source, "test.scm").unwrap_err();
        assert_eq!(language.output(), "", "{source}");
        assert!(report.condition.message.contains(" is not defined"), "{source}: {report}");
        assert!(report.place.is_some(), "{source}");
    }
    // Paths are relative to the file that calls `load`.
    std::fs::write(folder.path().join("inner.scm"), "(setq inner *load-pathname*)").unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/outer.scm"), "(load \"../inner.scm\")").unwrap();
    let mut language = Language::new();
    let main = folder.path().join("main.scm").display().to_string();
    language.host.evaluate_file("(load \"sub/outer.scm\")", &main).unwrap();
    assert!(
        language.shows("inner").ends_with("/sub/../inner.scm\""),
        "{}",
        language.shows("inner")
    );
    for source in [
        "(defun f () (g)) (defun g () 1) (f)".to_owned(),
        "(setq f (lambda () 1)) (f)".to_owned(),
        "(defmacro m (name) `(defun ,name () 1)) (m f) (f)".to_owned(),
        "(defmacro m () '(defun f () 1)) (m) (f)".to_owned(),
        "(defmacro m (n) (let ((name (intern (string-append \"get-\" n)))) `(defun ,name () 1))) (m \"x\") (get-x)".to_owned(),
        "(define-syntax m (syntax-rules () ((_ name) (define (name) 1)))) (m f) (f)".to_owned(),
        "(let ((x 0)) (defun f () 1)) (f)".to_owned(),
        "(labels ((f (n) (if (= n 0) 1 (f (- n 1))))) (f 3))".to_owned(),
        "(let loop ((n 3)) (if (= n 0) 1 (loop (- n 1))))".to_owned(),
        "(define (f g) (g)) (f (lambda () 1))".to_owned(),
        "(define-values (f g) (values (lambda () 1) 2)) (f)".to_owned(),
        format!("{load} (included)"),
        format!("{load} (made f) (f)"),
    ] {
        let mut language = Language::new();
        let value = language.host.evaluate_file(&source, "test.scm");
        let shown = value.map(|value| readably(&language.host.datum(&value)));
        assert_eq!(shown.map_err(|report| report.to_string()), Ok("1".to_owned()), "{source}");
    }
}

/// Calls with natives as functions are answered by natives, and calls with procedures by the
/// prelude. Any error counts as `failed`.
#[test]
fn natives_and_procedures_as_functions_give_the_same_answers() {
    let program = r##"
      (defmacro try (form) `(handler-case ,form (error (c) 'failed)))
      (defparameter tests (list (cons #'eq (lambda (a b) (eq a b))) (cons #'equal (lambda (a b) (equal a b)))
        (cons #'equalp (lambda (a b) (equalp a b))) (cons #'= (lambda (a b) (= a b))) (cons #'< (lambda (a b) (< a b)))
        (cons #'string= (lambda (a b) (string= a b))) (cons #'string-equal (lambda (a b) (string-equal a b)))
        (cons #'char= (lambda (a b) (char= a b)))))
      (defparameter keys (list (cons nil nil) (cons #'car (lambda (e) (car e))) (cons #'length (lambda (e) (length e)))
        (cons #'string-upcase (lambda (e) (string-upcase e)))))
      (defparameter data (list '(1 1.0 2.0 2 0.0 -0.0 100000000000000000000) '("a" "B" "A" "b" "a" "")
        '(a :a "A" nil a) '((1 2) (3) (1 2) nil (1 4)) #(3 1 3) '(#\a #\A #\a) nil
        (list "x" (string "x") 5) '((1 . 2) (3 . 4) (1 . 5)) "aéébé"))
      (defparameter items (list 1 "a" #\a nil))
      (defparameter calls (list
        (lambda (i s f k) (find i s :test f :key k)) (lambda (i s f k) (find i s :test-not f :key k :from-end t :start 1))
        (lambda (i s f k) (position i s :test f :key k :start 1 :end 3)) (lambda (i s f k) (position i s :test f :key k :from-end t))
        (lambda (i s f k) (count i s :test f :key k :end 2)) (lambda (i s f k) (count i s :test-not f :key k))
        (lambda (i s f k) (remove i s :test f :key k)) (lambda (i s f k) (remove i s :test f :key k :start 1 :count 1))
        (lambda (i s f k) (remove i s :test f :key k :from-end t :count 2 :end 5))
        (lambda (i s f k) (member i s :test f :key k)) (lambda (i s f k) (assoc i s :test f :key k))
        (lambda (i s f k) (adjoin i s :test f :key k))))
      (defparameter whole (list
        (lambda (s f k) (remove-duplicates s :test f :key k)) (lambda (s f k) (remove-duplicates s :test f :key k :from-end t))
        (lambda (s f k) (remove-duplicates s :test-not f :key k :start 1 :end 3))
        (lambda (s f k) (union s '(1 "a" 2.0) :test f :key k)) (lambda (s f k) (union '(1 2 "b" a) s :test f :key k))
        (lambda (s f k) (intersection s (reverse s) :test f :key k)) (lambda (s f k) (intersection s '(1 "A" a #\a) :test f :key k))
        (lambda (s f k) (set-difference s '("b" 2 (3)) :test f :key k)) (lambda (s f k) (subsetp s '(1 2 3) :test f :key k))
        (lambda (s f k) (search (subseq s 0 1) s :test f :key k :start2 1)) (lambda (s f k) (search (subseq s 1 2) s :test f :key k :from-end t))
        (lambda (s f k) (reduce f s)) (lambda (s f k) (reduce f s :initial-value 1 :from-end t)) (lambda (s f k) (reduce f s :key k))))
      (defparameter one (list
        (lambda (s k) (mapcar k s)) (lambda (s k) (find-if k s)) (lambda (s k) (position-if k s :start 1)) (lambda (s k) (count-if-not k s))
        (lambda (s k) (remove-if k s :count 1 :from-end t)) (lambda (s k) (remove-if-not k s)) (lambda (s k) (every k s)) (lambda (s k) (some k s))
        (lambda (s k) (position-if-not k s :from-end t)) (lambda (s k) (find-if-not k s)) (lambda (s k) (count-if k s :end 2))))
      (defparameter orders (list (cons #'< (lambda (a b) (< a b))) (cons #'> (lambda (a b) (> a b))) (cons #'string< (lambda (a b) (string< a b)))
        (cons #'string> (lambda (a b) (string> a b))) (cons #'string-lessp (lambda (a b) (string-lessp a b)))
        (cons #'string-greaterp (lambda (a b) (string-greaterp a b))) (cons #'char< (lambda (a b) (char< a b))) (cons #'char> (lambda (a b) (char> a b)))))
      (defparameter compared 0)
      (defparameter differ nil)
      (defun compare (name left right)
        (setq compared (+ compared 1))
        (unless (equal left right) (push (list name left right) differ)))
      ;; Every seventh combination.
      (defparameter turn 0)
      (defun in-turn () (= 0 (setq turn (mod (+ turn 1) 7))))
      (dolist (s data)
        (dolist (k keys)
          (dolist (f tests)
            (dolist (i items)
              (loop for call in calls for n from 0 when (in-turn) do
                (compare (list n i s f k) (try (funcall call i s (car f) (car k))) (try (funcall call i s (cdr f) (cdr k))))))
            (loop for call in whole for n from 0 when (in-turn) do
              (compare (list 'whole n s f k) (try (funcall call s (car f) (car k))) (try (funcall call s (cdr f) (cdr k))))))
          (dolist (f orders)
            (compare (list 'sort s f k) (try (sort s (car f) :key (car k))) (try (sort s (cdr f) :key (cdr k)))))
          (when (car k)
            (loop for call in one for n from 0 do
              (compare (list 'one n s k) (try (funcall call s (car k))) (try (funcall call s (cdr k))))))))
      (list (> compared 2500) (length differ) (if differ (subseq differ 0 (min 5 (length differ))) nil))
    "##;
    check(&[(program, "(t 0 nil)")]);
}

#[test]
fn functions_that_natives_know_can_be_redefined() {
    check(&[
        (
            "(defun 1+ (x) (list 'mine x)) (list (mapcar #'1+ '(1 2)) (mapcar '1+ '(3)) (1+ 4))",
            "(((mine 1) (mine 2)) ((mine 3)) (mine 4))",
        ),
        ("(flet ((1+ (x) (* x 10))) (list (mapcar #'1+ '(1 2)) (1+ 3)))", "((10 20) 30)"),
        ("(mapcar #'1+ '(1 2.5 1/2 9223372036854775807))", "(2 3.5 3/2 9223372036854775808)"),
        (
            "(defun equal (a b) nil) (list (find \"a\" '(\"a\")) (find 1 '(1) :test #'equal) (member 2 '(1 2 3)))",
            "(\"a\" nil (2 3))",
        ),
        ("(flet ((< (a b) (> a b))) (sort (list 2 3 1) #'<))", "(3 2 1)"),
        (
            "(defun car (x) 'mine) (list (dolist (x '(1 2) 'done) x) (loop for x in '(1 2) collect x) (find 1 '((1)) :key #'car))",
            "(done (1 2) nil)",
        ),
    ]);
}

#[test]
fn lists_that_loops_walk_and_make_are_not_changed() {
    check(&[
        (
            "(let ((d (list 1 2 3)) (seen nil)) (dolist (x d) (push (cons x d) seen)) (list d (length seen) (mapcar #'cdr seen)))",
            "((1 2 3) 3 ((1 2 3) (1 2 3) (1 2 3)))",
        ),
        ("(loop for rest on '(1 2 3) collect rest)", "((1 2 3) (2 3) (3))"),
        (
            "(let ((kept nil)) (list (loop for x in '(1 2 3 4) collect x when (evenp x) do (push x kept)) kept))",
            "((1 2 3 4) (4 2))",
        ),
        (
            "(list (loop for x in '(1 2 3) when (oddp x) collect x) (loop for x in '(1 2 3) unless (oddp x) collect x) (loop for i below 5 while (< i 3) collect i))",
            "((1 3) (2) (0 1 2))",
        ),
        (
            "(let ((d (list 3 1 2))) (list (sort d (lambda (a b) (< a b))) d (remove-if (lambda (x) (= x 1)) d) (remove-if-not (lambda (x) (= x 1)) d) d))",
            "((1 2 3) (3 1 2) (3 2) (1) (3 1 2))",
        ),
        (
            "(let ((a (list 1 2))) (list (append a '(3)) (append a '(4)) a (apply #'+ 1 a) a))",
            "((1 2 3) (1 2 4) (1 2) 4 (1 2))",
        ),
    ]);
}

#[test]
#[rustfmt::skip]
fn append_changes_none_of_its_lists() {
    check(&[
        ("(let* ((a (loop for i below 700 collect i)) (b (cdr (cddr a))) (c (append b a '(x)))) (list (length c) (first c) (nth 696 c) (nth 697 c) (car (last c)) (length a) (length b) (car b)))", "(1398 3 699 0 x 700 697 3)"),
        ("(let ((l nil)) (dotimes (i 600) (setq l (append l (list i)))) (list (length l) (first l) (nth 299 l) (car (last l)) (equal l (loop for i below 600 collect i))))", "(600 0 299 599 t)"),
        ("(let* ((a (list 1 2)) (b (append a '(3))) (c (append a '(4)))) (list a b c))", "((1 2) (1 2 3) (1 2 4))"),
        ("(let* ((a (loop for i below 256 collect i)) (b (append a (list 'x))) (c (append (list 'y) a))) (list (length b) (length c) (nth 256 b) (nth 255 b) (first c) (nth 256 c) (length a)))", "(257 257 x 255 y 255 256)"),
        ("(let* ((a (cons 1 (cdr (list 9 2 3)))) (b (cons 0 (cdr a)))) (append a b (cdr b) nil '(4)))", "(1 2 3 0 2 3 2 3 4)"),
        ("(let ((a (loop for i below 300 collect i))) (pop a) (push 'z a) (let ((b (append a a))) (list (length b) (first b) (nth 300 b) (nth 599 b) (nth 1 b))))", "(600 z z 299 1)"),
        ("(let* ((a (loop for i below 300 collect i)) (b (append (nthcdr 250 a) (nthcdr 299 a)))) (list (length b) (first b) (car (last b)) (length a)))", "(51 250 299 300)"),
        ("(reduce #'append '((1) nil (2 3) (4)))", "(1 2 3 4)"),
        ("(append '(1) 2)", "(1 . 2)"),
        ("(append '(1 2) '(3 . 4))", "(1 2 3 . 4)"),
        ("(list (append) (append nil) (append nil 5) (append '(1) nil) (append nil nil '(1)))", "(nil nil 5 (1) (1))"),
        ("(append 5 '(1))", "error: append: expected a list, got 5"),
    ]);
}

#[test]
fn set_operations_and_places_in_long_sequences_are_right() {
    check(&[
        ("(list (intersection '(1 2 3) '(2 3 4)) (union '(1 2) '(2 3)) (set-difference '(1 2 3) '(2)))", "((2 3) (1 2 3) (1 3))"),
        ("(list (remove-duplicates '(1 2 1 3 2)) (remove-duplicates \"abca\") (remove-duplicates '(\"a\" \"b\" \"a\")))", "((1 3 2) \"bca\" (\"b\" \"a\"))"),
        ("(list (intersection '((1 \"x\") (2)) '((2))) (intersection '(1.0 2) '(1.0)) (intersection '(1 nil) '(nil)))", "(((2)) (1.0) (nil))"),
        ("(list (intersection '(1) '(\"1\")) (intersection '(a) '(\"a\")) (intersection '(:a) '(a)) (intersection '(1) '(1.0)))", "(nil nil nil nil)"),
        ("(list (intersection '(1 5) '(2) :test #'<) (remove-duplicates '(\"a\" \"A\") :test #'equalp))", "((1) (\"A\"))"),
        ("(remove-duplicates '((1 a) (1 b)) :key #'car)", "((1 b))"),
        ("(length (intersection (list #'car) (list #'cdr)))", "0"),
        ("(list (elt \"a\u{f1}b\" 1) (aref #(1 2) 1) (elt '(a b) 1) (char \"\u{f1}x\" 1))", "(#\\\u{f1} 2 b #\\x)"),
        ("(list (position #\\b \"abcb\" :start 2) (position #\\b \"a\u{f1}bc\" :start 1 :end 3) (position #\\z \"abc\"))", "(3 2 nil)"),
        ("(list (subseq \"a\u{f1}bc\" 1 3) (subseq \"abc\" 3) (subseq #(1 2 3) 1))", "(\"\u{f1}b\" \"\" #(2 3))"),
        ("(elt \"abc\" 3)", "error: elt: 3 is not within a sequence of length 3"),
        ("(position #\\b \"abc\" :start 9)", "error: subseq: 9 is not within a sequence of length 3"),
        (
            "(let ((long (concatenate 'string (make-string 2000 #\\x) \"\u{f1}y\")) (plain (make-string 2000 #\\y)))
               (list (elt long 2001) (elt plain 1999) (position #\\y long) (position #\\y plain) (subseq long 1999)))",
            "(#\\y #\\y 2001 0 \"x\u{f1}y\")",
        ),
        (
            "(let ((text (apply #'concatenate 'string (loop for i below 700 collect (format nil \"~a\u{e9}\u{1f600}x\" i)))) (places nil))
               (dotimes (i (length text)) (push (char text i) places))
               (list (length text) (equal (coerce (reverse places) 'string) text)
                 (position #\\x text :start 1000 :from-end t) (length (subseq text 1234))
                 (string= text \"699\" :start1 (- (length text) 6) :end1 (- (length text) 3))
                 (search \"699\" text :start2 256) (subseq text 511 514) (find #\\y text :start 4000) (count #\\\u{e9} text :start 100 :end 1000)))",
            "(4090 t 4089 2856 t 4084 \"\u{e9}\u{1f600}x\" nil 163)",
        ),
        ("(subseq (make-string 2000 :initial-element #\\\u{e9}) 1999 2001)", "error: subseq: 1999 to 2001 is not within a sequence of length 2000"),
    ]);
}

#[test]
fn an_assignment_may_hold_a_procedure_that_reads_the_variable() {
    check(&[
        ("(let ((c 8)) (setq c (+ c (funcall (lambda () c)))) c)", "16"),
        ("(let ((c 8)) (incf c (let ((d 1)) (+ c d))) c)", "17"),
        ("(let ((c 8)) (incf c (multiple-value-bind (q r) (floor c 3) (+ q r))) c)", "12"),
        ("(let ((l '(1 2))) (setq l (mapcar (lambda (x) (+ x (length l))) l)) l)", "(3 4)"),
        ("(let ((l '(1 2))) (push (some (lambda (x) (member x l)) '(2 3)) l) l)", "((2) 1 2)"),
        ("(let ((f nil)) (setq f (lambda () f)) (functionp (funcall f)))", "t"),
    ]);
}

#[test]
fn large_numbers_in_the_text_are_whole() {
    check(&[
        ("(let ((x 1)) (+ x 16777215))", "16777216"),
        ("(let ((x 1)) (+ x 16777216))", "16777217"),
        ("(let ((x 0)) (- x 31536000))", "-31536000"),
        ("(let ((x 4)) (incf x 123456789012) x)", "123456789016"),
        ("(let ((size 26214400)) (<= size 25000000))", "nil"),
        ("(let ((x 1)) (list (* x 16777216) x 4294967296))", "(16777216 1 4294967296)"),
    ]);
}

#[test]
fn apply_puts_arguments_in_front_of_any_list() {
    check(&[
        ("(apply #'list 1 (cdr (list 5 4)))", "(1 4)"),
        ("(apply #'list 1 2 (cddr (list 5 4 3)))", "(1 2 3)"),
        ("(apply 'list 1 (rest (list 5 4)))", "(1 4)"),
        ("(funcall #'apply #'list 1 (cdr (list 5 4)))", "(1 4)"),
        ("(let ((l (list 5 4))) (list (apply #'max 1 (cdr l)) l))", "(4 (5 4))"),
        ("(apply #'mapcar #'list (cdr '((0) (1 2) (3 4))))", "((1 3) (2 4))"),
        ("(flet ((f (&rest r) r)) (apply #'f :a 1 (cdr (list 5 4))))", "(:a 1 4)"),
    ]);
}

#[test]
fn values_that_nobody_asked_for_are_forgotten() {
    check(&[
        ("(multiple-value-list (+ 0 (truncate 7 2)))", "(3)"),
        ("(multiple-value-list (identity (truncate 7 2)))", "(3)"),
        ("(multiple-value-list (let ((x (floor 7 2))) x))", "(3)"),
        ("(let ((x 0)) (multiple-value-list (setq x (floor 7 2))))", "(3)"),
        ("(defun half (n) (floor n 2)) (multiple-value-list (+ 0 (half 7)))", "(3)"),
        ("(defun half (n) (floor n 2)) (multiple-value-list (half 7))", "(3 1)"),
        ("(multiple-value-list (if t (floor 7 2)))", "(3 1)"),
        ("(multiple-value-list (let ((x 7)) (floor x 2)))", "(3 1)"),
        ("(multiple-value-list (block nil (return (values 1 2))))", "(1 2)"),
        ("(handler-case (/ (truncate 6 -1) 1) (:no-error (v) (list v)))", "(-6)"),
    ]);
}

#[test]
fn only_functions_that_take_a_test_take_the_name_of_one() {
    check(&[
        ("(list :key 'sym)", "(:key sym)"),
        ("(list :test 'equal)", "(:test equal)"),
        ("(defun pair (&key test) test) (pair :test 'equal)", "equal"),
        ("(find 2 '((1 a) (2 b)) :key 'car)", "(2 b)"),
        ("(let ((list '(1 2))) (apply #'list 0 list))", "(0 1 2)"),
        ("(let ((list '(1 2))) (funcall 'list list))", "((1 2))"),
        ("(let ((list (list 1 2))) (mapcar #'list list))", "((1) (2))"),
    ]);
}

#[test]
fn numbers_are_as_exact_as_they_can_be() {
    check(&[
        ("(/ 0.1 -7)", "-0.014285714285714287"),
        ("(/ 5.0 -6)", "-0.8333333333333334"),
        ("(/ 1 3)", "1/3"),
        ("(/ 0.5)", "2.0"),
        ("(expt (/ 1000000 9) 2)", "1000000000000/81"),
        ("(expt 2/3 -2)", "9/4"),
        ("(logand 12 10)", "8"),
        ("(bitwise-and 9 '(4 5))", "error: bitwise-and: expected an integer of 64 bits, got (4 5)"),
    ]);
}

#[test]
fn messages_name_the_words_that_scripts_write() {
    let texts = ["prelude.scm", "sequences.scm"].map(|file| {
        let path = format!("{}/src/host/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    });
    let macros: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("(define-syntax "))
        .filter(|name| !name.starts_with('%'))
        .collect();
    assert!(macros.len() > 30);
    let mut language = Language::new();
    for name in macros {
        for arguments in ["", " 1", " 1 2", " (a)", " (a) (b)", " ((a) b) (c)", " 1 (error)"] {
            let shown = language.shows(&format!("({name}{arguments})"));
            assert!(!shown.contains('%') && !shown.contains("##"), "({name}{arguments}): {shown}");
        }
    }
    check(&[
        (
            "(handler-case 1 (error (a b) 2))",
            "error: handler-case: malformed: expected (handler-case form (class (variable) form …) …)",
        ),
        ("(pop 5)", "error: pop: expected a place, got a constant"),
    ]);
}

#[test]
fn programs_of_allegro_may_keep_their_preamble() {
    check(&[
        ("(eval-when (compile load eval) (require :imap)) (list (require :smtp) 1)", "(t 1)"),
        ("(eval-when (:compile-toplevel :execute) (defun f () 5)) (f)", "5"),
        ("(defun f () (eval-when (:execute) (list 1) 2)) (f)", "2"),
        ("(in-package :user) (defpackage :mine (:use :cl)) (use-package :net.post-office) 1", "1"),
        ("(export '(f)) (proclaim '(optimize speed)) (declaim (inline f)) (provide :mine)", "t"),
        ("(import (scheme base) (srfi 1)) (locally (declare (ignore x)) (the integer 5))", "5"),
        (
            "(list (excl:match-re \"a\" \"a\") (cl-user::string-upcase \"a\") 'pkg::name)",
            "(t \"A\" name)",
        ),
        ("(if* t then 1 2 else 3)", "2"),
        ("(if* nil then 1 else 3 4)", "4"),
        ("(if* nil then 1)", "nil"),
        ("(if* nil then 1 elseif 7 thenret else 2)", "7"),
        ("(if* nil then 1 elseif nil then 2 elseif t then else 3)", "nil"),
        ("(let ((x 5)) (if* (> x 3) then (setq x 1) x elseif t then 9))", "1"),
        (
            "(if* t 1)",
            "error: if*: expected (if* test then form … [elseif test then form …] [else form …])",
        ),
        (
            "(if* t then 1 else)",
            "error: if*: expected (if* test then form … [elseif test then form …] [else form …])",
        ),
        ("(list #+allegro 1 #-allegro 2)", "(2)"),
        ("(list #+postoffice 1 #-postoffice 2)", "(1)"),
        ("(list #+(and common-lisp (not sbcl)) 1 #+(or ccl sbcl) (2 3) #-(or) 4)", "(1 4)"),
        ("'(a #+(or sbcl :postoffice) b)", "(a b)"),
        ("#+sbcl (load \"x\") #-sbcl 5", "5"),
        ("(list #+allegro #+smp 1 2)", "nil"),
        ("'#:sym", "sym"),
        (
            "#+5 1",
            "error: expected a feature, or (and …), (or …), (not …) of features, after #+ or #-",
        ),
        ("(list #+postoffice)", "error: a form must stand before this parenthesis"),
    ]);
}

#[test]
fn required_files_are_loaded_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    write("parts/a.lisp", "(require \"b\") (defvar *count* 0) (incf *count*) (defun a () (b))");
    write("parts/b.scm", "(defun b () :b)");
    write("wrong.scm", "(car 5)");
    let main = folder.path().join("main.scm").display().to_string();
    let mut language = Language::new();
    let mut run = |text: &str| match language.host.evaluate_file(text, &main) {
        Ok(value) => readably(&language.host.datum(&value)),
        Err(report) => report.condition.message,
    };
    let text =
        "(eval-when (load eval) (require \"parts/a\")) (require \"parts/a\") (list (a) *count*)";
    assert_eq!(run(text), "(:b 1)");
    assert_eq!(run(text), "(:b 1)");
    let twice = "car: expected a list or pair, got 5";
    assert_eq!([run("(require \"wrong\")"), run("(require \"wrong\")")], [twice, twice]);
    assert!(run("(require \"none\")").starts_with("require: "));
    assert_eq!(
        run("(defun f () (require \"parts/a\")) (f)"),
        "require: a file is loaded at top level only, not within another form"
    );
    assert_eq!(run("(defun f () (require :imap)) (f)"), "t");

    // With a module and a path: unless the module is there.
    write("lib.scm", "(provide :lib) (incf *count*) (defun lib () :lib)");
    write("plain.scm", "(incf *count*)");
    for (text, expected) in [
        ("(setq *count* 0) (require :lib \"lib.scm\") (list (lib) *count*)", "(:lib 1)"),
        ("(require :lib \"lib.scm\") (require 'LIB \"none.scm\") *count*", "1"),
        ("(list (progn (require :lib)) *count*)", "(t 1)"),
        (
            "(require \"plain\") (require :plain \"plain\") (require :other \"plain.scm\") *count*",
            "2",
        ),
        ("(require :imap \"none/imap.fasl\") *count*", "2"),
        ("(provide \"none\") (require :none \"none.scm\") *count*", "2"),
        (
            "(require :absent \"absent.scm\")",
            "require: @/absent.scm: No such file or directory (os error 2)",
        ),
        (
            "(require :lib (string-append \"lib\" \".scm\"))",
            "require: with a path, stands at top level only, and the path is a literal string",
        ),
        (
            "(defun f () (require :unheard \"lib.scm\")) (f)",
            "require: with a path, stands at top level only, and the path is a literal string",
        ),
        ("(require :unheard \"lib.scm\") (wanting)", "the function wanting is not defined"),
    ] {
        let shown = run(text).replace(&folder.path().display().to_string(), "@");
        assert_eq!(shown, expected, "{text}");
    }

    // Files that require one another. Each names the others twice: without a memory of the files
    // that were followed, their forms would be collected more than 2^50 times.
    let names = ["x", "y", "z"];
    for name in names {
        let requires = names.map(|other| format!("(require \"{other}\") (require \"{other}\")"));
        write(&format!("{name}.scm"), &format!("{} (incf *count*)", requires.concat()));
    }
    assert_eq!(run("(setq *count* 0) (require \"x\") *count*"), "3");
}

#[test]
fn load_takes_keys_and_finds_the_extension() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    for (name, text) in [
        ("part.lisp", "(setq part 7) (defun from-part () part)"),
        ("sub/outer.scm", "(load (merge-pathnames \"inner\" *load-truename*)) (setq outer t)"),
        ("sub/inner.scm", "(setq inner (list *load-pathname* *load-truename*))"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    // The folder for temporary files may be a link.
    let real = std::fs::canonicalize(folder.path()).unwrap().display().to_string();
    let main = folder.path().join("main.scm").display().to_string();
    std::fs::write(&main, "").unwrap();
    for (text, expected, output) in [
        ("(load \"part\") (from-part)", "7", ""),
        ("(load \"part.lisp\" :verbose nil :print nil) (from-part)", "7", ""),
        ("(load (string-append \"pa\" \"rt\") :if-does-not-exist nil) part", "7", ""),
        ("(load \"part\" :verbose t)", "t", "; loading @/part.lisp\n"),
        ("(princ 1) (load \"part\" :print t) part", "7", "1\n; loading @/part.lisp\n"),
        ("(load \"part\" :VERBOSE nil :verbose t) part", "7", ""),
        ("(load \"none\" :if-does-not-exist nil)", "nil", ""),
        ("(load \"none\" :if-does-not-exist nil) (if t 1 (undefined-here))", "1", ""),
        ("(load \"none\" :verbose t :if-does-not-exist (not t))", "nil", ""),
        (
            "(load \"none\" :if-does-not-exist :error)",
            "error: load: @/none: No such file or directory (os error 2)",
            "",
        ),
        ("(load \"none\")", "error: load: @/none: No such file or directory (os error 2)", ""),
        (
            "(load \"part\" :verbose)",
            "error: load: expected a keyword and a value after the path, got :verbose",
            "",
        ),
        (
            "(load \"part\" 5 6)",
            "error: load: expected a keyword and a value after the path, got 5",
            "",
        ),
        (
            "(load \"part\" :vebose t)",
            "error: load: unknown key :vebose; expected :verbose, :print or :if-does-not-exist; did you mean `:verbose`?",
            "",
        ),
        ("(load \"part\" :verbose (car 5))", "error: car: expected a list or pair, got 5", ""),
        ("(load \"sub/outer\") inner", r#"("@/sub/inner.scm" "@/sub/inner.scm")"#, ""),
        ("*load-truename*", "\"@/main.scm\"", ""),
        ("(load \"part\") *load-truename*", "\"@/main.scm\"", ""),
    ] {
        let mut language = Language::new();
        let shown = match language.host.evaluate_file(text, &main) {
            Ok(value) => readably(&language.host.datum(&value)),
            Err(report) => format!("error: {}", report.condition.message),
        };
        let plain = |text: &str| {
            text.replace(&real, "@").replace(&folder.path().display().to_string(), "@")
        };
        assert_eq!(
            (plain(&shown), plain(&language.output())),
            (expected.into(), output.into()),
            "{text}"
        );
    }
    assert_eq!(Language::new().shows("(list *load-pathname* *load-truename*)"), "(nil nil)");
}

#[test]
fn files_that_load_one_another_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.scm").display().to_string();
    let text = "(load \"again.scm\") (load \"again.scm\")";
    std::fs::write(&path, text).unwrap();
    let report = Language::new().host.evaluate_file(text, &path).unwrap_err();
    assert!(report.condition.message.ends_with("again.scm: files load one another without an end"));
}

/// Forms that make a key that can change, change it, and the form that changes it back.
const CHANGING: [(&str, &str); 7] = [
    ("(vector 1 2)", "(setf (aref key 0) 5)"),
    ("(make-vector 3 0)", "(vector-set! key 1 'x)"),
    ("(make-hash-table)", "(setf (gethash 'x key) 1)"),
    ("(bytes 1 2)", "(bytes-set! key 0 9)"),
    ("(list 1 (vector 2))", "(setf (aref (second key) 0) 5)"),
    ("(cons 1 (vector 2))", "(setf (aref (cdr key) 0) 5)"),
    ("(list 'a (make-hash-table))", "(setf (gethash 'x (second key)) 1)"),
];

#[test]
fn a_table_by_identity_finds_a_key_that_has_changed() {
    let mut table = Vec::new();
    for test in ["eq", "eql"] {
        for (key, change) in CHANGING {
            table.push(format!(
                "(let ((key {key}) (h (make-hash-table :test '{test})))
                   (setf (gethash key h) 1)
                   {change}
                   (setf (gethash key h) (1+ (gethash key h)))
                   (dotimes (i 100) (setf (gethash i h) i))
                   (dotimes (i 100) (remhash i h))
                   (list (gethash key h) (hash-table-count h) (remhash key h) (hash-table-count h)))"
            ));
        }
    }
    // These compare hash tables by identity too.
    for key in ["(make-hash-table)", "(list 1 (make-hash-table))"] {
        table.push(format!(
            "(let* ((key {key}) (table (if (listp key) (second key) key)) (h (make-hash-table :test 'equal)))
               (setf (gethash key h) 1)
               (setf (gethash 'x table) 1)
               (list (1+ (gethash key h)) (hash-table-count h) (remhash key h) (hash-table-count h)))"
        ));
    }
    check(&table.iter().map(|form| (form.as_str(), "(2 1 t 0)")).collect::<Vec<_>>());
}

#[test]
fn each_test_of_a_table_tells_keys_apart_as_its_function_does() {
    let values = [
        "nil",
        "(= 1 2)",
        "t",
        "'a",
        "':a",
        "1",
        "1.0",
        "1/2",
        "0.5",
        "0.0",
        "-0.0",
        "(expt 10 30)",
        "#\\a",
        "#\\A",
        "\"a\"",
        "\"A\"",
        "\"\"",
        "'(1 \"a\")",
        "'(1.0 \"A\")",
        "'(nil)",
        "(list (= 1 2))",
        "'(1 . 2)",
        "'(1.0 . 2)",
        "(vector 1 \"a\")",
        "(vector 1 \"A\")",
        "'#(1 \"a\")",
        "(vector)",
        "(vector #\\a)",
        "(vector #\\A)",
        "(bytes 1 2)",
        "(vector 1 2)",
        "(vector 1.0 2)",
        "(list (vector 1 2))",
        "(make-hash-table)",
        "(let ((h (make-hash-table :test 'equal))) (setf (gethash \"a\" h) 1) h)",
        "(let ((h (make-hash-table :test 'equal))) (setf (gethash \"a\" h) 1.0) h)",
        "(let ((h (make-hash-table :test 'equal))) (setf (gethash \"A\" h) 1) h)",
    ];
    let list = values.join(" ");
    for test in ["eq", "eql", "equal", "equalp"] {
        let source = format!(
            "(let ((wrong '()))
               (dolist (a (list {list}))
                 (dolist (b (list a {list}))
                   (let ((h (make-hash-table :test '{test})))
                     (setf (gethash a h) t)
                     (unless (eq (gethash b h) ({test} a b)) (push (list a b) wrong)))))
               wrong)"
        );
        assert_eq!(Language::new().shows(&source), "nil", "{test}");
    }
}

#[test]
fn equality_descends_as_far_as_the_standard_says() {
    check(&[
        (
            "(list (eq (vector 1) (vector 1)) (eql (vector 1) (vector 1)) (equal (vector 1) (vector 1)) (equalp (vector 1) (vector 1)))",
            "(nil nil t t)",
        ),
        ("(let ((v (vector 1))) (list (eq v v) (eql v v) (equal v v) (equalp v v)))", "(t t t t)"),
        ("(let ((v (bytes 1))) (list (eq v v) (eq v (bytes 1)) (equal v (bytes 1))))", "(t nil t)"),
        (
            "(list (eql 1 1.0) (equal 1 1.0) (equalp 1 1.0) (equalp 1/2 0.5) (equalp 1 2.0) (equalp 1/3 0.3))",
            "(nil nil t t nil nil)",
        ),
        (
            "(list (equalp (expt 2 70) (expt 2.0 70)) (equalp (expt 10 30) (1+ (expt 10 30))))",
            "(t nil)",
        ),
        (
            "(list (equalp #(\"A\") #(\"a\")) (equalp (vector 1 \"A\") '#(1.0 \"a\")) (equalp #(1) #(1 2)))",
            "(t t nil)",
        ),
        (
            "(list (equalp '(#(\"A\") . #\\b) '(#(\"a\") . #\\B)) (equalp '(1 . 2) '(1 2)) (equalp '(1 . 2) '(1 . 3)))",
            "(t nil nil)",
        ),
        (
            "(list (equalp \"ab\" #(#\\a #\\B)) (equalp (bytes 1 2) #(1 2.0)) (equalp \"\" #()) (equalp '() #()) (equalp \"a\" 'a))",
            "(t t t nil nil)",
        ),
        // The same values at every depth, whatever makes them print as nil.
        (
            "(list (equal (list (= 1 2)) (list nil)) (equalp (list (= 1 2)) (list nil)) (equal (vector (= 1 2)) (vector nil)))",
            "(t t t)",
        ),
        // A value that occurs twice is compared each time.
        (
            "(let ((v (vector 1))) (list (equal (list v v) (list (vector 1) (vector 2))) (equal (list v v) (list (vector 1) (vector 1)))))",
            "(nil t)",
        ),
        (
            "(let ((p (cons 1 2))) (list (equal (list p p) (list (cons 1 2) (cons 1 3))) (equal (list p p) (list (cons 1 2) (cons 1 2)))))",
            "(nil t)",
        ),
        (
            "(let ((v (coerce '(1) 'vector)) (w (coerce '(1) 'vector))) (equal (list v v) (list w w)))",
            "t",
        ),
        // Values that contain themselves.
        (
            "(let ((v (vector 1 nil)) (w (vector 1 nil))) (setf (aref v 1) v (aref w 1) w) (list (equal v w) (equalp v w) (equalp v (vector 1 2))))",
            "(t t nil)",
        ),
        (
            "(let ((v (vector 1 nil)) (h (make-hash-table :test 'equalp))) (setf (aref v 1) v (gethash v h) 2) (gethash v h))",
            "2",
        ),
    ]);
    let tables = "(defun table (test &rest pairs)
      (let ((h (make-hash-table :test test)))
        (loop for (key value) on pairs by #'cddr do (setf (gethash key h) value))
        h))";
    for (form, expected) in [
        ("(equalp (table 'equal 1 \"A\" 2 'x) (table 'equal 2 'x 1 \"a\"))", "t"),
        ("(equal (table 'equal 1 2) (table 'equal 1 2))", "nil"),
        ("(equalp (table 'equal 1 2) (table 'eql 1 2))", "nil"),
        ("(equalp (table 'equal 1 2) (table 'equal 1 3))", "nil"),
        ("(equalp (table 'equal 1 2) (table 'equal 3 2))", "nil"),
        ("(equalp (table 'equal 1 2) (table 'equal 1 2 3 4))", "nil"),
        ("(equalp (table 'equal 1 nil) (table 'equal 2 nil))", "nil"),
        ("(equalp (table 'equal \"A\" 1) (table 'equal \"a\" 1))", "nil"),
        ("(equalp (table 'equalp \"A\" 1) (table 'equalp \"a\" 1.0))", "t"),
        (
            "(equalp (list (vector (table 'eql 1 #(\"A\")))) (list (vector (table 'eql 1 #(\"a\")))))",
            "t",
        ),
        (
            "(let ((h (table 'eql)) (g (table 'eql))) (setf (gethash 1 h) h (gethash 1 g) g) (equalp h g))",
            "t",
        ),
        (
            "(let ((h (table 'equalp))) (setf (gethash h h) 1) (list (hash-table-count h) (equalp h h)))",
            "(1 t)",
        ),
    ] {
        let mut language = Language::new();
        language.shows(tables);
        assert_eq!(language.shows(form), expected, "{form}");
    }
}

#[test]
fn sets_take_all_that_is_equal_for_one() {
    let table: Vec<(String, &str)> = vec![
        ("(remove-duplicates (list X Y))".into(), "(nil)"),
        ("(intersection (list X) (list Y))".into(), "(nil)"),
        ("(union (list X) (list Y))".into(), "(nil)"),
        ("(set-difference (list X) (list Y))".into(), "nil"),
        ("(set-exclusive-or (list X) (list Y))".into(), "nil"),
        ("(subsetp (list X) (list Y))".into(), "t"),
        ("(length (remove-duplicates (list (list 1 X) (list 1 Y))))".into(), "1"),
        ("(length (remove-duplicates (list (list 1 (list X)) (list 1 (list Y)) 2)))".into(), "2"),
        ("(length (remove-duplicates (list (vector X) (vector Y))))".into(), "1"),
    ];
    let nils = ["nil", "'()", "(= 1 2)", "#f"];
    let (mut language, mut wrong) = (Language::new(), Vec::new());
    for (form, expected) in table {
        for (x, y) in nils.iter().flat_map(|x| nils.iter().map(move |y| (x, y))) {
            let form = form.replace('X', x).replace('Y', y);
            let shown = language.shows(&form);
            if shown != expected {
                wrong.push(format!("{form}: {shown}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_jump_out_of_a_macros_procedure_is_a_clear_error() {
    let message = "error: while expanding: a jump to a place that has been left already";
    for form in [
        "(block out (setq jump (lambda () (return-from out 1))))",
        "(call/cc (lambda (k) (setq jump (lambda () (k 1)))))",
    ] {
        let form = format!("{form} (defmacro m () (funcall jump)) (m)");
        assert_eq!(Language::new().shows(&form), message, "{form}");
    }
    assert_eq!(
        Language::new().shows("(defmacro m () (throw 'out 1)) (catch 'out (m))"),
        "error: while expanding: throw: there is no catch for out"
    );
    // An interrupt leaves a block without running anything of it.
    let mut language = Language::new();
    let (interrupter, output) = (language.host.interrupter(), language.output.clone());
    let thread = std::thread::spawn(move || {
        while !output.lock().unwrap().contains("started") {
            std::thread::yield_now();
        }
        interrupter.interrupt();
    });
    let form = "(block out (setq jump (lambda () (return-from out 1))) (princ \"started\") (loop))";
    assert!(language.host.evaluate(form, "test").unwrap_err().interrupted);
    thread.join().unwrap();
    assert_eq!(language.shows("(defmacro m () (funcall jump)) (m)"), message);
    assert_eq!(
        format!("error: while expanding: {}", &language.shows("(funcall jump)")[7..]),
        message
    );
    // A jump within the procedure is fine.
    check(&[
        ("(defmacro m () (block nil (return ''inside))) (m)", "inside"),
        ("(defmacro m () (catch 'x (throw 'x 5))) (m)", "5"),
        ("(defmacro m () (return-from m 5)) (m)", "5"),
        ("(defmacro m () (error \"bad ~a\" 1)) (m)", "error: while expanding: bad 1"),
        ("(defmacro m () (raise 5)) (m)", "error: while expanding: raised: 5"),
    ]);
    let mut language = Language::new();
    let report = language.host.evaluate("(defmacro m () (exit 3)) (m)", "test").unwrap_err();
    assert_eq!(report.exit, Some(3));
    assert_eq!(language.shows("(+ 1 2)"), "3");
}

#[test]
fn an_interrupt_of_an_idle_host_is_forgotten() {
    let mut language = Language::new();
    let interrupter = language.host.interrupter();
    interrupter.interrupt();
    assert_eq!(language.shows("(+ 1 2)"), "3");
    interrupter.interrupt();
    assert!(language.host.evaluate_file("(setq x (loop for i below 1000 sum i))", "file").is_ok());
    interrupter.interrupt();
    assert_eq!(language.shows("x"), "499500");
}

#[test]
fn nothing_starts_while_a_time_limit_is_over() {
    let mut language = Language::new();
    let limit = TimeLimit::start(&language.host, Duration::from_millis(1)).unwrap();
    // The end of the form clears the interrupt.
    assert!(language.host.evaluate("(loop)", "test").unwrap_err().interrupted);
    assert!(language.host.evaluate_file("(princ 1)", "file").unwrap_err().interrupted);
    assert!(language.host.evaluate("(princ 2)", "test").unwrap_err().interrupted);
    drop(limit);
    assert_eq!(language.output(), "");
    assert!(language.host.evaluate_file("(princ 3)", "file").is_ok());
    assert_eq!(language.output(), "3");
}

#[test]
fn a_host_works_in_a_thread_that_did_not_make_it() {
    let mut language = Language::new();
    let form = "(list (cons 1 2) (eq (list 1) (list 1)) (floor (expt 10 30) 7) 1/2 (let ((v (list 1))) (eq v v)))";
    let expected = Language::new().shows(form);
    assert!(
        expected.starts_with("((1 . 2) nil 142857142857142857142857142857 1/2 t"),
        "{expected}"
    );
    let moved = std::thread::spawn(move || language.shows(form)).join().unwrap();
    assert_eq!(moved, expected);
}

#[test]
fn restarts_are_offered_and_invoked() {
    check(&[
        ("(restart-case 1 (use-value (v) v))", "1"),
        ("(multiple-value-list (restart-case (values 1 2)))", "(1 2)"),
        ("(restart-case (invoke-restart 'r 1 2) (r (a b) (list a b)))", "(1 2)"),
        ("(restart-case (invoke-restart 'r) (r (&optional (a 5)) a))", "5"),
        ("(restart-case (invoke-restart 'r) (r ()))", "nil"),
        // A handler runs before the stack unwinds.
        (
            "(handler-bind ((error (lambda (c) (use-value 7)))) (+ 1 (restart-case (error \"x\") (use-value (v) v))))",
            "8",
        ),
        (
            "(handler-bind ((error (lambda (c) (use-value 7)))) (+ 1 (restart-case (car 5) (use-value (v) v))))",
            "8",
        ),
        (
            "(restart-case (handler-bind ((error (lambda (c) (invoke-restart 'outer 3)))) (restart-case (error \"x\") (inner () 1))) (outer (v) (list :outer v)))",
            "(:outer 3)",
        ),
        // The innermost of a name is taken; a handler may choose another.
        ("(restart-case (restart-case (invoke-restart 'r) (r () :inner)) (r () :outer))", ":inner"),
        (
            "(restart-case (restart-case (invoke-restart (second (compute-restarts))) (r () :inner)) (r () :outer))",
            ":outer",
        ),
        ("(restart-case (mapcar #'restart-name (compute-restarts)) (a ()) (b ()))", "(a b)"),
        ("(restart-case (find-restart 'nothing) (a ()))", "nil"),
        ("(let ((r (restart-case (find-restart 'a) (a ())))) (find-restart r))", "nil"),
        ("(compute-restarts)", "nil"),
        ("(restart-case (princ-to-string (find-restart 'a)) (a ()))", "\"#<restart a>\""),
        (
            "(restart-case (princ-to-string (find-restart 'a)) (a () :report \"Goes on.\"))",
            "\"Goes on.\"",
        ),
        (
            "(with-simple-restart (a \"Skips ~a.\" 5) (princ-to-string (find-restart 'a)))",
            "\"Skips 5.\"",
        ),
        // Clean-up runs on the way to the restart, once.
        (
            "(let ((n 0)) (list (restart-case (unwind-protect (invoke-restart 'r) (incf n)) (r () :r)) n))",
            "(:r 1)",
        ),
        // A restart that a test excludes.
        (
            "(handler-bind ((error (lambda (c) (when (find-restart 'r c) (invoke-restart 'r))))) (handler-case (restart-case (error \"x\") (r () :test (lambda (c) nil) 1)) (error () :handled)))",
            ":handled",
        ),
        (
            "(restart-case (invoke-restart-interactively 'r) (r (a b) :report \"Adds.\" :interactive (lambda () (list 1 2)) (+ a b)))",
            "3",
        ),
        (
            "(multiple-value-list (with-simple-restart (stop \"Stops ~a.\" 1) (invoke-restart 'stop)))",
            "(nil t)",
        ),
        ("(with-simple-restart (stop \"Stops.\") 5)", "5"),
        (
            "(handler-bind ((error (lambda (c) (continue)))) (list (cerror \"Go on with ~a.\" \"no ~a\" 1) 2))",
            "(nil 2)",
        ),
        (
            "(handler-case (cerror \"Go on.\" \"no ~a\" 1) (error (c) (princ-to-string c)))",
            "\"no 1\"",
        ),
        ("(list (continue) (retry) (use-value 1) (store-value 1))", "(nil nil nil nil)"),
        ("(abort)", "error: abort: there is no restart `abort` here"),
        ("(muffle-warning)", "error: muffle-warning: there is no restart `muffle-warning` here"),
        ("(restart-case (abort) (abort () :aborted))", ":aborted"),
        ("(multiple-value-list (catch 'x (throw 'x (floor 7 2))))", "(3 1)"),
        ("(multiple-value-list (parse-integer \"a17b\" :start 1 :junk-allowed t))", "(17 3)"),
        ("(multiple-value-list (parse-integer \" -17 \"))", "(-17 5)"),
        ("(multiple-value-list (parse-integer \" -17 \" :junk-allowed t))", "(-17 4)"),
        ("(multiple-value-list (parse-integer \"x\" :junk-allowed t))", "(nil 0)"),
        (
            "(restart-case (invoke-restart 'c) (a ()) (b ()))",
            "error: invoke-restart: there is no restart `c` here; there are a, b",
        ),
        ("(invoke-restart 5)", "error: invoke-restart: expected a restart or its name, got 5"),
        ("(restart-name 5)", "error: restart-name: expected a restart, got 5"),
        (
            "(let ((r nil)) (restart-case (setq r (find-restart 'a)) (a ())) (invoke-restart r))",
            "error: a jump to a place that has been left already",
        ),
        ("(restart-bind ((r (lambda (x) (* x 2)))) (+ 1 (invoke-restart 'r 5)))", "11"),
        ("(handler-bind ((warning #'muffle-warning)) (warn \"quiet\") :quiet)", ":quiet"),
        (
            "(let ((n 0)) (list (loop (restart-case (if (< n 3) (error \"x\") (return n)) (retry () (incf n))) (when (> n 5) (return :no)))))",
            "error: x",
        ),
        (
            "(let ((n 0)) (handler-bind ((error (lambda (c) (retry)))) (loop (restart-case (if (< n 3) (error \"x\") (return n)) (retry () (incf n))))))",
            "3",
        ),
        // After the restart, handlers and restarts are as before.
        (
            "(handler-case (progn (restart-case (invoke-restart 'r) (r () 1)) (error \"later ~a\" (length (compute-restarts)))) (error (c) (princ-to-string c)))",
            "\"later 0\"",
        ),
        (
            "(restart-case 1 r)",
            "error: restart-case: malformed: expected (restart-case form (name parameters form …) …)",
        ),
    ]);
}

#[test]
fn every_place_is_set_and_its_subforms_are_evaluated_once_from_left_to_right() {
    check(&[
        ("(let ((l (list 1 2 3))) (setf (car l) 9) l)", "(9 2 3)"),
        ("(let ((l (list 1 2 3))) (setf (cadr l) 9 (third l) 8) l)", "(1 9 8)"),
        ("(let ((l (list 1 2 3))) (setf (cdr l) '(7)) l)", "(1 7)"),
        ("(let ((l (list 1 2 3))) (setf (nth 1 l) 5))", "5"),
        ("(let ((l (list 1 (list 2 3)))) (incf (car (nth 1 l)) 10) l)", "(1 (12 3))"),
        ("(let ((l (list 1 2 3))) (setf (nthcdr 2 l) '(x y)) l)", "(1 2 x y)"),
        ("(let ((l (list :a 1))) (setf (getf l :b) 2 (getf l :a) 3) l)", "(:b 2 :a 3)"),
        ("(let ((l '())) (incf (getf l :n 10)) l)", "(:n 11)"),
        ("(let ((s \"abc\")) (setf (char s 1) #\\x) s)", "\"axc\""),
        ("(let ((s \"abcdef\")) (setf (subseq s 1 3) \"XYZ\") s)", "\"aXYdef\""),
        ("(let ((v (vector 1 2 3))) (let ((w v)) (setf (aref v 0) 9) w))", "#(9 2 3)"),
        ("(let ((v (list 1 2 3))) (setf (elt v 0) 9) v)", "(9 2 3)"),
        (
            "(let ((h (make-hash-table))) (push 1 (gethash 'a h)) (push 2 (gethash 'a h)) (gethash 'a h))",
            "(2 1)",
        ),
        (
            "(let ((h (make-hash-table))) (setf (gethash 'a h) (list 1 2)) (setf (second (gethash 'a h)) 5) (gethash 'a h))",
            "(1 5)",
        ),
        (
            "(let ((n 0) (v (vector 1 2 3))) (incf (aref v (incf n)) (incf n)) (list n v))",
            "(2 #(1 4 3))",
        ),
        ("(let ((l (list 1 2 3))) (list (pop (cdr l)) l))", "(2 (1 3))"),
        ("(let ((l (list (list 1 2)))) (pushnew 2 (car l)) (pushnew 3 (car l)) l)", "((3 1 2))"),
        ("(let ((v (vector 1 2 3))) (rotatef (aref v 0) (aref v 2)) v)", "#(3 2 1)"),
        ("(let ((a 1) (l (list 2 3))) (list (shiftf a (car l) 9) a l))", "(1 2 (9 3))"),
        ("(let ((a 1) (b 2)) (psetf a b b a) (list a b))", "(2 1)"),
        ("(let ((a 1) (b 2)) (psetq a b b a) (list a b))", "(2 1)"),
        ("(let ((a 1) (l (list 2))) (setf (values a (car l)) (floor 17 5)) (list a l))", "(3 (2))"),
        (
            "(let (log) (let ((v (vector 1 2))) (setf (aref (progn (push 1 log) v) (progn (push 2 log) 0)) (progn (push 3 log) 5))) log)",
            "(3 2 1)",
        ),
        ("(let* ((a (list 1 2)) (b a)) (setf (car a) 3) b)", "(1 2)"),
    ]);
}

#[test]
fn scripts_define_places() {
    check(&[
        (
            "(defvar *h* (make-hash-table)) (defun at (k) (gethash k *h*)) (defun (setf at) (v k) (setf (gethash k *h*) v)) (setf (at 1) 5) (incf (at 1)) (list (at 1) (funcall #'(setf at) 7 1) (at 1))",
            "(6 7 7)",
        ),
        (
            "(defvar *v* (vector 1 2)) (defun get-v (i) (aref *v* i)) (defun set-v (i x) (setf (aref *v* i) x)) (defsetf get-v set-v) (incf (get-v 1) 5) *v*",
            "#(1 7)",
        ),
        (
            "(defvar *v* (vector 1 2)) (defun get-v (i) (aref *v* i)) (defsetf get-v (i) (x) `(setf (aref *v* ,i) ,x)) (list (push 3 (get-v 0)) *v*)",
            "((3 . 1) #((3 . 1) 2))",
        ),
        (
            "(define-modify-macro appendf (&rest lists) append) (let ((h (make-hash-table))) (appendf (gethash 1 h) '(1) '(2)) (appendf (gethash 1 h) '(3)) (gethash 1 h))",
            "(1 2 3)",
        ),
        (
            "(define-modify-macro scale (&optional (by 2)) *) (let ((x 5)) (scale x) (scale x 3) x)",
            "30",
        ),
    ]);
}

#[test]
fn what_is_no_place_is_refused_before_anything_runs() {
    check(&[
        (
            "(defun f () 1) (setf (f) 2)",
            "error: setf: (f …) is not a place: nothing defines how it is set; (defun (setf f) (value …) …) or defsetf can",
        ),
        (
            "(setf (car (list 1 2)) 3)",
            "error: setf: (car …) cannot be set here: lists and strings do not change, so it is set by storing a new one in the place that holds the old one, and that is no place",
        ),
        ("(incf 5)", "error: incf: expected a place, got a constant"),
        (
            "(let ((l '())) (setf (car l) 1))",
            "error: setf: car: expected a list with an element, got nil",
        ),
        ("(let ((l '(1))) (setf (nth 3 l) 1))", "error: setf: nth: the list has no element 3: (1)"),
    ]);
}

#[test]
fn values_that_nobody_asked_for_are_not_taken_for_those_of_a_later_form() {
    check(&[
        ("(multiple-value-list (+ 0 (funcall #'truncate 7 2)))", "(3)"),
        ("(multiple-value-list (+ 0 (apply #'truncate '(7 2))))", "(3)"),
        ("(multiple-value-list (flet ((f () (truncate 7 2))) (+ 0 (f))))", "(3)"),
        ("(define (f) (truncate 7 2)) (multiple-value-list (+ 0 (f)))", "(3)"),
    ]);
}

#[test]
fn structures_have_constructors_accessors_and_a_printed_form() {
    const POINT: &str = "(defstruct point (x 0) (y (+ 1 1) :type integer))";
    let with = |form: &str| format!("{POINT} {form}");
    let table = [
        ("(make-point :x 5)", "#S(point :x 5 :y 2)"),
        (
            "(let ((p (make-point))) (setf (point-x p) \"a\") (incf (point-y p)) (list p (point-x p)))",
            "(#S(point :x \"a\" :y 3) \"a\")",
        ),
        (
            "(format nil \"~a ~s\" (make-point) (make-point :x 'a))",
            "\"#S(point :x 0 :y 2) #S(point :x a :y 2)\"",
        ),
        ("(point-x 5)", "error: point-x: expected a structure of type point, got 5"),
        ("(setf (point-x nil) 5)", "error: point-x: expected a structure of type point, got nil"),
        ("(copy-point 5)", "error: copy-point: expected a structure of type point, got 5"),
        ("(make-point :z 5)", "error: make-point: unknown key :z; expected :x or :y"),
        (
            "(list (point-p (make-point)) (point-p 5) (typep (make-point) 'point) (typep 5 'point))",
            "(t nil t nil)",
        ),
        ("(typecase (make-point) (string 1) (point 2))", "2"),
        (
            "(let* ((p (make-point)) (q (copy-point p))) (setf (point-x q) 1) (list (point-x p) (equal p q) (equal p p) (equalp p (make-point)) (equalp p q)))",
            "(0 nil t t nil)",
        ),
        (
            "(let ((h (make-hash-table :test 'equalp))) (setf (gethash (make-point) h) 1) (gethash (make-point) h))",
            "1",
        ),
        (
            "(let ((p (make-point))) (setf (point-x p) p) (list p))",
            "(#S(point :x #<circular> :y 2))",
        ),
        (
            "(let ((p (make-point :x (list 1 2)))) (push 0 (point-x p)) (setf (second (point-x p)) 9) (point-x p))",
            "(0 9 2)",
        ),
        (
            "(defstruct (cube (:include point (x 7)) (:conc-name c-)) z) (let ((c (make-cube :z 1))) (setf (c-x c) 8) (list c (point-x c) (point-p c) (cube-p (make-point)) (c-z c)))",
            "(#S(cube :x 8 :y 2 :z 1) 8 t nil 1)",
        ),
        ("(defstruct point a) (point-a (make-point :a 1))", "1"),
        ("(equalp (make-point :x '(a)) #S(point :x (a)))", "t"),
        ("#S(point :z 1)", "error: #S: point has no slot z"),
        ("#S(line :z 1)", "error: #S: expected the name of a structure, got line"),
        ("(mapcar #'point-x (list (make-point :x 1) (make-point :x 2)))", "(1 2)"),
    ];
    let forms: Vec<(String, &str)> =
        table.iter().map(|(form, expected)| (with(form), *expected)).collect();
    check(&forms.iter().map(|(form, expected)| (form.as_str(), *expected)).collect::<Vec<_>>());
}

#[test]
fn options_of_structures() {
    check(&[
        (
            "(defstruct (p (:constructor new-p (a &optional b &key (c 3) &aux (d (list a b))))) a (b 2) c d (e 5)) (list (new-p 1) (new-p 1 9 :c 8))",
            "(#S(p :a 1 :b 2 :c 3 :d (1 2) :e 5) #S(p :a 1 :b 9 :c 8 :d (1 9) :e 5))",
        ),
        (
            "(defstruct (p (:constructor) (:constructor p (a)) (:copier nil) (:predicate is-p)) a) (list (make-p :a 1) (p 2) (is-p (p 1)))",
            "(#S(p :a 1) #S(p :a 2) t)",
        ),
        (
            "(defstruct (p (:constructor nil)) a) (make-p)",
            "error: the function make-p is not defined",
        ),
        ("(defstruct p \"A pair.\" (a 1 :read-only t)) (p-a (make-p))", "1"),
        (
            "(defstruct p (a 1 :read-only t)) (setf (p-a (make-p)) 5)",
            "error: setf: (p-a …) is a slot that is read-only",
        ),
        (
            "(defstruct (p (:type list)) a)",
            "error: defstruct: :type is not supported: a structure is always an object of its own, and prints as #S(…)",
        ),
        (
            "(defstruct (p (:include q)) a)",
            "error: defstruct: :include: expected the name of a structure, got q",
        ),
        (
            "(defstruct (p (:colour red)) a)",
            "error: defstruct: :colour: expected :conc-name, :constructor, :copier, :predicate or :include, with their values",
        ),
        ("(defstruct p a a)", "error: defstruct: two slots have this name"),
        (
            "(defstruct p (a 1 :kind 2))",
            "error: defstruct: slot a: expected :type or :read-only, each with a value",
        ),
        ("(defstruct 5 a)", "error: defstruct: expected a name"),
    ]);
}

#[test]
fn a_check_knows_the_functions_of_a_structure() {
    struct Nothing;
    impl Known for Nothing {
        fn function(&self, _: &str) -> Option<&'static Function> {
            None
        }
        fn misuse(&self, _: &str, _: &str, _: &Value) -> Option<String> {
            None
        }
    }
    let text = "(defstruct point x y)
        (defun f (p) (setf (point-x p) 1) (list (point-p p) (copy-point p) (point-y p)))
        (point-x (make-point :x 1) 2)
        (make-point :z 1)
        (point-z 1)";
    let found = Language::new().host.check(text, "test", &Nothing);
    let messages: Vec<String> = found.into_iter().map(|report| report.condition.message).collect();
    assert_eq!(
        messages,
        [
            "point-x: expected 1 argument (point), got 2",
            "make-point: unknown key :z; expected :x or :y",
            "the function point-z is not defined",
        ]
    );
}

#[test]
fn go_jumps_to_a_tag_also_out_of_functions() {
    check(&[
        ("(let ((n 0)) (tagbody again (incf n) (when (< n 5) (go again))) n)", "5"),
        (
            "(let (log) (tagbody (push 1 log) (go 3) 2 (push 2 log) (go end) 3 (push 3 log) (go 2) end) log)",
            "(2 3 1)",
        ),
        (
            "(let ((n 0)) (tagbody (mapc (lambda (x) (incf n x) (when (= x 2) (go out))) '(1 2 3)) out) n)",
            "3",
        ),
        (
            "(let ((f nil) (n 0)) (tagbody (setq f (lambda () (go b))) a (incf n) (if (= n 1) (go a)) (funcall f) (setq n 100) b) n)",
            "2",
        ),
        (
            "(let (log) (tagbody (unwind-protect (go out) (push 'cleaned log)) (push 'no log) out) log)",
            "(cleaned)",
        ),
        (
            "(let (log) (tagbody (tagbody (go outer) inner (push 1 log)) (push 2 log) outer (push 3 log)) log)",
            "(3)",
        ),
        (
            "(let (f) (tagbody (setq f (lambda () (go a))) a) (funcall f))",
            "error: a jump to a place that has been left already",
        ),
        ("(go nowhere)", "error: go: there is no tag nowhere around it"),
        ("(tagbody 1 2)", "nil"),
        (
            "(prog ((x 1) y) (setq y x) next (incf y) (when (< y 4) (go next)) (return (list x y)))",
            "(1 4)",
        ),
        ("(prog* ((x 1) (y (+ x 1))) (return y))", "2"),
        ("(prog ())", "nil"),
    ]);
}

#[test]
fn types_are_checked_where_a_program_asks() {
    check(&[
        ("(let ((x 5)) (check-type x integer) x)", "5"),
        (
            "(let ((x 5)) (check-type x string))",
            "error: check-type: x: expected a value of type string, got 5",
        ),
        (
            "(let ((x 5)) (check-type x (or null string) \"a name\"))",
            "error: check-type: x: expected a name, got 5",
        ),
        ("(ctypecase 5 (string 1) (integer 2))", "2"),
        ("(ccase 5 (4 1) ((5 6) 2))", "2"),
    ]);
}

#[test]
fn records_of_scheme() {
    const POINT: &str = "(define-record-type <point> (make-point x y) point? (x point-x set-point-x!) (y point-y) (z point-z))";
    let with = |form: &str| format!("{POINT} {form}");
    let table = [
        (
            "(let ((p (make-point 1 2))) (set-point-x! p 5) (list (point-x p) (point-y p) (point-z p) (point? p) (point? 5)))",
            "(5 2 nil t nil)",
        ),
        ("(make-point 1 2)", "#S(<point> :x 1 :y 2 :z nil)"),
        ("(point-x 5)", "error: point-x: expected a structure of type <point>, got 5"),
        ("(make-point 1)", "error: make-point: expected 2 arguments, got 1"),
        (
            "(define-record-type q (make-q a) q? (b q-b))",
            "error: define-record-type: the constructor's a is no field",
        ),
        ("(define-record-type q #f q? (b q-b)) (q? 5)", "nil"),
    ];
    let forms: Vec<(String, &str)> =
        table.iter().map(|(form, expected)| (with(form), *expected)).collect();
    check(&forms.iter().map(|(form, expected)| (form.as_str(), *expected)).collect::<Vec<_>>());
}

#[test]
fn characters_are_read_whatever_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("two", b"caf\xe9\nnext\n");
    write("bad", b"\xc3(bc\xf0\x9f");
    let long = [vec![b'a'; 8191], "éz".as_bytes().to_vec()].concat();
    write("long", &long);
    let all = |name: &str| {
        format!(
            "(with-open-file (s \"{}/{name}\") (coerce (loop for c = (read-char s nil nil) while c collect c) 'string))",
            folder.path().display()
        )
    };
    let peeked = format!(
        "(with-open-file (s \"{}/long\") (dotimes (i 8191) (read-char s)) (list (peek-char nil s) (read-char s) (peek-char #\\z s)))",
        folder.path().display()
    );
    let path = |name: &str| format!("\"{}/{name}\"", folder.path().display());
    check(&[
        (&all("two"), "\"caf\u{fffd}\nnext\n\""),
        (&all("bad"), "\"\u{fffd}(bc\u{fffd}\""),
        (&peeked, "(#\\é #\\é #\\z)"),
        (
            &format!(
                "(open {} :direction :output :if-does-not-exist nil :if-exists :supersede)",
                path("new")
            ),
            "nil",
        ),
        (
            &format!(
                "(handler-case (open {} :direction :output :if-does-not-exist :error :if-exists :append) (po-error (c) (po-condition-identifier c)))",
                path("new")
            ),
            ":file",
        ),
        (
            &format!(
                "(with-open-file (s {} :if-does-not-exist :create) (read-line s nil :end))",
                path("made")
            ),
            ":end",
        ),
        (
            &format!("(open {} :external-format :latin-1)", path("two")),
            "error: open: expected :utf-8 as :external-format, got :latin-1",
        ),
        (
            &format!("(open {} :direction :output :if-exists :rename)", path("two")),
            "error: open: :if-exists: expected :error, :supersede, :append, :overwrite or nil, got :rename",
        ),
    ]);
}

#[test]
fn places_that_share_a_list_or_string_all_get_their_values() {
    check(&[
        ("(let ((s (copy-seq \"abc\"))) (rotatef (char s 0) (char s 2)) s)", "\"cba\""),
        (
            "(let ((s (list 1 2 3 4 5))) (loop for i below 2 do (rotatef (elt s i) (elt s (- 4 i)))) s)",
            "(5 4 3 2 1)",
        ),
        (
            "(let ((s (copy-seq \"abc\"))) (psetf (char s 0) (char s 1) (char s 1) (char s 0)) s)",
            "\"bac\"",
        ),
        (
            "(let ((s (copy-seq \"abc\"))) (list (shiftf (char s 0) (char s 1) #\\z) s))",
            "(#\\a \"bzc\")",
        ),
        ("(let ((l (list 1 2 3))) (shiftf (elt l 0) (elt l 1) (elt l 2) 9) l)", "(2 3 9)"),
        (
            "(let ((l (list 1 2 3))) (setf (values (elt l 0) (elt l 1)) (values 'x 'y)) l)",
            "(x y 3)",
        ),
        ("(let ((l (list 1 2 3))) (incf (elt l 0) (incf (elt l 1) 10)) l)", "(13 12 3)"),
        ("(let ((s (copy-seq \"abc\"))) (setf (char s 0) (setf (char s 1) #\\x)) s)", "\"xxc\""),
        ("(let ((v (vector 1 2 3))) (rotatef (aref v 0) (aref v 2)) v)", "#(3 2 1)"),
        // The delta is evaluated before the variable is read.
        ("(let ((x 1)) (incf x (setf x 10)) x)", "20"),
        ("(let ((x 1)) (decf x (setq x 10)) x)", "0"),
        ("(let ((x 1)) (let ((y (incf x (incf x)))) (list x y)))", "(4 4)"),
        ("(defvar *g* 1) (defun bump () (incf *g* 10)) (incf *g* (bump)) *g*", "22"),
        ("(length (loop for x in (iota 20000) append (list x x)))", "40000"),
        ("(loop for x in '((1 2) () (3)) append x)", "(1 2 3)"),
    ]);
}

#[test]
fn loop_variables_step_as_the_standard_says() {
    check(&[
        ("(loop for i below 3 finally (return i))", "3"),
        ("(loop for i from 1 to 3 finally (return i))", "4"),
        ("(loop for i from 3 downto 1 finally (return i))", "0"),
        ("(loop for x on '(1 2 3) finally (return x))", "nil"),
        ("(loop for i from 0 below 10 do (incf i) collect i)", "(1 3 5 7 9)"),
        ("(loop for i from 0 below 10 do (when (= i 2) (setq i 7)) collect i)", "(0 1 7 8 9)"),
        ("(loop for i from 10 downto 0 do (decf i 2) collect i)", "(8 5 2 -1)"),
        ("(loop for l on '(1 2 3 4 5) do (setq l (cdr l)) collect (car l))", "(2 4 nil)"),
        ("(loop for (a b) on '(1 2 3) collect (list a b))", "((1 2) (2 3) (3 nil))"),
        ("(loop for nil from 1 to 3 collect 5)", "(5 5 5)"),
        ("(loop for i from 5 to 3 collect i)", "nil"),
        ("(loop for x in '(a b) for i from 0 collect (list i x))", "((0 a) (1 b))"),
        ("(loop for i = 0 then j and j = 1 then (+ i j) repeat 6 collect i)", "(0 1 1 2 3 5)"),
        ("(loop for x in '(1 2 3) and prev = nil then x collect prev)", "(nil 1 2)"),
        ("(loop for i from 1 to 3 and x = 0 then i collect (list i x))", "((1 0) (2 1) (3 2))"),
        ("(let ((x 1) (y 2)) (loop with x = y and y = x repeat 1 collect (list x y)))", "((2 1))"),
        ("(let ((x 5)) (loop with x = 1 with y = x repeat 1 collect y))", "(1)"),
        ("(loop with (a b) = '(1 2) with c = a repeat 1 collect (list a b c))", "((1 2 1))"),
        ("(loop with (a b) = (list 1 '(7 8)) for x in b collect x)", "(7 8)"),
        ("(loop with (a b) = '(1 3) for i from a to b collect i)", "(1 2 3)"),
        (
            "(loop for i from 1 to 3 for (a b) = (list i i) then (list b (+ a i)) collect (list a b))",
            "((1 1) (1 3) (3 4))",
        ),
    ]);
}

#[test]
fn types_may_have_bounds() {
    check(&[
        (
            "(mapcar (lambda (x) (typep x '(integer 0 3))) (list -1 0 3 4 1.0 \"a\"))",
            "(nil t t nil nil nil)",
        ),
        (
            "(mapcar (lambda (x) (typep x '(float 0.0 (1.0)))) (list 0.0 0.5 1.0 1.5))",
            "(t t nil nil)",
        ),
        ("(mapcar (lambda (x) (typep x '(real * 5))) (list -100 5 11/2))", "(t t nil)"),
        ("(mapcar (lambda (x) (typep x '(mod 4))) (list 0 3 4))", "(t t nil)"),
        ("(typecase 5 ((integer 0 3) 'small) (t 'big))", "big"),
        ("(typep \"abc\" 'simple-vector)", "nil"),
        ("(typep \"abc\" '(vector *))", "t"),
        ("(typep '(a) '(cons integer))", "error: typep: expected a type, got (cons integer)"),
        (
            "(typep 1 '(integer a))",
            "error: typep: expected a number, a list of one, or * as a bound, got a",
        ),
        (
            "(defstruct par a) (defstruct (kid (:include par) (:conc-name par-)) c) (list (par-a (make-par :a 5)) (par-a (make-kid :a 1)) (par-c (make-kid :c 2)))",
            "(5 1 2)",
        ),
    ]);
}

#[test]
fn rarer_words_of_lists_arrays_and_tables() {
    check(&[
        (
            "(list (caaaar '((((1))))) (cdaadr '(a ((b c) d))) (caddar '((1 2 3) 4)) (cddadr '(1 (2 3 4))))",
            "(1 (c) 3 (4))",
        ),
        (
            "(let* ((l (list 1 2 3 4)) (tail (cddr l))) (list (ldiff l tail) (ldiff l '(3 4)) (tailp tail l) (tailp '(3 4) l) (tailp nil l) (ldiff l nil)))",
            "((1 2) (1 2 3 4) t nil t (1 2 3 4))",
        ),
        (
            "(let ((l '(1 2 . 3))) (list (ldiff l 3) (ldiff l 4) (tailp 3 l) (tailp 4 l)))",
            "((1 2) (1 2 . 3) t nil)",
        ),
        (
            "(list (arrayp \"a\") (arrayp #(1)) (arrayp '(1)) (arrayp 5) (arrayp nil))",
            "(t t nil nil nil)",
        ),
        (
            "(list (array-rank #(1 2)) (array-dimensions \"abc\") (array-dimension #(1 2) 0) (array-total-size #(1 2 3)))",
            "(1 (3) 2 3)",
        ),
        (
            "(list (array-in-bounds-p #(1 2) 1) (array-in-bounds-p #(1 2) 2) (array-in-bounds-p #(1 2) -1) (row-major-aref #(a b) 1) (array-row-major-index #(a b) 1))",
            "(t nil nil b 1)",
        ),
        ("(array-dimension #(1 2) 1)", "error: array-dimension: expected 0 as the axis, got 1"),
        ("(array-rank '(1))", "error: array-rank: expected a vector or string, got (1)"),
        ("(array-row-major-index #(a) 1)", "error: array-row-major-index: 1 is not within #(a)"),
        (
            "(list (simple-string-p \"a\") (simple-string-p #(1)) (simple-vector-p #(1)) (simple-vector-p \"a\") (bit-vector-p #(1)) (simple-bit-vector-p \"a\"))",
            "(t nil t nil nil nil)",
        ),
        (
            "(list (= (sxhash \"a\") (sxhash (copy-seq \"a\"))) (= (sxhash '(1 \"a\")) (sxhash (list 1 \"a\"))) (typep (sxhash 'b) '(integer 0 4611686018427387903)))",
            "(t t t)",
        ),
        (
            "(list (hash-table-test (make-hash-table)) (hash-table-test (make-hash-table :test 'equal)) (hash-table-test (make-hash-table :test #'equalp)))",
            "(eql equal equalp)",
        ),
        (
            "(let ((h (make-hash-table)) (sum 0)) (setf (gethash 1 h) 10 (gethash 2 h) 20) (with-hash-table-iterator (next h) (loop (multiple-value-bind (more k v) (next) (unless more (return sum)) (incf sum (+ k v))))))",
            "33",
        ),
        (
            "(list (nsubst-if-not 0 #'consp '(1 (2))) (nsubst-if-not 0 'consp '(1 2)))",
            "((0 (0 . 0) . 0) (0 0 . 0))",
        ),
        (
            "(list (nsubstitute-if-not 0 #'evenp (list 1 2 3)) (nsubstitute-if-not 0 'evenp (vector 1 2 3) :count 1))",
            "((0 2 0) #(0 2 3))",
        ),
        ("(list (compiled-function-p #'car) (compiled-function-p 'car))", "(t nil)"),
        (
            "(list (concatenate 'simple-string \"a\" '(#\\b) #(#\\c)) (concatenate 'simple-vector '(1) #(2)))",
            "(\"abc\" #(1 2))",
        ),
        ("(let ((x 4)) (ccase x (1 'a) ((2 4) 'b)))", "b"),
        ("(ccase 3 (1 'a) ((2 4) 'b))", "error: ccase: no clause for 3"),
    ]);
}

#[test]
fn printing_takes_keys() {
    check(&[
        (
            "(with-output-to-string (s) (write \"a\" :stream s) (write \"a\" :stream s :escape nil) (write 255 :stream s :base 16) (write -5 :stream s :base 2))",
            "\"\\\"a\\\"aFF-101\"",
        ),
        (
            "(list (write-to-string \"a\" :escape nil) (write-to-string 10 :base 2) (write-to-string #\\a :escape nil) (write-to-string #\\a))",
            "(\"a\" \"1010\" \"a\" \"#\\\\a\")",
        ),
        (
            "(write-to-string '(10) :base 2)",
            "error: write-to-string: expected a whole number with :base, got (10)",
        ),
        ("(write 10 :base 1)", "error: write: expected 2 to 36 as :base, got 1"),
        (
            "(write 10 :case :upcase)",
            "error: write: unknown key :case; expected :stream, :escape, :readably, :base or :pretty; did you mean `:base`?",
        ),
        ("(with-output-to-string (s) (write \"a\" s))", "\"\\\"a\\\"\""),
        (
            "(with-output-to-string (s) (write-string \"hello\" s :start 1 :end 3) (write-line \"hello\" s :start 3) (write-line \"abc\" s :end 1))",
            "\"ello\na\n\"",
        ),
        (
            "(write-string \"hello\" t :start 9)",
            "error: write-string: expected :start and :end within a length of 5, got 9 and 5",
        ),
        ("(with-output-to-string (s) (princ (write-char #\\a s) s))", "\"aa\""),
        ("(write-char \"a\")", "error: write-char: expected a character, got \"a\""),
    ]);
}

#[test]
fn streams_tell_what_they_are() {
    check(&[
        (
            "(with-open-stream (s (make-string-input-stream \"abc\")) (list (read-char s) (progn (unread-char #\\a s) (read-char s)) (listen s) (read-char-no-hang s) (read-char s) (listen s) (read-char-no-hang s nil 'end)))",
            "(#\\a #\\a t #\\b #\\c nil end)",
        ),
        (
            "(list (streamp *error-output*) (output-stream-p *error-output*) (with-open-stream (s (make-string-output-stream)) (princ 1 s) (get-output-stream-string s)))",
            "(t t \"1\")",
        ),
        (
            "(apply format nil (make-list 100000 \"~@?\"))",
            "error: format: more than 100 pieces within one another",
        ),
        (
            "(let ((in (make-string-input-stream \"a\")) (out (make-string-output-stream))) (list (streamp in) (streamp out) (streamp \"a\") (input-stream-p in) (output-stream-p in) (input-stream-p out) (output-stream-p out) (open-stream-p in) (progn (close in) (open-stream-p in)) (interactive-stream-p out)))",
            "(t t nil t nil nil t t nil nil)",
        ),
        ("(input-stream-p 5)", "error: input-stream-p: expected a port, got 5"),
        (
            "(let ((s nil)) (with-open-stream (p (make-string-input-stream \"a\")) (setq s p)) (open-stream-p s))",
            "nil",
        ),
        (
            "(file-length (make-string-input-stream \"a\"))",
            "error: file-length: expected a port on a file, got #<string-port>",
        ),
        (
            "(let ((p (open-input-string \"héx\"))) (read-char p) (read-char p) (file-position p))",
            "3",
        ),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines").display().to_string();
    let mut language = Language::new();
    language.shows(&format!("(define path {path:?})"));
    for (form, expected) in [
        (
            "(with-open-file (f path :direction :output) (write-string \"héllo\" f) (list (file-length f) (file-position f)))",
            "(6 6)",
        ),
        (
            "(with-open-file (f path :direction :output :if-exists :append) (list (file-position f) (progn (write-string \"!\" f) (file-position f))))",
            "(6 7)",
        ),
        (
            "(with-open-file (f path) (list (file-length f) (file-position f) (read-char f) (peek-char nil f) (file-position f) (file-position f 3) (read-line f) (file-position f :start) (read-line f) (file-position f) (file-position f :end) (read-line f nil)))",
            "(7 0 #\\h #\\é 1 t \"llo!\" t \"héllo!\" 7 t nil)",
        ),
        (
            "(with-open-file (f path :direction :output :if-exists :overwrite) (file-position f 3) (write-string \"LL\" f))",
            "\"LL\"",
        ),
        ("(with-open-file (f path) (read-line f))", "\"héLLo!\""),
        (
            "(with-open-file (f path) (file-position f -1))",
            "error: file-position: expected a whole number, at least 0, got -1",
        ),
        (
            "(let ((f (open path))) (close f) (file-length f))",
            "error: file-length: the port is closed",
        ),
    ] {
        assert_eq!(language.shows(form), expected, "{form}");
    }
}

#[test]
fn words_of_allegro_cl_for_strings_and_folders() {
    check(&[
        (
            "(list (delimited-string-to-list \"a,b,,c\" #\\,) (delimited-string-to-list \"a, b\" \", \") (delimited-string-to-list \"\" #\\,))",
            "((\"a\" \"b\" \"\" \"c\") (\"a\" \"b\") (\"\"))",
        ),
        (
            "(delimited-string-to-list \"a\" \"\")",
            "error: delimited-string-to-list: expected a separator, got an empty string",
        ),
        (
            "(list (list-to-delimited-string '(\"a\" b 3) #\\,) (list-to-delimited-string '(1) \", \") (list-to-delimited-string nil #\\,))",
            "(\"a,b,3\" \"1\" \"\")",
        ),
        ("(split-regexp \"[,;]\\\\( \\\\|$\\\\)\" \"a, b; c\")", "(\"a\" \"b\" \"c\")"),
        ("(list (string+ \"a\" #\\b 'c 3) (string+))", "(\"abc3\" \"\")"),
        (
            "(string+ \"a\" nil)",
            "error: string+: expected a string, character, symbol or number, got nil",
        ),
        (
            "(list (bytes->list (string-to-octets \"é\")) (multiple-value-list (octets-to-string (string-to-octets \"xéy\" :null-terminate nil :start 1) :end 2)))",
            "((195 169 0) (\"é\" 1))",
        ),
        ("(nth-value 1 (string-to-octets \"abc\"))", "4"),
        (
            "(string-to-octets \"a\" :external-format :latin1)",
            "error: string-to-octets: expected :utf-8 as :external-format, got :latin1",
        ),
        (
            "(octets-to-string (bytes 65) :end 2)",
            "error: octets-to-string: expected :start and :end within a length of 1, got 0 and 2",
        ),
        (
            "(list (base64-encode-string \"héllo\") (base64-decode-string \"aMOp\nbGxv\") (base64-encode-string \"abcdef\" :wrap-at-column 4))",
            "(\"aMOpbGxv\" \"héllo\" \"YWJj\nZGVm\")",
        ),
        (
            "(let ((s (make-string 300 #\\x))) (list (equal s (base64-decode-string (base64-encode-string s))) (position #\\Newline (base64-encode-string s)) (find #\\Newline (base64-encode-string s :wrap-at-column nil))))",
            "(t 72 nil)",
        ),
        (
            "(base64-decode-string \"a?\")",
            "error: base64-decode-string: expected base64: Invalid symbol 63, offset 1.",
        ),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner").display().to_string();
    let mut language = Language::new();
    language.shows(&format!("(define path {inner:?})"));
    for (form, expected) in [
        ("(file-directory-p path)", "nil"),
        ("(make-directory path)", "t"),
        ("(file-directory-p path)", "t"),
        ("(handler-case (make-directory path) (file-error () 'there))", "there"),
        (
            "(with-open-file (f (string-append path \"/x\") :direction :output) (write-line \"x\" f))",
            "\"x\"",
        ),
        ("(handler-case (delete-directory path) (file-error () 'full))", "full"),
        ("(delete-file (string-append path \"/x\"))", "t"),
        ("(delete-directory path)", "t"),
        ("(file-directory-p path)", "nil"),
    ] {
        assert_eq!(language.shows(form), expected, "{form}");
    }
}

#[test]
fn vectors_grow_and_have_element_types() {
    check(&[
        (
            "(let ((v (make-array 0 :adjustable t :fill-pointer 0))) (list (vector-push-extend 'a v) (vector-push-extend 'b v) (length v) (fill-pointer v) (vector-pop v) (coerce v 'list)))",
            "(0 1 2 2 b (a))",
        ),
        (
            "(let ((v (make-array 5 :fill-pointer 2 :initial-element 0))) (vector-push-extend 1 v) (list (length v) (aref v 2) (coerce v 'list)))",
            "(3 1 (0 0 1))",
        ),
        ("(make-array 3 :initial-contents '(1 2 3) :fill-pointer t)", "#(1 2 3)"),
        ("(make-array 3 :initial-contents '(1 2 3) :fill-pointer 2)", "#(1 2)"),
        ("(make-array 3 :element-type 'character :initial-element #\\a)", "\"aaa\""),
        ("(make-array 2 :element-type 'character :initial-contents '(#\\a #\\b))", "\"ab\""),
        (
            "(let ((v (make-array 3 :element-type '(unsigned-byte 8) :initial-element 7))) (setf (aref v 1) 255) (list (aref v 0) (aref v 1) (length v)))",
            "(7 255 3)",
        ),
        ("(make-array '(2) :element-type 'fixnum :initial-element 1)", "#(1 1)"),
        (
            "(let ((v (make-array 0 :adjustable t :fill-pointer 0))) (dolist (x '(3 1 2)) (vector-push-extend x v)) (list (find 1 v) (sort v #'<) (reduce #'+ v)))",
            "(1 #(1 2 3) 6)",
        ),
        (
            "(make-array 2 :fill-pointer 3)",
            "error: make-array: expected t or a number up to 2 as :fill-pointer, got 3",
        ),
        ("(vector-pop (make-array 0 :fill-pointer 0))", "error: vector-pop: the vector is empty"),
        (
            "(make-array 0 :element-type 'character :fill-pointer 0)",
            "error: make-array: strings do not change: print to the port of with-output-to-string",
        ),
        (
            "(vector-push-extend 1 '(1))",
            "error: vector-push-extend: expected a vector that can change, got (1)",
        ),
    ]);
}
