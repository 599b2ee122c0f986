//! Common Lisp's `format` (ANSI 22.3), with all directives but those of the pretty printer and
//! `~/…/`, which would call a function of the script.
//!
//! A `Run` goes through the control string from left to right, takes arguments and appends to its
//! text. Blocks such as `~{ ~}` are cut out first and run by the same code.

mod blocks;
mod control;
mod floats;
mod integers;

pub(super) use integers::in_base;

use super::output::Target;
use super::{Answer, Code, count, fail, list_of, string_of};
use crate::host::value::{
    Value, as_float, as_integer, as_str, displayed, is_nil, nil, string, to_datum,
};
use crate::lisp::printer;
use control::{Directive, Parameter, Parameters, Written, block, directive};
use steel::{SteelErr, SteelVal};

pub(super) static TABLE: &[(&str, Code)] = &[("format", format)];

/// `(format destination control argument …)`: returns a string if the destination is `nil`,
/// otherwise prints to it.
fn format(arguments: &[Value]) -> Answer {
    count("format", arguments, 1, usize::MAX)?;
    if let Some(control) = as_str(&arguments[0]) {
        // Scheme's form, without a destination.
        return formatted(control, &arguments[1..], true).map(string);
    }
    count("format", arguments, 2, usize::MAX)?;
    let control = string_of("format", &arguments[1])?;
    if is_nil(&arguments[0]) {
        return formatted(control, &arguments[2..], true).map(string);
    }
    let target = Target::of("format", Some(&arguments[0]))?;
    let text = formatted(control, &arguments[2..], target.at_line_start()?)?;
    target.write(&text)?;
    Ok(nil())
}

/// The message of `(error text irritant …)`. A text with a `~` is a control string; otherwise the
/// irritants follow the text.
pub(super) fn message(text: &Value, irritants: &[Value]) -> Result<String, SteelErr> {
    match as_str(text) {
        Some(control) if control.contains('~') => formatted(control, irritants, true),
        _ => {
            let mut message = displayed(text);
            for irritant in irritants {
                message.push(' ');
                message.push_str(&printer::readably(&to_datum(irritant)));
            }
            Ok(message)
        }
    }
}

fn formatted(control: &str, arguments: &[Value], at_line_start: bool) -> Result<String, SteelErr> {
    let directives: Vec<char> = control.chars().collect();
    let mut run = Run { arguments, next: 0, text: String::new(), at_line_start, depth: 0 };
    run.piece(&directives)?;
    Ok(run.text)
}

struct Run<'a> {
    arguments: &'a [Value],
    next: usize,
    text: String,
    at_line_start: bool,
    /// In how many pieces this one is, each within the one before.
    depth: usize,
}

/// How many pieces may be within one another: a block, an iteration, or the string of `~?`.
const DEEPEST: usize = 100;

/// Whether `~^` ended the piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    Piece,
    /// `~:^`: and the iteration that it is in.
    Iteration,
}

