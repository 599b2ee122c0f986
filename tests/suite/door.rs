//! The witness: it sees every change before the first byte is sent, and again with the outcome. If
//! it refuses a change, nothing happens and the connection stays usable.

use crate::support::script::Script;
use crate::support::{Server, empty};
use postoffice::client::smtp::Envelope;
use postoffice::client::{ConnectOptions, Error, ImapClient, PopClient, SmtpClient};
use postoffice::proto::deed::{Act, Deed, Letters, Reversal};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::{CopiedUids, MessageId, Messages};
use postoffice::proto::witness::{Ending, ReadOnly, Refusal, Wanted, Witness, Witnesses};
use postoffice::sandbox::{Extension, Extensions, Options};
use postoffice::transport::Connector;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

/// A witness that records what it sees and allows everything.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }
}

impl Witness for Notes {
    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        self.note(deed.to_string());
        Ok(())
    }

    fn after(&self, _: &Deed, ending: Ending, _: Option<&CopiedUids>) {
        self.note(format!("{ending:?}"));
    }
}

pub(crate) fn watched(witness: Arc<dyn Witness>) -> Connector {
    Connector { witness, ..Connector::default() }
}

pub(crate) fn imap(server: &Server, connector: &Connector) -> ImapClient {
    ImapClient::connect(connector, "127.0.0.1", &server.credentials(), &server.options()).unwrap()
}

fn pop(server: &Server, connector: &Connector) -> PopClient {
    let options = ConnectOptions { port: Some(server.pop_port), ..server.options() };
    PopClient::connect(connector, "127.0.0.1", &server.credentials(), &options).unwrap()
}

fn one(uid: bool) -> Messages {
    MessageId::new(NonZeroU32::MIN, uid).into()
}

const LETTER: &[u8] = b"Subject: x\r\n\r\nx\r\n";

