//! The words of Scheme (R7RS, SRFI 1 and 13): their values, and errors where a wrong value would go
//! unnoticed. `differential` compares many more expressions with Guile.

use crate::common_lisp::check;

#[test]
fn lists() {
    check(&[
        ("(list (take '(1 2 3) 2) (drop '(1 2 3) 2) (take-right '(1 2 3) 2))", "((1 2) (3) (2 3))"),
        ("(take '(1 2) 3)", "error: take: the list has fewer than 3 elements: (1 2)"),
        ("(drop '(1 2) 3)", "error: drop: the list has fewer than 3 elements: (1 2)"),
        ("(take '(1 2) -1)", "error: take: expected a whole number, at least 0, got -1"),
        ("(list (take-while even? '(2 4 5 6)) (drop-while even? '(2 4 5 6)))", "((2 4) (5 6))"),
        ("(multiple-value-list (span even? '(2 5 4)))", "((2) (5 4))"),
        ("(multiple-value-list (break even? '(1 5 4)))", "((1 5) (4))"),
        ("(multiple-value-list (split-at '(1 2 3) 1))", "((1) (2 3))"),
        ("(filter-map (lambda (x) (and (even? x) (* x x))) '(1 2 3 4))", "(4 16)"),
        ("(append-map list '(1 2) '(3 4))", "(1 3 2 4)"),
        ("(fold cons* '() '(a b c) '(1 2 3))", "(c 3 b 2 a 1)"),
        ("(fold-right cons* '() '(a b c) '(1 2 3 4))", "(a 1 b 2 c 3)"),
        ("(fold-right cons '() '(1 2))", "(1 2)"),
        ("(unfold (lambda (x) (> x 3)) square 1+ 1)", "(1 4 9)"),
        ("(unfold-right zero? square 1- 3)", "(1 4 9)"),
        ("(list (any even? '(1 3)) (any < '(5 1) '(4 2)) (any + '(1) '(2)))", "(nil t 3)"),
        ("(list (list-index even? '(1 3 4)) (list-index = '(1 2) '(3 2)))", "(2 1)"),
        ("(list (find-tail even? '(1 2 3)) (last-pair '(1 2)))", "((2 3) (2))"),
        ("(list (zip '(1 2) '(3 4)) (concatenate '((1) (2 3))))", "(((1 3) (2 4)) (1 2 3))"),
        (
            "(list (cons* 1 2 '(3)) (xcons 1 2) (list-tabulate 3 square))",
            "((1 2 3) (2 . 1) (0 1 4))",
        ),
        ("(alist-delete 1 '((1 . a) (2 . b) (1 . c)))", "((2 . b))"),
        (
            "(list (lset-adjoin = '(1 2) 2 3) (lset-union = '(1 2) '(2 3)) (lset-intersection = '(1 2 3) '(2 3) '(3)) (lset-difference = '(1 2 3) '(2)))",
            "((3 1 2) (3 1 2) (3) (1 3))",
        ),
        ("(list (lset<= = '(1) '(2 1)) (lset= = '(1 2) '(2 1)) (lset= = '(1) '(2)))", "(t t nil)"),
    ]);
}

#[test]
fn strings() {
    check(&[
        ("(list (string-index \"a,b\" #\\,) (string-index \"ab\" char-numeric?))", "(1 nil)"),
        ("(list (string-rindex \"banana\" #\\a) (string-skip \"  x\" #\\space))", "(5 2)"),
        ("(string-index nil #\\a)", "error: string-index: expected a string, got nil"),
        ("(string-null? nil)", "error: string-null?: expected a string, got nil"),
        (
            "(string-index \"a\" \"a\")",
            "error: string-index: expected a character or a function, got \"a\"",
        ),
        ("(list (string-contains \"banana\" \"nan\") (string-contains \"a\" \"b\"))", "(2 nil)"),
        ("(list (string-pad \"12\" 5 #\\0) (string-pad \"12345\" 2))", "(\"00012\" \"45\")"),
        ("(list (string-pad-right \"ab\" 4) (string-pad-right \"abcd\" 2))", "(\"ab  \" \"ab\")"),
        ("(list (string-trim-both \" a \") (string-trim-right \"axx\" #\\x))", "(\"a\" \"a\")"),
        (
            "(list (string-join '(\"a\" \"b\")) (string-join '(\"a\" \"b\") \", \") (string-join '() \"-\"))",
            "(\"a b\" \"a, b\" \"\")",
        ),
        (
            "(list (string-join '(\"a\" \"b\") \"-\" 'prefix) (string-join '(\"a\" \"b\") \"-\" 'suffix))",
            "(\"-a-b\" \"a-b-\")",
        ),
        ("(string-tokenize \" one  two \")", "(\"one\" \"two\")"),
        ("(list (string-take \"abc\" 1) (string-take-right \"abc\" 1))", "(\"a\" \"c\")"),
        (
            "(string-drop-right \"abc\" 4)",
            "error: string-drop-right: the string has fewer than 4 characters: \"abc\"",
        ),
        (
            "(list (string-filter #\\a \"banana\") (string-delete #\\a \"banana\"))",
            "(\"aaa\" \"bnn\")",
        ),
        ("(list (string-count \"banana\" #\\a) (string-reverse \"abc\"))", "(3 \"cba\")"),
        ("(string-map (lambda (a b) (if (char<? a b) a b)) \"adc\" \"bbbb\")", "\"abb\""),
        ("(list (string-any char-numeric? \"a1\") (string-every char-numeric? \"a1\"))", "(t nil)"),
        ("(list (string-copy \"hello\" 1 3) (string-prefix-ci? \"re\" \"Re: x\"))", "(\"el\" t)"),
        ("(string-fold cons '() \"abc\")", "(#\\c #\\b #\\a)"),
    ]);
}

