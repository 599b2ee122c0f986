//! Dry runs answer as the real server would, change nothing, and their plans do what the real run
//! did.

use crate::journal::{Numbers, One};
use crate::support::{Server, empty};
use postoffice::api::{Setup, attach};
use postoffice::client::{Error, ImapClient};
use postoffice::mirror::Mirrors;
use postoffice::plan::{Applied, Hands, Keeper, Misfit, Plan};
use postoffice::proto::deed::Account;
use postoffice::proto::imap::{Flag, Messages};
use postoffice::repl::Session;
use postoffice::sandbox::{Extension, Extensions, Options};
use postoffice::state::{Database, Journal, NewRun, Sync};
use postoffice::transport::Connector;
use std::path::Path;
use std::sync::Arc;

/// A session whose changes stay in mirrors.
struct Dry {
    session: Session,
    state: Arc<postoffice::api::State>,
    mirrors: Arc<Mirrors>,
    journal: Arc<Journal>,
    keeper: Arc<Keeper>,
    folder: tempfile::TempDir,
}

impl Dry {
    fn new() -> Dry {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(Journal::new(folder.path(), NewRun::of("test")));
        let (mirrors, connector) = Mirrors::new(Connector::default());
        let mirrors = Arc::new(mirrors);
        let keeper = Arc::new(Keeper::new(journal.clone(), mirrors.clone()));
        let setup = Setup {
            connector: Connector { witness: keeper.clone(), ..connector },
            mirrors: Some(mirrors.clone()),
            ..Setup::default()
        };
        let mut session = Session::new(Vec::new());
        let state = attach(session.host(), &setup);
        Dry { session, state, mirrors, journal, keeper, folder }
    }

    /// Ends the session. The plan is the one that is read from its text.
    fn plan(self) -> Plan {
        self.state.close_all();
        let run = self.journal.run();
        self.journal.finish("ended");
        let steps = run.map_or_else(Vec::new, |run| {
            Database::open(self.folder.path(), Sync::Normal).unwrap().steps(run).unwrap()
        });
        let plan = Plan::of(None, Vec::new(), steps, &self.keeper);
        self.mirrors.close();
        let read: Plan = plan.to_string().parse().unwrap();
        assert_eq!(read, plan);
        plan
    }
}

/// A session for real, with a journal in a folder as `run` has it.
fn real(folder: &Path) -> Session {
    let journal = Arc::new(Journal::new(folder, NewRun::of("test")));
    let connector = Connector { witness: journal, ..Connector::default() };
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup { connector, ..Setup::default() });
    session
}

fn connect(name: &str, server: &Server) -> String {
    let Server { user, password, port, .. } = server;
    format!(
        "(progn (setq {name} (make-imap-connection \"127.0.0.1\" :port {port} :user \"{user}\" :password \"{password}\" :auth :login)) nil)"
    )
}

impl Hands for One {
    fn send(
        &mut self,
        _: &str,
        _: &Account,
        _: &str,
        _: &[String],
        _: &[u8],
    ) -> Result<(), String> {
        Err("nothing is sent here".into())
    }

    fn hand_over(&mut self, _: &[String], _: &str, _: &[String], _: &[u8]) -> Result<(), String> {
        Err("no program runs here".into())
    }
}

/// Does a plan. Returns what does not fit; then nothing is done unless `partial`.
fn apply(
    server: &Server,
    plan: &Plan,
    folder: &Path,
    partial: bool,
) -> Result<Vec<Misfit>, String> {
    let journal = Arc::new(Journal::new(folder, plan.new_run("a plan")));
    let connector = Connector { witness: journal.clone(), ..Connector::default() };
    let client =
        ImapClient::connect(&connector, "127.0.0.1", &server.credentials(), &server.options());
    let mut hands = One(client.unwrap());
    let database = Database::open(folder, Sync::Normal).unwrap();
    let begun = database.applied(&plan.name()).unwrap();
    let misfits = plan.misfits(&begun, &mut hands)?;
    let result = if misfits.is_empty() || partial {
        let mut applied = Applied::new(plan, &database, &journal);
        let left_out = applied.leave_out(&misfits);
        left_out.and_then(|()| applied.run(&mut hands, &mut |_| {}))
    } else {
        Ok(())
    };
    hands.0.close();
    journal.finish("ended");
    result.map(|()| misfits)
}

