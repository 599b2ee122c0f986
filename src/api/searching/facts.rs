//! Decides conditions on the facts of a letter.
//!
//! A [`Test`] is a key of a search that is decided here, as RFC 3501 6.4.4 defines it: texts are
//! substrings under `i;unicode-casemap` of what is decoded; a date is the day in the zone in which it
//! is written. Each test needs facts of one [`Level`]. [`Tests`] prepares many tests for many letters:
//! the texts that are looked for in a field are found in one pass over it. A [`Card`] keeps what is
//! decided of a letter, one bit for each test, so that nothing that was fetched has to be kept.

use super::expression::{OurKey, Pattern, Regexp};
use super::plan::{Policy, Rest};
use crate::api::dates;
use crate::api::letter_sets::list_identifier;
use crate::client::Fetched;
use crate::mime::html::html_to_text;
use crate::mime::order::collation_key;
use crate::mime::parameter::Parameterised;
use crate::mime::readable::{is_attachment, leaf_is_attachment};
use crate::mime::{self, WrittenDate, charset, transfer};
use crate::proto::imap::search::Date;
use crate::proto::imap::{SearchKey, Structure};
use aho_corasick::AhoCorasick;
use regex::{RegexSet, RegexSetBuilder};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a test needs to know of a letter, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::api) enum Level {
    /// Flags, size and internal date.
    Brief,
    /// Some header fields.
    Header,
    /// The body structure.
    Structure,
    /// The texts.
    Text,
    /// What a procedure of the script returns.
    Procedure,
}

/// How the day of a letter compares with that of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Relation {
    Before,
    On,
    Since,
}

impl Relation {
    fn holds(self, day: Date, of_key: Date) -> bool {
        let (day, of_key) = (day.days_since_1970(), of_key.days_since_1970());
        match self {
            Relation::Before => day < of_key,
            Relation::On => day == of_key,
            Relation::Since => day >= of_key,
        }
    }
}

/// A key that is decided here.
#[derive(Debug, Clone)]
pub(in crate::api) enum Test {
    /// A flag, such as `\Seen`, is set.
    Flag(String),
    /// A flag is not set.
    NoFlag(String),
    /// `\Recent` is set and `\Seen` is not.
    New,
    Larger(u64),
    Smaller(u64),
    Arrived(Relation, Date),
    Sent(Relation, Date),
    /// The letter arrived more than so many seconds ago.
    Older(u64),
    Younger(u64),
    /// A field, named in lower case, contains a text; if that is empty, there is such a field.
    Field(String, String),
    Body(String),
    Text(String),
    Matches(String, Regexp),
    List(String),
    Attachment(Option<Pattern>),
    BodyMatches(Regexp),
    /// The script's procedure of this number.
    Where(usize),
}

impl Test {
    /// The test for a key; `None` if only the server can decide it.
    pub(super) fn of_key(key: &SearchKey) -> Option<Test> {
        let flag = |name: &str| Test::Flag(name.to_owned());
        let no_flag = |name: &str| Test::NoFlag(name.to_owned());
        let field = |name: &str, text: &String| Test::Field(name.to_owned(), collation_key(text));
        Some(match key {
            SearchKey::Answered => flag("\\Answered"),
            SearchKey::Deleted => flag("\\Deleted"),
            SearchKey::Draft => flag("\\Draft"),
            SearchKey::Flagged => flag("\\Flagged"),
            SearchKey::Seen => flag("\\Seen"),
            SearchKey::Recent => flag("\\Recent"),
            SearchKey::New => Test::New,
            SearchKey::Old => no_flag("\\Recent"),
            SearchKey::Unanswered => no_flag("\\Answered"),
            SearchKey::Undeleted => no_flag("\\Deleted"),
            SearchKey::Undraft => no_flag("\\Draft"),
            SearchKey::Unflagged => no_flag("\\Flagged"),
            SearchKey::Unseen => no_flag("\\Seen"),
            SearchKey::Keyword(keyword) => flag(keyword.as_str()),
            SearchKey::Unkeyword(keyword) => no_flag(keyword.as_str()),
            SearchKey::Larger(size) => Test::Larger(*size),
            SearchKey::Smaller(size) => Test::Smaller(*size),
            SearchKey::Before(day) => Test::Arrived(Relation::Before, *day),
            SearchKey::On(day) => Test::Arrived(Relation::On, *day),
            SearchKey::Since(day) => Test::Arrived(Relation::Since, *day),
            SearchKey::SentBefore(day) => Test::Sent(Relation::Before, *day),
            SearchKey::SentOn(day) => Test::Sent(Relation::On, *day),
            SearchKey::SentSince(day) => Test::Sent(Relation::Since, *day),
            SearchKey::Older(seconds) => Test::Older(*seconds),
            SearchKey::Younger(seconds) => Test::Younger(*seconds),
            SearchKey::Bcc(text) => field("bcc", text),
            SearchKey::Cc(text) => field("cc", text),
            SearchKey::From(text) => field("from", text),
            SearchKey::Subject(text) => field("subject", text),
            SearchKey::To(text) => field("to", text),
            SearchKey::Header(name, text) => field(&name.to_lowercase(), text),
            SearchKey::Body(text) => Test::Body(collation_key(text)),
            SearchKey::Text(text) => Test::Text(collation_key(text)),
            _ => return None,
        })
    }

