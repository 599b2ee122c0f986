//! `postoffice watch` and `postoffice status` as a service: signals, logs, files, systemd, and what a
//! process that was killed leaves behind.

use crate::journal_command::User;
use crate::support::{Server, empty, leaks};
use postoffice::client::ImapClient;
use postoffice::sandbox::{Account, Options};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lines of a stream, as they come.
#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> (Arc<Lines>, JoinHandle<()>) {
        let lines = Arc::new(Lines::default());
        let own = lines.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let line = line.unwrap();
                leaks::check(&line);
                own.lines.lock().unwrap().push(line);
                own.changed.notify_all();
            }
        });
        (lines, reader)
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// A `postoffice watch` that runs. It is killed when the test has ended.
struct Watch {
    child: Child,
    out: Arc<Lines>,
    log: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

impl Watch {
    fn start(command: &mut Command) -> Watch {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, out_reader) = Lines::of(child.stdout.take().unwrap());
        let (log, log_reader) = Lines::of(child.stderr.take().unwrap());
        Watch { child, out, log, readers: vec![out_reader, log_reader] }
    }

    #[track_caller]
    fn wait(lines: &Lines, text: &str, times: usize) {
        let held = lines.lines.lock().unwrap();
        let is_wanted = |lines: &mut Vec<String>| {
            lines.iter().filter(|line| line.contains(text)).count() < times
        };
        let (held, time) = lines.changed.wait_timeout_while(held, PATIENCE, is_wanted).unwrap();
        assert!(!time.timed_out(), "{text} {times}: {held:#?}");
    }

    /// Waits until so many lines of the log have this text.
    #[track_caller]
    fn logs(&self, text: &str, times: usize) {
        Watch::wait(&self.log, text, times);
    }

