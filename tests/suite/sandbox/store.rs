//! The store as a program uses it: deliver, inspect, reset, import.

use std::fs;

use postoffice::sandbox::{Account, Options, Sandbox, Seed, import, seed};

use super::client::*;

#[test]
fn delivery_gives_ascending_uids_and_crlf() {
    let sandbox = manual();
    let store = sandbox.store();
    assert_eq!(store.deliver("myacct", "inbox", seed::NEXT_LETTER.as_bytes()).unwrap(), 69);
    assert_eq!(
        store.deliver_with("myacct", "INBOX", b"a: b\n\nc\r\n", &["\\Seen", "$x"], None).unwrap(),
        70
    );
    let letters = store.letters("myacct", "INBOX");
    assert_eq!(
        letters.iter().map(|letter| letter.uid).collect::<Vec<_>>(),
        [59, 60, 62, 64, 65, 67, 68, 69, 70]
    );
    assert_eq!(
        (&*letters[8].bytes, &letters[8].flags[..]),
        (&b"a: b\r\n\r\nc\r\n"[..], &["\\Seen".to_owned(), "$x".to_owned()][..])
    );
}

#[test]
fn mistakes_are_named() {
    let sandbox = manual();
    let store = sandbox.store();
    let error =
        |result: Result<u32, postoffice::sandbox::SandboxError>| result.unwrap_err().to_string();
    assert_eq!(error(store.deliver("nobody", "INBOX", b"")), "the sandbox has no account `nobody`");
    assert_eq!(error(store.deliver("myacct", "box", b"")), "`myacct` has no mailbox `box`");
    assert_eq!(error(store.deliver("myacct", "INBOX", b"\0")), "a letter cannot contain NUL");
    assert_eq!(
        error(store.deliver_with("myacct", "INBOX", b"", &["\\Recent"], None)),
        "flag \\Recent cannot be set"
    );
    assert_eq!(
        error(store.deliver_with("myacct", "INBOX", b"", &["a b"], None)),
        "not a list of flags: [\"a b\"]"
    );
    assert_eq!(
        store.create_mailbox("myacct", "inbox").unwrap_err().to_string(),
        "mailbox INBOX exists already"
    );
    assert_eq!(
        format!("{:?}", Account::manual()),
        "Account { user: \"myacct\", password: \"<secret>\" }"
    );
}

#[test]
fn reset_makes_everything_fresh() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    sandbox.store().deliver("myacct", "INBOX", b"").unwrap();
    sandbox.store().reset(vec![Account::manual(), Account::new("new", "pw")], Seed::Manual);
    assert_eq!(client.ok("NOOP"), ["* BYE The selected mailbox was deleted."]);
    assert_eq!(sandbox.store().users(), ["myacct", "new"]);
    sandbox.store().add_account(Account::new("third", "pw"));
    Client::connect(&sandbox).ok("LOGIN third pw");
    assert_eq!(sandbox.store().letters("myacct", "INBOX").len(), 7);
}

#[test]
fn an_mbox_is_read_and_its_quoting_undone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail");
    fs::write(
        &path,
        "From ann@x Mon Sep 13 11:36:26 1999\nSubject: one\nStatus: RO\nX-Status: AF\n\n>From the start\n>>From twice\nFrom inside\n\n\
         From bob@x Tue Sep 14 00:00:00 1999\nSubject: two\n\nbye\n",
    )
    .unwrap();
    let letters = import(&path).unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        String::from_utf8_lossy(&letters[0].bytes),
        "Subject: one\nStatus: RO\nX-Status: AF\n\nFrom the start\n>From twice\nFrom inside\n"
    );
    assert_eq!(letters[0].flags, ["\\Seen", "\\Answered", "\\Flagged"]);
    assert_eq!(
        letters[0].internal_date.as_ref().unwrap().to_string(),
        "1999-09-13T11:36:26+00:00[UTC]"
    );
    assert_eq!(letters[1].bytes, b"Subject: two\n\nbye\n");
    let options = Options { seed: Seed::Empty, mail: vec![path], ..Options::default() };
    assert_eq!(
        Client::inbox(&Sandbox::start(options).unwrap()).ok("SEARCH FLAGGED"),
        ["* SEARCH 1"]
    );
}

#[test]
fn a_maildir_is_read_with_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["cur", "new", "tmp", ".Work.Old/cur"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("cur/200.b:2,RS"), "Subject: second\n\n").unwrap();
    fs::write(folder.path().join("new/100.a"), "Subject: first\n\n").unwrap();
    fs::write(folder.path().join(".Work.Old/cur/5.c:2,F"), "Subject: third\n\n").unwrap();
    let sandbox = empty();
    assert_eq!(sandbox.store().import("myacct", folder.path(), |_| {}).unwrap(), 3);
    let mut client = Client::inbox(&sandbox);
    assert_eq!(
        client.ok("FETCH 1:2 FLAGS"),
        ["* 1 FETCH (FLAGS (\\Recent))", "* 2 FETCH (FLAGS (\\Answered \\Seen \\Recent))"]
    );
    assert_eq!(sandbox.store().mailboxes("myacct"), ["INBOX", "Work", "Work/Old"]);
    assert_eq!(sandbox.store().letters("myacct", "Work/Old")[0].flags, ["\\Flagged"]);
}

#[test]
fn a_folder_of_eml_files_is_read_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.eml"), "Subject: b\nDate: Mon, 13 Sep 1999 11:36:26 -0700\n\n")
        .unwrap();
    fs::write(folder.path().join("a.EML"), "Subject: a\n\n").unwrap();
    fs::write(folder.path().join("notes.txt"), "none").unwrap();
    let letters = import(folder.path()).unwrap();
    assert_eq!(
        letters.iter().map(|letter| &letter.bytes[..10]).collect::<Vec<_>>(),
        [b"Subject: a", b"Subject: b"]
    );
    assert_eq!(
        letters[1].internal_date.as_ref().unwrap().to_string(),
        "1999-09-13T11:36:26-07:00[-07:00]"
    );
}

#[test]
fn a_letter_with_nul_does_not_stop_the_import() {
    static WARNINGS: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    fs::write(&file, "From a\nSubject: 1\n\nFrom b\nSubject: 2\n\na\0b\0\n\nFrom c\nSubject: 3\n")
        .unwrap();
    let options = Options {
        seed: Seed::Empty,
        mail: vec![file.clone()],
        warn: |warning| WARNINGS.lock().unwrap().push(warning.to_owned()),
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).unwrap();
    let letters = sandbox.store().letters("myacct", "INBOX");
    assert_eq!(letters.len(), 3);
    assert!(letters[1].bytes.windows(4).any(|part| part == b"a\x80b\x80"));
    let expected = format!("{}: letter 2 has 2 NUL, imported as bytes 128", file.display());
    assert_eq!(*WARNINGS.lock().unwrap(), [expected]);
}

#[test]
fn what_is_no_mail_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    fs::write(&file, "hello\n").unwrap();
    let reason = "an mbox file begins with a `From ` line, this one does not";
    assert_eq!(
        import(&file).unwrap_err().to_string(),
        format!("cannot import `{}`: {reason}", file.display())
    );
    let reason = import(folder.path()).unwrap_err().to_string();
    assert!(reason.ends_with("neither a Maildir nor a folder with .eml files"), "{reason}");
    let options = Options { mail: vec![folder.path().join("missing")], ..Options::default() };
    assert!(Sandbox::start(options).unwrap_err().to_string().contains("missing"));
}