    /// The test for one of our keys. `procedure` is the number of its procedure.
    pub(super) fn of_ours(key: &OurKey, procedure: usize) -> Test {
        match key {
            OurKey::Matches(field, regexp) => Test::Matches(field.clone(), regexp.clone()),
            OurKey::BodyMatches(regexp) => Test::BodyMatches(regexp.clone()),
            OurKey::List(id) => Test::List(id.clone()),
            OurKey::Attachment(pattern) => Test::Attachment(pattern.clone()),
            // Threads are resolved before a search is planned; see `finding`.
            OurKey::ThreadOf(_) => Test::Attachment(None),
            OurKey::Where(_) => Test::Where(procedure),
        }
    }

    /// Whether a key that servers know is decided here.
    pub(super) fn is_ours(&self, policy: Policy) -> bool {
        match policy {
            Policy::Server => false,
            Policy::Exact => match self {
                Test::Field(_, text) => !text.is_empty(),
                Test::Body(_) | Test::Text(_) => true,
                _ => false,
            },
            Policy::Facts => !matches!(self, Test::Body(_) | Test::Text(_)),
            Policy::Here => true,
        }
    }

    pub(in crate::api) fn level(&self) -> Level {
        match self {
            Test::Flag(_)
            | Test::NoFlag(_)
            | Test::New
            | Test::Larger(_)
            | Test::Smaller(_)
            | Test::Arrived(..)
            | Test::Older(_)
            | Test::Younger(_) => Level::Brief,
            Test::Sent(..) | Test::Field(..) | Test::Matches(..) | Test::List(_) => Level::Header,
            Test::Attachment(_) => Level::Structure,
            Test::Body(_) | Test::Text(_) | Test::BodyMatches(_) => Level::Text,
            Test::Where(_) => Level::Procedure,
        }
    }

    /// The header field that it reads.
    pub(in crate::api) fn field(&self) -> Option<&str> {
        match self {
            Test::Field(name, _) | Test::Matches(name, _) => Some(name),
            Test::Sent(..) => Some("date"),
            Test::List(_) => Some("list-id"),
            _ => None,
        }
    }
}

/// What is decided of a letter.
#[derive(Debug, Clone)]
pub(in crate::api) struct Card {
    pub uid: u32,
    /// Whether the letter has left the mailbox.
    pub is_gone: bool,
    /// A bit for each test that is decided.
    decided: Vec<u64>,
    /// A bit for each test that holds.
    holds: Vec<u64>,
    /// The groups of the regular expressions that matched, by test, if they are kept.
    pub groups: Vec<(usize, Vec<Option<String>>)>,
}

impl Card {
    fn decide(&mut self, test: usize, holds: bool) {
        let (word, bit) = (test / 64, 1 << (test % 64));
        self.decided[word] |= bit;
        if holds {
            self.holds[word] |= bit;
        }
    }

