//! Mailboxes: lists with options, special uses, namespaces, rights, metadata, and the items of STATUS
//! and FETCH that extensions define; on the sandbox, on Dovecot, and without each extension. What
//! other servers say is in `tests/wire/mailboxes.txt`.

use crate::support::script::Script;
use crate::support::{Server, empty, on_every_server};
use postoffice::client::{
    ConnectOptions, Credentials, Error, ImapClient, ListRequest, Listed, StatusValue,
};
use postoffice::proto::imap::{Data, FetchItems, Flag, Messages, SearchKey};
use postoffice::sandbox::{Extensions, Options};

const LETTER: &str =
    "From: a@example.org\nSubject: one\nMessage-ID: <1@example.org>\n\nHello  there\n";
const REPLY: &str = "From: b@example.org\nSubject: Re: one\nMessage-ID: <2@example.org>\nIn-Reply-To: <1@example.org>\nReferences: <1@example.org>\n\nHello\n";

/// An empty sandbox without these extensions.
fn without(names: &[&str]) -> Server {
    let off = |set: Extensions, name: &&str| set.without(name.parse().unwrap());
    let extensions = names.iter().fold(Extensions::default(), off);
    Server::sandbox(Options { extensions, ..empty() })
}

/// The commands that an operation sends to a sandbox.
fn commands<T>(server: &Server, operation: impl FnOnce() -> T) -> (T, Vec<String>) {
    let before = server.received().len();
    let result = operation();
    (result, server.received()[before..].to_vec())
}

#[track_caller]
fn assert_unsupported<T: std::fmt::Debug>(
    server: &Server,
    operation: impl FnOnce() -> Result<T, Error>,
) {
    let (result, sent) = commands(server, operation);
    assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
    assert_eq!(sent, [""; 0]);
}

