//! The operations of the IMAP client. The same tests run against the sandbox and against Dovecot.

use crate::support::{Server, empty, on_every_server};
use postoffice::client::{ConnectOptions, Error, ImapClient, TlsMode};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::sequence::Bound;
use postoffice::proto::imap::{
    Address, Data, DateTime, FetchItems, Flag, MessageId, Messages, SearchKey, SequenceSet,
};
use postoffice::sandbox::Extension;
use postoffice::transport::{Connector, TlsOptions};
use std::num::NonZeroU32;

const LETTER: &str = "From: jkf <jkf@example.org>\nTo: me@example.org\nSubject: first\nDate: Mon, 13 Sep 1999 11:36:26 -0700\n\nhello\n";
const OTHER: &str = "From: max <max@example.org>\nSubject: second\n\nblitzfig\n";

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn all() -> SequenceSet {
    SequenceSet::all()
}

fn text(client: &mut ImapClient, text: &str) -> Vec<u32> {
    client.search(&SearchKey::Text(text.into())).unwrap()
}

/// Fetches items and returns each message's number and data as the server wrote them.
fn fetch(client: &mut ImapClient, set: &SequenceSet, items: &str) -> Vec<String> {
    let mut found = Vec::new();
    client
        .fetch(&Messages::Numbers(set.clone()), &items.parse().unwrap(), &mut |data| {
            found.push(format!(
                "{} {}",
                data.number.unwrap(),
                String::from_utf8_lossy(data.tokens.rest())
            ));
            Ok(())
        })
        .unwrap();
    found
}

fn is_refused<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Refused { .. }))
}

#[test]
fn a_selected_mailbox_is_described() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        let selected = client.selected().unwrap();
        assert_eq!(
            (selected.name.as_str(), selected.exists, selected.read_only),
            ("INBOX", 2, false)
        );
        assert_eq!(selected.uid_next, Some(3));
        assert!(selected.uid_validity.is_some());
        assert!(
            selected.permanent_flags.iter().any(|flag| flag == "\\*"),
            "{:?}",
            selected.permanent_flags
        );
        assert_eq!(client.separator().unwrap(), Some("/"));
        assert!(client.capabilities().has("idle"));
    });
}

#[test]
fn mailboxes_are_made_renamed_listed_and_removed() {
    on_every_server(|server| {
        let mut client = server.connect();
        for name in [
            "Entwürfe",
            "a b",
            "q\"uote",
            "back\\slash",
            "b&w",
            "日本語/台北",
            "{5}",
            "x]y",
            "perc%ent",
            "st*ar",
        ] {
            if let Err(Error::Refused { completion, .. }) = client.create(name) {
                // Some servers forbid some characters. A mailbox that was refused must not exist.
                assert!(
                    !client.list("", "*").unwrap().iter().any(|entry| entry.name == name),
                    "{name}: {completion:?}"
                );
                continue;
            }
            assert!(
                client.list("", "*").unwrap().iter().any(|entry| entry.name == name),
                "{name} on {}",
                server.name
            );
            client.select(name, false).unwrap();
            assert_eq!(client.selected().unwrap().exists, 0);
            client.rename(name, "other").unwrap();
            client.delete("other").unwrap();
            assert!(!client.list("", "*").unwrap().iter().any(|entry| entry.name == "other"));
        }
        client.create("twice").unwrap();
        assert!(is_refused(client.create("twice")));
        assert!(is_refused(client.delete("nowhere")));
        assert!(is_refused(client.select("nowhere", false)));
        assert_eq!(client.selected(), None);
        client.subscribe("twice").unwrap();
        assert!(client.list_subscribed("", "*").unwrap().iter().any(|entry| entry.name == "twice"));
        client.unsubscribe("twice").unwrap();
        assert!(
            !client.list_subscribed("", "*").unwrap().iter().any(|entry| entry.name == "twice")
        );
        assert!(
            client
                .list("", "%")
                .unwrap()
                .iter()
                .any(|entry| entry.name.eq_ignore_ascii_case("inbox"))
        );
    });
}