    /// Whether a test holds; `None` if it is not decided.
    pub(in crate::api) fn known(&self, test: usize) -> Option<bool> {
        let (word, bit) = (test / 64, 1 << (test % 64));
        (self.decided[word] & bit != 0).then_some(self.holds[word] & bit != 0)
    }

    /// Passes the tests that hold to `on_test`.
    pub(in crate::api) fn for_each_held(&self, mut on_test: impl FnMut(usize)) {
        for (word, bits) in self.holds.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                on_test(word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// Takes what a procedure has returned.
    pub(in crate::api) fn answer(&mut self, tests: &Tests, procedure: usize, holds: bool) {
        for (number, test) in tests.all.iter().enumerate() {
            if matches!(test, Test::Where(own) if *own == procedure) {
                self.decide(number, holds);
            }
        }
    }
}

/// The tests of one field.
#[derive(Debug)]
struct FieldTests {
    name: String,
    /// The texts that are looked for, and their tests.
    texts: Option<(AhoCorasick, Vec<usize>)>,
    /// The regular expressions that are tried together, and their tests.
    set: Option<(RegexSet, Vec<usize>)>,
    /// The tests of mailing lists, by identifier.
    lists: HashMap<String, Vec<usize>>,
    /// The tests that are tried one by one.
    others: Vec<usize>,
}

/// Tests that are prepared for many letters.
#[derive(Debug)]
pub(in crate::api) struct Tests {
    all: Vec<Test>,
    fields: Vec<FieldTests>,
    /// The numbers of the tests of each level.
    by_level: BTreeMap<Level, Vec<usize>>,
    /// A bit for each test of a header field.
    of_header: Vec<u64>,
    /// The time that ages are counted from, in seconds since 1970.
    now: i64,
    keeps_groups: bool,
}

/// From this many regular expressions for a field on, they are tried together.
const MANY: usize = 4;

/// How many bytes the automaton of regular expressions that are tried together may take.
const LARGEST_SET: usize = 64 << 20;

impl Tests {
    /// `keeps_groups`: whether the groups of regular expressions that match are kept.
    pub(in crate::api) fn new(all: Vec<Test>, keeps_groups: bool) -> Tests {
        let names: BTreeSet<&str> = all.iter().filter_map(Test::field).collect();
        let fields = names.into_iter().map(|name| FieldTests::new(name, &all)).collect();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let mut by_level: BTreeMap<Level, Vec<usize>> = BTreeMap::new();
        for (number, test) in all.iter().enumerate() {
            by_level.entry(test.level()).or_default().push(number);
        }
        let mut of_header = vec![0; all.len().div_ceil(64)];
        for number in by_level.get(&Level::Header).into_iter().flatten() {
            of_header[number / 64] |= 1 << (number % 64);
        }
        Tests { all, fields, by_level, of_header, now, keeps_groups }
    }

    /// The tests of a level, with their numbers.
    fn of(&self, level: Level) -> impl Iterator<Item = (usize, &Test)> {
        let numbers = self.by_level.get(&level).into_iter().flatten();
        numbers.map(|number| (*number, &self.all[*number]))
    }

    pub(in crate::api) fn get(&self, test: usize) -> &Test {
        &self.all[test]
    }

    pub(in crate::api) fn numbers(&self) -> std::ops::Range<usize> {
        0..self.all.len()
    }

    /// The names of the groups of a regular expression.
    pub(in crate::api) fn group_names(&self, test: usize) -> Vec<Option<&str>> {
        match &self.all[test] {
            Test::Matches(_, regexp) => regexp.regex.capture_names().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a test is that of this procedure.
    pub(super) fn is_procedure(&self, test: usize, procedure: usize) -> bool {
        matches!(self.all[test], Test::Where(own) if own == procedure)
    }

    /// A letter of which nothing is decided.
    pub(in crate::api) fn card(&self, uid: u32) -> Card {
        let words = self.all.len().div_ceil(64);
        let (decided, holds) = (vec![0; words], vec![0; words]);
        Card { uid, is_gone: false, decided, holds, groups: Vec::new() }
    }

    /// What a FETCH has to ask for so that these tests can be decided.
    pub(super) fn items(&self, level: Level, open: &BTreeSet<usize>) -> Vec<String> {
        let tests = open.iter().map(|test| &self.all[*test]).filter(|test| test.level() == level);
        let mut items: BTreeSet<String> = BTreeSet::new();
        let mut fields: BTreeSet<String> = BTreeSet::new();
        for test in tests {
            let item = match test {
                Test::Flag(_) | Test::NoFlag(_) | Test::New => "FLAGS",
                Test::Larger(_) | Test::Smaller(_) => "RFC822.SIZE",
                Test::Arrived(..) | Test::Older(_) | Test::Younger(_) => "INTERNALDATE",
                Test::Attachment(_) | Test::Body(_) | Test::Text(_) | Test::BodyMatches(_) => {
                    "BODYSTRUCTURE"
                }
                Test::Where(_) => continue,
                Test::Field(..) | Test::Sent(..) | Test::Matches(..) | Test::List(_) => {
                    fields.extend(test.field().map(str::to_uppercase));
                    continue;
                }
            };
            items.insert(item.to_owned());
        }
        if !fields.is_empty() {
            let names: Vec<String> = fields.into_iter().collect();
            items.insert(format!("BODY.PEEK[HEADER.FIELDS ({})]", names.join(" ")));
        }
        items.into_iter().collect()
    }

    /// Decides the tests of this level by what was fetched.
    pub(super) fn learn(&self, level: Level, card: &mut Card, fetched: &Fetched) {
        match level {
            Level::Brief => self.brief(card, fetched),
            Level::Header => {
                let header = fetched.texts.iter().find(|(name, _)| {
                    name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("BODY[HEADER"))
                });
                self.header(card, header.map(|(_, text)| text.as_slice()).unwrap_or_default());
            }
            Level::Structure => self.structure(card, fetched.structure.as_ref()),
            Level::Text | Level::Procedure => {}
        }
    }

    fn brief(&self, card: &mut Card, fetched: &Fetched) {
        let flags = fetched.flags.as_deref().unwrap_or_default();
        let has = |name: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(name));
        let size = fetched.size.unwrap_or(0);
        let arrived = fetched.internal_date;
        let age = arrived.map(|date| self.now.saturating_sub(date.unix_seconds()));
        let is_older =
            |seconds: u64| age.is_some_and(|age| age > i64::try_from(seconds).unwrap_or(i64::MAX));
        for (number, test) in self.of(Level::Brief) {
            let holds = match test {
                Test::Flag(flag) => has(flag),
                Test::NoFlag(flag) => !has(flag),
                Test::New => has("\\Recent") && !has("\\Seen"),
                Test::Larger(limit) => size > *limit,
                Test::Smaller(limit) => size < *limit,
                Test::Arrived(relation, day) => {
                    arrived.is_some_and(|date| relation.holds(date.day(), *day))
                }
                Test::Older(seconds) => is_older(*seconds),
                Test::Younger(seconds) => !is_older(*seconds),
                _ => continue,
            };
            card.decide(number, holds);
        }
    }

    fn header(&self, card: &mut Card, header: &[u8]) {
        for (decided, bits) in card.decided.iter_mut().zip(&self.of_header) {
            *decided |= bits;
        }
        let mut is_first = vec![true; self.fields.len()];
        for field in mime::fields(header) {
            let Some(at) = self.fields.iter().position(|known| field.is(&known.name)) else {
                continue;
            };
            let tests = &self.fields[at];
            tests.learn(self, card, &field, std::mem::take(&mut is_first[at]));
        }
    }

    fn structure(&self, card: &mut Card, structure: Option<&Structure>) {
        let mut names = Vec::new();
        if let Some(structure) = structure {
            attachments(structure, true, &mut names);
        }
        for (number, test) in self.of(Level::Structure) {
            let Test::Attachment(pattern) = test else { continue };
            let fits = |name: &Option<String>| match pattern {
                None => true,
                Some(pattern) => name.as_ref().is_some_and(|name| pattern.regexp.is_match(name)),
            };
            card.decide(number, names.iter().any(fits));
        }
    }

    /// Decides the tests of texts.
    pub(super) fn texts(&self, card: &mut Card, texts: &Texts) {
        let needs_keys = |test: &Test| matches!(test, Test::Body(_) | Test::Text(_));
        let keys = |texts: &[String]| texts.iter().map(|text| collation_key(text)).collect();
        let (mut body, mut header): (Vec<String>, Vec<String>) = Default::default();
        if self.of(Level::Text).any(|(_, test)| needs_keys(test)) {
            body = texts.parts.iter().map(|part| collation_key(&part.text)).collect();
            header = keys(&texts.header);
        }
        let contain = |keys: &[String], text: &str| keys.iter().any(|key| key.contains(text));
        for (number, test) in self.of(Level::Text) {
            let holds = match test {
                Test::Body(text) => text.is_empty() || contain(&body, text),
                Test::Text(text) => {
                    text.is_empty() || contain(&body, text) || contain(&header, text)
                }
                Test::BodyMatches(regexp) => texts
                    .parts
                    .iter()
                    .any(|part| part.is_readable && regexp.regex.is_match(&part.readable())),
                _ => continue,
            };
            card.decide(number, holds);
        }
    }

    /// Whether deciding the open tests takes the whole header.
    pub(super) fn need_header(&self, open: &BTreeSet<usize>) -> bool {
        open.iter().any(|test| matches!(self.all[*test], Test::Text(_)))
    }

    /// Whether deciding the open tests takes what is in attachments.
    pub(super) fn need_all(&self, open: &BTreeSet<usize>) -> bool {
        open.iter().any(|test| matches!(self.all[*test], Test::Text(_) | Test::Body(_)))
    }
}

impl FieldTests {
    fn new(name: &str, all: &[Test]) -> FieldTests {
        let own = || all.iter().enumerate().filter(|(_, test)| test.field() == Some(name));
        let mut texts: Vec<(usize, &str)> = Vec::new();
        let mut patterns: Vec<(usize, &str)> = Vec::new();
        let mut lists: HashMap<String, Vec<usize>> = HashMap::new();
        let mut others = Vec::new();
        for (number, test) in own() {
            match test {
                Test::Field(_, text) if !text.is_empty() => texts.push((number, text)),
                Test::Matches(_, regexp) if regexp.is_plain => {
                    patterns.push((number, regexp.regex.as_str()));
                }
                Test::List(id) => lists.entry(id.clone()).or_default().push(number),
                _ => others.push(number),
            }
        }
        let automaton = AhoCorasick::new(texts.iter().map(|(_, text)| text)).ok();
        let numbers = |list: &[(usize, &str)]| list.iter().map(|(number, _)| *number).collect();
        let set = (patterns.len() >= MANY)
            .then(|| {
                RegexSetBuilder::new(patterns.iter().map(|(_, pattern)| pattern))
                    .size_limit(LARGEST_SET)
                    .dfa_size_limit(LARGEST_SET)
                    .build()
                    .ok()
            })
            .flatten();
        if set.is_none() {
            others.extend(patterns.iter().map(|(number, _)| number));
        }
        if automaton.is_none() {
            others.extend(texts.iter().map(|(number, _)| number));
        }
        FieldTests {
            name: name.to_owned(),
            texts: automaton.map(|automaton| (automaton, numbers(&texts))),
            set: set.map(|set| (set, numbers(&patterns))),
            lists,
            others,
        }
    }

    /// Decides the tests by one field of this name.
    fn learn(&self, tests: &Tests, card: &mut Card, field: &mime::Field<'_>, is_first: bool) {
        let text = field.decoded();
        let key = collation_key(&text);
        if let Some((automaton, numbers)) = &self.texts {
            for found in automaton.find_overlapping_iter(&key) {
                card.decide(numbers[found.pattern().as_usize()], true);
            }
        }
        if let Some((set, numbers)) = &self.set {
            for found in set.matches(&text) {
                self.matched(tests, card, numbers[found], &text);
            }
        }
        // Of List-Id and Date the first counts, as for letter-list-id and letter-date.
        if is_first && !self.lists.is_empty() {
            let id = list_identifier(&field.text()).to_lowercase();
            for number in self.lists.get(&id).into_iter().flatten() {
                card.decide(*number, true);
            }
        }
        for number in &self.others {
            let holds = match &tests.all[*number] {
                Test::Field(_, part) => key.contains(part.as_str()),
                Test::Matches(_, regexp) => {
                    if regexp.regex.is_match(&text) {
                        self.matched(tests, card, *number, &text);
                    }
                    continue;
                }
                Test::Sent(relation, day) if is_first => WrittenDate::parse(&field.text())
                    .and_then(|date| dates::day(&date))
                    .is_some_and(|date| relation.holds(date, *day)),
                _ => false,
            };
            if holds {
                card.decide(*number, true);
            }
        }
    }

    /// Notes that a regular expression matches.
    fn matched(&self, tests: &Tests, card: &mut Card, number: usize, text: &str) {
        let is_known = card.known(number) == Some(true);
        card.decide(number, true);
        if let (true, false, Test::Matches(_, regexp)) =
            (tests.keeps_groups, is_known, &tests.all[number])
            && let Some(found) = regexp.regex.captures(text)
        {
            let group =
                |group: Option<regex::Match<'_>>| group.map(|group| group.as_str().to_owned());
            card.groups.push((number, found.iter().map(group).collect()));
        }
    }
}

/// Collects the names of the attachments, as `letter-attachments` has them, but for files that are
/// uuencoded within a text.
fn attachments(part: &Structure, is_root: bool, names: &mut Vec<Option<String>>) {
    match is_attached(part, is_root) {
        Some(name) => names.push(name),
        None => part.parts.iter().for_each(|part| attachments(part, false, names)),
    }
}

/// Whether a part is an attachment, and its name.
fn is_attached(part: &Structure, is_root: bool) -> Option<Option<String>> {
    if !part.parts.is_empty() && !part.content_type.starts_with("message/") {
        return None;
    }
    let disposition = part
        .disposition
        .as_ref()
        .map(|disposition| parameterised(disposition, &part.disposition_parameters));
    let content = parameterised(&part.content_type, &part.parameters);
    let name = disposition.as_ref().and_then(|disposition| disposition.get("filename"));
    let name = name.or_else(|| content.get("name")).filter(|name| !name.is_empty());
    let name = name.map(str::to_owned);
    let kind = if part.content_type == "/" { "text/plain" } else { &part.content_type };
    leaf_is_attachment(kind, disposition.as_ref(), name.clone(), is_root, false).then_some(name)
}

/// Reads parameters as those of a header field are read: pieces joined and decoded.
fn parameterised(value: &str, parameters: &[(Vec<u8>, Vec<u8>)]) -> Parameterised {
    let mut field = value.as_bytes().to_vec();
    for (name, value) in parameters {
        field.extend_from_slice(b"; ");
        field.extend_from_slice(name);
        field.extend_from_slice(b"=\"");
        for byte in value {
            if matches!(byte, b'"' | b'\\') {
                field.push(b'\\');
            }
            field.push(*byte);
        }
        field.push(b'"');
    }
    Parameterised::read(&field)
}

/// A text of a letter that a FETCH can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Section {
    /// What the FETCH calls it: `1.2`, or `2.HEADER` for the header of an embedded letter.
    pub name: String,
    encoding: String,
    charset: Option<String>,
    is_header: bool,
    is_html: bool,
    is_readable: bool,
}

/// From this many texts on, a letter is fetched whole.
const SECTIONS: usize = 50;

/// The texts of a letter, and how many bytes they have; `None` if it has to be fetched whole. `all`:
/// also those in attachments.
pub(super) fn sections(structure: Option<&Structure>, all: bool) -> Option<(Vec<Section>, u64)> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    collect_sections(structure?, true, true, all, &mut found, &mut bytes);
    (found.len() < SECTIONS).then_some((found, bytes))
}

