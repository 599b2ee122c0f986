//! Differential tests: generated expressions are evaluated here and in SBCL, and must give the same
//! printed value, or an error in both.
//!
//! The generator leaves out what is different on purpose. Those differences stand in
//! `docs/common-lisp.md`, with an expression for each; `the_documented_differences_are_those` evaluates
//! them in both as well. `POSTOFFICE_SEED=N` makes other expressions.

mod expressions;

use crate::common_lisp::Language;
use expressions::CommonLisp;
pub use expressions::Random;
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

/// The values that SBCL prints, one for each expression.
fn sbcl(expressions: &[String]) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let (program, input) = (folder.path().join("run.lisp"), folder.path().join("expressions"));
    std::fs::write(&program, SBCL).unwrap();
    std::fs::write(&input, expressions.join("\n")).unwrap();
    let output = Command::new("sbcl").arg("--script").arg(&program).arg(&input).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var("POSTOFFICE_REAL_SERVERS").is_err(), "sbcl: {error}");
            return None;
        }
    };
    let values: Vec<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(values.len(), expressions.len(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(values)
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

#[test]
fn expressions_have_the_values_of_common_lisp() {
    let seed = std::env::var("POSTOFFICE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut generator = CommonLisp::new(seed);
    let expressions: Vec<String> = (0..2000).map(|_| generator.expression()).collect();
    let Some(theirs) = sbcl(&expressions) else { return };
    let mut differences = String::new();
    for ((expression, theirs), ours) in expressions.iter().zip(&theirs).zip(ours(&expressions)) {
        let both_fail = theirs == "error" && ours.starts_with("error: ");
        if !both_fail && !alike(theirs, &ours) {
            let _ = writeln!(differences, "{expression}\n  SBCL: {theirs}\n  here: {ours}");
        }
    }
    assert!(differences.is_empty(), "seed {seed}:\n{differences}");
}

/// Returns the rows of the table of differences: expression, value there, value here.
fn documented() -> Vec<[String; 3]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/common-lisp.md");
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

#[test]
fn the_documented_differences_are_those() {
    let rows = documented();
    assert!(rows.len() > 10);
    let expressions: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    let here = ours(&expressions);
    let there = sbcl(&expressions);
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
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
