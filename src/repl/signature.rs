//! Lambda lists as the prompt needs them: which parameter an argument belongs to, and which keys
//! are not given yet.

use crate::lisp::cursor::OpenList;
use crate::lisp::{Kind, Node, reader};

/// A parsed lambda list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// Required and optional parameters in order. A parameter that is itself a list, such as `(mb
    /// host . options)`, has its own signature.
    pub positional: Vec<(String, Option<Box<Signature>>)>,
    /// The number of required ones.
    pub required: usize,
    /// Keys, without colons.
    pub keys: Vec<String>,
    /// The name after a dot or `&rest`.
    pub rest: Option<String>,
    /// Whether forms follow the parameters, as in `(name (parameter …) form …)`.
    pub has_body: bool,
}

/// The role of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The value of this parameter: required, optional or rest.
    Parameter(String),
    /// The value of this key.
    Value(String),
    /// One of these keys, which are not given yet.
    Key(Vec<String>),
    /// The lambda list does not say.
    Unknown,
}

impl Signature {
    /// Parses `(mb messages parts &key uid)`, and the notation for special forms, `((variable list)
    /// form …)`.
    pub fn parse(text: &str) -> Signature {
        reader::read(text)
            .ok()
            .and_then(|forms| forms.into_iter().next())
            .map(|form| Signature::of(&form))
            .unwrap_or_default()
    }

    fn of(form: &Node) -> Signature {
        let mut found = Signature::default();
        let (elements, tail) = match &form.kind {
            Kind::List(elements) => (elements.as_slice(), None),
            Kind::Dotted(elements, tail) => (elements.as_slice(), tail.as_symbol()),
            _ => return found,
        };
        found.rest = tail.map(|symbol| symbol.name.to_string());
        found.has_body = found.rest.as_deref() == Some("body");
        let mut section = "";
        for (index, element) in elements.iter().enumerate() {
            let inner = element.as_list();
            let name = element
                .as_symbol()
                .or_else(|| inner.and_then(|list| list.first()).and_then(Node::as_symbol));
            let name = name.map_or_else(String::new, |symbol| symbol.name.to_string());
            match (name.as_str(), section) {
                ("&aux", _) => break, // local variables follow
                ("&optional" | "&rest" | "&body" | "&key" | "&allow-other-keys", _) => {
                    section = element_name(element)
                }
                ("…", _) => found.has_body |= index > 1 && elements[index - 1].is_named("form"),
                (_, "&key") => found.keys.push(name),
                (_, "&rest" | "&body") => found.rest = Some(name),
                _ => {
                    let is_list = inner.is_some() || matches!(element.kind, Kind::Dotted(..));
                    let nested =
                        (section.is_empty() && is_list).then(|| Box::new(Signature::of(element)));
                    found.required += usize::from(section.is_empty());
                    found.positional.push((name, nested));
                }
            }
        }
        found
    }

    /// Returns the role of the next argument of a call. `given` has the words of the arguments so
    /// far, `None` for an argument that is not a word.
    pub fn role(&self, given: &[Option<&str>]) -> Role {
        let is_key = |word: &Option<&str>| {
            word.and_then(|word| word.strip_prefix(':'))
                .is_some_and(|name| self.keys.iter().any(|key| key.eq_ignore_ascii_case(name)))
        };
        let keys_from = (self.required..given.len())
            .find(|index| is_key(&given[*index]))
            .unwrap_or(self.positional.len());
        if given.len() < keys_from {
            return Role::Parameter(self.positional[given.len()].0.clone());
        }
        if self.keys.is_empty() {
            return self.rest.clone().map_or(Role::Unknown, Role::Parameter);
        }
        let pairs = &given[keys_from..];
        if pairs.len() % 2 == 1 {
            let key = pairs.last().copied().flatten().unwrap_or("");
            return Role::Value(key.trim_start_matches(':').to_lowercase());
        }
        let used = |key: &String| {
            pairs
                .iter()
                .step_by(2)
                .flatten()
                .any(|word| word.trim_start_matches(':').eq_ignore_ascii_case(key))
        };
        Role::Key(self.keys.iter().filter(|key| !used(key)).cloned().collect())
    }
}

fn element_name(element: &Node) -> &'static str {
    ["&optional", "&rest", "&body", "&key"]
        .into_iter()
        .find(|name| element.is_named(name))
        .unwrap_or("&allow-other-keys")
}

/// Returns the words of a list's elements from `first` on.
pub fn words(list: &OpenList, first: usize) -> Vec<Option<&str>> {
    list.elements
        .get(first..)
        .unwrap_or_default()
        .iter()
        .map(|element| element.word.as_deref())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_for_a_parameter_a_key_or_its_value() {
        let parameter = |name: &str| Role::Parameter(name.to_owned());
        let keys = |names: &[&str]| Role::Key(names.iter().map(ToString::to_string).collect());
        for (lambda_list, given, role) in [
            ("(mb messages &key uid raw)", &[][..], parameter("mb")),
            ("(mb messages &key uid raw)", &[Some("mb")], parameter("messages")),
            ("(mb messages &key uid raw)", &[Some("mb"), None], keys(&["uid", "raw"])),
            ("(mb &optional part &aux (n 0) m)", &[Some("mb"), Some("1")], Role::Unknown),
            (
                "(mb messages &key uid raw)",
                &[Some("mb"), None, Some(":UID"), Some("t")],
                keys(&["raw"]),
            ),
            (
                "(mb messages &key uid raw)",
                &[Some("mb"), None, Some(":uid")],
                Role::Value("uid".into()),
            ),
            ("(mb &optional parts &key uid)", &[Some("mb")], parameter("parts")),
            (
                "(mb &optional parts &key uid)",
                &[Some("mb"), Some(":uid")],
                Role::Value("uid".into()),
            ),
            ("(mb &rest names)", &[Some("mb"), None, None], parameter("names")),
            ("(mb)", &[Some("mb")], Role::Unknown),
        ] {
            assert_eq!(Signature::parse(lambda_list).role(given), role, "{lambda_list} {given:?}");
        }
    }

    #[test]
    fn forms_with_a_body_are_known() {
        for (lambda_list, has_body) in [
            ("((mb host . options) . body)", true),
            ("(name (parameter …) form …)", true),
            ("((variable list result) form …)", true),
            ("(form …)", false),
            ("(test then else)", false),
            ("(mb name &key read-only)", false),
        ] {
            assert_eq!(Signature::parse(lambda_list).has_body, has_body, "{lambda_list}");
        }
        let nested = Signature::parse("((mb host . options) . body)");
        assert_eq!(nested.positional[0].1.as_ref().unwrap().rest.as_deref(), Some("options"));
    }
}
