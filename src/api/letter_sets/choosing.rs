//! `select-letters`, and what makes sets from sets.

use super::finding::{Found, Target, find};
use super::{Batch, Letter, LetterSet, each_once, letter_value, letters, letters_in};
use crate::api::Answer;
use crate::api::mailbox::mailbox;
use crate::api::objects::ImapMailbox;
use crate::api::searching::{Policy, check};
use crate::api::sets::required;
use crate::condition::Condition;
use crate::host::{self, Call, Function, Run, Type, Value};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

/// The rows of the topic "Sets of letters".
pub(in crate::api) const FUNCTIONS: &[Function] = &[
    Function::native(
        "%select-letters",
        "(mb expression &key account mailbox read-only exact)",
        select_letters,
        "Does the work of select-letters. Arguments and result as there, but for accounts.",
    ).typed(&[("read-only", Type::Truth), ("exact", Type::Truth)]).inside_of("select-letters").checked(),
    Function::new(
        "%select-in-accounts",
        "(accounts expression keys)",
        "Does the work of select-letters for accounts. Checks the other arguments before it connects.",
        Run::Scheme(
            "(lambda (accounts expression keys)
               (apply %select-letters '() expression keys)
               (apply %select-letters
                      (mapcar %account-mailbox (if (consp accounts) accounts (list accounts)))
                      expression
                      (if (member :mailbox keys) keys (append keys '(:mailbox \"inbox\")))))",
        ),
    ).inside_of("select-letters").checked(),
    Function::new(
        "select-letters",
        "(mb expression &rest options)",
        "The letters that a search finds, a set in the mailbox's order. A letter of a set means the same letter whatever happens to message numbers; letter-subject and the others read it, move-letters and the others change it.
It is called in two ways:
(select-letters mb expression :mailbox name :read-only nil :exact nil) searches on connections. mb: a mailbox object, or a list of them.
(select-letters expression :account 'work :mailbox \"inbox\" :read-only nil :exact nil) searches in an account. :account  its name from define-account, a symbol or a string, or a list of names; it stands right after the expression. The connection is made when it is first needed, and kept until the program ends.
expression, :exact  as for search-mailbox. :mailbox  the name of a mailbox to search, or a list of names, of which an empty one finds nothing; by default the mailbox that is selected, in an account the inbox. :read-only  t selects it read-only.
What is done with a letter selects the letter's mailbox for that time; for the other functions the mailbox stays selected that the script selected.
Errors: :syntax-error for a malformed expression, :error-response when no mailbox is selected or there is none of that name; with :account, those of connect.",
        Run::Scheme(
            "(lambda (mb expression . options)
               (if (and (eq expression :account) (consp options))
                   (%select-in-accounts (%car options) mb (%cdr options))
                   (apply %select-letters mb expression options)))",
        ),
    ).checked(),
    Function::native(
        "%search-here",
        "(mb expression)",
        search_here,
        "The unique ids of the letters that match, like search-mailbox, but decided here as far as possible. Tests compare the two.",
    ).inside_of("select-letters").checked(),
    Function::native(
        "letters-count",
        "(letters)",
        |call| Ok(host::integer(letters(call, 0)?.len() as i64)),
        "How many letters there are, an integer.\nletters: a letter or a set, or a list of these.",
    ).checked(),
    Function::native(
        "letters-uids",
        "(letters)",
        |call| {
            let uid = |letter: &Arc<Letter>| host::integer(i64::from(letter.uid));
            Ok(host::list(letters(call, 0)?.iter().map(uid).collect()))
        },
        "The list of the unique ids of letters, integers.\nletters: a letter or a set, or a list of these.",
    ).checked(),
    Function::native(
        "letters->list",
        "(letters)",
        |call| Ok(host::list(letters(call, 0)?.iter().map(letter_value).collect())),
        "The list of the letters of a set.\nletters: a letter or a set, or a list of these.",
    ).checked(),
    Function::native(
        "letters-union",
        "(letters &rest more)",
        |call| {
            let mut all = letters(call, 0)?;
            rest(call)?.into_iter().for_each(|more| all.extend(more));
            Ok(LetterSet::of(&each_once(all)).value())
        },
        "The set of the letters that are in any of some sets, each once.\nletters, more: letters or sets, or lists of these.",
    ).checked(),
    Function::native(
        "letters-intersection",
        "(letters &rest more)",
        |call| kept(call, |letter, others| others.iter().all(|other| other.contains(letter))),
        "The set of the letters that are in all of some sets, in the order of the first.\nletters, more: letters or sets, or lists of these.",
    ).checked(),
    Function::native(
        "letters-difference",
        "(letters &rest more)",
        |call| kept(call, |letter, others| !others.iter().any(|other| other.contains(letter))),
        "The set of the letters that are in the first set and in none of the others. Letters of different connections are never the same.\nletters, more: letters or sets, or lists of these.",
    ).checked(),
    Function::native(
        "%letter-set",
        "(letters)",
        |call| Ok(LetterSet::of(&letters(call, 0)?).value()),
        "A set of these letters in this order. letters: a list of letters.",
    ).inside_of("group-letters").checked(),
    Function::native(
        "%letters-for",
        "(function letters &optional f)",
        letters_for,
        "The list of the letters of a set, for a function whose name errors give. f: a function of a letter, which is checked as well.",
    ).inside_of("map-letters").checked(),
    Function::native(
        "%letter-key-for",
        "(function by)",
        letter_key_for,
        "Checks :by, for a function whose name errors give. Returns it: a keyword or a function.",
    ).inside_of("sort-letters").checked(),
    Function::new(
        "do-letters",
        "((var letters &optional result) . body)",
        "Runs the body for each letter, bound to var. Returns the value of result, nil by default.
letters: a letter or a set, or a list of these. What the body reads of a letter is fetched for all letters at once. Errors: those of the body.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (var letters . result) body ...)
                (dolist (var (letters->list letters) . result) body ...)))",
        ),
    ).checked(),
    Function::new(
        "map-letters",
        "(f letters)",
        "The list of the values of a function of each letter.\nf: a function of one argument. letters: a letter or a set, or a list of these. Errors: those of f.",
        Run::Scheme("(lambda (f letters) (mapcar f (%letters-for \"map-letters\" letters f)))"),
    ).typed(&[("f", Type::Function(1))]).checked(),
    Function::new(
        "%letter-key",
        "(function by)",
        "The function that :by of group-letters and sort-letters stands for. function: the name that errors give. by: a keyword or a function.",
        Run::Scheme(
            "(lambda (function by)
               (case (%letter-key-for function by)
                 ((:uid) letter-uid) ((:mailbox) letter-mailbox) ((:date) letter-date) ((:size) letter-size)
                 ((:subject) letter-subject) ((:list-id) letter-list-id)
                 ((:from) (lambda (letter) (address-email (letter-from letter))))
                 ((:domain) (lambda (letter) (address-domain (letter-from letter))))
                 ((:year) (lambda (letter) (when (letter-date letter) (date-year (letter-date letter)))))
                 (t by)))",
        ),
    ).inside_of("sort-letters").checked(),
    Function::new(
        "group-letters",
        "(letters &key by)",
        "Letters in groups: the list ((key . set) …), a group for each key, in the order in which the keys appear.
letters: a letter or a set, or a list of these. :by  a function of a letter that returns the key, or :from (the address), :domain (that of the address), :mailbox, :list-id, :subject, :date, :year, :size or :uid. Errors: those of the function.",
        Run::Scheme(
            "(lambda (letters &key by)
               (let ((key (%letter-key \"group-letters\" by)) (groups (make-hash-table :test 'equal)) (keys '()))
                 (dolist (letter (%letters-for \"group-letters\" letters))
                   (let ((k (key letter)))
                     (unless (nth-value 1 (gethash k groups)) (push k keys))
                     (push letter (gethash k groups))))
                 (mapcar (lambda (k) (cons k (%letter-set (reverse (gethash k groups))))) (reverse keys))))",
        ),
    ).checked(),
    Function::native(
        "%sort-letters",
        "(letters keys reverse)",
        sort_letters,
        "A set of the letters in the order of their keys. letters, keys: lists. reverse: t for the largest first.",
    ).inside_of("sort-letters").checked(),
    Function::new(
        "sort-letters",
        "(letters &key by reverse)",
        "A set of the letters in the order of a key: numbers before strings, strings without regard to case, those without a key first. Letters with the same key stay in their order.
letters: a letter or a set, or a list of these. :by  a function of a letter that returns a number, a string or nil, or one of the words of group-letters; by default :date. :reverse  t puts the largest first. Errors: those of the function.",
        Run::Scheme(
            "(lambda (letters &key (by :date) reverse)
               (let ((all (%letters-for \"sort-letters\" letters)))
                 (%sort-letters all (mapcar (%letter-key \"sort-letters\" by) all) reverse)))",
        ),
    ).checked(),
];

/// The function that a check is for.
fn function<'c>(call: &'c Call<'_>) -> &'c str {
    host::as_str(required(call, 0)).unwrap_or_else(|| call.name())
}

fn letters_for(call: &Call<'_>) -> Answer {
    let function = function(call);
    let found = letters_in(function, "letters", required(call, 1))?;
    if let Some(f) = call.arg(2).filter(|f| !host::is_procedure(f)) {
        return Err(host::wrong_argument(function, "f", &Type::Function(1).expected(), f));
    }
    Ok(host::list(found.iter().map(letter_value).collect()))
}

/// The words that `:by` takes; the prelude has their functions.
const KEYS: &[&str] =
    &["uid", "mailbox", "date", "year", "size", "subject", "from", "domain", "list-id"];

fn letter_key_for(call: &Call<'_>) -> Answer {
    let value = required(call, 1);
    let is_word = host::as_keyword(value).is_some_and(|word| KEYS.contains(&word));
    if is_word || host::is_procedure(value) {
        return Ok(value.clone());
    }
    let expected = format!("a function of one argument, or :{}", KEYS.join(", :"));
    Err(host::wrong_argument(function(call), ":by", &expected, value))
}

fn select_letters(call: &Call<'_>) -> Answer {
    check(call.name(), required(call, 1))?; // before a mailbox is selected
    if let Some(account) = call.key("account") {
        let expected = "no mailbox object beside it: (select-letters expression :account name)";
        return Err(call.wrong(":account", expected, account));
    }
    let expected = "a mailbox, as make-imap-connection returns it, or a list of them";
    let mailboxes = call.typed(0, expected, |value| {
        if let Some(mailbox) = host::downcast::<ImapMailbox>(value) {
            return Some(vec![mailbox]);
        }
        host::as_list(value)?.map(|item| host::downcast::<ImapMailbox>(&item)).collect()
    })?;
    let names: Vec<Option<String>> = match call.key("mailbox") {
        None => vec![None],
        Some(_) => {
            let names = call.typed_key("mailbox", "a string or a list of strings", |value| {
                if let Some(name) = host::as_str(value) {
                    return Some(vec![name.to_owned()]);
                }
                host::as_list(value)?.map(|item| host::as_str(&item).map(str::to_owned)).collect()
            })?;
            names.unwrap_or_default().into_iter().map(Some).collect()
        }
    };
    let read_only = call.boolean_key("read-only");
    let target = |mailbox: &Arc<ImapMailbox>, name: &Option<String>| Target {
        mailbox: mailbox.clone(),
        name: name.clone(),
        read_only,
    };
    let targets: Vec<Target> = mailboxes
        .iter()
        .flat_map(|mailbox| names.iter().map(|name| target(mailbox, name)))
        .collect();
    let found = find(call, &targets, required(call, 1), Policy::of(call))?;
    Ok(LetterSet { letters: each_once(found.into_iter().flat_map(letters_of).collect()) }.value())
}

fn search_here(call: &Call<'_>) -> Answer {
    let target = Target { mailbox: mailbox(call)?, name: None, read_only: false };
    check(call.name(), required(call, 1))?;
    let found = find(call, &[target], required(call, 1), Policy::Here)?;
    let uids = found.into_iter().flat_map(|found| found.uids);
    Ok(host::list(uids.map(|uid| host::integer(uid.into())).collect()))
}

fn letters_of(Found { origin, uids }: Found) -> Vec<Arc<Letter>> {
    let batch = Arc::new(Batch { origin, uids });
    let letter = |uid: &u32| Arc::new(Letter { batch: batch.clone(), uid: *uid });
    batch.uids.iter().map(letter).collect()
}

type Identity = (usize, String, Option<u32>, u32);

fn identity(letter: &Letter) -> Identity {
    let (connection, name, uid_validity, uid) = letter.identity();
    (connection, name.to_owned(), uid_validity, uid)
}

/// The letters of each further argument.
fn rest(call: &Call<'_>) -> Result<Vec<Vec<Arc<Letter>>>, Condition> {
    call.rest().iter().map(|value| letters_in(call.name(), "more", value)).collect()
}

fn kept(call: &Call<'_>, keep: fn(&Identity, &[HashSet<Identity>]) -> bool) -> Answer {
    let others: Vec<HashSet<Identity>> = rest(call)?
        .iter()
        .map(|letters| letters.iter().map(|letter| identity(letter)).collect())
        .collect();
    let mut letters = letters(call, 0)?;
    letters.retain(|letter| keep(&identity(letter), &others));
    Ok(LetterSet::of(&letters).value())
}

/// What letters are sorted by.
#[derive(PartialEq)]
enum SortKey {
    None,
    Number(f64),
    Text(String),
}

impl SortKey {
    fn of(value: &Value) -> Option<SortKey> {
        if host::is_nil(value) {
            return Some(SortKey::None);
        }
        let text = host::as_str(value).map(|text| SortKey::Text(text.to_lowercase()));
        text.or_else(|| host::as_float(value).map(SortKey::Number))
    }

    fn order(&self, other: &SortKey) -> Ordering {
        let rank = |key: &SortKey| match key {
            SortKey::None => 0,
            SortKey::Number(_) => 1,
            SortKey::Text(_) => 2,
        };
        match (self, other) {
            (SortKey::Number(one), SortKey::Number(other)) => one.total_cmp(other),
            (SortKey::Text(one), SortKey::Text(other)) => one.cmp(other),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

fn sort_letters(call: &Call<'_>) -> Answer {
    let letters = letters(call, 0)?;
    let keys: Vec<Value> =
        host::as_list(required(call, 1)).map(Iterator::collect).unwrap_or_default();
    let key = |value: &Value| {
        SortKey::of(value).ok_or_else(|| {
            call.wrong(":by", "a function that returns numbers, strings or nil", value)
        })
    };
    let keys: Vec<SortKey> = keys.iter().map(key).collect::<Result<_, _>>()?;
    let mut both: Vec<(SortKey, Arc<Letter>)> = keys.into_iter().zip(letters).collect();
    let reverse = host::is_true(required(call, 2));
    both.sort_by(|(one, _), (other, _)| {
        let order = one.order(other);
        if reverse { order.reverse() } else { order }
    });
    let letters: Vec<Arc<Letter>> = both.into_iter().map(|(_, letter)| letter).collect();
    Ok(LetterSet::of(&letters).value())
}
