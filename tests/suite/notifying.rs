//! NOTIFY (RFC 5465): news of many mailboxes over one connection, and how the client takes them.

use crate::sandbox::client::Client;
use crate::support::script::{Peer, Script};
use crate::support::{Server, empty, on_every_server};
use postoffice::client::{
    ConnectOptions, Credentials, Error, ImapClient, ListRequest, MailboxNews, StatusValue,
};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::{Flag, Messages, SearchKey};
use postoffice::sandbox::{Extension, Extensions, Options};

const NEW: &[u8] = b"Subject: new\r\n\r\nx\r\n";
const NAMES: [&str; 4] = ["work", "Entw\u{fc}rfe", "R&D", "\u{65e5}\u{672c}/x"];

fn append(server: &Server, mailbox: &str) {
    server.connect().append(mailbox, &[], None, NEW).unwrap();
}

/// Makes the mailboxes, with a letter in each, and connects.
fn with_mailboxes(server: &Server) -> ImapClient {
    let mut client = server.connect();
    for name in NAMES {
        client.create(name).unwrap();
        client.append(name, &[], None, NEW).unwrap();
    }
    client
}

fn uid_validity(client: &mut ImapClient, mailbox: &str) -> Option<u32> {
    let items = client.status(mailbox, &["UIDVALIDITY".to_owned()]).unwrap();
    let [(_, StatusValue::Number(number))] = &items[..] else { panic!("{items:?}") };
    u32::try_from(*number).ok()
}

/// Asks the server until it has told of the mailbox that this is its next UID. Other news are
/// dropped.
fn until_told(client: &mut ImapClient, name: &str, uid_next: u32) -> MailboxNews {
    loop {
        let news = client.take_mailbox_news();
        let is_it = |news: &MailboxNews| news.name == name && news.uid_next >= Some(uid_next);
        if let Some(news) = news.into_iter().find(is_it) {
            return news;
        }
        client.noop().unwrap();
    }
}

fn counts(news: &MailboxNews) -> (&str, Option<u32>, Option<u32>) {
    (&news.name, news.messages, news.uid_next)
}

#[test]
fn letters_in_many_mailboxes_are_news_on_one_connection() {
    let test = |server: &Server| {
        let mut client = with_mailboxes(server);
        let names = [&NAMES[..], &["missing", "work"]].concat();
        let told = client.notify(&names).unwrap();
        assert_eq!(
            told.iter().map(counts).collect::<Vec<_>>(),
            NAMES.map(|name| (name, Some(1), Some(2)))
        );
        assert!(client.is_notified() && !client.notify_overflowed());
        for news in &told {
            assert_eq!(news.uid_validity, uid_validity(&mut client, &news.name), "{}", news.name);
        }
        assert_eq!(client.take_mailbox_news(), [], "an answer without news is none");
        for (index, before) in told.iter().enumerate() {
            for _ in 0..=index {
                append(server, &before.name);
            }
            let (messages, uid_next) = (2 + index as u32, 3 + index as u32);
            let news = until_told(&mut client, &before.name, uid_next);
            assert_eq!(counts(&news), (&*before.name, Some(messages), Some(uid_next)));
            assert_eq!(news.uid_validity, before.uid_validity);
        }
        // Letters that leave, and a mailbox that did not exist.
        let mut other = server.connect();
        other.select("work", false).unwrap();
        other.store_silently(&Messages::all(), StoreMode::Add, &[Flag::DELETED]).unwrap();
        other.expunge().unwrap();
        while client.take_mailbox_news().iter().all(|news| news.messages != Some(0)) {
            client.noop().unwrap();
        }
        other.create("missing").unwrap();
        append(server, "missing");
        let news = until_told(&mut client, "missing", 2);
        assert_eq!(counts(&news), ("missing", Some(1), Some(2)));
        assert_eq!(news.uid_validity, uid_validity(&mut other, "missing"));
        assert!(client.take_warnings().is_empty());
    };
    on_every_server(test);
    // Names in modified UTF-7, and in UTF-8 on a server that is one of IMAP4rev2.
    let all = Extensions::default();
    for extensions in [all.without(Extension::Utf8Accept), all.with(Extension::Rev2)] {
        test(&Server::sandbox(Options { extensions, ..empty() }));
    }
}