    /// Waits until the script has printed a line with this text.
    #[track_caller]
    fn prints(&self, text: &str) {
        Watch::wait(&self.out, text, 1);
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end. Returns the exit code, what was printed, and the log.
    fn end(mut self) -> (Option<i32>, Vec<String>, Vec<String>) {
        let code = self.child.wait().unwrap().code();
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        (code, self.out.all(), self.log.all())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it has ended, if the test went well
        let _ = self.child.wait();
    }
}

fn deliver(client: &mut ImapClient, subject: &str) {
    let letter = format!("Message-ID: <{subject}@x>\r\nSubject: {subject}\r\n\r\nx\r\n");
    client.append("INBOX", &[], None, letter.as_bytes()).unwrap();
}

/// A server and a user whose script handles letters with `body`, to which `subject` is the letter's.
fn watching(body: &str) -> (Server, ImapClient, User) {
    let server = Server::sandbox(Options {
        accounts: vec![Account::new("user", leaks::PASSWORD)],
        ..empty()
    });
    let client = server.connect();
    let user = User::of(&server);
    user.write("w.scm", &script(body));
    (server, client, user)
}

fn script(body: &str) -> String {
    format!(
        r#"(defun handle (mb letters)
             (do-letters (letter letters) (let ((subject (letter-subject letter))) {body})))
           (watch (list (list 'work "inbox" 'c #'handle :from :all)) :retry-after '(3600))"#
    )
}

const PRINT: &str = r#"(format t "seen ~a~%" subject)"#;

/// The user's init file.
const INIT: &str = "config/postoffice/init.scm";

/// Handles a letter until there is a file of its name.
const UNTIL: &str = r#"(format t "begins ~a~%" subject)
    (do () ((probe-file subject)))
    (format t "ends ~a~%" subject)"#;

fn start(user: &User, arguments: &[&str]) -> Watch {
    Watch::start(&mut user.command(&[&["watch", "--init"], arguments, &["w.scm"]].concat()))
}

/// Handles what is there. Returns the exit code and what was printed.
fn once(user: &User) -> (Option<i32>, Vec<String>) {
    let (code, out, _) = start(user, &["--once"]).end();
    (code, out)
}

fn tail(lines: &[String], count: usize) -> Vec<&str> {
    lines[lines.len() - count..].iter().map(String::as_str).collect()
}

#[test]
fn a_signal_ends_it_when_the_letter_is_handled() {
    for (signal, expected) in [("-TERM", 0), ("-INT", 130)] {
        let (_server, mut client, user) = watching(UNTIL);
        deliver(&mut client, "a");
        deliver(&mut client, "b");
        let watch = start(&user, &[]);
        watch.prints("begins a");
        watch.signal(signal);
        watch.logs("ends when the running procedures have", 1);
        user.write("a", "");
        let (code, out, log) = watch.end();
        assert_eq!((code, out), (Some(expected), vec!["begins a".into(), "ends a".into()]));
        let words: Vec<&str> = tail(&log, 2).iter().map(|line| &line[20..]).collect();
        assert!(words[0].starts_with("work inbox: letter 1 handled in "), "{words:?}");
        assert_eq!(words[1], "work inbox: the watch has ended");
        user.write("b", "");
        assert_eq!(once(&user), (Some(0), vec!["begins b".into(), "ends b".into()]));
        assert_eq!(once(&user), (Some(0), vec![]));
    }
}

#[test]
fn a_second_signal_stops_the_letter_and_it_is_handled_again() {
    let (_server, mut client, user) = watching(UNTIL);
    deliver(&mut client, "a");
    let watch = start(&user, &[]);
    watch.prints("begins a");
    watch.signal("-TERM");
    watch.logs("ends when the running procedures have", 1);
    watch.signal("-TERM");
    let (code, out, _) = watch.end();
    assert_eq!((code, out), (Some(130), vec!["begins a".into()]));
    user.write("a", "");
    assert_eq!(once(&user), (Some(0), vec!["begins a".into(), "ends a".into()]));
}

#[test]
fn one_that_is_stopped_goes_on_with_what_came_meanwhile() {
    let (_server, mut client, user) = watching(PRINT);
    let watch = start(&user, &[]);
    watch.logs("waits for letters", 1);
    watch.signal("-STOP");
    deliver(&mut client, "a");
    deliver(&mut client, "b");
    watch.signal("-CONT");
    watch.prints("seen b");
    watch.signal("-TERM");
    let (code, out, _) = watch.end();
    assert_eq!((code, out), (Some(0), vec!["seen a".to_owned(), "seen b".to_owned()]));
}

#[test]
fn a_script_that_is_read_anew_knows_what_init_defines_without_running_it() {
    let (_server, mut client, user) = watching(PRINT);
    let init = user.read(INIT);
    let noting = r#"(with-open-file (f "runs" :direction :output :if-exists :append :if-does-not-exist :create) (format f "x"))"#;
    user.write(INIT, &format!("{init}\n(defun of-init (text) (string-upcase text))\n{noting}"));
    let watch = start(&user, &[]);
    watch.logs("waits for letters", 1);
    // It calls a function of the init file, and the next one calls it wrongly.
    let calls = r#"(format t "seen ~a~%" (of-init subject))"#;
    user.write("w.scm", &script(&calls.replace("subject", "subject 1")));
    watch.signal("-HUP");
    watch.logs("goes on as it was, not read anew", 1);
    assert_eq!(user.read("runs"), "x");
    user.write("w.scm", &script(calls));
    watch.signal("-HUP");
    watch.logs("w.scm: is read anew", 1);
    deliver(&mut client, "a");
    watch.prints("seen A");
    assert_eq!(user.read("runs"), "xx", "once for each run");
    watch.signal("-TERM");
    assert_eq!(watch.end().0, Some(0));
}

#[test]
fn one_that_is_killed_goes_on_where_it_was() {
    let (_server, mut client, user) = watching(UNTIL);
    ["a", "b", "c"].iter().for_each(|subject| deliver(&mut client, subject));
    user.write("a", "");
    let watch = start(&user, &[]);
    watch.prints("begins b");
    until("running since", || user.says("status"));
    watch.signal("-KILL");
    assert_eq!(watch.end().0, None);
    let status = user.says("status");
    assert!(status.contains("was killed after"), "{status}");
    user.write("b", "");
    user.write("c", "");
    let (code, out) = once(&user);
    assert_eq!((code, out.join(" ")), (Some(0), "begins b ends b begins c ends c".into()));
    assert_eq!(user.says("status"), "No watch is running.\n");
}

#[test]
fn one_that_is_killed_again_and_again_forgets_nothing() {
    const ROUNDS: usize = 12;
    let (_server, mut client, user) = watching(PRINT);
    let subjects: Vec<String> = (0..ROUNDS * 10).map(|number| format!("<{number}>")).collect();
    let mut seen = Vec::new();
    for (round, subjects) in subjects.chunks(10).enumerate() {
        let watch = start(&user, &[]);
        subjects.iter().for_each(|subject| deliver(&mut client, subject));
        // Somewhere in the middle: the others are on their way.
        watch.prints(&subjects[(round * 7) % 10]);
        watch.signal("-KILL");
        seen.extend(watch.end().1);
    }
    let (code, rest) = once(&user);
    assert_eq!(code, Some(0));
    seen.extend(rest);
    let missed = subjects.iter().find(|subject| !seen.contains(&format!("seen {subject}")));
    assert_eq!(missed, None);
    assert!(seen.len() <= subjects.len() + ROUNDS, "at most one letter each time: {seen:?}");
}

#[test]
fn scripts_are_read_anew_and_no_letter_is_lost() {
    let (_server, mut client, user) = watching(PRINT);
    let watch = start(&user, &[]);
    watch.logs("waits for letters", 1);
    deliver(&mut client, "a");
    watch.prints("seen a");
    user.write("w.scm", &script(&PRINT.replace("seen", "new")));
    watch.signal("-HUP");
    watch.logs("w.scm: is read anew", 1);
    deliver(&mut client, "b");
    watch.prints("new b");
    // One that cannot be read or has errors: the old one goes on.
    for (text, error) in [("(watch", "goes on as it was"), ("(no-such 1)", "no-such")] {
        user.write("w.scm", text);
        watch.signal("-HUP");
        watch.logs(error, 1);
        deliver(&mut client, error);
        watch.prints(&format!("new {error}"));
    }
    // One that fails at once.
    user.write("w.scm", "(error \"not today\")");
    watch.signal("-HUP");
    watch.logs("not today", 1);
    watch.logs("w.scm: has failed at once; the one of before is run again", 1);
    deliver(&mut client, "e");
    watch.prints("new e");
    watch.signal("-TERM");
    let (code, out, log) = watch.end();
    assert_eq!((code, out.len()), (Some(0), 5), "{out:#?}{log:#?}");
}

#[test]
fn the_letter_that_is_handled_is_finished_before_the_new_script_runs() {
    let (_server, mut client, user) = watching(UNTIL);
    deliver(&mut client, "a");
    deliver(&mut client, "b");
    let watch = start(&user, &[]);
    watch.prints("begins a");
    user.write("w.scm", &script(PRINT));
    watch.signal("-HUP");
    watch.logs("w.scm: is read anew", 1);
    user.write("a", "");
    watch.prints("seen b");
    watch.signal("-TERM");
    let (code, out, _) = watch.end();
    assert_eq!((code, out.join(" ")), (Some(0), "begins a ends a seen b".into()));
}

#[test]
fn a_script_that_fails_later_is_started_again_and_the_others_go_on() {
    let (_server, mut client, user) = watching(PRINT);
    user.write(
        "bad.scm",
        r#"(watch (list (list 'work "inbox" 'other (lambda (mb letters) nil))) :once t)
           (error "not any more")"#,
    );
    let mut command = user.command(&["watch", "--init", "bad.scm", "w.scm"]);
    let watch = Watch::start(&mut command);
    watch.logs("bad.scm: has failed; it is started again in 1.0 s", 1);
    watch.logs("bad.scm: has failed; it is started again in 2.0 s", 1);
    watch.logs("waits for letters (IDLE)", 3);
    let status = until("bad.scm has failed", || user.says("status"));
    assert!(status.contains("not any more; started again 20"), "{status}");
    deliver(&mut client, "a");
    watch.prints("seen a");
    watch.signal("-TERM");
    assert_eq!(watch.end().0, Some(0));
}

#[test]
fn another_process_with_the_same_cursor_is_refused() {
    let (_server, mut client, user) = watching(PRINT);
    let watch = start(&user, &[]);
    watch.logs("waits for letters", 1);
    let (code, out, log) = start(&user, &[]).end();
    assert_eq!((code, out), (Some(1), vec![]));
    assert!(log.iter().any(|line| line.contains("another process watches \"INBOX\"")), "{log:#?}");
    deliver(&mut client, "a");
    watch.prints("seen a");
    let status: Value = serde_json::from_str(&user.says("status --json")).unwrap();
    let codes: Vec<&Value> =
        status["processes"].as_array().unwrap().iter().map(|it| &it["exit-code"]).collect();
    assert_eq!(codes, [&Value::Null, &Value::from(1)]);
}

#[test]
fn a_script_that_fails_at_once_ends_the_command() {
    let (_server, _client, user) = watching(PRINT);
    for (text, code, error) in [
        ("(", 1, "w.scm:1:1"),
        ("(error \"no\")", 1, "error: no"),
        ("(exit 7)", 7, ""),
        ("(watch '(1))", 1, "watch: watches: expected"),
        ("(format t \"done~%\")", 0, ""),
    ] {
        user.write("w.scm", text);
        let (found, _, log) = start(&user, &[]).end();
        assert_eq!(found, Some(code), "{text}: {log:#?}");
        assert!(log.join("\n").contains(error), "{text}: {log:#?}");
    }
    let (code, _, log) = Watch::start(&mut user.command(&["watch", "none.scm"])).end();
    assert_eq!((code, log.len()), (Some(1), 1));
    assert!(log[0].starts_with("postoffice: none.scm: "), "{log:?}");
}

#[test]
fn letters_that_fail_are_shown_and_tried_again() {
    let body = r#"(unless (probe-file "good") (error "cannot ~a" subject)) "#;
    let (_server, mut client, user) = watching(&format!("{body}{PRINT}"));
    assert_eq!(user.says("watch --failed"), "No letter has failed.\n");
    deliver(&mut client, "a");
    deliver(&mut client, "b");
    assert_eq!(once(&user), (Some(1), vec![]));
    assert_eq!(once(&user), (Some(0), vec![]), "it is not time to try again");
    let table = user.says("watch --failed");
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert!(table.contains("error: cannot a") || table.contains("cannot a"), "{table}");
    assert_eq!(rows[1][1..5], ["INBOX", "c", "1", "1"], "{table}");
    assert_eq!(user.says("watch --retry"), "2 letters are tried again.\n");
    user.write("good", "");
    assert_eq!(once(&user), (Some(0), vec!["seen a".into(), "seen b".into()]));
    assert_eq!(
        user.says("watch --failed --retry"),
        "No letter has failed.\nNo letter is to be tried again.\n"
    );
}

#[test]
fn the_log_has_json_lines_without_secrets() {
    let body = format!("(error \"{}~c[2J\" #\\escape)", leaks::PASSWORD);
    let (_server, mut client, user) = watching(&body);
    deliver(&mut client, "a");
    let (code, _, log) = start(&user, &["--once", "--log", "json"]).end();
    assert_eq!(code, Some(1));
    let lines: Vec<Value> = log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["begins", "connecting", "arrived", "failed", "waits", "ends"]);
    for line in &lines {
        let time = line["time"].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        assert_eq!((&line["account"], &line["mailbox"]), (&"work".into(), &"inbox".into()));
        assert_eq!((&line["cursor"], &line["script"]), (&"c".into(), &"w.scm".into()));
    }
    let failed = &lines[3];
    assert_eq!((&failed["uid"], &failed["attempts"]), (&1.into(), &1.into()));
    assert_eq!((&failed["level"], &failed["again_seconds"]), (&"warning".into(), &3600.0.into()));
    assert!(failed["error"].as_str().unwrap().contains("#<secret>"), "{failed}");
    // Only what somebody should look at.
    deliver(&mut client, "b");
    let (_, _, log) = start(&user, &["--once", "--quiet"]).end();
    assert_eq!(log.len(), 1, "{log:#?}");
    assert!(log[0].contains("letter 2 failed (attempt 1)"), "{log:#?}");
}

/// Waits until a file or an answer has a text.
#[track_caller]
fn until(text: &str, get: impl Fn() -> String) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let got = get();
        if got.contains(text) {
            return got;
        }
        assert!(Instant::now() < end, "{text}: {got}");
    }
}