fn items(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// An entry in one line, with its attributes sorted.
fn shown(entry: &Listed) -> String {
    let is_gone = entry.has("\\NonExistent");
    let mut flags: Vec<String> = entry.flags.iter().map(|flag| flag.to_lowercase()).collect();
    flags.retain(|flag| !(is_gone && flag.contains("children"))); // it may have either
    flags.retain(|flag| !flag.ends_with("marked")); // Dovecot tells of changes now and then
    flags.sort();
    let count = |(name, value): &(String, StatusValue)| match value {
        StatusValue::Number(number) => format!("{name}={number}"),
        other => format!("{name}={other:?}"),
    };
    let status = entry.status.as_ref().map(|items| {
        let mut items: Vec<String> = items.iter().map(count).collect();
        items.sort();
        items.join(" ")
    });
    let status = status.unwrap_or_else(|| "-".to_owned());
    format!("{} [{}] {status}", entry.name, flags.join(" "))
}

fn list(client: &mut ImapClient, request: ListRequest<'_>) -> Vec<String> {
    let request = ListRequest { pattern: "*", ..request };
    let mut entries: Vec<String> = client.list_with(&request).unwrap().iter().map(shown).collect();
    entries.sort();
    entries
}

/// Makes mailboxes, some of them subscribed, and two letters in the inbox.
fn with_mailboxes(server: &Server) -> ImapClient {
    let mut client = server.with_letters(&[LETTER, REPLY]);
    for name in ["a", "a/b", "Entw\u{fc}rfe", "gone", "Sent"] {
        client.create(name).unwrap();
    }
    for name in ["INBOX", "a/b", "Entw\u{fc}rfe", "gone", "Sent"] {
        client.subscribe(name).unwrap();
    }
    client.delete("gone").unwrap();
    client.unselect().unwrap();
    client
}

fn expect_lists(server: &Server) {
    let mut client = with_mailboxes(server);
    let status = &items(&["MESSAGES", "UNSEEN"])[..];
    assert_eq!(
        list(&mut client, ListRequest { subscribed: true, status, ..Default::default() }),
        [
            "Entw\u{fc}rfe [\\hasnochildren \\subscribed] MESSAGES=0 UNSEEN=0",
            "INBOX [\\hasnochildren \\subscribed] MESSAGES=2 UNSEEN=2",
            sent_or(server, "\\subscribed] MESSAGES=0 UNSEEN=0").as_str(),
            "a/b [\\hasnochildren \\subscribed] MESSAGES=0 UNSEEN=0",
            "gone [\\nonexistent \\subscribed] -",
        ]
    );
    assert_eq!(
        list(&mut client, ListRequest { status: &items(&["MESSAGES"]), ..Default::default() }),
        [
            "Entw\u{fc}rfe [\\hasnochildren] MESSAGES=0",
            "INBOX [\\hasnochildren] MESSAGES=2",
            sent_or(server, "] MESSAGES=0").as_str(),
            "a [\\haschildren] MESSAGES=0",
            "a/b [\\hasnochildren] MESSAGES=0",
        ]
    );
    // Without options as ever.
    assert_eq!(
        list(&mut client, ListRequest::default()),
        [
            "Entw\u{fc}rfe [\\hasnochildren] -",
            "INBOX [\\hasnochildren] -",
            sent_or(server, "] -").as_str(),
            "a [\\haschildren] -",
            "a/b [\\hasnochildren] -",
        ]
    );
    let subscribed = list(&mut client, ListRequest { subscribed: true, ..Default::default() });
    assert_eq!(subscribed.len(), 5, "{subscribed:?}");
    client.close();
}

/// The entry of `Sent`, which the tests' Dovecot marks.
fn sent_or(server: &Server, rest: &str) -> String {
    let is_marked = !server.is_sandbox() && server.connect().capabilities().has("SPECIAL-USE");
    let mark = if is_marked { " \\sent" } else { "" };
    let (before, after) = match rest.strip_prefix("\\subscribed") {
        Some(after) => (format!("\\hasnochildren{mark} \\subscribed"), after),
        None => (format!("\\hasnochildren{mark}"), rest),
    };
    format!("Sent [{before}{after}")
}

#[test]
fn lists_are_the_same_on_every_server_and_without_the_extensions() {
    on_every_server(expect_lists);
    for off in [&["LIST-STATUS"][..], &["LIST-EXTENDED"], &["LIST-EXTENDED", "SPECIAL-USE"]] {
        expect_lists(&without(off));
    }
}

#[test]
fn a_list_is_one_command_where_the_server_can() {
    for (off, expected) in [
        (&[][..], &["List"][..]),
        (&["LIST-STATUS"], &["List", "Status", "Status", "Status"]),
        (&["LIST-EXTENDED"], &["Lsub", "List", "Status", "Status", "Status"]),
    ] {
        let server = without(off);
        let mut client = server.connect();
        for name in ["a", "b"] {
            client.create(name).unwrap();
            client.subscribe(name).unwrap();
        }
        let status = &items(&["MESSAGES"])[..];
        let request = ListRequest { pattern: "*", subscribed: true, status, ..Default::default() };
        let (found, sent) = commands(&server, || client.list_with(&request));
        assert_eq!(found.unwrap().len(), 3);
        let verb = |command: &String| command.split([' ', '(']).next().unwrap().to_owned();
        assert_eq!(sent.iter().map(verb).collect::<Vec<_>>(), expected, "{off:?}");
    }
}

#[test]
fn the_status_of_many_mailboxes_is_asked_for_without_waiting() {
    let script = Script::run(|peer| {
        peer.log_in("");
        let names = ["a", "b", "gone", "c"];
        let entries: String =
            names.iter().map(|name| format!("* LIST () \"/\" {name}\r\n")).collect();
        peer.answer(&format!("{entries}{{tag}} OK done\r\n"));
        let tags: Vec<String> = names
            .iter()
            .map(|name| {
                let command = peer.hear();
                let (tag, rest) = command.split_once(' ').unwrap();
                assert_eq!(rest, format!("STATUS {name} (MESSAGES)"));
                tag.to_owned()
            })
            .collect();
        // The data in another order than the commands.
        peer.say("* STATUS c (MESSAGES 3)\r\n* STATUS b (MESSAGES 2)\r\n");
        peer.say(&format!("* STATUS a (MESSAGES 1)\r\n{} OK done\r\n", tags[0]));
        peer.say(&format!("{} OK done\r\n{} NO gone\r\n", tags[1], tags[2]));
        peer.say(&format!("{} OK done\r\n", tags[3]));
        peer.hear_rest();
    });
    let mut client = script.connect();
    let status = &items(&["MESSAGES"])[..];
    assert_eq!(
        list(&mut client, ListRequest { status, ..Default::default() }),
        ["a [] MESSAGES=1", "b [] MESSAGES=2", "c [] MESSAGES=3", "gone [] -"]
    );
}

#[test]
fn lists_and_values_without_end_are_given_up() {
    for (answer, capabilities) in [
        ("* LIST () \"/\" x\r\n", "LIST-EXTENDED LIST-STATUS"),
        ("* STATUS x (MESSAGES 1)\r\n* STATUS y (MESSAGES 1)\r\n", "LIST-EXTENDED LIST-STATUS"),
        ("* METADATA x (/private/a \"0123456789\")\r\n", "METADATA"),
    ] {
        let script = Script::run(move |peer| {
            peer.log_in(capabilities);
            peer.hear();
            peer.go_on(answer.as_bytes(), 100_000);
        });
        let mut limits = postoffice::proto::Limits::default();
        for name in ["listed", "names", "responses"] {
            limits.set(name, 1000);
        }
        let port = Some(script.address.port());
        let options = ConnectOptions { port, limits, ..Default::default() };
        let credentials = Credentials::new("user", "sesame-open");
        let connected =
            ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options);
        let mut client = connected.unwrap();
        let status = &items(&["MESSAGES"])[..];
        let request = ListRequest { pattern: "*", status, ..Default::default() };
        let error = match capabilities {
            "METADATA" => client.metadata("x", &items(&["/private/a"]), false).unwrap_err(),
            _ => client.list_with(&request).unwrap_err(),
        };
        assert!(error.to_string().contains("1000"), "{answer}: {error}");
    }
}