#[test]
fn status_counts_without_selecting() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        client.unselect().unwrap();
        let items = ["MESSAGES", "UNSEEN", "UIDNEXT"].map(str::to_owned);
        let mut counts = client.status("INBOX", &items).unwrap();
        counts.sort(); // servers list the counts in any order
        let expected = [("MESSAGES", 2), ("UIDNEXT", 3), ("UNSEEN", 2)];
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count.into())));
        assert!(is_refused(client.status("nowhere", &items)));
    });
}

#[test]
fn messages_are_found() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        assert_eq!(text(&mut client, "blitzfig"), [2]);
        assert_eq!(text(&mut client, "no such thing"), [0; 0]);
        let or =
            SearchKey::Or(vec![SearchKey::Subject("first".into()), SearchKey::From("max".into())]);
        assert_eq!(client.uid_search(&or).unwrap(), [1, 2]);
        assert_eq!(client.search(&SearchKey::Not(Box::new(or))).unwrap(), [0; 0]);
        assert_eq!(client.search(&SearchKey::Subject("grün".into())).unwrap(), [0; 0]);
        assert_eq!(
            client
                .search(&SearchKey::Header("Subject".into(), "\"quoted\\ X1 LOGOUT".into()))
                .unwrap(),
            [0; 0]
        );
        assert!(is_refused(client.search(&SearchKey::Raw("NONSENSE".into()))));
        client.noop().unwrap();
    });
}

#[test]
fn fetched_messages_are_typed() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        let dated = LETTER.replace('\n', "\r\n");
        let date = Some("13-Sep-1999 11:36:26 -0700".parse().unwrap());
        client.append("INBOX", &[Flag::FLAGGED], date, dated.as_bytes()).unwrap();
        let items: FetchItems =
            "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODY.PEEK[TEXT])".parse().unwrap();
        client.noop().unwrap();
        let fetched = server.left_as_it_was("fetch_all", || {
            client.fetch_all(&Messages::uids([3, 1]), &items).unwrap()
        });
        assert_eq!(fetched.len(), 2);
        let (first, third) = (&fetched[0], &fetched[1]);
        assert_eq!((first.number, first.uid, third.uid), (1, Some(1), Some(3)));
        assert_eq!(third.size, Some(dated.len() as u64));
        // Servers may store only the instant, without the offset.
        assert_eq!(third.internal_date.map(DateTime::unix_seconds), Some(937_247_786));
        assert!(third.flags.as_ref().unwrap().contains(&"\\Flagged".to_owned()), "{third:?}");
        assert_eq!(first.text("body[text]"), Some(&b"hello\r\n"[..]));
        let envelope = first.envelope.as_ref().unwrap();
        assert_eq!(envelope.subject.as_deref(), Some("first"));
        assert_eq!(envelope.from[0].name.as_deref(), Some("jkf"));
        assert_eq!(envelope.from[0].email().as_deref(), Some("jkf@example.org"));
        let to = envelope.to.iter().map(Address::email).collect::<Vec<_>>();
        assert_eq!(to, [Some("me@example.org".to_owned())]);
        assert_eq!(client.fetch_all(&Messages::uids([]), &items).unwrap(), []);
        assert_eq!(client.fetch_all(&Messages::uids([99]), &items).unwrap(), []);
        client.logout().unwrap();
    });
}

#[test]
fn an_error_says_what_the_server_said() {
    on_every_server(|server| {
        let error = server.connect().select("nowhere", false).unwrap_err();
        let Error::Refused { completion, .. } = &error else { panic!("{error}") };
        assert_eq!(error.to_string(), format!("the server refused SELECT: {}", completion.words()));
        assert!(!completion.words().is_empty());
    });
}

#[test]
fn flags_change_and_are_told() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        let flags =
            |names: &[&str]| names.iter().map(|name| Flag::new(name).unwrap()).collect::<Vec<_>>();
        let mut told = 0;
        client
            .store(
                &Messages::Numbers(all()),
                StoreMode::Add,
                &flags(&["\\Flagged", "junk", "$Forwarded"]),
                &mut |_| {
                    told += 1;
                    Ok(())
                },
            )
            .unwrap();
        assert_eq!(told, 2);
        assert_eq!(client.search(&SearchKey::Keyword(Flag::new("junk").unwrap())).unwrap(), [1, 2]);
        client
            .store_silently(
                &Messages::Numbers(number(1).into()),
                StoreMode::Remove,
                &flags(&["junk"]),
            )
            .unwrap();
        assert_eq!(client.search(&SearchKey::Keyword(Flag::new("junk").unwrap())).unwrap(), [2]);
        client.store_silently(&Messages::Uids(all()), StoreMode::Replace, &[]).unwrap();
        assert_eq!(client.search(&SearchKey::Flagged).unwrap(), [0; 0]);
    });
}

