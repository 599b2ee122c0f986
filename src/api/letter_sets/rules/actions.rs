//! What a rule of `with-rules` does with the letters that it takes, and the steps that this makes.

use super::letters;
use crate::api::flags::{flag_list, flags};
use crate::api::letter_sets::{LetterSet, Origin};
use crate::api::searching::{Card, Tests};
use crate::host::{self, Call, Value};
use crate::proto::imap::Flag;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// The longest part of a mailbox name that a group gives, in characters.
const LONGEST_GROUP: usize = 100;

#[derive(Clone)]
pub(super) enum Action {
    Flag(Vec<Flag>),
    Label(Vec<String>),
    Copy(String),
    Call(Value),
    /// A program and its arguments.
    Pipe(Vec<String>),
    Move(String),
    Delete,
}

impl Action {
    /// The names that may have groups of a regular expression.
    fn names(&self) -> &[String] {
        match self {
            Action::Copy(name) | Action::Move(name) => std::slice::from_ref(name),
            Action::Label(labels) => labels,
            _ => &[],
        }
    }

    /// The program that it runs.
    pub(super) fn program(&self) -> Option<&str> {
        match self {
            Action::Pipe(program) => program.first().map(String::as_str),
            _ => None,
        }
    }

    pub(super) fn has_groups(&self) -> bool {
        self.names().iter().any(|name| name.contains('\\'))
    }
}

pub(super) fn read_action(call: &Call<'_>, value: &Value) -> Option<Action> {
    if host::as_keyword(value) == Some("delete") {
        return Some(Action::Delete);
    }
    let parts: Vec<Value> = host::as_list(value)?.collect();
    let (word, arguments) = parts.split_first()?;
    let texts = |is_text: fn(&str) -> bool| -> Option<Vec<String>> {
        let text = |value| host::as_str(value).filter(|text| is_text(text)).map(str::to_owned);
        arguments.iter().map(text).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
    };
    let is_name = |name: &str| !name.is_empty() && !name.chars().any(char::is_control);
    let name = || texts(is_name).filter(|names| names.len() == 1)?.pop();
    Some(match host::as_keyword(word)? {
        "move" => Action::Move(name()?),
        "copy" => Action::Copy(name()?),
        "call" => match arguments {
            [procedure] if host::is_procedure(procedure) => Action::Call(procedure.clone()),
            _ => return None,
        },
        "flag" if !arguments.is_empty() => {
            Action::Flag(flags(call, "flag", &host::list(arguments.to_vec())).ok()?)
        }
        "label" => Action::Label(texts(is_name)?),
        "pipe" => {
            Action::Pipe(texts(|text| !text.contains('\0')).filter(|all| !all[0].is_empty())?)
        }
        "delete" if arguments.is_empty() => Action::Delete,
        _ => return None,
    })
}

/// The groups of the first regular expression of a rule that matched, and their names.
pub(super) struct Groups<'c> {
    groups: &'c [Option<String>],
    names: Vec<Option<&'c str>>,
}

impl<'c> Groups<'c> {
    pub(super) fn of(card: &'c Card, tests: &Range<usize>, all: &'c Tests) -> Groups<'c> {
        let own = card.groups.iter().filter(|(test, _)| tests.contains(test));
        let Some((test, groups)) = own.min_by_key(|(test, _)| *test) else {
            return Groups { groups: &[], names: Vec::new() };
        };
        Groups { groups, names: all.group_names(*test) }
    }

    /// Puts the groups into the names of an action; `None` if one of them is empty.
    pub(super) fn filled_in(&self, action: &Action, separator: Option<char>) -> Option<Action> {
        if !action.has_groups() {
            return Some(action.clone());
        }
        // With a backslash in front a label would be one of the system.
        let is_label = matches!(action, Action::Label(_));
        let is_part = |char: char| {
            let is_separator = matches!(char, '/' | '*' | '%') || Some(char) == separator;
            !(char.is_control() || is_separator || is_label && char == '\\')
        };
        // Servers refuse names such as `.` and `..`, and long ones; a letter must not stop the rules.
        let safe = |text: &str| -> String {
            let text = text.trim();
            let is_dots = text.chars().all(|char| char == '.');
            let part = |char| if is_part(char) && !is_dots { char } else { '_' };
            text.chars().take(LONGEST_GROUP).map(part).collect()
        };
        let groups: Vec<String> =
            self.groups.iter().map(|group| safe(group.as_deref().unwrap_or_default())).collect();
        let is_empty = std::cell::Cell::new(false);
        let note = |group: Option<&'_ String>| {
            is_empty.set(is_empty.get() || group.is_none_or(String::is_empty));
        };
        let group = |index: usize| {
            note(groups.get(index));
            groups.get(index).map(String::as_str)
        };
        let named = |name: &str| {
            let index = self.names.iter().position(|known| *known == Some(name));
            let group = index.and_then(|index| groups.get(index));
            note(group);
            group.map(String::as_str)
        };
        let filled_in = |name: &String| host::substitute(name, group, named);
        let filled_in = match action {
            Action::Copy(name) => Action::Copy(filled_in(name)),
            Action::Move(name) => Action::Move(filled_in(name)),
            Action::Label(labels) => Action::Label(labels.iter().map(filled_in).collect()),
            other => other.clone(),
        };
        (!is_empty.get()).then_some(filled_in)
    }
}

