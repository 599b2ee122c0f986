//! Lambda lists of natives, and matching arguments with them.
//!
//! Positional arguments come first. An argument that is one of the function's own keywords ends the
//! optional ones early if what follows it makes pairs, so `(f a :uid t)` works although an optional
//! argument was left out.

use steel::SteelVal;

use super::argument_type::Type;
use super::value::{Value, as_keyword, as_symbol, is_nil, shown};
use super::{messages, secrets};
use crate::condition::Condition;
use crate::lisp::{Datum, Kind, reader};

/// A parsed lambda list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// The list as it is written.
    pub text: String,
    pub required: Vec<String>,
    pub optional: Vec<String>,
    pub rest: Option<String>,
    pub keys: Vec<String>,
    pub takes_keys: bool,
    pub allow_other_keys: bool,
    /// Types of positional parameters, by their position.
    positional_types: Vec<(usize, Type)>,
    /// Types of keys, by their position in `keys`.
    key_types: Vec<(usize, Type)>,
}

/// Arguments sorted by parameter.
#[derive(Debug, Default, Clone)]
pub(super) struct Arguments {
    /// The required and optional ones that were given.
    pub positional: Vec<Value>,
    pub rest: Vec<Value>,
    /// The values of keys, by position in [`Parameters::keys`].
    pub keys: Vec<Option<Value>>,
}

impl Parameters {
    /// Parses `(mb messages &optional x &rest r &key uid)`, also `(a . rest)`. Defaults such as
    /// `(uid 5)` are documentation; only the name counts.
    pub fn parse(text: &str) -> Parameters {
        let mut found = Parameters { text: text.to_owned(), ..Parameters::default() };
        let forms = reader::read(text).unwrap_or_default();
        let (elements, tail) = match forms.into_iter().next().map(|form| form.kind) {
            Some(Kind::List(elements)) => (elements, None),
            Some(Kind::Dotted(elements, tail)) => (elements, Some(*tail)),
            Some(Kind::Symbol(symbol)) => {
                found.rest = Some(symbol.name.to_string());
                return found;
            }
            _ => return found,
        };
        let mut section = "";
        for element in &elements {
            let element = element.as_list().and_then(|list| list.first()).unwrap_or(element);
            // ((:key variable) default)
            if let Some(Kind::Keyword(key)) =
                element.as_list().and_then(|it| Some(&it.first()?.kind))
            {
                found.keys.push(key.to_string());
                continue;
            }
            let Some(symbol) = element.as_symbol() else { continue };
            match (&*symbol.name, section) {
                ("&optional" | "&rest" | "&body" | "&key" | "&aux", _) => {
                    section = &symbol.name[1..]
                }
                (_, "aux") => {} // a local variable
                ("&allow-other-keys", _) => found.allow_other_keys = true,
                (name, "") => found.required.push(name.to_owned()),
                (name, "optional") => found.optional.push(name.to_owned()),
                (name, "key") => found.keys.push(name.to_owned()),
                (name, _) => found.rest = Some(name.to_owned()),
            }
            found.takes_keys |= section == "key";
        }
        if let Some(symbol) = tail.as_ref().and_then(|tail| tail.as_symbol()) {
            found.rest = Some(symbol.name.to_string());
        }
        found
    }

    /// Adds the types of some parameters.
    pub fn typed(mut self, types: &[(&str, Type)]) -> Parameters {
        for (name, kind) in types {
            let is_it = |parameter: &String| parameter == name;
            if let Some(at) = self.keys.iter().position(is_it) {
                self.key_types.push((at, *kind));
            }
            if let Some(at) = self.required.iter().chain(&self.optional).position(is_it) {
                self.positional_types.push((at, *kind));
            }
        }
        self
    }

