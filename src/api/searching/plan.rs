//! Divides a search between the server and this side.
//!
//! Each part of an expression is either a key that the server answers, or mixed. A mixed part has
//!
//! - `narrowing`: a key whose letters include all that match, for the server;
//! - `rest`: what decides about a letter that the narrowing has found;
//! - `whole`: what decides about any letter. The keys in it are searches of their own.
//!
//! In a conjunction the server's parts narrow, and only the others are the rest. In a disjunction
//! every side needs a narrowing, and a letter that one side has found can still match the other, so
//! the rest is made of the wholes. Negations are pushed down to the keys first (De Morgan), so that
//! `(not (or :seen (:matches …)))` is narrowed by UNSEEN.
//!
//! What is left is a [`Rest`] over numbered [`Test`]s, which `facts` decides.

use super::expression::{OurKey, Search};
use super::facts::Test;
use crate::host::Call;
use crate::proto::imap::SearchKey;

/// Which keys are decided here although servers know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Policy {
    /// None.
    Server,
    /// Those that search texts: some servers find words, and not parts of them.
    Exact,
    /// Those that the flags, the size, the dates and header fields decide. Letters that many
    /// conditions are tried on are fetched once, and no search is sent for each condition.
    Facts,
    /// All that can be.
    Here,
}

impl Policy {
    /// That of a call, by its key `exact`.
    pub(in crate::api) fn of(call: &Call<'_>) -> Policy {
        if call.boolean_key("exact") { Policy::Exact } else { Policy::Server }
    }
}

/// How a search is carried out.
#[derive(Debug)]
pub(in crate::api) struct Plan {
    /// The server finds all letters that match, and perhaps others.
    pub narrowing: SearchKey,
    /// Further searches: whether a letter is among those found.
    pub asked: Vec<SearchKey>,
    /// What is decided here of the letters that the narrowing has found.
    pub rest: Rest,
    /// The tests in `rest`.
    pub tests: Vec<Test>,
    /// How many procedures of `(:where procedure)` there are.
    pub procedures: usize,
    /// The tests as a script could write them.
    pub shown: Vec<String>,
}

/// A condition on a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum Rest {
    All(Vec<Rest>),
    Any(Vec<Rest>),
    Not(Box<Rest>),
    /// The letter is one of those that this search of [`Plan::asked`] has found.
    Asked(usize),
    Test(usize),
}

impl Rest {
    /// Decides the condition, as far as its parts are decided.
    pub(in crate::api) fn decide(&self, known: &impl Fn(&Rest) -> Option<bool>) -> Option<bool> {
        let mut is_open = false;
        let (parts, decisive) = match self {
            Rest::Not(part) => return part.decide(known).map(|holds| !holds),
            Rest::Asked(_) | Rest::Test(_) => return known(self),
            Rest::All(parts) => (parts, false),
            Rest::Any(parts) => (parts, true),
        };
        for part in parts {
            match part.decide(known) {
                Some(holds) if holds == decisive => return Some(decisive),
                Some(_) => {}
                None => is_open = true,
            }
        }
        (!is_open).then_some(!decisive)
    }

    /// Passes the tests that can still matter to `on_test`.
    pub(in crate::api) fn for_each_open(
        &self,
        known: &impl Fn(&Rest) -> Option<bool>,
        on_test: &mut impl FnMut(usize),
    ) {
        if self.decide(known).is_some() {
            return;
        }
        match self {
            Rest::All(parts) | Rest::Any(parts) => {
                parts.iter().for_each(|part| part.for_each_open(known, on_test));
            }
            Rest::Not(part) => part.for_each_open(known, on_test),
            Rest::Test(test) => on_test(*test),
            Rest::Asked(_) => {}
        }
    }
}

/// Plans searches whose tests share their numbers.
#[derive(Debug, Default)]
pub(in crate::api) struct Planner {
    pub asked: Vec<SearchKey>,
    pub tests: Vec<Test>,
    shown: Vec<String>,
    pub procedures: usize,
    /// Whether our own keys are narrowed by HEADER.
    pub narrows: bool,
}