#[test]
fn status_and_metrics_say_how_it_goes() {
    let (_server, mut client, user) = watching(PRINT);
    let watch = start(&user, &["--metrics", "watch.prom"]);
    watch.logs("waits for letters", 1);
    deliver(&mut client, "a");
    watch.logs("letter 1 handled", 1);
    let json = until("\"handled\":1", || user.says("status --json"));
    let status: Value = serde_json::from_str(&json).unwrap();
    let process = &status["processes"][0];
    assert_eq!(process["running"], true);
    let one = &process["watches"][0];
    assert_eq!((&one["state"], &one["mailbox"]), (&"waits (IDLE)".into(), &"inbox".into()));
    let table = user.says("status");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with(&format!("process {}: running since 20", watch.child.id())));
    assert!(lines[2].starts_with("work     inbox    c       waits (IDLE)  20"), "{table}");
    watch.signal("-TERM");
    assert_eq!(watch.end().0, Some(0));
    assert_eq!(user.says("status"), "No watch is running.\n");
    let metrics = std::fs::read_to_string(user.path().join("watch.prom")).unwrap();
    let labels = r#"{script="w.scm",account="work",mailbox="inbox",cursor="c"}"#;
    let line = format!("postoffice_watch_letters_handled_total{labels} 1\n");
    assert!(metrics.contains(&line), "{metrics}");
}

