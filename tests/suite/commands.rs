//! Commands as the server reads them, parsed by imap-codec: it sees exactly the caller's string,
//! and never a second command.

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::IntoStatic;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::core::{AString, IString, NString, NString8};
use imap_codec::imap_types::extensions::binary::LiteralOrLiteral8;
use imap_codec::imap_types::mailbox::Mailbox;
use imap_codec::imap_types::search::SearchKey as TheirKey;
use postoffice::proto::imap::command::{StoreMode, Watched};
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::{Command, Event, Messages, SearchKey, Session, Since, utf7};
use postoffice::proto::{EncodeError, Limits, Protocol, Secret};
use proptest::prelude::*;

/// A session that may send literals without waiting (LITERAL+), so that a whole command is sent.
fn session() -> Session {
    let mut session = Session::new(Limits::default());
    session.receive(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] hello\r\n");
    session.next_event().unwrap();
    session
}

/// Submits a command and returns it as imap-codec parses it. Fails if more than one command is
/// sent.
fn read_back(command: Command) -> CommandBody<'static> {
    let mut session = session();
    session.submit(command);
    let outgoing = session.take_outgoing();
    let (rest, command) = CommandCodec::default()
        .decode(outgoing.bytes())
        .unwrap_or_else(|error| panic!("{}: {error:?}", outgoing.bytes().escape_ascii()));
    assert_eq!(rest, b"", "a second command: {}", outgoing.bytes().escape_ascii());
    command.into_static().body
}

#[test]
fn a_password_does_not_follow_a_success_that_came_before_it() {
    for ahead in ["A1 OK\r\n", "A1 OK in\r\n", "a1 ok\r\n", "A1 OK"] {
        let mut session = Session::new(Limits::default());
        session.receive(b"* OK [CAPABILITY IMAP4rev1] hello\r\n");
        session.next_event().unwrap();
        session.submit(Command::login("me", &Secret::new("p\u{e4}")).unwrap());
        assert_eq!(session.take_outgoing().bytes(), b"A1 LOGIN \"me\" {3}\r\n");
        session.receive(format!("+ go\r\n{ahead}").as_bytes());
        assert!(session.next_event().is_err(), "{ahead:?}");
        assert_eq!(session.take_outgoing().bytes(), b"", "{ahead:?}");
    }
}

fn bytes_of(text: &AString<'_>) -> Vec<u8> {
    text.as_ref().to_vec()
}

