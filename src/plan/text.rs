//! A plan as S-expressions, and as a table.
//!
//! ```text
//! (plan :version 1 :id "5f0c…" :script "file.scm")
//!
//! (step 1 (move "archive")
//!  :account ("imap" "mail.example.org" 143 "me")
//!  :mailbox "INBOX" :uid-validity 7 :uids "4:9"
//!  :becomes "12 4:9 1:6"
//!  :subjects ("Hello" "Invoice 7"))
//! ```
//!
//! Only the first line and the dates of new letters depend on when it was made, so that two plans can
//! be compared line by line.

use super::{Plan, PlanStep, PlannedLetter, is_of_letters};
use crate::lisp::{Datum, printer, reader};
use crate::proto::deed::{Account, Act, Deed};
use crate::proto::imap::SequenceSet;
use crate::shown::escape_controls;
use crate::state::rows::{account_of, act_of, act_text, numbers, stored_of, stored_text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The version of the form.
const VERSION: i64 = 1;

/// A text is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a plan: {0}")]
pub struct PlanError(pub String);

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "(plan :version {VERSION} :id {}", text(&self.id))?;
        if let Some(script) = &self.script {
            write!(out, " :script {}", text(script))?;
        }
        if !self.arguments.is_empty() {
            write!(out, " :arguments {}", texts(&self.arguments))?;
        }
        writeln!(out, ")")?;
        for (number, step) in (1..).zip(&self.steps) {
            write_step(out, number, step)?;
        }
        Ok(())
    }
}

fn text(text: &str) -> String {
    printer::readably(&Datum::String(text.to_owned()))
}

fn texts(texts: &[String]) -> String {
    printer::readably(&Datum::list(texts.iter().cloned().map(Datum::String).collect()))
}

fn write_step(out: &mut fmt::Formatter<'_>, number: usize, step: &PlanStep) -> fmt::Result {
    write!(out, "\n(step {number} {}", act_form(&step.act))?;
    if let Some(account) = &step.account {
        let user = account.user.as_deref().unwrap_or_default();
        write!(
            out,
            "\n :account ({} {} {} {})",
            text(account.protocol),
            text(&step.host),
            account.port,
            text(user)
        )?;
    }
    if !step.program.is_empty() {
        write!(out, "\n :program {}", texts(&step.program))?;
    }
    if let Some(mailbox) = &step.mailbox {
        write!(out, "\n :mailbox {}", text(mailbox))?;
    }
    if let Some(uid_validity) = step.uid_validity {
        write!(out, " :uid-validity {uid_validity}")?;
    }
    if !step.uids.is_empty() {
        write!(out, " :uids \"{}\"", step.uids)?;
    }
    if let Some(count) = step.count {
        write!(out, " :count {count}")?;
    }
    if let Some(uid_next) = step.uid_next {
        write!(out, " :uid-next {uid_next}")?;
    }
    if let Some(becomes) = &step.becomes {
        write!(out, "\n :becomes \"{}\"", stored_text(becomes))?;
    }
    if !step.flags.is_empty() {
        let row = |(uids, flags): &(SequenceSet, Vec<String>)| {
            let flags = flags.iter().cloned().map(Datum::String);
            Datum::List([Datum::String(uids.to_string())].into_iter().chain(flags).collect())
        };
        let rows = Datum::list(step.flags.iter().map(row).collect());
        write!(out, "\n :flags {}", printer::readably(&rows))?;
    }
    if !step.subjects.is_empty() {
        write!(out, "\n :subjects {}", texts(&step.subjects))?;
    }
    if let Some(letter) = &step.letter {
        if let Some(date) = &letter.date {
            write!(out, "\n :date {}", text(date))?;
        }
        if let Some(from) = &letter.from {
            write!(out, "\n :from {}", text(from))?;
        }
        write!(out, "\n :letter \"{}\"", STANDARD.encode(&letter.bytes))?;
    }
    writeln!(out, ")")
}