/// The mailboxes, and their letters: UID, flags, size, internal date, text.
fn contents(server: &Server) -> Vec<String> {
    let mut client = server.connect();
    let mut names: Vec<String> = client
        .list("", "*")
        .unwrap()
        .into_iter()
        .filter(|one| !one.has("\\Noselect") && !one.has("\\NonExistent"))
        .map(|one| one.name)
        .collect();
    names.sort();
    let mut all = Vec::new();
    for name in names {
        client.select(&name, true).unwrap();
        all.push(name);
        let items = "(UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[])".parse().unwrap();
        for letter in client.fetch_all(&Messages::all(), &items).unwrap() {
            let mut flags = letter.flags.unwrap();
            flags.retain(|flag| flag != "\\Recent");
            flags.sort();
            let text = String::from_utf8_lossy(&letter.texts[0].1).into_owned();
            let date = letter.internal_date.unwrap().unix_seconds();
            all.push(format!("{:?} {flags:?} {date} {text}", letter.uid));
        }
    }
    let mut subscribed: Vec<String> =
        client.list_subscribed("", "*").unwrap().into_iter().map(|one| one.name).collect();
    subscribed.sort();
    all.push(format!("{subscribed:?}"));
    client.close();
    all
}

fn fill(server: &Server) {
    let mut client = server.connect();
    let _ = client.create("a"); // Dovecot may have it
    for (name, count) in [("INBOX", 8), ("a", 4)] {
        for number in 0..count {
            let flags: &[Flag] = if number % 3 == 0 { &[Flag::SEEN] } else { &[] };
            let date = format!("{:02}-Jan-2024 10:00:00 +0100", number + 1);
            let letter = format!(
                "From: Ann <ann{}@example.org>\r\nTo: bob@example.org\r\nSubject: {name} number {number}\r\nMessage-ID: <{name}.{number}@example.org>\r\nDate: Mon, {} Jan 2024 10:00:00 +0000\r\n\r\nThe text {number} of {name}, Grüße.\r\n",
                number % 3,
                number + 1
            );
            client.append(name, flags, Some(date.parse().unwrap()), letter.as_bytes()).unwrap();
        }
    }
    client.close();
}