#[test]
fn special_uses_are_set_and_found() {
    let flag = |text: &str| Flag::new(text).unwrap();
    for off in [&[][..], &["LIST-EXTENDED"], &["SPECIAL-USE"]] {
        let server = without(off);
        let mut client = server.connect();
        client.create_for("Gesendet", &flag("\\Sent")).unwrap();
        client.create_for("work/Papierkorb", &flag("\\trash")).unwrap();
        client.create("Sent").unwrap();
        let is_off = off == ["SPECIAL-USE"];
        let found = client.find_special_use("\\sent").unwrap();
        assert_eq!(found.as_deref(), Some(if is_off { "Sent" } else { "Gesendet" }));
        let found = client.find_special_use("\\Trash").unwrap();
        assert_eq!(found.as_deref(), (!is_off).then_some("work/Papierkorb"));
        let request = ListRequest { pattern: "*", special_use: true, ..Default::default() };
        match client.list_with(&request) {
            Err(Error::Unsupported(_)) => assert!(is_off),
            found => assert_eq!(
                found.unwrap().iter().map(shown).collect::<Vec<_>>(),
                [
                    "Gesendet [\\hasnochildren \\sent] -",
                    "work/Papierkorb [\\hasnochildren \\trash] -"
                ]
            ),
        }
        client.rename("Gesendet", "Raus").unwrap();
        let found = client.find_special_use("\\Sent").unwrap();
        assert_eq!(found.as_deref(), Some(if is_off { "Sent" } else { "Raus" }));
        let refused = client.create_for("x", &flag("\\Nonsense")).unwrap_err();
        assert!(refused.to_string().contains("USEATTR"), "{refused}");
    }
    let server = without(&["CREATE-SPECIAL-USE"]);
    let mut client = server.connect();
    assert_unsupported(&server, || client.create_for("x", &flag("\\Sent")));
}

#[test]
fn a_mailbox_is_found_by_its_usual_name_if_there_is_only_one() {
    let table: &[(&[&str], &str, Option<&str>)] = &[
        (&["Sent Items", "Sentinel"], "\\Sent", Some("Sent Items")),
        (&["sent"], "\\Sent", Some("sent")),
        (&["INBOX/Sent Messages"], "\\Sent", Some("INBOX/Sent Messages")),
        (&["work/Sent"], "\\Sent", None),
        (&["Sent", "Sent Items"], "\\Sent", None),
        (&["Deleted Messages"], "\\Trash", Some("Deleted Messages")),
        (&["Spam", "Drafts"], "\\Junk", Some("Spam")),
        (&["Archive"], "\\All", None),
        (&["Archive"], "\\Archive", Some("Archive")),
        (&[], "\\Drafts", None),
    ];
    for (names, special_use, expected) in table {
        let server = Server::sandbox(empty());
        let mut client = server.connect();
        names.iter().for_each(|name| client.create(name).unwrap());
        let found = client.find_special_use(special_use).unwrap();
        assert_eq!(found.as_deref(), *expected, "{names:?} {special_use}");
    }
    // Of the tests' Dovecot, which marks Sent.
    on_every_server(|server| {
        let mut client = server.connect();
        client.create("Sent").unwrap();
        assert_eq!(client.find_special_use("\\Sent").unwrap().as_deref(), Some("Sent"));
        assert_eq!(client.find_special_use("\\Junk").unwrap(), None);
    });
}