/// `(move "archive")`.
fn act_form(act: &Act) -> String {
    let value: Value = serde_json::from_str(&act_text(act)).unwrap_or_default();
    let mut form = datum(&value);
    if let Datum::List(parts) = &mut form
        && let Some(Datum::String(kind)) = parts.first().cloned().as_ref()
    {
        parts[0] = Datum::Symbol(kind.clone());
    }
    printer::readably(&form)
}

fn datum(value: &Value) -> Datum {
    match value {
        Value::String(text) => Datum::String(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Datum::Integer(number),
            None => Datum::Number(number.to_string()),
        },
        Value::Array(values) => Datum::list(values.iter().map(datum).collect()),
        Value::Bool(true) => Datum::True,
        _ => Datum::Nil,
    }
}

fn json(datum: &Datum) -> Value {
    match datum {
        Datum::String(text) | Datum::Symbol(text) => Value::from(text.as_str()),
        Datum::Integer(number) => Value::from(*number),
        Datum::Number(number) => number.parse::<u64>().map_or(Value::Null, Value::from),
        Datum::List(data) => Value::Array(data.iter().map(json).collect()),
        _ => Value::Null,
    }
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(source: &str) -> Result<Plan, PlanError> {
        let forms = reader::read_data(source).map_err(|error| PlanError(error.to_string()))?;
        let mut forms = forms.iter();
        let wrong = |expected: &str| PlanError(format!("expected {expected}"));
        let head = forms.next().and_then(|form| Keys::of(form, "plan"));
        let head = head.ok_or_else(|| wrong("(plan :version 1 …) at the beginning"))?;
        match head.get("version") {
            Some(Datum::Integer(VERSION)) => {}
            Some(Datum::Integer(version)) => {
                return Err(PlanError(format!(
                    "its version is {version}, and this Postoffice knows {VERSION}"
                )));
            }
            _ => return Err(wrong(":version and a number")),
        }
        let steps = (1..).zip(forms).map(|(number, form)| {
            step(form, number)
                .map_err(|expected| PlanError(format!("step {number}: expected {expected}")))
        });
        Ok(Plan {
            script: head.text("script"),
            arguments: head.texts("arguments"),
            id: head.text("id").ok_or_else(|| wrong(":id and a string"))?,
            steps: steps.collect::<Result<_, _>>()?,
        })
    }
}

/// A form `(name … :key value …)`.
struct Keys<'d> {
    /// What stands before the first key.
    front: Vec<&'d Datum>,
    rest: &'d [Datum],
}

