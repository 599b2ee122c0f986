//! Searches that return only a part of their result, and saved results, on every server: with
//! ESEARCH, SEARCHRES and PARTIAL, and without them.

use crate::support::script::Script;
use crate::support::{Server, empty, on_every_server, sandboxes};
use postoffice::client::Error;
use postoffice::proto::ProtocolError;
use postoffice::proto::imap::search::Date;
use postoffice::proto::imap::{DateTime, Found, Places, Returns, SearchKey};
use postoffice::sandbox::{Extension, Extensions, Options};

/// Seven letters without the second, so that numbers and UIDs differ.
fn with_letters(server: &Server) {
    let letters: Vec<String> = (1..=7)
        .map(|number| {
            let sender = if number % 2 == 1 { "odd" } else { "even" };
            format!("From: {sender}@example.org\nSubject: letter {number}\n\nhello\n")
        })
        .collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    server.with_letters(&letters).close();
    let mut session = server.session();
    assert_eq!(session.evaluate("(delete-letter mb 2)").text(), "(2)");
}

const EXTENSIONS: [Extension; 3] = [Extension::ESearch, Extension::SearchRes, Extension::Partial];

/// Forms in the order in which they are evaluated, and what they print.
const ROWS: &[(&str, &str)] = &[
    (
        "(search-mailbox mb '(:from \"odd\") :return '(:min :max :count :all))",
        "((:min 1) (:max 6) (:count 4) (:all (1 2 4 6)))",
    ),
    (
        "(search-mailbox mb '(:from \"odd\") :return '(:all :count :max :min) :uid t)",
        "((:all (1 3 5 7)) (:count 4) (:max 7) (:min 1))",
    ),
    ("(search-mailbox mb :all :return :count)", "((:count 6))"),
    (
        "(search-mailbox mb '(:from \"nobody\") :return '(:min :max :count :all))",
        "((:min nil) (:max nil) (:count 0) (:all nil))",
    ),
    ("(search-mailbox mb :all :return '())", "(1 2 3 4 5 6)"),
    ("(search-mailbox mb :all :partial '(2 3))", "((:partial (2 3)))"),
    ("(search-mailbox mb :all :partial '(2 3) :uid t)", "((:partial (3 4)))"),
    ("(search-mailbox mb :all :partial '(-1 -2) :uid t)", "((:partial (6 7)))"),
    ("(search-mailbox mb :all :partial '(7 9))", "((:partial nil))"),
    (
        "(search-mailbox mb :all :partial '(1 2) :return '(:count :max))",
        "((:count 6) (:max 6) (:partial (1 2)))",
    ),
    ("(search-mailbox mb '(:subject \"é\") :return '(:count))", "((:count 0))"),
    // Nothing is saved yet.
    ("(fetch-parts mb :saved \"uid\")", "nil"),
    ("(search-mailbox mb :saved)", "nil"),
    ("(search-mailbox mb '(not :saved) :return '(:count))", "((:count 6))"),
    // Numbers are found, and UIDs are saved.
    ("(search-mailbox mb '(:from \"odd\") :return '(:save))", "nil"),
    (
        "(fetch-parts mb :saved \"uid\")",
        "((1 (\"UID\" 1)) (2 (\"UID\" 3)) (4 (\"UID\" 5)) (6 (\"UID\" 7)))",
    ),
    ("(search-mailbox mb :saved)", "(1 2 4 6)"),
    ("(search-mailbox mb '(and :saved (not (:subject \"letter 5\"))) :uid t)", "(1 3 7)"),
    ("(search-mailbox mb '(:uid :saved) :return '(:count))", "((:count 4))"),
    ("(alter-flags mb :saved :add-flags :\\\\flagged :silent t)", "nil"),
    ("(search-mailbox mb :flagged)", "(1 2 4 6)"),
    ("(length (fetch-letters mb :saved :peek t))", "4"),
    ("(mapcar #'car (fetch-letters mb :saved :peek t))", "(1 2 4 6)"),
    ("(mapcar #'car (fetch-letters mb :saved :peek t :uid t))", "(1 3 5 7)"),
    // A saved result is narrowed by the next search.
    (
        "(search-mailbox mb '(and :saved (not (:subject \"letter 5\"))) :return '(:save :count))",
        "((:count 3))",
    ),
    ("(search-mailbox mb :saved :uid t)", "(1 3 7)"),
    ("(delete-letter mb :saved :expunge nil)", "nil"),
    ("(search-mailbox mb :deleted :uid t)", "(1 3 7)"),
    ("(alter-flags mb :saved :remove-flags :\\\\deleted :silent t)", "nil"),
    // With MIN, MAX and PARTIAL only these are saved.
    ("(search-mailbox mb '(:from \"odd\") :return '(:save :min :max))", "((:min 1) (:max 6))"),
    ("(search-mailbox mb :saved :uid t)", "(1 7)"),
    ("(search-mailbox mb '(:from \"odd\") :return '(:save :max) :uid t)", "((:max 7))"),
    ("(search-mailbox mb :saved :uid t)", "(7)"),
    ("(search-mailbox mb '(:from \"odd\") :return '(:save) :partial '(1 2))", "((:partial (1 2)))"),
    ("(search-mailbox mb :saved :uid t)", "(1 3)"),
    ("(search-mailbox mb '(:from \"odd\") :return '(:save :all) :uid t)", "((:all (1 3 5 7)))"),
    // Letters that leave the mailbox leave the saved result.
    ("(delete-letter mb 3 :uid t)", "(2)"),
    ("(search-mailbox mb :saved :uid t)", "(1 5 7)"),
    ("(mapcar #'car (fetch-parts mb :saved \"flags\"))", "(1 3 5)"),
    ("(copy-to-mailbox mb '() \"x\")", "nil"),
    ("(create-mailbox mb \"x\")", "t"),
    ("(if (copy-to-mailbox mb :saved \"x\") 'copied 'not)", "copied"),
    ("(getf (mailbox-status mb \"x\" :messages) :messages)", "3"),
    // Nothing found is saved as nothing.
    ("(search-mailbox mb '(:from \"nobody\") :return '(:save :count))", "((:count 0))"),
    ("(delete-letter mb :saved)", "nil"),
    ("(search-mailbox mb :all :return '(:save :count))", "((:count 5))"),
    // It ends with the selection.
    ("(select-mailbox mb \"inbox\")", "t"),
    ("(fetch-parts mb :saved \"uid\")", "nil"),
];