fn collect_sections(
    part: &Structure,
    is_root: bool,
    is_readable: bool,
    all: bool,
    found: &mut Vec<Section>,
    bytes: &mut u64,
) {
    if found.len() >= SECTIONS {
        return;
    }
    let is_readable = is_readable && is_attached(part, is_root).is_none();
    if !is_readable && !all {
        return;
    }
    let section = |name: String| Section {
        name,
        encoding: part.encoding.clone(),
        charset: parameterised(&part.content_type, &part.parameters)
            .get("charset")
            .map(str::to_owned),
        is_header: false,
        is_html: part.content_type == "text/html",
        is_readable,
    };
    if part.content_type.starts_with("message/") && !part.parts.is_empty() {
        let header = section(format!("{}.HEADER", part.section));
        found.push(Section { is_header: true, encoding: String::new(), charset: None, ..header });
    } else if part.parts.is_empty()
        && (part.content_type.starts_with("text/") || part.content_type == "/")
    {
        found.push(section(part.section.clone()));
        *bytes = bytes.saturating_add(part.size);
    }
    for inner in &part.parts {
        collect_sections(inner, false, is_readable, all, found, bytes);
    }
}

/// One text of a letter, decoded.
pub(super) struct TextPart {
    text: String,
    is_html: bool,
    is_readable: bool,
}