#[test]
fn letters_come_back_byte_for_byte() {
    on_every_server(|server| {
        let mut client = server.connect();
        let bodies: [&[u8]; 4] = [
            b"plain\r\n",
            b"8 bit \xe9\xff and \x01 control\r\n.\r\n..\r\n{5}\r\n)\r\n* 1 EXISTS\r\n",
            b"",
            b"no line end",
        ];
        for body in bodies {
            let letter = [b"Subject: x\r\n\r\n".as_slice(), body].concat();
            client
                .append("INBOX", &[], Some("13-Sep-1999 11:36:26 -0700".parse().unwrap()), &letter)
                .unwrap();
            client.select("INBOX", false).unwrap();
            let last = number(client.selected().unwrap().exists);
            let mut written = Vec::new();
            let count =
                client.write_letter(MessageId::Number(last), true, "test", &mut written).unwrap();
            assert_eq!(
                (count, written.escape_ascii().to_string()),
                (Some(letter.len() as u64), letter.escape_ascii().to_string()),
                "{}",
                server.name
            );
            assert!(fetch(&mut client, &last.into(), "INTERNALDATE")[0].contains("13-Sep-1999"));
        }
        assert!(is_refused(client.append("nowhere", &[], None, b"Subject: x\r\n\r\n")));
        client.noop().unwrap();
    });
}

#[test]
fn a_large_letter_is_written_in_pieces() {
    on_every_server(|server| {
        let mut client = server.connect();
        let letter = [
            b"Subject: large\r\n\r\n".to_vec(),
            b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(40_000),
        ]
        .concat();
        client.append("INBOX", &[], None, &letter).unwrap();
        client.select("INBOX", false).unwrap();
        let mut written = Vec::new();
        assert_eq!(
            client.write_letter(MessageId::Uid(number(1)), true, "test", &mut written).unwrap(),
            Some(letter.len() as u64)
        );
        assert!(written == letter);
        assert!(fetch(&mut client, &all(), "FLAGS").iter().all(|flags| !flags.contains("Seen")));
        assert_eq!(
            client.write_letter(MessageId::Uid(number(99)), true, "test", &mut written).unwrap(),
            None
        );
    });
}

#[test]
fn a_file_that_fills_up_leaves_the_connection_usable() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    on_every_server(|server| {
        let mut client =
            server.with_letters(&[&format!("Subject: x\n\n{}", "line\n".repeat(100_000))]);
        assert!(matches!(
            client.write_letter(MessageId::Number(number(1)), true, "full", &mut Full),
            Err(Error::File { .. })
        ));
        assert_eq!(text(&mut client, "line"), [1]);
    });
}

#[test]
fn copies_and_moves_keep_every_letter_somewhere() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER, LETTER]);
        assert!(is_refused(client.copy(&Messages::Numbers(all()), "nowhere")));
        assert!(is_refused(client.move_to(&Messages::Numbers(all()), "nowhere")));
        assert_eq!(client.search(&SearchKey::All).unwrap(), [1, 2, 3]);
        client.create("box").unwrap();
        let copied = client.copy(&Messages::Numbers(all()), "box").unwrap().unwrap();
        assert_eq!(
            (copied.from.to_string().as_str(), copied.to.to_string().as_str()),
            ("1:3", "1:3")
        );
        let moved =
            client.move_to(&Messages::Uids(number(2).into()), "box").unwrap().copied.unwrap();
        assert_eq!((moved.from.to_string().as_str(), moved.to.to_string().as_str()), ("2", "4"));
        assert_eq!(client.uid_search(&SearchKey::All).unwrap(), [1, 3]);
        client.select("box", false).unwrap();
        assert_eq!(text(&mut client, "blitzfig"), [2, 4]);
    });
}