#[test]
fn news_come_while_the_client_waits_for_letters_in_another_mailbox() {
    on_every_server(|server| {
        let mut client = with_mailboxes(server);
        client.select("INBOX", false).unwrap();
        client.notify(&NAMES).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                append(server, "R&D");
                append(server, "INBOX");
            });
            // News of another mailbox end a wait, too; Dovecot may tell of the inbox first.
            let mut told = Vec::new();
            while client.wait_for_mail(None).unwrap() != Some(1) {
                told.extend(client.take_mailbox_news());
            }
            if !told.iter().any(|news| news.name == "R&D" && news.messages == Some(2)) {
                assert_eq!(until_told(&mut client, "R&D", 3).messages, Some(2));
            }
        });
    });
}

#[test]
fn watching_changes_nothing() {
    on_every_server(|server| {
        let mut client = with_mailboxes(server);
        server.left_as_it_was("notify", || {
            client.notify(&NAMES).unwrap();
            client.noop().unwrap();
            client.notify_none().unwrap();
        });
    });
}

/// News come without a command, to a client that only listens.
#[test]
fn servers_send_news_without_being_asked() {
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        let mut client = server.connect();
        client.create("work").unwrap();
        let mut listener = Client::raw(([127, 0, 0, 1], server.port).into());
        listener.line();
        listener.ok(&format!("LOGIN {} {}", server.user, server.password));
        listener.ok("NOTIFY SET (mailboxes work (MessageNew MessageExpunge))");
        append(&server, "work");
        let mut told = listener.line();
        while told.contains("UIDNEXT 1 ") {
            told = listener.line(); // of the mailbox that was just made
        }
        assert!(told.contains("STATUS") && told.contains("UIDNEXT 2"), "{told}");
    }
}

#[test]
fn news_are_not_mixed_up_with_answers() {
    let test = |server: &Server| {
        let mut client = with_mailboxes(server);
        client.append("INBOX", &[], None, NEW).unwrap();
        client.select("INBOX", false).unwrap();
        client.notify(&NAMES).unwrap();
        let asked = ["UIDVALIDITY", "MESSAGES"].map(str::to_owned);
        let mut next = 2;
        for _ in 0..3 {
            NAMES.iter().for_each(|name| append(server, name));
            next += 1;
            let messages = StatusValue::Number(u64::from(next - 1));
            let sent: Vec<_> =
                NAMES.iter().map(|name| client.begin_status(name, &asked).unwrap()).collect();
            for pending in sent {
                let mut items = client.wait(pending).unwrap();
                items.sort();
                assert_eq!(items.len(), 2, "{items:?}");
                assert_eq!(items[0], ("MESSAGES".to_owned(), messages.clone()));
            }
            NAMES.iter().for_each(|name| append(server, name));
            next += 1;
            let request = ListRequest { pattern: "*", status: &asked, ..Default::default() };
            let listed = client.list_with(&request).unwrap();
            for entry in listed.iter().filter(|entry| NAMES.contains(&&*entry.name)) {
                let status = entry.status.as_ref().unwrap();
                let expected = StatusValue::Number(u64::from(next - 1));
                assert_eq!(status.len(), 2, "{entry:?}");
                assert!(status.contains(&("MESSAGES".to_owned(), expected)), "{entry:?}");
            }
            append(server, "work");
            assert_eq!(client.search(&SearchKey::All).unwrap(), [1]);
            let items = "(UID FLAGS)".parse().unwrap();
            assert_eq!(client.fetch_all(&Messages::all(), &items).unwrap().len(), 1);
            assert_eq!(client.list("", "work").unwrap().len(), 1);
            until_told(&mut client, "work", next + 1);
            next += 1;
            for name in &NAMES[1..] {
                append(server, name);
                until_told(&mut client, name, next);
            }
        }
        assert!(client.take_warnings().is_empty());
    };
    on_every_server(test);
    // LIST and STATUS of each mailbox, in place of LIST-STATUS.
    let extensions = Extensions::default().without(Extension::ListExtended);
    test(&Server::sandbox(Options { extensions, ..empty() }));
}

