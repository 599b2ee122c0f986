//! UTF8=ACCEPT (RFC 6855) and IMAP4rev2 (RFC 9051): names, strings and searches in UTF-8 once the
//! server has enabled it, the same results on servers that have neither, and servers that say so and
//! go on as before.

use crate::support::script::{Peer, Script};
use crate::support::{Server, empty, on_every_server};
use postoffice::client::{ConnectOptions, Credentials, ImapClient, ListRequest, StatusValue};
use postoffice::proto::imap::{Flag, Messages, SearchKey};
use postoffice::sandbox::{Extension, Extensions, Options};
use std::borrow::Cow;

const LETTER: &str = "From: Jörg <j@example.org>\nSubject: Grüße aus Köln\n\nSchöne Grüße\n";

fn sandbox(extensions: Extensions) -> Server {
    Server::sandbox(Options { extensions, ..empty() })
}

fn on_every_kind_of_server(test: impl Fn(&Server)) {
    on_every_server(&test);
    let all = Extensions::default();
    test(&sandbox(all.without(Extension::Utf8Accept)));
    test(&sandbox(all.with(Extension::Rev2)));
    test(&sandbox(all.with(Extension::Rev2).without(Extension::Utf8Accept)));
    test(&sandbox(all.without(Extension::LiteralPlus)));
    test(&sandbox(Extensions::none()));
}

fn names(client: &mut ImapClient, request: ListRequest<'_>) -> Vec<String> {
    let request = ListRequest { pattern: "*", ..request };
    let mut names: Vec<String> =
        client.list_with(&request).unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    names
}

#[test]
fn names_headers_and_searches_are_the_same_on_every_server() {
    on_every_kind_of_server(|server| {
        let mut client = server.with_letters(&[LETTER, "Subject: plain\n\nx\n"]);
        for name in ["Entwürfe", "日本語", "R&D", "a&-b", "\"quoted\" ü"] {
            client.create(name).unwrap();
            client.subscribe(name).unwrap();
        }
        client.rename("日本語", "仕事/日本語").unwrap();
        client.unsubscribe("R&D").unwrap();
        let mut found = names(&mut client, ListRequest::default());
        found.retain(|name| name != "仕事"); // not every server makes it
        assert_eq!(found, ["\"quoted\" ü", "Entwürfe", "INBOX", "R&D", "a&-b", "仕事/日本語"]);
        let subscribed = names(&mut client, ListRequest { subscribed: true, ..Default::default() });
        assert!(subscribed.contains(&"Entwürfe".to_owned()), "{subscribed:?}");
        assert!(!subscribed.contains(&"R&D".to_owned()), "{subscribed:?}");
        let below = client.list("", "仕事/%").unwrap();
        assert_eq!(below[0].name, "仕事/日本語");
        let status = client.status("Entwürfe", &["MESSAGES".into(), "RECENT".into()]).unwrap();
        assert_eq!(status.len(), 2);
        assert!(status.contains(&("RECENT".to_owned(), StatusValue::Number(0))), "{status:?}");

        client.select("INBOX", false).unwrap();
        for key in [
            SearchKey::Subject("GRÜSSE".into()),
            SearchKey::Subject("köln".into()),
            SearchKey::Body("schöne".into()),
            SearchKey::Or(vec![SearchKey::Text("Köln".into()), SearchKey::Text("nowhere".into())]),
        ] {
            let found = client.uid_search(&key).unwrap();
            let is_folded = key == SearchKey::Subject("GRÜSSE".into());
            assert!(found == [1] || (is_folded && found.is_empty()), "{key:?} {found:?}");
        }
        let key = client.understood(&SearchKey::Recent).map(Cow::into_owned).unwrap();
        client.uid_search(&key).unwrap();
        client.copy(&Messages::Uids("1".parse().unwrap()), "Entwürfe").unwrap();
        client.select("Entwürfe", false).unwrap();
        assert_eq!(client.selected().unwrap().exists, 1);
        let fetched =
            client.fetch_all(&Messages::all(), &"(ENVELOPE BODY.PEEK[])".parse().unwrap()).unwrap();
        let text = fetched[0].text("BODY[]").unwrap();
        assert_eq!(String::from_utf8_lossy(text), LETTER.replace('\n', "\r\n"));
        for name in ["仕事/日本語", "R&D", "a&-b", "\"quoted\" ü"] {
            client.select(name, true).unwrap();
            assert_eq!(client.selected().unwrap().name, name);
        }
        client.logout().unwrap();
    });
}