impl TextPart {
    fn readable(&self) -> Cow<'_, str> {
        match self.is_html {
            true => Cow::Owned(html_to_text(&self.text)),
            false => Cow::Borrowed(&self.text),
        }
    }
}

/// The texts of a letter, decoded.
#[derive(Default)]
pub(super) struct Texts {
    parts: Vec<TextPart>,
    /// The header fields.
    header: Vec<String>,
}

impl Texts {
    /// Reads the sections that were fetched.
    pub(super) fn of_sections(sections: &[Section], fetched: &Fetched) -> Texts {
        let text = |name: &str| fetched.text(&format!("BODY[{name}]"));
        let mut texts = Texts::default();
        for section in sections {
            let Some(bytes) = text(&section.name) else { continue };
            if section.is_header {
                texts.parts.extend(decoded_fields(bytes).map(|text| TextPart {
                    text,
                    is_html: false,
                    is_readable: false,
                }));
                continue;
            }
            let decoded = match section.encoding.as_str() {
                "base64" => Cow::Owned(transfer::decode_base64(bytes)),
                "quoted-printable" => Cow::Owned(transfer::decode_quoted_printable(bytes)),
                _ => Cow::Borrowed(bytes),
            };
            let text = charset::decode_body(section.charset.as_deref(), &decoded);
            let (is_html, is_readable) = (section.is_html, section.is_readable);
            texts.parts.push(TextPart { text: text.replace("\r\n", "\n"), is_html, is_readable });
        }
        texts.header =
            text("HEADER").map(|header| decoded_fields(header).collect()).unwrap_or_default();
        texts
    }

