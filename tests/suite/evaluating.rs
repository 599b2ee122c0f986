//! Searches that are decided here in part, on the sandbox and on Dovecot.

use crate::support::{Server, empty, on_every_server, sandboxes};
use postoffice::proto::imap::Flag;
use postoffice::repl::Session;
use postoffice::sandbox::Extension;

const LETTERS: [&str; 6] = [
    "From: Ann <ann@a.example>\nTo: me@x.example\nSubject: Invoice 7\nDate: Mon, 1 Jan 2024 10:00:00 +0100\nMessage-ID: <1@a>\n\nThe sum is 42 euros.\n",
    "From: bob@b.example\nSubject: =?utf-8?Q?gr=C3=BCn?= offer\nDate: Tue, 2 Jan 2024 23:30:00 -0500\nMessage-ID: <2@b>\nList-Id: The list <Dev.b.example>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nviel Gl=C3=BCck zum Geburtstag\n",
    "From: carl@c.example\nSubject: report\nDate: nonsense\nX-Tag: alpha beta\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain\n\nplain text\n--c\nContent-Type: text/html\n\n<p>rich <b>text</b></p>\n--c--\n--b\nContent-Type: application/pdf; name=\"ignored.txt\"\nContent-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.PDF\nContent-Transfer-Encoding: base64\n\naGlkZGVuIHRleHQ=\n--b--\n",
    "From: dora@d.example\nSubject: Re: Invoice 7\nDate: Wed, 3 Jan 2024 10:00:00 +0000\nReferences: <1@a>\nMessage-ID: <4@d>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nsee below\n--b\nContent-Type: message/rfc822\n\nFrom: eve@e.example\nSubject: nested subject\n\nnested body\n--b--\n",
    "From: Ann <ann@a.example>\nSubject: long\nX-Tag: gamma\n\nnothing here\n",
    "From: frank@f.example\nSubject: base64\nList-Id: <other.example>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\nZ2VoZWltIPxiZXI=\n",
];

fn session(server: &Server) -> Session {
    server.with_letters(&LETTERS).close();
    let mut session = server.session();
    for form in [
        "(alter-flags mb '(1 3) :add-flags :\\\\flagged)",
        "(delete-letter mb '(:seq 5 5) :expunge nil)",
    ] {
        assert!(session.evaluate(form).result.is_ok(), "{form}");
    }
    session
}

/// Expressions and what they find. The letters have their numbers as UIDs.
const ROWS: &[(&str, &str)] = &[
    ("(:matches \"subject\" \"^Invoice [0-9]+$\")", "(1)"),
    ("(:matches :Subject \"Invoice [0-9]+$\")", "(1 4)"),
    ("(:matches :subject \"^grün\")", "(2)"),
    ("(:matches :subject \"(?i)^GRÜN\")", "(2)"),
    ("(:matches :x-tag \"^alpha\\\\b\")", "(3)"),
    ("(:matches :x-tag \"\")", "(3 5)"),
    ("(not (:matches :x-tag \"\"))", "(1 2 4 6)"),
    ("(:matches :x-none \".\")", "nil"),
    ("(:body-matches \"[0-9]+ euros\")", "(1)"),
    ("(:body-matches \"Glück\")", "(2)"),
    ("(:body-matches \"rich text\")", "(3)"),
    ("(:body-matches \"hidden|nested body\")", "nil"),
    ("(:body-matches \"über\")", "(6)"),
    ("(:list \"dev.b.example\")", "(2)"),
    ("(:list \"DEV.B.EXAMPLE\")", "(2)"),
    ("(:list \"b.example\")", "nil"),
    ("(:attachment \"*.pdf\")", "(3)"),
    ("(:attachment \"gr??e.*\")", "(3)"),
    ("(:attachment \"*.txt\")", "nil"),
    ("(:has-attachment)", "(3 4)"),
    (":has-attachment", "(3 4)"),
    ("(not :has-attachment)", "(1 2 5 6)"),
    ("(:age< 0.5)", "(1 2 3 4 5 6)"),
    ("(:age> 0.5)", "nil"),
    ("(or (:age> 0.5) (:matches :from \"frank\"))", "(6)"),
    ("(:thread-of 1)", "(1 4)"),
    ("(:thread-of 4)", "(1 4)"),
    ("(and (:thread-of 1) (:matches :from \"dora\"))", "(4)"),
    ("(:thread-of 99)", "nil"),
    ("(and :flagged (:matches :from \"ann\"))", "(1)"),
    ("(or :flagged (:matches :from \"ann\"))", "(1 3 5)"),
    ("(or (and :flagged (:matches :from \"ann\")) (:from \"bob\"))", "(1 2)"),
    (
        "(or (and :flagged (:matches :from \"carl\")) (and :deleted (:matches :from \"ann\")))",
        "(3 5)",
    ),
    ("(not (or :flagged (:matches :from \"ann\")))", "(2 4 6)"),
    ("(not (and :flagged (not (:has-attachment))))", "(2 3 4 5 6)"),
    ("(and (or) (:has-attachment))", "nil"),
    ("(or (and) (:has-attachment))", "(1 2 3 4 5 6)"),
    ("(and (:seq 2 :*) (:matches :from \"ann\"))", "(5)"),
    ("(and (:uid (:seq 4 6)) (:matches :subject \"[a-z]\"))", "(4 5 6)"),
    ("(and (:sentsince \"2-Jan-2024\") (:matches :from \"example\"))", "(2 4)"),
];

