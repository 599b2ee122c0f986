//! `with-rules`: plans what becomes of the letters of a mailbox, and carries it out.
//!
//! The conditions of all rules share their tests, so that each letter is fetched once and each of its
//! fields is read once, whatever the number of rules. A rule that needs one of some texts to be found
//! is tried only on letters in which one was found ([`Triggers`]). The first rule whose condition
//! holds takes the letter, and later ones are tried only after `:continue t`.
//!
//! The native plans; the verbs for sets of letters carry out the plan, in one step for each action and
//! target. The changes come in an order in which no step takes away what a later one needs: flags,
//! labels, copies, procedures and programs, moves, deletions. `actions` has to do with these.

mod actions;

use super::finding::{Target, origin_of, select, with_threads};
use super::{Batch, Letter, Origin, letter_value};
use crate::api::Answer;
use crate::api::mailbox::{mailbox, on};
use crate::api::pipeline;
use crate::api::searching::{
    Card, Gathering, Level, OurKey, Planner, Policy, Rest, Search, Tests, check_sendable, known,
    search,
};
use crate::api::sets::required;
use crate::client::{Error, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Call, Function, Run, Type, Value, wrong_argument};
use crate::proto::imap::SearchKey;
use actions::{Action, Groups, Steps, read_action, shown};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The rows of the topic "Rules".
pub(in crate::api) const FUNCTIONS: &[Function] = &[
    Function::native(
        "%plan-rules",
        "(mb rules name &key dry-run log create)",
        plan_rules,
        "Checks the arguments of with-rules, and plans. Returns a list: the steps, how many letters each rule took, and a line for each letter that a rule took.",
    ).typed(&[("rules", Type::List), ("name", Type::String)]).inside_of("with-rules").checked(),
    Function::new(
        "%rule-condition",
        "(condition)",
        "A condition of with-rules as a value: the procedure of (:where procedure) is evaluated. Returns it.",
        Run::Macro(
            "(syntax-rules (and or not :where)
               ((_ (and condition ...)) (list 'and (%rule-condition condition) ...))
               ((_ (or condition ...)) (list 'or (%rule-condition condition) ...))
               ((_ (not condition)) (list 'not (%rule-condition condition)))
               ((_ (:where procedure)) (list :where procedure))
               ((_ condition) (quasiquote condition)))",
        ),
    ).inside_of("with-rules").checked(),
    Function::new(
        "%rule-action",
        "(action)",
        "An action of with-rules as a value: the procedure of (:call procedure) is evaluated. Returns it.",
        Run::Macro(
            "(syntax-rules (:call)
               ((_ (:call procedure)) (list :call procedure))
               ((_ action) (quasiquote action)))",
        ),
    ).inside_of("with-rules").checked(),
    Function::new(
        "%rule",
        "(rule)",
        "A rule of with-rules as a value. Returns a list.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (condition action ...)) (list (%rule-condition condition) (%rule-action action) ...))
               ((_ rule) (list 'rule)))",
        ),
    ).inside_of("with-rules").checked(),
    Function::new(
        "%with-rules",
        "(mb rules name &rest options)",
        "Does the work of with-rules. rules: the list of rules, as values.",
        Run::Scheme(
            "(lambda (mb rules name . options)
               (let* ((planned (apply %plan-rules mb rules name options))
                      (steps (first planned))
                      (log (getf options :log))
                      (create (getf options :create)))
                 (when log
                   (dolist (line (third planned)) (format log \"~a~%\" line)))
                 (if (getf options :dry-run)
                     (mapcar (lambda (step) (list (first step) (letters-uids (second step)))) steps)
                     (progn
                       (dolist (step steps)
                         (let* ((action (first step)) (letters (second step)) (target (second action)))
                           (case (first action)
                             ((:flag) (flag-letters letters (cdr action)))
                             ((:label) (label-letters letters (cdr action)))
                             ((:pipe) (apply %pipe-letters letters (cdr action)))
                             ((:copy) (copy-letters letters :to target :create create))
                             ((:call) (do-letters (letter letters) (funcall target letter)))
                             ((:move) (move-letters letters :to target :create create))
                             (t (delete-letters letters)))))
                       (second planned)))))",
        ),
    ).inside_of("with-rules").checked(),
    Function::new(
        "with-rules",
        "((mb name &key dry-run log create) rule …)",
        "Tries rules on all letters of a mailbox, the first rule first, and does what they say with the letters that they take. Returns how many letters each rule took, the list ((1 . count) (2 . count) …).
mb: a mailbox object. name: the name of a mailbox. rule: (condition action …). condition: as for search-mailbox, not quoted, or t; the procedure of (:where procedure) is evaluated, and a comma inserts a value: (:from ,sender). Addresses, subjects and other header fields are compared here; texts that :body and :text look for are searched by the server.
action: (:move name), (:copy name), (:flag flag …), (:label name …) as label-letters, :delete, (:call procedure), whose procedure is evaluated and gets the letter, (:pipe program argument …) as pipe-letters, or at the end :stop, which does nothing more; alone it leaves the letter where it is. A rule that takes a letter is the last for it, unless it ends with :continue t; of several moves and deletions of a letter the first is carried out.
In a name or a label, \\\\\\\\1, \\\\\\\\& and \\\\\\\\k<name> are groups of the first (:matches field regexp) of the condition that matches, as for replace-re: (:move \\\"lists/\\\\\\\\1\\\"). The characters / * % and the server's separator become _ in what a group brings in, so that no letter chooses another place. A rule does not take a letter for which such a group is empty.
What all rules need is fetched once, and each action is carried out for all its letters together: flags first, then labels, copies, procedures and programs, moves and deletions.
:dry-run  t changes nothing and returns the plan, the list (((:move \\\"lists/dev\\\") (uid …)) …), in the order of the steps. :log  t or a stream: prints a line for each letter that a rule took. :create  t creates mailboxes that do not exist.
Errors: :syntax-error for a wrong rule, before anything is sent; those of search-mailbox, move-letters and of the procedures. What was done before an error stays done.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (mb name . keys) rule ...)
                (%with-rules mb (list (%rule rule) ...) name . keys)))",
        ),
    ).checked(),
];

/// A rule.
struct Rule {
    search: Search,
    actions: Vec<Action>,
    continues: bool,
}

const EXPECTED: &str = "a rule (condition action …) with the actions (:move name), (:copy name), (:flag flag …), (:label name …), (:call procedure), (:pipe program argument …) and :delete, and :continue t or :stop at its end";

fn read_rules(call: &Call<'_>) -> Result<Vec<Rule>, Condition> {
    let rules: Vec<Value> =
        host::as_list(required(call, 1)).map(Iterator::collect).unwrap_or_default();
    rules.iter().enumerate().map(|(index, rule)| read_rule(call, index + 1, rule)).collect()
}

fn read_rule(call: &Call<'_>, number: usize, value: &Value) -> Result<Rule, Condition> {
    let parameter = format!("rule {number}");
    let wrong = || wrong_argument(call.name(), &parameter, EXPECTED, value);
    let parts: Vec<Value> = host::as_list(value).ok_or_else(wrong)?.collect();
    let (condition, mut actions) = parts.split_first().ok_or_else(wrong)?;
    let search = match host::as_symbol(condition) == Some("t") || is_t(condition) {
        true => Search::And(Vec::new()),
        false => search(call.name(), condition, &Default::default)?,
    };
    check_sendable(call.name(), &search)?;
    let mut rule = Rule { search, actions: Vec::new(), continues: false };
    if let [before @ .., word, value] = actions
        && host::as_keyword(word) == Some("continue")
    {
        rule.continues = is_t(value) || host::as_symbol(value) == Some("t");
        actions = before;
    }
    let stops = actions.last().and_then(host::as_keyword) == Some("stop");
    if actions.is_empty() || stops && rule.continues {
        return Err(wrong());
    }
    for action in &actions[..actions.len() - usize::from(stops)] {
        rule.actions.push(read_action(call, action).ok_or_else(wrong)?);
    }
    let mut has_regexp = false;
    rule.search.for_each_ours(&mut |key| {
        has_regexp |= matches!(key, Search::Ours(OurKey::Matches(..)));
    });
    if rule.actions.iter().any(Action::has_groups) && !has_regexp {
        let expected = "a (:matches field regexp) in the condition, whose groups the name uses";
        return Err(wrong_argument(call.name(), &parameter, expected, value));
    }
    Ok(rule)
}

fn is_t(value: &Value) -> bool {
    host::kind_of(value) == host::ValueKind::True
}

/// A condition of a rule, and its tests.
struct RuleCondition {
    rest: Rest,
    tests: Range<usize>,
}

/// The conditions of all rules, ready to be tried.
struct Conditions {
    all: Vec<RuleCondition>,
    continues: Vec<bool>,
    triggers: Triggers,
}

/// Which rules can hold for a letter whose header fields are known.
struct Triggers {
    /// The rules of which this test has to hold, or one like it.
    of_test: Vec<Vec<usize>>,
    /// The rules that are always tried.
    always: Vec<usize>,
    /// A test of a header field.
    header: Option<usize>,
}

impl Triggers {
    fn new(conditions: &[RuleCondition], tests: &Tests) -> Triggers {
        let is_header = |test: usize| tests.get(test).level() == Level::Header;
        let mut of_test = vec![Vec::new(); tests.numbers().len()];
        let mut always = Vec::new();
        for (number, condition) in conditions.iter().enumerate() {
            match triggers(&condition.rest, &is_header) {
                Some(tests) => tests.into_iter().for_each(|test| of_test[test].push(number)),
                None => always.push(number),
            }
        }
        let header = tests.numbers().find(|test| is_header(*test));
        Triggers { of_test, always, header }
    }

    /// The rules that can hold for a letter, in their order.
    fn candidates(&self, card: &Card, rules: usize) -> Vec<usize> {
        if self.header.is_none_or(|test| card.known(test).is_none()) {
            return (0..rules).collect();
        }
        let mut found = self.always.clone();
        card.for_each_held(|test| found.extend(&self.of_test[test]));
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Tests of header fields of which one holds whenever the condition does; `None` if there are none.
fn triggers(rest: &Rest, is_header: &dyn Fn(usize) -> bool) -> Option<Vec<usize>> {
    match rest {
        Rest::Test(test) => is_header(*test).then(|| vec![*test]),
        Rest::All(parts) => {
            parts.iter().filter_map(|part| triggers(part, is_header)).min_by_key(Vec::len)
        }
        Rest::Any(parts) => {
            let all = parts.iter().map(|part| triggers(part, is_header));
            all.collect::<Option<Vec<_>>>().map(|all| all.concat())
        }
        Rest::Not(_) | Rest::Asked(_) => None,
    }
}

impl Conditions {
    /// Passes the tests that decide which rules take a letter.
    fn open(
        &self,
        card: &Card,
        asked: &dyn Fn(usize, u32) -> bool,
        mut on_test: &mut dyn FnMut(usize),
    ) {
        let known = known(card, asked);
        for rule in self.triggers.candidates(card, self.all.len()) {
            let rest = &self.all[rule].rest;
            match rest.decide(&known) {
                Some(true) if !self.continues[rule] => return,
                Some(_) => {}
                None => rest.for_each_open(&known, &mut on_test),
            }
        }
    }

    /// The rules whose conditions hold.
    fn holding(&self, card: &Card, asked: &dyn Fn(usize, u32) -> bool) -> Vec<usize> {
        let known = known(card, asked);
        let mut rules = self.triggers.candidates(card, self.all.len());
        rules.retain(|rule| self.all[*rule].rest.decide(&known) == Some(true));
        rules
    }
}

/// The rules, as far as they are tried.
struct Trying {
    origin: Arc<Origin>,
    separator: Option<char>,
    conditions: Conditions,
    gathering: Gathering,
    procedures: usize,
    /// The procedure of `(:where procedure)` that is asked for next, and the letters for it.
    procedure: usize,
    letters: Vec<u32>,
}

fn plan_rules(call: &Call<'_>) -> Answer {
    let mailbox = mailbox(call)?;
    let name = call.string(2)?;
    let rules = read_rules(call)?;
    for action in rules.iter().flat_map(|rule| &rule.actions) {
        if let Some(program) = action.program() {
            let allowed = call.context().policy().check_program(program);
            allowed.map_err(|refusal| host::not_allowed(call.name(), &refusal))?;
        }
    }
    pipeline::check(call)?;
    let mut trying = match call.answered::<Mutex<Option<Trying>>>() {
        Some((state, answers)) => {
            let trying = state.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(mut trying) = trying else { return Ok(host::nil()) };
            let answers: Vec<bool> = answers.iter().map(host::is_true).collect();
            trying.gathering.answer(trying.procedure, &trying.letters, &answers);
            trying.procedure += 1;
            trying
        }
        None => {
            let target =
                Target { mailbox: mailbox.clone(), name: Some(name.to_owned()), read_only: false };
            select(call, &target)?;
            on(call.context(), call.name(), &mailbox, |client| {
                begin(call, client, &mailbox, &rules)
            })?
        }
    };
    while trying.procedure < trying.procedures {
        let conditions = &trying.conditions;
        let uids = trying.gathering.open_for(trying.procedure, &|card, asked, on_test| {
            conditions.open(card, asked, on_test);
        });
        if uids.is_empty() {
            trying.procedure += 1;
            continue;
        }
        let procedures: Vec<Value> =
            rules.iter().flat_map(|rule| rule.search.procedures()).collect();
        let procedure = procedures.get(trying.procedure).cloned().unwrap_or_else(host::nil);
        let letters = letters(&trying.origin, &uids);
        trying.letters = uids;
        let state = host::object(Mutex::new(Some(trying)), "#<rules>");
        return Err(call.ask_each(state, &procedure, letters.iter().map(letter_value).collect()));
    }
    Ok(planned(&trying, &rules))
}

fn begin(
    call: &Call<'_>,
    client: &mut ImapClient,
    mailbox: &Arc<crate::api::objects::ImapMailbox>,
    rules: &[Rule],
) -> Result<Trying, Error> {
    let mut planner = Planner::default();
    let mut all = Vec::new();
    for rule in rules {
        let search = with_threads(call, client, rule.search.clone())?;
        let from = planner.tests.len();
        let rest = planner.add_whole(&search, Policy::Facts);
        all.push(RuleCondition { rest, tests: from..planner.tests.len() });
    }
    let keeps_groups = rules.iter().flat_map(|rule| &rule.actions).any(Action::has_groups);
    let tests = Tests::new(planner.tests, keeps_groups);
    let triggers = Triggers::new(&all, &tests);
    let continues = rules.iter().map(|rule| rule.continues).collect();
    let conditions = Conditions { all, continues, triggers };
    let mut gathering = Gathering::start(client, &SearchKey::All, &planner.asked, tests)?;
    gathering.advance(client, &|card, asked, on_test| conditions.open(card, asked, on_test))?;
    Ok(Trying {
        origin: origin_of(client, mailbox),
        separator: client.separator()?.and_then(|separator| separator.chars().next()),
        conditions,
        gathering,
        procedures: planner.procedures,
        procedure: 0,
        letters: Vec::new(),
    })
}

fn letters(origin: &Arc<Origin>, uids: &[u32]) -> Vec<Arc<Letter>> {
    let batch = Arc::new(Batch { origin: origin.clone(), uids: uids.to_vec() });
    uids.iter().map(|uid| Arc::new(Letter { batch: batch.clone(), uid: *uid })).collect()
}

/// The result of planning: steps, counts and lines.
fn planned(trying: &Trying, rules: &[Rule]) -> Value {
    let asked = |search: usize, uid: u32| trying.gathering.asked(search, uid);
    let mut steps = Steps::default();
    let mut counts = vec![0_i64; rules.len()];
    let mut lines = Vec::new();
    for card in trying.gathering.cards().iter().filter(|card| !card.is_gone) {
        let mut leaves = false;
        for rule in trying.conditions.holding(card, &asked) {
            let groups =
                Groups::of(card, &trying.conditions.all[rule].tests, &trying.gathering.tests);
            let actions: Option<Vec<Action>> = rules[rule]
                .actions
                .iter()
                .map(|action| groups.filled_in(action, trying.separator))
                .collect();
            let Some(actions) = actions else { continue };
            counts[rule] += 1;
            let shown: Vec<String> = actions.iter().map(shown).collect();
            let shown = if shown.is_empty() { ":stop".to_owned() } else { shown.join(" ") };
            let line = format!("rule {} took letter {}: {shown}", rule + 1, card.uid);
            lines.push(host::string(crate::shown::escape_controls(&line)));
            for (index, action) in actions.into_iter().enumerate() {
                steps.add(card.uid, rule, index, action, &mut leaves);
            }
            if !rules[rule].continues {
                break;
            }
        }
    }
    let count = |(rule, count): (usize, i64)| {
        host::cons(host::integer(rule as i64 + 1), host::integer(count))
    };
    let counts = counts.into_iter().enumerate().map(count).collect();
    host::list(vec![
        steps.value(&trying.origin, |rule, action| rules[rule].actions.get(action)),
        host::list(counts),
        host::list(lines),
    ])
}
