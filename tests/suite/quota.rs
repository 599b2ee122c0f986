//! Quotas (RFC 9208): how the client reads them, and how the sandbox enforces them.

use crate::support::script::Script;
use crate::support::{Server, empty};
use postoffice::client::{ConnectOptions, Credentials, Error, ImapClient};
use postoffice::proto::ProtocolError;
use postoffice::proto::imap::{MessageId, Messages};
use postoffice::sandbox::{Account, Extension, Extensions, Options, Quota, SandboxError};
use std::num::NonZeroU32;

const LETTER: &str = "Subject: x\n\nx\n";

/// A sandbox whose only account has this quota.
fn limited(storage: Option<u64>, messages: Option<u64>) -> Server {
    let quota = Quota { storage, messages };
    Server::sandbox(Options {
        accounts: vec![Account::new("user", "pw").with_quota(quota)],
        ..empty()
    })
}

fn refusal(result: Result<impl std::fmt::Debug, Error>) -> String {
    match result {
        Err(Error::Refused { completion, .. }) => completion.words(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn first() -> Messages {
    MessageId::Number(NonZeroU32::MIN).into()
}

#[test]
fn roots_and_resources_are_told() {
    let server = limited(Some(10), Some(5));
    let mut client = server.with_letters(&[LETTER, LETTER]);
    let [root] = &client.quota("INBOX").unwrap()[..] else { panic!("one root") };
    assert_eq!(root.name, "user");
    let resources: Vec<_> =
        root.resources.iter().map(|one| (one.name.as_str(), one.usage, one.limit)).collect();
    assert_eq!(resources, [("STORAGE", 1, 10), ("MESSAGE", 2, 5)]);
    assert!(refusal(client.quota("nowhere")).contains("NONEXISTENT"));
    let server = Server::sandbox(empty());
    let mut unlimited = server.connect();
    assert_eq!(unlimited.quota("INBOX").unwrap(), []);
}

#[test]
fn a_server_without_quota_is_not_asked() {
    let extensions = Extensions::default().without(Extension::Quota);
    let server = Server::sandbox(Options { extensions, ..empty() });
    let mut client = server.connect();
    client.noop().unwrap(); // ENABLE is sent ahead
    let before = server.received().len();
    assert!(matches!(client.quota("INBOX"), Err(Error::Unsupported(_))));
    assert_eq!(server.received().len(), before);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let server = limited(None, Some(2));
    let mut client = server.with_letters(&[LETTER, LETTER]);
    client.create("box").unwrap();
    let append = client.append("INBOX", &[], None, LETTER.as_bytes());
    assert!(refusal(append).contains("OVERQUOTA"));
    assert!(refusal(client.copy(&first(), "box")).contains("OVERQUOTA"));
    client.move_to(&first(), "box").unwrap(); // needs no additional space
    assert_eq!(server.store().letters("user", "INBOX").len(), 1);
    assert_eq!(server.store().letters("user", "box").len(), 1);
    let delivered = server.store().deliver("user", "INBOX", LETTER.as_bytes());
    assert!(matches!(delivered, Err(SandboxError::OverQuota(_))));

    let server = limited(Some(1), None);
    let mut client = server.connect();
    client.append("INBOX", &[], None, &[b'x'; 1024]).unwrap();
    let append = client.append("INBOX", &[], None, b"x");
    assert!(refusal(append).contains("OVERQUOTA"));
}

#[test]
fn a_full_mailbox_takes_no_letter_by_smtp() {
    use postoffice::client::SmtpClient;
    use postoffice::client::smtp::Envelope;
    let server = limited(None, Some(0));
    let port = server.the_sandbox().smtp_address().port();
    let options = ConnectOptions { port: Some(port), ..server.options() };
    let connector = Default::default();
    let mut client = SmtpClient::connect(&connector, "127.0.0.1", None, None, &options).unwrap();
    let to = ["user@example.org".to_owned()];
    let envelope = Envelope { from: "a@example.org", to: &to, partial: false, long_lines: false };
    assert!(refusal(client.send(&envelope, LETTER.as_bytes())).contains("552"));
    assert_eq!(server.store().letters("user", "INBOX").len(), 0);
}

/// Quota roots by name, each with its resources: name, usage, limit.
type Roots = Vec<(String, Vec<(String, u64, u64)>)>;

/// Returns what the client makes of a server's response to GETQUOTAROOT.
fn read(answer: &'static str) -> Result<Roots, Error> {
    let script = Script::run(move |peer| {
        peer.log_in("QUOTA");
        peer.answer(&format!("{answer}{{tag}} OK done\r\n"));
        peer.hear_rest();
    });
    let options = ConnectOptions { port: Some(script.address.port()), ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    let mut client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    let resources = |resources: Vec<postoffice::client::QuotaResource>| {
        resources.into_iter().map(|one| (one.name, one.usage, one.limit)).collect()
    };
    let roots = client.quota("INBOX")?;
    Ok(roots.into_iter().map(|root| (root.name, resources(root.resources))).collect())
}

#[test]
fn answers_of_servers_are_read() {
    type Root = (&'static str, &'static [(&'static str, u64, u64)]);
    let table: &[(&str, &[Root])] = &[
        // The example of RFC 2087 section 5.2.
        (
            "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 10 512)\r\n",
            &[("", &[("STORAGE", 10, 512)])],
        ),
        // RFC 9208 section 4.2.2: several roots, and QUOTA for one that the mailbox does not have.
        (
            "* QUOTAROOT INBOX #user/alice \"a b\"\r\n* QUOTA \"a b\" ()\r\n* QUOTA other (STORAGE 1 2)\r\n* QUOTA #user/alice (MESSAGE 42 1000 storage 5 6)\r\n",
            &[("#user/alice", &[("MESSAGE", 42, 1000), ("STORAGE", 5, 6)]), ("a b", &[])],
        ),
        ("* QUOTAROOT INBOX\r\n", &[]),
        // A server that names a root but sends no QUOTA for it.
        ("* QUOTAROOT INBOX x\r\n", &[("x", &[])]),
        (
            "* QUOTAROOT INBOX {1}\r\nx\r\n* QUOTA {1}\r\nx (STORAGE 9223372036854775807 1)\r\n",
            &[("x", &[("STORAGE", i64::MAX as u64, 1)])],
        ),
    ];
    for (answer, expected) in table {
        let found = read(answer).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, resources)| {
                let resources: Vec<_> =
                    resources.iter().map(|(name, a, b)| (name.as_str(), *a, *b)).collect();
                (name.as_str(), resources)
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(name, resources)| (*name, resources.to_vec())).collect();
        assert_eq!(found, expected, "{answer}");
    }
}

#[test]
fn answers_that_cannot_be_read_are_errors() {
    for answer in [
        "* QUOTA \"\" (STORAGE 10)\r\n",
        "* QUOTA \"\" (STORAGE ten 512)\r\n",
        "* QUOTA \"\" (STORAGE -1 512)\r\n",
        "* QUOTA \"\"\r\n",
        "* QUOTAROOT\r\n",
        "* QUOTA \"\" (STORAGE 99999999999999999999999999 512)\r\n",
    ] {
        let error = read(answer).unwrap_err();
        assert!(matches!(error, Error::Unexpected(_)), "{answer}: {error}");
    }
}

#[test]
fn a_server_that_does_not_end_is_given_up() {
    let many: &'static str = Box::leak(
        format!("* QUOTA \"\" ({})\r\n", "X 1 2 ".repeat(200_000).trim_end()).into_boxed_str(),
    );
    let error = read(many).unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::TooLarge { .. })), "{error}");
}