#[test]
fn a_search_finds_the_same_whoever_decides() {
    let check = |name: &str, server: &Server| {
        let mut session = session(server);
        for (expression, expected) in ROWS {
            for form in [
                format!("(search-mailbox mb '{expression})"),
                format!("(search-mailbox mb '{expression} :uid t :exact t)"),
                format!("(letters-uids (select-letters mb '{expression}))"),
                format!(
                    "(letters-uids (select-letters mb '{expression} :mailbox \"inbox\" :read-only t :exact t))"
                ),
                format!("(%search-here mb '{expression})"),
                format!("(second (first (search-mailbox mb '{expression} :return '(:all :save))))"),
                format!("(sort-mailbox mb :arrival '{expression})"),
            ] {
                assert_eq!(session.evaluate(&form).text(), *expected, "{form} on {name}");
            }
        }
    };
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        check(server.name, &server);
    }
    for (name, server) in sandboxes(&[Extension::ESearch, Extension::Within]) {
        check(&name, &server);
    }
}

/// Keys that servers know, decided here.
const KNOWN: &[(&str, &str)] = &[
    ("(:from \"ANN\")", "(1 5)"),
    ("(:from \"n <ann@\")", "(1 5)"),
    ("(:subject \"GRÜN OFF\")", "(2)"),
    ("(:subject \"voice\")", "(1 4)"),
    ("(:header \"x-tag\" \"\")", "(3 5)"),
    ("(:header \"X-Tag\" \"ALPHA B\")", "(3)"),
    ("(:header \"message-id\" \"@a>\")", "(1)"),
    ("(:to \"me@\")", "(1)"),
    ("(:cc \"x\")", "nil"),
    ("(:bcc \"x\")", "nil"),
    ("(:body \"GLÜCK ZUM\")", "(2)"),
    ("(:body \"nested BODY\")", "(4)"),
    ("(:body \"nested subject\")", "(4)"),
    ("(:body \"plain text\")", "(3)"),
    ("(:body \"Invoice\")", "nil"),
    ("(:body \"\")", "(1 2 3 4 5 6)"),
    ("(:text \"invoice\")", "(1 4)"),
    ("(:text \"geheim ü\")", "(6)"),
    ("(:text \"geburtstag\")", "(2)"),
    (":flagged", "(1 3)"),
    (":unflagged", "(2 4 5 6)"),
    (":deleted", "(5)"),
    ("(and :undeleted :unseen :unanswered :undraft)", "(1 2 3 4 6)"),
    ("(:keyword :junk)", "nil"),
    ("(:unkeyword :junk)", "(1 2 3 4 5 6)"),
    ("(:senton \"2-Jan-2024\")", "(2)"),
    ("(:sentbefore \"2-Jan-2024\")", "(1)"),
    ("(:sentsince \"2-Jan-2024\")", "(2 4)"),
    ("(:since \"2-Jan-2024\")", "(1 2 3 4 5 6)"),
    ("(:before \"2-Jan-2024\")", "nil"),
    ("(:larger 400)", "(3)"),
    ("(:smaller 100)", "(5)"),
    ("(:older 1)", "nil"),
    ("(:younger 1)", "(1 2 3 4 5 6)"),
    ("(or 2 (:seq 5 :*))", "(2 5 6)"),
];

