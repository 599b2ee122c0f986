//! What real servers say although no grammar allows it, kept in `tests/wire`, and what a script gets.
//!
//! A fixture has the form that a script evaluates (`>`), the answer of the server (`<`, in several
//! lines; in IMAP a completion is added unless it has one; `<<` begins the answer to the next command),
//! and the value that the form prints (`=`). `?` is a part of the last command that the server must
//! hear, `!` a part of each warning, in their order. The
//! fixtures of a file share one connection, so each shows that the ones before left it usable. The
//! answers are sent whole, and byte by byte.

use crate::support::script::{Peer, Script};
use postoffice::api::{Setup, attach};
use postoffice::client::{
    ConnectOptions, Credentials, Error, ImapClient, PopClient, SmtpClient, WarningKind,
    smtp::Envelope,
};
use postoffice::proto::Limits;
use postoffice::proto::imap::{self, FetchItems, Messages};
use postoffice::repl::Session;
use postoffice::transport::Connector;
use std::sync::mpsc;
use std::time::Duration;

#[derive(Debug, Default, Clone)]
struct Fixture {
    place: String,
    form: String,
    heard: Option<String>,
    /// The answers to the commands that the form sends.
    answers: Vec<Vec<u8>>,
    value: String,
    warnings: Vec<String>,
}

/// Reads the fixtures of a file. `end` completes an answer that does not do so itself.
fn fixtures(file: &str, text: &str, end: &str) -> Vec<Fixture> {
    let mut found: Vec<Fixture> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(form) = line.strip_prefix("> ") {
            let place = format!("{file}:{}", number + 1);
            found.push(Fixture { place, form: form.to_owned(), ..Fixture::default() });
        }
        let Some(fixture) = found.last_mut() else { continue };
        match line.split_at_checked(2) {
            Some(("? ", heard)) => fixture.heard = Some(heard.to_owned()),
            Some(("< ", answer)) => {
                if fixture.answers.is_empty() {
                    fixture.answers.push(Vec::new());
                }
                let last = fixture.answers.last_mut().unwrap();
                last.extend(super::wire::unescape(answer));
            }
            Some(("<<", answer)) => {
                fixture.answers.push(super::wire::unescape(answer.trim_start()))
            }
            Some(("= ", value)) => fixture.value = value.to_owned(),
            Some(("! ", warning)) => fixture.warnings.push(warning.to_owned()),
            _ => {}
        }
    }
    for answer in found.iter_mut().flat_map(|fixture| &mut fixture.answers) {
        if !end.is_empty() && !String::from_utf8_lossy(answer).contains("{tag}") {
            answer.extend(end.as_bytes());
        }
    }
    found
}

/// Says the answer to the next command, whole or byte by byte, and returns the command.
fn answer(peer: &mut Peer, answer: &[u8], by_byte: bool) -> String {
    let command = peer.hear();
    let tag = command.split(' ').next().unwrap_or_default();
    let mut bytes = Vec::new();
    let mut rest = answer;
    while let Some(at) = memchr::memmem::find(rest, b"{tag}") {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(tag.as_bytes());
        rest = &rest[at + 5..];
    }
    bytes.extend_from_slice(rest);
    let size = if by_byte { 1 } else { bytes.len().max(1) };
    for chunk in bytes.chunks(size) {
        let _ = peer.say_bytes(chunk);
    }
    command
}

/// Evaluates the forms of all fixtures on one connection, and compares what they print.
fn check(
    fixtures: Vec<Fixture>,
    connect: impl Fn(u16) -> String,
    log_in: impl Fn(&mut Peer) + Clone + Send + 'static,
) {
    let mut faults = Vec::new();
    for by_byte in [false, true] {
        let (log_in, answers) = (log_in.clone(), fixtures.clone());
        let (commands, heard) = mpsc::channel();
        let script = Script::run(move |peer| {
            log_in(peer);
            for fixture in answers {
                let heard = fixture.answers.iter().map(|bytes| answer(peer, bytes, by_byte));
                let _ = commands.send(heard.last().unwrap_or_default());
            }
            peer.hear_rest();
        });
        let mut session = Session::new(Vec::new());
        attach(session.host(), &Setup::default());
        let connected = session.evaluate(&connect(script.address.port()));
        assert!(connected.result.is_ok(), "{}", connected.text());
        for fixture in &fixtures {
            let text = session.evaluate(&fixture.form).text();
            let lines: Vec<&str> = text.lines().collect();
            let (warnings, value): (Vec<&str>, Vec<&str>) =
                lines.into_iter().partition(|line| line.starts_with("Warning: "));
            let command = heard.recv().unwrap_or_default();
            let is_right = value.join("\n") == fixture.value
                && warnings.len() == fixture.warnings.len()
                && warnings.iter().zip(&fixture.warnings).all(|(told, part)| told.contains(part))
                && fixture.heard.as_ref().is_none_or(|part| command.contains(part));
            if !is_right {
                faults.push(format!("{} by_byte {by_byte}: {command}\n{text}", fixture.place));
            }
        }
        drop(session);
    }
    assert!(faults.is_empty(), "{}\n{} faults", faults.join("\n\n"), faults.len());
}

