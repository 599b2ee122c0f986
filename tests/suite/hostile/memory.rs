//! The peak memory of the command. The script reads its own peak from the system after connecting
//! and again at its end, so that memory used for starting up does not count.

use super::server::*;
use crate::support::script::{Peer, Script};
use postoffice::client::TlsMode;
use std::process::Command;

/// Defines `(peak)`, the peak resident memory in KiB, and `(growth FORM)`, which prints the value
/// of the form and by how much the peak grew.
pub(super) const PEAK: &str = r#"
(defun peak ()
  (with-open-file (f "/proc/self/status")
    (let ((found nil))
      (dotimes (i 30)
        (let ((line (read-line f)))
          (when (and (not found) (search "VmHWM:" line))
            (setq found (parse-integer (remove-if-not (lambda (c) (find c "0123456789")) line))))))
      found)))
(defmacro growth (form)
  `(let ((before (peak))
         (result (handler-case ,form (po-error (c) (po-condition-identifier c)))))
     ; The system counts in lots, so that a peak may come out lower afterwards.
     (format t "~a ~a" result (max 0 (- (peak) before)))))
"#;

impl Protocol {
    /// Returns a Scheme form that connects to `port` and sets `c` to the connection.
    pub(super) fn connecting(self, port: u16) -> String {
        match self {
            Imap => format!(
                "(setq c (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\" :limits '(:responses 1200000)))"
            ),
            Pop => format!(
                "(setq c (make-pop-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\"))"
            ),
            Smtp => format!(
                "(setq c (make-smtp-connection \"127.0.0.1\" :port {port} :login \"u\" :password \"p\"))"
            ),
        }
    }

    /// Runs the command with `form`, while the server runs `script` after the login. Returns the
    /// printed value, and by how many KiB the peak grew.
    fn growth(self, form: &str, script: impl FnOnce(&mut Peer) + Send + 'static) -> (String, u64) {
        let server = Script::run(move |peer| {
            self.begin(TlsMode::None, peer);
            self.log_in(peer);
            script(peer);
        });
        run(&format!("{PEAK}{}(growth {form})", self.connecting(server.address.port())))
    }
}

pub(super) fn run(source: &str) -> (String, u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.scm");
    std::fs::write(&file, source.replace("FOLDER", &folder.path().display().to_string())).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_postoffice"))
        .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
        .args(["--no-journal", "run"])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text
        .rsplit_once(' ')
        .map(|(result, growth)| (result.to_owned(), growth.trim().parse().unwrap()));
    told.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Sends `text` `times` times in response to one command, and then its tagged OK.
fn again(text: &'static str, times: usize) -> impl FnOnce(&mut Peer) + Send + 'static {
    move |peer| {
        let tag = peer.hear().split(' ').next().unwrap_or("").to_owned();
        peer.go_on(text.repeat(1_000).as_bytes(), times / 1_000);
        peer.say(&format!("{tag} OK done\r\n"));
        peer.hear_rest();
    }
}

fn once(text: String) -> impl FnOnce(&mut Peer) + Send + 'static {
    move |peer| {
        peer.answer(&text);
        peer.hear_rest();
    }
}

pub(super) const MIB: u64 = 1 << 10;

#[track_caller]
pub(super) fn assert_below(limit: u64, (result, growth): &(String, u64), what: &str) {
    eprintln!("{what}: {result}, {growth} KiB");
    assert!(*growth < limit, "{what}: {result} took {growth} KiB");
}

#[test]
fn what_an_imap_server_announces_or_repeats_takes_little_memory() {
    let fetch = "(progn (fetch-parts c 1 \"body[]\") :done)";
    let told = Imap.growth(fetch, once("* 1 FETCH (BODY[] {4294967295}\r\n".into()));
    assert_below(8 * MIB, &told, "a literal of 4 GB");
    assert_eq!(told.0, "response-too-large");
    let nested = format!(
        "* 1 FETCH (X {}{})\r\n{{tag}} OK done\r\n",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    let told = Imap.growth(fetch, once(nested));
    assert_below(64 * MIB, &told, "100,000 parentheses");
    assert_eq!(told.0, "response-too-large");
}

#[test]
fn a_line_without_end_stops_at_its_limit_in_every_protocol() {
    let (fetch, list) = ("(fetch-parts c 1 \"body[]\")", "(unique-id c)");
    let (letter, send) = ("(fetch-letter c 1)", "(send-smtp c \"a@b\" \"b@c\" \"x\")");
    for (protocol, form, start, limit) in [
        (Imap, fetch, "* 1 FETCH (BODY[] \"", "line"),
        (Imap, fetch, "* 1 FETCH (FLAGS (", "line"),
        (Imap, fetch, "* 1 FETCH (BODY[] {3}\r\nabc ", "line"),
        (Imap, fetch, "* SEARCH ", "line"),
        (Imap, fetch, "* OK [", "status"),
        (Imap, fetch, "A3 OK ", "status"),
        (Imap, fetch, "+ ", "status"),
        (Imap, fetch, "", "status"),
        (Pop, list, "+OK\r\n1 ", "line"),
        (Pop, list, "+OK\r\n1 a\r\n2 ", "line"),
        (Pop, letter, "+OK ", "status"),
        (Pop, letter, "-ERR ", "status"),
        (Pop, letter, "", "status"),
        (Smtp, send, "250 ", "status"),
        (Smtp, send, "250-a\r\n250-", "status"),
        (Smtp, send, "", "status"),
    ] {
        let endless = move |peer: &mut Peer| {
            peer.hear();
            peer.say(start);
            peer.go_on(&[b'1'; 100_000], 100_000);
        };
        let form = format!("(handler-case {form} (po-error (e) (format t \"~a \" e) 0))");
        let told = protocol.growth(&form, endless);
        let bound = if limit == "line" { 48 * MIB } else { 8 * MIB };
        assert_below(bound, &told, &format!("{protocol:?} {start:?}"));
        assert!(told.0.contains(&format!(":limits '(:{limit} N)")), "{start:?}: {}", told.0);
    }
}

#[test]
fn many_responses_take_little_memory() {
    // A bound of 64 bytes for each.
    const MANY: usize = 100_000;
    for (form, text, count, expected) in [
        ("(noop c)", "* 1 EXISTS\r\n", MANY, "nil"),
        ("(noop c)", "* OK [XYZZY] 1\r\n", MANY, "nil"),
        ("(length (fetch-parts c 1 \"flags\"))", "* 2 FETCH (FLAGS (\\Seen))\r\n", MANY, "0"),
        (
            "(length (fetch-parts c 1 \"flags\"))",
            "* 1 FETCH (FLAGS (\\Seen))\r\n",
            MANY,
            "unexpected",
        ),
        ("(length (search-mailbox c :all))", "* SEARCH 1 2 3\r\n", MANY, "3"),
        ("(length (mailbox-list c))", "* LIST () \"/\" x\r\n", 1_000_000, "response-too-large"),
        ("(length (expunge-mailbox c))", "* 1 EXPUNGE\r\n", MANY, "100000"),
    ] {
        let told = Imap.growth(form, again(text, count));
        assert_below(64 * count as u64 / 1_024, &told, text);
        assert_eq!(told.0, expected, "{text}");
    }
}

#[test]
fn responses_of_many_values_take_little_memory() {
    let many = |item: &str| item.repeat(15_000_000 / item.len());
    for (form, text) in [
        ("(progn (noop c) 1)", format!("* CAPABILITY {}\r\n", many("A "))),
        ("(progn (select-mailbox c \"x\") 1)", format!("* FLAGS ({})\r\n", many("a "))),
        ("(length (search-mailbox c :all))", format!("* SEARCH {}\r\n", many("1 2 "))),
        ("(length (mailbox-list c))", format!("* LIST ({}) \"/\" x\r\n", many("a "))),
        ("(length (mailbox-status c \"x\"))", format!("* STATUS x ({})\r\n", many("A 1 "))),
    ] {
        let told = Imap.growth(form, once(format!("{text}{{tag}} OK done\r\n")));
        assert_below(80 * MIB, &told, &text[..12]);
    }
    let values = format!("* 1 FETCH (X ({}))\r\n{{tag}} OK done\r\n", many("\"\" "));
    let told = Imap.growth("(length (fetch-parts c 1 \"body\"))", once(values));
    assert_below(80 * MIB, &told, "five million strings");
    assert_eq!(told.0, "response-too-large");
}

#[test]
fn endless_listings_and_extensions_take_little_memory() {
    for (protocol, text) in
        [(Imap, "* CAPABILITY A B C\r\n"), (Pop, "ABC\r\n"), (Smtp, "250-ABC\r\n")]
    {
        let server = Script::run(move |peer| {
            peer.say(if protocol == Imap { "* OK hello\r\n" } else { protocol.greeting() });
            peer.answer(if protocol == Pop { "+OK\r\n" } else { "" });
            peer.go_on(text.repeat(5_000).as_bytes(), 100_000);
        });
        let told = run(&format!(
            "{PEAK}(growth (progn {} 1))",
            protocol.connecting(server.address.port())
        ));
        assert_below(64 * MIB, &told, text);
        assert_eq!(told.0, "response-too-large");
    }
    let listing = |peer: &mut Peer| {
        peer.answer("+OK\r\n");
        peer.go_on("1 x\r\n".repeat(5_000).as_bytes(), 100_000);
    };
    let told = Pop.growth("(length (unique-id c))", listing);
    assert_below(64 * MIB, &told, "an endless UIDL");
    assert_eq!(told.0, "response-too-large");
}

#[test]
fn what_is_long_for_a_reason_is_taken_by_the_command() {
    let numbers: String = (1..=1_000_000).map(|number| format!(" {number}")).collect();
    let told = Imap.growth(
        "(length (search-mailbox c :all))",
        once(format!("* SEARCH{numbers}\r\n{{tag}} OK done\r\n")),
    );
    assert_eq!(told.0, "1000000");
    let letter = format!("+OK\r\nSubject: x\r\n\r\n{}\r\n.\r\n", "x".repeat(200_000));
    assert_eq!(Pop.growth("(length (fetch-letter c 1))", once(letter)).0, "200013");
}

#[test]
fn a_letter_of_60_mb_goes_to_a_file_in_little_memory() {
    const SIZE: usize = 60_000_000;
    let line = [vec![b'x'; 98], b"\r\n".to_vec()].concat();
    let lines = line.repeat(1_000);
    let over_imap = lines.clone();
    let told = Imap.growth("(save-letter c 1 \"FOLDER/letter\")", move |peer| {
        let tag = peer.hear().split(' ').next().unwrap().to_owned();
        peer.say(&format!("* 1 FETCH (BODY[] {{{SIZE}}}\r\n"));
        peer.go_on(&over_imap, SIZE / over_imap.len());
        peer.say(&format!(")\r\n{tag} OK done\r\n"));
        peer.hear_rest();
    });
    assert_below(16 * MIB, &told, "60 MB over IMAP");
    assert_eq!(told.0, "t");
    let told = Pop.growth("(save-letter c 1 \"FOLDER/letter\")", move |peer| {
        peer.answer("+OK\r\n");
        peer.go_on(&lines, SIZE / lines.len());
        peer.say(".\r\n");
        peer.hear_rest();
    });
    assert_below(16 * MIB, &told, "60 MB over POP");
    assert_eq!(told.0, "t");
}

#[test]
fn a_letter_of_40_mb_goes_from_a_file_in_little_memory() {
    const LINES: usize = 400_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    std::fs::write(&path, [vec![b'x'; 99], b"\n".to_vec()].concat().repeat(LINES)).unwrap();
    let form = format!("(append-letter c \"box\" '(:file {:?}))", path.display().to_string());
    let told = Imap.growth(&form, |peer| {
        let command = peer.hear();
        peer.say("+ go\r\n");
        let announced: usize =
            command.trim_end_matches('}').rsplit('{').next().unwrap().parse().unwrap();
        assert_eq!(announced, 101 * LINES);
        for _ in 0..LINES {
            assert!(peer.hear_bytes(101).ends_with(b"x\r\n"));
        }
        assert_eq!(peer.hear(), "");
        peer.say(&format!("{} OK done\r\n", command.split(' ').next().unwrap()));
        peer.hear_rest();
    });
    assert_below(2 * MIB, &told, "40 MB to a mailbox");
    assert_eq!(told.0, "t");
}

#[test]
fn the_attachments_of_a_letter_of_40_mb_go_to_files_in_little_memory() {
    const LINES: usize = 520_000;
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b; name=large\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let end = "--b\r\nContent-Type: a/b; name=small\r\n\r\nx\r\n--b--\r\n";
    let size = head.len() + LINES * line.len() + end.len();
    let lines = line.repeat(1_000);
    let over_imap = lines.clone();
    let told = Imap.growth("(length (save-attachments c 1 \"FOLDER\"))", move |peer| {
        let tag = peer.hear().split(' ').next().unwrap().to_owned();
        peer.say(&format!("* 1 FETCH (BODY[] {{{size}}}\r\n{head}"));
        peer.go_on(over_imap.as_bytes(), LINES / 1_000);
        peer.say(&format!("{end})\r\n{tag} OK done\r\n"));
        peer.hear_rest();
    });
    assert_below(4 * MIB, &told, "40 MB over IMAP");
    assert_eq!(told.0, "2");
    let told = Pop.growth("(length (save-attachments c 1 \"FOLDER\"))", move |peer| {
        peer.answer("+OK\r\n");
        peer.say(head);
        peer.go_on(lines.as_bytes(), LINES / 1_000);
        peer.say(&format!("{end}.\r\n"));
        peer.hear_rest();
    });
    assert_below(4 * MIB, &told, "40 MB over POP");
    assert_eq!(told.0, "2");
}

#[test]
fn a_report_takes_memory_for_senders_and_not_for_letters() {
    const LETTERS: usize = 20_000;
    for (what, senders, limit) in
        [("a hundred senders", 100, 3 * MIB), ("a sender each", LETTERS, 22 * MIB)]
    {
        let told = Imap.growth("(progn (select-mailbox c \"x\") (getf (mailbox-report c :top 1) :messages))", move |peer| {
            peer.answer(&format!("* {LETTERS} EXISTS\r\n{{tag}} OK done\r\n"));
            let tag = peer.hear().split(' ').next().unwrap().to_owned();
            for thousand in 0..LETTERS / 1_000 {
                let letter = |number: usize| {
                    let from = format!("From: \"{}\" <{:a<400}@x>\r\n\r\n", "n".repeat(200), number % senders);
                    let date = "INTERNALDATE \"13-Sep-1999 11:36:26 -0700\"";
                    format!("* {number} FETCH (FLAGS () RFC822.SIZE 9 {date} BODY[HEADER.FIELDS (FROM)] {{{}}}\r\n{from})\r\n", from.len())
                };
                peer.say(&(1..=1_000).map(|number| letter(thousand * 1_000 + number)).collect::<String>());
            }
            peer.say(&format!("{tag} OK done\r\n"));
            peer.hear_rest();
        });
        assert!(
            told.0.ends_with(&format!("\n{LETTERS}"))
                && told.0.contains("\n20,000 letters, 180.0 kB, 20,000 unseen, "),
            "{}",
            told.0
        );
        let result = what.to_owned();
        assert_below(limit, &(result, told.1), what);
    }
}