fn replay(name: &str, server: &Server) {
    with_letters(server);
    let mut session = server.session();
    for (form, expected) in ROWS {
        assert_eq!(session.evaluate(form).text(), *expected, "{form} on {name}");
    }
}

#[test]
fn parts_of_a_result_and_saved_results_are_the_same_on_every_server() {
    on_every_server(|server| replay(server.name, server));
    for (name, server) in sandboxes(&EXTENSIONS) {
        replay(&name, &server);
    }
}

#[test]
fn the_age_of_letters_does_not_depend_on_the_day_or_the_zone() {
    let ages = |server: &Server, name: &str| {
        let mut client = server.connect();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        // Half days, so that no search is near its limit; in zones where it is another day.
        for (half_days, zone) in [(1, 0), (3, 14), (5, -12), (7, 14), (9, -12), (2_001, 0)] {
            let seconds = now.as_secs() as i64 - half_days * 43_200;
            let date = date_time(seconds, zone);
            client.append("INBOX", &[], Some(date), b"Subject: x\r\n\r\nx\r\n").unwrap();
        }
        client.close();
        let mut session = server.session();
        for (form, expected) in [
            ("(search-mailbox mb '(:older 1))", "(2 3 4 5 6)"),
            ("(search-mailbox mb '(:younger 1))", "(1)"),
            ("(search-mailbox mb '(:older 2))", "(3 4 5 6)"),
            ("(search-mailbox mb '(:younger 2) :uid t)", "(1 2)"),
            ("(search-mailbox mb '(:older 3))", "(4 5 6)"),
            ("(search-mailbox mb '(:older 4))", "(5 6)"),
            ("(search-mailbox mb '(not (:older 4)) :return '(:count))", "((:count 4))"),
            ("(search-mailbox mb '(and (:older 1) (:younger 3)))", "(2 3)"),
            (
                "(search-mailbox mb '(or (:older 5) (:younger 1)) :return '(:save :all) :uid t)",
                "((:all (1 6)))",
            ),
            ("(search-mailbox mb '(and :saved (:older 1)))", "(6)"),
            ("(search-mailbox mb '(:older 100000))", "nil"),
            ("(search-mailbox mb '(:older 0) :return '(:count))", "((:count 6))"),
            ("(search-mailbox mb '(:younger 0))", "nil"),
            ("(sort-mailbox mb '(:reverse :arrival) '(:younger 3))", "(1 2 3)"),
        ] {
            assert_eq!(session.evaluate(form).text(), expected, "{form} on {name}");
        }
    };
    let without = Extensions::default().without(Extension::Within);
    for (name, extensions) in
        [("all", Extensions::default()), ("without WITHIN", without), ("none", Extensions::none())]
    {
        ages(&Server::sandbox(Options { extensions, ..empty() }), name);
    }
    if let Some(server) = Server::dovecot() {
        ages(&server, "dovecot");
    }
}