impl<'d> Keys<'d> {
    fn of(form: &'d Datum, name: &str) -> Option<Keys<'d>> {
        let Datum::List(parts) = form else { return None };
        let keys = parts.iter().position(|part| matches!(part, Datum::Keyword(_)));
        let (front, rest) = parts.split_at(keys.unwrap_or(parts.len()));
        let is_named = matches!(front.first(), Some(Datum::Symbol(found)) if found == name);
        (is_named && rest.len() % 2 == 0)
            .then(|| Keys { front: front.iter().skip(1).collect(), rest })
    }

    fn get(&self, name: &str) -> Option<&'d Datum> {
        let is_named = |key: &Datum| matches!(key, Datum::Keyword(key) if key == name);
        self.rest.chunks(2).find(|pair| is_named(&pair[0])).map(|pair| &pair[1])
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Datum::String(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let Some(Datum::List(texts)) = self.get(name) else { return Vec::new() };
        texts.iter().filter_map(string).collect()
    }
}

fn string(datum: &Datum) -> Option<String> {
    if let Datum::String(text) = datum { Some(text.clone()) } else { None }
}

/// The keys of a step.
const KEYS: [&str; 13] = [
    "account",
    "program",
    "mailbox",
    "uid-validity",
    "uids",
    "count",
    "uid-next",
    "becomes",
    "flags",
    "subjects",
    "date",
    "from",
    "letter",
];

/// Reads a step; the error is what was expected.
fn step(form: &Datum, expected: i64) -> Result<PlanStep, String> {
    let numbered = || format!("(step {expected} (change …) :key value …)");
    let keys = Keys::of(form, "step").ok_or_else(numbered)?;
    let [Datum::Integer(number), form] = keys.front[..] else { return Err(numbered()) };
    if *number != expected {
        return Err(numbered());
    }
    for key in keys.rest.chunks(2) {
        match &key[0] {
            Datum::Keyword(name) if KEYS.contains(&name.as_str()) => {}
            other => {
                let shown = printer::readably(other);
                return Err(format!("the keys {}, got {shown}", KEYS.join(" ")));
            }
        }
    }
    let shown = printer::readably(form);
    // What is not understood whole would be done in part.
    let act = act_of(&json(form).to_string())
        .filter(|act| act_form(act) == shown)
        .ok_or_else(|| format!("a change such as (move \"name\"), got {shown}"))?;
    let text = |name: &str| match keys.get(name) {
        None => Ok(None),
        Some(Datum::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!(":{name} with a string, got {}", printer::readably(other))),
    };
    let number = |name: &str, most: i64| match keys.get(name) {
        None => Ok(None),
        Some(Datum::Integer(number)) if (0..=most).contains(number) => Ok(Some(*number)),
        Some(other) => Err(format!(":{name} with a number, got {}", printer::readably(other))),
    };
    let set = |text: &str| {
        let set = text.parse::<SequenceSet>().ok().filter(|set| numbers(set).is_some());
        set.ok_or_else(|| format!("UIDs such as \"1:3,7\", got {text:?}"))
    };
    let program = keys.texts("program");
    let (host, account) = match keys.get("account") {
        Some(account) => read_account(account)
            .ok_or(":account (\"imap\" \"host\" 143 \"user\"), with imap or smtp")?,
        None => match (&act, program.first()) {
            (Act::Run { program: named, .. }, Some(program)) if program == named => {
                (program.clone(), None)
            }
            _ => return Err(":account, or :program for a run of it".to_owned()),
        },
    };
    let protocol = account.as_ref().map(|account| account.protocol);
    let fits = match act {
        Act::Send { .. } => protocol == Some("smtp"),
        Act::Run { .. } => protocol.is_none(),
        _ => protocol == Some("imap") && keys.get("mailbox").is_some(),
    };
    if !fits {
        return Err("the account of such a change, and :mailbox if it is one of IMAP".to_owned());
    }
    let uids = text("uids")?.as_deref().map(set).transpose()?.unwrap_or_default();
    let uid_validity = number("uid-validity", u32::MAX.into())?;
    let is_of_letters = is_of_letters(&act);
    if is_of_letters == uids.is_empty() || is_of_letters && uid_validity.is_none() {
        return Err(":uids and :uid-validity for a change of letters, and only for one".to_owned());
    }
    let flags = match keys.get("flags") {
        None | Some(Datum::Nil) => Vec::new(),
        Some(rows) => read_flags(rows).ok_or(":flags ((\"1:3\" \"\\\\Seen\" …) …)")?,
    };
    let becomes = text("becomes")?;
    let becomes = becomes.map(|stored| {
        stored_of(&stored)
            .ok_or_else(|| format!(":becomes as COPYUID or APPENDUID, got {stored:?}"))
    });
    let letter = match text("letter")? {
        Some(letter) => Some(PlannedLetter {
            date: text("date")?,
            from: text("from")?,
            bytes: STANDARD.decode(letter).map_err(|_| ":letter in Base64".to_owned())?,
        }),
        None => None,
    };
    let needs_letter = matches!(act, Act::Append { .. } | Act::Send { .. } | Act::Run { .. });
    if letter.is_some() != needs_letter {
        return Err(":letter for a change that stores or sends one, and only for one".to_owned());
    }
    let small = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    Ok(PlanStep {
        act,
        host,
        account,
        mailbox: text("mailbox")?,
        uid_validity: small(uid_validity),
        uids,
        flags,
        becomes: becomes.transpose()?,
        count: number("count", i64::MAX)?.and_then(|number| u64::try_from(number).ok()),
        uid_next: small(number("uid-next", u32::MAX.into())?),
        subjects: keys.texts("subjects"),
        letter,
        program,
    })
}

/// Reads `("imap" "host" 143 "user")`.
fn read_account(account: &Datum) -> Option<(String, Option<Account>)> {
    let Datum::List(parts) = account else { return None };
    let [Datum::String(protocol), Datum::String(host), Datum::Integer(port), Datum::String(user)] =
        &parts[..]
    else {
        return None;
    };
    Some((host.clone(), Some(account_of(protocol, u16::try_from(*port).ok()?, user)?)))
}

/// Reads `(("1:3" "\\Seen" …) …)`.
fn read_flags(rows: &Datum) -> Option<Vec<(SequenceSet, Vec<String>)>> {
    let Datum::List(rows) = rows else { return None };
    let row = |row: &Datum| {
        let Datum::List(parts) = row else { return None };
        let texts: Vec<String> = parts.iter().map(string).collect::<Option<_>>()?;
        let (uids, flags) = texts.split_first()?;
        let uids: SequenceSet = uids.parse().ok()?;
        numbers(&uids).map(|_| (uids, flags.to_vec()))
    };
    rows.iter().map(row).collect()
}

impl PlanStep {
    /// The change in words, without the host.
    pub fn words(&self) -> String {
        let change = crate::proto::deed::Change {
            act: self.act.clone(),
            mailbox: self.mailbox.clone(),
            letters: crate::proto::deed::Letters::None,
        };
        let deed = Deed { host: self.host.clone(), ..Deed::new(change) };
        let words = deed.to_string();
        let host = format!(" on {}", self.host);
        let flags = match &self.act {
            Act::StoreFlags { mode, flags, .. } => {
                use crate::proto::imap::command::StoreMode;
                let sign = match mode {
                    StoreMode::Add => "+",
                    StoreMode::Remove => "-",
                    StoreMode::Replace => "=",
                };
                let flags: Vec<&str> = flags.iter().map(|flag| flag.as_str()).collect();
                format!(": {sign}{}", flags.join(" "))
            }
            _ => String::new(),
        };
        if let Act::Run { to, .. } = &self.act {
            return format!("hand a letter to {} to {}", to.join(", "), self.program.join(" "));
        }
        format!("{}{flags}", words.strip_suffix(&host).unwrap_or(&words))
    }

