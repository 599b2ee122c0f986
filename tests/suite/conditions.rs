//! Classes of conditions: those of ANSI Common Lisp, and those of `define-condition`.

use super::common_lisp::check;

/// Checks a table of forms, each after these definitions.
fn check_after(definitions: &str, table: &[(&str, &str)]) {
    let forms: Vec<(String, &str)> =
        table.iter().map(|(form, shown)| (format!("{definitions} {form}"), *shown)).collect();
    check(&forms.iter().map(|(form, shown)| (form.as_str(), *shown)).collect::<Vec<_>>());
}

#[test]
fn each_error_has_the_class_that_ansi_gives_it() {
    let raised = [
        ("(/ 1 0)", "division-by-zero"),
        ("(mod 5 0)", "division-by-zero"),
        ("(floor 1 0)", "division-by-zero"),
        ("(car 5)", "type-error"),
        ("(+ 1 'x)", "type-error"),
        ("(< 1 nil)", "type-error"),
        ("(symbol-name 5)", "type-error"),
        ("(string-upcase 5)", "type-error"),
        ("(length 5)", "type-error"),
        ("(check-type (list 1) integer)", "type-error"),
        ("(funcall 5)", "type-error"),
        ("(eval 'unknown-variable)", "unbound-variable"),
        ("(symbol-value 'unknown-variable)", "unbound-variable"),
        ("(eval '(unknown-function 1))", "undefined-function"),
        ("(eval '(funcall 'unknown-function 1))", "undefined-function"),
        ("(eval '(mapcar #'unknown-function '(1)))", "undefined-function"),
        ("(aref (vector 1) 5)", "type-error"),
        ("(ecase 5 (1 2))", "type-error"),
        ("(etypecase 5 (string 2))", "type-error"),
        ("(read-from-string \"(\")", "end-of-file"),
        ("(funcall (lambda (x) x))", "program-error"),
        ("(funcall (lambda (&key x) x) :y 1)", "program-error"),
        ("(error \"no ~a\" 1)", "simple-error"),
        ("(open \"/no/such/file\")", "file-error"),
        ("(with-input-from-string (s \"\") (read-line s t))", "end-of-file"),
        ("(with-input-from-string (s \"\") (read-char s t))", "end-of-file"),
        ("(read-from-string \"\")", "end-of-file"),
        ("(read-from-string \")\")", "reader-error"),
        ("(parse-integer \"x\")", "parse-error"),
        ("(throw 'nowhere 1)", "control-error"),
        ("(invoke-restart 'nowhere)", "control-error"),
        ("(error 'arithmetic-error)", "arithmetic-error"),
        ("(error 'type-error :datum 5 :expected-type 'string)", "type-error"),
    ];
    let every = [
        "division-by-zero",
        "arithmetic-error",
        "type-error",
        "unbound-variable",
        "undefined-function",
        "cell-error",
        "program-error",
        "simple-error",
        "file-error",
        "end-of-file",
        "stream-error",
        "reader-error",
        "parse-error",
        "control-error",
    ];
    let parents = |class: &str| match class {
        "division-by-zero" => vec!["arithmetic-error"],
        "unbound-variable" | "undefined-function" => vec!["cell-error"],
        "end-of-file" => vec!["stream-error"],
        "reader-error" => vec!["parse-error", "stream-error"],
        _ => Vec::new(),
    };
    let mut forms = Vec::new();
    for (form, class) in raised {
        let is = |other: &str| other == class || parents(class).contains(&other);
        let expected: Vec<&str> = every.into_iter().filter(|other| is(other)).collect();
        let tests: String = every.iter().map(|it| format!(" '{it}")).collect();
        forms.push((
            format!("(handler-case {form} (error (c) (remove-if-not (lambda (k) (typep c k)) (list{tests}))))"),
            format!("({})", expected.join(" ")),
        ));
        // A clause of the class takes it, and one of a class that it is not does not.
        forms.push((
            format!("(handler-case {form} (storage-condition () 1) (warning () 2) ({class} () :taken) (error () 3))"),
            ":taken".to_owned(),
        ));
        forms.push((format!("(null (ignore-errors {form}))"), "t".to_owned()));
    }
    check(&forms.iter().map(|(form, shown)| (form.as_str(), shown.as_str())).collect::<Vec<_>>());
}