#[test]
fn namespaces_are_known_on_every_server() {
    let expect = |server: &Server| {
        let found = server.connect().namespaces().unwrap();
        let [personal] = &found.personal[..] else { panic!("{found:?}") };
        assert_eq!((personal.prefix.as_str(), personal.separator.as_deref()), ("", Some("/")));
        assert!(found.other_users.is_empty() && found.shared.is_empty(), "{found:?}");
    };
    on_every_server(expect);
    expect(&without(&["NAMESPACE"]));
}

/// The letters of rights, sorted.
fn sorted(rights: &str) -> String {
    let mut letters: Vec<char> = rights.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

#[test]
fn rights_are_kept() {
    on_every_server(|server| {
        let mut client = server.connect();
        if !client.capabilities().has("ACL") {
            assert!(matches!(client.rights("INBOX"), Err(Error::Unsupported(_))));
            return;
        }
        client.create("a b").unwrap();
        assert_eq!(sorted(&client.my_rights("a b").unwrap()), "acdeiklprstwx");
        let others = |client: &mut ImapClient| {
            let all = client.rights("a b").unwrap();
            let own: Vec<_> = all.iter().filter(|(name, _)| *name == server.user).collect();
            assert_eq!(own.len(), 1, "{all:?}");
            assert_eq!(sorted(&own[0].1), "acdeiklprstwx");
            let others = all.into_iter().filter(|(name, _)| *name != server.user);
            others.map(|(name, rights)| (name, sorted(&rights))).collect::<Vec<_>>()
        };
        assert_eq!(others(&mut client), []);
        let fred = |rights: &str| vec![("fred".to_owned(), rights.to_owned())];
        client.set_rights("a b", "fred", Some("lrs")).unwrap();
        assert_eq!(others(&mut client), fred("lrs"));
        client.set_rights("a b", "fred", Some("+wi")).unwrap();
        client.set_rights("a b", "fred", Some("-l")).unwrap();
        assert_eq!(others(&mut client), fred("irsw"));
        client.set_rights("a b", "fred", Some("l")).unwrap();
        assert_eq!(others(&mut client), fred("l"));
        client.set_rights("a b", "fred", None).unwrap();
        client.set_rights("a b", "fred", None).unwrap();
        assert_eq!(others(&mut client), []);
        assert!(matches!(client.rights("nowhere"), Err(Error::Refused { .. })));
        assert!(matches!(client.set_rights("a b", "x", Some("L")), Err(Error::Argument(_))));
        assert!(matches!(client.set_rights("a b", "x\r\ny", None), Err(Error::Argument(_))));
        client.noop().unwrap();
    });
    let server = without(&["ACL"]);
    let mut client = server.connect();
    assert_unsupported(&server, || client.rights("INBOX"));
    assert_unsupported(&server, || client.my_rights("INBOX"));
    assert_unsupported(&server, || client.set_rights("INBOX", "x", Some("l")));
}

#[test]
fn metadata_is_kept() {
    let long = "x\u{e9}".repeat(3000);
    on_every_server(|server| {
        let mut client = server.connect();
        let comment = items(&["/private/comment"]);
        if !client.capabilities().has("METADATA") {
            assert!(matches!(client.metadata("", &comment, false), Err(Error::Unsupported(_))));
            return;
        }
        client.create("a b").unwrap();
        for mailbox in ["a b", "INBOX", ""] {
            assert_eq!(client.metadata(mailbox, &comment, false).unwrap(), [], "{mailbox}");
            for text in ["mine", "gr\u{fc}n", "say \"hi\" \\ {3}", "two\r\nlines\n", &long] {
                client.set_metadata(mailbox, "/private/comment", Some(text)).unwrap();
                let found = client.metadata(mailbox, &comment, false).unwrap();
                assert_eq!(found, [("/private/comment".to_owned(), text.to_owned())]);
            }
            client.set_metadata(mailbox, "/private/comment", None).unwrap();
            assert_eq!(client.metadata(mailbox, &comment, false).unwrap(), [], "{mailbox}");
        }
        client.set_metadata("a b", "/private/comment", Some("1")).unwrap();
        client.set_metadata("a b", "/shared/comment", Some("2")).unwrap();
        let all = items(&["/private", "/shared"]);
        let mut found = client.metadata("a b", &all, true).unwrap();
        found.sort();
        let pair = |entry: &str, text: &str| (entry.to_owned(), text.to_owned());
        assert_eq!(found, [pair("/private/comment", "1"), pair("/shared/comment", "2")]);
        client.rename("a b", "c").unwrap();
        assert_eq!(client.metadata("c", &comment, false).unwrap().len(), 1);
        for entry in
            ["comment", "/private/", "/private//x", "/private/*", "/other/x", "/privatex", ""]
        {
            let result = client.set_metadata("c", entry, Some("x"));
            assert!(matches!(result, Err(Error::Argument(_))), "{entry}");
        }
        let result = client.set_metadata("c", "/private/x", Some("a\0b"));
        assert!(matches!(result, Err(Error::Argument(_))));
        assert!(matches!(client.metadata("nowhere", &comment, false), Err(Error::Refused { .. })));
        client.noop().unwrap();
    });
    let server = without(&["METADATA"]);
    let mut client = server.connect();
    assert_unsupported(&server, || client.metadata("INBOX", &items(&["/shared/x"]), false));
    assert_unsupported(&server, || client.set_metadata("", "/shared/x", None));
}

#[test]
fn the_sandbox_bounds_metadata() {
    let server = Server::sandbox(empty());
    let mut client = server.connect();
    let long = "x".repeat(65_537);
    let refused = client.set_metadata("INBOX", "/private/a", Some(&long)).unwrap_err();
    assert!(refused.to_string().contains("MAXSIZE 65536"), "{refused}");
    for number in 0..100 {
        client.set_metadata("INBOX", &format!("/private/{number}"), Some("x")).unwrap();
    }
    let refused = client.set_metadata("INBOX", "/private/a", Some("x")).unwrap_err();
    assert!(refused.to_string().contains("TOOMANY"), "{refused}");
}

#[test]
fn status_items_of_extensions_are_read_or_unsupported() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, REPLY]);
        let size = client.status("INBOX", &items(&["SIZE"])).unwrap();
        let sizes = [LETTER, REPLY].map(|letter| letter.replace('\n', "\r\n").len() as u64);
        assert_eq!(size, [("SIZE".to_owned(), (sizes[0] + sizes[1]).into())]);
        let first = Messages::Uids(std::num::NonZeroU32::MIN.into());
        let mode = postoffice::proto::imap::command::StoreMode::Add;
        client.store_silently(&first, mode, &[Flag::DELETED]).unwrap();
        for (item, expected) in [("DELETED", 1), ("DELETED-STORAGE", sizes[0])] {
            match client.status("INBOX", &items(&[item])) {
                Err(Error::Unsupported(_)) => assert!(!server.is_sandbox(), "{item}"),
                found => assert_eq!(found.unwrap(), [(item.to_owned(), expected.into())]),
            }
        }
        client.create("a").unwrap();
        match client.status("a", &items(&["MAILBOXID"])) {
            Err(Error::Unsupported(_)) => assert!(!server.is_sandbox()),
            id => {
                client.rename("a", "b").unwrap();
                assert_eq!(client.status("b", &items(&["MAILBOXID"])).unwrap(), id.unwrap());
            }
        }
    });
    for (off, item) in [
        ("STATUS=SIZE", "size"),
        ("OBJECTID", "MAILBOXID"),
        ("APPENDLIMIT", "appendlimit"),
        ("QUOTA", "DELETED"),
        ("QUOTA", "DELETED-STORAGE"),
    ] {
        let server = without(&[off]);
        let mut client = server.connect();
        assert_unsupported(&server, || client.status("INBOX", &items(&["MESSAGES", item])));
        let status = &items(&[item])[..];
        let request = ListRequest { pattern: "*", status, ..Default::default() };
        assert_unsupported(&server, || client.list_with(&request));
    }
}