pub(crate) type Step = (&'static str, fn(&mut ImapClient) -> Result<(), Error>);

/// Every operation that changes something over IMAP, with the text of its deed.
pub(crate) fn steps() -> Vec<Step> {
    vec![
        ("create the mailbox \"box\" on 127.0.0.1", |c| c.create("box")),
        ("subscribe to \"box\" on 127.0.0.1", |c| c.subscribe("box")),
        ("unsubscribe from \"box\" on 127.0.0.1", |c| c.unsubscribe("box")),
        ("rename to \"case\" the mailbox \"box\" on 127.0.0.1", |c| c.rename("box", "case")),
        ("append a letter of 17 bytes to \"INBOX\" on 127.0.0.1", |c| {
            c.append("INBOX", &[], None, LETTER).map(drop)
        }),
        ("append a letter of 17 bytes to \"INBOX\" on 127.0.0.1", |c| {
            c.append_from("INBOX", &[], None, 17, &mut &LETTER[..]).map(drop)
        }),
        ("take \\Recent from letters of \"INBOX\" on 127.0.0.1", |c| c.select("INBOX", false)),
        ("change flags of letters in \"INBOX\" on 127.0.0.1", |c| {
            c.store_silently(&one(false), StoreMode::Add, &[Flag::new("\\Flagged").unwrap()])
        }),
        ("set \\Seen on letters of \"INBOX\" on 127.0.0.1", |c| {
            c.fetch(&one(true), &"body[]".parse().unwrap(), &mut |_| Ok(()))
        }),
        ("set \\Seen on letters of \"INBOX\" on 127.0.0.1", |c| {
            let message = MessageId::Number(NonZeroU32::MIN);
            c.write_letter(message, false, "x", &mut std::io::sink()).map(drop)
        }),
        ("copy to \"case\" letters of \"INBOX\" on 127.0.0.1", |c| {
            c.copy(&one(true), "case").map(drop)
        }),
        ("move to \"case\" letters of \"INBOX\" on 127.0.0.1", |c| {
            c.move_to(&one(true), "case").map(drop)
        }),
        ("remove letters from \"INBOX\" on 127.0.0.1", |c| c.expunge().map(drop)),
        ("remove letters from \"INBOX\" on 127.0.0.1", |c| {
            c.uid_expunge(&NonZeroU32::MIN.into()).map(drop)
        }),
        ("remove letters from \"INBOX\" on 127.0.0.1", |c| c.close_mailbox()),
        ("create the mailbox \"out\" on 127.0.0.1", |c| {
            c.create_for("out", &Flag::new("\\Sent").unwrap())
        }),
        ("set rights of \"fred\" to \"case\" on 127.0.0.1", |c| {
            c.set_rights("case", "fred", Some("lr"))
        }),
        ("set rights of \"fred\" to \"case\" on 127.0.0.1", |c| c.set_rights("case", "fred", None)),
        ("set metadata /private/comment of \"case\" on 127.0.0.1", |c| {
            c.set_metadata("case", "/private/comment", Some("x"))
        }),
        ("set metadata /private/comment of \"\" on 127.0.0.1", |c| {
            c.set_metadata("", "/private/comment", None)
        }),
        ("delete the mailbox \"case\" on 127.0.0.1", |c| c.delete("case")),
    ]
}

#[test]
fn every_change_over_imap_is_shown_before_and_after() {
    let server = Server::sandbox(empty());
    let notes = Arc::new(Notes::default());
    let mut client = imap(&server, &watched(notes.clone()));
    assert_eq!(notes.take(), [""; 0], "logging in changes nothing");
    for (deed, step) in steps() {
        step(&mut client).unwrap_or_else(|error| panic!("{deed}: {error}"));
        assert_eq!(notes.take(), [deed, "Done"]);
    }
}

/// A witness that wants to know everything, and records what it was told.
#[derive(Debug, Default)]
struct Curious(Mutex<Vec<String>>);

impl Witness for Curious {
    fn wants(&self, _: &Deed) -> Wanted {
        Wanted::ALL
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        let facts = deed.facts.clone().unwrap_or_default();
        let letters = facts.letters.iter().map(|letter| {
            let flags = letter.flags.iter().flatten().filter(|flag| *flag != "\\Recent");
            let flags = flags.map(String::as_str).collect::<Vec<_>>().join(" ");
            let size = letter.size.unwrap_or_default();
            format!(
                "{} {size} {} [{flags}]",
                letter.uid,
                letter.message_id.as_deref().unwrap_or("-")
            )
        });
        let letters: Vec<String> = letters.collect();
        let user = deed.account.as_ref().and_then(|account| account.user.as_deref());
        self.0.lock().unwrap().push(format!(
            "{} {}: {}",
            user.unwrap_or("-"),
            facts.count.unwrap_or(0),
            letters.join(", ")
        ));
        Ok(())
    }

    fn after(&self, _: &Deed, ending: Ending, stored: Option<&CopiedUids>) {
        let stored = stored.map(|stored| format!("{} -> {}", stored.from, stored.to));
        self.0.lock().unwrap().push(format!("{ending:?} {}", stored.unwrap_or_default()));
    }
}

/// What a witness is told before a step and after it, and the step.
type Shown<'s> = (String, &'s str, Box<dyn Fn(&mut ImapClient) + 's>);

#[test]
fn a_witness_learns_of_the_letters_before_and_of_the_copies_after() {
    let server = Server::sandbox(empty());
    for at in 1..=3 {
        let letter = format!("Message-ID: <{at}@example.org>\r\n\r\nx\r\n");
        server.store().deliver(&server.user, "INBOX", letter.as_bytes()).unwrap();
    }
    let curious = Arc::new(Curious::default());
    let mut client = imap(&server, &watched(curious.clone()));
    client.select("INBOX", false).unwrap();
    client.create("box").unwrap();
    curious.0.lock().unwrap().clear();
    let deleted = [Flag::DELETED];
    let numbers = |range: &str| Messages::Numbers(range.parse().unwrap());
    let letter = |at: u32, flags: &str| format!("{at} 34 <{at}@example.org> [{flags}]");
    let [one, two, three] = [1, 2, 3].map(|at| letter(at, ""));
    let seen = letter(1, "\\Seen");
    let marked = letter(3, "\\Deleted");
    let steps: [Shown<'_>; 7] = [
        (
            format!("2: {two}, {three}"),
            "Done ",
            Box::new(|c| c.store_silently(&numbers("2:*"), StoreMode::Add, &deleted).unwrap()),
        ),
        (
            format!("1: {}", letter(2, "\\Deleted")),
            "Done ",
            Box::new(|c| c.store_silently(&numbers("2"), StoreMode::Remove, &deleted).unwrap()),
        ),
        (
            format!("1: {one}"),
            "Done ",
            Box::new(|c| {
                c.fetch(&numbers("1"), &"body[]".parse().unwrap(), &mut |_| Ok(())).unwrap()
            }),
        ),
        (
            format!("1: {seen}"),
            "Done 1 -> 1",
            Box::new(|c| drop(c.copy(&numbers("1"), "box").unwrap())),
        ),
        (
            format!("2: {seen}, {two}"),
            "Done 1:2 -> 2:3",
            Box::new(|c| drop(c.move_to(&numbers("1:2"), "box").unwrap())),
        ),
        (format!("1: {marked}"), "Done ", Box::new(|c| drop(c.expunge().unwrap()))),
        (
            "0: ".to_owned(),
            "Done  -> 4",
            Box::new(|c| assert!(c.append("box", &[], None, LETTER).unwrap().is_some())),
        ),
    ];
    for (before, after, step) in steps {
        step(&mut client);
        let user = &server.user;
        assert_eq!(*curious.0.lock().unwrap(), [format!("{user} {before}"), after.to_owned()]);
        curious.0.lock().unwrap().clear();
    }
    client.delete("box").unwrap();
    assert_eq!(*curious.0.lock().unwrap(), [format!("{} 4: ", server.user), "Done ".to_owned()]);
}

/// A witness that wants the letters of each change.
#[derive(Debug)]
struct Counting;

impl Witness for Counting {
    fn wants(&self, _: &Deed) -> Wanted {
        let mut wanted = Wanted::NOTHING;
        wanted.letters = true;
        wanted
    }

    fn before(&self, _: &Deed) -> Result<(), Refusal> {
        Ok(())
    }

    fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
}

#[test]
fn reading_letter_after_letter_asks_once_which_are_unseen() {
    let server = Server::sandbox(empty());
    for at in 1..=5 {
        let letter = format!("Subject: {at}\r\n\r\nx\r\n");
        server.store().deliver(&server.user, "INBOX", letter.as_bytes()).unwrap();
    }
    let mut client = imap(&server, &watched(Arc::new(Counting)));
    client.select("INBOX", false).unwrap();
    for number in [1, 2, 3, 2] {
        let message = Messages::numbers([number]);
        client.fetch(&message, &"body[]".parse().unwrap(), &mut |_| Ok(())).unwrap();
    }
    let searches = server.received().into_iter().filter(|command| command.starts_with("Search"));
    assert_eq!(searches.count(), 2, "by number and by UID");
}

#[test]
fn witnesses_before_a_refusal_hear_that_the_deed_was_abandoned() {
    let server = Server::sandbox(empty());
    let notes = Arc::new(Notes::default());
    let witnesses = Witnesses(vec![notes.clone(), Arc::new(ReadOnly)]);
    let mut client = imap(&server, &watched(Arc::new(witnesses)));
    assert!(matches!(client.create("box"), Err(Error::Limit(_))));
    assert_eq!(notes.take(), ["create the mailbox \"box\" on 127.0.0.1", "Abandoned"]);
    assert!(client.list("", "box").unwrap().is_empty());
}

#[test]
fn what_only_reads_is_no_deed() {
    let server = Server::sandbox(empty());
    server.store().deliver(&server.user, "INBOX", LETTER).unwrap();
    let notes = Arc::new(Notes::default());
    let mut client = imap(&server, &watched(notes.clone()));
    client.select("INBOX", true).unwrap();
    client.fetch(&one(false), &"body[]".parse().unwrap(), &mut |_| Ok(())).unwrap();
    client.read_ahead(&one(false), &"body[]".parse().unwrap(), 5).unwrap();
    client.fetch(&one(false), &"body[]".parse().unwrap(), &mut |_| Ok(())).unwrap();
    client.search(&postoffice::proto::imap::SearchKey::All).unwrap();
    client.list("", "*").unwrap();
    client.status("INBOX", &["MESSAGES".to_owned()]).unwrap();
    client.close_mailbox().unwrap(); // removes nothing, because the mailbox is read-only
    client.noop().unwrap();
    client.close();
    let mut client = pop(&server, &watched(notes.clone()));
    client.letter(1, None).unwrap();
    client.unique_ids().unwrap();
    client.reset().unwrap();
    client.close().unwrap();
    assert_eq!(notes.take(), [""; 0]);
}

#[test]
fn a_refused_change_leaves_everything_as_it_was_and_the_connection_usable() {
    let server = Server::sandbox(empty());
    server.store().deliver(&server.user, "INBOX", LETTER).unwrap();
    let mut client = imap(&server, &watched(Arc::new(ReadOnly)));
    client.select("INBOX", true).unwrap();
    let (before, letters) = (server.received(), server.store().letters(&server.user, "INBOX"));
    for (deed, step) in steps().into_iter().filter(|(deed, _)| !deed.starts_with("set")) {
        // CLOSE removes nothing from a read-only mailbox; EXPUNGE is checked below.
        if deed.starts_with("remove letters") {
            continue;
        }
        let error = step(&mut client).unwrap_err();
        assert!(matches!(error, Error::Limit(_)), "{deed}: {error:?}");
        assert_eq!(error.to_string(), format!("read-only does not allow to {deed}"));
    }
    assert!(matches!(client.expunge(), Err(Error::Limit(_))));
    assert_eq!(server.received(), before, "nothing was sent");
    client.noop().unwrap();
    let after = server.store().letters(&server.user, "INBOX");
    let state = |letters: &[postoffice::sandbox::Letter]| {
        letters.iter().map(|letter| (letter.uid, letter.flags.clone())).collect::<Vec<_>>()
    };
    assert_eq!(state(&after), state(&letters));
    client.close();

    let mut client = pop(&server, &watched(Arc::new(ReadOnly)));
    assert!(matches!(client.delete(&[1]), Err(Error::Limit(_))));
    client.close().unwrap();
    assert_eq!(server.store().letters(&server.user, "INBOX").len(), 1);
}

#[test]
fn a_fetch_that_sets_seen_is_a_change() {
    let server = Server::sandbox(empty());
    server.store().deliver(&server.user, "INBOX", LETTER).unwrap();
    /// Allows selecting a mailbox and nothing else.
    #[derive(Debug)]
    struct OnlySelect;
    impl Witness for OnlySelect {
        fn before(&self, deed: &Deed) -> Result<(), Refusal> {
            match deed.act {
                Act::TakeRecent => Ok(()),
                _ => Err(Refusal::new("only-select", deed)),
            }
        }

        fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
    }
    let mut client = imap(&server, &watched(Arc::new(OnlySelect)));
    client.select("INBOX", false).unwrap();
    let mut fetch =
        |items: &str| client.fetch(&one(false), &items.parse().unwrap(), &mut |_| Ok(()));
    for items in ["body[]", "rfc822", "rfc822.text", "(flags body[text])", "binary[1]"] {
        assert!(matches!(fetch(items), Err(Error::Limit(_))), "{items}");
    }
    for items in ["body.peek[]", "envelope", "rfc822.header", "rfc822.size", "body"] {
        fetch(items).unwrap();
    }
    // `read_ahead` fetches with PEEK, but the fetch that takes the letter would set the flag.
    client.read_ahead(&one(false), &"body[]".parse().unwrap(), 5).unwrap();
    let taken = client.fetch(&one(false), &"body[]".parse().unwrap(), &mut |_| Ok(()));
    assert!(matches!(taken, Err(Error::Limit(_))));
    assert_eq!(server.store().letters(&server.user, "INBOX")[0].flags, [""; 0]);
}

#[test]
fn quit_removes_and_the_witness_knows_which() {
    let server = Server::sandbox(empty());
    for _ in 0..3 {
        server.store().deliver(&server.user, "INBOX", LETTER).unwrap();
    }
    /// Records each deed with its outcome.
    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<(Act, Letters, Ending)>>);
    impl Witness for Kept {
        fn before(&self, _: &Deed) -> Result<(), Refusal> {
            Ok(())
        }

        fn after(&self, deed: &Deed, ending: Ending, _: Option<&CopiedUids>) {
            self.0.lock().unwrap().push((deed.act.clone(), deed.letters.clone(), ending));
        }
    }
    let kept = Arc::new(Kept::default());
    let mut client = pop(&server, &watched(kept.clone()));
    client.delete(&[1]).unwrap();
    client.reset().unwrap();
    client.delete(&[3, 2]).unwrap();
    client.close().unwrap();
    let numbers = |numbers: &[u32]| Letters::Numbers(numbers.to_vec());
    assert_eq!(
        *kept.0.lock().unwrap(),
        [
            (Act::MarkForRemoval, numbers(&[1]), Ending::Done),
            (Act::Unmark, numbers(&[1]), Ending::Done),
            (Act::MarkForRemoval, numbers(&[3]), Ending::Done),
            (Act::MarkForRemoval, numbers(&[2]), Ending::Done),
            (Act::Remove, numbers(&[3, 2]), Ending::Done),
        ]
    );
    assert_eq!(server.store().letters(&server.user, "INBOX").len(), 1);
}