#[test]
fn files_that_cannot_be_written_do_not_end_it() {
    let (_server, mut client, user) = watching(PRINT);
    deliver(&mut client, "a");
    let (code, out, log) = start(&user, &["--once", "--metrics", "no/folder/x.prom"]).end();
    assert_eq!((code, out), (Some(0), vec!["seen a".into()]));
    let about = log.iter().filter(|line| line.contains("no/folder/x.prom cannot be written: "));
    assert_eq!(about.count(), 1, "{log:#?}");
    // Without the state database nothing can be promised.
    user.write("file", "");
    let arguments = ["watch", "--init", "w.scm"];
    let mut command = user.command(&arguments);
    let state = user.path().join("file/state");
    let (code, out, log) = Watch::start(command.env("POSTOFFICE_STATE", &state)).end();
    assert_eq!((code, out), (Some(1), vec![]));
    let error = format!("the state database {}/state.db: ", state.display());
    assert!(log.iter().any(|line| line.contains(&error)), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("postoffice status will not show")), "{log:#?}");
}

/// A limit on the size of files stands for a full disk.
#[test]
fn a_full_disk_is_told_and_loses_no_letter() {
    let (_server, mut client, user) = watching(PRINT);
    assert_eq!(once(&user), (Some(0), vec![]));
    let mut failures = 0;
    for limit in (0..).map(|step| 16 + step * 32) {
        let subjects: Vec<String> = (0..40).map(|number| format!("{limit}-{number}")).collect();
        subjects.iter().for_each(|subject| deliver(&mut client, subject));
        let program = "trap '' XFSZ; ulimit -f $0; exec \"$@\"";
        let whole = user.command(&["watch", "--init", "--once", "w.scm"]);
        let mut limited = Command::new("sh");
        limited.args(["-c", program, &limit.to_string()]).arg(whole.get_program());
        limited.args(whole.get_args()).current_dir(user.path());
        limited.envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let (code, mut seen, log) = Watch::start(&mut limited).end();
        if code == Some(0) {
            break;
        }
        failures += 1;
        assert_eq!(code, Some(1), "{limit}: {log:#?}");
        let error = format!("the state database {}", user.path().display());
        assert!(log.iter().any(|line| line.contains(&error)), "{limit}: {log:#?}");
        let (code, more) = once(&user);
        assert_eq!(code, Some(0));
        seen.extend(more);
        let missed = subjects.iter().find(|subject| !seen.contains(&format!("seen {subject}")));
        assert_eq!(missed, None, "{limit}");
        assert!(seen.len() <= subjects.len() + 1, "{limit}: one letter at most again: {seen:?}");
    }
    assert!(failures > 0);
}