#[test]
fn an_append_limit_is_known_without_asking() {
    let limit = |value| ("APPENDLIMIT".to_owned(), value);
    let server = Server::sandbox(empty());
    let found = server.connect().status("INBOX", &items(&["APPENDLIMIT"])).unwrap();
    assert_eq!(found, [limit((64 << 20).into())]);
    let script = Script::run(|peer| {
        peer.log_in("APPENDLIMIT=35651584");
        peer.answer("* STATUS INBOX (MESSAGES 3)\r\n{tag} OK done\r\n");
        peer.answer("* STATUS INBOX (MESSAGES 3 UNSEEN 1)\r\n{tag} OK done\r\n");
        peer.hear_rest();
    });
    let mut client = script.connect();
    assert!(client.capabilities().offers("APPENDLIMIT"));
    let found = client.status("INBOX", &items(&["appendlimit"])).unwrap();
    assert_eq!(found, [limit(35_651_584.into())]);
    let found = client.status("INBOX", &items(&["MESSAGES", "APPENDLIMIT", "UNSEEN"])).unwrap();
    let count = |name: &str, count: u64| (name.to_owned(), count.into());
    assert_eq!(found, [count("MESSAGES", 3), count("UNSEEN", 1), limit(35_651_584.into())]);
    drop(client);
    let heard = script.heard();
    assert!(heard[heard.len() - 2].ends_with("STATUS INBOX (MESSAGES)"), "{heard:?}");
    assert!(heard[heard.len() - 1].ends_with("STATUS INBOX (MESSAGES UNSEEN)"), "{heard:?}");
}