    /// Returns what is wrong with a call in the text: the number of its arguments, or an unknown
    /// key. `arguments` holds the values of those that are constants, and `None` for the others.
    pub fn misfit(&self, arguments: &[Option<Datum>]) -> Option<String> {
        let (least, most) = (self.required.len(), self.required.len() + self.optional.len());
        let open = self.rest.is_some() || self.takes_keys;
        let count = arguments.len();
        if count < least || (count > most && !open) {
            let wrong = self.wrong_count("", count, least, if open { None } else { Some(most) });
            return Some(wrong.message.trim_start_matches(": ").to_owned());
        }
        if !self.takes_keys || self.rest.is_some() || self.allow_other_keys {
            return None;
        }
        let is_own = |name: &String| self.keys.iter().any(|key| **key == **name);
        let keys = arguments.get(self.first_key(arguments)..).unwrap_or_default();
        let names = keys.iter().step_by(2).map_while(|key| keyword(key.as_ref()?));
        let Some(unknown) = names.into_iter().find(|name| !is_own(name)) else {
            return (keys.len() % 2 == 1).then(|| {
                let expected = messages::one_of(self.names_of_keys());
                format!("expected pairs of a key, {expected}, and its value, got {}", keys.len())
            });
        };
        Some(messages::unknown_key(unknown, self.names_of_keys()))
    }

    /// Returns the index of the first argument in the text that is a key.
    fn first_key(&self, arguments: &[Option<Datum>]) -> usize {
        let (least, most) = (self.required.len(), self.required.len() + self.optional.len());
        let is_own = |argument: &Option<Datum>| {
            argument
                .as_ref()
                .and_then(keyword)
                .is_some_and(|name| self.keys.iter().any(|key| **key == **name))
        };
        (least..arguments.len().min(most)).find(|at| is_own(&arguments[*at])).unwrap_or(most)
    }

