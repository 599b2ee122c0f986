//! Letters in order and in threads: by the server, and here where it cannot; and that both give the
//! same on many letters, with Dovecot as the judge.

use crate::support::script::Script;
use crate::support::{Server, empty, on_every_server, sandboxes};
use postoffice::client::{Error, ThreadStep};
use postoffice::proto::imap::{SearchKey, SortCriterion, SortKey, ThreadAlgorithm};
use postoffice::repl::Session;
use postoffice::sandbox::{Extension, Extensions, Options};

const EXTENSIONS: [Extension; 5] = [
    Extension::Sort,
    Extension::SortDisplay,
    Extension::ThreadOrderedSubject,
    Extension::ThreadReferences,
    Extension::ThreadRefs,
];

/// Six letters about them.
const LETTERS: [&str; 6] = [
    "Date: 1 Jan 2020 10:00:00 +0000\nFrom: \"Zoe\" <a@x.org>\nTo: me@x.org\nMessage-ID: <1@x>\nSubject: lunch\n\nx\n",
    "Date: 1 Jan 2020 09:00:00 -0500\nFrom: adam@x.org\nTo: you@x.org\nMessage-ID: <2@x>\nReferences: <1@x>\nSubject: Re: lunch\n\nxx\n",
    "Date: 1 Jan 2020 12:00:00 +0000\nFrom: Bob <c@x.org>\nTo: me@x.org\nCc: z@x.org\nMessage-ID: <3@x>\nIn-Reply-To: <1@x>\nSubject: Re: lunch\n\nxxx\n",
    "Date: 31 Dec 2019 10:00:00 +0000\nFrom: c@y.org\nTo: me@x.org\nMessage-ID: <4@x>\nSubject: [list] dinner\n\nx\n",
    "Date: 2 Jan 2020 10:00:00 +0000\nFrom: b@x.org\nTo: me@x.org\nMessage-ID: <5@x>\nSubject: dinner (fwd)\n\nxxxxxxxx\n",
    "Date: 2 Jan 2020 11:00:00 +0000\nFrom: b@x.org\nTo: me@x.org\nMessage-ID: <6@x>\nSubject: =?utf-8?Q?=C3=84pfel?=\n\nx\n",
];

const ROWS: &[(&str, &str)] = &[
    ("(sort-mailbox mb :date :all)", "(4 1 3 2 5 6)"),
    ("(sort-mailbox mb '(:reverse :date) :all)", "(6 5 2 3 1 4)"),
    ("(sort-mailbox mb '(:subject :date) :all)", "(6 4 5 1 3 2)"),
    ("(sort-mailbox mb '(:subject :reverse :date) :all)", "(6 5 4 2 3 1)"),
    ("(sort-mailbox mb '(:from :date) :all)", "(1 2 5 6 4 3)"),
    ("(sort-mailbox mb :displayfrom :all)", "(2 5 6 3 4 1)"),
    ("(sort-mailbox mb :to :all)", "(1 3 4 5 6 2)"),
    ("(sort-mailbox mb '(:reverse :displayto) :all)", "(2 1 3 4 5 6)"),
    ("(sort-mailbox mb :cc :all)", "(1 2 4 5 6 3)"),
    ("(sort-mailbox mb :arrival :all)", "(1 2 3 4 5 6)"),
    ("(sort-mailbox mb '(:date) '(:from \"b\") :uid t)", "(3 5 6)"),
    ("(sort-mailbox mb :date '(:from \"nobody\"))", "nil"),
    ("(thread-mailbox mb :references :all)", "((4 5) (1 (3) (2)) (6))"),
    ("(thread-mailbox mb :references '(not 1))", "((4 5) ((3) (2)) (6))"),
    ("(thread-mailbox mb :refs :all)", "((4) (1 (3) (2)) (5) (6))"),
    ("(thread-mailbox mb :orderedsubject :all :uid t)", "((4 5) (1 (3) (2)) (6))"),
    ("(thread-mailbox mb :references '(:from \"nobody\"))", "nil"),
];

fn replay(name: &str, server: &Server) {
    server.with_letters(&LETTERS).close();
    let mut session = server.session();
    for (form, expected) in ROWS {
        assert_eq!(session.evaluate(form).text(), *expected, "{form} on {name}");
    }
}

#[test]
fn letters_come_in_order_and_in_threads_on_every_server() {
    on_every_server(|server| replay(server.name, server));
    for (name, server) in sandboxes(&EXTENSIONS) {
        replay(&name, &server);
    }
}