/// The responses to a FETCH, as text.
fn fetched(client: &mut ImapClient, parts: &str) -> Result<Vec<String>, Error> {
    let (mut found, parts) = (Vec::new(), FetchItems::parse(parts).unwrap());
    client.fetch(&Messages::all(), &parts, &mut |data: Data<'_>| {
        found.push(String::from_utf8_lossy(data.tokens.rest()).into_owned());
        Ok(())
    })?;
    Ok(found)
}

#[test]
fn copies_have_one_identifier_and_replies_one_thread() {
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&[LETTER, REPLY, "Subject: x\n\nx\n"]);
    let before = fetched(&mut client, "(emailid threadid)").unwrap();
    let id = |text: &str, name: &str| {
        let value = text.split_once(&format!("{name} ")).unwrap().1;
        value.split([' ', ')']).next().unwrap().to_owned()
    };
    assert_ne!(id(&before[0], "EMAILID"), id(&before[1], "EMAILID"), "{before:?}");
    assert_eq!(id(&before[0], "THREADID"), id(&before[1], "THREADID"), "{before:?}");
    assert_eq!(id(&before[2], "THREADID"), "NIL", "{before:?}");
    client.create("box").unwrap();
    client.copy(&Messages::all(), "box").unwrap();
    client.select("box", false).unwrap();
    assert_eq!(fetched(&mut client, "(emailid threadid)").unwrap(), before);
}

#[test]
fn previews_and_dates_of_saving_are_given() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER]);
        let found = fetched(&mut client, "(savedate preview)").unwrap();
        assert!(found[0].contains("Hello there"), "{found:?}");
        let lazy = fetched(&mut client, "(uid preview (lazy) flags)").unwrap();
        assert!(lazy[0].contains("PREVIEW") && lazy[0].contains("FLAGS"), "{lazy:?}");
        let date = found[0].split_once("SAVEDATE \"").unwrap().1;
        assert_eq!(date.find('"'), Some(26), "{found:?}");
        let unseen = client.search(&SearchKey::Unseen).unwrap();
        assert_eq!(unseen, [1], "nothing of it marks the letter as read");
    });
}

#[test]
fn items_and_keys_of_extensions_that_are_not_offered_are_not_sent() {
    for (off, item) in [
        ("OBJECTID", "emailid"),
        ("OBJECTID", "(flags THREADID)"),
        ("SAVEDATE", "savedate"),
        ("PREVIEW", "(uid preview (lazy))"),
    ] {
        let server = without(&[off]);
        let mut client = server.with_letters(&[LETTER]);
        assert_unsupported(&server, || fetched(&mut client, item));
    }
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&[LETTER]);
    for key in [SearchKey::Gmail("x".into()), SearchKey::GmailLabel("x".into())] {
        let inside = SearchKey::Or(vec![SearchKey::All, SearchKey::Not(Box::new(key))]);
        assert_unsupported(&server, || client.search(&inside));
    }
}

#[test]
fn an_extension_may_be_offered_by_another_name() {
    let script = Script::run(|peer| {
        peer.log_in("IMAP4rev2 METADATA");
        peer.hear_rest();
    });
    let client = script.connect();
    for (name, expected) in [
        ("namespace", true),
        ("LIST-STATUS", true),
        ("METADATA-SERVER", true),
        ("IMAP4REV2", true),
        ("SPECIAL-USE", false),
        ("APPENDLIMIT", false),
        ("QUOTA", false),
    ] {
        assert_eq!(client.capabilities().offers(name), expected, "{name}");
    }
}