/// One form of a random program, weighted by what scripts do.
fn form(numbers: &mut Numbers, at: usize, alone: bool) -> String {
    // When another session hears of a letter that has left is a server's choice.
    let mb = if alone { "mb" } else { numbers.of(&["mb", "mb", "mb", "other"]) };
    let name = numbers.of(&["inbox", "inbox", "a", "b", "new", "a/sub"]);
    let other = numbers.of(&["inbox", "a", "b", "new", "new/sub"]);
    // Whether a mailbox that is made below another makes that, too, is a server's choice.
    let (name, other) = match alone {
        true => (name.trim_end_matches("/sub"), other.trim_end_matches("/sub")),
        false => (name, other),
    };
    let number = 1 + numbers.below(6);
    let set = match numbers.below(4) {
        0 => format!("{number}"),
        1 => format!("'(:seq {number} {})", number + numbers.below(3)),
        2 => format!("(search-mailbox {mb} :all)"),
        _ => format!("'({number} {})", number + 2),
    };
    let key = numbers.of(&[
        ":all",
        ":unseen",
        ":flagged",
        ":deleted",
        "'(:from \"ann1\")",
        "'(:subject \"number 2\")",
        "'(:body \"text 3\")",
        "'(:text \"Grüße\")",
        "'(:or (:subject \"INBOX\") (:not (:header \"Message-ID\" \"a.\")))",
        "'(:and :seen (:since \"3-Jan-2024\"))",
        "'(:sent-before \"4-Jan-2024\")",
        "'(:larger 250)",
    ]);
    let flag =
        numbers.of(&[":\\\\flagged", ":\\\\seen", ":\\\\deleted", ":$later", ":\\\\answered"]);
    let how = numbers.of(&[":add-flags", ":remove-flags", ":flags"]);
    match numbers.below(30) {
        0..=4 => format!("(select-mailbox {mb} \"{name}\")"),
        5..=7 => format!("(search-mailbox {mb} {key} :uid t)"),
        8 => format!("(search-mailbox {mb} {key})"),
        // Servers have the items in an order of their own.
        9 if alone => {
            let item = numbers.of(&["envelope", "flags", "internaldate", "rfc822.size"]);
            format!("(fetch-parts {mb} {set} \"{item}\")")
        }
        9 => format!("(fetch-parts {mb} {set} \"(uid flags envelope rfc822.size internaldate)\")"),
        10 => format!("(fetch-parts {mb} {set} \"body.peek[header.fields (subject)]\")"),
        11 => format!("(fetch-letter {mb} {number})"),
        12..=13 => format!("(move-to-mailbox {mb} {set} \"{other}\")"),
        14 => format!(
            "(move-to-mailbox {mb} (search-mailbox {mb} {key} :uid t) \"{other}\" :uid t :create t)"
        ),
        15 => format!("(copy-to-mailbox {mb} {set} \"{other}\")"),
        // Not every server tells flags that stay as they are.
        16..=17 if alone => format!("(progn (alter-flags {mb} {set} {how} {flag}) nil)"),
        16..=17 => format!("(alter-flags {mb} {set} {how} {flag})"),
        18 if alone => format!("(progn (delete-letter {mb} {number}) nil)"),
        18 => format!("(delete-letter {mb} {number})"),
        // Servers tell the letters that leave in orders of their own.
        19 if alone => format!("(progn (expunge-mailbox {mb}) nil)"),
        19 => format!("(expunge-mailbox {mb})"),
        20 => format!(
            "(append-letter {mb} \"{other}\" (format nil \"Subject: new {at}~%~%body {at}~%\") :flags {flag} :date \"15-Feb-2024 10:00:00 +0000\")"
        ),
        21 => format!("(create-mailbox {mb} \"{other}\")"),
        // Some servers end the connection whose mailbox is deleted.
        22 | 23 if alone => format!(
            "(progn (select-mailbox mb \"inbox\") ({} mb \"b\"{}))",
            if other == "b" { "delete-mailbox" } else { "rename-mailbox" },
            if other == "b" { String::new() } else { format!(" \"{other}\"") }
        ),
        22 if name != "inbox" => format!("(rename-mailbox {mb} \"{name}\" \"{other}\")"),
        23 if name != "inbox" => format!("(delete-mailbox {mb} \"{name}\")"),
        24 => format!("(sort (mapcar #'mailbox-list-name (mailbox-list {mb})) #'string<)"),
        25 => format!(
            "(mapcar (lambda (key) (mailbox-status {mb} \"{name}\" (list key))) '(:messages :unseen :uidnext))"
        ),
        26 => format!(
            "(list (mailbox-message-count {mb}) (mailbox-uidnext {mb}) (mailbox-first-unseen {mb}))"
        ),
        27 => format!("(map-letters #'letter-subject (select-letters {mb} {key}))"),
        // Dovecot puts letters that are equal in reverse order, too (not so RFC 5256 3).
        28 if alone => format!("(sort-mailbox {mb} '(:subject) {key})"),
        28 => format!("(sort-mailbox {mb} '(:reverse :subject) {key})"),
        _ => numbers
            .of(&[
                "(noop mb)",
                "(close-mailbox mb)",
                "(subscribe-mailbox mb \"a\")",
                "(sort (mapcar #'mailbox-list-name (mailbox-list mb :subscribed t)) #'string<)",
            ])
            .to_owned(),
    }
}

/// Runs a random program for real on one server and dry on an equal one, compares the answers, does
/// the plan on the second, and compares what the servers have. Returns how many answers could not be
/// foreseen.
fn compare(seed: u64, one: &Server, other: &Server) -> usize {
    fill(one);
    fill(other);
    let before = contents(other);
    let folder = tempfile::tempdir().unwrap();
    let (mut session, mut dry) = (real(folder.path()), Dry::new());
    for (name, mailbox) in [("mb", "inbox"), ("other", "a")] {
        for (session, server) in [(&mut session, one), (&mut dry.session, other)] {
            let opened = session.evaluate(&connect(name, server));
            assert!(opened.result.is_ok(), "{}", opened.text());
            session.evaluate(&format!("(select-mailbox {name} \"{mailbox}\")"));
        }
    }
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let (mut program, mut unforeseen) = (String::new(), 0);
    for at in 0..40 {
        let form = form(&mut numbers, at, !one.is_sandbox());
        program += &format!("{form}\n");
        let (expected, found) = (session.evaluate(&form), dry.session.evaluate(&form));
        if found.text().contains("cannot foresee") {
            unforeseen += 1;
            break; // what follows is not comparable
        }
        let told = |text: &str| plainly(text);
        assert_eq!(
            told(&found.text()),
            told(&expected.text()),
            "seed {seed} on {}, dry against real:\n{program}\n{}\n{}",
            one.name,
            found.text(),
            expected.text()
        );
    }
    assert_eq!(contents(other), before, "seed {seed}: a dry run changed something");
    session.host().context().try_state::<postoffice::api::State>().unwrap().close_all();
    let plan = dry.plan();
    assert_eq!(contents(other), before, "seed {seed}: a dry run changed something");
    if unforeseen > 0 {
        return unforeseen;
    }
    let folder = tempfile::tempdir().unwrap();
    let applied = apply(other, &plan, folder.path(), false);
    assert_eq!(applied, Ok(Vec::new()), "seed {seed}:\n{program}\n{plan}");
    assert_eq!(contents(other), contents(one), "seed {seed}:\n{program}\n{plan}");
    0
}