#[test]
fn streamed_letters_with_headers_in_utf8_arrive_whole() {
    on_every_kind_of_server(|server| {
        let mut client = server.connect();
        let letter =
            format!("{LETTER}{}", "More of the same\n".repeat(10_000)).replace('\n', "\r\n");
        let length = letter.len() as u64;
        let flags = [Flag::new("\\Seen").unwrap()];
        client.append_from("INBOX", &flags, None, length, &mut letter.as_bytes()).unwrap();
        client.select("INBOX", true).unwrap();
        let fetched = client.fetch_all(&Messages::all(), &"BODY.PEEK[]".parse().unwrap()).unwrap();
        assert!(fetched[0].text("BODY[]").unwrap() == letter.as_bytes());
    });
}

/// What a server hears from `operation`, on which `enabled` is what it answers to ENABLE.
fn heard(
    capabilities: &'static str,
    enabled: &'static str,
    answers: &'static [&'static str],
    operation: impl FnOnce(&mut ImapClient),
) -> Vec<String> {
    let script = Script::run(move |peer| {
        log_in(peer, capabilities, enabled);
        for answer in answers {
            peer.answer(answer);
        }
        peer.hear_rest();
    });
    let mut client = script.connect();
    operation(&mut client);
    client.abandon();
    let heard = script.heard();
    let without_tag = |line: &String| {
        let (tag, rest) = line.split_once(' ').unwrap_or(("", line));
        if tag.starts_with('A') { rest.to_owned() } else { line.clone() }
    };
    heard.iter().skip(2).map(without_tag).collect()
}

fn log_in(peer: &mut Peer, capabilities: &str, enabled: &str) {
    peer.log_in(&format!("LITERAL+ {capabilities}"));
    if !enabled.is_empty() {
        peer.answer(enabled);
    }
}

const OK: &str = "{tag} OK done\r\n";
const ENABLED: &str = "* ENABLED UTF8=ACCEPT\r\n{tag} OK done\r\n";
const SELECTED: &str = "* 0 EXISTS\r\n{tag} OK [READ-WRITE] done\r\n";
const FOUND: &str = "* SEARCH 1\r\n{tag} OK done\r\n";

fn select_search_and_append(client: &mut ImapClient) {
    client.select("Entwürfe", false).unwrap();
    let key = SearchKey::And(vec![SearchKey::Subject("Grüße".into()), SearchKey::Seen]);
    assert_eq!(client.search(&key).unwrap(), [1]);
    for letter in ["Subject: ü\r\n\r\n", "Subject: u\r\n\r\nü"] {
        client.append("INBOX", &[], None, letter.as_bytes()).unwrap();
    }
}

#[test]
fn what_is_sent_depends_on_what_is_enabled() {
    let answers = &[SELECTED, FOUND, "", "", "A6 OK done\r\n", "", "", "A7 OK done\r\n"];
    let utf8 = [
        "ENABLE UTF8=ACCEPT",
        "SELECT \"Entwürfe\"",
        "SEARCH SUBJECT \"Grüße\" SEEN",
        "APPEND INBOX UTF8 (~{15+}",
        "Subject: ü",
        ")",
        "APPEND INBOX {16+}",
        "Subject: u",
        "ü",
    ];
    assert_eq!(heard("ENABLE UTF8=ACCEPT", ENABLED, answers, select_search_and_append), utf8);
    // UTF8=ONLY demands it.
    assert_eq!(heard("ENABLE UTF8=ONLY", ENABLED, answers, select_search_and_append), utf8);
    let plain = [
        "SELECT Entw&APw-rfe",
        "SEARCH CHARSET UTF-8 SUBJECT {7+}",
        "Grüße SEEN",
        "APPEND INBOX {15+}",
        "Subject: ü",
        "APPEND INBOX {16+}",
        "Subject: u",
        "ü",
    ];
    for (capabilities, enabled, sent) in [
        ("", "", 0),
        ("UTF8=ACCEPT", "", 0),
        ("ENABLE", "", 0),
        ("ENABLE UTF8=ACCEPT", "{tag} NO not today\r\n", 1),
        ("ENABLE UTF8=ACCEPT", "{tag} BAD what?\r\n", 1),
        ("ENABLE UTF8=ACCEPT", "* ENABLED\r\n{tag} OK done\r\n", 1),
        ("ENABLE UTF8=ACCEPT", OK, 1),
    ] {
        let answers: &[&str] = match sent {
            0 => &[SELECTED, FOUND, "", "", "A5 OK done\r\n", "", "", "A6 OK done\r\n"],
            _ => &[SELECTED, FOUND, "", "", "A6 OK done\r\n", "", "", "A7 OK done\r\n"],
        };
        let all = heard(capabilities, enabled, answers, select_search_and_append);
        assert_eq!(all[sent..], plain, "{capabilities} {enabled}");
    }
}