/// Generates text an attacker might use: quotes, line ends, literals, commands.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        Just("\r\nA9 LOGOUT\r\n".to_owned()),
        Just("{5}".to_owned()),
        Just("{5+}\r\n".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just(")".to_owned()),
        Just("NIL".to_owned()),
        Just("\0".to_owned()),
        Just("*%".to_owned()),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn users_and_passwords(user in hostile(), password in hostile()) {
        match Command::login(&user, &Secret::new(password.clone())) {
            Err(_) => prop_assert!(user.contains(['\0', '\r', '\n']) || password.contains(['\0', '\r', '\n'])),
            Ok(command) => {
                let CommandBody::Login { username, password: sent } = read_back(command) else { panic!("not LOGIN") };
                prop_assert_eq!(bytes_of(&username), user.as_bytes());
                prop_assert_eq!(bytes_of(sent.declassify()), password.as_bytes());
            }
        }
    }

    #[test]
    fn mailbox_names(name in hostile()) {
        match Command::create(&name) {
            Err(_) => prop_assert!(name.contains(['\0', '\r', '\n'])),
            Ok(command) => {
                let CommandBody::Create { mailbox } = read_back(command) else { panic!("not CREATE") };
                match mailbox {
                    Mailbox::Inbox => prop_assert!(name.eq_ignore_ascii_case("inbox")),
                    Mailbox::Other(other) => prop_assert_eq!(utf7::decode(other.inner().as_ref()), Some(name)),
                }
            }
        }
    }

    #[test]
    fn fields_of_id(field in hostile(), value in proptest::option::of(hostile())) {
        let breaks = |text: &str| text.contains(['\0', '\r', '\n']);
        let value_breaks = value.as_deref().is_some_and(|value| breaks(value) || value.len() > 1024);
        match Command::id(&[(field.clone(), value.clone())]) {
            Err(_) => prop_assert!(breaks(&field) || field.len() > 30 || value_breaks),
            Ok(command) => {
                let CommandBody::Id { parameters: Some(sent) } = read_back(command) else { panic!("not ID") };
                let [(sent_field, sent_value)] = &sent[..] else { panic!("not one field: {sent:?}") };
                prop_assert_eq!(sent_field.as_ref(), field.as_bytes());
                prop_assert_eq!(sent_value.0.as_ref().map(AsRef::as_ref), value.as_deref().map(str::as_bytes));
            }
        }
    }

    #[test]
    fn metadata(name in hostile(), value in proptest::option::of(hostile())) {
        let read = |value: &NString8<'static>| match value {
            NString8::NString(NString(value)) => value.as_ref().map(|value| value.as_ref().to_vec()),
            NString8::Literal8(_) => panic!("not a string"),
        };
        match Command::set_metadata(&name, "/private/comment", value.as_deref()) {
            Err(_) => prop_assert!(
                name.contains(['\0', '\r', '\n']) || value.is_some_and(|value| value.contains('\0'))
            ),
            Ok(command) => {
                let CommandBody::SetMetadata { entry_values, .. } = read_back(command) else { panic!("not SETMETADATA") };
                let [sent] = entry_values.as_ref() else { panic!("not one: {entry_values:?}") };
                prop_assert_eq!(sent.entry.as_ref(), b"/private/comment");
                prop_assert_eq!(read(&sent.value), value.map(String::into_bytes));
            }
        }
        let entry = format!("/shared/{name}");
        if let Ok(command) = Command::get_metadata("x", std::slice::from_ref(&entry), true) {
            let CommandBody::GetMetadata { entries, .. } = read_back(command) else { panic!("not GETMETADATA") };
            prop_assert_eq!(entries.as_ref()[0].as_ref(), entry.as_bytes());
        }
    }

    #[test]
    fn search_strings(text in hostile(), field in hostile()) {
        match Command::search(&SearchKey::Subject(text.clone()), false) {
            Err(_) => prop_assert!(text.contains(['\0', '\r', '\n'])),
            Ok(command) => {
                let CommandBody::Search { charset, criteria, uid: false } = read_back(command) else { panic!("not SEARCH") };
                prop_assert_eq!(charset.is_some(), !text.is_ascii());
                let [TheirKey::Subject(sent)] = criteria.as_ref() else { panic!("not SUBJECT: {criteria:?}") };
                prop_assert_eq!(bytes_of(sent), text.as_bytes());
            }
        }
        if let Ok(command) = Command::search(&SearchKey::Header(field.clone(), text.clone()), false) {
            let CommandBody::Search { criteria, .. } = read_back(command) else { panic!("not SEARCH") };
            let [TheirKey::Header(sent_field, sent)] = criteria.as_ref() else { panic!("not HEADER: {criteria:?}") };
            prop_assert_eq!((bytes_of(sent_field), bytes_of(sent)), (field.into_bytes(), text.into_bytes()));
        }
    }

    #[test]
    fn flags(text in hostile()) {
        if let Ok(flag) = Flag::new(&text) {
            let message = Messages::Uids(std::num::NonZeroU32::MIN.into());
            let command = Command::store(&message, postoffice::proto::imap::command::StoreMode::Add, &[flag], false).unwrap();
            let CommandBody::Store { flags, uid: true, .. } = read_back(command) else { panic!("not STORE") };
            prop_assert_eq!(flags.len(), 1);
            prop_assert_eq!(flags[0].to_string().to_lowercase(), text.to_lowercase());
        }
    }

    #[test]
    fn fetch_items_and_raw_searches_never_leave_their_command(text in hostile()) {
        let message = Messages::Numbers(std::num::NonZeroU32::MIN.into());
        let fetch = text.parse().and_then(|items| Command::fetch(&message, &items));
        for command in [fetch, Command::search(&SearchKey::Raw(text.clone()), false)].into_iter().flatten() {
            let mut session = session();
            session.submit(command);
            let outgoing = session.take_outgoing();
            let line = outgoing.bytes().strip_suffix(b"\r\n").unwrap();
            prop_assert!(!line.contains(&b'\r') && !line.contains(&b'\n') && !line.ends_with(b"}"), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn letters(letter in proptest::collection::vec(any::<u8>(), 0..200)) {
        let command = Command::append("box", &[], None, &letter).unwrap();
        let CommandBody::Append { message, .. } = read_back(command) else { panic!("not APPEND") };
        match message {
            LiteralOrLiteral8::Literal(message) => prop_assert_eq!(message.as_ref(), &letter[..]),
            LiteralOrLiteral8::Literal8(message) => {
                prop_assert!(letter.contains(&0));
                prop_assert_eq!(&message.data[..], &letter[..]);
            }
        }
    }

    #[test]
    fn text_in_utf8_is_one_argument_of_one_command(text in hostile()) {
        let mut session = session();
        session.submit(Command::enable(&["UTF8=ACCEPT"]));
        session.receive(b"* ENABLED UTF8=ACCEPT\r\nA1 OK done\r\n");
        while !matches!(session.next_event().unwrap(), Event::NeedBytes) {}
        prop_assert!(session.has_utf8());
        session.take_outgoing();
        let key = SearchKey::Subject(text.clone());
        for command in [Command::select(&text, false), Command::search(&key, false)].into_iter().flatten() {
            session.submit(command);
            let outgoing = session.take_outgoing();
            let line = outgoing.bytes().strip_suffix(b"\r\n").unwrap();
            prop_assert!(!line.contains(&b'\r') && !line.contains(&b'\n') && !line.contains(&0));
            let line = std::str::from_utf8(line).unwrap();
            let argument = line.rsplit_once("SUBJECT ").or_else(|| line.split_once("SELECT ")).unwrap().1;
            let inside = argument.strip_prefix('"').and_then(|inside| inside.strip_suffix('"'));
            let plain = inside.map(|inside| inside.replace("\\\"", "\"").replace("\\\\", "\\"));
            if !text.contains("SUBJECT ") && !text.contains("SELECT ") && !text.contains('\\') {
                prop_assert_eq!(plain.as_deref().unwrap_or(argument), &text);
            }
            session.receive(format!("{} OK done\r\n", line.split(' ').next().unwrap()).as_bytes());
            while !matches!(session.next_event().unwrap(), Event::NeedBytes) {}
        }
    }
}

#[test]
fn patterns_keep_their_meaning_and_quotes() {
    let CommandBody::List { reference, mailbox_wildcard } =
        read_back(Command::list("a\"b", "x*%\\ü", false).unwrap())
    else {
        panic!("not LIST")
    };
    assert_eq!(reference, Mailbox::try_from("a\"b").unwrap());
    assert_eq!(
        format!("{mailbox_wildcard:?}"),
        format!(
            "{:?}",
            imap_codec::imap_types::mailbox::ListMailbox::String(
                IString::try_from("x*%\\&APw-").unwrap()
            )
        )
    );
}

#[test]
fn mod_sequences_are_sent_as_rfc_7162_has_them() {
    let sent = |command: Result<Command, EncodeError>| {
        let mut session = session();
        session.submit(command.unwrap());
        let line = String::from_utf8(session.take_outgoing().bytes().to_vec()).unwrap();
        line.strip_prefix("A1 ").unwrap().trim_end().to_owned()
    };
    let uids: Messages = Messages::Uids("1:5,7".parse().unwrap());
    let since = |uids: Option<&str>| Since {
        uid_validity: 67890007,
        modseq: 20050715194045000,
        uids: uids.map(|uids| uids.parse().unwrap()),
    };
    let seen = [Flag::SEEN];
    let items = "(UID FLAGS)".parse().unwrap();
    for (command, expected) in [
        (Command::select_condstore("a b", false), "SELECT \"a b\" (CONDSTORE)"),
        (
            Command::select_since("INBOX", false, &since(None)),
            "SELECT INBOX (QRESYNC (67890007 20050715194045000))",
        ),
        (
            Command::select_since("INBOX", true, &since(Some("41,43:211"))),
            "EXAMINE INBOX (QRESYNC (67890007 20050715194045000 41,43:211))",
        ),
        (
            Command::fetch_changed_since(&uids, &items, 12345),
            "UID FETCH 1:5,7 (UID FLAGS) (CHANGEDSINCE 12345)",
        ),
        (
            Command::store_unchanged_since(&uids, StoreMode::Add, &seen, true, Some(0)),
            "UID STORE 1:5,7 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Seen)",
        ),
        (Ok(Command::enable(&["CONDSTORE", "QRESYNC"])), "ENABLE CONDSTORE QRESYNC"),
    ] {
        read_back(command.clone().unwrap());
        assert_eq!(sent(command), expected);
    }
    // Gmail's own, which the decoder does not know.
    let labels = ["To Do", "\\Important", "gr\u{fc}n", "a{3}"].map(str::to_owned);
    assert_eq!(
        sent(Command::store_labels(&uids, StoreMode::Remove, &labels)),
        "UID STORE 1:5,7 -X-GM-LABELS (\"To Do\" \\Important \"gr&APw-n\" \"a{3}\")"
    );
    for wrong in ["a\r\nb", "\\a b", "\\", "\0"] {
        let wrong = [wrong.to_owned()];
        assert!(Command::store_labels(&uids, StoreMode::Add, &wrong).is_err(), "{wrong:?}");
    }
    for wrong in [since(Some("1:*")), Since { modseq: 0, ..since(None) }] {
        assert!(Command::select_since("INBOX", false, &wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn notify_is_sent_as_rfc_5465_has_it() {
    let selected = "(selected-delayed (MessageNew MessageExpunge FlagChange))";
    let letters = "(MessageNew MessageExpunge)";
    for (watched, expected) in [
        (Watched::Mailboxes(&[]), String::new()),
        (Watched::Personal, format!(" (personal {letters})")),
        (Watched::Mailboxes(&["INBOX"]), format!(" (mailboxes (INBOX) {letters})")),
        (
            Watched::Mailboxes(&["a b", "Entw\u{fc}rfe", "R&D", "NIL", "a\"b)"]),
            format!(" (mailboxes (\"a b\" Entw&APw-rfe R&-D \"NIL\" \"a\\\"b)\") {letters})"),
        ),
    ] {
        let mut session = session();
        session.submit(Command::notify_set(watched).unwrap());
        let line = String::from_utf8(session.take_outgoing().bytes().to_vec()).unwrap();
        assert_eq!(line, format!("A1 NOTIFY SET STATUS {selected}{expected}\r\n"));
    }
    for wrong in ["a\r\nb", "\0", "\n"] {
        assert!(Command::notify_set(Watched::Mailboxes(&["a", wrong])).is_err(), "{wrong:?}");
    }
}