#[test]
fn every_key_of_imap_can_be_decided_here() {
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        let mut session = session(&server);
        for (expression, expected) in KNOWN {
            for form in [
                format!("(search-mailbox mb '{expression} :exact t)"),
                format!("(%search-here mb '{expression})"),
            ] {
                // Dates are asked of the server, and for Dovecot a letter without one is very old.
                if server.name == "dovecot"
                    && expression.starts_with("(:sentbefore")
                    && form.contains(":exact")
                {
                    continue;
                }
                assert_eq!(session.evaluate(&form).text(), *expected, "{form} on {}", server.name);
            }
        }
    }
}

#[test]
fn a_procedure_of_the_script_decides_what_is_left() {
    on_every_server(|server| {
        let mut session = session(server);
        for (form, expected) in [
            (
                "(search-mailbox mb (list :where (lambda (l) (equal (address-name (letter-from l)) \"Ann\"))))",
                "(1 5)",
            ),
            // It is called for the letters that everything else leaves open.
            (
                "(let ((called '()))
                   (list (search-mailbox mb `(and :flagged (:matches :from \"example\") (:where ,(lambda (l) (push (letter-uid l) called) (= (letter-uid l) 3)))))
                         (reverse called)))",
                "((3) (1 3))",
            ),
            // Two of them.
            (
                "(search-mailbox mb `(and (:where ,(lambda (l) (> (letter-uid l) 2))) (not (:where ,#'letter-list-id))))",
                "(3 4 5)",
            ),
            // It searches itself.
            (
                "(search-mailbox mb `(:where ,(lambda (l) (search-mailbox mb `(and (:uid ,(letter-uid l)) (:where ,#'letter-list-id))))))",
                "(2 6)",
            ),
            // Its error is the search's, and the next search is as before.
            (
                "(handler-case (search-mailbox mb (list :where (lambda (l) (error \"no\")))) (error (c) (princ-to-string c)))",
                "\"no\"",
            ),
            ("(search-mailbox mb (list :where #'letter-list-id) :uid t)", "(2 6)"),
            (
                "(let ((l (first (letters->list (select-letters mb (list :where #'letter-list-id)))))) (list (letter-uid l) (letter-mailbox l)))",
                "(2 \"INBOX\")",
            ),
            ("(thread-mailbox mb :references (list :where #'letter-list-id))", "((2) (6))"),
            (
                "(letters-uids (select-letters mb (list :where #'letter-list-id) :mailbox '(\"inbox\" \"inbox\")))",
                "(2 6)",
            ),
        ] {
            let text = session.evaluate(form).text();
            assert_eq!(text.replace("inbox", "INBOX"), expected, "{form}");
        }
    });
}

#[test]
fn what_cannot_be_read_is_refused_before_a_byte_is_sent() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    let before = server.received().len();
    for (expression, why) in [
        ("'(:matches :subject \"(\")", "unclosed group"),
        ("'(:matches :subject \"(?=x)\")", "look-around"),
        ("'(:matches \"a b\" \"x\")", "the name of a header field"),
        ("'(:matches :subject)", "its arguments"),
        ("'(:matches :subject 5)", "a regular expression"),
        ("'(:body-matches \"[\")", "unclosed character class"),
        ("'(:list 5)", "a string"),
        ("'(:attachment :pdf)", "a string"),
        ("'(:thread-of 0)", "a unique id"),
        ("'(:thread-of \"x\")", "a unique id"),
        ("'(:age> -1)", "a number of days"),
        ("'(:age< \"x\")", "a number of days"),
        ("'(:older 0.5)", "a number of days"),
        ("'(:where f)", "a function of a letter"),
        ("'(:has-attachment 5)", "its arguments"),
        (":where", "a search predicate"),
        ("'(or (:has-attachment) (:subject \"a\\nb\"))", "search string"),
        ("'(and :seen (:no-such-key))", "a search predicate"),
    ] {
        for form in [
            "(search-mailbox mb ~)",
            "(select-letters mb ~)",
            "(sort-mailbox mb :date ~)",
            "(search-mailbox mb ~ :exact t)",
        ] {
            let form = form.replace('~', expression);
            let Err(report) = session.evaluate(&form).result else { panic!("{form}") };
            let message = report.condition.message;
            assert!(message.contains(why), "{form}: {message}");
        }
    }
    assert_eq!(server.received().len(), before);
}

#[test]
fn such_a_search_cannot_be_sent_ahead() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    let form = "(pipelined-map (lambda (n) (search-mailbox mb '(:has-attachment))) (lambda (n r) r) '(1 2))";
    let Err(report) = session.evaluate(form).result else { panic!("{form}") };
    let message = report.condition.message;
    assert!(message.contains("search-mailbox with a part that is decided here"), "{message}");
}

#[test]
fn as_little_as_decides_is_fetched() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    let header = |name: &str| format!("HeaderFields(None, [Atom(AtomExt({name:?}))]");
    let (subject, tag) = (header("SUBJECT"), header("X-TAG"));
    let rows: &[(&str, &[&[&str]])] = &[
        (
            "(and :flagged (:matches :subject \"x\"))",
            &[&["Flagged"], &["Value(1)", "Value(3)", &subject]],
        ),
        ("(:matches :subject \"x\")", &[&[&subject, "uid: false"]]),
        (
            "(and (:matches :subject \"report\") (:attachment \"*.pdf\"))",
            &[&[&subject, "uid: false"], &["Value(3)", "BodyStructure"]],
        ),
        (
            "(and (:matches :subject \"report\") (:body-matches \"x\"))",
            &[&[&subject], &["Value(3)", "BodyStructure"], &["Value(3)", "BodyExt"]],
        ),
        ("(or :flagged (:matches :x-tag \"x\"))", &[&["x-tag"], &["Flagged"], &["Value(5)", &tag]]),
        ("(and :answered (:body-matches \"x\"))", &[&["Answered"]]),
        ("(and :seen (or) (:body-matches \"x\"))", &[&["Seen"]]),
    ];
    for (expression, expected) in rows {
        let before = server.received().len();
        let form = format!("(search-mailbox mb '{expression} :uid t)");
        assert!(session.evaluate(&form).result.is_ok());
        let received = server.received()[before..].to_vec();
        assert_eq!(received.len(), expected.len(), "{expression}: {received:?}");
        for (command, parts) in received.iter().zip(*expected) {
            let has = |part: &&str| command.to_lowercase().contains(&part.to_lowercase());
            assert!(parts.iter().all(has), "{expression}: {command}");
        }
    }
}

#[test]
fn a_search_is_explained_without_the_part_that_is_decided_here() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    for (expression, expected) in [
        (
            "'(and :flagged (:subject \"grün\"))",
            r#"((:server "(FLAGGED SUBJECT \"grün\")") (:here nil) (:commands 1))"#,
        ),
        (
            "'(and :flagged (:matches :subject \"^x\") (not (:attachment \"*.pdf\")))",
            r#"((:server "FLAGGED") (:here "(and (:matches \"subject\" \"^x\") (not (:attachment \"*.pdf\")))") (:needs ((:header "subject") :structure)) (:letters 2) (:commands 3))"#,
        ),
        (
            "'(or :flagged (:matches :subject \"^x\"))",
            r#"((:server "ALL") (:asked ("FLAGGED")) (:here "(or (:asked 0) (:matches \"subject\" \"^x\"))") (:needs ((:header "subject"))) (:letters 6) (:commands 3))"#,
        ),
        (
            "(list 'and :deleted (list :body-matches \"x\") (list :where #'letter-list-id))",
            r#"((:server "DELETED") (:here "(and (:body-matches \"x\") (:where procedure))") (:needs (:text :procedure)) (:bytes 72) (:letters 1) (:commands 3))"#,
        ),
        (
            "'(:subject \"x\") :exact t",
            r#"((:server "ALL") (:here "SUBJECT \"x\"") (:needs ((:header "subject"))) (:letters 6) (:commands 1))"#,
        ),
        (
            "'(and :answered (:body-matches \"x\"))",
            r#"((:server "ANSWERED") (:here "(:body-matches \"x\")") (:needs (:text)) (:letters 0) (:commands 1))"#,
        ),
    ] {
        let form = format!("(explain-search mb {expression})");
        assert_eq!(session.evaluate(&form).text(), expected, "{form}");
    }
}

/// Numbers that depend on a seed only (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }
}

