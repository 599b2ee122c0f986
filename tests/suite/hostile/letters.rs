//! Large letters take little memory, whatever is done with them, and their files leave no trace.
//! Memory is the peak of the command while a server sends letters.

use super::memory::{MIB, PEAK, assert_below, run};
use super::server::*;
use crate::support::script::{Peer, Script};
use postoffice::client::{Error, FetchReader, TlsMode};
use postoffice::proto::imap::{Data, FetchItems, FetchedItems, MessageId, Messages, Token};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// The text of every line of a letter: base64, so that it may be an attachment.
const LINE: &str =
    "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4gMTIzNDU2Nzg5MDEy\r\n";
const HEAD: &str = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b; name=large\r\nContent-Transfer-Encoding: base64\r\n\r\n";
const END: &str = "--b--\r\n";

/// Some letters, all of one size.
#[derive(Clone, Copy)]
struct Letters {
    count: u32,
    lines: usize,
}

impl Letters {
    fn size(self) -> usize {
        HEAD.len() + self.lines * LINE.len() + END.len()
    }

    fn send(self, peer: &mut Peer) {
        peer.say(HEAD);
        let block = LINE.repeat(1_000);
        peer.go_on(block.as_bytes(), self.lines / 1_000);
        peer.say(END);
    }

    /// Answers every command until the client is gone.
    fn serve(self, protocol: Protocol, peer: &mut Peer) {
        protocol.begin(TlsMode::None, peer);
        protocol.log_in(peer);
        loop {
            let command = peer.hear();
            if command.is_empty() {
                return;
            }
            if protocol == Imap {
                self.answer_imap(&command, peer)
            } else {
                self.answer_pop(&command, peer)
            }
        }
    }

    fn answer_pop(self, command: &str, peer: &mut Peer) {
        if command == "LIST" {
            peer.say("+OK\r\n");
            (1..=self.count).for_each(|number| peer.say(&format!("{number} {}\r\n", self.size())));
            peer.say(".\r\n");
        } else if command.starts_with("RETR") {
            peer.say("+OK\r\n");
            self.send(peer);
            peer.say(".\r\n");
        } else {
            peer.say("+OK\r\n");
        }
    }

    fn answer_imap(self, command: &str, peer: &mut Peer) {
        let command = command.to_uppercase();
        let words: Vec<&str> = command.split(' ').collect();
        let tag = words[0];
        if command.contains("RFC822.SIZE") {
            for number in 1..=self.count {
                peer.say(&format!(
                    "* {number} FETCH (UID {number} RFC822.SIZE {})\r\n",
                    self.size()
                ));
            }
        } else if command.contains("BODY") {
            let set = words[words.iter().position(|word| *word == "FETCH").unwrap() + 1];
            let bounds: Vec<u32> =
                set.split([':', ',']).map(|word| word.parse().unwrap_or(self.count)).collect();
            for number in bounds[0]..=*bounds.last().unwrap() {
                let date = "INTERNALDATE \"13-Sep-1999 11:36:26 -0700\"";
                peer.say(&format!(
                    "* {number} FETCH (UID {number} FLAGS (\\Seen) {date} BODY[] {{{}}}\r\n",
                    self.size()
                ));
                self.send(peer);
                peer.say(")\r\n");
            }
        } else if command.contains("APPEND") {
            peer.say("+ go\r\n");
            let mut left: usize =
                command.trim_end_matches('}').rsplit('{').next().unwrap().parse().unwrap();
            assert_eq!(left, self.size());
            while left > 0 {
                left -= peer.hear_bytes(left.min(1 << 16)).len();
            }
            peer.hear();
        }
        peer.say(&format!("{tag} OK done\r\n"));
    }

    /// Evaluates `form`, where `c` is a connection to a server with these letters, and for IMAP `d`
    /// another one. Returns the value, and by how many KiB the peak grew.
    fn growth(self, protocol: Protocol, form: &str) -> (String, u64) {
        let server = || Script::run(move |peer| self.serve(protocol, peer));
        let [first, second] = [server(), server()];
        let second_connection =
            protocol.connecting(second.address.port()).replace("setq c", "setq d");
        let connections = protocol.connecting(first.address.port())
            + if protocol == Imap { &second_connection } else { "" };
        run(&format!("{PEAK}{connections}(growth {form})"))
    }
}

