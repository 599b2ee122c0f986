//! `mailbox-report` compared with the store: its numbers, the commands it sends, servers with odd
//! answers, and the page in a browser.

mod browser;

use crate::support::script::{Peer, Script};
use crate::support::{Server, empty};
use jiff::{Timestamp, tz::TimeZone};
use postoffice::api::{Setup, attach};
use postoffice::proto::imap::flag::Flag;
use postoffice::repl::Session;
use postoffice::sandbox::{Letter, Options, Sandbox};
use postoffice::transport::Connector;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A number of letters and a number of bytes.
type Count = (u64, u64);

/// The numbers of a report, computed from the store's letters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    all: Count,
    unseen: u64,
    senders: BTreeMap<String, Count>,
    months: BTreeMap<String, Count>,
    sizes: BTreeMap<u64, Count>,
}

impl Expected {
    fn of(letters: &[Letter]) -> Expected {
        let mut expected = Expected::default();
        let add = |count: &mut Count, bytes| *count = (count.0 + 1, count.1 + bytes);
        for class in [0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
            expected.sizes.insert(class, (0, 0));
        }
        for letter in letters {
            let bytes = letter.bytes.len() as u64;
            let text = String::from_utf8_lossy(&letter.bytes);
            let from = text.lines().find_map(|line| line.strip_prefix("From: ")).unwrap();
            let address = from
                .rsplit_once('<')
                .map_or(from, |(_, address)| address.trim_end_matches('>'))
                .to_lowercase();
            add(&mut expected.all, bytes);
            expected.unseen += u64::from(!letter.flags.iter().any(|flag| flag == "\\Seen"));
            add(expected.senders.entry(address).or_default(), bytes);
            add(
                expected
                    .months
                    .entry(letter.internal_date.strftime("%Y-%m").to_string())
                    .or_default(),
                bytes,
            );
            add(expected.sizes.range_mut(..=bytes).next_back().unwrap().1, bytes);
        }
        expected
    }

    /// Reads the numbers from a report's two values in JSON.
    fn told(report: &Value) -> Expected {
        let number = |value: &Value| value.as_u64().unwrap();
        let (totals, details) = (&report[0], &report[1]);
        let counts = |name: &str| details[name].as_array().unwrap().clone();
        let count = |entry: &Value| {
            let fields = entry.as_array().unwrap();
            (number(&fields[fields.len() - 2]), number(&fields[fields.len() - 1]))
        };
        let text = |entry: &Value| entry[0].as_str().unwrap().to_owned();
        let expected = Expected {
            all: (number(&totals["messages"]), number(&totals["bytes"])),
            unseen: number(&totals["unseen"]),
            senders: counts("senders").iter().map(|entry| (text(entry), count(entry))).collect(),
            months: counts("months").iter().map(|entry| (text(entry), count(entry))).collect(),
            sizes: counts("sizes").iter().map(|entry| (number(&entry[0]), count(entry))).collect(),
        };
        assert_eq!(number(&totals["senders"]), expected.senders.len() as u64);
        expected
    }
}

/// A session with `mb`, whose inbox holds `count` letters of many senders, days and sizes. They are
/// the same in every run.
fn session_with_letters(count: usize) -> (Session, Arc<Sandbox>) {
    let setup =
        Setup::sandboxed(Options { seed: postoffice::sandbox::Seed::Empty, ..Options::default() })
            .unwrap();
    let sandbox = setup.router.as_ref().unwrap().sandbox().clone();
    let names = [
        "Ada Lovelace",
        "=?utf-8?Q?J=C3=B6rg?=",
        "\"<script>alert(1)</script>\"",
        "=?utf-8?Q?=E2=80=AEfdp=2Eexe?=",
        "=?utf-8?B?5pel5pys?=",
        "",
    ];
    for number in 0..count {
        let sender = number * number % 37;
        let address = format!("Sender{sender}@{}Example.org", "a-long-name.".repeat(sender % 5));
        let size = [100, 900, 5_000, 40_000, 150_000][number * 7 % 11 % 5];
        let body = format!("{}\n", "x".repeat(70)).repeat(size / 71);
        let letter = format!(
            "From: {} <{address}>\nSubject: {number}\n\n{body}",
            names[sender % names.len()]
        );
        let day = Timestamp::from_second(937_180_803 + number as i64 * 40_000)
            .unwrap()
            .to_zoned(TimeZone::UTC);
        let flags: &[&str] = if number.is_multiple_of(3) { &["\\Seen"] } else { &[] };
        sandbox
            .store()
            .deliver_with("myacct", "INBOX", letter.as_bytes(), flags, Some(day))
            .unwrap();
    }
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    for form in [
        r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))"#,
        r#"(select-mailbox mb "inbox")"#,
    ] {
        assert!(session.evaluate(form).result.is_ok());
    }
    (session, sandbox)
}