#[test]
fn nothing_is_enabled_that_was_not_asked_for() {
    let script = Script::run(|peer| {
        peer.log_in("ENABLE UTF8=ACCEPT");
        peer.answer("* ENABLED UTF8=ACCEPT IMAP4rev2\r\n* 0 EXISTS\r\n{tag} OK done\r\n");
        peer.answer("* 0 EXISTS\r\n{tag} OK done\r\n");
        peer.hear_rest();
    });
    let options =
        ConnectOptions { port: Some(script.address.port()), utf8: false, ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    let mut client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    client.select("INBOX", false).unwrap();
    client.select("Entwürfe", false).unwrap();
    client.abandon();
    assert_eq!(script.heard()[2..], ["A3 SELECT INBOX", "A4 SELECT Entw&APw-rfe"]);
}

#[test]
fn a_server_that_goes_on_with_modified_utf7_loses_no_mailbox() {
    let script = Script::run(|peer| {
        log_in(peer, "ENABLE UTF8=ACCEPT", ENABLED);
        peer.answer(
            "* LIST () \"/\" Entw&APw-rfe\r\n* LIST () \"/\" a&-b\r\n* LIST () \"/\" R&D\r\n{tag} OK done\r\n",
        );
        for _ in 0..4 {
            peer.answer(SELECTED);
        }
        peer.hear_rest();
    });
    let mut client = script.connect();
    let listed: Vec<String> =
        client.list("", "*").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(listed, ["Entwürfe", "a&-b", "R&D"]);
    for name in listed.iter().map(String::as_str).chain(["Köln"]) {
        client.select(name, false).unwrap();
    }
    client.abandon();
    assert_eq!(
        script.heard()[4..],
        ["A5 SELECT Entw&APw-rfe", "A6 SELECT a&-b", "A7 SELECT R&D", "A8 SELECT K&APY-ln"]
    );
}

#[test]
fn imap4rev2_has_no_lsub_and_no_recent_and_answers_with_esearch() {
    let answers = &[
        "* LIST (\\Subscribed) \"/\" \"Entwürfe\"\r\n{tag} OK done\r\n",
        "* STATUS x (MESSAGES 2)\r\n{tag} OK done\r\n",
        "* 2 EXISTS\r\n* LIST () \"/\" x\r\n{tag} OK done\r\n",
        "* ESEARCH (TAG \"A7\") ALL 1:2\r\n{tag} OK done\r\n",
        "* OK [CLOSED] left\r\n* 0 EXISTS\r\n* LIST () \"/\" \"Köln\" (\"OLDNAME\" (\"x\"))\r\n{tag} OK done\r\n",
    ];
    let enabled = "* ENABLED IMAP4REV2\r\n{tag} OK done\r\n";
    let sent = heard("IMAP4rev2", enabled, answers, |client| {
        assert_eq!(
            names(client, ListRequest { subscribed: true, ..Default::default() }),
            ["Entwürfe"]
        );
        let status = client.status("x", &["RECENT".into(), "MESSAGES".into()]).unwrap();
        assert_eq!(status[1], ("RECENT".to_owned(), StatusValue::Number(0)));
        client.select("x", false).unwrap();
        let key = SearchKey::And(vec![
            SearchKey::Not(Box::new(SearchKey::New)),
            SearchKey::Old,
            SearchKey::From("ü".into()),
        ]);
        let key = client.understood(&key).map(Cow::into_owned).unwrap();
        assert_eq!(client.search(&key).unwrap(), [1, 2]);
        client.select("Köln", false).unwrap();
        assert!(client.take_warnings().is_empty());
    });
    assert_eq!(
        sent,
        [
            "ENABLE IMAP4rev2",
            "LIST (SUBSCRIBED) \"\" \"*\" RETURN (CHILDREN)",
            "STATUS x (MESSAGES)",
            "SELECT x",
            "SEARCH NOT NOT ALL ALL FROM \"ü\"",
            "SELECT \"Köln\"",
        ]
    );
}
