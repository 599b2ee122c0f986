//! `parallel-map`: calls in several threads, each with an engine of its own.
//!
//! Results and output come in the order of the items. No more calls run at a time than `:at-most`
//! allows, connections that a call leaves open are closed, and an interrupt or a time limit ends
//! every call and leaves no thread behind.

use postoffice::api::{self, Equip, State};
use postoffice::api::{Setup, attach};
use postoffice::condition::{Condition, Identifier};
use postoffice::host::{self, Host, Options, Report, TimeLimit};
use postoffice::lisp::printer;
use postoffice::transport::Connector;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

struct Session {
    host: Host,
    /// Output and warnings in the order in which they were written.
    output: Arc<Mutex<String>>,
    state: Arc<State>,
}

fn options(output: &Arc<Mutex<String>>) -> Options {
    let (written, warned) = (output.clone(), output.clone());
    Options {
        arguments: vec!["first".into()],
        output: Box::new(move |text| {
            written.lock().unwrap().push_str(text);
            Ok(())
        }),
        warnings: Box::new(move |condition| {
            warned.lock().unwrap().push_str(&format!("[{condition}]"))
        }),
        ..Options::default()
    }
}

/// A host whose connections go to a sandbox.
fn sandboxed() -> Session {
    let output = Arc::default();
    let mut host = Host::new(options(&output));
    let setup =
        Setup::sandboxed(postoffice::sandbox::Options { accept_any: true, ..Default::default() })
            .unwrap();
    let state = attach(&mut host, &setup);
    Session { host, output, state }
}

/// A host that connects to real ports on this machine. `equip` runs for each of its worker hosts.
fn equipped(equip: impl Fn(&mut Host) + Send + Sync + 'static) -> Session {
    let output = Arc::default();
    let mut host = Host::new(options(&output));
    let context = Arc::downgrade(host.context());
    let interrupt =
        Arc::new(move || context.upgrade().is_some_and(|context| context.interrupted()));
    let mut state =
        State::new(Connector { interrupt: Some(interrupt), ..Connector::default() }, None);
    state.for_workers = Some(Arc::new(equip) as Equip);
    api::register(&mut host, state);
    let state = host.context().try_state().unwrap();
    Session { host, output, state }
}

impl Session {
    fn run(&mut self, source: &str) -> Result<String, Box<Report>> {
        let value = self.host.evaluate(source, "script").map_err(Box::new)?;
        Ok(printer::readably(&self.host.datum(&value)))
    }

    fn shows(&mut self, source: &str) -> String {
        self.run(source).unwrap_or_else(|report| match report.condition.identifier {
            Identifier::ProgramError => report.condition.message,
            identifier => format!("{} [:{}]", report.condition.message, identifier.name()),
        })
    }

    fn output(&self) -> String {
        std::mem::take(&mut *self.output.lock().unwrap())
    }
}

/// Checks a table of forms and their printed values. Each form gets a new host.
#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (source, expected) in table {
        assert_eq!(sandboxed().shows(source), *expected, "{source}");
    }
}

#[test]
fn results_come_in_the_order_of_the_items() {
    check(&[
        ("(parallel-map (lambda (x) (* x x)) '(1 2 3 4 5))", "(1 4 9 16 25)"),
        ("(parallel-map (lambda (x) (* x x)) '(1 2 3 4 5) :at-most 1)", "(1 4 9 16 25)"),
        ("(parallel-map (lambda (x) (* x x)) '(1 2 3 4 5) :at-most 200)", "(1 4 9 16 25)"),
        ("(parallel-map #'length '((1) \"ab\" ()))", "(1 2 0)"),
        ("(parallel-map 'length '((1) \"ab\"))", "(1 2)"),
        ("(parallel-map length '((1) \"ab\"))", "(1 2)"),
        ("(defun double (x) (* 2 x)) (parallel-map double '(1 2))", "(2 4)"),
        ("(parallel-map #'(lambda (x) (list x)) '(1))", "((1))"),
        ("(parallel-map (lambda (x) (command-line)) '(1))", "((\"first\"))"),
        ("(parallel-map (lambda (x) (values x 5)) '(1))", "(1)"),
        ("(parallel-map length nil)", "nil"),
        (
            "(defstruct point x (y 2)) (let* ((p (make-point :x 1)) (made (parallel-map (lambda (p) (incf (point-x p) 10) p) (list p)))) (list p made (point-p (car made))))",
            "(#S(point :x 1 :y 2) (#S(point :x 11 :y 2)) t)",
        ),
    ]);
    let mut session = sandboxed();
    session.host.define("given", host::list(vec![host::string("by the program")]));
    assert_eq!(
        session.shows("(parallel-map (lambda (x) (list x given)) '(1))"),
        "((1 (\"by the program\")))"
    );
    let many =
        session.run("(equal (parallel-map (lambda (x) x) (range 0 300)) (range 0 300))").unwrap();
    assert_eq!(many, "t");
}