impl Run<'_> {
    fn argument(&mut self) -> Result<Value, SteelErr> {
        let value = self
            .arguments
            .get(self.next)
            .cloned()
            .ok_or_else(|| fail("format: more directives than arguments"))?;
        self.next += 1;
        Ok(value)
    }

    fn left(&self) -> usize {
        self.arguments.len().saturating_sub(self.next)
    }

    fn parameters(&mut self, directive: &Directive) -> Result<Parameters, SteelErr> {
        let mut values = Vec::new();
        for parameter in &directive.parameters {
            values.push(match parameter {
                Written::Nothing => None,
                Written::Number(number) => Some(Parameter::Number(*number)),
                Written::Char(character) => Some(Parameter::Char(*character)),
                Written::Left => Some(Parameter::Number(self.left() as i64)),
                Written::Argument => match self.argument()? {
                    SteelVal::CharV(character) => Some(Parameter::Char(character)),
                    value => as_integer(&value).map(Parameter::Number),
                },
            });
        }
        Ok(Parameters(values))
    }

    fn piece(&mut self, control: &[char]) -> Result<Ended, SteelErr> {
        if self.depth > DEEPEST {
            return Err(fail(format!("format: more than {DEEPEST} pieces within one another")));
        }
        self.depth += 1;
        let ended = self.directives(control);
        self.depth -= 1;
        ended
    }

    fn directives(&mut self, control: &[char]) -> Result<Ended, SteelErr> {
        let mut at = 0;
        while at < control.len() {
            if control[at] != '~' {
                self.text.push(control[at]);
                at += 1;
                continue;
            }
            let (directive, after) = directive(control, at + 1)?;
            at = after;
            let given = self.parameters(&directive)?;
            match directive.name {
                'a' => {
                    let value = self.argument()?;
                    let nothing = directive.colon && is_nil(&value);
                    let shown = if nothing { "()".to_owned() } else { displayed(&value) };
                    self.padded(&shown, &given, directive.at);
                }
                's' => {
                    let value = self.argument()?;
                    let nothing = directive.colon && is_nil(&value);
                    let shown = printer::readably(&to_datum(&value));
                    self.padded(if nothing { "()" } else { &shown }, &given, directive.at);
                }
                'w' => {
                    let shown = printer::readably(&to_datum(&self.argument()?));
                    self.text.push_str(&shown);
                }
                'd' => self.integer(&directive, &given, 0, 10)?,
                'x' => self.integer(&directive, &given, 0, 16)?,
                'o' => self.integer(&directive, &given, 0, 8)?,
                'b' => self.integer(&directive, &given, 0, 2)?,
                'r' => self.in_words(&directive, &given)?,
                'f' | 'e' | 'g' | '$' => {
                    let value = self.argument()?;
                    let shown = match as_float(&value) {
                        Some(number) if number.is_finite() => {
                            floats::formatted(directive.name, number, &directive, &given)
                        }
                        _ => displayed(&value),
                    };
                    self.text.push_str(&shown);
                }
                'c' => {
                    let value = self.argument()?;
                    let named = printer::readably(&to_datum(&value));
                    let shown = match named.strip_prefix("#\\") {
                        Some(_) if directive.at => named.clone(),
                        Some(name) if directive.colon => name.to_owned(),
                        _ => displayed(&value),
                    };
                    self.text.push_str(&shown);
                }
                'p' => {
                    if directive.colon {
                        self.next = self.next.saturating_sub(1);
                    }
                    let one = as_integer(&self.argument()?) == Some(1);
                    self.text.push_str(match (directive.at, one) {
                        (true, true) => "y",
                        (true, false) => "ies",
                        (false, true) => "",
                        (false, false) => "s",
                    });
                }
                '?' => {
                    let control = self.argument()?;
                    let control: Vec<char> = string_of("format ~?", &control)?.chars().collect();
                    if directive.at {
                        self.piece(&control)?;
                    } else {
                        let arguments = list_of("format ~?", &self.argument()?)?;
                        self.with_arguments(&arguments, |run| run.piece(&control))?;
                    }
                }
                '%' => self.repeat('\n', given.size(0, 1)),
                '|' => self.repeat('\u{c}', given.size(0, 1)),
                '~' => self.repeat('~', given.size(0, 1)),
                '&' => {
                    let count = given.size(0, 1);
                    if count > 0 && !self.is_at_line_start() {
                        self.text.push('\n');
                    }
                    self.repeat('\n', count.saturating_sub(1));
                }
                't' => self.tabulate(&directive, &given),
                '*' => self.go_to_argument(&directive, &given)?,
                '\n' => {
                    if directive.at {
                        self.text.push('\n');
                    }
                    while !directive.colon
                        && control.get(at).is_some_and(|it| it.is_whitespace() && *it != '\n')
                    {
                        at += 1;
                    }
                }
                // Only the pretty printer breaks lines here.
                '_' | 'i' => {}
                '^' => {
                    let is_over = match given.0.len() {
                        0 => self.left() == 0,
                        1 => given.number(0) == Some(0),
                        2 => given.number(0) == given.number(1),
                        _ => {
                            given.number(0) <= given.number(1) && given.number(1) <= given.number(2)
                        }
                    };
                    if is_over {
                        return Ok(if directive.colon { Ended::Iteration } else { Ended::Piece });
                    }
                }
                '{' => {
                    let block = block(control, at, '{', '}')?;
                    at = block.after;
                    self.iterate(&directive, &given, block.parts[0].0, block.closing.colon)?;
                }
                '[' => {
                    let block = block(control, at, '[', ']')?;
                    at = block.after;
                    let ended = self.choose(&directive, &given, &block.parts)?;
                    if ended != Ended::No {
                        return Ok(ended);
                    }
                }
                '<' => {
                    let block = block(control, at, '<', '>')?;
                    at = block.after;
                    if block.closing.colon {
                        return Err(fail(
                            "format: ~<…~:> is for the pretty printer, which is not there",
                        ));
                    }
                    self.justify(&directive, &given, &block.parts)?;
                }
                '(' => {
                    let block = block(control, at, '(', ')')?;
                    at = block.after;
                    let start = self.text.len();
                    let ended = self.piece(block.parts[0].0)?;
                    let tail = self.text.split_off(start);
                    self.text.push_str(&match (directive.colon, directive.at) {
                        (true, true) => tail.to_uppercase(),
                        (true, false) => super::strings::capitalize(&tail),
                        (false, true) => first_capital(&tail),
                        (false, false) => tail.to_lowercase(),
                    });
                    if ended != Ended::No {
                        return Ok(ended);
                    }
                }
                '/' => {
                    return Err(fail(
                        "format: ~/…/ is not supported: call the function in an argument",
                    ));
                }
                other => return Err(fail(format!("format: unknown directive ~{other}"))),
            }
        }
        Ok(Ended::No)
    }

    fn repeat(&mut self, character: char, count: usize) {
        self.text.extend(std::iter::repeat_n(character, count));
    }

    fn is_at_line_start(&self) -> bool {
        if self.text.is_empty() { self.at_line_start } else { self.text.ends_with('\n') }
    }

    fn column(&self) -> usize {
        self.text.rsplit('\n').next().unwrap_or("").chars().count()
    }

    /// Pads by mincol, colinc, minpad and padchar.
    fn padded(&mut self, shown: &str, given: &Parameters, left: bool) {
        let (width, step) = (given.size(0, 0), given.size(1, 1).max(1));
        let mut padding = given.size(2, 0);
        let missing = width.saturating_sub(shown.chars().count() + padding);
        padding += missing.div_ceil(step) * step;
        if left {
            self.repeat(given.pad(3), padding);
        }
        self.text.push_str(shown);
        if !left {
            self.repeat(given.pad(3), padding);
        }
    }

    fn go_to_argument(
        &mut self,
        directive: &Directive,
        given: &Parameters,
    ) -> Result<(), SteelErr> {
        let step = given.size(0, usize::from(!directive.at));
        let next = match (directive.at, directive.colon) {
            (true, _) => Some(step),
            (false, true) => self.next.checked_sub(step),
            (false, false) => Some(self.next + step),
        };
        self.next = next.filter(|next| *next <= self.arguments.len()).ok_or_else(|| {
            fail(format!("format: ~* goes beyond the {} arguments", self.arguments.len()))
        })?;
        Ok(())
    }

    /// Formats with other arguments for a while.
    fn with_arguments(
        &mut self,
        arguments: &[Value],
        work: impl FnOnce(&mut Run<'_>) -> Result<Ended, SteelErr>,
    ) -> Result<Ended, SteelErr> {
        let text = std::mem::take(&mut self.text);
        let (at_line_start, depth) = (self.at_line_start, self.depth);
        let mut inner = Run { arguments, next: 0, text, at_line_start, depth };
        let ended = work(&mut inner);
        self.text = inner.text;
        ended
    }

    fn tabulate(&mut self, directive: &Directive, given: &Parameters) {
        let column = self.column();
        let (wanted, step) = (given.size(0, 1), given.size(1, 1));
        let spaces = if directive.at {
            match step {
                0 | 1 => wanted,
                step => wanted + (step - (column + wanted) % step) % step,
            }
        } else if column < wanted {
            wanted - column
        } else {
            match step {
                0 => 0,
                step => step - (column - wanted) % step,
            }
        };
        self.repeat(' ', spaces);
    }
}

/// Lower case, except the first letter.
fn first_capital(text: &str) -> String {
    let at = text.find(char::is_alphabetic).unwrap_or(text.len());
    let mut rest = text[at..].chars();
    let first: String = rest.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{}{first}{}", &text[..at], rest.as_str().to_lowercase())
}
