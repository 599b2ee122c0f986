//! Replays the transcripts in `tests/golden` on the sandbox, and the manual's session on Dovecot
//! too.
//!
//! A transcript has inputs after a prompt and the replies they must give; its other paragraphs are
//! prose, and a line with `;;;` is a directive to the sandbox. Blessing a transcript whose replies
//! agree must give back the same text.

use crate::support::Server;
use postoffice::api::{Setup, attach};
use postoffice::client::{Credentials, ImapClient};
use postoffice::command::arguments::Global;
use postoffice::command::replay_text;
use postoffice::proto::imap::Messages;
use postoffice::repl::{Environment, Limits, Session, replay};
use postoffice::sandbox::{Options, Sandbox, seed};
use postoffice::transport::Connector;
use std::fs;
use std::path::Path;

fn golden() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "repl"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn every_transcript_agrees_on_the_sandbox() {
    let transcripts = golden();
    assert!(transcripts.len() >= 4);
    for (name, text) in transcripts {
        let outcome = replay_text(
            &Global::default(),
            &text,
            &name,
            Path::new("tests/golden"),
            &mut |_, _| {},
        )
        .unwrap();
        assert!(outcome.differences.is_empty(), "{}", outcome.differences.join("\n"));
        assert_eq!(outcome.stop, None, "{name}");
        assert!(outcome.agreed > 5, "{name}");
        assert_eq!(outcome.blessed, text, "{name}");
    }
}

/// Delivers letters to a real server, in place of the sandbox's `deliver` directive.
struct Delivering<'s>(&'s Server);

impl Environment for Delivering<'_> {
    fn direct(&mut self, directive: &str, _: &Path, _: &mut Session) -> Result<(), String> {
        assert_eq!(directive, "deliver next-letter");
        append(&mut manual_account(self.0), seed::NEXT_LETTER.as_bytes());
        Ok(())
    }
}

fn manual_account(server: &Server) -> ImapClient {
    let credentials = Credentials::new(format!("manual-{}", server.user), "mypasswd");
    ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials, &server.options())
        .unwrap()
}

fn append(client: &mut ImapClient, letter: &[u8]) {
    let text =
        String::from_utf8(letter.to_vec()).unwrap().replace("\r\n", "\n").replace('\n', "\r\n");
    client.append("INBOX", &[], None, text.as_bytes()).unwrap();
}

#[test]
fn the_manuals_session_agrees_on_dovecot() {
    let Some(server) = Server::dovecot() else { return };
    // The inbox must hold the same seven letters as the sandbox's, the last with UID 68, so 61
    // others are appended and removed first.
    let mut client = manual_account(&server);
    for _ in 1..=61 {
        append(&mut client, b"Subject: x\n\nx\n");
    }
    client.select("INBOX", false).unwrap();
    let deleted = [postoffice::proto::imap::flag::Flag::new("\\Deleted").unwrap()];
    let mut all = postoffice::proto::imap::SequenceSet::new();
    all.push_range(
        postoffice::proto::imap::sequence::Bound::Number(std::num::NonZeroU32::MIN),
        postoffice::proto::imap::sequence::Bound::Last,
    );
    client
        .store_silently(
            &Messages::Numbers(all.clone()),
            postoffice::proto::imap::command::StoreMode::Add,
            &deleted,
        )
        .unwrap();
    client.expunge().unwrap();
    let sandbox = Sandbox::start(Options::default()).unwrap();
    for letter in sandbox.store().letters("myacct", "INBOX") {
        append(&mut client, &letter.bytes);
    }
    client.close();

    let text = include_str!("../golden/imap-session.repl");
    // This test has a user of its own, and Dovecot announces expunged messages in another order.
    let text = text
        .replace("\"myacct\"", &format!("\"manual-{}\"", server.user))
        .replace("(1 1 1 1 1 1 1)", "(7 6 5 4 3 2 1)");
    let mut connector = Connector::default();
    connector
        .redirects
        .push(format!("mailmachine.franz.com=127.0.0.1:{}", server.port).parse().unwrap());
    let mut session = Session::new(Vec::new());
    attach(
        session.host(),
        &Setup {
            connector,
            router: None,
            limits: Default::default(),
            ask_secret: None,
            ..Setup::default()
        },
    );
    let outcome = replay(
        &text,
        "imap-session.repl",
        Path::new("."),
        &mut session,
        &mut Delivering(&server),
        &Limits::default(),
        &mut |_, _| {},
    )
    .unwrap();
    assert!(outcome.differences.is_empty(), "{}", outcome.differences.join("\n"));
    assert_eq!(outcome.agreed, 19);
}

#[test]
fn the_session_in_the_readme_agrees() {
    let readme = include_str!("../../README.md");
    let session: Vec<&str> = readme
        .lines()
        .skip_while(|line| !line.starts_with("    user(1):"))
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    let outcome = replay_text(
        &Global::default(),
        &session.join("\n"),
        "README.md",
        Path::new("."),
        &mut |_, _| {},
    )
    .unwrap();
    assert!(outcome.differences.is_empty(), "{}", outcome.differences.join("\n"));
    assert_eq!(outcome.agreed, 7);
}
