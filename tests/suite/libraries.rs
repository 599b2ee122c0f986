//! Scheme's `import` and `define-library`, with the program's own files.

use postoffice::host::{Host, Options};
use postoffice::lisp::printer::readably;

/// Runs the last of these files, and returns the value of its last form, or the error.
fn run(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (name, text) = files.last().unwrap();
    let mut host = Host::new(Options::default());
    match host.evaluate_file(text, &folder.path().join(name).display().to_string()) {
        Ok(value) => readably(&host.datum(&value)),
        Err(report) => {
            let message = format!("error: {}", report.condition.message);
            message.replace(&folder.path().display().to_string(), "@")
        }
    }
}

const TOOLS: &str = "
    (define-library (my tools)
      (export twice)
      (import (scheme base))
      (begin
        (define-syntax double (syntax-rules () ((_ x) (* 2 x))))
        (define (twice x) (double x))
        (define count 0)
        (set! count (+ count 1))))";

#[test]
fn a_program_imports_its_own_libraries() {
    for (files, shown) in [
        (
            &[("my/tools.sld", TOOLS), ("main.scm", "(import (scheme base) (my tools)) (twice 4)")]
                [..],
            "8",
        ),
        (
            &[("my/tools.scm", TOOLS), ("main.scm", "(import (only (my tools) twice)) (twice 5)")],
            "10",
        ),
        (
            &[
                ("my/tools.sld", TOOLS),
                ("main.scm", "(import (my tools)) (import (except (my tools) count)) count"),
            ],
            "1",
        ),
        (&[("main.scm", &format!("{TOOLS} (import (my tools)) (twice 6)"))], "12"),
        (
            &[
                (
                    "a.scm",
                    "(define-library (a) (import (b)) (export f) (begin (define (f) (g 1))))",
                ),
                ("b.scm", "(define-library (b) (include \"c.scm\"))"),
                ("c.scm", "(define (g x) (list x :c))"),
                ("main.scm", "(import (a)) (f)"),
            ],
            "(1 :c)",
        ),
        (&[("main.scm", "(import (scheme base) (srfi 1) (rnrs)) (first '(1))")], "1"),
        (
            &[("main.scm", "(import (nowhere)) 1")],
            "error: require: @/nowhere: No such file or directory (os error 2)",
        ),
        (
            &[("main.scm", "(import (prefix (my tools) t:)) 1")],
            "error: import: prefix is not supported: a library's names are imported as they are",
        ),
        (
            &[("my/tools.sld", TOOLS), ("main.scm", "(import (my tools)) (twise 4)")],
            "error: the function twise is not defined",
        ),
        (&[("main.lisp", "(import 'foo) (import '(foo bar)) 1")], "1"),
        (
            &[
                ("helper.scm", "(define (help) :helped)"),
                ("main.scm", "(begin (load \"helper.scm\") (help))"),
            ],
            ":helped",
        ),
    ] {
        assert_eq!(run(files), shown, "{files:?}");
    }
}