#[test]
fn the_last_letter_is_found_by_its_unique_id_too() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        let mut last = SequenceSet::new();
        last.push_range(Bound::Last, Bound::Last);
        for uid in [false, true] {
            let mut found = Vec::new();
            client
                .fetch(&Messages::new(last.clone(), uid), &"(UID)".parse().unwrap(), &mut |data| {
                    found.push(data.number);
                    Ok(())
                })
                .unwrap();
            assert_eq!(found, [Some(2)], "uid {uid}");
        }
    });
}

#[test]
fn letters_go_to_another_connection_with_flags_and_dates() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        let (flagged, date) = (
            [Flag::new("\\Flagged").unwrap(), Flag::new("later").unwrap()],
            "13-Sep-1999 11:36:26 -0700",
        );
        client
            .append(
                "INBOX",
                &flagged,
                Some(date.parse().unwrap()),
                &[&b"Subject: large\r\n\r\n"[..], &[b'x'; 100_000]].concat(),
            )
            .unwrap();
        client.noop().unwrap();
        let mut other = server.connect();
        let mut copied: Vec<u32> = Vec::new();
        assert!(is_refused(client.copy_to_other(
            &Messages::Numbers(all()),
            &mut other,
            "nowhere",
            &mut |number| copied.push(number)
        )));
        assert!(copied.is_empty());
        other.create("there").unwrap();
        client
            .copy_to_other(&Messages::Uids(all()), &mut other, "there", &mut |uid| copied.push(uid))
            .unwrap();
        assert_eq!(copied, [1, 2, 3]);
        other.select("there", true).unwrap();
        let told = |client: &mut ImapClient| {
            let mut told = Vec::new();
            let items = "(FLAGS INTERNALDATE BODY.PEEK[])";
            let mut tell = |data: Data<'_>| {
                told.push(
                    String::from_utf8_lossy(data.tokens.rest())
                        .replace(" \\Recent", "")
                        .replace("\\Recent", ""),
                );
                Ok(())
            };
            client.fetch(&Messages::Numbers(all()), &items.parse().unwrap(), &mut tell).unwrap();
            told
        };
        assert_eq!(told(&mut other), told(&mut client));
        assert!(told(&mut other)[2].contains("later") && !told(&mut client)[0].contains("Seen"));
    });
}

#[test]
fn without_move_a_letter_is_copied_then_removed() {
    for uidplus in [true, false] {
        let mut options = empty();
        options.extensions.set(Extension::Move, false);
        options.extensions.set(Extension::UidPlus, uidplus);
        let server = Server::sandbox(options);
        let mut client = server.with_letters(&[LETTER, OTHER, LETTER]);
        client.create("box").unwrap();
        let deleted = [Flag::new("\\Deleted").unwrap()];
        client.move_to(&Messages::Numbers(number(3).into()), "box").unwrap();
        assert_eq!(client.uid_search(&SearchKey::All).unwrap(), [1, 2]);
        // A letter that another client has marked must survive when a different one is moved.
        client
            .store_silently(&Messages::Numbers(number(1).into()), StoreMode::Add, &deleted)
            .unwrap();
        client.move_to(&Messages::Numbers(number(2).into()), "box").unwrap();
        let left = client.uid_search(&SearchKey::All).unwrap();
        assert_eq!(left, if uidplus { vec![1] } else { vec![1, 2] }, "uidplus {uidplus}");
        assert_eq!(client.take_warnings().len(), usize::from(!uidplus));
        client.select("box", false).unwrap();
        assert_eq!(client.selected().unwrap().exists, 2);
    }
}

#[test]
fn expunge_tells_the_numbers() {
    on_every_server(|server| {
        let mut client = server.with_letters(&[LETTER, OTHER, LETTER, OTHER]);
        let deleted = [Flag::new("\\Deleted").unwrap()];
        client
            .store_silently(
                &Messages::Numbers([2, 3, 4].map(number).into_iter().collect()),
                StoreMode::Add,
                &deleted,
            )
            .unwrap();
        assert_eq!(client.uid_expunge(&number(4).into()).unwrap(), [4]);
        let expunged = client.expunge().unwrap();
        if server.is_sandbox() {
            assert_eq!(expunged, [2, 2]);
        }
        assert_eq!((expunged.len(), client.selected().unwrap().exists), (2, 1));
    });
}