#[test]
fn labels_are_a_change_of_their_own() {
    let extensions = Extensions::default().with(Extension::Gmail);
    let server = Server::sandbox(Options { extensions, ..empty() });
    server.with_letters(&["Subject: x\n\nx\n"]).close();
    let notes = Arc::new(Notes::default());
    let mut client = imap(&server, &watched(notes.clone()));
    client.select("INBOX", false).unwrap();
    notes.take();
    client.store_labels(&one(true), StoreMode::Add, &["work".to_owned()]).unwrap();
    assert_eq!(notes.take(), ["change labels of letters in \"INBOX\" on 127.0.0.1", "Done"]);
    let mut client = imap(&server, &watched(Arc::new(ReadOnly)));
    client.select("INBOX", true).unwrap();
    let refused = client.store_labels(&one(true), StoreMode::Remove, &["work".to_owned()]);
    assert!(matches!(refused, Err(Error::Limit(_))), "{refused:?}");
    let act = Act::StoreLabels { mode: StoreMode::Add, labels: vec!["work".into()] };
    assert_eq!(act.reversal("a"), Reversal::RestorePrevious);
    assert!(act.is_repeatable());
}

#[test]
fn a_letter_is_one_change_from_mail_to_the_reply_behind_it() {
    let server = Server::sandbox(empty());
    let notes = Arc::new(Notes::default());
    let port = server.the_sandbox().smtp_address().port();
    let options = ConnectOptions { port: Some(port), ..server.options() };
    let connect = |witness: Arc<dyn Witness>| {
        SmtpClient::connect(&watched(witness), "127.0.0.1", None, None, &options).unwrap()
    };
    let to = [format!("{}@example.org", server.user), "other@elsewhere.example".to_owned()];
    let envelope = Envelope { from: "a@example.org", to: &to, partial: false, long_lines: false };
    let mut client = connect(notes.clone());
    client.send(&envelope, LETTER).unwrap();
    let deed = format!("send a letter to {} by 127.0.0.1", to.join(", "));
    assert_eq!(notes.take(), [deed.as_str(), "Done"]);
    client.close();
    let sent = server.store().outbox().len();
    let mut client = connect(Arc::new(ReadOnly));
    assert!(matches!(client.send(&envelope, LETTER), Err(Error::Limit(_))));
    client.verify("a@example.org").unwrap();
    client.close();
    assert_eq!(server.store().outbox().len(), sent);
}