#[test]
fn a_condition_stands_in_the_place_of_its_item() {
    let mut session = sandboxed();
    let results = "(setq results (parallel-map (lambda (x) (case x (2 (error \"no ~a\" x)) (3 (undefined x)) (4 (make-imap-connection 5)) \
                   (5 (exit 3)) (6 (raise 'thing)) (7 (throw 'nowhere 1)) (8 (car 5)) (t x))) '(1 2 3 4 5 6 7 8 9)))";
    assert_eq!(
        session.shows(&format!("{results} (mapcar #'error? results)")),
        "(nil t t t t t t t nil)"
    );
    assert_eq!(
        session.shows("(mapcar #'po-condition? results)"),
        "(nil nil nil t t nil nil nil nil)"
    );
    let messages =
        session.shows("(mapcar (lambda (x) (if (error? x) (error-message x) x)) results)");
    assert_eq!(
        messages,
        "(1 \"no 2\" \"the function undefined is not defined\" \"make-imap-connection: host: expected a host name, or a list (\\\"host\\\" :port 993 :ssl t), got 5\" \
         \"parallel-map: exit cannot be called within it\" \"raised: thing\" \"throw: there is no catch for nowhere\" \
         \"car: expected a list or pair, got 5\" 9)"
    );
}

#[test]
fn functions_macros_and_data_of_the_script_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = folder.path().join("lib.scm");
    std::fs::write(&loaded, "(defvar *base* 100)\n(defun from-file (x) (+ *base* (helper x)))\n(defun helper (x) (* 3 x))\n").unwrap();
    let load = format!("(load {:?}) (parallel-map from-file '(1))", loaded.to_str().unwrap());
    check(&[
        (&load, "(103)"),
        ("(define (f x) (g x)) (define g (lambda (x) (list 'g x))) (parallel-map f '(1))", "((g 1))"),
        ("(setq f (lambda (x) (if x 'yes 'no))) (parallel-map f '(1 nil))", "(yes no)"),
        ("(defparameter f #'length) (parallel-map f '((1)))", "(1)"),
        ("(defmacro twice (x) `(list ,x ,x)) (parallel-map (lambda (x) (twice x)) '(1))", "((1 1))"),
        ("(define-syntax twice (syntax-rules () ((_ x) (list x x)))) (parallel-map (lambda (x) (twice x)) '(1))", "((1 1))"),
        ("(defmacro square-function (name) `(defun ,name (x) (* x x))) (square-function sq) (parallel-map sq '(3))", "(9)"),
        ("(defvar *n* 0) (progn (incf *n*) (defun f (x) (list x *n*))) (parallel-map f '(1))", "((1 1))"),
        ("(defun f (x) 'old) (setq a (parallel-map f '(1))) (defun f (x) 'new) (list a (parallel-map f '(1)))", "((old) (new))"),
        ("(defun run () (parallel-map (lambda (x) (list x *late*)) '(1))) (setq *late* 5) (setq a (run)) (setq *late* 6) (list a (run))", "(((1 5)) ((1 6)))"),
        ("(setq list '(1 2)) (parallel-map (lambda (x) list) '(1))", "((1 2))"),
        ("(setq n 1) (list (parallel-map (lambda (x) (setq n (+ n x))) '(5)) n)", "((6) 1)"),
        ("(define-values (a b) (values 1 2)) (parallel-map (lambda (x) (list a b)) '(1))", "((1 2))"),
        (
            "(defvar *all* (list 1 1.5 1/3 \"s\" 'sym :key #\\a t nil '(1 . 2) (vector 1 2) (bytevector 1 2) 123456789012345678901234567890))
             (parallel-map (lambda (x) *all*) '(1))",
            "((1 1.5 1/3 \"s\" sym :key #\\a t nil (1 . 2) #(1 2) #u8(1 2) 123456789012345678901234567890))",
        ),
        (
            "(defvar *table* (make-hash-table :test 'equal)) (setf (gethash \"k\" *table*) '(1))
             (list (parallel-map (lambda (x) (setf (gethash \"k\" *table*) x) (list (gethash \"k\" *table*) *table*)) '(5)) (gethash \"k\" *table*))",
            "(((5 #<hash-table 1>)) (1))",
        ),
        ("(defvar *pair* (cons 1 2)) (defvar *flag* #f) (parallel-map (lambda (x) (list *pair* *flag*)) '(1))", "(((1 . 2) nil))"),
        ("(setq a (let ((k 1)) (lambda () k))) (setq b #'a) (defun c (x) (list x)) (parallel-map c '(1))", "((1))"),
        ("(defvar *bytes* (bytevector 1)) (parallel-map (lambda (x) (bytes-set! *bytes* 0 x) *bytes*) '(5 6)) *bytes*", "#u8(1)"),
    ]);
}

#[test]
fn what_is_not_seen_is_named() {
    let unseen = "parallel-map: f: k is not seen in parallel-map: only top-level definitions are [:syntax-error]";
    let expected = "parallel-map: f: expected a lambda form or the name of a function, got";
    check(&[
        ("(let ((k 1)) (parallel-map (lambda (x) (+ x k)) '(1)))", unseen),
        ("(setq k 1) (let ((k 2)) (parallel-map (lambda (x) (+ x k)) '(1)))", unseen),
        ("(let ((k 1)) (parallel-map (lambda (x) (setq k x)) '(1)))", unseen),
        ("(defun run (k) (parallel-map k '(1))) (run #'list)", unseen),
        ("(flet ((k (x) x)) (parallel-map #'k '(1)))", unseen),
        ("(let ((k 1)) (parallel-map (lambda (x) (let ((k x)) k)) '(1)))", "(1)"),
        ("(let ((k 1)) (parallel-map (lambda (x) 'k) '(1)))", "(k)"),
        ("(parallel-map (make-f 1) '(1))", &format!("{expected} (make-f …) [:syntax-error]")),
        ("(parallel-map 5 '(1))", &format!("{expected} 5 [:syntax-error]")),
        ("(setq n 5) (parallel-map n '(1))", &format!("{expected} 5 [:syntax-error]")),
        (
            "(parallel-map nothing '(1))",
            "parallel-map: f: the function nothing is not defined [:syntax-error]",
        ),
        ("(parallel-map length 5)", "parallel-map: items: expected a list, got 5 [:syntax-error]"),
        (
            "(parallel-map length (list 1 length))",
            "parallel-map: items: expected data, but item 2 holds a function [:syntax-error]",
        ),
        (
            "(parallel-map length '((1)) :at-most 0)",
            "parallel-map: :at-most: expected a whole number from 1 to 200, got 0 [:syntax-error]",
        ),
        (
            "(parallel-map length '((1)) :most 1)",
            "parallel-map: malformed: expected (parallel-map f items &key at-most)",
        ),
        (
            "(setq f (let ((k 1)) (lambda (x) k))) (parallel-map f '(1))",
            "parallel-map: f: f is not seen in parallel-map: it holds a function that no form at top level defines [:syntax-error]",
        ),
        (
            "(setq all (list 1 car)) (parallel-map (lambda (x) all) '(1))",
            "(#<error \"all is not seen in parallel-map: it holds a function, which is no data\">)",
        ),
        (
            "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"p\")) (parallel-map (lambda (x) (mailbox-name mb)) '(1))",
            "(#<error \"mb is not seen in parallel-map: it holds #<mailbox::imap-mailbox>, which is no data\">)",
        ),
        (
            "(parallel-map (lambda (x) (parallel-map length '((1)))) '(1))",
            "(#<po-error :syntax-error \"parallel-map: it cannot be called within another parallel-map\">)",
        ),
    ]);
}

#[test]
fn a_result_that_is_no_data_is_a_condition() {
    let holds = |what: &str| {
        format!(
            "(#<po-error :syntax-error \"parallel-map: expected data as the result, but it holds {what}\">)"
        )
    };
    let itself = holds("more than 500 lists within one another, or one that holds itself");
    check(&[
        ("(parallel-map (lambda (x) (lambda () x)) '(1))", &holds("a function")),
        ("(parallel-map (lambda (x) (list 1 (list car))) '(1))", &holds("a function")),
        (
            "(parallel-map (lambda (x) (make-imap-connection \"h\" :user \"u\" :password \"p\")) '(1))",
            &holds("#<mailbox::imap-mailbox>"),
        ),
        (
            "(parallel-map (lambda (x) (let ((v (make-vector 1 0))) (vector-set! v 0 v) v)) '(1))",
            &itself,
        ),
        (
            "(parallel-map (lambda (x) (let ((h (make-hash-table))) (setf (gethash 1 h) h) h)) '(1))",
            &itself,
        ),
        (
            "(error? (second (first (parallel-map (lambda (x) (list x (ignore-errors 1) (handler-case (error \"x\") (error (c) c)))) '(1)))))",
            "nil",
        ),
        (
            "(error? (second (first (parallel-map (lambda (x) (list x (handler-case (error \"x\") (error (c) c)))) '(1)))))",
            "t",
        ),
    ]);
}

#[test]
fn output_comes_in_the_order_of_the_items() {
    // The calls finish in reverse order of their items.
    let ready = Arc::new((Mutex::new(4), std::sync::Condvar::new()));
    let mut session = equipped(move |host| {
        let ready = ready.clone();
        host.register_fn(
            "my-turn",
            "(number)",
            "Waits until those behind have had their turn.",
            move |call| {
                let number = call.integer(0, 1..=4)?;
                let mut next = ready.0.lock().unwrap();
                while *next != number {
                    next = ready.1.wait(next).unwrap();
                }
                *next -= 1;
                ready.1.notify_all();
                Ok(host::nil())
            },
        );
    });
    let form = "(parallel-map (lambda (x) (format t \"item ~a\" x) (my-turn x) (warn \"warning ~a\" x) (terpri)) '(1 2 3 4) :at-most 4)";
    assert_eq!(session.shows(form), "(nil nil nil nil)");
    let expected: String =
        (1..=4).map(|number| format!("item {number}[warning {number}]\n")).collect();
    assert_eq!(session.output(), expected);
}

#[test]
fn passwords_that_a_call_used_are_masked_everywhere() {
    let mut session = sandboxed();
    let form =
        "(parallel-map (lambda (account) (make-imap-connection \"h\" :user \"u\" :password (string-append account \"-4711\")) account)
                 '(\"Blauer-Hirsch\"))";
    session.run(form).unwrap();
    let report =
        session.run("(error (string-append \"it was Blauer-Hirsch\" \"-4711\"))").unwrap_err();
    assert_eq!(report.condition.message, "it was #<secret>");
}

#[test]
fn deep_recursion_and_deep_data_are_survived() {
    check(&[
        (
            "(defun depth (n) (if (= n 0) 0 (+ 1 (depth (- n 1))))) (parallel-map depth '(10 100000))",
            "(10 100000)",
        ),
        (
            "(defun endless (x) (+ 1 (endless x))) (parallel-map endless '(1))",
            "(#<error \"more than 1000000 calls within one another: a recursion without an end?\">)",
        ),
        (
            "(parallel-map (lambda (n) (let ((x nil)) (dotimes (i n) (setq x (list x))) (length x))) '(10 20000))",
            "(1 1)",
        ),
        (
            &format!(
                "(parallel-map (lambda (x) {}1{}) '(1))",
                "(list ".repeat(300),
                ")".repeat(300)
            ),
            "forms are nested more than 160 deep, counting what macros expand to",
        ),
    ]);
}

#[test]
fn a_panic_is_the_error_of_its_item() {
    let mut session = equipped(|host| {
        host.register_fn("panic", "()", "Panics.", |_| panic!("out of order"));
    });
    let form = "(parallel-map (lambda (x) (if (= x 2) (panic) x)) '(1 2 3) :at-most 1)";
    assert_eq!(session.shows(form), "(1 #<error \"internal error in panic: out of order\"> 3)");
    let mut session = equipped(|_| panic!("no worker"));
    assert_eq!(
        session.shows("(parallel-map length '((1)))"),
        "parallel-map: internal error: no worker"
    );
    assert_eq!(session.shows("(+ 1 2)"), "3");
}

/// A server with just enough IMAP to log in and out. It counts its connections, and answers logins
/// only in groups of `together`.
struct Counting {
    address: SocketAddr,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Counting {
    fn start(together: usize) -> Counting {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (now, most, gate) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Barrier::new(together)),
        );
        let (counting, counted) = (now.clone(), most.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (now, most, gate) = (counting.clone(), counted.clone(), gate.clone());
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::spawn(move || converse(&stream.unwrap(), &now, &gate));
            }
        });
        Counting { address, now, most }
    }
}

fn converse(mut stream: &TcpStream, now: &AtomicUsize, gate: &Barrier) {
    stream.write_all(b"* OK [CAPABILITY IMAP4rev1] hello\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next() {
        let mut words = line.split(' ');
        let (tag, command) =
            (words.next().unwrap_or(""), words.next().unwrap_or("").to_uppercase());
        let before = match command.as_str() {
            "LOGIN" => {
                gate.wait();
                ""
            }
            "LIST" => "* LIST () \"/\" \"\"\r\n",
            "LOGOUT" => {
                // Decrement before answering, because the client may open its next connection right
                // after.
                now.fetch_sub(1, Ordering::SeqCst);
                "* BYE\r\n"
            }
            _ => "",
        };
        if stream.write_all(format!("{before}{tag} OK done\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn as_many_run_at_once_as_are_allowed_and_no_more() {
    let server = Counting::start(3);
    let mut session = equipped(|_| {});
    let form = format!(
        "(parallel-map (lambda (n) (with-imap-connection (mb \"127.0.0.1\" :port {} :user \"u\" :password \"p\") n)) '(1 2 3 4 5 6) :at-most 3)",
        server.address.port()
    );
    assert_eq!(session.shows(&form), "(1 2 3 4 5 6)");
    assert_eq!(server.most.load(Ordering::SeqCst), 3);
}

#[test]
fn connections_that_are_left_open_are_closed() {
    let server = Counting::start(3);
    let mut session = equipped(|_| {});
    let form = format!(
        "(parallel-map (lambda (n) (setq mb (make-imap-connection \"127.0.0.1\" :port {} :user \"u\" :password \"p\")) n) '(1 2 3))",
        server.address.port()
    );
    assert_eq!(session.shows(&form), "(1 2 3)");
    assert_eq!(server.now.load(Ordering::SeqCst), 0, "each was logged out of");
    session.state.close_all();
}

/// Lives in a worker's thread and counts it out when the thread ends.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

thread_local! {
    static ALIVE: std::cell::RefCell<Option<Alive>> = const { std::cell::RefCell::new(None) };
}

/// A host whose worker threads are counted. Scripts report with `(arrive)` that a call runs, and
/// with `(clean)` that it was cleaned up. Returns the session, the number of live threads, the
/// receiver of arrivals and the number of clean-ups.
fn watched() -> (Session, Arc<AtomicUsize>, mpsc::Receiver<()>, Arc<AtomicUsize>) {
    let (alive, cleaned) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (sender, arrived) = mpsc::channel();
    let (living, cleaning) = (alive.clone(), cleaned.clone());
    let session = equipped(move |host| {
        living.fetch_add(1, Ordering::SeqCst);
        ALIVE.set(Some(Alive(living.clone())));
        let (sender, cleaning) = (sender.clone(), cleaning.clone());
        host.register_fn("arrive", "()", "Tells that a call runs.", move |_| {
            sender.send(()).map_err(|_| Condition::new(Identifier::Unexpected, "nobody waits"))?;
            Ok(host::nil())
        });
        host.register_fn("clean", "()", "Tells that it was cleaned up.", move |_| {
            cleaning.fetch_add(1, Ordering::SeqCst);
            Ok(host::nil())
        });
    });
    (session, alive, arrived, cleaned)
}

/// Interrupts a host once `count` calls have arrived.
fn interrupt_after(
    session: &Session,
    arrived: mpsc::Receiver<()>,
    count: usize,
) -> std::thread::JoinHandle<()> {
    let interrupter = session.host.interrupter();
    std::thread::spawn(move || {
        assert_eq!(arrived.iter().take(count).count(), count);
        interrupter.interrupt();
    })
}

#[test]
fn an_interrupt_ends_every_call_and_leaves_no_thread() {
    for call in ["(loop)", "(sleep 100000)", "(let next () (next))"] {
        let (mut session, alive, arrived, cleaned) = watched();
        let interrupting = interrupt_after(&session, arrived, 3);
        let form = format!(
            "(parallel-map (lambda (x) (unwind-protect (progn (arrive) {call}) (clean))) '(1 2 3 4 5) :at-most 3)"
        );
        let report = session.run(&form).unwrap_err();
        assert!(report.interrupted, "{call}: {report}");
        assert_eq!(
            (alive.load(Ordering::SeqCst), cleaned.load(Ordering::SeqCst)),
            (0, 3),
            "{call}"
        );
        interrupting.join().unwrap();
        assert_eq!(session.shows("(+ 1 2)"), "3");
        assert_eq!(session.shows("(parallel-map length '((1)))"), "(1)");
    }
}

#[test]
fn an_interrupt_closes_connections_whose_servers_are_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, arrived) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let streams: Vec<TcpStream> = (0..3).map(|_| listener.accept().unwrap().0).collect();
        streams.iter().for_each(|_| sender.send(()).unwrap());
        // Reading ends because the client closes its end.
        streams
            .into_iter()
            .map(|mut stream| stream.read_to_end(&mut Vec::new()).unwrap())
            .collect::<Vec<_>>()
    });
    let (mut session, alive, _, _) = watched();
    let interrupting = interrupt_after(&session, arrived, 3);
    let form = format!(
        "(parallel-map (lambda (x) (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\")) '(1 2 3))"
    );
    let report = session.run(&form).unwrap_err();
    assert!(report.interrupted, "{report}");
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!(server.join().unwrap(), [0, 0, 0]);
    interrupting.join().unwrap();
}

#[test]
fn a_limit_of_time_holds_for_all_threads() {
    for call in ["(loop)", "(unwind-protect (loop) (loop))"] {
        let (mut session, alive, _arrived, _) = watched();
        let limit = TimeLimit::start(&session.host, Duration::from_millis(300)).unwrap();
        let report =
            session.run(&format!("(parallel-map (lambda (x) {call}) '(1 2 3))")).unwrap_err();
        assert!(report.interrupted && limit.is_over(), "{call}: {report}");
        assert_eq!(alive.load(Ordering::SeqCst), 0, "{call}");
    }
}

#[test]
fn accounts_that_the_script_has_defined_are_known() {
    let mut session = sandboxed();
    let shown = session.shows(
        "(define-account one :host \"a.example\" :user \"one\" :password (lambda () \"x\"))
         (define-account two :host \"b.example\" :user \"two\" :password \"y\")
         (parallel-map (lambda (name) (with-account (mb name) (select-mailbox mb \"inbox\") (list name (mailbox-message-count mb)))) (accounts))",
    );
    assert_eq!(shown, "((one 7) (two 7))");
}