const WORDS: [&str; 8] = ["alpha", "Bravo", "char", "grüße", "delta echo", "lph", "ÉCOLE", "zulu"];
const NAMES: [&str; 4] =
    ["ann@a.example", "Bob <bob@b.example>", "carl@c.example", "dora@d.example"];
const DAYS: [&str; 4] = ["1-Jan-2024", "2-Jan-2024", "3-Feb-2024", "29-Feb-2024"];
const DATES: [&str; 4] = [
    "Mon, 1 Jan 2024 23:30:00 -0500",
    "Tue, 2 Jan 2024 00:10:00 +0900",
    "Sat, 3 Feb 2024 10:00:00 +0000",
    "Thu, 29 Feb 2024 12:00:00 +0100",
];

/// A letter; every third has its text in another encoding.
fn letter(random: &mut Random) -> String {
    let (subject, text, tag) = (random.of(&WORDS), random.of(&WORDS), random.of(&WORDS));
    let subject = match random.below(3) {
        0 => format!("=?utf-8?Q?{}?=", quoted_printable(subject).replace(' ', "_")),
        _ => format!(
            "{} {}",
            random.of(&["one", "two"]),
            subject.replace(|c: char| !c.is_ascii(), "e")
        ),
    };
    let mut header = format!(
        "From: {}\r\nTo: {}\r\nSubject: {subject}\r\nDate: {}\r\n",
        random.of(&NAMES),
        random.of(&NAMES),
        random.of(&DATES)
    );
    if random.below(2) == 0 {
        header += &format!("X-Tag: {}\r\n", tag.replace(|c: char| !c.is_ascii(), "e"));
    }
    let filler = "nothing to see\r\n".repeat(random.below(20));
    header
        + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + &quoted_printable(text)
        + "\r\n"
        + &filler
}