/// An action as a rule has it.
pub(super) fn shown(action: &Action) -> String {
    match action {
        Action::Flag(flags) => {
            let flags: Vec<&str> = flags.iter().map(Flag::as_str).collect();
            format!("(:flag {})", flags.join(" "))
        }
        Action::Label(labels) => quoted("label", labels),
        Action::Pipe(program) => quoted("pipe", program),
        Action::Copy(name) => format!("(:copy {name:?})"),
        Action::Call(_) => "(:call procedure)".to_owned(),
        Action::Move(name) => format!("(:move {name:?})"),
        Action::Delete => ":delete".to_owned(),
    }
}

/// The letters of each step. A step is an action, by its kind, and what it is done with.
#[derive(Default)]
pub(super) struct Steps {
    flags: BTreeMap<Vec<String>, BTreeSet<u32>>,
    labels: BTreeMap<Vec<String>, BTreeSet<u32>>,
    copies: BTreeMap<String, BTreeSet<u32>>,
    /// Procedures and programs, by rule and action.
    calls: BTreeMap<(usize, usize), BTreeSet<u32>>,
    moves: BTreeMap<String, BTreeSet<u32>>,
    deletions: BTreeSet<u32>,
}

impl Steps {
    pub(super) fn add(
        &mut self,
        uid: u32,
        rule: usize,
        index: usize,
        action: Action,
        leaves: &mut bool,
    ) {
        let letters = match action {
            Action::Flag(flags) => {
                let flags = flags.iter().map(|flag| flag.as_str().to_owned()).collect();
                self.flags.entry(flags).or_default()
            }
            Action::Label(labels) => self.labels.entry(labels).or_default(),
            Action::Copy(name) => self.copies.entry(name).or_default(),
            Action::Call(_) | Action::Pipe(_) => self.calls.entry((rule, index)).or_default(),
            Action::Move(_) | Action::Delete if std::mem::replace(leaves, true) => return,
            Action::Move(name) => self.moves.entry(name).or_default(),
            Action::Delete => &mut self.deletions,
        };
        letters.insert(uid);
    }

    pub(super) fn value<'r>(
        self,
        origin: &Arc<Origin>,
        action_of: impl Fn(usize, usize) -> Option<&'r Action>,
    ) -> Value {
        let step = |action: Vec<Value>, uids: BTreeSet<u32>| {
            let uids: Vec<u32> = uids.into_iter().collect();
            let set = LetterSet { letters: letters(origin, &uids) };
            host::list(vec![host::list(action), set.value()])
        };
        let named = |word: &str, name: String| vec![host::keyword(word), host::string(name)];
        let mut steps = Vec::new();
        for (flags, uids) in self.flags {
            let flags = host::as_list(&flag_list(&flags)).map(Iterator::collect);
            let flags: Vec<Value> = flags.unwrap_or_default();
            steps.push(step([vec![host::keyword("flag")], flags].concat(), uids));
        }
        for (labels, uids) in self.labels {
            steps.push(step(texts("label", &labels), uids));
        }
        for (name, uids) in self.copies {
            steps.push(step(named("copy", name), uids));
        }
        for ((rule, index), uids) in self.calls {
            match action_of(rule, index) {
                Some(Action::Call(procedure)) => {
                    steps.push(step(vec![host::keyword("call"), procedure.clone()], uids));
                }
                Some(Action::Pipe(program)) => steps.push(step(texts("pipe", program), uids)),
                _ => {}
            }
        }
        for (name, uids) in self.moves {
            steps.push(step(named("move", name), uids));
        }
        if !self.deletions.is_empty() {
            steps.push(step(vec![host::keyword("delete")], self.deletions));
        }
        host::list(steps)
    }
}

/// `(:label "a" "b")`.
fn quoted(word: &str, texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("(:{word} {})", texts.join(" "))
}

fn texts(word: &str, texts: &[String]) -> Vec<Value> {
    let texts = texts.iter().map(|text| host::string(text.clone()));
    [host::keyword(word)].into_iter().chain(texts).collect()
}
