//! Common Lisp's `format`, with the directives
//! `~a ~s ~w ~d ~x ~o ~b ~f ~$ ~c ~p ~% ~& ~~ ~t ~* ~{ ~} ~^ ~[ ~; ~] ~( ~)`, a tilde at the end of
//! a line, and parameters for columns and padding.
//!
//! A `Run` goes through the control string from left to right, takes arguments and appends to its
//! text. Blocks such as `~{ ~}` are cut out first and run by the same code.

use steel::{SteelErr, SteelVal};

use super::output::Target;
use super::{Answer, Code, count, fail, list_of, number_words, string_of, wrong};
use crate::host::value::{
    Value, as_integer, as_str, displayed, is_nil, is_true, nil, string, to_datum,
};
use crate::lisp::printer;

pub(super) const TABLE: &[(&str, Code)] = &[("format", format)];

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
    let mut run = Run { arguments, next: 0, text: String::new(), at_line_start };
    run.piece(&directives)?;
    Ok(run.text)
}

struct Run<'a> {
    arguments: &'a [Value],
    next: usize,
    text: String,
    at_line_start: bool,
}

/// Whether `~^` ended the piece.
struct Ended(bool);

#[derive(Default)]
struct Directive {
    parameters: Vec<Option<Parameter>>,
    colon: bool,
    at: bool,
}

#[derive(Clone, Copy)]
enum Parameter {
    Number(i64),
    Char(char),
}

impl Directive {
    fn number(&self, index: usize) -> Option<i64> {
        match self.parameters.get(index) {
            Some(Some(Parameter::Number(number))) => Some(*number),
            _ => None,
        }
    }

    fn times(&self) -> usize {
        self.number(0).unwrap_or(1).clamp(0, 10_000) as usize
    }

    fn pad(&self, index: usize) -> char {
        match self.parameters.get(index) {
            Some(Some(Parameter::Char(character))) => *character,
            _ => ' ',
        }
    }
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