    /// How many letters it changes.
    pub fn letters(&self) -> u64 {
        match self.letter {
            Some(_) => 1,
            None => {
                self.count.unwrap_or_else(|| numbers(&self.uids).map_or(0, |all| all.len() as u64))
            }
        }
    }
}

impl Plan {
    /// The rows of the table for people: steps, account, change, letters, some subjects. Neighbours
    /// that do the same to other letters share a row.
    pub fn rows(&self) -> Vec<[String; 5]> {
        let mut rows: Vec<(usize, usize, u64, Vec<String>, String, String)> = Vec::new();
        for (number, step) in (1..).zip(&self.steps) {
            let (words, account) = (step.words(), step.account_text());
            match rows.last_mut() {
                Some((_, last, letters, subjects, change, of))
                    if *change == words && *of == account =>
                {
                    *last = number;
                    *letters += step.letters();
                    subjects.extend(step.subjects.iter().cloned());
                }
                _ => {
                    let (letters, subjects) = (step.letters(), step.subjects.clone());
                    rows.push((number, number, letters, subjects, words, account));
                }
            }
        }
        let row = |(first, last, letters, subjects, change, account): (
            usize,
            usize,
            u64,
            Vec<String>,
            String,
            String,
        )| {
            let steps = if first == last { first.to_string() } else { format!("{first}-{last}") };
            let letters = if letters == 0 { String::new() } else { letters.to_string() };
            let more = if subjects.len() > 3 { ", …" } else { "" };
            let subjects = subjects.into_iter().take(3).collect::<Vec<_>>().join(", ");
            [steps, account, change, letters, escape_controls(&subjects) + more]
        };
        rows.into_iter().map(row).collect()
    }
}

impl PlanStep {
    fn account_text(&self) -> String {
        match &self.account {
            Some(account) => {
                let user =
                    account.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
                format!("{} {user}{}", account.protocol, self.host)
            }
            None => self.program.join(" "),
        }
    }
}
