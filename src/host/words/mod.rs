//! The help texts of the language's own words, by subject.
//!
//! `help` prints them, a malformed call of a macro names the lambda list, and `postoffice check`
//! counts arguments with it. In the lambda list of a function, `&optional`, `&rest` and `&key` mean
//! what they mean in a definition; in that of a form, `…` is what may be repeated. The tests compare
//! the lists with what the functions accept.

mod characters;
mod conditions;
mod control;
mod definitions;
mod files;
mod lists;
mod numbers;
mod places;
mod regexps;
mod scheme;
mod sequences;
mod strings;
mod system;
mod tables;
mod types;
mod vectors;

/// Name, lambda list and description of a word. A variable has no lambda list.
pub(super) type Word = (&'static str, &'static str, &'static str);

const SUBJECTS: [&[Word]; 16] = [
    definitions::WORDS,
    places::WORDS,
    control::WORDS,
    conditions::WORDS,
    types::WORDS,
    numbers::WORDS,
    characters::WORDS,
    strings::WORDS,
    regexps::WORDS,
    scheme::WORDS,
    lists::WORDS,
    sequences::WORDS,
    vectors::WORDS,
    tables::WORDS,
    files::WORDS,
    system::WORDS,
];

/// Returns all words.
pub(super) fn all() -> impl Iterator<Item = &'static Word> {
    SUBJECTS.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::{Word, all};
    use crate::host::parameters::Parameters;
    use crate::host::prelude::{self, Kind};
    use crate::host::{Host, Options};
    use crate::lisp::expander::names::KEYED;
    use crate::lisp::{printer, reader};

    /// Functions that would end the test or wait for standard input.
    const REACHING_OUT: [&str; 9] = [
        "exit",
        "quit",
        "read-line",
        "read-char",
        "read-byte",
        "read-u8",
        "peek-char",
        "y-or-n-p",
        "yes-or-no-p",
    ];

    /// Predicates of the interpreter that do not count their arguments.
    const NOT_COUNTING: [&str; 5] =
        ["atom?", "char?", "future?", "immutable-vector?", "mutable-vector?"];

    fn host() -> Host {
        Host::new(Options {
            output: Box::new(|_| Ok(())),
            warnings: Box::new(|_| {}),
            ..Options::default()
        })
    }

    /// The words that are functions.
    fn functions(host: &Host) -> Vec<&'static Word> {
        let macros = host.expander.macro_names();
        all()
            .filter(|(name, list, _)| !list.is_empty() && !macros.iter().any(|it| it == name))
            .collect()
    }

    /// What a call with these arguments says; `None` if it succeeds.
    fn complaint(host: &mut Host, name: &str, arguments: &[String]) -> Option<String> {
        let call = format!("({name} {})", arguments.join(" "));
        host.evaluate(&call, "test").err().map(|report| report.condition.message)
    }

    fn symbols(count: usize) -> Vec<String> {
        vec!["'q".to_owned(); count]
    }

    fn is_about_the_count(message: &str) -> bool {
        message.split_once("expected ").or_else(|| message.split_once("expects ")).is_some_and(
            |(_, rest)| {
                let rest = rest.trim_start_matches("exactly ").trim_start_matches("at least ");
                rest.starts_with(|letter: char| letter.is_ascii_digit())
                    && rest.contains("argument")
            },
        ) || message.contains("too many")
    }

    #[test]
    fn every_word_exists_and_every_name_of_the_language_is_a_word() {
        let host = host();
        let mut names = host.language_names();
        names.extend(host.engine.script_globals());
        names.retain(|name| !name.starts_with('%'));
        names.sort();
        names.dedup();
        let mut words: Vec<&str> = all().map(|(name, ..)| *name).collect();
        words.sort();
        let unknown: Vec<_> =
            words.iter().filter(|word| !names.iter().any(|it| it == *word)).collect();
        assert!(unknown.is_empty(), "not in the language: {unknown:?}");
        let bare: Vec<_> = names.iter().filter(|name| !words.contains(&name.as_str())).collect();
        assert!(bare.is_empty(), "without a help text: {bare:?}");
        let twice: Vec<_> = words.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "more than once: {twice:?}");
    }

    #[test]
    fn a_word_that_is_as_another_names_one_with_the_same_parameters() {
        let host = host();
        let functions = functions(&host);
        for (name, list, doc) in all() {
            let Some(other) = doc.strip_prefix("As ").and_then(|rest| rest.strip_suffix('.'))
            else {
                continue;
            };
            let Some((_, others, _)) = all().find(|(it, ..)| *it == other) else {
                assert!(other.contains([' ', ',']), "{name} is as {other}, which is no word");
                continue;
            };
            if functions.iter().any(|(it, ..)| it == name) {
                let (own, others) = (Parameters::parse(list), Parameters::parse(others));
                assert_eq!(own.required.len(), others.required.len(), "{name} and {other}");
                assert_eq!(own.keys, others.keys, "{name} and {other}");
            }
        }
    }

    /// Only the number of arguments and the names of keys are looked at; that symbols are wrong
    /// arguments for most functions does not matter.
    #[test]
    fn functions_take_as_many_arguments_as_their_lambda_lists_say() {
        let mut host = host();
        let mut wrong = Vec::new();
        for (name, list, _) in functions(&host) {
            if REACHING_OUT.contains(name) {
                continue;
            }
            let parameters = Parameters::parse(list);
            let (least, optional) = (parameters.required.len(), parameters.optional.len());
            let open = parameters.rest.is_some() || parameters.takes_keys;
            let mut note = |what: &str, said: Option<String>| {
                wrong.push(format!("{name} {list} {what}: {}", said.unwrap_or_default()));
            };
            for count in 0..=least + optional + usize::from(!open) {
                let said = complaint(&mut host, name, &symbols(count));
                if said.as_ref().is_some_and(|said| said.contains("internal error")) {
                    note("fails inside", said);
                } else if (least..=least + optional).contains(&count) {
                    if said.as_ref().is_some_and(|said| is_about_the_count(said)) {
                        note(&format!("refuses {count}"), said);
                    }
                } else if said.is_none() && !NOT_COUNTING.contains(name) {
                    note(&format!("accepts {count}"), said);
                }
            }
            for key in &parameters.keys {
                let mut arguments = symbols(least);
                arguments.extend([format!(":{key}"), "nil".to_owned()]);
                let said = complaint(&mut host, name, &arguments);
                if said
                    .as_ref()
                    .is_some_and(|said| said.contains("unknown key") || is_about_the_count(said))
                {
                    note(&format!("refuses :{key}"), said);
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn functions_of_the_prelude_are_described_with_all_their_parameters() {
        for definition in prelude::definitions() {
            let Some((_, list, _)) = all().find(|(name, ..)| *name == definition.name) else {
                continue;
            };
            let form = reader::read(definition.text).unwrap().remove(0);
            // (define (name . parameters) …)
            let Some(own) = form.as_list().map(|parts| printer::readably(&parts[1].datum())) else {
                continue;
            };
            if definition.kind != Kind::Value || !own.starts_with('(') {
                continue;
            }
            let own = Parameters::parse(&own);
            let shown = Parameters::parse(list);
            // A dotted list stands for what the function sorts out by itself.
            let sorts_itself = own.rest.is_some() && !own.takes_keys;
            assert!(
                shown.required.len() + 1 >= own.required.len(),
                "{}: {list} lacks a parameter",
                definition.name
            );
            if !sorts_itself {
                assert_eq!(
                    shown.required.len() + 1,
                    own.required.len(),
                    "{} {list}",
                    definition.name
                );
                assert_eq!(shown.optional.len(), own.optional.len(), "{} {list}", definition.name);
                let sorted = |parameters: &Parameters| {
                    let mut keys = parameters.keys.clone();
                    keys.sort();
                    keys
                };
                assert_eq!(sorted(&shown), sorted(&own), "{} {list}", definition.name);
            }
        }
    }

    #[test]
    fn functions_with_a_test_or_a_key_are_known_to_the_expander() {
        let keyed: Vec<&str> = all()
            // A table finds its test by name.
            .filter(|(name, list, _)| {
                let keys = list.split_once("&key").filter(|_| *name != "make-hash-table");
                let keys = keys.map_or("", |(_, keys)| keys);
                keys.split(|c: char| c.is_whitespace() || "()".contains(c))
                    .any(|word| matches!(word, "test" | "test-not" | "key"))
            })
            .map(|(name, ..)| *name)
            .collect();
        let unknown: Vec<_> = keyed.iter().filter(|name| !KEYED.contains(name)).collect();
        assert!(unknown.is_empty(), "add to KEYED: {unknown:?}");
        let unkeyed: Vec<_> =
            KEYED.iter().filter(|name| !keyed.contains(name) && **name != "tree-equal").collect();
        assert!(unkeyed.is_empty(), "without a key in their lambda lists: {unkeyed:?}");
    }
}
