//! Differential tests: generated expressions are evaluated here and in SBCL or Guile, and must give
//! the same printed value, or an error in both.
//!
//! The generators leave out what is different on purpose. Those differences stand in
//! `docs/common-lisp.md` and `docs/scheme.md`, with an expression for each, which is evaluated in both
//! as well. In what Guile prints, `#t` and `#f` are written as here, and `#f` and `()` alike, because
//! they are one value here. `POSTOFFICE_SEED=N` makes other expressions.

mod expressions;
mod scheme;
mod words;

use crate::common_lisp::Language;
use expressions::CommonLisp;
pub use expressions::Random;
use scheme::Scheme;
use std::fmt::Write as _;
use std::process::Command;

/// Reads one expression from each line and prints its value on one line, or `error`.
const SBCL: &str = r#"
(setf *print-case* :downcase *print-pretty* nil *read-default-float-format* 'double-float
      sb-ext:*evaluator-mode* :interpret)
;; Floats are double here; SBCL makes single ones where a form says nothing.
(defpackage :run (:use :cl) (:shadow float ffloor sqrt))
(in-package :run)
(defun float (x) (cl:float x 1d0))
(defun sqrt (x) (cl:sqrt (float x)))
(defun ffloor (x &optional (y 1)) (cl:ffloor (cl:float x 1d0) y))
(declaim (sb-ext:muffle-conditions warning sb-ext:compiler-note))
(with-open-file (in (second sb-ext:*posix-argv*))
  (loop for line = (read-line in nil) while line
        do (let ((text (handler-case (prin1-to-string (let ((*package* *package*)) (eval (read-from-string line))))
                         (error () "error"))))
             (write-line (substitute #\Page #\Newline text)))))
"#;

/// Reads one expression from each line and prints its value on one line, or `error`: as it is printed
/// here, or, with `scheme` as the second argument, as Guile writes it.
const GUILE: &str = r##"
(define-module (run)
  #:use-module (srfi srfi-1) #:use-module (srfi srfi-8) #:use-module (srfi srfi-11)
  #:use-module (srfi srfi-13) #:use-module (srfi srfi-69) #:use-module (scheme base)
  #:use-module (scheme char) #:use-module (scheme inexact) #:use-module (scheme write)
  #:use-module (scheme read) #:use-module (scheme complex) #:use-module (scheme lazy)
  ;; Of the names that both define, SRFI 1's and R7RS's functions take more arguments.
  #:duplicates (last))
(define as-scheme (equal? (cddr (command-line)) '("scheme")))
(define (escaped text)
  (string-concatenate (map (lambda (c) (if (memv c '(#\" #\\)) (string #\\ c) (string c))) (string->list text))))
(define (show x)
  (cond ((not x) "nil")
        ((null? x) "nil")
        ((eq? x #t) "t")
        ((string? x) (string-append "\"" (escaped x) "\""))
        ((eqv? x #\newline) "#\\Newline")
        ((char? x) (string-append "#\\" (string x)))
        ((symbol? x) (symbol->string x))
        ((vector? x) (string-append "#" (if (= 0 (vector-length x)) "()" (show (vector->list x)))))
        ((pair? x)
         (let loop ((rest (cdr x)) (parts (list (show (car x)))))
           (cond ((pair? rest) (loop (cdr rest) (cons (show (car rest)) parts)))
                 (else (string-append "(" (string-join (reverse parts) " ")
                                      (if (or (null? rest) (not rest)) "" (string-append " . " (show rest)))
                                      ")")))))
        ((unspecified? x) "unspecified")
        ((procedure? x) "procedure")
        (else (object->string x))))
(define (written x) (if as-scheme (object->string x) (show x)))
(set-port-encoding! (current-output-port) "UTF-8")
(call-with-input-file (cadr (command-line))
  (lambda (in)
    (set-port-encoding! in "UTF-8")
    (let next ((line (read-line in)))
      (unless (eof-object? line)
        (let ((text (catch #t
                      (lambda ()
                        (call-with-values (lambda () (eval (call-with-input-string line read) (current-module)))
                          (lambda all (if (null? all) "nil" (written (car all))))))
                      (lambda ignored "error"))))
          (display (string-map (lambda (c) (if (char=? c #\newline) #\page c)) text))
          (newline))
        (next (read-line in))))))
"##;

/// The values that a program prints for the expressions, one on each line, or `None` if its
/// interpreter is not installed.
fn values_of(
    interpreter: &str,
    option: &str,
    program: &str,
    expressions: &[String],
    mode: &[&str],
) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let (file, input) = (folder.path().join("run"), folder.path().join("expressions"));
    std::fs::write(&file, program).unwrap();
    std::fs::write(&input, expressions.join("\n") + "\n").unwrap();
    let output = Command::new(interpreter)
        .env("GUILE_AUTO_COMPILE", "0")
        .arg(option)
        .args([&file, &input])
        .args(mode)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var("POSTOFFICE_REAL_SERVERS").is_err(), "{interpreter}: {error}");
            return None;
        }
    };
    let values: Vec<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(values.len(), expressions.len(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(values)
}

fn sbcl(expressions: &[String]) -> Option<Vec<String>> {
    values_of("sbcl", "--script", SBCL, expressions, &[])
}

fn guile(expressions: &[String], mode: &[&str]) -> Option<Vec<String>> {
    values_of("guile", "-s", GUILE, expressions, mode)
}

/// The values that are printed here.
fn ours(expressions: &[String]) -> Vec<String> {
    let mut values = Vec::new();
    for some in expressions.chunks(100) {
        let mut language = Language::new();
        values.extend(some.iter().map(|expression| {
            let shown = language.shows(expression);
            let shown = shown.replace("#\\\\space", "#\\\\ ");
            // SBCL prints a blank's character as itself.
            let shown = shown.replace("#\\space", "#\\ ").replace("#\\newline", "#\\Newline");
            if shown.starts_with("error: ") { shown } else { shown.replace('\n', "\u{c}") }
        }));
    }
    values
}

/// Whether two printed values are the same, floats by their number: SBCL writes 1.0e7, and here it is
/// 10000000.0.
fn alike(left: &str, right: &str) -> bool {
    let numbers = |text: &str| -> Vec<Result<f64, String>> {
        text.split_inclusive([' ', '(', ')', '"', '|'])
            .flat_map(|word| {
                let end = word.len() - word.ends_with([' ', '(', ')', '"', '|']) as usize;
                [&word[..end], &word[end..]]
            })
            .map(|word| match word.parse() {
                Ok(number) if word.contains('.') => Ok(number),
                _ => Err(word.to_owned()),
            })
            .collect()
    };
    left == right || numbers(left) == numbers(right)
}

/// Returns the number that chooses the expressions.
fn seed() -> u64 {
    std::env::var("POSTOFFICE_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// Compares the values that another language gives with those here.
fn compare(language: &str, expressions: &[String], theirs: &[String]) {
    let mut differences = String::new();
    for ((expression, theirs), ours) in expressions.iter().zip(theirs).zip(ours(expressions)) {
        let fails = ours.starts_with("error: ");
        let both = match theirs.as_str() {
            "error" => fails,
            // What has no value in Scheme may have any here.
            "unspecified" => !fails,
            // Conditions are printed differently.
            theirs if theirs.contains("#<&") => ours.contains("#<error"),
            _ => alike(theirs, &ours),
        };
        if !both {
            let _ = writeln!(differences, "{expression}\n  {language}: {theirs}\n  here: {ours}");
        }
    }
    assert!(differences.is_empty(), "seed {}:\n{differences}", seed());
}

#[test]
fn expressions_have_the_values_of_common_lisp() {
    let mut generator = CommonLisp::new(seed());
    let expressions: Vec<String> = (0..2000).map(|_| generator.expression()).collect();
    if let Some(theirs) = sbcl(&expressions) {
        compare("SBCL", &expressions, &theirs);
    }
}

#[test]
fn expressions_have_the_values_of_scheme() {
    let mut generator = Scheme::new(seed());
    let expressions: Vec<String> = (0..2000).map(|_| generator.expression()).collect();
    let Some(theirs) = guile(&expressions, &[]) else { return };
    let failing = theirs.iter().filter(|value| *value == "error").count();
    assert!(failing < 500, "{failing} expressions fail in Guile, and compare little");
    let theirs: Vec<String> =
        theirs.iter().map(|value| value.replace("#\\\\space", "#\\\\ ")).collect();
    compare("Guile", &expressions, &theirs);
}

#[test]
fn words_have_the_values_of_common_lisp() {
    let mut generator = CommonLisp::new(seed());
    let templates = words::COMMON_LISP.iter().flat_map(|template| [template; 3]);
    let expressions: Vec<String> = templates.map(|template| generator.filled(template)).collect();
    if let Some(theirs) = sbcl(&expressions) {
        let failing = theirs.iter().filter(|value| *value == "error").count();
        assert!(failing * 5 < expressions.len(), "{failing} expressions fail in SBCL");
        compare("SBCL", &expressions, &theirs);
    }
}

#[test]
fn words_have_the_values_of_scheme() {
    let expressions: Vec<String> = words::SCHEME.iter().map(|it| (*it).to_owned()).collect();
    if let Some(theirs) = guile(&expressions, &[]) {
        assert!(!theirs.iter().any(|value| value == "error"), "{theirs:#?}");
        compare("Guile", &expressions, &theirs);
    }
}

#[test]
fn every_word_of_common_lisp_is_compared() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let texts = read("tests/suite/differential/expressions.rs")
        + &read("tests/suite/differential/words.rs");
    let is_end = |next: char| next.is_whitespace() || "()'\"`,#\\".contains(next);
    let compared: std::collections::HashSet<&str> = texts.split(is_end).collect();
    let missing: Vec<String> = read("tests/words/common-lisp.txt")
        .lines()
        .filter(|line| !line.starts_with("# ") && !line.starts_with("- "))
        .map(|line| line.strip_prefix("~ ").unwrap_or(line).split(": ").next().unwrap())
        .flat_map(|words| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| !compared.contains(word.as_str()))
        .collect();
    assert!(missing.is_empty(), "add to COMMON_LISP or NOT_COMPARED: {missing:?}");
}

/// Returns the rows of a page's table of differences: expression, value there, value here.
fn documented(page: &str) -> Vec<[String; 3]> {
    let path = format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(path).unwrap();
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            [plain(cells[1]), plain(cells[2]), plain(cells[3])]
        })
        .collect()
}

/// Checks that the expressions of a page have the values that it shows.
fn check_page(page: &str, there: impl FnOnce(&[String]) -> Option<Vec<String>>) {
    let rows = documented(page);
    assert!(rows.len() > 10);
    let expressions: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    let here = ours(&expressions);
    let there = there(&expressions);
    let mut wrong = String::new();
    for (index, [expression, expected_there, expected_here]) in rows.iter().enumerate() {
        let shown = if here[index].starts_with("error: ") { "error" } else { &here[index] };
        if shown != expected_here {
            let _ = writeln!(wrong, "{expression} is {} here", here[index]);
        }
        if let Some(there) = &there
            && there[index] != *expected_there
        {
            let _ = writeln!(wrong, "{expression} is {} there", there[index]);
        }
        if expected_there == expected_here {
            let _ = writeln!(wrong, "{expression} is the same here and there");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_documented_differences_from_common_lisp_are_those() {
    check_page("common-lisp.md", sbcl);
}

#[test]
fn the_documented_differences_from_scheme_are_those() {
    check_page("scheme.md", |expressions| guile(expressions, &["scheme"]));
}
