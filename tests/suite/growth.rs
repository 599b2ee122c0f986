//! Long-running programs do not grow.
//!
//! Each program repeats a form in a process of its own and reads its resident memory from Linux,
//! after a first part and at the end. The suite runs a small part of the rounds, and its bound is 100
//! bytes per round. That is enough: what stays takes 300 bytes a round and more, while the collector
//! gives back at most 600 KB of the first part meanwhile. `scripts/dev/soak` runs all rounds with a
//! release build; the bound is then 10 MB.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Defines `(resident)` and `(peak)`, in KB.
const MEMORY: &str = r#"
(defun memory (name)
  (with-open-file (f "/proc/self/status")
    (let ((found nil))
      (dotimes (i 30)
        (let ((line (read-line f)))
          (when (and (not found) (search name line))
            (setq found (parse-integer (remove-if-not #'digit-char-p line))))))
      found)))
(defun resident () (memory "VmRSS:"))
(defun peak () (memory "VmHWM:"))
"#;

/// The bound of a full run, in KB.
const BOUND: i64 = 10_000;

/// A form to repeat.
struct Program {
    name: &'static str,
    options: &'static [&'static str],
    setup: &'static str,
    form: &'static str,
    /// The rounds of a full run, and of the suite.
    rounds: [u64; 2],
}

const fn language(name: &'static str, form: &'static str) -> Program {
    Program { name, options: &[], setup: "", form, rounds: [1_000_000, 4_000] }
}

const LANGUAGE: &[Program] = &[
    language("dotimes", "(dotimes (k 3) k)"),
    language("dolist", "(let ((l '())) (dolist (x '(1 2 3)) (push x l)) l)"),
    language("do", "(do ((k 0 (+ k 1))) ((= k 3)))"),
    language("do*", "(do* ((k 0 (+ k 1)) (l nil (cons k l))) ((= k 3) l))"),
    language("while", "(let ((k 0)) (while (< k 3) (incf k)))"),
    language("loop collect", "(setq v (loop for k below 3 collect k))"),
    language("loop push", "(let ((l '())) (loop for k below 3 do (push k l)) l)"),
    language(
        "nested loops",
        "(let ((n 0)) (dotimes (k 3) (dotimes (j 2) (incf n)) (dolist (x '(1 2)) (incf n x))) n)",
    ),
    language("append in a loop", "(let ((l '())) (dotimes (k 3) (setq l (append l (list k)))) l)"),
    language(
        "function made in a loop",
        "(let ((l '())) (dolist (x '(1 2 3)) (push (lambda () x) l)) (funcall (first l)))",
    ),
    language("mapcar", "(mapcar (lambda (x) (+ x 1)) '(1 2 3))"),
    language("maphash", "(let ((n 0)) (maphash (lambda (k v) (incf n v)) h) n)"),
    language("named let", "(let next ((k 0)) (if (< k 3) (next (+ k 1)) k))"),
    language(
        "labels",
        "(labels ((even (n) (if (= n 0) t (odd (- n 1)))) (odd (n) (if (= n 0) nil (even (- n 1))))) (even 3))",
    ),
    language(
        "inner define",
        "(let () (define (even n) (if (= n 0) t (odd (- n 1)))) (define (odd n) (if (= n 0) nil (even (- n 1)))) (even 3))",
    ),
    language("captured", "(let ((n 0)) (let ((f (lambda () (incf n)))) (funcall f) n))"),
    language("with-output-to-string", "(with-output-to-string (s) (princ \"abc\" s))"),
    language("format", "(format nil \"~a ~s ~5d\" \"abc\" :x 17)"),
    language("multiple-value-bind", "(multiple-value-bind (q r) (floor 17 5) (+ q r))"),
    language("hash table", "(progn (setf (gethash 1 h) \"x\") (clrhash h))"),
    language("new hash table", "(let ((h (make-hash-table))) (setf (gethash 1 h) \"x\") h)"),
    language(
        "eval",
        "(eval `(setq v (list ,(random 1000) ,(format nil \"~a\" (random 1000)) 'x)))",
    ),
    language("eval of a function", "(eval `(mapcar (lambda (x) (+ x ,(random 1000))) '(1 2 3)))"),
    language("read-from-string", "(read-from-string (format nil \"(a ~a :b)\" (random 1000)))"),
    language("unwind-protect", "(unwind-protect 1 2)"),
    language("dynamic-wind", "(dynamic-wind (lambda () nil) (lambda () 1) (lambda () nil))"),
    language("dynamic variable", "(let ((*standard-output* *standard-output*)) 1)"),
    language("with-simple-restart", "(with-simple-restart (skip \"x\") 1)"),
    language("handler-case", "(let ((n 0)) (handler-case (incf n) (error (c) nil)))"),
    language("handler-case, error", "(handler-case (error \"no ~a\" 1) (error (c) (setq v c)))"),
    language(
        "handler-bind",
        "(handler-case (handler-bind ((error (lambda (c) (setq v c)))) (error \"x\")) (error (c) nil))",
    ),
    language("ignore-errors", "(ignore-errors (car 5))"),
    language("unwind-protect, error", "(ignore-errors (unwind-protect (error \"x\") (setq v 2)))"),
    language("with-timeout", "(with-timeout (60) 1)"),
    language("with-timeout, late", "(with-timeout (0 1) (unwind-protect (loop) (setq v 2)))"),
    language("catch", "(catch 'done (throw 'done 1))"),
    language(
        "loop of many clauses",
        "(loop for x in '(1 2) for y = (* x x) sum y into s maximize x finally (return s))",
    ),
    language("dolist, return", "(dolist (x '(1 2 3)) (when (= x 2) (return x)))"),
    language("tagbody", "(let ((k 0)) (tagbody again (incf k) (when (< k 3) (go again))) k)"),
    language("call/cc", "(call/cc (lambda (k) (k 1)))"),
    language("guard", "(guard (e (t nil)) (raise 'x))"),
    language("warn", "(handler-case (warn \"x\") (warning () nil))"),
    language(
        "restart-case",
        "(handler-bind ((error (lambda (c) (invoke-restart 'skip)))) (restart-case (error \"x\") (skip () nil)))",
    ),
    language("with-open-file", "(with-open-file (f \"/dev/null\") (read-line f nil))"),
    language("loop while", "(let ((k 0)) (loop while (< k 3) do (incf k)) k)"),
    language("loop across", "(loop for x across #(1 2 3) sum x)"),
    language("loop over a table", "(loop for k being the hash-keys of h collect k)"),
    language("prog", "(prog ((k 0)) again (incf k) (when (< k 3) (go again)) (return k))"),
    language("for-each", "(let ((n 0)) (for-each (lambda (x) (incf n x)) '(1 2 3)) n)"),
    language("sort", "(sort (list 3 1 2) (lambda (a b) (< a b)))"),
    language(
        "handler-case in a loop",
        "(dolist (x '(1 0 2)) (handler-case (/ 1 x) (division-by-zero () nil)))",
    ),
    language("cerror", "(handler-bind ((error (lambda (c) (continue c)))) (cerror \"on\" \"x\"))"),
    language("assert", "(ignore-errors (assert (= 1 2)))"),
    language("block", "(block b (dolist (x '(1 2 3)) (when (= x 2) (return-from b x))))"),
];

const IMAP: &str = r#"(setq c (make-imap-connection "mail.example.org" :user "u" :password "p"))"#;

const MAIL: &[Program] = &[
    Program {
        name: "180 envelopes",
        options: &["--sandbox", "--mail", "LETTERS"],
        setup: r#"(setq c (make-imap-connection "mail.example.org" :user "u" :password "p"))
                  (select-mailbox c "inbox")"#,
        form: r#"(assert (= 180 (length (fetch-parts c '(:seq 1 :*) "envelope"))))"#,
        rounds: [5_000, 100],
    },
    Program {
        name: "IMAP connections",
        options: &["--sandbox"],
        setup: "",
        form: r#"(with-imap-connection (c "mail.example.org" :user "u" :password "p") (noop c))"#,
        rounds: [10_000, 150],
    },
    Program {
        name: "POP connections",
        options: &["--sandbox"],
        setup: "",
        form: r#"(with-pop-connection (c "mail.example.org" :user "u" :password "p") (mailbox-message-count c))"#,
        rounds: [2_000, 150],
    },
    Program {
        name: "SMTP connections",
        options: &["--sandbox"],
        setup: "",
        form: r#"(with-smtp-connection (c "mail.example.org") nil)"#,
        rounds: [2_000, 150],
    },
    Program {
        name: "errors of the server",
        options: &["--sandbox"],
        setup: IMAP,
        form: r#"(assert (eq :missing (handler-case (select-mailbox c "nope") (po-error (e) :missing))))"#,
        rounds: [10_000, 1_000],
    },
];

/// The resident memory in KB: before the first part, after it, and at the end; and the peak.
type Figures = [i64; 4];

/// Runs the command. `POSTOFFICE_BUILD` names another build of it.
fn command() -> Command {
    let built = env!("CARGO_BIN_EXE_postoffice");
    let build = std::env::var_os("POSTOFFICE_BUILD").unwrap_or_else(|| built.into());
    let mut command = Command::new(build);
    command.env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command
}

/// Runs the command with an input and returns the figures that it prints in lines that begin with
/// `memory`.
fn figures(mut command: Command, name: &str, input: &str) -> Figures {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let typing = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    typing.join().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Vec<i64> = text
        .split("memory ")
        .skip(1)
        .filter_map(|rest| rest.split_whitespace().next()?.parse().ok())
        .collect();
    let found: Figures = found.try_into().unwrap_or_else(|found| {
        let end = text.len().saturating_sub(1_000);
        panic!(
            "{name}: {found:?}\n{}\n{}",
            text.get(end..).unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let [start, first, end, peak] = found;
    eprintln!("| {name} | {start} | {first} | {end} | {peak} |");
    found
}

/// Repeats the program's form; the first part is a tenth.
fn repeat(program: &Program, rounds: u64, folder: &Path) -> Figures {
    let letters = folder.join("letters.mbox");
    let (first, rest) = (rounds / 10, rounds - rounds / 10);
    let Program { setup, form, .. } = program;
    let source = format!(
        "{MEMORY}(setq v nil) (setq h (make-hash-table)) {setup}
        (format t \"memory ~a~%\" (resident))
        (dotimes (round {first}) {form})
        (format t \"memory ~a~%\" (resident))
        (dotimes (round {rest}) {form})
        (format t \"memory ~a~%memory ~a~%\" (resident) (peak))"
    );
    let mut command = command();
    for option in program.options {
        match *option {
            "LETTERS" => command.arg(&letters),
            option => command.arg(option),
        };
    }
    command.args(["run", "-"]);
    figures(command, program.name, &source)
}

fn write_letters(folder: &Path) {
    let mut letters = String::new();
    for number in 0..180 {
        write!(
            letters,
            "From a@b Mon Sep 13 11:36:26 1999\nFrom: Writer {number} <w{number}@example.org>\n\
             To: reader@example.com\nSubject: letter {number}\n\
             Date: Mon, 13 Sep 1999 11:36:26 -0700\nMessage-ID: <{number}@example.org>\n\n\
             text {number}\n\n"
        )
        .unwrap();
    }
    std::fs::write(folder.join("letters.mbox"), letters).unwrap();
}

/// Runs part of the rounds and requires that less than `bytes` per round stay.
#[track_caller]
fn assert_small(programs: &[Program], bytes: u64) {
    let folder = tempfile::tempdir().unwrap();
    write_letters(folder.path());
    for program in programs {
        let rounds = program.rounds[1];
        let [_, first, end, _] = repeat(program, rounds, folder.path());
        let bound = (rounds * bytes / 1_000) as i64;
        assert!(end - first < bound, "{}: grew by {} KB", program.name, end - first);
    }
}

#[test]
fn loops_and_handlers_leave_nothing_behind() {
    assert_small(LANGUAGE, 100);
}

#[test]
fn polls_and_connections_leave_nothing_behind() {
    // Fewer rounds with a coarser bound, because each takes long: a poll is 180 envelopes.
    assert_small(&MAIL[..1], 10_000);
    assert_small(&MAIL[1..4], 5_000);
    assert_small(&MAIL[4..], 600);
}

/// Calls `parallel-map` with one list of items. Worker 1 of 2 reports.
fn map_in_parallel(items: u64) -> Figures {
    let source = format!(
        "{MEMORY}(defun work (x)
           (when (or (= x 0) (= x {}) (= x {last})) (format t \"memory ~a~%\" (resident)))
           (when (= x {last}) (format t \"memory ~a~%\" (peak)))
           x)
         (length (parallel-map #'work (loop for k to {last} collect k) :at-most 2))",
        items / 10,
        last = items - 1
    );
    let mut command = command();
    command.args(["run", "-"]);
    figures(command, "parallel-map", &source)
}

#[test]
fn items_of_parallel_map_leave_nothing_behind() {
    let [_, first, end, _] = map_in_parallel(5_000);
    // The results themselves take some bytes each.
    assert!(end - first < 2_000, "grew by {} KB", end - first);
}

/// Types forms at the prompt: definitions that replace one another, calls, and errors.
fn type_forms(count: u64) -> Figures {
    let memory = |function: &str| format!("(format t \"memory ~a~%\" ({function}))\n");
    let mut input = format!("{MEMORY}{}", memory("resident"));
    for number in 0..count {
        let form = match number % 12 {
            0 => format!("(defun f (x) (+ x {number}))"),
            1 => format!("(f {number})"),
            2 => format!("(setq v (list {number} 2 3))"),
            3 => format!("(car {number})"),
            4 => "(defmacro m (x) `(+ ,x 1))".to_owned(),
            5 => format!("(m {number})"),
            6 => format!("(error \"no ~a\" {number})"),
            7 => format!("(let ((a 1)) (list a \"text {number}\"))"),
            8 => "(loop for k below 3 collect k)".to_owned(),
            9 => format!("(f 1 2 {number})"),
            10 => format!("(setq g (lambda () {number}))"),
            _ => format!("(length \"text {number}\""),
        };
        input.push_str(&form);
        input.push_str(if number % 12 == 11 { "\n)\n" } else { "\n" });
        if number + 1 == count / 10 {
            input.push_str(&memory("resident"));
        }
    }
    input.push_str(&memory("resident"));
    input.push_str(&memory("peak"));
    let mut command = command();
    command.args(["--quiet", "--no-init"]);
    figures(command, "forms at the prompt", &input)
}

#[test]
fn forms_at_the_prompt_leave_little_behind() {
    let [_, first, end, _] = type_forms(2_000);
    // A form leaves 1.4 KB: what the interpreter compiled it to.
    assert!(end - first < 1_800 * 2, "grew by {} KB", end - first);
}

#[test]
#[ignore = "takes long; scripts/dev/soak runs it"]
fn all_rounds_stay_below_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    write_letters(folder.path());
    eprintln!("| program | start | first tenth | end | peak (KB) |\n|---|---|---|---|---|");
    let mut grown = Vec::new();
    let mut note = |name: &'static str, figures: Figures| {
        if figures[2] - figures[1] >= BOUND {
            grown.push((name, figures));
        }
    };
    for program in LANGUAGE.iter().chain(MAIL) {
        note(program.name, repeat(program, program.rounds[0], folder.path()));
    }
    note("parallel-map", map_in_parallel(100_000));
    note("forms at the prompt", type_forms(10_000));
    assert!(grown.is_empty(), "{grown:?}");
}