fn imap_fixtures() -> Vec<Fixture> {
    fixtures("servers.txt", include_str!("../wire/servers.txt"), "{tag} OK done\r\n")
}

/// Forms about mailboxes, on a server that offers every extension for them.
#[test]
fn scripts_get_what_servers_say_of_mailboxes() {
    let connect = |port| {
        format!(
            "(setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\" :timeout 20))"
        )
    };
    let file = include_str!("../wire/mailboxes.txt");
    check(fixtures("mailboxes.txt", file, "{tag} OK done\r\n"), connect, |peer| {
        peer.log_in(concat!(
            "NAMESPACE ACL METADATA LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE ",
            "STATUS=SIZE CONDSTORE OBJECTID SAVEDATE PREVIEW APPENDLIMIT X-GM-EXT-1"
        ))
    });
}

#[test]
fn scripts_get_what_imap_servers_mean() {
    let connect = |port| {
        format!(
            "(setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\" :timeout 20))"
        )
    };
    check(imap_fixtures(), connect, |peer| peer.log_in("UIDPLUS QUOTA ID MOVE X-GM-EXT-1"));
}

#[test]
fn imap_responses_are_split_alike_whole_and_byte_by_byte() {
    for fixture in imap_fixtures() {
        let read = |size: usize| -> Vec<String> {
            let mut session = imap::Session::new(Limits::default());
            let mut found = Vec::new();
            for chunk in [b"* OK hello\r\n", &fixture.answers.concat()[..]].concat().chunks(size) {
                session.receive(chunk);
                loop {
                    match session.next_event() {
                        Ok(imap::Event::NeedBytes) => break,
                        Ok(event) => found.push(format!("{event:?}")),
                        Err(_) => return found, // the tag is no tag here
                    }
                }
            }
            found
        };
        assert_eq!(read(1), read(fixture.answers.concat().len() + 12), "{}", fixture.place);
    }
}

#[test]
fn scripts_get_what_pop_servers_mean() {
    let connect = |port| {
        format!(
            "(setq pb (make-pop-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\" :timeout 20))"
        )
    };
    let fixtures = fixtures("pop.txt", include_str!("../wire/pop.txt"), "");
    for greeting in ["+OKready\r\n", "+ok <ready>\r\n", "+OK\r\n\r\n"] {
        check(fixtures.clone(), connect, move |peer| {
            peer.say(greeting);
            for reply in [
                "-ERRwhat\r\n",
                "+ok\r\n",
                "\r\n+OKcome in\r\n",
                "-err what\r\n",
                "+OK  3  320\r\n",
            ] {
                peer.answer(reply);
            }
        });
    }
}

fn credentials() -> Credentials {
    Credentials::new("user", "sesame-open")
}

fn options(script: &Script) -> ConnectOptions {
    let timeout = Duration::from_secs(20);
    ConnectOptions { port: Some(script.address.port()), timeout, ..ConnectOptions::default() }
}

fn imap(script: &Script) -> Result<ImapClient, Error> {
    ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials(), &options(script))
}