#[test]
fn the_server_sorts_if_it_can() {
    for (name, server) in sandboxes(&EXTENSIONS) {
        server.with_letters(&LETTERS).close();
        let mut session = server.session();
        let mut sends = |form: &str| {
            let before = server.received().len();
            assert!(session.evaluate(form).result.is_ok(), "{form}");
            let sent = server.received().split_off(before);
            sent.iter().map(|text| text.split([' ', '(']).next().unwrap().to_owned()).collect()
        };
        let here = ["Search", "Fetch"];
        let there = |command, extensions: &[Extension]| match name.as_str() {
            "all" => vec![command],
            "none" => here.to_vec(),
            name => {
                let is_off = |off: &Extension| name == format!("without {off}");
                if extensions.iter().any(is_off) { here.to_vec() } else { vec![command] }
            }
        };
        let table: [(&str, Vec<&str>); 5] = [
            ("(sort-mailbox mb :date :all)", there("Sort", &EXTENSIONS[..1])),
            ("(sort-mailbox mb :displayto :all)", there("Sort", &EXTENSIONS[..2])),
            ("(thread-mailbox mb :orderedsubject :all)", there("Thread", &EXTENSIONS[2..3])),
            ("(thread-mailbox mb :references :all)", there("Thread", &EXTENSIONS[3..4])),
            ("(thread-mailbox mb :refs :all)", there("Thread", &EXTENSIONS[4..])),
        ];
        for (form, expected) in table {
            let sent: Vec<String> = sends(form);
            assert_eq!(sent, expected, "{form} on {name}");
        }
    }
}

#[test]
fn what_cannot_be_sorted_is_said_before_anything_is_sent() {
    let server = Server::sandbox(empty());
    let mut session = server.session();
    let before = server.received().len();
    for (form, message) in [
        ("(sort-mailbox mb :size-and-weight :all)", "expected criteria such as :date"),
        ("(sort-mailbox mb '() :all)", "expected criteria such as :date"),
        ("(sort-mailbox mb :reverse :all)", "expected criteria such as :date"),
        ("(sort-mailbox mb '(:date :reverse) :all)", "expected criteria such as :date"),
        ("(sort-mailbox mb '(:reverse :reverse :date) :all)", "expected criteria such as :date"),
        ("(sort-mailbox mb \"date\" :all)", "expected criteria such as :date"),
        ("(sort-mailbox mb :date '(:xyzzy))", "search expression"),
        ("(thread-mailbox mb :by-magic :all)", "expected :references, :refs or :orderedsubject"),
        ("(thread-mailbox mb \"references\" :all)", "expected :references, :refs"),
        (
            "(pipelined-map (lambda (n) (sort-mailbox mb :date n)) (lambda (n r) r) '(1 2))",
            "sort-mailbox cannot be sent without waiting",
        ),
    ] {
        let shown = session.evaluate(form).text();
        assert!(shown.contains(message), "{form}: {shown}");
    }
    assert_eq!(server.received().len(), before);
}

