//! `match`.

use super::common_lisp::check;

/// What follows a match is not repeated for each way in which a pattern fails.
#[test]
fn many_patterns_that_must_not_match_expand_at_once() {
    let not = "(not (list 1 2 3 4 5 6 7 8)) ".repeat(30);
    check(&[
        (&format!("(match 5 ((and {not} x) (* x 2)) (_ :no))"), "10"),
        (&format!("(match '(1 2 3 4 5 6 7 8) ((and {not} x) x) (_ :no))"), ":no"),
    ]);
}

#[test]
fn a_clause_of_match_is_chosen_by_its_pattern() {
    check(&[
        ("(match 5 (6 :six) (5 :five))", ":five"),
        ("(match \"s\" (\"t\" 1) (\"s\" 2))", "2"),
        ("(match #\\a (#\\b 1) (#\\a 2))", "2"),
        ("(match :k (:j 1) (:k 2))", "2"),
        ("(match nil (t 1) (nil 2))", "2"),
        ("(match t (nil 1) (t 2))", "2"),
        ("(match '() (() :empty) (_ :other))", ":empty"),
        ("(match 'sym ('other 1) ('sym 2))", "2"),
        ("(match '(a (b 1)) ('(a (b 1)) :same))", ":same"),
        ("(match 7 (x (* x 2)))", "14"),
        ("(match 7 (_ :any))", ":any"),
        ("(match 7 (else :any))", ":any"),
        ("(match '(1 2) ((list a b) (+ a b)))", "3"),
        ("(match '(1 2) ((list a) 1) ((list a b c) 3) ((list a b) 2))", "2"),
        ("(match '(1 . 2) ((list a b) :list) ((cons a b) (list a b)))", "(1 2)"),
        ("(match '(1 2 3) ((cons a b) (list a b)))", "(1 (2 3))"),
        ("(match '(1 2 3 4) ((list* a b rest) (list a b rest)))", "(1 2 (3 4))"),
        (
            "(match '((1 2) (3 (4))) ((list (list a b) (list c (list d))) (list a b c d)))",
            "(1 2 3 4)",
        ),
        ("(match #(1 2) ((vector a b) (list a b)))", "(1 2)"),
        ("(match #(1 2 3) ((vector a b ...) (list a b)))", "(1 (2 3))"),
        ("(match '(1 2) ((vector a b) :vector) (_ :no))", ":no"),
        ("(match '(add 1 2) (`(add ,a ,b) (+ a b)))", "3"),
        ("(match '(a (b 1) c) (`(a (b ,x) c) x))", "1"),
        ("(match '(let 1 2) (`(let ,@rest) rest))", "(1 2)"),
        ("(match '(1 . 2) (`(,a . ,b) (list a b)))", "(1 2)"),
        ("(match '#(1 2) (`#(1 ,x) x))", "2"),
        (
            "(match '(if a b) (`(if ,test ,then ,else1) 3) (`(if ,test ,then) (list test then)))",
            "(a b)",
        ),
        ("(match '(5) ((list (? numberp n)) n))", "5"),
        ("(match '(5) ((list (? stringp s)) s) (_ :no))", ":no"),
        ("(match 5 ((? (lambda (x) (> x 3))) :big))", ":big"),
        ("(match '(1 2 3) ((app length n) n))", "3"),
        ("(match \"abc\" ((= string-upcase \"ABC\") :yes))", ":yes"),
        ("(match '(1 2) ((and whole (list a b)) (list whole a)))", "((1 2) 1)"),
        ("(match '(y 5) ((or (list 'x v) (list 'y v)) v))", "5"),
        ("(match 3 ((or 1 2 3) :small) (_ :large))", ":small"),
        ("(match '(2 3) ((list (not 1) x) x))", "3"),
        ("(match '(1 3) ((list (not 1) x) x) (_ :no))", ":no"),
        ("(match '((a 1) (b 2)) ((list (list k v) ...) (list k v)))", "((a b) (1 2))"),
        ("(match '() ((list (list k v) ...) (list k v)))", "(nil nil)"),
        ("(match '(1 2 3) ((list a ... z) (list a z)))", "((1 2) 3)"),
        ("(match '(1) ((list a ... y z) :two) (_ :fewer))", ":fewer"),
        ("(match '(1 x 2) ((list (? numberp n) ...) n) (_ :mixed))", ":mixed"),
        ("(match '(plus 1 2 3) (`(plus ,n ...) n))", "(1 2 3)"),
        ("(match '((1 2) (3)) ((list (list n ...) ...) n))", "((1 2) (3))"),
        ("(match 101 (n :when (> n 100) :big) (n :small))", ":big"),
        ("(match 99 (n :when (> n 100) :big) (n :small))", ":small"),
        ("(match '(1 2) ((list a b) (setq a 5) (list a b)))", "(5 2)"),
        ("(match 1 (1))", "nil"),
        ("(let ((n 0)) (match (incf n) (5 1) (1 n)))", "1"),
        (
            "(defun depth (x) (match x ((cons a d) (max (+ 1 (depth a)) (depth d))) (_ 0))) (depth '(1 (2 (3)) 4))",
            "3",
        ),
        ("(multiple-value-list (match 1 (1 (values 1 2))))", "(1 2)"),
        ("(block b (match 1 (x (return-from b :out))) :in)", ":out"),
        ("(defun match (x) (list :mine x)) (match 5)", "(:mine 5)"),
        ("(match 5 (6 1))", "error: match: no clause for 5"),
        ("(match 5)", "error: match: no clause for 5"),
        ("(match '(1 1) ((list a a) a))", "error: match: the pattern binds a twice"),
        (
            "(match 1 ((or (list a) (list b)) a))",
            "error: match: all patterns of or bind the same names",
        ),
        ("(match 1 ((list a ... b ...) a))", "error: match: a list has one ... only"),
        ("(match 1 (5 . 6))", "error: match: expected (pattern form …)"),
        (
            "(match 1 ((foo a) a))",
            "error: match: expected a pattern: a name, _, a constant, 'data, `data with , or a list that begins with list, list*, cons, vector, and, or, not, ? or app",
        ),
    ]);
}