#[test]
fn systemd_hears_how_it_is() {
    let (_server, _client, user) = watching(PRINT);
    let path = user.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let hears = |text: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{text}: {error}"));
            let told = String::from_utf8(buffer[..length].to_vec()).unwrap();
            if told.contains(text) {
                break told;
            }
            assert!(!told.contains("READY=1"), "{text}: {told}");
        }
    };
    // A server that is not there does not keep the service from being ready.
    user.write(
        "dead.scm",
        r#"(define-account dead :host "127.0.0.1" :port 1 :user "u" :password "pw" :tls :none)
           (watch (list (list 'dead "inbox" 'c (lambda (mb letters) nil))))"#,
    );
    let mut command = user.command(&["watch", "--init", "w.scm", "dead.scm"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let watch = Watch::start(&mut command);
    hears("READY=1");
    watch.logs("tried again in", 1);
    watch.logs("waits for letters", 1);
    hears("STATUS=1 of 2 watches wait, ");
    hears("WATCHDOG=1");
    watch.signal("-HUP");
    let told = hears("RELOADING=1\nMONOTONIC_USEC=");
    assert!(told.split('=').next_back().unwrap().parse::<u64>().unwrap() > 0, "{told}");
    hears("READY=1");
    watch.signal("-TERM");
    hears("STOPPING=1");
    assert_eq!(watch.end().0, Some(0));
}

#[test]
fn a_procedure_that_hangs_is_left_to_the_watchdog() {
    let (_server, mut client, user) = watching(UNTIL);
    deliver(&mut client, "a");
    let path = user.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut command = user.command(&["watch", "--init", "--stuck-after", "1", "w.scm"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000");
    let watch = Watch::start(&mut command);
    watch.prints("begins a");
    let mut buffer = [0; 4096];
    // Nothing is heard any more, once what is under way has come.
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    while socket.recv(&mut buffer).is_ok() {}
    user.write("a", "");
    watch.prints("ends a");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        if buffer[..length] == *b"WATCHDOG=1" {
            break;
        }
    }
}

#[test]
fn the_unit_of_the_package_starts_what_is_there() {
    let unit = include_str!("../../packaging/postoffice-watch@.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let (program, arguments) = line.split_once(' ').unwrap();
    assert_eq!(program, "/usr/bin/postoffice");
    let (_server, _client, user) = watching(PRINT);
    let script = user.path().join("config/postoffice/home.scm");
    std::fs::rename(user.path().join("w.scm"), &script).unwrap();
    let folder = user.path().join("config");
    let arguments = arguments.replace("%E", folder.to_str().unwrap()).replace("%i", "home");
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let watch = Watch::start(&mut user.command(&arguments));
    watch.logs("waits for letters", 1);
    watch.signal("-TERM");
    assert_eq!(watch.end().0, Some(0));
    let manifest = include_str!("../../Cargo.toml");
    let asset = r#"["packaging/postoffice-watch@.service", "usr/lib/systemd/user/", "644"]"#;
    assert!(manifest.contains(asset));
}
