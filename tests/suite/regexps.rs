//! Regular expressions: known answers, refused patterns, and hostile patterns and texts.

use crate::common_lisp::{Language, check};

#[test]
fn patterns_match_as_the_interface_says() {
    check(&[
        (r#"(multiple-value-list (match-re "^[A-E]" "Boo"))"#, r#"(t "B")"#),
        (r#"(multiple-value-list (match-re "i.*s" "mississippi"))"#, r#"(t "ississ")"#),
        (r#"(multiple-value-list (match-re "i.*?s" "mississippi"))"#, r#"(t "is")"#),
        (
            r#"(multiple-value-list (match-re "\\s+(\\S+)\\s+" "  foo the bar  "))"#,
            r#"(t "  foo " "foo")"#,
        ),
        (r#"(multiple-value-list (match-re "x" "abc"))"#, "(nil)"),
        (r#"(multiple-value-list (match-re "(b)|(c)" "abc"))"#, r#"(t "b" "b" nil)"#),
        (r#"(multiple-value-list (match-re "b(.)" "abc" :return :index))"#, "(t (1 . 3) (2 . 3))"),
        (r#"(multiple-value-list (match-re "ö(.)" "äöü" :return :index))"#, "(t (1 . 3) (2 . 3))"),
        (r#"(match-re "HELLO" "say hello" :case-fold t)"#, "t"),
        (r#"(match-re "a.c" "a\nc")"#, "nil"),
        (r#"(match-re "a.c" "a\nc" :single-line t)"#, "t"),
        (r#"(match-re "^c" "a\nc")"#, "nil"),
        (r#"(match-re "^c" "a\nc" :multiple-lines t)"#, "t"),
        (r#"(match-re "a b" "ab" :ignore-whitespace t)"#, "t"),
        (r#"(multiple-value-list (match-re "a+" "aaaa" :start 1 :end 3))"#, r#"(t "aa")"#),
        (r#"(match-re "^b" "ab" :start 1)"#, "nil"),
        (r#"(let ((re (compile-re "h(.)" :case-fold t))) (match-re re "xHy"))"#, "t"),
        (r#"(compile-re "a\"b")"#, r##"#<regexp "a\"b">"##),
        (r#"(quote-re "a.b*")"#, r#""a\\.b\\*""#),
        (r#"(multiple-value-list (match-regexp "\\(b\\)(" "ab("))"#, r#"(t "b(" "b")"#),
        (r#"(regexp-match "a(b)?" "ac")"#, r#"("a" nil)"#),
        (r#"(regexp-match "x" "ac")"#, "nil"),
        (r#"(list (regexp-match? "a" "ac") (regexp-match? "x" "ac"))"#, "(t nil)"),
    ]);
}

#[test]
fn matches_are_replaced_and_split_at() {
    check(&[
        (r##"(replace-re "00a1b23c99" "\\d+" "#")"##, r##""#a#b#c#""##),
        (r#"(replace-re ":f" "(\\W)(\\w)" "\\1 \\2")"#, r#"": f""#),
        (r##"(replace-re "12345" "\\d(\\d+)(\\d)" "#\\1.\\2")"##, r##""#234.5""##),
        (
            r#"(replace-re "12345" "\\d(?<mid>\\d+)(?<tail>\\d)" "\\k<tail>-\\k<mid>")"#,
            r#""5-234""#,
        ),
        (r#"(replace-re "a-b" "b" "[\\&]")"#, r#""a-[b]""#),
        (r#"(replace-re "a-b" "-" "\\\\")"#, r#""a\\b""#),
        (r#"(replace-re "abc abc bc" "^abc\\s+" "_")"#, r#""_abc bc""#),
        (r#"(replace-re "aaaa" "a" "b" :count 2)"#, r#""bbaa""#),
        (r#"(replace-re "aaaa" "a" "b" :start 1 :end 3)"#, r#""abba""#),
        (r#"(replace-re "abc" "x*" "-")"#, r#""-a-b-c-""#),
        (
            r#"(replace-re "ab cd" "(\\w)(\\w)" (lambda (m) (string-append (third m) (second m))))"#,
            r#""ba dc""#,
        ),
        (r#"(split-re ":" "a:b:c:d" :limit 3)"#, r#"("a" "b" "c:d")"#),
        (r#"(split-re ":" "a:b:c:d" :count 3)"#, r#"("a" "b" "c:d")"#),
        (r#"(split-re "," ",a,,b,,")"#, r#"("" "a" "" "b")"#),
        (r#"(split-re "," "a,b,," :limit 9)"#, r#"("a" "b" "" "")"#),
        (r#"(split-re "\\s*;\\s*" "a ; b;c")"#, r#"("a" "b" "c")"#),
        (r#"(split-re "/*" "/foo/bar")"#, r#"("" "f" "o" "o" "b" "a" "r")"#),
        (r#"(split-re "," "")"#, "nil"),
        (r#"(split-re "," "a,b" :return :index)"#, "((0 . 1) (2 . 3))"),
    ]);
}

#[test]
fn matches_bind_variables() {
    let three = r#""([^ ]+) ([^ ]+) ([^ ]+)""#;
    let bindings = "((foo 1) (bar 2) (baz 3)) (list foo bar baz)";
    check(&[
        (
            &format!("(funcall (re-lambda {three} {bindings}) \"foo the bar\")"),
            r#"("foo" "the" "bar")"#,
        ),
        (&format!("(re-let {three} \"foo the bar\" {bindings})"), r#"("foo" "the" "bar")"#),
        (r#"(funcall (re-lambda "x" () 1) "a" :if-does-not-match :no)"#, ":no"),
        (
            r#"(re-let "(?<user>\\w+)@(?<host>\\w+)" "me@here" (user (at host)) (list user at))"#,
            r#"("me" "here")"#,
        ),
        (
            r#"(re-let "c" "abcde" ((a 0 :before) (b 0) (c 0 :after)) (list a b c))"#,
            r#"("ab" "c" "de")"#,
        ),
        (r#"(re-let "x" "abc" ((a 0)) a)"#, "nil"),
        (
            r#"(re-case "foo the barmy" ("foo a (.*)" ((it 1)) (list it)) ("foo the (.*)" ((it 1)) (list :the it)) (t :none))"#,
            r#"(:the "barmy")"#,
        ),
        (r#"(re-case "xx" ("foo" () 1) (t :none))"#, ":none"),
        (r#"(re-case "xx" ("foo" () 1))"#, "nil"),
        (
            r#"(let ((m (match-re "(a)(?<n>b)" "xab" :return :match))) (list (re-submatch m nil nil 1) (re-submatch m nil nil 'n) (re-submatch m nil nil 7) (re-submatch m nil nil 0 :type :index)))"#,
            r#"("a" "b" nil (1 . 3))"#,
        ),
        (
            r#"(let* ((re (compile-re "(a)(b)")) (r (multiple-value-list (match-re re "xab" :return :index)))) (re-submatch re "xab" (cdr r) 2))"#,
            r#""b""#,
        ),
    ]);
}

#[test]
fn patterns_that_cannot_be_are_syntax_errors() {
    for (pattern, reason) in [
        ("(", "unclosed group"),
        ("a(?=b)", "look-around"),
        ("(a)\\\\1", "backreferences are not supported"),
        ("[z-a]", "invalid character class range"),
        ("a{1000}{1000}{1000}", "it is too large"),
        ("*", "repetition operator missing expression"),
    ] {
        let form = format!(
            "(handler-case (match-re \"{pattern}\" \"x\") (:syntax-error (c) (princ-to-string c)))"
        );
        let shown = Language::new().shows(&form);
        assert!(shown.starts_with("\"match-re: the regular expression "), "{form}: {shown}");
        assert!(shown.contains(reason), "{form}: {shown}");
    }
    check(&[
        ("(match-re 5 \"x\")", "error: match-re: expected a regular expression, got 5"),
        ("(match-re \"x\" 5)", "error: match-re: expected a string, got 5"),
        (
            "(match-re \"x\" \"abc\" :start 9)",
            "error: match-re: :start or :end is not within the string",
        ),
        ("(match-re \"x\" \"abc\" :start 2 :end 1)", "error: match-re: :start is after :end"),
        (
            "(match-re \"x\" \"abc\" :return :both)",
            "error: match-re: expected :string, :index or :match as :return, got :both",
        ),
    ]);
}

#[test]
fn hostile_patterns_and_texts_end() {
    // Exponential in an engine that backtracks.
    check(&[
        ("(match-re \"(a|a)*b\" (make-string 100000 :initial-element #\\a))", "nil"),
        (
            "(match-re \"(a*)*$\" (concatenate 'string (make-string 50000 :initial-element #\\a) \"b\"))",
            "t",
        ),
        ("(length (split-re \"\" (make-string 20000 :initial-element #\\a)))", "20000"),
    ]);
    // Pieces of patterns put together by chance: an answer or an error, never a panic.
    let pieces = [
        "(",
        ")",
        "[",
        "]",
        "a",
        "b",
        "*",
        "+",
        "?",
        "{2,3}",
        "|",
        "^",
        "$",
        ".",
        "\\\\d",
        "\\\\b",
        "(?i)",
        "(?:",
        "(?<n>",
        "\\\\",
        "-",
        "[^a]",
        "é",
        "{",
        ",}",
        "\\\\p{L}",
        "(?x)",
        "\\\\x41",
        "&&",
        "[[:alpha:]]",
    ];
    let mut random = crate::differential::Random::new(3);
    let mut language = Language::new();
    for _ in 0..2_000 {
        let pattern: String = (0..1 + random.below(8)).map(|_| random.one(&pieces)).collect();
        let text: String =
            (0..random.below(6)).map(|_| random.one(&["a", "b", "é", "\\n", " ", "1"])).collect();
        let form = format!(
            "(handler-case (list (split-re \"{pattern}\" \"{text}\") (replace-re \"{text}\" \"{pattern}\" \"<\\\\&>\")) (:syntax-error () :refused))"
        );
        let shown = language.shows(&form);
        assert!(!shown.contains("internal error"), "{form}: {shown}");
        assert!(shown.starts_with('(') || shown == ":refused", "{form}: {shown}");
    }
}
