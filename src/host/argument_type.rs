//! Types of arguments, checked before any code of a function runs.

use super::value::{Value, as_float, as_integer, as_keyword, as_list, as_str, as_symbol, is_nil};

/// The type of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// True or false. A list is accepted, so that a search's result can be passed; a number, a
    /// string or a symbol is a mistake, as in `:uid 64`.
    Truth,
    /// A whole number within these bounds, inclusive.
    Integer(i64, i64),
    /// Seconds: a number that is not negative.
    Seconds,
    /// A string.
    String,
    /// A function. The number of arguments is for messages; it is not checked.
    Function(u8),
    /// A list.
    List,
    /// One of these keywords, written without the colon.
    Choice(&'static [&'static str]),
}

impl Type {
    /// Returns whether the value has this type. The caller accepts `nil` for any key.
    pub(super) fn admits(&self, value: &Value) -> bool {
        match self {
            Type::Truth => {
                let is_word = as_keyword(value).is_some() || as_symbol(value).is_some();
                !is_word && as_integer(value).is_none() && as_str(value).is_none()
            }
            Type::Integer(least, most) => {
                as_integer(value).is_some_and(|number| (*least..=*most).contains(&number))
            }
            Type::Seconds => {
                as_float(value).is_some_and(|seconds| seconds >= 0.0 && seconds.is_finite())
            }
            Type::String => as_str(value).is_some(),
            Type::Function(_) => super::value::is_procedure(value),
            Type::List => is_nil(value) || as_list(value).is_some(),
            Type::Choice(words) => as_keyword(value).is_some_and(|word| words.contains(&word)),
        }
    }

    /// Returns the type in words, for messages and for the help.
    pub fn expected(&self) -> String {
        match self {
            Type::Truth => "t or nil".to_owned(),
            Type::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Type::Seconds => "seconds, a number that is not negative".to_owned(),
            Type::String => "a string".to_owned(),
            Type::Function(1) => "a function of one argument".to_owned(),
            Type::Function(2) => "a function of two arguments".to_owned(),
            Type::Function(count) => format!("a function of {count} arguments"),
            Type::List => "a list".to_owned(),
            Type::Choice(words) => match words {
                [] => "nothing".to_owned(),
                [only] => format!(":{only}"),
                [front @ .., last] => format!(":{} or :{last}", front.join(", :")),
            },
        }
    }
}
