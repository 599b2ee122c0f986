//! Letters and attachments saved to files, each file whole or absent, and letters appended from
//! files.

use crate::support::script::{Peer, Script};
use postoffice::api::State;
use postoffice::api::{Setup, attach};
use postoffice::repl::Session;
use postoffice::sandbox::{Extension, Options};
use postoffice::transport::Connector;
use std::path::Path;

fn session() -> Session {
    session_with(Options::default())
}

fn session_with(options: Options) -> Session {
    let setup = Setup::sandboxed(options).unwrap();
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    for form in [
        r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))"#,
        r#"(select-mailbox mb "inbox")"#,
        r#"(setq pb (make-pop-connection "h" :user "myacct" :password "mypasswd"))"#,
    ] {
        assert_eq!(session.evaluate(form).result.err().map(|report| report.to_string()), None);
    }
    session
}

fn shows(session: &mut Session, form: &str) -> String {
    let reply = session.evaluate(form);
    reply.text()
}

/// Returns the names and texts of a folder's files, sorted by name, hidden ones included.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_letter_is_saved_as_the_server_has_it() {
    let mut session = session();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    assert_eq!(
        shows(&mut session, &format!("(save-letters mb '(2 (:seq 6 :*)) {path:?})")),
        "(2 6 7)"
    );
    assert_eq!(
        shows(
            &mut session,
            &format!("(save-letters mb '(67 68 1000) {path:?} :uid t :prefix \"u-\")")
        ),
        "(67 68)"
    );
    assert_eq!(
        shows(
            &mut session,
            &format!("(save-letters pb '(1 (:seq 7 9)) {path:?} :prefix \"pop-\")")
        ),
        "(1 7)"
    );
    assert_eq!(shows(&mut session, &format!("(save-letters mb () {path:?})")), "nil");
    let names: Vec<String> = files(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["2.eml", "6.eml", "7.eml", "pop-1.eml", "pop-7.eml", "u-67.eml", "u-68.eml"]
    );
    // Saving does not set `\Seen`, and each file equals what a fetch returns.
    assert_eq!(shows(&mut session, "(search-mailbox mb :unseen)"), "(3 4 5 6 7)");
    for (name, number) in
        [("2.eml", 2), ("7.eml", 7), ("u-68.eml", 7), ("pop-7.eml", 7), ("pop-1.eml", 1)]
    {
        let compare = format!(
            "(equal (utf8->string (fetch-letter mb {number} :peek t :raw t)) (with-open-file (f \"{path}/{name}\") (read-string f)))"
        );
        assert_eq!(shows(&mut session, &compare), "t", "{name}");
    }
}

#[test]
fn letters_come_in_one_go_over_imap_and_pop() {
    let mut session = session();
    for form in [
        "(equal (fetch-letters mb '(2 7) :peek t) (list (list 2 (fetch-letter mb 2 :peek t)) (list 7 (fetch-letter mb 7 :peek t))))",
        "(equal (fetch-letters mb '(67 68) :uid t :peek t) (list (list 67 (fetch-letter mb 6 :peek t)) (list 68 (fetch-letter mb 7 :peek t))))",
        "(equal (utf8->string (second (first (fetch-letters mb 7 :peek t :raw t)))) (utf8->string (fetch-letter mb 7 :peek t :raw t)))",
        "(equal (fetch-letters pb '(1 7 9)) (list (list 1 (fetch-letter pb 1)) (list 7 (fetch-letter pb 7))))",
        "(equal (search-mailbox mb :unseen) '(3 4 5 6 7))",
        "(progn (fetch-letters mb 3) (equal (search-mailbox mb :unseen) '(4 5 6 7)))",
    ] {
        assert_eq!(shows(&mut session, form), "t", "{form}");
    }
}

#[test]
fn an_mbox_file_has_them_all() {
    let mut session = session();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.mbox").display().to_string();
    assert_eq!(
        shows(&mut session, &format!("(save-letters mb '(:seq 1 :*) {path:?} :mbox t)")),
        "(1 2 3 4 5 6 7)"
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        (text.matches("\nFrom ").count(), text.starts_with("From "), text.contains('\r')),
        (6, true, false)
    );
}