/// What gives a string or a bytevector of a whole letter, and what does not. `FOLDER` is an empty
/// folder.
const TEXTS: [(&str, &str); 6] = [
    (
        "save-attachment",
        "(length (save-attachment (first (letter-attachments (parse-letter (fetch-letter c 1)))) \"FOLDER\"))",
    ),
    (
        "parse-letter",
        "(let ((text (fetch-letter c 1))) (make-envelope-from-text text) (length (letter-attachments (parse-letter text))))",
    ),
    ("fetch-letter", "(length (fetch-letter c 1))"),
    ("fetch-letter :raw", "(length (fetch-letter c 1 :raw t))"),
    ("fetch-letters", "(length (fetch-letters c '(:seq 1 1)))"),
    ("for-each-letter", "(for-each-letter (lambda (x) 1) c '(:seq 1 3) \"body[]\")"),
];
const FLAT: [(&str, &str); 5] = [
    ("save-letter", "(save-letter c 1 \"FOLDER/letter\")"),
    ("save-letters", "(length (save-letters c '(:seq 1 2) \"FOLDER\"))"),
    ("save-letters :mbox", "(length (save-letters c '(:seq 1 2) \"FOLDER/box\" :mbox t))"),
    ("save-attachments", "(length (save-attachments c 1 \"FOLDER\"))"),
    ("copy-letters", "(length (copy-letters c '(:seq 1 2) d \"x\"))"),
];

/// Runs one of these forms on letters of some megabytes, and checks the peak against the bound.
fn check((name, form): (&str, &str), protocol: Protocol, megabytes: usize) {
    let letters = Letters { count: 3, lines: megabytes * 1_000_000 / LINE.len() / 1_000 * 1_000 };
    let told = letters.growth(protocol, form);
    let is_text = TEXTS.iter().any(|text| text.0 == name);
    let bound = match name {
        // The letter before may still be there when the next one is handed over.
        "for-each-letter" => (letters.size() as u64 * 22 / 10 / 1_024).max(64 * MIB),
        _ if is_text => letters.size() as u64 * 12 / 10 / 1_024,
        _ => 16 * MIB,
    };
    assert_below(bound, &told, &format!("{name} {protocol:?} {megabytes} MB"));
    assert!(told.0 == "t" || told.0.parse::<usize>().is_ok_and(|length| length > 0), "{}", told.0);
}

fn check_all(forms: &[(&str, &str)], sizes: &[usize]) {
    for form in forms {
        for protocol in
            [Imap, Pop].into_iter().filter(|one| *one == Imap || form.0 != "copy-letters")
        {
            sizes.iter().for_each(|size| check(*form, protocol, *size));
        }
    }
}

#[test]
fn a_letter_takes_the_memory_of_its_text_and_no_more() {
    check_all(&TEXTS, &[25]);
}

#[test]
fn a_letter_that_becomes_no_text_takes_little_memory() {
    check_all(&FLAT, &[40]);
}

#[test]
#[ignore = "takes minutes"]
fn the_bounds_hold_for_letters_of_any_size() {
    check_all(&TEXTS, &[10, 60, 200]);
    check_all(&FLAT, &[10, 60, 200, 600]);
}