#[test]
fn a_change_is_in_doubt_when_the_connection_breaks_before_the_answer() {
    let script = Script::run(|peer| {
        peer.log_in("");
        peer.answer("{tag} OK selected\r\n");
        peer.hear(); // reads COPY and hangs up without answering
    });
    let notes = Arc::new(Notes::default());
    let options = ConnectOptions { port: Some(script.address.port()), ..ConnectOptions::default() };
    let credentials = postoffice::client::Credentials::new("user", "sesame-open");
    let mut client =
        ImapClient::connect(&watched(notes.clone()), "127.0.0.1", &credentials, &options).unwrap();
    client.select("INBOX", false).unwrap();
    notes.take();
    assert!(client.copy(&one(true), "box").is_err());
    assert_eq!(notes.take(), ["copy to \"box\" letters of \"INBOX\" on 127.0.0.1", "InDoubt"]);
}

#[test]
fn a_refusal_by_the_server_is_told() {
    let server = Server::sandbox(empty());
    let notes = Arc::new(Notes::default());
    let mut client = imap(&server, &watched(notes.clone()));
    assert!(matches!(client.delete("nowhere"), Err(Error::Refused { .. })));
    assert_eq!(notes.take(), ["delete the mailbox \"nowhere\" on 127.0.0.1", "Refused"]);
}

#[test]
fn each_act_says_how_it_is_taken_back() {
    assert_eq!(Act::CreateMailbox.reversal("a"), Reversal::By(Act::DeleteMailbox));
    let rename = Act::RenameMailbox { to: "b".into() };
    assert_eq!(rename.reversal("a"), Reversal::By(Act::RenameMailbox { to: "a".into() }));
    assert_eq!(Act::Move { to: "b".into() }.reversal("a"), Reversal::RemoveResult);
    assert_eq!(Act::MarkSeen.reversal("a"), Reversal::RestorePrevious);
    let rights = Act::SetRights { identifier: "fred".into(), rights: Some("+l".into()) };
    for act in [rights, Act::SetMetadata { entry: "/private/comment".into(), value: None }] {
        assert_eq!(act.reversal("a"), Reversal::RestorePrevious);
        assert!(act.is_repeatable(), "{act:?}");
    }
    assert_eq!(Act::Expunge.reversal("a"), Reversal::Impossible);
}
