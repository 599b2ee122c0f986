//! Candidates for the cursor position: names, keys of the call, flags, search keys, fetch items,
//! mailbox names. The module knows no terminal; [`Known`] supplies the data.
//!
//! [`complete`] finds the innermost call around the cursor, and `signature` says which parameter
//! the argument there belongs to. The name of the parameter decides the kind of candidates:
//! `messages`, `flags`, `expression`, `destination`, and so on.

use super::commands;
use super::signature::{Role, Signature, words};
use crate::lisp::cursor::{Around, OpenList, Partial, Prefix, around};

/// The data that completion looks up.
pub trait Known {
    /// Returns all names that can be used: functions, macros, the user's definitions.
    fn names(&self) -> &[String];
    /// Returns the lambda list of a name.
    fn lambda_list(&self, name: &str) -> Option<String>;
    /// Returns the mailboxes on the connection that a variable holds.
    fn mailboxes(&self, connection: Option<&str>) -> Vec<String>;
    /// Returns the flags of the mailbox selected on that connection, as IMAP writes them: `\Seen`,
    /// `Junk`.
    fn flags(&self, connection: Option<&str>) -> Vec<String>;

    /// Returns the words of search expressions, without colons.
    fn search_words(&self) -> Vec<String>;

    /// Returns the words for the parameter `criteria` or `algorithm`, without colons.
    fn order_words(&self, parameter: &str) -> Vec<String>;
}

/// Candidates to replace the text from a position up to the cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// The byte where the replacement begins.
    pub start: usize,
    /// The replacements, sorted.
    pub candidates: Vec<String>,
}

const FETCH_ITEMS: &[&str] = &[
    "all",
    "body",
    "body.peek[",
    "body[",
    "bodystructure",
    "envelope",
    "fast",
    "flags",
    "full",
    "internaldate",
    "modseq",
    "rfc822",
    "rfc822.header",
    "rfc822.size",
    "rfc822.text",
    "uid",
];

const SECTIONS: &[&str] = &["header", "header.fields (", "header.fields.not (", "mime", "text"];

const FLAGS: &[&str] = &["\\answered", "\\deleted", "\\draft", "\\flagged", "\\seen"];

/// Returns the candidates for `cursor`, a byte offset in `source`.
pub fn complete(source: &str, cursor: usize, known: &dyn Known) -> Completion {
    let cursor = cursor.min(source.len());
    let Some(text) = source.get(..cursor) else { return Completion::default() };
    if let Some(completion) = of_command(text, known) {
        return completion;
    }
    // The form of `:time FORM` is completed like any other.
    let blanked = commands::without_command(text);
    let here = Place {
        text: &blanked,
        closed: source[cursor..].starts_with('"'),
        around: around(&blanked, cursor),
        known,
    };
    match here.around.partial {
        Partial::Comment => Completion::default(),
        Partial::String(start) => here.string(start),
        Partial::Word(start) => here.word(start),
        Partial::Nothing => here.word(cursor),
    }
}

/// Completes a command at the start of the line, and its argument.
fn of_command(text: &str, known: &dyn Known) -> Option<Completion> {
    let start = text.len() - text.trim_start().len();
    let line = &text[start..];
    if !line.starts_with(':') {
        return None;
    }
    let Some((command, argument)) = line.split_once(char::is_whitespace) else {
        return Some(matching(start, line, commands::NAMES.iter().map(|name| format!(":{name}"))));
    };
    let at = text.len() - argument.trim_start().len();
    match command {
        ":trace" => Some(matching(at, argument.trim_start(), ["on", "off"].map(str::to_owned))),
        ":print" => {
            Some(matching(at, argument.trim_start(), ["plain", "pretty"].map(str::to_owned)))
        }
        ":help" => Some(matching(at, argument.trim_start(), visible(known))),
        _ => None,
    }
}

fn visible(known: &dyn Known) -> impl Iterator<Item = String> {
    known.names().iter().filter(|name| !name.starts_with('%')).cloned()
}