    /// Returns the constants among the arguments of a call in the text, with the parameters that
    /// they are for.
    pub fn constants<'a>(
        &'a self,
        arguments: &'a [Option<Datum>],
    ) -> impl Iterator<Item = (&'a str, &'a Datum)> {
        let first = if self.takes_keys { self.first_key(arguments) } else { arguments.len() };
        let (positional, keyed) = arguments.split_at(first.min(arguments.len()));
        let names = self.required.iter().chain(&self.optional).map(String::as_str);
        let positional =
            names.zip(positional).filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let keyed = keyed.chunks_exact(2).filter_map(|pair| {
            let name = keyword(pair[0].as_ref()?)?;
            let own = self.keys.iter().find(|key| **key == **name)?;
            Some((own.as_str(), pair[1].as_ref()?))
        });
        let at = self.required.len() + self.optional.len();
        let surplus = if self.takes_keys { None } else { arguments.get(at..) };
        let rest = surplus
            .unwrap_or_default()
            .iter()
            .filter_map(|it| Some((self.rest.as_deref()?, it.as_ref()?)));
        positional.chain(keyed).chain(rest)
    }

    /// Sorts `given` by parameter and checks the types.
    ///
    /// # Errors
    /// `:syntax-error` for too few or too many arguments, an unknown or repeated key, a key without
    /// a value, or an argument of another type.
    pub fn check(&self, function: &str, given: &[Value]) -> Result<Arguments, Condition> {
        let (least, most) = (self.required.len(), self.required.len() + self.optional.len());
        let open = self.rest.is_some() || self.takes_keys;
        if given.len() < least || (given.len() > most && !open) {
            return Err(self.wrong_count(
                function,
                given.len(),
                least,
                if open { None } else { Some(most) },
            ));
        }
        let mut positional = given.len().min(most);
        if self.takes_keys {
            // Optional arguments may be left out before a key.
            while positional > least
                && self.is_own_key(&given[positional - 1])
                && (given.len() - positional + 1).is_multiple_of(2)
            {
                positional -= 1;
            }
        }
        let rest = &given[positional..];
        let mut sorted = Arguments {
            positional: given[..positional].to_vec(),
            rest: Vec::new(),
            keys: vec![None; self.keys.len()],
        };
        if self.takes_keys && self.rest.is_none() {
            self.sort_keys(function, rest, &mut sorted)?;
        } else {
            sorted.rest = rest.to_vec();
        }
        self.check_types(function, &sorted)?;
        Ok(sorted)
    }

    fn check_types(&self, function: &str, sorted: &Arguments) -> Result<(), Condition> {
        let wrong = |parameter: String, kind: &Type, value: &Value| {
            let expected = kind.expected();
            Err(Condition::syntax(wrong(function, &parameter, &expected, value)))
        };
        for (at, kind) in &self.positional_types {
            let Some(value) = sorted.positional.get(*at) else { continue };
            if !kind.admits(value) {
                let name = self.required.iter().chain(&self.optional).nth(*at);
                return wrong(name.cloned().unwrap_or_default(), kind, value);
            }
        }
        for (at, kind) in &self.key_types {
            let Some(Some(value)) = sorted.keys.get(*at) else { continue };
            if !is_nil(value) && !kind.admits(value) {
                return wrong(format!(":{}", self.keys[*at]), kind, value);
            }
        }
        Ok(())
    }

    fn is_own_key(&self, value: &SteelVal) -> bool {
        as_keyword(value).is_some_and(|name| self.keys.iter().any(|key| key == name))
    }

    fn sort_keys(
        &self,
        function: &str,
        rest: &[Value],
        sorted: &mut Arguments,
    ) -> Result<(), Condition> {
        for pair in rest.chunks(2) {
            let Some(name) = as_keyword(&pair[0]) else {
                let expected = messages::one_of(self.names_of_keys());
                // A misplaced argument may be a password.
                let may_be_secret = matches!(pair[0], SteelVal::StringV(_))
                    && self.keys.iter().any(|key| secrets::is_secret_name(key));
                let got = if may_be_secret { "a string".to_owned() } else { shown(&pair[0]) };
                return Err(Condition::syntax(format!(
                    "{function}: expected a key, {expected}, got {got}"
                )));
            };
            let Some(position) = self.keys.iter().position(|key| key == name) else {
                if self.allow_other_keys && pair.len() == 2 {
                    continue;
                }
                let unknown = messages::unknown_key(name, self.names_of_keys());
                return Err(Condition::syntax(format!("{function}: {unknown}")));
            };
            let Some(value) = pair.get(1) else {
                return Err(Condition::syntax(format!("{function}: the key :{name} has no value")));
            };
            if sorted.keys[position].replace(value.clone()).is_some() {
                return Err(Condition::syntax(format!(
                    "{function}: the key :{name} is given twice"
                )));
            }
        }
        Ok(())
    }

    fn names_of_keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.keys.iter().map(String::as_str)
    }

    fn wrong_count(
        &self,
        function: &str,
        given: usize,
        least: usize,
        most: Option<usize>,
    ) -> Condition {
        let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
        let expected = match most {
            None => format!("at least {least} {}", plural(least)),
            Some(0) => "no arguments".to_owned(),
            Some(most) if most == least => format!("{most} {}", plural(most)),
            Some(most) => format!("{least} to {most} arguments"),
        };
        let shape = if self.text == "()" { String::new() } else { format!(" {}", self.text) };
        Condition::syntax(format!("{function}: expected {expected}{shape}, got {given}"))
    }
}

fn keyword(datum: &Datum) -> Option<&String> {
    match datum {
        Datum::Keyword(name) => Some(name),
        _ => None,
    }
}

/// Returns the message about an argument of the wrong type. A secret is masked.
pub(super) fn wrong(function: &str, parameter: &str, expected: &str, got: &Value) -> String {
    let is_secret = secrets::is_secret_name(parameter);
    let got = if is_secret { secrets::SHOWN.to_owned() } else { shown(got) };
    format!("{function}: {parameter}: expected {expected}, got {got}")
}

/// Returns the name of a symbol, or of a keyword without its colon, for [`super::call::Call`].
pub(super) fn name_of(value: &Value) -> Option<&str> {
    as_keyword(value).or_else(|| as_symbol(value))
}