/// Numbers that look random, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    fn date(&mut self) -> (String, String) {
        let (day, hour, minute, second) =
            (self.below(28) + 1, self.below(24), self.below(60), self.below(60));
        let (month, year) = (self.of(&["Jan", "Feb", "Mar"]), 2020 + self.below(2));
        let zone = self.of(&["+0000", "-0500", "+0930", "+0200"]);
        let time = format!("{hour:02}:{minute:02}:{second:02}");
        (
            format!("{day} {month} {year} {time} {zone}"),
            format!("{day:2}-{month}-{year} {time} {zone}"),
        )
    }

    fn subject(&mut self) -> String {
        let mut subject = self
            .of(&[
                "lunch",
                "Lunch",
                "dinner",
                "",
                "[list] lunch",
                "a  b",
                "a b",
                "=?utf-8?Q?=C3=84pfel?=",
                "=?utf-8?Q?=C3=A4pfel?=",
                "=?iso-8859-1?Q?=E4pfel?=",
                "apfel",
                "zebra",
                "[one][two]",
                "=?utf-8?B?0J/RgNC40LLQtdGC?=",
                "=?utf-8?Q?=C5=81=C3=B3d=C5=BA?=",
                "100%",
                "_x",
                "[a",
            ])
            .to_owned();
        for _ in 0..self.below(3) {
            subject = match self.below(8) {
                0 => format!("RE:{subject}"),
                1 => format!("Fwd: {subject}"),
                2 => format!("[list] {subject}"),
                3 => format!("{subject} (fwd)"),
                4 => format!("[Fwd: {subject}]"),
                5 => format!("re [x] : {subject}"),
                _ => format!("Re: {subject}"),
            };
        }
        subject
    }

    fn address(&mut self) -> String {
        self.of(&[
            "ann@x.org",
            "Bob <bob@x.org>",
            "\"Ann B.\" <zed@y.org>",
            "=?utf-8?Q?=C3=84nne?= <anne@x.org>",
            "ANN@y.org",
            "bob@a.org, ann@x.org",
            "friends: ann@x.org, bob@x.org;",
            "carl@z.org (Carl)",
            "=?utf-8?Q?=C3=A9mile?= <e@x.org>",
            "Emile <f@x.org>",
            "zoe <zoe@x.org>",
            "Zoe <zo@x.org>",
        ])
        .to_owned()
    }

    /// A letter, and its internal date as IMAP writes it.
    fn letter(&mut self, number: usize) -> (String, String) {
        let (date, internal) = (self.date().0, self.date().1);
        let mut letter = String::new();
        let mut field = |name: &str, value: &str| letter.push_str(&format!("{name}: {value}\n"));
        if !self.one_in(10) {
            field("Date", if self.one_in(20) { "soon" } else { &date });
        }
        if !self.one_in(20) {
            field("Subject", &self.subject());
        }
        if !self.one_in(20) {
            field("From", &self.address());
        }
        if !self.one_in(10) {
            field("To", &self.address());
        }
        if self.one_in(2) {
            field("Cc", &self.address());
        }
        let id = |number: usize| match number % 7 {
            0 => format!("<\"m{number}\"@x.org>"),
            _ => format!("<m{number}@x.org>"),
        };
        if !self.one_in(15) {
            let own = if self.one_in(30) { self.below(number + 1) } else { number };
            field("Message-ID", &id(own));
        }
        // Mostly earlier letters, and some that do not exist.
        let reference = |chance: &mut Chance| match chance.below(8) {
            0 => id(chance.below(700)),
            1 => chance.of(&["<broken>", "(a comment)", "nothing"]).to_owned(),
            _ => id(number.saturating_sub(chance.below(12) + 1)),
        };
        let references: Vec<String> = (0..self.below(4)).map(|_| reference(self)).collect();
        if !references.is_empty() {
            field("References", &references.join("\n "));
        }
        if self.one_in(3) {
            field("In-Reply-To", &reference(self));
        }
        letter.push_str(&format!("\n{}\n", "x".repeat(self.below(40))));
        (letter, internal)
    }
}

/// Appends generated letters to the inbox.
fn fill(server: &Server, seed: u64, count: usize) -> Session {
    let mut client = server.connect();
    let mut chance = Chance(seed);
    let pending: Vec<_> = (0..count)
        .map(|number| {
            let (letter, date) = chance.letter(number);
            let letter = letter.replace('\n', "\r\n");
            client.begin_append("INBOX", &[], date.parse().ok(), letter.as_bytes()).unwrap()
        })
        .collect();
    for append in pending {
        client.wait(append).unwrap();
    }
    client.close();
    server.session()
}

const QUESTIONS: &[&str] = &[
    "(sort-mailbox mb :arrival :all)",
    "(sort-mailbox mb :date :all)",
    "(sort-mailbox mb '(:reverse :date) :all)",
    "(sort-mailbox mb :size :all)",
    "(sort-mailbox mb :subject :all)",
    "(sort-mailbox mb '(:reverse :subject :date) :all)",
    "(sort-mailbox mb :from :all)",
    "(sort-mailbox mb '(:to :reverse :from :size) :all)",
    "(sort-mailbox mb '(:cc :subject) :all :uid t)",
    "(sort-mailbox mb :displayfrom :all)",
    "(sort-mailbox mb '(:displayto :date) :all)",
    "(sort-mailbox mb :date '(:subject \"lunch\"))",
    "(thread-mailbox mb :orderedsubject :all)",
    "(thread-mailbox mb :references :all)",
    "(thread-mailbox mb :references '(:subject \"lunch\") :uid t)",
    "(thread-mailbox mb :refs :all)",
];