/// Returns both values of a report as JSON.
fn report(session: &mut Session, arguments: &str) -> Value {
    let form = format!(
        "(multiple-value-bind (totals details) (mailbox-report mb {arguments}) (->json (list totals details)))"
    );
    let reply = session.evaluate(&form);
    let json: String = serde_json::from_str(&reply.result.unwrap()).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn the_numbers_are_those_of_the_store() {
    let (mut session, sandbox) = session_with_letters(1_000);
    let letters = sandbox.store().letters("myacct", "INBOX");
    let before = sandbox.received().len();
    assert_eq!(Expected::told(&report(&mut session, ":top 1000")), Expected::of(&letters));
    let asked = sandbox.received().split_off(before);
    assert_eq!(asked.len(), 1, "one command: {asked:?}");
    let after = sandbox.store().letters("myacct", "INBOX");
    assert!(
        letters.iter().zip(&after).all(|(before, after)| before.flags == after.flags),
        "a flag has changed"
    );
    let some = Expected::told(&report(
        &mut session,
        ":top 1000 :uid t :messages '((:seq 3 5) 9 (:seq 990 :*))",
    ));
    let of =
        |letter: &&Letter| (3..=5).contains(&letter.uid) || letter.uid == 9 || letter.uid >= 990;
    assert_eq!(some, Expected::of(&letters.iter().filter(of).cloned().collect::<Vec<_>>()));
}

#[test]
fn every_server_gives_the_same_report() {
    // Servers report dates in a time zone of their own. These dates are in the same month in every
    // zone.
    let letters = [
        (
            "From: =?utf-8?Q?J=C3=B6rg?= <Joerg@Example.org>\r\nSubject: one\r\n\r\nx\r\n",
            "13-Sep-1999 11:36:26 +0000",
            "\\Seen",
        ),
        (
            "From: friends: ann@example.org, joe@example.org;\r\n\r\nx\r\n",
            "15-Dec-1999 23:59:59 -0700",
            "\\Flagged",
        ),
        ("Subject: nobody\r\n\r\nx\r\n", "15-Jan-2000 00:00:00 +0000", "\\Seen"),
        (
            "From:\r\n \"a (\\\"quoted\\\") name\"\r\n\t<joerg@example.ORG>\r\n\r\nx\r\n",
            " 5-Feb-2000 12:00:00 +0000",
            "\\Answered",
        ),
    ];
    let mut reports = Vec::new();
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        let mut client = server.connect();
        for (letter, date, flag) in letters {
            client
                .append(
                    "INBOX",
                    &[Flag::new(flag).unwrap()],
                    Some(date.parse().unwrap()),
                    letter.as_bytes(),
                )
                .unwrap();
        }
        client.close();
        let mut session = Session::new(Vec::new());
        attach(
            session.host(),
            &Setup {
                connector: Connector::default(),
                router: None,
                limits: Default::default(),
                ask_secret: None,
                ..Setup::default()
            },
        );
        let connect = format!(
            "(make-imap-connection \"127.0.0.1\" :user {:?} :password {:?} :port {})",
            server.user, server.password, server.port
        );
        for form in [format!("(setq mb {connect})"), "(select-mailbox mb \"inbox\")".to_owned()] {
            assert!(session.evaluate(&form).result.is_ok());
        }
        let told = report(&mut session, "");
        assert_eq!(told[0]["unseen"], 2, "{}", server.name);
        assert_eq!(
            told[1]["senders"][0].as_array().unwrap()[..3],
            [json!("joerg@example.org"), json!("J\u{f6}rg"), json!(2)],
            "{}",
            server.name
        );
        assert_eq!(told[1]["senders"][1][0], "ann@example.org", "{}", server.name);
        assert_eq!(told[1]["months"].as_array().unwrap().len(), 4, "{}: {told}", server.name);
        let Value::Object(mut totals) = told[0].clone() else { panic!("{told}") };
        totals.remove("first");
        totals.remove("last");
        reports.push((totals, told[1].clone()));
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]), "{reports:#?}");
}