#[test]
fn wrong_targets_are_refused_before_a_letter_is_asked_for() {
    let mut session = session();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    assert!(
        shows(&mut session, &format!("(save-letters mb 1 \"{path}/nowhere\")"))
            .ends_with("nowhere is not a folder [:file]")
    );
    assert!(
        shows(&mut session, &format!("(save-letters mb 1 {path:?} :prefix \"../x\")"))
            .ends_with("[:syntax-error]")
    );
    assert!(
        shows(&mut session, &format!("(save-letters pb 1 {path:?} :uid t)"))
            .ends_with("[:syntax-error]")
    );
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_letter_of_no_bytes_is_saved_too() {
    for (mbox, count) in [("", 2), ("/box", 1)] {
        let server = Script::run(|peer| {
            peer.say("+OK hello\r\n");
            for _ in 0..20 {
                match peer.hear().split(' ').next().unwrap_or("") {
                    "" => break,
                    "CAPA" => peer.say("-ERR no\r\n"),
                    "STAT" => peer.say("+OK 2 0\r\n"),
                    "LIST" => peer.say("+OK\r\n1 0\r\n2 0\r\n.\r\n"),
                    "RETR" => peer.say("+OK\r\n.\r\n"),
                    _ => peer.say("+OK\r\n"),
                }
            }
        });
        let mut session = Session::new(Vec::new());
        postoffice::api::register(session.host(), State::new(Connector::default(), None));
        let folder = tempfile::tempdir().unwrap();
        let (path, port) = (folder.path().display(), server.address.port());
        let form = format!(
            r#"(with-pop-connection (mb "127.0.0.1" :port {port} :user "u" :password "p") (save-letters mb '(1 2) "{path}{mbox}"{}))"#,
            if mbox.is_empty() { "" } else { " :mbox t" }
        );
        assert_eq!(shows(&mut session, &form), "(1 2)");
        let found = files(folder.path());
        assert_eq!(found.len(), count, "{found:?}");
        if !mbox.is_empty() {
            assert_eq!(found[0].1.matches("From MAILER-DAEMON").count(), 2, "{found:?}");
        }
    }
}

/// Runs `save-letters` on a server that answers the FETCH with `answer`. Returns what the function
/// printed, and the files in the folder.
fn saved_from(
    mbox: bool,
    answer: impl FnOnce(&mut Peer, &str) + Send + 'static,
) -> (String, Vec<(String, String)>) {
    let server = Script::run(move |peer| {
        peer.log_in("");
        peer.answer("* 9 EXISTS\r\n{tag} OK done\r\n");
        let tag = peer.hear().split(' ').next().unwrap_or("").to_owned();
        answer(peer, &tag);
        peer.hear_rest();
    });
    let mut session = Session::new(Vec::new());
    postoffice::api::register(session.host(), State::new(Connector::default(), None));
    let folder = tempfile::tempdir().unwrap();
    let (path, port) = (folder.path().display(), server.address.port());
    let said = shows(
        &mut session,
        &format!(
            r#"(progn (setq mb (make-imap-connection "127.0.0.1" :port {port} :user "u" :password "p"))
                      (select-mailbox mb "inbox")
                      {})"#,
            if mbox {
                format!("(save-letters mb '(1 2 3) \"{path}/box\" :mbox t)")
            } else {
                format!("(save-letters mb '(1 2 3) \"{path}\")")
            }
        ),
    );
    let found = files(folder.path());
    shows(&mut session, "(close-connection mb)");
    (said, found)
}

fn large(letter: char) -> String {
    letter.to_string().repeat(200_000)
}