/// The sandbox's own SORT and THREAD, those of this program, and those of Dovecot.
#[test]
fn order_and_threads_of_many_letters_are_those_of_dovecot() {
    for (seed, count) in [(1, 40), (2, 200), (3, 500)] {
        let plain = Options { extensions: Extensions::none(), ..empty() };
        let servers =
            [Some(Server::sandbox(plain)), Some(Server::sandbox(empty())), Server::dovecot()];
        let servers: Vec<Server> = servers.into_iter().flatten().collect();
        let mut sessions: Vec<Session> =
            servers.iter().map(|server| fill(server, seed, count)).collect();
        for question in QUESTIONS {
            let answers: Vec<String> =
                sessions.iter_mut().map(|session| session.evaluate(question).text()).collect();
            assert!(!answers[0].contains("Error"), "{question}: {}", answers[0]);
            for (answer, server) in answers.iter().zip(&servers).skip(1) {
                let at = answers[0].bytes().zip(answer.bytes()).take_while(|(a, b)| a == b).count();
                let near = |text: &str| {
                    text[at.saturating_sub(40).min(text.len())..(at + 200).min(text.len())]
                        .to_owned()
                };
                assert!(
                    answer == &answers[0],
                    "{question}, seed {seed}, here and on {}:\n{}\n{}",
                    server.name,
                    near(&answers[0]),
                    near(answer)
                );
            }
        }
    }
}

fn answering(answer: &str) -> Script {
    let answer = format!("{answer}{{tag}} OK done\r\n");
    Script::run(move |peer| {
        peer.log_in("SORT THREAD=REFERENCES");
        peer.answer(&answer);
        peer.hear_rest();
    })
}

fn sorted(answer: &str) -> Result<Vec<u32>, Error> {
    let criteria = [SortCriterion { key: SortKey::Date, reverse: false }];
    answering(answer).connect().sort(&criteria, &SearchKey::All, false)
}

fn threads(answer: &str) -> Result<String, Error> {
    let mut client = answering(answer).connect();
    let steps = client.thread(ThreadAlgorithm::References, &SearchKey::All, false)?;
    let text = |step: &ThreadStep| match step {
        ThreadStep::Open => "(".to_owned(),
        ThreadStep::Message(number) => format!("{number} "),
        ThreadStep::Close => ")".to_owned(),
    };
    Ok(steps.iter().map(text).collect::<String>().replace(" )", ")").replace(" (", "("))
}

#[test]
fn answers_of_servers_are_read() {
    for (answer, expected) in [
        ("* SORT 2 84 882\r\n", &[2, 84, 882][..]),
        ("* SORT\r\n", &[]),
        ("", &[]),
        ("* SORT  5 3 \r\n* SORT 4\r\n", &[5, 3, 4]),
        ("* SORT 5 3 5 3 4 (MODSEQ 917162488)\r\n", &[5, 3, 4]),
        ("* sort 1\r\n* SEARCH 7\r\n* THREAD (8)\r\n", &[1]),
    ] {
        assert_eq!(sorted(answer).unwrap(), expected, "{answer}");
    }
    for (answer, expected) in [
        ("* THREAD (2)(3 6 (4 23)(44 7 96))\r\n", "(2)(3 6(4 23)(44 7 96))"),
        ("* THREAD ((3)(5))\r\n", "((3)(5))"),
        ("* THREAD (2) (3 (4) (5))\r\n", "(2)(3(4)(5))"),
        ("* THREAD\r\n", ""),
        ("", ""),
        ("* THREAD (1)\r\n* THREAD (2)\r\n", "(1)(2)"),
    ] {
        assert_eq!(threads(answer).unwrap(), expected, "{answer}");
    }
}

#[test]
fn answers_that_cannot_be_read_are_errors() {
    for answer in [
        "* SORT 0\r\n",
        "* SORT x\r\n",
        "* SORT 1:4294967295\r\n",
        "* SORT 4294967296\r\n",
        "* SORT \"1\"\r\n",
    ] {
        let error = sorted(answer).unwrap_err();
        assert!(matches!(error, Error::Unexpected(_)), "{answer}: {error}");
    }
    for answer in [
        "* THREAD 1\r\n",
        "* THREAD (0)\r\n",
        "* THREAD (1:2)\r\n",
        "* THREAD ()\r\n",
        "* THREAD (1 ())\r\n",
        "* THREAD (1\r\n",
        "* THREAD (1))\r\n",
        "* THREAD (x)\r\n",
    ] {
        assert!(threads(answer).is_err(), "{answer}");
    }
}

#[test]
fn threads_without_end_are_given_up() {
    let deep = format!("* THREAD {}1{}\r\n", "(".repeat(100_000), ")".repeat(100_000));
    assert!(threads(&deep).is_err());
    let many = format!("* SORT{}\r\n", " 1".repeat(4_000_000));
    assert_eq!(sorted(&many).unwrap(), [1]);
    let deepest = format!("* THREAD {}1{}\r\n", "(2 ".repeat(200), ")".repeat(200));
    assert!(threads(&deepest).is_ok());
}