impl Plan {
    /// `narrows`: whether the server's answers to HEADER can be trusted.
    pub(in crate::api) fn of(search: &Search, policy: Policy, narrows: bool) -> Plan {
        let mut planner = Planner { narrows, ..Planner::default() };
        let (narrowing, rest) = planner.add(search, policy);
        let Planner { asked, tests, shown, procedures, .. } = planner;
        Plan { narrowing, asked, rest, tests, shown, procedures }
    }
}

impl Planner {
    /// Returns what the server finds, and what decides about these letters.
    pub(in crate::api) fn add(&mut self, search: &Search, policy: Policy) -> (SearchKey, Rest) {
        match self.part(search, false, policy) {
            Part::Server(key) => (key, Rest::All(Vec::new())),
            Part::Mixed { narrowing, rest, .. } => (narrowing, self.numbered(rest)),
        }
    }

    /// Returns what decides about any letter.
    pub(in crate::api) fn add_whole(&mut self, search: &Search, policy: Policy) -> Rest {
        let whole = self.part(search, false, policy).whole();
        self.numbered(whole)
    }

    fn part(&mut self, search: &Search, is_negated: bool, policy: Policy) -> Part {
        match search {
            Search::Not(part) => self.part(part, !is_negated, policy),
            Search::And(parts) | Search::Or(parts) => {
                let parts = parts.iter().map(|part| self.part(part, is_negated, policy)).collect();
                if matches!(search, Search::And(_)) != is_negated { all(parts) } else { any(parts) }
            }
            Search::Key(key) => match Test::of_key(key).filter(|test| test.is_ours(policy)) {
                None => Part::Server(negated(key.clone(), is_negated)),
                Some(test) => self.test(test, search, SearchKey::All, is_negated),
            },
            Search::Ours(key) => {
                let narrows = self.narrows && policy == Policy::Server;
                let narrowing = if narrows { narrowing(key) } else { SearchKey::All };
                let procedure = self.procedures;
                self.procedures += usize::from(matches!(key, OurKey::Where(_)));
                self.test(Test::of_ours(key, procedure), search, narrowing, is_negated)
            }
        }
    }

    fn test(
        &mut self,
        test: Test,
        written: &Search,
        narrowing: SearchKey,
        is_negated: bool,
    ) -> Part {
        self.tests.push(test);
        self.shown.push(written.shown());
        let test = Open::Test(self.tests.len() - 1);
        let narrowing = if is_negated { SearchKey::All } else { narrowing };
        let rest = if is_negated { Open::Not(Box::new(test)) } else { test };
        Part::Mixed { narrowing, whole: rest.clone(), rest }
    }

    /// Gives the keys in a condition their numbers.
    fn numbered(&mut self, open: Open) -> Rest {
        match open {
            Open::All(parts) => {
                Rest::All(parts.into_iter().map(|part| self.numbered(part)).collect())
            }
            Open::Any(parts) => {
                Rest::Any(parts.into_iter().map(|part| self.numbered(part)).collect())
            }
            Open::Not(part) => Rest::Not(Box::new(self.numbered(*part))),
            Open::Test(test) => Rest::Test(test),
            Open::Key(SearchKey::All) => Rest::All(Vec::new()),
            Open::Key(SearchKey::Or(keys)) if keys.is_empty() => Rest::Any(Vec::new()),
            Open::Key(key) => {
                let known = self.asked.iter().position(|asked| *asked == key);
                Rest::Asked(known.unwrap_or_else(|| {
                    self.asked.push(key);
                    self.asked.len() - 1
                }))
            }
        }
    }
}

/// A part of an expression.
enum Part {
    Server(SearchKey),
    Mixed { narrowing: SearchKey, rest: Open, whole: Open },
}