#[test]
fn vectors() {
    check(&[
        (
            "(list (vector-map + #(1 2) #(10 20 30)) (vector->list #(1 2 3 4) 1 3))",
            "(#(11 22) (2 3))",
        ),
        ("(list (vector-append #(1) #() #(2)) (vector-copy #(1 2 3) 1))", "(#(1 2) #(2 3))"),
        ("(let ((v (vector-map 1+ #(1 2)))) (vector-set! v 0 9) v)", "#(9 3)"),
        ("(let ((v (vector-copy #(1 2)))) (vector-set! v 0 9) v)", "#(9 2)"),
        ("(let ((n 0)) (vector-for-each (lambda (a b) (incf n (* a b))) #(1 2) #(3 4)) n)", "11"),
        ("(vector->list '(1))", "error: vector->list: expected a vector, got (1)"),
    ]);
}

#[test]
fn names_that_both_languages_have() {
    check(&[
        (
            "(list (delete 3 '(1 4 5) <) (delete 3 '(1 3)) (delete 3 '(1 4) :test #'<))",
            "((1) (1) (1))",
        ),
        ("(list (concatenate '((1) (2))) (concatenate 'list '(1) '(2)))", "((1 2) (1 2))"),
        ("(list (reduce - 0 '(1 2 3)) (reduce #'- '(1 2 3) :initial-value 0))", "(2 -6)"),
        ("(let ((v (list->vector '(1 2)))) (vector-set! v 0 9) v)", "#(9 2)"),
        ("(delete-duplicates '(1 2 -1) (lambda (a b) (= (abs a) (abs b))))", "(2 -1)"),
        ("(list (assv-ref '((1 . a)) 1) (assv-ref '((1 . a)) 2))", "(a nil)"),
        ("(list (list= = '(1 2) '(1 2)) (list= = '(1 2) '(1)) (list= = '(1) '(2)))", "(t nil nil)"),
        ("(symbol->string nil)", "error: symbol->string: expected a symbol, got nil"),
        ("(lset-xor = '(1 2 3) '(2 4))", "(4 1 3)"),
    ]);
}

#[test]
fn a_function_written_in_its_call_takes_the_rest() {
    check(&[
        ("((lambda rest rest) 1 '(2))", "(1 (2))"),
        ("((lambda (a . rest) (list a rest)) 'x 'y)", "(x (y))"),
        ("((case-lambda ((a) a) ((a . r) r)) 1 'b)", "(b)"),
        ("((lambda (a &rest r) (list a r)) 'x \"y\" 'z)", "(x (\"y\" z))"),
        ("((lambda (x) (* x x)) 3)", "9"),
    ]);
}

#[test]
fn values_are_defined_with_a_rest() {
    check(&[
        ("(let () (define-values (a . more) (values 1 2 3)) (list a more))", "(1 (2 3))"),
        ("(let () (define-values all (values 1 2)) all)", "(1 2)"),
        ("(begin (define-values (a . more) (values 1 2 3)) (list a more))", "(1 (2 3))"),
        ("(begin (define-values (a b) (values 1 2)) (list a b))", "(1 2)"),
    ]);
}