#[test]
fn a_letter_without_end_takes_little_memory() {
    for protocol in [Imap, Pop] {
        let endless = move |peer: &mut Peer| {
            protocol.begin(TlsMode::None, peer);
            protocol.log_in(peer);
            peer.hear();
            peer.say(if protocol == Imap { "* 1 FETCH (BODY[] {70000000}\r\n" } else { "+OK\r\n" });
            peer.go_on(LINE.repeat(1_000).as_bytes(), 10_000);
        };
        let server = Script::run(endless);
        let connecting = protocol.connecting(server.address.port());
        let (closing, limits) = (":limits '(", ":limits '(:literal 60000000 ");
        let connecting = match connecting.contains(closing) {
            true => connecting.replace(closing, limits),
            false => connecting.replace("\"p\"))", &format!("\"p\" {limits})))")),
        };
        let form = "(handler-case (fetch-letter c 1) (po-error (e) (format t \"~a \" e) 0))";
        let told = run(&format!("{PEAK}{connecting}(growth {form})"));
        assert_below(8 * MIB, &told, "a letter without end");
        let limit = "a literal or a POP letter in memory: more than the limit of 60000000 bytes";
        assert!(told.0.contains(limit), "{}", told.0);
    }
}

/// Sends a letter for the command that came, the first half of it before `between` runs.
fn say_letter(
    protocol: Protocol,
    command: &str,
    letter: &str,
    peer: &mut Peer,
    between: impl FnOnce(&mut Peer),
) {
    let (first, second) = letter.split_at(letter.len() / 2);
    match protocol {
        Imap => peer.say(&format!("* 1 FETCH (BODY[] {{{}}}\r\n{first}", letter.len())),
        _ => peer.say(&format!("+OK\r\n{first}")),
    }
    between(peer);
    peer.say(second);
    match protocol {
        Imap => peer.say(&format!(")\r\n{} OK done\r\n", command.split(' ').next().unwrap())),
        _ => peer.say(".\r\n"),
    }
}