/// A moment, written in a zone so many hours east of UTC.
fn date_time(seconds: i64, zone: i16) -> DateTime {
    let zoned = jiff::Timestamp::from_second(seconds + i64::from(zone) * 3_600).unwrap();
    let zoned = zoned.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |part: i8| u8::try_from(part).unwrap();
    let day = Date::new(zoned.year() as u16, part(zoned.month()), part(zoned.day())).unwrap();
    let time = (part(zoned.hour()), part(zoned.minute()), part(zoned.second()));
    DateTime::new(day, time, zone * 60).unwrap()
}

#[test]
fn the_server_does_what_it_can() {
    let server = Server::sandbox(empty());
    with_letters(&server);
    let mut session = server.session();
    let mut sent = |form: &str| {
        let before = server.received().len();
        assert!(session.evaluate(form).result.is_ok(), "{form}");
        server.received().split_off(before)
    };
    let one = |commands: Vec<String>| {
        let [command] = &commands[..] else { panic!("one command: {commands:?}") };
        command.clone()
    };
    let count = one(sent("(search-mailbox mb :seen :return '(:count))"));
    assert!(
        count.starts_with(
            "Extended(SEARCH SEEN returning Options { min: false, max: false, count: true"
        ),
        "{count}"
    );
    let partial = one(sent("(search-mailbox mb :all :partial '(-1 -2))"));
    assert!(partial.contains("partial: Some((-1, -2))"), "{partial}");
    one(sent("(search-mailbox mb :unseen :uid t :return '(:save :all))"));
    assert_eq!(one(sent("(fetch-parts mb :saved \"flags\")")), "Extended(UID FETCH $ flags)");
    assert_eq!(one(sent("(search-mailbox mb '(not :saved))")), "Extended(SEARCH NOT UID $)");
    assert_eq!(
        one(sent("(alter-flags mb :saved :add-flags :\\\\seen :silent t)")),
        "Extended(UID STORE $ +FLAGS.SILENT (\\seen))"
    );
    // The UIDs of a result that is returned as numbers are asked for.
    let both = sent("(search-mailbox mb :unseen :return '(:save))");
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn what_cannot_be_asked_for_is_said_before_anything_is_sent() {
    let server = Server::sandbox(empty());
    with_letters(&server);
    let mut session = server.session();
    let before = server.received().len();
    for (form, message) in [
        (
            "(search-mailbox mb :all :return '(:some))",
            "expected a list of :min :max :count :all :save",
        ),
        ("(search-mailbox mb :all :return 5)", "expected a list of :min :max :count :all :save"),
        ("(search-mailbox mb :all :partial '(0 5))", "expected two places"),
        ("(search-mailbox mb :all :partial '(1 -5))", "expected two places"),
        ("(search-mailbox mb :all :partial '(1))", "expected two places"),
        ("(search-mailbox mb :all :partial '(1 4294967296))", "expected two places"),
        ("(search-mailbox mb :all :partial 5)", "partial"),
        ("(search-mailbox mb :all :partial '(1 5) :return '(:all))", "either :partial or :all"),
        ("(fetch-letter mb :saved)", "expected a message number"),
        ("(fetch-parts mb '(:saved) \"flags\")", "expected a message number"),
        (
            "(pipelined-map (lambda (n) (search-mailbox mb n :return '(:save))) (lambda (n r) r) '(1 2))",
            "search-mailbox with :save cannot be sent without waiting",
        ),
    ] {
        let shown = session.evaluate(form).text();
        assert!(shown.contains(message), "{form}: {shown}");
    }
    assert_eq!(server.received().len(), before);
}

#[test]
fn searches_that_return_a_part_are_pipelined() {
    for (name, server) in sandboxes(&EXTENSIONS) {
        with_letters(&server);
        let mut session = server.session();
        let form = "(pipelined-map (lambda (n) (search-mailbox mb `(:seq ,n :*) :uid t :return '(:min :count))) (lambda (n r) (list n (cadar r) (cadadr r))) '(1 2 3 6))";
        let shown = session.evaluate(form).text();
        assert_eq!(shown, "((1 1 6) (2 3 5) (3 4 4) (6 7 1))", "{name}");
    }
}

#[test]
fn a_literal_that_waits_reaches_an_extended_search() {
    let extensions = Extensions::default().without(Extension::LiteralPlus);
    let server = Server::sandbox(Options { extensions, ..empty() });
    with_letters(&server);
    let mut session = server.session();
    for (form, expected) in [
        ("(search-mailbox mb '(not (:subject \"é\")) :return '(:count :save))", "((:count 6))"),
        ("(search-mailbox mb '(and :saved (not (:subject \"é\"))))", "(1 2 3 4 5 6)"),
    ] {
        assert_eq!(session.evaluate(form).text(), expected, "{form}");
    }
}

#[test]
fn a_server_without_room_for_the_result_is_no_obstacle() {
    let script = Script::run(|peer| {
        peer.log_in("ESEARCH SEARCHRES");
        peer.answer("* 9 EXISTS\r\n{tag} OK done\r\n");
        peer.answer("{tag} NO [NOTSAVED] no room\r\n");
        peer.answer("* SEARCH 4 8\r\n{tag} OK done\r\n");
        peer.hear_rest();
    });
    let mut client = script.connect();
    client.select("INBOX", false).unwrap();
    let returns = Returns { save: true, ..Returns::ALL };
    let found = client.search_returning(&SearchKey::Seen, true, &returns).unwrap();
    assert_eq!(found.all, Some(vec![4, 8]));
    let saved = client.saved();
    assert_eq!((saved.to_string().as_str(), saved.is_saved()), ("4,8", false));
}

/// Returns what the client makes of a server's answer to a search with RETURN.
fn read(answer: &str, returns: Returns) -> Result<Found, Error> {
    let answer = format!("{answer}{{tag}} OK done\r\n");
    let script = Script::run(move |peer| {
        peer.log_in("ESEARCH PARTIAL");
        peer.answer(&answer);
        peer.hear_rest();
    });
    script.connect().search_returning(&SearchKey::All, false, &returns)
}

const EVERYTHING: Returns =
    Returns { min: true, max: true, count: true, all: true, partial: None, save: false };

#[test]
fn answers_of_servers_are_read() {
    type Row = (&'static str, Option<u32>, Option<u32>, u64, &'static [u32]);
    let table: &[Row] = &[
        // RFC 4731 3.2.
        (
            "* ESEARCH (TAG \"{tag}\") MIN 2 COUNT 3 ALL 2,10:11 MAX 11\r\n",
            Some(2),
            Some(11),
            3,
            &[2, 10, 11],
        ),
        ("* ESEARCH (TAG {tag}) UID COUNT 0\r\n", None, None, 0, &[]),
        ("* esearch (tag \"{tag}\") all 11:10,2,2 count 3\r\n", None, None, 3, &[2, 10, 11]),
        ("* ESEARCH COUNT 1 ALL 4 MIN 4 MAX 4\r\n", Some(4), Some(4), 1, &[4]),
        // RFC 7162 3.1.10, and results that nobody knows.
        (
            "* ESEARCH (TAG \"{tag}\") ALL 1:2 MODSEQ 917162500 X-Y (a (b) \"c\") COUNT 2\r\n",
            None,
            None,
            2,
            &[1, 2],
        ),
        ("* ESEARCH (TAG \"{tag}\")\r\n", None, None, 0, &[]),
        // Another command's, and one from a server that answers in the old way.
        (
            "* ESEARCH (TAG \"A999\") ALL 7 COUNT 1\r\n* ESEARCH (TAG \"{tag}\") ALL 8 COUNT 1\r\n",
            None,
            None,
            1,
            &[8],
        ),
        ("* SEARCH 9 3\r\n", Some(3), Some(9), 2, &[3, 9]),
        ("", None, None, 0, &[]),
    ];
    for (answer, min, max, count, all) in table {
        let found = read(answer, EVERYTHING).unwrap();
        assert_eq!(
            (found.min, found.max, found.count, found.all.as_deref()),
            (*min, *max, Some(*count), Some(*all)),
            "{answer}"
        );
    }
    let partial = Returns { partial: Places::new(1, 2), ..Returns::default() };
    for (answer, expected) in [
        // RFC 9394 3.1.
        ("* ESEARCH (TAG \"{tag}\") UID PARTIAL (1:2 23764,24321)\r\n", &[23764, 24321][..]),
        ("* ESEARCH (TAG \"{tag}\") PARTIAL (1:2 NIL)\r\n", &[]),
        ("* ESEARCH (TAG \"{tag}\")\r\n", &[]),
        ("* SEARCH 9 3 5\r\n", &[3, 5]),
    ] {
        assert_eq!(read(answer, partial).unwrap().partial.as_deref(), Some(expected), "{answer}");
    }
}

#[test]
fn answers_that_cannot_be_read_are_errors() {
    for answer in [
        "* ESEARCH (TAG \"{tag}\") COUNT\r\n",
        "* ESEARCH (TAG \"{tag}\") COUNT x\r\n",
        "* ESEARCH (TAG \"{tag}\") MIN 0\r\n",
        "* ESEARCH (TAG \"{tag}\") MIN 4294967296\r\n",
        "* ESEARCH (TAG \"{tag}\") ALL 1:*\r\n",
        "* ESEARCH (TAG \"{tag}\") ALL (1 2)\r\n",
        "* ESEARCH (TAG \"{tag}\") PARTIAL (1:2 3 4)\r\n",
        "* ESEARCH (TAG \"{tag}\") PARTIAL (1:2)\r\n",
        "* ESEARCH (TAG \"{tag}\") (COUNT 1)\r\n",
    ] {
        let error = read(answer, EVERYTHING).unwrap_err();
        assert!(matches!(error, Error::Unexpected(_)), "{answer}: {error}");
    }
}

#[test]
fn a_set_without_end_is_given_up() {
    for answer in [
        "* ESEARCH (TAG \"{tag}\") ALL 1:4294967295\r\n",
        "* ESEARCH (TAG \"{tag}\") PARTIAL (1:2 1:4294967295)\r\n",
    ] {
        let error = read(answer, EVERYTHING).unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::TooLarge { .. })), "{error}");
    }
}