    fn piece(&mut self, control: &[char]) -> Result<Ended, SteelErr> {
        let mut at = 0;
        while at < control.len() {
            if control[at] != '~' {
                self.text.push(control[at]);
                at += 1;
                continue;
            }
            let (directive, name, after) = self.directive(control, at + 1)?;
            at = after;
            match name.to_ascii_lowercase() {
                'a' => {
                    let shown = displayed(&self.argument()?);
                    self.padded(&shown, &directive, directive.at);
                }
                's' | 'w' => {
                    let shown = printer::readably(&to_datum(&self.argument()?));
                    self.padded(&shown, &directive, directive.at);
                }
                'd' => self.integer(&directive, 10)?,
                'x' => self.integer(&directive, 16)?,
                'o' => self.integer(&directive, 8)?,
                'b' => self.integer(&directive, 2)?,
                'f' | '$' => self.float(&directive, name)?,
                'c' => {
                    let shown = displayed(&self.argument()?);
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
                'r' => self.in_words(&directive)?,
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
                '%' => (0..directive.times()).for_each(|_| self.text.push('\n')),
                '~' => (0..directive.times()).for_each(|_| self.text.push('~')),
                '&' => {
                    if if self.text.is_empty() {
                        !self.at_line_start
                    } else {
                        !self.text.ends_with('\n')
                    } {
                        self.text.push('\n');
                    }
                }
                't' => self.tabulate(&directive),
                '*' => {
                    let step = directive.times();
                    self.next = if directive.at {
                        directive.number(0).unwrap_or(0).max(0) as usize
                    } else if directive.colon {
                        self.next.saturating_sub(step)
                    } else {
                        self.next + step
                    };
                }
                '\n' => {
                    while control
                        .get(at)
                        .is_some_and(|character| character.is_whitespace() && *character != '\n')
                    {
                        at += 1;
                    }
                }
                '^' => {
                    if self.next >= self.arguments.len() {
                        return Ok(Ended(true));
                    }
                }
                '{' => {
                    let (parts, after, _) = block(control, at, '{', '}')?;
                    at = after;
                    self.iterate(&directive, parts[0])?;
                }
                '[' => {
                    let (parts, after, has_default) = block(control, at, '[', ']')?;
                    at = after;
                    if self.choose(&directive, &parts, has_default)?.0 {
                        return Ok(Ended(true));
                    }
                }
                '(' => {
                    let (parts, after, _) = block(control, at, '(', ')')?;
                    at = after;
                    let start = self.text.len();
                    let ended = self.piece(parts[0])?;
                    let tail = self.text.split_off(start);
                    self.text.push_str(&match (directive.colon, directive.at) {
                        (true, true) => tail.to_uppercase(),
                        (true, false) => super::strings::capitalize(&tail),
                        (false, true) => first_capital(&tail),
                        (false, false) => tail.to_lowercase(),
                    });
                    if ended.0 {
                        return Ok(ended);
                    }
                }
                other => return Err(fail(format!("format: unknown directive ~{other}"))),
            }
        }
        Ok(Ended(false))
    }

    /// Reads a directive. Returns its parameters and modifiers, its character, and the position
    /// after it.
    fn directive(
        &mut self,
        control: &[char],
        mut at: usize,
    ) -> Result<(Directive, char, usize), SteelErr> {
        let unfinished = || fail("format: the control string ends within a directive");
        let mut directive = Directive::default();
        loop {
            match *control.get(at).ok_or_else(unfinished)? {
                '\'' => {
                    directive
                        .parameters
                        .push(Some(Parameter::Char(*control.get(at + 1).ok_or_else(unfinished)?)));
                    at += 2;
                }
                'v' | 'V' => {
                    let value = self.argument()?;
                    directive.parameters.push(as_integer(&value).map(Parameter::Number));
                    at += 1;
                }
                ',' => {
                    if control
                        .get(at.wrapping_sub(1))
                        .is_none_or(|before| matches!(before, '~' | ','))
                    {
                        directive.parameters.push(None);
                    }
                    at += 1;
                }
                ':' => (directive.colon, at) = (true, at + 1),
                '@' => (directive.at, at) = (true, at + 1),
                digit
                    if digit.is_ascii_digit()
                        || (matches!(digit, '+' | '-')
                            && control.get(at + 1).is_some_and(char::is_ascii_digit)) =>
                {
                    let end = (at + 1..control.len())
                        .find(|index| !control[*index].is_ascii_digit())
                        .unwrap_or(control.len());
                    let number: String = control[at..end].iter().collect();
                    directive.parameters.push(number.parse().ok().map(Parameter::Number));
                    at = end;
                }
                name => return Ok((directive, name, at + 1)),
            }
        }
    }

    fn padded(&mut self, shown: &str, directive: &Directive, left: bool) {
        let width = directive.number(0).unwrap_or(0).clamp(0, 10_000) as usize;
        let missing = width.saturating_sub(shown.chars().count());
        let padding = directive
            .pad(if matches!(directive.parameters.get(3), Some(Some(_))) { 3 } else { 1 })
            .to_string()
            .repeat(missing);
        if left {
            self.text.push_str(&padding);
        }
        self.text.push_str(shown);
        if !left {
            self.text.push_str(&padding);
        }
    }

    fn integer(&mut self, directive: &Directive, radix: u32) -> Result<(), SteelErr> {
        let value = self.argument()?;
        let mut shown = match as_integer(&value) {
            Some(number) => in_radix(number, radix),
            None => displayed(&value),
        };
        if directive.colon {
            shown = grouped(&shown);
        }
        if directive.at && as_integer(&value).is_some_and(|number| number >= 0) {
            shown.insert(0, '+');
        }
        self.padded(&shown, directive, true);
        Ok(())
    }

    fn float(&mut self, directive: &Directive, name: char) -> Result<(), SteelErr> {
        let value = self.argument()?;
        let number = match &value {
            SteelVal::NumV(number) => Some(*number),
            SteelVal::IntV(number) => Some(*number as f64),
            SteelVal::Rational(ratio) => {
                Some(f64::from(*ratio.numer()) / f64::from(*ratio.denom()))
            }
            _ => None,
        };
        let digits =
            if name == '$' { Some(directive.number(0).unwrap_or(2)) } else { directive.number(1) };
        let shown = match (number, digits) {
            (Some(number), Some(digits)) => format!("{number:.*}", digits.clamp(0, 100) as usize),
            (Some(number), None) => format!("{number:?}"),
            (None, _) => displayed(&value),
        };
        let width = if name == '$' {
            Directive::default()
        } else {
            Directive {
                parameters: vec![directive.parameters.first().copied().flatten()],
                ..Directive::default()
            }
        };
        self.padded(&shown, &width, true);
        Ok(())
    }

    /// `~r`: in words, with parameters in a radix.
    fn in_words(&mut self, directive: &Directive) -> Result<(), SteelErr> {
        if let Some(radix) = directive.number(0) {
            let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix));
            let radix = radix.ok_or_else(|| fail("format: ~r expects a radix from 2 to 36"))?;
            let parameters = directive.parameters[1..].to_vec();
            return self.integer(&Directive { parameters, ..*directive }, radix);
        }
        let value = self.argument()?;
        let number = as_integer(&value).ok_or_else(|| wrong("format ~r", "an integer", &value))?;
        let words = match (directive.at, directive.colon) {
            (false, false) => number_words::cardinal(number),
            (false, true) => number_words::ordinal(number),
            (true, old) => number_words::roman(number, old)
                .ok_or_else(|| wrong("format ~@r", "a number from 1 to 3999", &value))?,
        };
        self.text.push_str(&words);
        Ok(())
    }

    /// Formats with other arguments for a while.
    fn with_arguments(
        &mut self,
        arguments: &[Value],
        work: impl FnOnce(&mut Run<'_>) -> Result<Ended, SteelErr>,
    ) -> Result<Ended, SteelErr> {
        let text = std::mem::take(&mut self.text);
        let mut inner = Run { arguments, next: 0, text, at_line_start: self.at_line_start };
        let ended = work(&mut inner);
        self.text = inner.text;
        ended
    }

    fn tabulate(&mut self, directive: &Directive) {
        let column = self.text.rsplit('\n').next().unwrap_or("").chars().count();
        let wanted = directive.number(0).unwrap_or(1).clamp(0, 10_000) as usize;
        let step = directive.number(1).unwrap_or(1).clamp(1, 10_000) as usize;
        let to = if directive.at {
            column + wanted
        } else if column < wanted {
            wanted
        } else {
            column + step - (column - wanted) % step
        };
        self.text.push_str(&" ".repeat(to - column));
    }

    fn iterate(&mut self, directive: &Directive, body: &[char]) -> Result<(), SteelErr> {
        let limit = directive.number(0).unwrap_or(i64::MAX);
        let own;
        let list: &[Value] = if directive.at {
            &self.arguments[self.next.min(self.arguments.len())..]
        } else {
            let value = self.argument()?;
            own = list_of("format ~{", &value)?;
            &own
        };
        let mut inner = Run {
            arguments: list,
            next: 0,
            text: std::mem::take(&mut self.text),
            at_line_start: self.at_line_start,
        };
        let mut turns = 0;
        while inner.next < list.len() && turns < limit {
            let before = inner.next;
            turns += 1;
            if directive.colon {
                let elements = list_of("format ~:{", &inner.argument()?)?;
                inner.with_arguments(&elements, |turn| turn.piece(body))?;
            } else if inner.piece(body)?.0 {
                break;
            }
            if inner.next == before {
                return Err(fail("format: ~{ takes no argument in a turn"));
            }
        }
        let used = inner.next;
        self.text = inner.text;
        if directive.at {
            self.next += used;
        }
        Ok(())
    }

    /// Runs the part of `~[` that an argument selects. If `has_default`, the last part follows
    /// `~:;` and is for every other number.
    fn choose(
        &mut self,
        directive: &Directive,
        parts: &[&[char]],
        has_default: bool,
    ) -> Result<Ended, SteelErr> {
        if directive.at {
            if self.arguments.get(self.next).is_some_and(is_true) {
                return self.piece(parts[0]);
            }
            self.next += 1;
            return Ok(Ended(false));
        }
        let value = self.argument()?;
        let index = if directive.colon {
            Some(usize::from(is_true(&value)))
        } else {
            as_integer(&value).and_then(|number| usize::try_from(number).ok())
        };
        let default = parts.last().filter(|_| has_default);
        match index.and_then(|index| parts.get(index)).or(default) {
            Some(part) => self.piece(part),
            None => Ok(Ended(false)),
        }
    }
}