/// Starts the command with a script in which `c` is a connection to the server. Its temporary files
/// go to `folder`.
fn start(
    protocol: Protocol,
    server: &Script,
    form: &str,
    folder: &Path,
    shell: &str,
) -> std::process::Child {
    let script = folder.with_extension("scm");
    std::fs::write(&script, format!("{}{form}", protocol.connecting(server.address.port())))
        .unwrap();
    Command::new("sh")
        .args([
            "-c",
            &format!("{shell} exec \"$0\" --no-journal run \"$1\""),
            env!("CARGO_BIN_EXE_postoffice"),
        ])
        .arg(script)
        .env("TMPDIR", folder)
        .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_full_disk_is_an_error_and_the_connection_goes_on() {
    for (protocol, name) in
        [Imap, Pop].into_iter().flat_map(|one| [(one, "full"), (one, "missing")])
    {
        let server = Script::run(move |peer| {
            protocol.begin(TlsMode::None, peer);
            protocol.log_in(peer);
            let command = peer.hear();
            say_letter(protocol, &command, &LINE.repeat(120_000), peer, |_| {});
            let command = peer.hear();
            say_letter(protocol, &command, "small\r\n", peer, |_| {});
            peer.hear_rest();
        });
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("files");
        if name == "full" {
            std::fs::create_dir(&folder).unwrap();
        }
        let form = "(format t \"~a / ~a\" (handler-case (fetch-letter c 1) (po-error (e) e)) (fetch-letter c 1))";
        // A limit on the size of files stands for a full disk; without the trap it is a signal.
        let shell = if name == "full" { "trap '' XFSZ; ulimit -f 4000;" } else { "" };
        let output = start(protocol, &server, form, &folder, shell).wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let why = if name == "full" { "File too large" } else { "No such file or directory" };
        let message = format!("fetch-letter: the folder for temporary files: {why}");
        assert!(
            text.contains(&message) && text.ends_with(" / small\n"),
            "{protocol:?} {name}: {text} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(name == "missing" || std::fs::read_dir(&folder).unwrap().next().is_none());
    }
}

/// The ways in which a letter may end before it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    ConnectionLost,
    Killed,
}

#[test]
fn the_file_of_a_letter_has_no_name_and_ends_with_the_command() {
    for protocol in [Imap, Pop] {
        for end in [End::Whole, End::ConnectionLost, End::Killed] {
            let outside = tempfile::tempdir().unwrap();
            let folder = outside.path().join("files");
            std::fs::create_dir(&folder).unwrap();
            let names = {
                let folder = folder.clone();
                move || std::fs::read_dir(&folder).unwrap().count()
            };
            let ((half_sent, on_half_sent), (go_on, on_go_on)) = (mpsc::channel(), mpsc::channel());
            let looking = names.clone();
            let server = Script::run(move |peer| {
                protocol.begin(TlsMode::None, peer);
                protocol.log_in(peer);
                let command = peer.hear();
                say_letter(protocol, &command, &LINE.repeat(400_000), peer, |peer| {
                    // More than the client's and the system's buffers hold, so a part is in the file.
                    half_sent.send(looking()).unwrap();
                    on_go_on.recv().unwrap();
                    if end == End::ConnectionLost {
                        peer.hang_up();
                    }
                });
                peer.hear_rest();
            });
            let form = "(print (handler-case (length (fetch-letter c 1)) (po-error (e) (po-condition-identifier e))))";
            let mut child = start(protocol, &server, form, &folder, "");
            assert_eq!(on_half_sent.recv().unwrap(), 0, "{protocol:?} {end:?}");
            if end == End::Killed {
                child.kill().unwrap();
            }
            go_on.send(()).unwrap();
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(
                text.trim(),
                match end {
                    End::Whole => "30800000",
                    End::ConnectionLost => ":server-shutdown-connection",
                    End::Killed => "",
                },
                "{protocol:?} {end:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert_eq!(names(), 0, "{protocol:?} {end:?}");
        }
    }
}

/// A letter above 8 MB that differs from others.
fn large(number: usize) -> Vec<u8> {
    format!("{number:<70}\r\n").repeat(130_000).into_bytes()
}

fn response(number: usize, item: &str, letter: &[u8]) -> Vec<u8> {
    let before = format!("* {number} FETCH ({item} {{{}}}\r\n", letter.len());
    [before.as_bytes(), letter, b" FLAGS ())\r\n"].concat()
}

/// Reads the letters of FETCH responses.
struct Whole(Vec<Vec<u8>>);

impl FetchReader for Whole {
    type Output = Vec<Vec<u8>>;

    fn item(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        let mut items = FetchedItems::of(&mut data.tokens)?;
        while let Some((_, value)) = items.next()? {
            if let Token::Streamed(_, kept) = value {
                let (kept, mut letter) = (kept.unwrap(), Vec::new());
                kept.reader().unwrap().read_to_end(&mut letter).unwrap();
                assert_eq!(kept.size(), letter.len() as u64);
                self.0.push(letter);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self.0)
    }
}

#[test]
fn letters_that_nobody_waits_for_yet_keep_their_bytes() {
    let items: FetchItems = "BODY.PEEK[]".parse().unwrap();
    let (result, _) = Imap.with(
        TlsMode::None,
        unchanged,
        |peer| {
            let tags: Vec<String> =
                (0..2).map(|_| peer.hear().split(' ').next().unwrap().to_owned()).collect();
            // One that nobody asked for, then the two in the other order, one of them with quotes that
            // must be repaired.
            for (number, item) in [(3, "BODY[]"), (2, "BODY[]"), (1, "UID \"odd \"name\" BODY[]")] {
                peer.say_bytes(&response(number, item, &large(number))).unwrap();
            }
            peer.say(&format!("{} OK done\r\n{} OK done\r\n", tags[1], tags[0]));
            peer.hear_rest();
        },
        |client| {
            let client = client.imap();
            let first = client.begin_fetch(
                &Messages::Numbers("1".parse().unwrap()),
                &items,
                Whole(Vec::new()),
            )?;
            let second = client.begin_fetch(
                &Messages::Numbers("2".parse().unwrap()),
                &items,
                Whole(Vec::new()),
            )?;
            let (first, second) = (client.wait(first)?, client.wait(second)?);
            assert!(client.held() < 100, "the answer of the login may be there");
            Ok([first, second])
        },
    );
    let [first, second] = result.unwrap();
    assert!(first == [large(1)] && second == [large(2)]);
}

#[test]
fn a_letter_that_began_to_come_before_the_command_is_not_torn_apart() {
    let (result, _) = Imap.with(
        TlsMode::None,
        unchanged,
        |peer| {
            let whole = response(1, "BODY[]", &large(1));
            let (first, second) = whole.split_at(1_000);
            let answer = format!("{} OK done\r\n", peer.hear().split(' ').next().unwrap());
            peer.say_bytes(&[answer.as_bytes(), first].concat()).unwrap();
            let tag = peer.hear().split(' ').next().unwrap().to_owned();
            peer.say_bytes(second).unwrap();
            peer.say(&format!("{tag} OK done\r\n"));
            peer.hear_rest();
        },
        |client| {
            let client = client.imap();
            client.noop()?;
            let mut letter = Vec::new();
            let message = MessageId::new(std::num::NonZeroU32::MIN, false);
            client.write_letter(message, true, "file", &mut letter)?;
            Ok(letter)
        },
    );
    assert!(result.unwrap() == large(1));
}

/// Copies a letter from one server to another, which answers the APPEND with `answer`. Returns the
/// result, the command of the APPEND and the bytes that came after it.
fn copy(letter: Vec<u8>, answer: &'static str) -> (Result<(), Error>, String, Vec<u8>) {
    let size = letter.len();
    let from = Script::run(move |peer| {
        Imap.begin(TlsMode::None, peer);
        Imap.log_in(peer);
        let tag = peer.hear().split(' ').next().unwrap().to_owned();
        let before = format!("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n", letter.len());
        let after = " FLAGS (\\Seen) INTERNALDATE \"13-Sep-1999 11:36:26 -0700\")\r\n";
        peer.say_bytes(&[before.as_bytes(), &letter, after.as_bytes()].concat()).unwrap();
        peer.say(&format!("{tag} OK done\r\n"));
        peer.answer("{tag} OK done\r\n");
        peer.hear_rest();
    });
    let (told, heard) = mpsc::channel();
    let to = Script::run(move |peer| {
        Imap.begin(TlsMode::None, peer);
        Imap.log_in(peer);
        let mut command = peer.hear();
        let mut bytes = Vec::new();
        if command.contains("APPEND") {
            peer.say("+ go\r\n");
            bytes = peer.hear_bytes(size);
            peer.hear();
            let tag = command.split(' ').next().unwrap();
            peer.say(&answer.replace("{tag}", tag));
            peer.answer("{tag} OK done\r\n");
        } else {
            peer.say(&format!("{} OK done\r\n", command.split(' ').next().unwrap()));
            command.clear();
        }
        told.send((command, bytes)).unwrap();
        peer.hear_rest();
    });
    let connect = |server: &Script| Imap.connect(server, |_| {}).unwrap();
    let (mut source, mut target) = (connect(&from), connect(&to));
    let mut copied = Vec::new();
    let all = Messages::Numbers("1".parse().unwrap());
    let result =
        source.imap().copy_to_other(&all, target.imap(), "x", &mut |number| copied.push(number));
    assert_eq!(copied, if result.is_ok() { &[1][..] } else { &[] });
    source.ask().unwrap();
    target.ask().unwrap();
    let (command, bytes) = heard.recv().unwrap();
    (result, command, bytes)
}

#[test]
fn a_letter_that_is_copied_from_its_file_has_its_flags_and_its_bytes() {
    let letter = large(1);
    let (result, command, bytes) = copy(letter.clone(), "{tag} OK done\r\n");
    result.unwrap();
    assert!(bytes == letter);
    let date = "\"13-Sep-1999 11:36:26 -0700\"";
    assert!(command.contains(&format!("APPEND x (\\Seen) {date} {{")), "{command}");
    let (result, ..) = copy(letter.clone(), "{tag} NO full\r\n");
    assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
    let with_nul = [&letter[..], &b"a\0b"[..]].concat();
    let (result, command, _) = copy(with_nul, "");
    assert!(matches!(result, Err(Error::Argument(_))), "{result:?}");
    assert_eq!(command, "");
}