/// A condition whose keys have no numbers yet.
#[derive(Clone)]
enum Open {
    All(Vec<Open>),
    Any(Vec<Open>),
    Not(Box<Open>),
    Key(SearchKey),
    Test(usize),
}

impl Part {
    fn narrowing(&self) -> SearchKey {
        match self {
            Part::Server(key) | Part::Mixed { narrowing: key, .. } => key.clone(),
        }
    }

    fn whole(self) -> Open {
        match self {
            Part::Server(key) => Open::Key(key),
            Part::Mixed { whole, .. } => whole,
        }
    }
}

fn all(parts: Vec<Part>) -> Part {
    let narrowing = and(parts.iter().map(Part::narrowing).collect());
    if parts.iter().all(|part| matches!(part, Part::Server(_))) {
        return Part::Server(narrowing);
    }
    let (mut rests, mut wholes, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Server(key) => keys.push(key),
            Part::Mixed { rest, whole, .. } => {
                rests.push(rest);
                wholes.push(whole);
            }
        }
    }
    if !keys.is_empty() {
        wholes.insert(0, Open::Key(and(keys)));
    }
    Part::Mixed { narrowing, rest: Open::All(rests), whole: Open::All(wholes) }
}

fn any(parts: Vec<Part>) -> Part {
    let narrowing = or(parts.iter().map(Part::narrowing).collect());
    if parts.iter().all(|part| matches!(part, Part::Server(_))) {
        return Part::Server(narrowing);
    }
    let (keys, mixed): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| matches!(part, Part::Server(_)));
    let mut wholes: Vec<Open> = mixed.into_iter().map(Part::whole).collect();
    if !keys.is_empty() {
        wholes.insert(0, Open::Key(or(keys.iter().map(Part::narrowing).collect())));
    }
    Part::Mixed { narrowing, rest: Open::Any(wholes.clone()), whole: Open::Any(wholes) }
}

/// Joins keys, leaving out what says nothing.
fn and(mut keys: Vec<SearchKey>) -> SearchKey {
    keys.retain(|key| *key != SearchKey::All);
    match keys.len() {
        0 => SearchKey::All,
        1 => keys.remove(0),
        _ => SearchKey::And(keys),
    }
}

fn or(mut keys: Vec<SearchKey>) -> SearchKey {
    if keys.contains(&SearchKey::All) {
        return SearchKey::All;
    }
    if keys.len() == 1 { keys.remove(0) } else { SearchKey::Or(keys) }
}

fn negated(key: SearchKey, is_negated: bool) -> SearchKey {
    if is_negated { SearchKey::Not(Box::new(key)) } else { key }
}

/// Fields that nearly every letter has: asking whether there is one finds nearly all.
const COMMON: [&str; 6] = ["from", "to", "subject", "date", "message-id", "received"];