#[test]
fn what_a_server_sends_too_often_or_unasked_is_not_kept() {
    for mbox in [false, true] {
        let (said, found) = saved_from(mbox, |peer, tag| {
            let letter = |number: u32, uid: u32, text: &str| {
                format!("* {number} FETCH (BODY[] {{{}}}\r\n{text} UID {uid})\r\n", text.len())
            };
            for (number, text) in [
                (1, large('a')),
                (7, large('x')),
                (2, "small".to_owned()),
                (1, large('y')),
                (8, "no".to_owned()),
                (3, large('c')),
            ] {
                peer.say(&letter(number, number + 10, &text));
            }
            peer.say(&format!("* 2 FETCH (FLAGS (\\Seen))\r\n{tag} OK done\r\n"));
        });
        assert_eq!(said, "(1 2 3)");
        let texts: Vec<&str> = found.iter().map(|(_, text)| &**text).collect();
        if mbox {
            let entries: Vec<&str> = texts[0]
                .split_inclusive("\n\n")
                .map(|entry| entry.split_once('\n').unwrap().1)
                .collect();
            assert!(entries == [large('a') + "\n\n", "small\n\n".to_owned(), large('c') + "\n\n"]);
        } else {
            assert!(texts == [large('a'), "small".to_owned(), large('c')]);
        }
    }
}

#[test]
fn what_only_looks_like_a_letter_does_not_begin_the_next_one() {
    let (said, found) = saved_from(false, |peer, tag| {
        peer.say(&format!("* 1 XFOO (BODY[] {{200000}}\r\n{})\r\n* 1 FETCH (BODY[] {{5}}\r\nhello)\r\n{tag} OK done\r\n", large('x')));
    });
    assert!(said.ends_with("\n(1)"), "a warning comes first: {said}");
    assert_eq!(found, [("1.eml".to_owned(), "hello".to_owned())]);
}

#[test]
fn a_connection_that_breaks_leaves_whole_letters_only() {
    for mbox in [false, true] {
        let (said, found) = saved_from(mbox, |peer, _| {
            peer.say(&format!(
                "* 1 FETCH (UID 11 BODY[] {{200000}}\r\n{})\r\n* 2 FETCH (UID 12 BODY[] {{200000}}\r\n{}",
                large('a'),
                &large('b')[1..]
            ));
            peer.hang_up();
        });
        assert!(said.ends_with("[:server-shutdown-connection]"), "{said}");
        let names: Vec<&str> = found.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, if mbox { vec![] } else { vec!["1.eml"] });
    }
}

#[test]
fn a_letter_comes_from_a_file() {
    for literal_plus in [true, false] {
        let mut options = Options::default();
        options.extensions.set(Extension::LiteralPlus, literal_plus);
        let mut session = session_with(options);
        let folder = tempfile::tempdir().unwrap();
        let text = format!("Subject: x\n\n\nbare\nwhole\r\ncr\rend {}", large('y'));
        // The file is read in pieces; line ends fall on both sides of their boundaries.
        for (start, sent) in [("", ""), ("\n", "\r\n"), ("\r", "\r")] {
            let path = folder.path().join("letter");
            let around = format!("{}{}", "a".repeat(65_535), "\nb".repeat(100));
            std::fs::write(&path, format!("{start}{text}{around}")).unwrap();
            let form = format!(
                "(append-letter mb \"inbox\" '(:file {:?}) :flags :\\\\seen)",
                path.display().to_string()
            );
            assert!(shows(&mut session, &form).starts_with('('), "{form}");
            let stored = shows(
                &mut session,
                "(progn (noop mb) (utf8->string (fetch-letter mb (mailbox-message-count mb) :raw t :peek t)))",
            );
            let expected = format!(
                "{sent}{}{}",
                text.replace("whole\r\n", "whole\n").replace('\n', "\r\n"),
                around.replace('\n', "\r\n")
            );
            assert!(
                stored == format!("{expected:?}").replace("\\n", "\n").replace("\\r", "\r"),
                "{stored:.100} {expected:.100}"
            );
        }
    }
}