/// A reply without what servers say in their own words, and without the UIDVALIDITY of mailboxes,
/// which no dry run knows before they are made.
fn plainly(text: &str) -> String {
    let text = &without_validities(text);
    let line = |line: &str| match line.strip_prefix("Error: ") {
        Some(error) => {
            error.rsplit_once(" [:").map(|(_, identifier)| format!("Error [:{identifier}"))
        }
        None => None,
    };
    let lines = text.lines().map(|text| line(text).unwrap_or_else(|| without_times(text)));
    lines.collect::<Vec<_>>().join("\n")
}

fn without_validities(text: &str) -> String {
    let mut shown = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        shown += if digits.len() >= 9 { &part[digits.len()..] } else { part };
    }
    shown
}

/// Dovecot says how long it took.
fn without_times(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((front, back)) = rest.split_once(" secs)") {
        shown += front.rsplit_once(" (").map_or(front, |(front, _)| front);
        rest = back;
    }
    shown + rest
}

fn seeds(by_default: u64) -> u64 {
    let by_hand = std::env::var("POSTOFFICE_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    by_hand.unwrap_or(by_default)
}

#[test]
fn a_dry_run_answers_as_the_real_run_and_its_plan_does_the_same() {
    let plain = [Extension::Move, Extension::ESearch, Extension::Sort]
        .into_iter()
        .fold(Extensions::default(), Extensions::without);
    for seed in 0..seeds(25) {
        let extensions = if seed % 3 == 2 { plain } else { Extensions::default() };
        let server = || Server::sandbox(Options { extensions, ..empty() });
        assert_eq!(compare(seed, &server(), &server()), 0, "seed {seed}");
    }
}

#[test]
fn so_it_does_on_dovecot() {
    for seed in 1000..1000 + seeds(8) {
        let (Some(one), Some(other)) = (Server::dovecot(), Server::dovecot()) else { return };
        assert_eq!(compare(seed, &one, &other), 0, "seed {seed}");
    }
}

/// The plan of a program on a server with `fill`'s letters.
fn plan_of(server: &Server, forms: &[&str]) -> Plan {
    let mut dry = Dry::new();
    dry.session.evaluate(&connect("mb", server));
    for form in forms {
        let value = dry.session.evaluate(form);
        assert!(value.result.is_ok(), "{form}: {}", value.text());
    }
    dry.plan()
}

const PROGRAM: [&str; 8] = [
    "(select-mailbox mb \"inbox\")",
    "(move-to-mailbox mb (search-mailbox mb '(:from \"ann1\") :uid t) \"done\" :uid t :create t)",
    "(alter-flags mb 1 :add-flags :\\\\flagged)",
    "(delete-letter mb 2)",
    "(append-letter mb \"done\" (format nil \"Subject: x~%~%x~%\") :date \"05-Feb-2024 10:00:00 +0000\")",
    "(select-mailbox mb \"done\")",
    "(alter-flags mb (list 1 (mailbox-message-count mb)) :add-flags :$later)",
    "(copy-to-mailbox mb 1 \"a\")",
];

#[test]
fn a_plan_that_does_not_fit_is_not_done() {
    type Change = fn(&mut ImapClient) -> Result<(), Error>;
    let changes: [(&str, Change); 6] = [
        ("there is a mailbox \"done\" now", |client| client.create("done")),
        ("there is no mailbox \"a\"", |client| client.rename("a", "b")),
        ("2 letters of \"INBOX\" are gone", |client| {
            client.select("INBOX", false)?;
            client.remove(&[2, 5].into_iter().collect()).map(drop)
        }),
        ("1 letter of \"INBOX\" has other flags than then", |client| {
            client.select("INBOX", false)?;
            let messages = Messages::uids([3]);
            let add = postoffice::proto::imap::command::StoreMode::Add;
            client.store_silently(&messages, add, &[Flag::new("\\Flagged")?])
        }),
        ("1 letter of \"INBOX\" is gone", |client| {
            client.select("INBOX", false)?;
            client.remove(&[1].into_iter().collect()).map(drop)
        }),
        ("", |client| {
            client.select("INBOX", false)?;
            let messages = Messages::uids([2, 7]);
            let add = postoffice::proto::imap::command::StoreMode::Add;
            client.store_silently(&messages, add, &[Flag::new("\\Answered")?])
        }),
    ];
    for (why, change) in changes {
        let server = Server::sandbox(empty());
        fill(&server);
        let plan = plan_of(&server, &PROGRAM);
        let mut client = server.connect();
        change(&mut client).unwrap();
        client.close();
        let before = contents(&server);
        let folder = tempfile::tempdir().unwrap();
        let misfits = apply(&server, &plan, folder.path(), false).unwrap();
        let words: Vec<&str> = misfits.iter().map(|misfit| misfit.why.as_str()).collect();
        if why.is_empty() {
            assert_eq!(words, [""; 0], "what does not matter does not stop a plan");
            assert_ne!(contents(&server), before);
            continue;
        }
        assert!(words.contains(&why), "{why}: {words:?}");
        assert_eq!(contents(&server), before, "{why}");
        // Letters can be left out, but not steps, nor letters of a deletion in a plan that also
        // stores some.
        let partial = apply(&server, &plan, folder.path(), true);
        assert_eq!(partial.is_ok(), why.contains("gone"), "{why}: {partial:?}");
        assert_eq!(contents(&server) == before, partial.is_err(), "{why}");
    }
}

#[test]
fn a_plan_is_done_once() {
    let server = Server::sandbox(empty());
    fill(&server);
    let plan = plan_of(&server, &PROGRAM);
    let folder = tempfile::tempdir().unwrap();
    apply(&server, &plan, folder.path(), false).unwrap();
    let after = contents(&server);
    apply(&server, &plan, folder.path(), false).unwrap();
    assert_eq!(contents(&server), after);
}

#[test]
fn a_plan_that_was_cut_off_goes_on() {
    use postoffice::sandbox::faults::{Fault, FaultKind, Side};
    let whole = Server::sandbox(empty());
    fill(&whole);
    let plan = plan_of(&whole, &PROGRAM);
    let folder = tempfile::tempdir().unwrap();
    apply(&whole, &plan, folder.path(), false).unwrap();
    let expected = contents(&whole);
    let mut cut = 0;
    for side in [Side::Client, Side::Server] {
        for at in (300..6000).step_by(170) {
            let server = Server::sandbox(empty());
            fill(&server);
            let fault = Fault { side, kind: FaultKind::Cut { at } };
            let broken = crate::support::relay_to(server.port, &[fault]);
            let folder = tempfile::tempdir().unwrap();
            let mut plan = plan.clone();
            // The plan of an equal server, at another port.
            for step in &mut plan.steps {
                step.account.as_mut().unwrap().port = server.port;
            }
            let result = cut_off(&server, broken.address().port(), &plan, folder.path());
            cut += usize::from(result.is_err());
            apply(&server, &plan, folder.path(), false)
                .unwrap_or_else(|error| panic!("{side:?} {at}: {error}"));
            assert_eq!(contents(&server), expected, "{side:?} {at}");
        }
    }
    assert!(cut > 10, "{cut} cuts");
}

/// Does a plan through a relay that breaks.
fn cut_off(server: &Server, port: u16, plan: &Plan, folder: &Path) -> Result<(), String> {
    let journal = Arc::new(Journal::new(folder, plan.new_run("a plan")));
    let redirect = format!("127.0.0.1=127.0.0.1:{port}").parse().unwrap();
    let (witness, redirects) = (journal.clone(), vec![redirect]);
    let connector = Connector { witness, redirects, ..Connector::default() };
    let client =
        ImapClient::connect(&connector, "127.0.0.1", &server.credentials(), &server.options());
    let mut hands = One(client.map_err(|error| error.to_string())?);
    let database = Database::open(folder, Sync::Normal).unwrap();
    let result = Applied::new(plan, &database, &journal).run(&mut hands, &mut |_| {});
    hands.0.abandon();
    journal.finish("ended");
    result
}