fn quoted_printable(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte.is_ascii() {
            true => char::from(byte).to_string(),
            false => format!("={byte:02X}"),
        })
        .collect()
}

/// An expression, and one that means the same and has keys that only we decide.
fn expression(random: &mut Random, depth: usize) -> (String, String) {
    let both = |text: String| (text.clone(), text);
    if depth > 0 && random.below(4) > 0 {
        let joined = |word: &str, parts: Vec<(String, String)>| {
            let (one, other): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            (format!("({word} {})", one.join(" ")), format!("({word} {})", other.join(" ")))
        };
        let word = random.of(&["and", "or", "not"]);
        let count = if word == "not" { 1 } else { 1 + random.below(3) };
        return joined(word, (0..count).map(|_| expression(random, depth - 1)).collect());
    }
    let word = random.of(&WORDS);
    match random.below(16) {
        0 => (
            format!("(:subject {word:?})"),
            format!("(:matches :subject {:?})", format!("(?i){word}")),
        ),
        1 => (
            format!("(:header \"x-tag\" {word:?})"),
            format!("(:matches :x-tag {:?})", format!("(?i){word}")),
        ),
        2 => {
            let name = &random.of(&NAMES)[..3];
            (
                format!("(:from {name:?})"),
                format!("(:matches \"from\" {:?})", format!("(?i){name}")),
            )
        }
        3 => (format!("(:body {word:?})"), format!("(:body-matches {:?})", format!("(?i){word}"))),
        4 => both(format!("(:text {word:?})")),
        5 => both(format!("(:to {:?})", &random.of(&NAMES)[..3])),
        6 => both(
            random
                .of(&[":seen", ":flagged", ":unseen", ":deleted", ":undraft", ":answered"])
                .to_owned(),
        ),
        7 => both("(:keyword :junk)".to_owned()),
        8 => both(format!("({} {})", random.of(&[":larger", ":smaller"]), 300 + random.below(300))),
        9 => both(format!(
            "({} {:?})",
            random.of(&[":senton", ":sentbefore", ":sentsince"]),
            random.of(&DAYS)
        )),
        10 => {
            both(format!("({} {:?})", random.of(&[":on", ":before", ":since"]), random.of(&DAYS)))
        }
        11 => both(format!("(:uid (:seq {} {}))", 1 + random.below(9), 1 + random.below(9))),
        12 => both(format!("({} (:seq 3 :*))", 1 + random.below(9))),
        13 => both("(:header \"x-tag\" \"\")".to_owned()),
        14 => (":all".to_owned(), "(not :has-attachment)".to_owned()),
        _ => both(format!("({} 0.5)", random.of(&[":age>", ":age<"]))),
    }
}

