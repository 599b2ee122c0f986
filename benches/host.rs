//! Benchmarks of the host: the Lisp reader, starting a session, compiling a long script, and
//! converting a server's answers to Lisp values.
//!
//!     cargo bench --bench host

mod captures;

use captures::{CAPTURES, KINDS, LETTERS};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use postoffice::api::{self, State};
use postoffice::lisp::reader;
use postoffice::repl::Session;
use postoffice::transport::Connector;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

fn main() {
    divan::main();
}

fn script(lines: usize) -> String {
    (0..lines).map(|line| format!("(defun f{line} (x &key (y {line})) (if (> x y) (list :a \"text\" x) (+ y {line})))\n")).collect()
}

fn session() -> Session {
    let mut session = Session::new(Vec::new());
    api::register(session.host(), State::new(Connector::default(), None));
    session
}

#[divan::bench]
fn read_script(bencher: Bencher<'_, '_>) {
    let text = script(10_000);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| reader::read(black_box(&text)).expect("it is well-formed").len());
}

/// The first session of a process takes longer because it builds the interpreter's own tables.
#[divan::bench]
fn start_session(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(1_usize)).bench(|| session().evaluate("1").text());
}

#[divan::bench(args = [1_000, 10_000], sample_count = 10)]
fn compile_script(bencher: Bencher<'_, '_>, lines: usize) {
    let text = script(lines);
    bencher.counter(ItemsCount::new(lines)).with_inputs(session).bench_values(|mut session| {
        assert!(session.host().evaluate(&text, "script").is_ok());
        session
    });
}

/// Starts a server that accepts one connection and answers each FETCH with the same bytes.
fn server(capture: &'static [u8], letters: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"* OK [CAPABILITY IMAP4rev1] hello\r\n")?;
        for line in BufReader::new(stream.try_clone()?).lines() {
            let line = line?;
            let (tag, command) = line.split_once(' ').unwrap_or_default();
            match command.split(' ').next().unwrap_or_default() {
                "SELECT" => write!(stream, "* {letters} EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n")?,
                "FETCH" => stream.write_all(capture)?,
                "LIST" => stream.write_all(b"* LIST () \"/\" \"\"\r\n")?,
                _ => {}
            }
            write!(stream, "{tag} OK done\r\n")?;
        }
        Ok::<(), std::io::Error>(())
    });
    address
}

/// Fetches over loopback; measures from sending the command to the complete list of letters.
#[divan::bench(args = KINDS)]
fn letters_as_values(bencher: Bencher<'_, '_>, kind: &str) {
    let kind = usize::from(kind == KINDS[1]);
    let (capture, letters) = (CAPTURES[kind].as_slice(), LETTERS[kind]);
    let mut session = session();
    let port = server(capture, letters).port();
    let opened = session.evaluate(&format!(
        "(progn (setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"password\")) (select-mailbox mb \"inbox\"))"
    ));
    assert_eq!(opened.text(), "t");
    let parts = ["uid flags rfc822.size envelope", "uid body.peek[]"][kind];
    let form = format!("(length (fetch-parts mb '(:seq 1 :*) \"({parts})\"))");
    bencher
        .counter(BytesCount::of_slice(capture))
        .bench_local(|| assert_eq!(session.evaluate(&form).text(), letters.to_string()));
}