#[test]
fn of_a_thousand_letters_ten_are_lost_and_named() {
    let script = Script::run(|peer| {
        peer.log_in("");
        peer.answer("* 1000 EXISTS\r\n{tag} OK done\r\n");
        let mut answer = String::new();
        for number in 1..=1000 {
            let uid = 5000 + number;
            answer += &match number % 100 {
                0 => format!("* {number} FETCH (ENVELOPE ((( \" UID {uid} FLAGS (x))\r\n"),
                _ => format!(
                    "* {number} FETCH (UID {uid} FLAGS (x) ENVELOPE (\"d\" \"s {number}\" NIL NIL NIL NIL NIL NIL NIL \"<i>\"))\r\n"
                ),
            };
        }
        peer.answer(&format!("{answer}{{tag}} OK done\r\n"));
        peer.answer("{tag} OK done\r\n");
        peer.hear_rest();
    });
    let mut client = imap(&script).unwrap();
    client.select("inbox", false).unwrap();
    let items = FetchItems::parse("(UID FLAGS ENVELOPE)").unwrap();
    let letters = client.fetch_all(&Messages::uids(5001..=6000), &items).unwrap();
    assert_eq!(letters.iter().filter(|letter| letter.envelope.is_some()).count(), 990);
    assert_eq!(letters.iter().filter(|letter| letter.flags.is_some()).count(), 1000);
    let warnings = client.take_warnings();
    assert_eq!(warnings.len(), 10);
    for (at, warning) in warnings.iter().enumerate() {
        assert_eq!(warning.kind, WarningKind::Unreadable);
        let uid = format!("unique id {}", 5000 + 100 * (at + 1));
        assert!(warning.words.contains(&uid), "{}", warning.words);
    }
    client.noop().unwrap();
}

#[test]
fn an_imap_server_may_end_its_lines_in_lf_from_its_greeting_on() {
    let script = Script::run(|peer| {
        peer.say("* OK [CAPABILITY IMAP4rev1] hello\n");
        peer.answer("{tag} OK [CAPABILITY IMAP4rev1] in\n");
        peer.answer("* LIST () \"/\" \"\"\n{tag} OK done\n");
        peer.answer("* 1 EXISTS\n{tag} OK done\r\n");
        peer.answer("* 1 FETCH (BODY[] {5}\na\r\nb\n)\n{tag} OK done\n");
        peer.hear_rest();
    });
    let mut client = imap(&script).unwrap();
    client.select("inbox", false).unwrap();
    let items = FetchItems::parse("BODY.PEEK[]").unwrap();
    let letters = client.fetch_all(&Messages::numbers([1]), &items).unwrap();
    assert_eq!(letters[0].text("BODY[]"), Some(&b"a\r\nb\n"[..]));
}

#[test]
fn a_pop_server_may_end_its_lines_in_lf_from_its_greeting_on() {
    let script = Script::run(|peer| {
        peer.say("+OK hello\n");
        for reply in ["-ERR\n", "+OK\n", "+OK\n", "-ERR\n", "+OK 1 9\n"] {
            peer.answer(reply);
        }
        peer.answer("+OK\na\n..b\n.\n");
        peer.answer("+OK\n1 x\n2 y\n.\n");
        peer.hear_rest();
    });
    let mut client =
        PopClient::connect(&Connector::default(), "127.0.0.1", &credentials(), &options(&script))
            .unwrap();
    assert_eq!(client.letter(1, None).unwrap(), b"a\n.b\n");
    assert_eq!(client.unique_ids().unwrap().len(), 2);
}

#[test]
fn smtp_servers_say_what_they_can_in_many_ways() {
    for (hello, size) in [
        ("250-here\r\n250-AUTH=LOGIN\r\n250-AUTH PLAIN\r\n250 SIZE\r\n", 0),
        ("250-here\r\n250-auth=plain login\r\n250-XCLIENT NAME HELO\r\n250 size 5\r\n", 5),
        ("250-here\n250-AUTH  PLAIN  LOGIN\n250-\n250-\u{fc}\n250 SIZE=5\n", 5),
        ("250-here\r\n250-8BITMIME\tx\r\n250-AUTH\tPLAIN\r\n250-SIZE 5 6\r\n250\r\n", 5),
    ] {
        let script = Script::run(move |peer| {
            peer.say(if hello.contains('\r') { "220 hello\r\n" } else { "220 hello\n" });
            peer.answer(hello);
            // Not even the initial response is heard by all.
            peer.answer("334 go ahead\r\n");
            peer.answer("235 in\r\n");
            peer.hear_rest();
        });
        let credentials = Some(credentials());
        let mut client = SmtpClient::connect(
            &Connector::default(),
            "127.0.0.1",
            None,
            credentials.as_ref(),
            &options(&script),
        )
        .unwrap_or_else(|error| panic!("{hello:?}: {error}"));
        let to = ["a@example.org".to_owned()];
        let envelope =
            Envelope { from: "b@example.org", to: &to, partial: false, long_lines: false };
        let refused = size > 0;
        if refused {
            let error = client.send(&envelope, b"Subject: longer\n").unwrap_err();
            assert!(matches!(error, Error::Unsupported(_)), "{hello:?}: {error}");
        }
        assert!(client.has("SIZE"), "{hello:?}");
        drop(client);
        let heard = script.heard();
        assert_eq!(heard[1].split(' ').nth(2), Some(&heard[2][..]), "{heard:?}");
    }
}