#[test]
fn what_another_connection_does_is_heard_of() {
    on_every_server(|server| {
        let mut first = server.with_letters(&[LETTER]);
        let mut second = server.with_letters(&[OTHER]);
        first.noop().unwrap();
        assert_eq!(first.selected().unwrap().exists, 2);
        second
            .store_silently(
                &Messages::Numbers(number(1).into()),
                StoreMode::Add,
                &[Flag::new("\\Deleted").unwrap()],
            )
            .unwrap();
        second.expunge().unwrap();
        first.noop().unwrap();
        assert_eq!(first.selected().unwrap().exists, 1);
        first.close_mailbox().unwrap();
        assert_eq!(first.selected(), None);
    });
}

#[test]
fn a_long_set_goes_in_several_commands() {
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&[LETTER, OTHER]);
    let set: SequenceSet = (0..5_000).map(|index| number(1 + index * 2)).collect();
    let mut found = 0;
    client
        .fetch(&Messages::Uids(set.clone()), &"(UID)".parse().unwrap(), &mut |_| {
            found += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(found, 1);
    assert!(server.received().iter().filter(|command| command.contains("Fetch")).count() > 1);
}

#[test]
fn every_way_of_encryption_works() {
    on_every_server(|server| {
        for (mode, port) in [
            (TlsMode::Implicit, server.tls_port),
            (TlsMode::StartTls, server.port),
            (TlsMode::None, server.port),
        ] {
            let tls_options =
                TlsOptions { ca_file: Some(server.ca_file.clone()), ..TlsOptions::default() };
            let options = ConnectOptions {
                port: Some(port),
                tls: Some(mode),
                tls_options,
                ..server.options()
            };
            let mut client = ImapClient::connect(
                &Connector::default(),
                "localhost",
                &server.credentials(),
                &options,
            )
            .unwrap();
            assert_eq!(client.is_encrypted(), mode != TlsMode::None, "{mode:?}");
            client.select("INBOX", true).unwrap();
            assert!(client.selected().unwrap().read_only);
            client.close();
            client.close();
            assert!(matches!(client.noop(), Err(Error::Closed)));
        }
    });
}

#[test]
fn users_and_passwords_arrive_as_they_are() {
    for (user, password) in [
        ("a\"b\\c", "p\"w\\"),
        ("{5}", "{5+}"),
        ("büro", "grün"),
        ("x y", " ( "),
        ("a A9 LOGOUT", "b c"),
        ("nil", "NIL"),
    ] {
        for plain in [true, false] {
            let mut options = empty();
            options.accounts[0] = postoffice::sandbox::Account::new(user, password);
            options.extensions.set(Extension::AuthPlain, plain);
            options.extensions.set(Extension::LiteralPlus, plain);
            let server = Server::sandbox(options);
            let mut client = server.connect();
            client.noop().unwrap();
        }
    }
    let server = Server::sandbox(empty());
    for (user, password) in
        [("a\0b", "pw"), ("a\r\nA9 LOGOUT", "pw"), ("user", "b\nc"), ("user", "\0")]
    {
        let credentials = postoffice::client::Credentials::new(user, password);
        assert!(matches!(
            ImapClient::connect(
                &Connector::default(),
                "127.0.0.1",
                &credentials,
                &server.options()
            ),
            Err(Error::Argument(_))
        ));
    }
}

#[test]
fn a_sandbox_for_any_account_gives_each_a_copy_of_the_mail() {
    let server =
        Server::sandbox(postoffice::sandbox::Options { accept_any: true, ..Default::default() });
    let enter = |user: &str, password: &str| {
        let credentials = postoffice::client::Credentials::new(user, password);
        let mut client = ImapClient::connect(
            &Connector::default(),
            "127.0.0.1",
            &credentials,
            &server.options(),
        )?;
        client.select("INBOX", false)?;
        client.store_silently(
            &Messages::Numbers(all()),
            StoreMode::Add,
            &[Flag::new("\\Deleted")?],
        )?;
        client.expunge()
    };
    assert_eq!(enter("joe", "a").unwrap().len(), 7);
    assert_eq!(enter("max", "b").unwrap().len(), 7);
    assert_eq!(enter("joe", "another").unwrap().len(), 0);
}