#[test]
fn conditions_of_the_language_tell_what_is_wrong() {
    check(&[
        (
            "(handler-case (car 5) (type-error (c) (list (type-error-datum c) (type-error-expected-type c))))",
            "(5 list)",
        ),
        (
            "(handler-case (symbol-name \"s\") (type-error (c) (list (type-error-datum c) (type-error-expected-type c))))",
            "(\"s\" symbol)",
        ),
        ("(handler-case (string-upcase '(1)) (type-error (c) (type-error-datum c)))", "(1)"),
        (
            "(handler-case (check-type 5 string) (type-error (c) (list (type-error-datum c) (type-error-expected-type c))))",
            "(5 string)",
        ),
        (
            "(handler-case (error 'type-error :datum 5 :expected-type 'string) (error (c) (list (type-error-datum c) (type-error-expected-type c) (princ-to-string c))))",
            "(5 string \"expected a value of type string, got 5\")",
        ),
        ("(handler-case (eval 'nope) (unbound-variable (c) (cell-error-name c)))", "nope"),
        ("(handler-case (eval '(nope)) (undefined-function (c) (cell-error-name c)))", "nope"),
        (
            "(handler-case (error 'unbound-variable :name 'x) (error (c) (princ-to-string c)))",
            "\"unbound variable: x\"",
        ),
        (
            "(handler-case (open \"/no/such/file\") (file-error (c) (file-error-pathname c)))",
            "\"/no/such/file\"",
        ),
        (
            "(handler-case (open \"/no/such/file\") (po-error (c) (po-condition-identifier c)))",
            ":file",
        ),
        (
            "(handler-case (error \"a ~a b\" 1) (error (c) (list (simple-condition-format-control c) (simple-condition-format-arguments c))))",
            "(\"a ~a b\" (1))",
        ),
        (
            "(handler-case (error 'simple-error :format-control \"a ~a b\" :format-arguments '(1)) (error (c) (princ-to-string c)))",
            "\"a 1 b\"",
        ),
        (
            "(let ((c (make-condition 'simple-type-error :format-control \"bad ~s\" :format-arguments '(x) :datum 1))) (list (princ-to-string c) (type-error-datum c)))",
            "(\"bad x\" 1)",
        ),
        ("(princ-to-string (make-condition 'division-by-zero))", "\"division by zero\""),
        (
            "(princ-to-string (make-condition 'control-error))",
            "\"a condition of class control-error\"",
        ),
        ("(handler-case (/ 5 0) (arithmetic-error (c) (arithmetic-error-operation c)))", "/"),
        ("(type-error-datum (make-condition 'type-error))", "nil"),
        (
            "(type-error-datum (make-condition 'error))",
            "error: type-error-datum: expected a condition with the slot datum, got #<error \"a condition of class error\">",
        ),
        ("(type-error-datum 5)", "error: type-error-datum: expected a condition, got 5"),
        (
            "(handler-case (signal \"x\") (warning () :warning) (condition () :condition))",
            ":condition",
        ),
        ("(handler-case (warn \"x ~a\" 1) (simple-warning (c) (princ-to-string c)))", "\"x 1\""),
        (
            "(handler-case (warn 'simple-warning :format-control \"w\") (warning (c) (princ-to-string c)))",
            "\"w\"",
        ),
        (
            "(warn 'simple-error)",
            "error: warn: expected a warning, got #<error \"a condition of class simple-error\">",
        ),
        ("(signal 'simple-error)", "nil"),
        (
            "(handler-case (error 'unknown-class :x 1) (error (c) (princ-to-string c)))",
            "\"error: there is no condition class unknown-class\"",
        ),
        (
            "(make-condition 'unknown-class)",
            "error: make-condition: expected the name of a condition class: po-error, po-condition, error, warning, condition, got unknown-class",
        ),
        (
            "(make-condition '%po-warning)",
            "error: make-condition: expected the name of a condition class: po-error, po-condition, error, warning, condition, got %po-warning",
        ),
        (
            "(make-condition 'type-error :datm 5)",
            "error: make-condition: type-error: unknown key :datm; expected :datum or :expected-type; did you mean `:datum`?",
        ),
        (
            "(make-condition 'error :x 5)",
            "error: make-condition: error: unknown key :x; expected none",
        ),
        (
            "(make-condition 'type-error :datum)",
            "error: make-condition: type-error: the key :datum has no value",
        ),
        ("(let ((c (make-condition 'error))) (eq c (handler-case (error c) (error (d) d))))", "t"),
        (
            "(mapcar (lambda (k) (typep (make-condition 'end-of-file) k)) '(end-of-file stream-error error serious-condition condition t type-error string))",
            "(t t t t t t nil nil)",
        ),
    ]);
}