#[test]
fn a_few_senders_are_shown_and_all_are_counted() {
    let (mut session, sandbox) = session_with_letters(200);
    let expected = Expected::of(&sandbox.store().letters("myacct", "INBOX"));
    let told = report(&mut session, ":top 2");
    assert_eq!(told[0]["senders"], json!(expected.senders.len()));
    let shown = told[1]["senders"].as_array().unwrap();
    let mut most: Vec<Count> = expected.senders.values().copied().collect();
    most.sort_unstable_by(|left, right| right.cmp(left));
    assert_eq!(
        shown.iter().map(|sender| sender[2].as_u64().unwrap()).collect::<Vec<_>>(),
        most[..2].iter().map(|count| count.0).collect::<Vec<_>>()
    );
}

/// Returns both values of a report on a server that answers FETCH with these lines.
fn report_on(answer: &'static str) -> Value {
    let script = Script::run(move |peer: &mut Peer| {
        peer.log_in("");
        peer.answer(
            "* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] x\r\n{tag} OK [READ-WRITE] done\r\n",
        );
        peer.answer(answer);
        peer.hear_rest();
    });
    let mut connector = Connector::default();
    connector.redirects.push(format!("h={}", script.address).parse().unwrap());
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
    for form in [
        r#"(setq mb (make-imap-connection "h" :user "u" :password "p" :tls :none))"#,
        r#"(select-mailbox mb "inbox")"#,
    ] {
        let reply = session.evaluate(form);
        assert!(reply.result.is_ok(), "{}", reply.text());
    }
    report(&mut session, "")
}

#[test]
fn odd_answers_are_counted_as_far_as_they_make_sense() {
    let told = report_on(
        "* 1 FETCH (FLAGS () RFC822.SIZE 9223372036854775807 INTERNALDATE \"01-Jan-0001 00:00:00 +0000\" BODY[HEADER.FIELDS (FROM)] NIL)\r\n\
         * 2 FETCH (RFC822.SIZE 9223372036854775807 INTERNALDATE \"never\" BODY[HEADER.FIELDS (FROM)] {24}\r\nFrom: a@x, <b@y>, ;:\r\n\r\n)\r\n\
         * 2 FETCH (FLAGS (\\Seen) RFC822.SIZE 5)\r\n\
         * 1 FETCH (FLAGS (\\Seen))\r\n\
         * 9 FETCH (RFC822.SIZE -7)\r\n\
         * 3 FETCH (FLAGS (\\Seen) RFC822.SIZE 99999999999999999999 INTERNALDATE \"31-Dec-9999 23:59:59 +0000\")\r\n\
         {tag} OK done\r\n",
    );
    let totals = &told[0];
    // Message 9 counts, because letters may have arrived since the SELECT; message 2 counts once.
    assert_eq!(
        (&totals["messages"], &totals["unseen"], &totals["senders"]),
        (&json!(4), &json!(3), &json!(1))
    );
    assert_eq!(totals["bytes"], json!(i64::MAX), "sums stop at the largest integer");
    assert_eq!((&totals["first"], &totals["last"]), (&json!("0001-01-01"), &json!("9999-12-31")));
    assert_eq!(told[1]["senders"], json!([["a@x", null, 1, i64::MAX]]));
}

#[test]
fn a_report_that_cannot_be_written_asks_nothing_twice_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    std::fs::write(&path, "old").unwrap();
    let (mut session, _sandbox) = session_with_letters(3);
    let page = path.display().to_string();
    let refused = session.evaluate(&format!(
        "(mailbox-report mb :messages 70000 :html {:?})",
        format!("{page}/below")
    ));
    assert!(
        refused.text().contains("[:file]") || refused.text().contains("[:error-response]"),
        "{}",
        refused.text()
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    assert!(session.evaluate(&format!("(mailbox-report mb :html {page:?})")).result.is_ok());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("<!doctype html>"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
