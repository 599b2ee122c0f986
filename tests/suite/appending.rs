//! APPEND of several letters at once (MULTIAPPEND, RFC 3502), letters with NUL (BINARY, RFC 3516), and a
//! letter in the place of another (REPLACE, RFC 8508), on servers that have these and on others.

use crate::support::{Server, empty, on_every_server};
use postoffice::client::{Error, ImapClient};
use postoffice::proto::imap::{Flag, MessageId, Messages};
use postoffice::sandbox::{Account, Extension, Extensions, Options, Quota};
use std::num::NonZeroU32;

const LETTER: &str = "Subject: one\n\nx\n";
const OTHER: &str = "Subject: two\n\nx\n";
const NEW: &[u8] = b"Subject: new\r\n\r\nx\r\n";

fn without(extensions: &[Extension]) -> Server {
    let extensions = extensions.iter().fold(Extensions::default(), |all, one| all.without(*one));
    Server::sandbox(Options { extensions, ..empty() })
}

fn id(number: u32, uid: bool) -> MessageId {
    MessageId::new(NonZeroU32::new(number).unwrap(), uid)
}

fn all() -> Messages {
    Messages::all()
}

/// The subject and the flags of each letter of the inbox.
fn inbox(client: &mut ImapClient) -> Vec<String> {
    client.select("INBOX", true).unwrap();
    let items = "(FLAGS BODY.PEEK[HEADER])".parse().unwrap();
    let shown = |letter: &postoffice::client::Fetched| {
        let header = String::from_utf8_lossy(letter.text("BODY[HEADER]").unwrap()).into_owned();
        let mut flags = letter.flags.clone().unwrap();
        flags.retain(|flag| flag != "\\Recent");
        flags.sort();
        format!("{} {}", header.trim_end().trim_start_matches("Subject: "), flags.join(" "))
            .trim_end()
            .to_owned()
    };
    client.fetch_all(&all(), &items).unwrap().iter().map(shown).collect()
}

#[test]
fn a_letter_is_replaced_on_every_server() {
    let test = |server: &Server| {
        let mut client = server.with_letters(&[LETTER, OTHER]);
        let flags = [Flag::new("\\Flagged").unwrap(), Flag::new("later").unwrap()];
        client
            .store_silently(
                &Messages::Numbers("1".parse().unwrap()),
                postoffice::proto::imap::command::StoreMode::Add,
                &flags,
            )
            .unwrap();
        // Nothing happens to the mailbox if the letter cannot be stored.
        let refused = client.replace(id(1, false), Some("nowhere"), None, None, NEW);
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
        assert_eq!(client.replace(id(9, true), None, None, None, NEW).unwrap(), None);
        assert_eq!(client.selected().unwrap().exists, 2);

        let (_, removed) = client.replace(id(1, false), None, None, None, NEW).unwrap().unwrap();
        assert!(removed);
        assert_eq!(inbox(&mut client), ["two", "new \\Flagged later"], "{}", server.name);
        let refused = client.replace(id(1, false), None, None, None, NEW);
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");

        client.create("drafts").unwrap();
        client.select("INBOX", false).unwrap();
        let seen = [Flag::new("\\Seen").unwrap()];
        let replaced = client.replace(id(2, true), Some("drafts"), Some(&seen), None, NEW);
        assert!(replaced.unwrap().unwrap().1);
        assert_eq!(inbox(&mut client), ["new \\Flagged later"]);
        client.select("drafts", true).unwrap();
        assert_eq!(client.selected().unwrap().exists, 1);
        client.logout().unwrap();
    };
    on_every_server(test);
    test(&without(&[Extension::Replace]));
    test(&without(&[Extension::Replace, Extension::UidPlus]));
    test(&without(&[Extension::LiteralPlus]));
}

#[test]
fn without_uidplus_the_old_letter_stays_if_others_are_marked() {
    let server = without(&[Extension::Replace, Extension::UidPlus]);
    let mut client = server.with_letters(&[LETTER, OTHER]);
    let marked = Messages::Numbers("2".parse().unwrap());
    let deleted = [Flag::new("\\Deleted").unwrap()];
    client
        .store_silently(&marked, postoffice::proto::imap::command::StoreMode::Add, &deleted)
        .unwrap();
    let (_, removed) = client.replace(id(1, false), None, None, None, NEW).unwrap().unwrap();
    assert!(!removed);
    assert_eq!(client.take_warnings().len(), 1);
    assert_eq!(inbox(&mut client), ["one \\Deleted", "two \\Deleted", "new"]);
}

#[test]
fn letters_are_copied_in_groups_and_one_by_one_with_the_same_result() {
    let letters: Vec<String> = (0..40).map(|number| format!("Subject: {number}\n\nx\n")).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    for (extensions, appends) in [
        (&[][..], 3),
        (&[Extension::LiteralPlus], 3),
        (&[Extension::MultiAppend], 40),
        (&[Extension::MultiAppend, Extension::LiteralPlus], 40),
    ] {
        let server = without(extensions);
        let mut client = server.with_letters(&letters);
        let mut other = server.connect();
        other.create("there").unwrap();
        let before = server.received().len();
        let mut copied = Vec::new();
        client
            .copy_to_other(&all(), &mut other, "there", &mut |number| copied.push(number))
            .unwrap();
        assert_eq!(copied, (1..=40).collect::<Vec<u32>>());
        let received = server.received().split_off(before);
        assert_eq!(received.iter().filter(|one| one.starts_with("Append")).count(), appends);
        other.select("there", true).unwrap();
        assert_eq!(other.selected().unwrap().exists, 40);
    }
}

#[test]
fn of_a_group_that_is_refused_each_letter_is_tried() {
    for extensions in [&[][..], &[Extension::MultiAppend][..]] {
        let extensions =
            extensions.iter().fold(Extensions::default(), |all, one| all.without(*one));
        let quota = Quota { storage: None, messages: Some(5) };
        let accounts = vec![Account::new("user", "pw").with_quota(quota)];
        let server = Server::sandbox(Options { accounts, extensions, ..empty() });
        let mut client = server.with_letters(&[LETTER, OTHER, LETTER]);
        let mut other = server.connect();
        other.create("there").unwrap();
        let mut copied = Vec::new();
        let result =
            client.copy_to_other(&all(), &mut other, "there", &mut |number| copied.push(number));
        assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
        assert_eq!(copied, [1, 2]);
    }
}

#[test]
fn a_letter_with_nul_is_stored_where_the_server_takes_one() {
    let letter = b"Subject: \x00\r\n\r\n\x00\x01";
    let server = without(&[]);
    let mut client = server.connect();
    client.append("INBOX", &[], None, letter).unwrap();
    client.select("INBOX", true).unwrap();
    let fetched = client.fetch_all(&all(), &"BINARY.PEEK[]".parse().unwrap()).unwrap();
    assert_eq!(fetched[0].text("BINARY[]").unwrap(), letter);

    let server = without(&[Extension::Binary]);
    let mut client = server.with_letters(&[LETTER]);
    let before = server.received().len();
    let refused = client.append("INBOX", &[], None, letter);
    assert!(matches!(refused, Err(Error::Argument(_))), "{refused:?}");
    let refused = client.fetch_all(&all(), &"BINARY.PEEK[1]".parse().unwrap());
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    assert_eq!(server.received().len(), before);
}