#[test]
fn a_script_defines_classes_of_its_own() {
    const DEFINITIONS: &str = "
        (define-condition base (error)
          ((code :initarg :code :reader code-of :initform (+ 3 4))
           (text :initarg :text :initarg :words :accessor text-of))
          (:report (lambda (c s) (format s \"code ~a: ~a\" (code-of c) (text-of c)))))
        (define-condition derived (base)
          ((extra :initarg :extra :initform (list 1 2) :reader extra-of))
          (:default-initargs :text \"none\"))
        (define-condition note (condition) ((n :initarg :n :reader n-of)) (:report \"a note\"))
        (define-condition alarm (warning) () (:documentation \"rings\") (:report \"be warned\"))
        (define-condition plain (error) (slot))
        (define-condition mixed (plain file-error) ())";
    check_after(
        DEFINITIONS,
        &[
            (
                "(handler-case (error 'base :text \"t\") (base (c) (list (code-of c) (text-of c))))",
                "(7 \"t\")",
            ),
            (
                "(handler-case (error 'base :words \"w\" :code 1) (base (c) (princ-to-string c)))",
                "\"code 1: w\"",
            ),
            ("(prin1-to-string (make-condition 'base :text 1))", "\"#<base \\\"code 7: 1\\\">\""),
            (
                "(format nil \"~a|~s\" (make-condition 'alarm) (make-condition 'alarm))",
                "\"be warned|#<alarm \\\"be warned\\\">\"",
            ),
            ("(error 'base :text \"t\")", "error: code 7: t"),
            (
                "(handler-case (error 'derived) (base (c) (list (extra-of c) (text-of c) (princ-to-string c))))",
                "((1 2) \"none\" \"code 7: none\")",
            ),
            (
                "(handler-case (error 'derived :text nil :extra 5) (derived (c) (list (extra-of c) (text-of c))))",
                "(5 nil)",
            ),
            ("(handler-case (error 'base :text 1) (derived () :derived) (base () :base))", ":base"),
            ("(handler-case (error 'derived) (type-error () :no) (error () :error))", ":error"),
            (
                "(mapcar (lambda (k) (typep (make-condition 'derived) k)) '(derived base error condition note warning))",
                "(t t t t nil nil)",
            ),
            (
                "(mapcar (lambda (k) (typep (make-condition 'mixed) k)) '(mixed plain file-error error po-error))",
                "(t t t t nil)",
            ),
            (
                "(let ((c (make-condition 'base :text 1))) (setf (text-of c) 2) (incf (text-of c)) (text-of c))",
                "3",
            ),
            ("(code-of (make-condition 'derived :code 1 :code 2))", "1"),
            ("(typecase (make-condition 'alarm) (error 1) (warning 2))", "2"),
            ("(signal 'note :n 3)", "nil"),
            (
                "(let ((seen '())) (handler-bind ((note (lambda (c) (push (n-of c) seen)))) (signal 'note :n 1) (signal 'note :n 2)) seen)",
                "(2 1)",
            ),
            ("(handler-case (signal 'note :n 3) (error () :error) (note (c) (n-of c)))", "3"),
            (
                "(handler-case (signal 'note :n 3) (po-condition () :mail) (condition () :own))",
                ":own",
            ),
            ("(handler-case (error 'base :text 1) (po-error () :mail) (error () :own))", ":own"),
            ("(handler-case (warn 'alarm) (warning (c) (princ-to-string c)))", "\"be warned\""),
            ("(handler-bind ((alarm #'muffle-warning)) (list (warn 'alarm) 1))", "(nil 1)"),
            ("(warn 'note :n 1)", "error: warn: expected a warning, got #<note \"a note\">"),
            ("(princ-to-string (make-condition 'plain))", "\"a condition of class plain\""),
            ("(n-of (make-condition 'note))", "error: n-of: the slot n of the note has no value"),
            (
                "(n-of (make-condition 'plain))",
                "error: n-of: a condition of class plain has no slot n",
            ),
            ("(n-of 5)", "error: n-of: expected a condition, got 5"),
            (
                "(make-condition 'base :bad 1)",
                "error: make-condition: base: unknown key :bad; expected :code, :text or :words",
            ),
            (
                "(define-condition type-error (error) ())",
                "error: define-condition: type-error is a class of the language",
            ),
            (
                "(define-condition x (nonesuch) ())",
                "error: define-condition: expected the name of a condition class: po-error, po-condition, error, warning, condition, got nonesuch",
            ),
            (
                "(define-condition x (error) ((s :inita :x)))",
                "error: define-condition: :inita: expected :initarg, :initform, :reader, :writer, :accessor or :type",
            ),
            // A report that fails does not hide the condition.
            (
                "(define-condition odd (error) () (:report (lambda (c s) (car 5)))) (handler-case (error 'odd) (odd (c) (princ-to-string c)))",
                "\"a condition of class odd\"",
            ),
            (
                "(define-condition named (error) () (:report tell)) (defun tell (c s) (princ \"told\" s)) (princ-to-string (make-condition 'named))",
                "\"told\"",
            ),
            (
                "(define-condition base (error) () (:report \"new\")) (princ-to-string (make-condition 'base))",
                "\"new\"",
            ),
            (
                "(let ((n 0)) (handler-bind ((base (lambda (c) (incf n)))) (signal 'derived)) n)",
                "1",
            ),
            (
                "(restart-case (handler-bind ((base (lambda (c) (invoke-restart 'take (code-of c))))) (error 'base :text 1)) (take (v) (list v)))",
                "(7)",
            ),
            (
                "(handler-bind ((base (lambda (c) (continue c)))) (cerror \"go on\" 'base :text 1) :on)",
                ":on",
            ),
            ("(defun f () (error 'base :text 1)) (handler-case (f) (base () 2))", "2"),
        ],
    );
}

#[test]
fn assert_can_be_continued() {
    check(&[
        (
            "(let ((x 5)) (handler-bind ((type-error (lambda (c) (store-value \"s\")))) (check-type x string) x))",
            "\"s\"",
        ),
        (
            "(let ((l (list 5))) (handler-bind ((type-error (lambda (c) (store-value \"s\")))) (check-type (car l) string) l))",
            "(\"s\")",
        ),
        (
            "(handler-bind ((type-error (lambda (c) (store-value \"s\")))) (check-type (+ 1 1) string) 1)",
            "error: check-type: (+ 1 1): expected a value of type string, got 2",
        ),
        ("(assert (= 1 1))", "nil"),
        ("(assert (= 1 2))", "error: assertion failed: (= 1 2)"),
        ("(let ((x 1)) (assert (= x 2) (x) \"x is ~a\" x))", "error: x is 1"),
        (
            "(handler-case (assert nil () 'type-error :datum 7) (type-error (c) (type-error-datum c)))",
            "7",
        ),
        (
            "(let ((x 1)) (handler-bind ((error (lambda (c) (setq x 5) (continue)))) (assert (= x 5) (x)) x))",
            "5",
        ),
        (
            "(let ((n 0)) (handler-bind ((error (lambda (c) (incf n) (continue c)))) (assert (> n 2))) n)",
            "3",
        ),
    ]);
}