#[test]
fn of_the_selected_mailbox_the_client_learns_as_before() {
    on_every_server(|server| {
        let mut client = with_mailboxes(server);
        client.select("work", false).unwrap();
        let told = client.notify(&NAMES).unwrap();
        let others: Vec<&str> = told.iter().map(|news| news.name.as_str()).collect();
        assert_eq!(others, NAMES[1..], "the selected mailbox has no STATUS");
        append(server, "work");
        while client.selected().unwrap().exists < 2 {
            client.noop().unwrap();
        }
        assert_eq!(client.wait_for_mail(Some(std::time::Duration::ZERO)).unwrap(), Some(2));
        assert!(client.take_mailbox_news().is_empty());
        client.notify_none().unwrap();
        assert!(!client.is_notified() && !client.notify_overflowed());
        append(server, "work");
        append(server, "R&D");
        while client.selected().unwrap().exists < 3 {
            client.noop().unwrap();
        }
        assert!(!client.has_mailbox_news());
    });
}

#[test]
fn many_mailboxes_are_watched_even_if_the_server_takes_few_names() {
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        let mut client = with_mailboxes(&server);
        for long in [false, true] {
            let fill = if long { "x".repeat(100) } else { String::new() };
            let mut names: Vec<String> = (0..150).map(|n| format!("none{fill}{n}")).collect();
            names.insert(75, "work".to_owned());
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let told = client.notify(&names).unwrap();
            assert_eq!(told.iter().map(|news| &*news.name).collect::<Vec<_>>(), ["work"]);
            append(&server, "R&D");
            append(&server, "work");
            let news = until_told(&mut client, "work", told[0].uid_next.unwrap() + 1);
            assert_eq!(news.messages, told[0].messages.map(|count| count + 1));
        }
    }
}

#[test]
fn a_server_without_notify_is_not_asked() {
    let extensions = Extensions::default().without(Extension::Notify);
    let server = Server::sandbox(Options { extensions, ..empty() });
    let mut client = server.connect();
    client.noop().unwrap(); // ENABLE is sent ahead
    let before = server.received().len();
    assert!(matches!(client.notify(&["work"]), Err(Error::Unsupported(_))));
    assert!(matches!(client.notify_none(), Err(Error::Unsupported(_))));
    assert!(matches!(client.notify(&["a\r\nb"]), Err(Error::Argument(_))));
    assert_eq!(server.received().len(), before);
}

#[test]
fn after_an_overflow_there_are_no_news_until_they_are_asked_for_again() {
    let server = Server::sandbox(empty());
    let mut client = with_mailboxes(&server);
    client.notify(&NAMES).unwrap();
    append(&server, "work");
    server.the_sandbox().say("* OK [NOTIFICATIONOVERFLOW] enough");
    client.noop().unwrap();
    assert!(client.notify_overflowed() && !client.is_notified());
    let news = client.take_mailbox_news();
    assert_eq!(news.iter().map(counts).collect::<Vec<_>>(), [("work", Some(2), Some(3))]);
    append(&server, "work");
    client.noop().unwrap();
    assert!(!client.has_mailbox_news());
    let told = client.notify(&["work"]).unwrap();
    assert_eq!(told.iter().map(counts).collect::<Vec<_>>(), [("work", Some(3), Some(4))]);
    assert!(client.is_notified() && !client.notify_overflowed());
    assert!(client.take_warnings().is_empty());
    server.the_sandbox().say("* OK [NOTIFICATIONOVERFLOW] enough");
    client.noop().unwrap();
    client.notify_none().unwrap();
    assert!(!client.notify_overflowed());
}