#[test]
fn numbers() {
    check(&[
        ("(call-with-values (lambda () (floor/ -7 2)) list)", "(-4 1)"),
        ("(call-with-values (lambda () (truncate/ -7 2)) list)", "(-3 -1)"),
        ("(list (quotient 7.0 2) (quotient -7 2) (floor-quotient 7 2.0))", "(3.0 -3 3.0)"),
        ("(quotient 7.5 2)", "error: quotient: expected an integer, got 7.5"),
        ("(list (atan 1 -1) (atan 0) (atan 1.0))", "(2.356194490192345 0 0.7853981633974483)"),
        ("(list (boolean=? t t) (boolean=? t nil) (boolean=? nil nil))", "(t nil t)"),
        ("(list (positive? 0.0) (negative? -0.0) (positive? 1/2) (negative? -1))", "(nil nil t t)"),
        ("(positive? nil)", "error: positive?: expected a number, got nil"),
        ("(list (exact? 1/2) (exact? 0.5) (inexact? 2.0) (inexact? 2))", "(t nil t nil)"),
        ("(exact? nil)", "error: exact?: expected a number, got nil"),
        ("(list (boolean? nil) (boolean? (= 1 2)) (boolean? t) (boolean? 0))", "(t t t nil)"),
        ("(boolean=? 1 1)", "error: boolean=?: expected t or nil, got 1"),
    ]);
}

#[test]
fn control() {
    check(&[
        ("(with-exception-handler (lambda (e) 42) (lambda () (+ 1 (raise-continuable 'c))))", "43"),
        (
            "(with-exception-handler (lambda (e) 10) (lambda () (with-exception-handler (lambda (e) (+ 1 (raise-continuable e))) (lambda () (+ 100 (raise-continuable 'x))))))",
            "111",
        ),
        (
            "(with-exception-handler (lambda (e) 1) (lambda () (raise 'oops)))",
            "error: with-exception-handler: the handler has returned, but what was raised is not continuable: oops",
        ),
        (
            "(call/cc (lambda (k) (with-exception-handler (lambda (e) (k (list 'caught e))) (lambda () (raise 'oops)))))",
            "(caught oops)",
        ),
        ("(guard (e (t (list e))) (raise-continuable 5))", "(5)"),
        ("(let ((a 1)) (let-values (((a) (values 2)) ((b) (values a))) (list a b)))", "(2 1)"),
        ("(let*-values (((a b) (values 1 2)) ((c) (values (+ a b)))) (list a b c))", "(1 2 3)"),
        (
            "(let ((p (make-parameter 10 list))) (list (p) (parameterize ((p 20)) (p)) (p)))",
            "((10) (20) (10))",
        ),
        (
            "(list (force (make-promise 5)) (force (delay 6)) (force (delay-force (delay 7))))",
            "(5 6 7)",
        ),
        ("(force 5)", "5"),
    ]);
}

#[test]
fn hash_tables_of_srfi_69() {
    check(&[
        (
            "(let ((h (make-hash-table :test 'equal))) (hash-table-set! h \"a\" 1) (hash-table-update! h \"a\" 1+) (hash-table-update! h \"b\" 1+ (lambda () 10)) (hash-table-update!/default h \"c\" 1+ 0) (hash-table->alist h))",
            "((\"a\" . 2) (\"b\" . 11) (\"c\" . 1))",
        ),
        (
            "(let ((h (make-hash-table))) (hash-table-set! h 1 nil) (list (hash-table? h) (hash-table-exists? h 1) (hash-table-exists? h 2) (hash-table-ref h 1) (hash-table-ref h 2 (lambda () 'none)) (hash-table-ref h 1 nil not) (hash-table-ref/default h 2 'd) (hash-table-size h)))",
            "(t t nil nil none t d 1)",
        ),
        ("(hash-table-ref (make-hash-table) 5)", "error: hash-table-ref: no entry for 5"),
        (
            "(let* ((h (make-hash-table)) (c (begin (hash-table-set! h 1 10) (hash-table-copy h)))) (hash-table-set! c 2 20) (hash-table-delete! h 1) (list (hash-table-fold c (lambda (k v all) (+ k v all)) 0) (hash-table-size h) (hash-table-keys (hash-table-merge! h c))))",
            "(33 0 (1 2))",
        ),
        (
            "(let ((h (make-hash-table)) (n 0)) (hash-table-set! h 1 10) (hash-table-walk h (lambda (k v) (incf n (+ k v)))) n)",
            "11",
        ),
    ]);
}

#[test]
fn ports() {
    check(&[
        (
            "(let ((p (open-input-string \"ab\"))) (list (input-port? p) (output-port? p) (input-port? 5) (textual-port? p) (binary-port? p) (input-port-open? p) (read-u8 p) (call-with-port p read-char) (input-port-open? p)))",
            "(t nil nil t t t 97 #\\b nil)",
        ),
        (
            "(multiple-value-list (call-with-port (open-input-string \"a\") (lambda (p) (values 1 2))))",
            "(1 2)",
        ),
    ]);
}