/// A key that finds all letters for which ours can be true.
fn narrowing(key: &OurKey) -> SearchKey {
    match key {
        OurKey::Matches(field, _) if !COMMON.contains(&field.as_str()) => {
            SearchKey::Header(field.clone(), String::new())
        }
        OurKey::List(id) if id.is_ascii() => SearchKey::Header("list-id".to_owned(), id.clone()),
        _ => SearchKey::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Search {
        Search::Key(match name {
            "seen" => SearchKey::Seen,
            "draft" => SearchKey::Draft,
            "flagged" => SearchKey::Flagged,
            text => SearchKey::Subject(text.to_owned()),
        })
    }

    fn ours() -> Search {
        Search::Ours(OurKey::Attachment(None))
    }

    fn not(part: Search) -> Search {
        Search::Not(Box::new(part))
    }

    /// A plan as a text: the narrowing, the searches asked, and the rest.
    fn shown(plan: &Plan) -> String {
        let sent = |key: &SearchKey| key.to_imap().unwrap();
        fn rest(of: &Rest) -> String {
            let all = |parts: &[Rest]| parts.iter().map(rest).collect::<Vec<_>>().join(" ");
            match of {
                Rest::All(parts) => format!("(and {})", all(parts)),
                Rest::Any(parts) => format!("(or {})", all(parts)),
                Rest::Not(part) => format!("(not {})", rest(part)),
                Rest::Asked(number) => format!("a{number}"),
                Rest::Test(number) => format!("t{number}"),
            }
        }
        let asked: Vec<String> = plan.asked.iter().map(sent).collect();
        format!("{} | {} | {}", sent(&plan.narrowing), asked.join(", "), rest(&plan.rest))
    }

    #[test]
    fn the_server_gets_the_largest_part_that_it_can_answer() {
        use Policy::{Exact, Here, Server};
        use Search::{And, Or};
        let table: Vec<(Search, Policy, &str)> = vec![
            (key("seen"), Server, "SEEN |  | (and )"),
            (And(vec![key("seen"), ours()]), Server, "SEEN |  | (and t0)"),
            (And(vec![ours(), key("seen"), key("draft")]), Server, "(SEEN DRAFT) |  | (and t0)"),
            (Or(vec![key("seen"), ours()]), Server, "ALL | SEEN | (or a0 t0)"),
            (
                Or(vec![And(vec![key("seen"), ours()]), key("draft"), key("flagged")]),
                Server,
                "OR SEEN OR DRAFT FLAGGED | OR DRAFT FLAGGED, SEEN | (or a0 (and a1 t0))",
            ),
            (not(And(vec![key("seen"), ours()])), Server, "ALL | NOT SEEN | (or a0 (not t0))"),
            (not(Or(vec![key("seen"), ours()])), Server, "NOT SEEN |  | (and (not t0))"),
            (not(not(And(vec![key("seen"), ours()]))), Server, "SEEN |  | (and t0)"),
            (
                not(And(vec![key("seen"), key("draft")])),
                Server,
                "OR NOT SEEN NOT DRAFT |  | (and )",
            ),
            (And(vec![]), Server, "ALL |  | (and )"),
            (Or(vec![ours(), Or(vec![])]), Server, "ALL |  | (or (or ) t0)"),
            (And(vec![key("x"), key("seen")]), Exact, "SEEN |  | (and t0)"),
            (And(vec![key("x"), key("seen")]), Here, "ALL |  | (and t0 t1)"),
            (Or(vec![key("x"), key("seen")]), Exact, "ALL | SEEN | (or a0 t0)"),
        ];
        for (search, policy, expected) in table {
            assert_eq!(shown(&Plan::of(&search, policy, true)), expected, "{search:?}");
        }
    }

    #[test]
    fn a_condition_is_decided_as_soon_as_its_parts_allow() {
        let (t, f, open) = (0, 1, 2);
        let known = |rest: &Rest| match rest {
            Rest::Test(0) => Some(true),
            Rest::Test(1) => Some(false),
            _ => None,
        };
        let tests = |list: &[usize]| list.iter().map(|test| Rest::Test(*test)).collect::<Vec<_>>();
        for (rest, expected) in [
            (Rest::All(tests(&[t, t])), Some(true)),
            (Rest::All(tests(&[open, f])), Some(false)),
            (Rest::All(tests(&[open, t])), None),
            (Rest::Any(tests(&[open, t])), Some(true)),
            (Rest::Any(tests(&[open, f])), None),
            (Rest::Any(tests(&[f, f])), Some(false)),
            (Rest::Not(Box::new(Rest::Test(open))), None),
            (Rest::Not(Box::new(Rest::Test(f))), Some(true)),
            (Rest::All(vec![]), Some(true)),
            (Rest::Any(vec![]), Some(false)),
        ] {
            assert_eq!(rest.decide(&known), expected, "{rest:?}");
            let mut seen = Vec::new();
            rest.for_each_open(&known, &mut |test| seen.push(test));
            assert_eq!(seen, if expected.is_none() { vec![open] } else { vec![] }, "{rest:?}");
        }
    }
}