/// Differences that are the server's: its name, what the expression has, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[];

fn compare(server: &Server, seeds: std::ops::Range<u64>) {
    let mut client = server.connect();
    let mut session = server.session();
    for seed in seeds {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let name = format!("box{seed}");
        client.create(&name).unwrap();
        for _ in 0..9 {
            let mut flags = Vec::new();
            for flag in ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "junk"] {
                flags.extend((random.below(3) == 0).then(|| Flag::new(flag).unwrap()));
            }
            let day = ["01-Jan-2024 23:00:00 +0000", "03-Feb-2024 10:00:00 +0000"][random.below(2)];
            let letter = letter(&mut random);
            client.append(&name, &flags, day.parse().ok(), letter.as_bytes()).unwrap();
        }
        session.evaluate(&format!("(select-mailbox mb {name:?})"));
        for _ in 0..4 {
            let (plain, mixed) = expression(&mut random, 4);
            let expected = session.evaluate(&format!("(search-mailbox mb '{plain} :uid t)")).text();
            let is_known = |(name, part, _): &&(&str, &str, &str)| {
                server.name == *name && plain.contains(part)
            };
            if DIFFERENCES.iter().any(|row| is_known(&row)) {
                continue;
            }
            for form in [
                format!("(%search-here mb '{plain})"),
                format!("(search-mailbox mb '{plain} :uid t :exact t)"),
                format!("(search-mailbox mb '{mixed} :uid t)"),
                format!("(letters-uids (select-letters mb '{mixed} :exact t))"),
                format!("(%search-here mb '{mixed})"),
            ] {
                let found = session.evaluate(&form).text();
                assert_eq!(
                    found, expected,
                    "seed {seed} on {}: {form}\nbeside {plain}",
                    server.name
                );
            }
        }
        client.delete(&name).unwrap();
    }
}

#[test]
fn the_server_the_evaluator_here_and_both_together_find_the_same() {
    let by_hand = std::env::var("POSTOFFICE_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    compare(&Server::sandbox(empty()), 1..by_hand.unwrap_or(40));
    if let Some(server) = Server::dovecot() {
        compare(&server, 1..by_hand.unwrap_or(10));
    }
}