/// The parts of a block, the position after it, and whether the last separator is `~:;`.
type Block<'c> = (Vec<&'c [char]>, usize, bool);

/// Splits a block, for example `~[`, at its `~;` separators. Blocks inside are skipped.
fn block(control: &[char], start: usize, open: char, close: char) -> Result<Block<'_>, SteelErr> {
    let (mut at, mut depth, mut part_start, mut parts) = (start, 0usize, start, Vec::new());
    let mut has_default = false;
    while at < control.len() {
        if control[at] != '~' {
            at += 1;
            continue;
        }
        let tilde = at;
        at += 1;
        while control.get(at).is_some_and(|character| {
            character.is_ascii_digit() || matches!(character, ',' | ':' | '@' | '\'')
        }) {
            at += if control[at] == '\'' { 2 } else { 1 };
        }
        let Some(&name) = control.get(at) else { break };
        at += 1;
        if name == open {
            depth += 1;
        } else if name == close && depth == 0 {
            parts.push(&control[part_start..tilde]);
            return Ok((parts, at, has_default));
        } else if name == close {
            depth -= 1;
        } else if name == ';' && depth == 0 && open == '[' {
            parts.push(&control[part_start..tilde]);
            has_default = control[tilde..at].contains(&':');
            part_start = at;
        }
    }
    Err(fail(format!("format: ~{open} without ~{close}")))
}

/// Lower case, except the first letter.
fn first_capital(text: &str) -> String {
    let at = text.find(char::is_alphabetic).unwrap_or(text.len());
    let mut rest = text[at..].chars();
    let first: String = rest.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{}{first}{}", &text[..at], rest.as_str().to_lowercase())
}

fn in_radix(number: i64, radix: u32) -> String {
    let mut left = number.unsigned_abs();
    let mut digits = Vec::new();
    while left > 0 || digits.is_empty() {
        digits.extend(char::from_digit((left % u64::from(radix)) as u32, radix));
        left /= u64::from(radix);
    }
    if number < 0 {
        digits.push('-');
    }
    digits.iter().rev().map(char::to_ascii_uppercase).collect()
}

/// Groups digits by threes: `12,345`.
fn grouped(shown: &str) -> String {
    let (sign, digits) = shown.strip_prefix('-').map_or(("", shown), |digits| ("-", digits));
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.chars().count() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