#[test]
fn a_file_that_is_no_letter_is_refused_before_a_byte_is_sent() {
    let setup = Setup::sandboxed(Options::default()).unwrap();
    let sandbox = setup.router.as_ref().unwrap().sandbox().clone();
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    shows(
        &mut session,
        r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))"#,
    );
    shows(&mut session, "(noop mb)"); // ENABLE is sent ahead
    let before = sandbox.received().len();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("nul"), [&[b'x'; 100_000][..], b"\0"].concat()).unwrap();
    for (path, end) in [
        (path("nowhere"), "[:file]"),
        (path(""), "it is not a file [:file]"),
        (path("nul"), "nul: it has a NUL, which no letter may have [:syntax-error]"),
    ] {
        let said = shows(&mut session, &format!("(append-letter mb \"inbox\" '(:file {path:?}))"));
        assert!(
            said.starts_with("Error: append-letter: ")
                && said.contains(&path)
                && said.ends_with(end),
            "{said}"
        );
    }
    assert_eq!(sandbox.received().len(), before);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    std::fs::write(&path, large('x')).unwrap();
    let shrinking = path.clone();
    let server = Script::run(move |peer| {
        peer.log_in("");
        peer.hear();
        std::fs::write(shrinking, "Subject: short\n").unwrap();
        peer.say("+ go\r\n");
        peer.hear_rest();
    });
    let mut session = Session::new(Vec::new());
    postoffice::api::register(session.host(), State::new(Connector::default(), None));
    let port = server.address.port();
    shows(
        &mut session,
        &format!(
            r#"(setq mb (make-imap-connection "127.0.0.1" :port {port} :user "u" :password "p"))"#
        ),
    );
    let path = path.display();
    assert_eq!(
        shows(&mut session, &format!("(append-letter mb \"inbox\" '(:file \"{path}\"))")),
        format!(
            "Error: append-letter: cannot read {path}: it has become shorter; nothing was stored, and the connection is closed [:file]"
        )
    );
    assert!(shows(&mut session, "(noop mb)").ends_with("[:server-shutdown-connection]"));
}

/// A letter with several kinds of attachments, two of which have the same name.
const WITH_ATTACHMENTS: &str = "Subject: files
Content-Type: multipart/mixed; boundary=b

--b

See the files.
begin 644 cat.txt
#0V%T
end
--b
Content-Type: image/png; name=\"../a.png\"
Content-Transfer-Encoding: base64

aGVs
bG8=
--b
Content-Type: message/rfc822

Subject: inside

text
--b
Content-Type: text/csv
Content-Disposition: attachment; filename=a.png
Content-Transfer-Encoding: quoted-printable

gr=C3=BC=
n
--b--
";

/// A sandbox session whose last letter is [`WITH_ATTACHMENTS`].
fn session_with_attachments() -> Session {
    let mut session = session();
    let text = WITH_ATTACHMENTS.replace('"', "\\\"");
    assert!(
        shows(&mut session, &format!("(append-letter mb \"inbox\" \"{text}\")")).starts_with('(')
    );
    for form in [
        "(noop mb)",
        "(close-connection pb)",
        "(setq pb (make-pop-connection \"h\" :user \"myacct\" :password \"mypasswd\"))",
    ] {
        shows(&mut session, form);
    }
    session
}