    /// Reads a whole letter.
    pub(super) fn of_letter(bytes: Vec<u8>) -> Texts {
        let letter = mime::Letter::from_bytes(bytes);
        let mut texts = Texts::default();
        let mut hidden = vec![false; letter.parts().len()];
        for part in letter.parts() {
            let index = part.index();
            let around = part.parent();
            hidden[index] =
                is_attachment(part) || around.is_some_and(|around| hidden[around.index()]);
            let is_embedded = around.is_some_and(|around| around.main_type() == "message");
            let is_readable = !hidden[index];
            if is_embedded {
                texts.parts.extend(decoded_fields(part.header()).map(|text| TextPart {
                    text,
                    is_html: false,
                    is_readable: false,
                }));
            }
            if part.parts().len() == 0 && part.main_type() == "text" {
                let is_html = part.content_type() == "text/html";
                texts.parts.push(TextPart { text: part.text(), is_html, is_readable });
            }
        }
        texts.header = decoded_fields(letter.root().header()).collect();
        texts
    }
}

/// The fields of a header as lines.
fn decoded_fields(header: &[u8]) -> impl Iterator<Item = String> {
    mime::fields(header).map(|field| format!("{}: {}", field.name, field.decoded()))
}

/// Decides a condition on a letter. `asked`: whether the letter is among those that a search found.
pub(in crate::api) fn known<'c>(
    card: &'c Card,
    asked: &'c dyn Fn(usize, u32) -> bool,
) -> impl Fn(&Rest) -> Option<bool> + 'c {
    move |rest| match rest {
        Rest::Asked(search) => Some(asked(*search, card.uid)),
        Rest::Test(test) => card.known(*test),
        _ => None,
    }
}