#[test]
fn a_refused_login_tells_the_reason_that_came_before() {
    for (answer, words) in [
        ("* BYE too many connections\r\n{tag} NO login failed\r\n", "too many connections"),
        ("{tag} NO login failed\r\n", "login failed"),
    ] {
        let script = Script::run(move |peer| {
            peer.say("* OK [CAPABILITY IMAP4rev1] hello\r\n");
            peer.answer(answer);
            peer.hear_rest();
        });
        let error = imap(&script).err().unwrap();
        assert!(
            matches!(&error, Error::Authentication { words: told, .. } if told.contains(words)),
            "{error:?}"
        );
    }
    // Without a refusal it is the server that goes.
    let script = Script::run(|peer| {
        peer.say("* OK [CAPABILITY IMAP4rev1] hello\r\n");
        peer.answer("* BYE going down\r\n");
        peer.hang_up();
    });
    assert!(matches!(imap(&script).err().unwrap(), Error::Bye { words } if words == "going down"));
}

#[test]
fn an_initial_response_that_was_not_heard_is_sent_again() {
    for challenge in ["+ go ahead\r\n", "+\r\n", "+ \r\n", "+go\r\n"] {
        let script = Script::run(move |peer| {
            peer.say("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\r\n");
            let tag = peer.hear().split(' ').next().unwrap().to_owned();
            peer.say(challenge);
            peer.hear();
            peer.say(&format!("{tag} OK [CAPABILITY IMAP4rev1] in\r\n"));
            peer.answer("{tag} OK done\r\n");
            peer.hear_rest();
        });
        drop(imap(&script).unwrap());
        let heard = script.heard();
        assert_eq!(heard[0].rsplit(' ').next(), Some(&heard[1][..]), "{challenge:?} {heard:?}");
    }
}

#[test]
fn a_server_that_offers_id_is_told_after_the_login_what_the_script_says() {
    let version = env!("CARGO_PKG_VERSION");
    for (option, told) in [
        ("", Some(format!("ID (\"name\" \"postoffice\" \"version\" \"{version}\")"))),
        (":id '(:name \"x\" :os nil)", Some("ID (\"name\" \"x\" \"os\" NIL)".to_owned())),
        (":id '((\"name\" . \"y\"))", Some("ID (\"name\" \"y\")".to_owned())),
        (":id nil", None),
    ] {
        for capabilities in ["IMAP4rev1 ID", "IMAP4rev1"] {
            let told = told.clone().filter(|_| capabilities.ends_with("ID"));
            let is_told = told.is_some();
            let script = Script::run(move |peer| {
                peer.say(&format!("* OK [CAPABILITY {capabilities}] hello\r\n"));
                peer.answer("{tag} OK in\r\n");
                peer.answer(&format!("* CAPABILITY {capabilities}\r\n{{tag}} OK done\r\n"));
                if is_told {
                    peer.answer("{tag} NO nobody asked\r\n"); // a refusal changes nothing
                }
                peer.answer("* LIST () \"/\" \"\"\r\n{tag} OK done\r\n");
                peer.answer("{tag} OK done\r\n");
                peer.hear_rest();
            });
            let port = script.address.port();
            let mut session = Session::new(Vec::new());
            attach(session.host(), &Setup::default());
            let text = session
                .evaluate(&format!(
                    "(noop (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\" {option}))"
                ))
                .text();
            assert_eq!(text, "nil", "{option}");
            drop(session);
            let heard = script.heard();
            let sent = heard.iter().find_map(|line| {
                Some(line.split_once(' ')?.1).filter(|line| line.starts_with("ID"))
            });
            assert_eq!(sent, told.as_deref(), "{option}");
        }
    }
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::default());
    for wrong in ["5", "'(:name)", "'(:name 5)", "'(\"x\" . 5)"] {
        let text = session
            .evaluate(&format!("(make-imap-connection \"127.0.0.1\" :port 1 :user \"u\" :password \"p\" :id {wrong})"))
            .text();
        assert!(text.contains("[:syntax-error]"), "{wrong}: {text}");
    }
}