/// Selects the candidates that begin with the typed text, ignoring case.
fn matching(start: usize, typed: &str, candidates: impl IntoIterator<Item = String>) -> Completion {
    let typed = typed.to_lowercase();
    let mut candidates: Vec<String> = candidates
        .into_iter()
        .filter(|candidate| candidate.to_lowercase().starts_with(&typed))
        .collect();
    candidates.sort();
    candidates.dedup();
    Completion { start, candidates }
}

struct Place<'a> {
    text: &'a str,
    /// Whether the string being typed already has its closing quote.
    closed: bool,
    around: Around,
    known: &'a dyn Known,
}

/// The call around the cursor.
struct CallAround<'a> {
    name: String,
    list: &'a OpenList,
    role: Role,
}

impl Place<'_> {
    /// Returns the innermost call around the cursor and the role of the argument there. Quoted
    /// lists within the call are skipped.
    fn call(&self) -> Option<CallAround<'_>> {
        let depth = self.around.open.iter().rposition(|list| !list.quoted)?;
        self.call_of(depth)
    }

    fn call_of(&self, depth: usize) -> Option<CallAround<'_>> {
        let list = &self.around.open[depth];
        if let Some(call) = depth.checked_sub(1).and_then(|outer| self.binding(outer, list)) {
            return Some(call);
        }
        let name = list.head()?.rsplit(':').next()?.to_owned();
        let signature = Signature::parse(&self.known.lambda_list(&name)?);
        let role = signature.role(&words(list, 1));
        Some(CallAround { name, list, role })
    }

    /// Returns the call for a list that a macro's lambda list describes: `(mb host . options)` of
    /// `with-imap-connection` takes the arguments of `make-imap-connection`.
    fn binding<'p>(&self, outer: usize, list: &'p OpenList) -> Option<CallAround<'p>> {
        let parent = &self.around.open[outer];
        let name = parent.head()?;
        let signature = Signature::parse(&self.known.lambda_list(name)?);
        let index = parent.elements.len().checked_sub(1)?;
        let nested = signature.positional.get(index)?.1.as_ref()?;
        if nested.rest.as_deref() == Some("options") {
            let made = format!("make-{}", name.strip_prefix("with-")?);
            let signature = Signature::parse(&self.known.lambda_list(&made)?);
            let given = words(list, 1);
            let role =
                if list.elements.is_empty() { Role::Unknown } else { signature.role(&given) };
            return Some(CallAround { name: made, list, role });
        }
        Some(CallAround { name: name.to_owned(), list, role: nested.role(&words(list, 0)) })
    }

    fn connection<'c>(&self, call: &'c CallAround<'_>) -> Option<&'c str> {
        call.list.elements.get(1).and_then(|element| element.word.as_deref())
    }

    fn string(&self, quote: usize) -> Completion {
        let typed = &self.text[quote + 1..];
        let Some(call) = self.call() else { return Completion::default() };
        let in_data = self.around.open.last().is_some_and(|list| list.quoted);
        let (Role::Parameter(name) | Role::Value(name)) = &call.role else {
            return Completion::default();
        };
        let of_mailbox = self
            .known
            .lambda_list(&call.name)
            .is_some_and(|list| list.starts_with("(mb ") || list.starts_with("(text "));
        match name.as_str() {
            "parts" | "part" => fetch_items(quote + 1, typed),
            "destination" | "old-name" | "new-name" | "mailbox" | "reference" => {
                self.mailboxes(quote, typed, &call)
            }
            "name" if of_mailbox && !in_data => self.mailboxes(quote, typed, &call),
            "name" | "text" if matches!(call.name.as_str(), "help" | "apropos") => {
                matching(quote + 1, typed, visible(self.known))
            }
            _ => Completion::default(),
        }
    }

    fn mailboxes(&self, quote: usize, typed: &str, call: &CallAround<'_>) -> Completion {
        let end = if self.closed { "" } else { "\"" };
        let escaped =
            |name: String| format!("{}{end}", name.replace('\\', "\\\\").replace('"', "\\\""));
        matching(
            quote + 1,
            typed,
            self.known.mailboxes(self.connection(call)).into_iter().map(escaped),
        )
    }

    fn word(&self, start: usize) -> Completion {
        let typed = &self.text[start..];
        let call = self.call();
        let in_data = self.around.open.last().is_some_and(|list| list.quoted)
            || self.around.prefix == Some(Prefix::Quote);
        let parameter = match call.as_ref().map(|call| &call.role) {
            Some(Role::Parameter(name) | Role::Value(name)) => name.as_str(),
            _ => "",
        };
        if typed.starts_with(":\\")
            || (typed.starts_with(':')
                && matches!(parameter, "flags" | "add-flags" | "remove-flags"))
        {
            return matching(start, typed, self.flags(call.as_ref()));
        }
        if in_data && parameter == "expression" {
            return self.search_key(start, typed);
        }
        if typed.starts_with(':') && matches!(parameter, "messages" | "message" | "uids") {
            let saved = (parameter != "message" && !in_data).then_some(":saved");
            let words = [":seq", ":*"].into_iter().chain(saved).map(str::to_owned);
            return matching(start, typed, words);
        }
        if typed.starts_with(':') && matches!(parameter, "criteria" | "algorithm") {
            let words = self.known.order_words(parameter);
            return matching(start, typed, words.iter().map(|word| format!(":{word}")));
        }
        if typed.starts_with(':') && parameter == "expression" {
            return matching(
                start,
                typed,
                self.known.search_words().iter().map(|key| format!(":{key}")),
            );
        }
        if let Some(CallAround { role: Role::Key(keys), .. }) = call.as_ref().filter(|_| !in_data)
            && (typed.is_empty() || typed.starts_with(':'))
        {
            return matching(start, typed, keys.iter().map(|key| format!(":{key}")));
        }
        let names_fit = !typed.is_empty()
            && !typed.starts_with(':')
            && !typed.starts_with(|character: char| character.is_ascii_digit());
        let names_a_word =
            call.as_ref().is_some_and(|call| matches!(call.name.as_str(), "help" | "apropos"));
        if names_fit
            && (!in_data
                || names_a_word
                || self.around.open.is_empty()
                || self.around.open.last().is_some_and(|list| !list.quoted))
        {
            return matching(start, typed, visible(self.known));
        }
        Completion::default()
    }

    /// Completes a search key. At the head of a list the connectives are candidates too, elsewhere
    /// only keys.
    fn search_key(&self, start: usize, typed: &str) -> Completion {
        let at_head =
            self.around.open.last().is_some_and(|list| list.quoted && list.elements.is_empty());
        let connectives = ["and", "not", "or"].iter().filter(|_| at_head).map(ToString::to_string);
        matching(
            start,
            typed,
            self.known.search_words().iter().map(|key| format!(":{key}")).chain(connectives),
        )
    }

    fn flags(&self, call: Option<&CallAround<'_>>) -> Vec<String> {
        let connection = call.and_then(|call| self.connection(call));
        let of_server = self
            .known
            .flags(connection)
            .into_iter()
            .filter(|flag| flag != "\\*")
            .map(|flag| flag.to_lowercase());
        let all = FLAGS.iter().map(ToString::to_string).chain(of_server);
        all.filter(|flag| {
            !flag.contains(|character: char| {
                character.is_whitespace() || "()\"|".contains(character)
            })
        })
        .map(|flag| format!(":{}", flag.replace('\\', "\\\\")))
        .collect()
    }
}

/// Completes the items of the `parts` string and the sections in brackets.
fn fetch_items(start: usize, typed: &str) -> Completion {
    if let Some((before, section)) =
        typed.rsplit_once('[').filter(|(_, section)| !section.contains(']'))
    {
        // Names of header fields and part numbers depend on the letter, so they are not completed.
        let dotted = section.rfind('.').filter(|dot| {
            section[..*dot].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
        let from = dotted.map_or(0, |dot| dot + 1);
        if section.contains('(') {
            return Completion::default();
        }
        let sections = SECTIONS
            .iter()
            .map(|name| if name.ends_with('(') { (*name).to_owned() } else { format!("{name}]") });
        return matching(start + before.len() + 1 + from, &section[from..], sections);
    }
    let item = typed.rfind([' ', '(', ')']).map_or(0, |blank| blank + 1);
    let whole = ["body[]", "body.peek[]"].iter();
    matching(start + item, &typed[item..], FETCH_ITEMS.iter().chain(whole).map(ToString::to_string))
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