#[test]
fn attachments_are_saved_beside_folders_of_any_name() {
    let mut session = session_with_attachments();
    let folder = tempfile::tempdir().unwrap();
    for name in ["letter", "a.png"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let saved =
        shows(&mut session, &format!("(length (save-attachments mb 8 {:?}))", folder.path()));
    assert_eq!(saved, "4");
}

#[test]
fn all_attachments_of_a_letter_are_saved_over_imap_and_pop() {
    let mut session = session_with_attachments();
    let uid = shows(&mut session, "(fetch-field 8 \"uid\" (fetch-parts mb 8 \"uid\"))");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cat.txt"), "old").unwrap();
    let path = folder.path().display().to_string();
    let list = |names: [&str; 4]| {
        format!("({})", names.map(|name| format!("\"{path}/{name}\"")).join(" "))
    };
    for (form, names) in [
        (
            format!("(save-attachments mb 8 {path:?})"),
            ["cat-2.txt", "a.png", "attachment", "a-2.png"],
        ),
        (
            format!("(save-attachments mb {uid} {path:?} :uid t)"),
            ["cat-3.txt", "a-3.png", "attachment-2", "a-4.png"],
        ),
        (
            format!("(save-attachments pb 8 {path:?})"),
            ["cat-4.txt", "a-5.png", "attachment-3", "a-6.png"],
        ),
        // Saving them one by one from memory gives the same.
        (
            format!(
                "(mapcar (lambda (a) (save-attachment a {path:?})) (letter-attachments (parse-letter (fetch-letter mb 8 :raw t :peek t))))"
            ),
            ["cat-5.txt", "a-7.png", "attachment-4", "a-8.png"],
        ),
    ] {
        assert_eq!(
            shows(&mut session, &form).split_whitespace().collect::<Vec<_>>().join(" "),
            list(names),
            "{form}"
        );
        let texts = names.map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap());
        assert_eq!(texts, ["Cat", "hello", "Subject: inside\r\n\r\ntext", "grün"], "{form}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("cat.txt")).unwrap(), "old");
    assert_eq!(files(folder.path()).len(), 17, "nothing lies beside them");
    assert_eq!(shows(&mut session, "(member 8 (search-mailbox mb :unseen))"), "(8)");
    for mailbox in ["mb", "pb"] {
        assert_eq!(shows(&mut session, &format!("(save-attachments {mailbox} 1 {path:?})")), "nil");
        let missing = shows(&mut session, &format!("(save-attachments {mailbox} 99 {path:?})"));
        assert!(
            missing.contains("nothing was saved") && missing.ends_with("[:error-response]"),
            "{missing}"
        );
        let nowhere =
            shows(&mut session, &format!("(save-attachments {mailbox} 8 \"{path}/nowhere\")"));
        assert!(nowhere.ends_with("nowhere is not a folder [:file]"), "{nowhere}");
    }
    assert_eq!(files(folder.path()).len(), 17);
}

#[test]
fn attachments_are_saved_all_or_none() {
    let letter = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b; name=first\r\n\r\nx\r\n--b\r\nContent-Type: a/b; name=second\r\n\r\n{}\r\n--b--\r\n",
        large('y')
    );
    let folder = tempfile::tempdir().unwrap();
    for (what, end, deleted) in [
        ("cut", ":server-shutdown-connection", false),
        ("refused", ":error-response", false),
        ("folder", ":file", true),
    ] {
        let (letter, path) = (letter.clone(), folder.path().join("files"));
        std::fs::create_dir_all(&path).unwrap();
        let gone = path.clone();
        let server = Script::run(move |peer| {
            peer.log_in("");
            peer.answer("* 1 EXISTS\r\n{tag} OK done\r\n");
            let tag = peer.hear().split(' ').next().unwrap_or("").to_owned();
            if deleted {
                std::fs::remove_dir(gone).unwrap();
            }
            peer.say(&format!("* 1 FETCH (BODY[] {{{}}}\r\n{}", letter.len(), &letter[..150_000]));
            if what == "cut" {
                peer.hang_up();
            }
            peer.say(&format!(
                "{})\r\n{tag} {} done\r\n",
                &letter[150_000..],
                if what == "refused" { "NO" } else { "OK" }
            ));
            peer.hear_rest();
        });
        let mut session = Session::new(Vec::new());
        postoffice::api::register(session.host(), State::new(Connector::default(), None));
        let port = server.address.port();
        shows(
            &mut session,
            &format!(
                r#"(setq mb (make-imap-connection "127.0.0.1" :port {port} :user "u" :password "p"))"#
            ),
        );
        shows(&mut session, "(select-mailbox mb \"inbox\")");
        let said = shows(
            &mut session,
            &format!("(save-attachments mb 1 {:?})", path.display().to_string()),
        );
        assert!(
            said.contains("; nothing was saved") && said.ends_with(&format!("[{end}]")),
            "{what}: {said}"
        );
        assert_eq!(std::fs::read_dir(&path).map_or(0, Iterator::count), 0, "{what}");
        shows(&mut session, "(close-connection mb)");
    }
}