/// A client at a server that plays this script after the login.
fn at(script: impl FnOnce(&mut Peer) + Send + 'static) -> (ImapClient, Script) {
    let script = Script::run(move |peer| {
        peer.log_in("NOTIFY");
        script(peer);
        peer.hear_rest();
    });
    let options = ConnectOptions { port: Some(script.address.port()), ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    let client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    (client, script)
}

/// The answer to NOTIFY: `work` has three letters.
const FIRST: &str = "* STATUS work (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9)\r\n{tag} OK done\r\n";

#[test]
fn what_servers_say_of_watched_mailboxes_is_understood() {
    type Expected = &'static [(Option<u32>, Option<u32>, Option<u32>)];
    let table: &[(&'static str, Expected)] = &[
        ("* STATUS work (MESSAGES 4 UIDNEXT 5)\r\n", &[(Some(4), Some(5), Some(9))]),
        ("* STATUS \"work\" (UIDNEXT 5)\r\n", &[(Some(3), Some(5), Some(9))]),
        // The latest of several.
        (
            "* STATUS work (MESSAGES 4 UIDNEXT 5)\r\n* STATUS {4}\r\nwork (MESSAGES 5 UIDNEXT 6 UNSEEN 1)\r\n",
            &[(Some(5), Some(6), Some(9))],
        ),
        // Another mailbox of that name: what was known does not count.
        ("* STATUS work (MESSAGES 0 UIDVALIDITY 10)\r\n", &[(Some(0), None, Some(10))]),
        // No news.
        ("* STATUS work (MESSAGES 3 UIDNEXT 4 UNSEEN 3)\r\n", &[]),
        ("* STATUS work (UIDVALIDITY 9 HIGHESTMODSEQ 7)\r\n", &[]),
        ("* STATUS other (MESSAGES 9 UIDNEXT 10)\r\n* STATUS Work (MESSAGES 9)\r\n", &[]),
        ("* LIST (\\NoAccess) \"/\" work\r\n* 7 FETCH (FLAGS ())\r\n", &[]),
        // What cannot be read.
        ("* STATUS work (MESSAGES 99999999999999999999 UIDNEXT 4294967296)\r\n", &[]),
        ("* STATUS work (MESSAGES -1 UIDNEXT NIL UIDVALIDITY (1 2))\r\n", &[]),
        ("* STATUS work\r\n* STATUS\r\n* STATUS (MESSAGES 5)\r\n", &[]),
        ("* STATUS work ()\r\n* STATUS work (MESSAGES\r\n* STATUS work (MESSAGES)\r\n", &[]),
    ];
    for &(said, expected) in table {
        let (mut client, _script) = at(move |peer| {
            peer.answer(FIRST);
            peer.answer(&format!("{said}{{tag}} OK done\r\n"));
        });
        assert_eq!(client.notify(&["work"]).unwrap().len(), 1, "{said}");
        client.noop().unwrap();
        assert!(client.has_mailbox_news() != expected.is_empty(), "{said}");
        let news = client.take_mailbox_news();
        let found: Vec<_> =
            news.iter().map(|news| (news.messages, news.uid_next, news.uid_validity)).collect();
        assert_eq!(found, expected, "{said}");
        client.abandon();
    }
}

#[test]
fn inbox_is_the_same_in_any_case() {
    let (mut client, _script) = at(|peer| {
        peer.answer("* STATUS INBOX (MESSAGES 1)\r\n{tag} OK done\r\n");
    });
    assert_eq!(client.notify(&["inbox"]).unwrap()[0].name, "inbox");
    client.abandon();
}

/// Answers to STATUS (UIDVALIDITY UIDNEXT MESSAGES) of `work`, with news before and after.
#[test]
fn a_status_has_what_was_asked_for_however_news_surround_it() {
    let news = "* STATUS work (MESSAGES 4 UIDNEXT 5 UNSEEN 2)\r\n";
    let earlier = "* STATUS work (MESSAGES 3 UIDNEXT 4 UNSEEN 2)\r\n";
    let answer = "* STATUS work (UIDVALIDITY 9 UIDNEXT 5 MESSAGES 4)\r\n";
    let before = "* STATUS work (UIDVALIDITY 9 UIDNEXT 4 MESSAGES 3)\r\n";
    let other = "* STATUS other (MESSAGES 7 UIDNEXT 8)\r\n";
    for said in [
        answer.to_owned(),
        format!("{news}{answer}"),
        format!("{before}{news}"),
        format!("{earlier}{other}{before}{news}{other}"),
        format!("{answer}{news}{answer}"),
    ] {
        let said: &'static str = said.leak();
        let (mut client, _script) = at(move |peer| {
            peer.answer(FIRST);
            peer.answer(&format!("{said}{{tag}} OK done\r\n"));
        });
        client.notify(&["work", "other"]).unwrap();
        let items = ["UIDVALIDITY", "UIDNEXT", "MESSAGES"].map(str::to_owned);
        let mut found = client.status("work", &items).unwrap();
        found.sort();
        let expected = [("MESSAGES", 4), ("UIDNEXT", 5), ("UIDVALIDITY", 9)];
        let expected =
            expected.map(|(name, number)| (name.to_owned(), StatusValue::Number(number)));
        assert_eq!(found, expected, "{said}");
        let told = client.take_mailbox_news();
        assert!(told.iter().any(|news| counts(news) == ("work", Some(4), Some(5))), "{said}");
        client.abandon();
    }
}

#[test]
fn a_server_that_refuses_goes_on_as_before() {
    let (mut client, script) = at(|peer| {
        peer.answer(FIRST);
        peer.answer("{tag} NO [NOTIFICATIONOVERFLOW] too many names\r\n");
        peer.answer("{tag} NO [NOTIFICATIONOVERFLOW] too many mailboxes\r\n");
        peer.answer("{tag} NO [BADEVENT (MessageNew MessageExpunge)] not those\r\n");
        peer.answer("* STATUS work (MESSAGES 4 UIDNEXT 5)\r\n{tag} OK done\r\n");
    });
    client.notify(&["work"]).unwrap();
    for code in ["NOTIFICATIONOVERFLOW", "BADEVENT"] {
        let Err(Error::Refused { completion, .. }) = client.notify(&["a", "b c"]) else { panic!() };
        assert!(completion.code.is_some_and(|(name, _)| name == code));
        assert!(client.is_notified());
    }
    client.noop().unwrap();
    let news = client.take_mailbox_news();
    assert_eq!(news.iter().map(counts).collect::<Vec<_>>(), [("work", Some(4), Some(5))]);
    client.abandon();
    let selected = "(selected-delayed (MessageNew MessageExpunge FlagChange))";
    let letters = "(MessageNew MessageExpunge)";
    let heard = script.heard();
    let notify: Vec<&str> =
        heard.iter().filter_map(|line| Some(line.split_once(" NOTIFY ")?.1)).collect();
    let names = format!("SET STATUS {selected} (mailboxes (a \"b c\") {letters})");
    assert_eq!(
        notify,
        [
            &*format!("SET STATUS {selected} (mailboxes (work) {letters})"),
            &*names,
            &*format!("SET STATUS {selected} (personal {letters})"),
            &*names,
        ]
    );
}

#[test]
fn dovecot_says_that_it_has_lost_changes() {
    let (mut client, _script) = at(|peer| {
        peer.answer(FIRST);
        peer.answer("* NO NOTIFY error, some events may have got lost\r\n{tag} OK done\r\n");
    });
    client.notify(&["work"]).unwrap();
    client.noop().unwrap();
    assert!(client.notify_overflowed());
    assert_eq!(client.take_warnings().len(), 1);
    client.abandon();
}
