//! Common Lisp's `format` (ANSI 22.3), with all directives but those of the pretty printer and
//! `~/…/`, which would call a function of the script.
//!
//! A `Run` goes through the control string from left to right, takes arguments and appends to its
//! text. Blocks such as `~{ ~}` are cut out first and run by the same code.

use steel::{SteelErr, SteelVal};

use super::output::Target;
use super::{Answer, Code, count, fail, list_of, number_words, string_of, wrong};
use crate::host::value::{
    Value, as_float, as_integer, as_str, displayed, is_nil, is_true, nil, string, to_datum,
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

/// A directive as it is written.
struct Directive {
    parameters: Vec<Written>,
    colon: bool,
    at: bool,
    name: char,
}

#[derive(Clone, Copy)]
enum Written {
    Nothing,
    Number(i64),
    Char(char),
    /// `v`: the next argument.
    Argument,
    /// `#`: how many arguments are left.
    Left,
}

/// The values of a directive's parameters.
struct Parameters(Vec<Option<Parameter>>);

#[derive(Clone, Copy)]
enum Parameter {
    Number(i64),
    Char(char),
}

/// No directive makes more than so many characters of padding.
const WIDEST: i64 = 10_000;

impl Parameters {
    fn number(&self, index: usize) -> Option<i64> {
        match self.0.get(index) {
            Some(Some(Parameter::Number(number))) => Some(*number),
            _ => None,
        }
    }

    /// Returns a count, or the default.
    fn size(&self, index: usize, default: usize) -> usize {
        self.number(index).map_or(default, |number| number.clamp(0, WIDEST) as usize)
    }

    fn char(&self, index: usize) -> Option<char> {
        match self.0.get(index) {
            Some(Some(Parameter::Char(character))) => Some(*character),
            _ => None,
        }
    }

    fn pad(&self, index: usize) -> char {
        self.char(index).unwrap_or(' ')
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

    /// An integer, with mincol, padchar, commachar and comma-interval from parameter `first` on.
    fn integer(
        &mut self,
        directive: &Directive,
        given: &Parameters,
        first: usize,
        radix: u32,
    ) -> Result<(), SteelErr> {
        let value = self.argument()?;
        let Some(mut shown) = in_base(&value, radix) else {
            self.text.push_str(&displayed(&value));
            return Ok(());
        };
        if directive.colon {
            let comma = given.char(first + 2).unwrap_or(',');
            shown = grouped(&shown, comma, given.size(first + 3, 3).max(1));
        }
        if directive.at && !shown.starts_with('-') {
            shown.insert(0, '+');
        }
        let missing = given.size(first, 0).saturating_sub(shown.chars().count());
        self.repeat(given.pad(first + 1), missing);
        self.text.push_str(&shown);
        Ok(())
    }

    /// `~r`: in words, with parameters in a radix.
    fn in_words(&mut self, directive: &Directive, given: &Parameters) -> Result<(), SteelErr> {
        if let Some(radix) = given.number(0) {
            let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix));
            let radix = radix.ok_or_else(|| fail("format: ~r expects a radix from 2 to 36"))?;
            return self.integer(directive, given, 1, radix);
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

    fn iterate(
        &mut self,
        directive: &Directive,
        given: &Parameters,
        body: &[char],
        at_least_once: bool,
    ) -> Result<(), SteelErr> {
        let limit = given.number(0).unwrap_or(i64::MAX);
        let from_argument: Vec<char>;
        let body = if body.is_empty() {
            let control = self.argument()?;
            from_argument = string_of("format ~{~}", &control)?.chars().collect();
            &from_argument
        } else {
            body
        };
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
            depth: self.depth,
        };
        let mut turns = 0;
        while (inner.next < list.len() || at_least_once && turns == 0) && turns < limit {
            let before = inner.next;
            turns += 1;
            if directive.colon {
                let elements = list_of("format ~:{", &inner.argument()?)?;
                let mut is_last = inner.next >= list.len();
                let ended = inner.with_arguments(&elements, |turn| {
                    // `~:^` asks whether sublists are left.
                    let ended = turn.sublist(body, is_last)?;
                    is_last |= ended == Ended::Iteration;
                    Ok(ended)
                })?;
                if ended == Ended::Iteration {
                    break;
                }
            } else if inner.piece(body)? != Ended::No {
                break;
            }
            if inner.next == before && turns > 1 {
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

    /// A turn of `~:{`, in which `~:^` ends the last turn only.
    fn sublist(&mut self, body: &[char], is_last: bool) -> Result<Ended, SteelErr> {
        let mut at = 0;
        while let Some(found) = body[at..].windows(3).position(|it| it == ['~', ':', '^']) {
            let ended = self.piece(&body[at..at + found])?;
            if ended != Ended::No {
                return Ok(ended);
            }
            if is_last {
                return Ok(Ended::Iteration);
            }
            at += found + 3;
        }
        self.piece(&body[at..])
    }

    /// Runs the part of `~[` that an argument selects. A part after `~:;` is for every other
    /// number.
    fn choose(
        &mut self,
        directive: &Directive,
        given: &Parameters,
        parts: &[(&[char], Option<Directive>)],
    ) -> Result<Ended, SteelErr> {
        if directive.at {
            if self.arguments.get(self.next).is_some_and(is_true) {
                return self.piece(parts[0].0);
            }
            self.argument()?;
            return Ok(Ended::No);
        }
        let index = if directive.colon {
            Some(usize::from(is_true(&self.argument()?)))
        } else {
            let number = match directive.parameters.is_empty() {
                true => as_integer(&self.argument()?),
                false => given.number(0),
            };
            number.and_then(|number| usize::try_from(number).ok())
        };
        let has_default = parts.len() > 1
            && parts[parts.len() - 2].1.as_ref().is_some_and(|separator| separator.colon);
        let default = parts.last().filter(|_| has_default);
        match index.and_then(|index| parts.get(index)).or(default) {
            Some((part, _)) => self.piece(part),
            None => Ok(Ended::No),
        }
    }

    /// `~mincol,colinc,minpad,padchar<`: the parts with blanks between them. A first part that ends
    /// with `~:;` is for when the rest does not fit into the line.
    fn justify(
        &mut self,
        directive: &Directive,
        given: &Parameters,
        parts: &[(&[char], Option<Directive>)],
    ) -> Result<(), SteelErr> {
        const LINE: usize = 72;
        let mut shown: Vec<String> = Vec::new();
        let mut overflow = None;
        let column = self.column();
        for (index, (part, separator)) in parts.iter().enumerate() {
            let before = std::mem::take(&mut self.text);
            let ended = self.piece(part);
            let text = std::mem::replace(&mut self.text, before);
            if ended? != Ended::No {
                break;
            }
            match separator {
                Some(separator) if index == 0 && separator.colon => {
                    let given = self.parameters(separator)?;
                    overflow = Some((text, given.size(0, 0), given.size(1, LINE)));
                }
                _ => shown.push(text),
            }
        }
        let (step, least) = (given.size(1, 1).max(1), given.size(2, 0));
        let only = shown.len() == 1 && !directive.colon && !directive.at;
        let (before, after) = (directive.colon || only, directive.at);
        let gaps = shown.len().saturating_sub(1) + usize::from(before) + usize::from(after);
        let length: usize = shown.iter().map(|text| text.chars().count()).sum();
        let needed = length + least * gaps;
        let mut width = given.size(0, 0);
        if width < needed {
            width += (needed - width).div_ceil(step) * step;
        }
        let mut blanks = width - length;
        if let Some((text, spare, line)) = overflow
            && column + width + spare > line
        {
            self.text.push_str(&text);
        }
        let mut left = gaps;
        let mut gap = |run: &mut Self| {
            // SBCL's way: each gap has its share of what is left, rounded down.
            let share = blanks / left.max(1);
            run.repeat(given.pad(3), share);
            blanks -= share;
            left -= 1;
        };
        for (index, text) in shown.iter().enumerate() {
            if index > 0 || before {
                gap(self);
            }
            self.text.push_str(text);
        }
        if after {
            gap(self);
        }
        Ok(())
    }
}

/// Reads a directive after its tilde. Returns it and the position after it.
fn directive(control: &[char], mut at: usize) -> Result<(Directive, usize), SteelErr> {
    let unfinished = || fail("format: the control string ends within a directive");
    let mut parameters = Vec::new();
    loop {
        let parameter = match *control.get(at).ok_or_else(unfinished)? {
            '\'' => {
                at += 2;
                Written::Char(*control.get(at - 1).ok_or_else(unfinished)?)
            }
            'v' | 'V' => {
                at += 1;
                Written::Argument
            }
            '#' => {
                at += 1;
                Written::Left
            }
            digit
                if digit.is_ascii_digit()
                    || matches!(digit, '+' | '-')
                        && control.get(at + 1).is_some_and(char::is_ascii_digit) =>
            {
                let digits = control[at + 1..].iter().take_while(|it| it.is_ascii_digit()).count();
                let number: String = control[at..=at + digits].iter().collect();
                at += digits + 1;
                Written::Number(number.parse().unwrap_or(i64::MAX))
            }
            _ => Written::Nothing,
        };
        let continues = control.get(at) == Some(&',');
        if continues || !matches!(parameter, Written::Nothing) {
            parameters.push(parameter);
        }
        if !continues {
            break;
        }
        at += 1;
    }
    let (mut colon, mut is_at) = (false, false);
    loop {
        match *control.get(at).ok_or_else(unfinished)? {
            ':' => colon = true,
            '@' => is_at = true,
            name => {
                let name = name.to_ascii_lowercase();
                return Ok((Directive { parameters, colon, at: is_at, name }, at + 1));
            }
        }
        at += 1;
    }
}

/// A block such as `~[ … ~]`.
struct Block<'c> {
    /// Its parts, each with the `~;` after it.
    parts: Vec<(&'c [char], Option<Directive>)>,
    closing: Directive,
    after: usize,
}

/// Splits a block at its `~;` separators. Blocks within it are passed over.
fn block(control: &[char], start: usize, open: char, close: char) -> Result<Block<'_>, SteelErr> {
    let (mut at, mut part_start, mut parts) = (start, start, Vec::new());
    let mut within = Vec::new();
    while at < control.len() {
        if control[at] != '~' {
            at += 1;
            continue;
        }
        let tilde = at;
        let (found, after) = directive(control, at + 1)?;
        at = after;
        match found.name {
            '{' => within.push('}'),
            '[' => within.push(']'),
            '(' => within.push(')'),
            '<' => within.push('>'),
            name if within.last() == Some(&name) => {
                within.pop();
            }
            name if within.is_empty() && name == close => {
                parts.push((&control[part_start..tilde], None));
                return Ok(Block { parts, closing: found, after });
            }
            ';' if within.is_empty() && matches!(open, '[' | '<') => {
                parts.push((&control[part_start..tilde], Some(found)));
                part_start = at;
            }
            _ => {}
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

/// Returns the digits of a whole number, or `None` for anything else.
pub(super) fn in_base(value: &Value, radix: u32) -> Option<String> {
    match value {
        SteelVal::BigNum(number) => Some(number.to_str_radix(radix).to_uppercase()),
        value => as_integer(value).map(|number| in_radix(number, radix)),
    }
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

/// Groups digits: `12,345`.
fn grouped(shown: &str, comma: char, interval: usize) -> String {
    let (sign, digits) = shown.strip_prefix('-').map_or(("", shown), |digits| ("-", digits));
    let mut grouped = String::from(sign);
    let count = digits.chars().count();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (count - index) % interval == 0 {
            grouped.push(comma);
        }
        grouped.push(digit);
    }
    grouped
}

/// `~f ~e ~g ~$` (ANSI 22.3.3). They round the shortest decimal that stands for the number, halves
/// away from zero, as other Lisps do.
mod floats {
    use super::{Directive, Parameters};

    /// The digits of a number and its exponent: 0.DIGITS × 10^exponent.
    struct Decimal {
        digits: Vec<u8>,
        exponent: i64,
    }

    impl Decimal {
        fn of(number: f64) -> Decimal {
            let text = format!("{:e}", number.abs());
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let mut digits: Vec<u8> =
                mantissa.bytes().filter(u8::is_ascii_digit).map(|it| it - b'0').collect();
            let exponent = exponent.parse::<i64>().unwrap_or(0) + 1;
            while digits.last() == Some(&0) {
                digits.pop();
            }
            let exponent = if digits.is_empty() { 0 } else { exponent };
            Decimal { digits, exponent }
        }

        /// Rounds to so many digits, which may be negative.
        fn round(&mut self, count: i64) {
            let Ok(count) = usize::try_from(count) else {
                *self = Decimal { digits: Vec::new(), exponent: 0 };
                return;
            };
            if count >= self.digits.len() {
                return;
            }
            let up = self.digits[count] >= 5;
            self.digits.truncate(count);
            if up {
                let mut at = count;
                loop {
                    if at == 0 {
                        self.digits.insert(0, 1);
                        self.exponent += 1;
                        break;
                    }
                    at -= 1;
                    self.digits[at] += 1;
                    if self.digits[at] < 10 {
                        break;
                    }
                    self.digits.truncate(at);
                }
            }
            while self.digits.last() == Some(&0) {
                self.digits.pop();
            }
        }

        /// Returns the digit at a place before (0 and up) or behind (-1 and down) the point.
        fn at(&self, place: i64) -> char {
            let index = self.exponent - 1 - place;
            let digit = usize::try_from(index).ok().and_then(|index| self.digits.get(index));
            char::from(b'0' + digit.copied().unwrap_or(0))
        }

        fn whole(&self) -> String {
            (0..self.exponent.max(0)).rev().map(|place| self.at(place)).collect()
        }

        fn fraction(&self, count: i64) -> String {
            (1..=count).map(|place| self.at(-place)).collect()
        }

        /// How many digits there are behind the point.
        fn places(&self) -> i64 {
            (self.digits.len() as i64 - self.exponent).max(0)
        }
    }

    /// As many digits behind the point as a number is ever asked for.
    const MOST: i64 = 1_000;

    pub(super) fn formatted(
        name: char,
        number: f64,
        directive: &Directive,
        given: &Parameters,
    ) -> String {
        let sign = match (number.is_sign_negative() && number != 0.0, directive.at) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let width = given.number(0).map(|width| width.clamp(0, super::WIDEST));
        let digits = |index: usize| given.number(index).map(|digits| digits.clamp(0, MOST));
        match name {
            'f' => {
                let scale = given.number(2).unwrap_or(0).clamp(-MOST, MOST);
                let text = fixed(number, sign, width, digits(1), scale);
                fitted(text, width, given.char(3), given.pad(4))
            }
            'e' => exponential(number, sign, width, given),
            'g' => general(number, sign, width, given),
            _ => money(number, sign, directive, given),
        }
    }

    fn fitted(text: String, width: Option<i64>, overflow: Option<char>, pad: char) -> String {
        let Some(width) = width.map(|width| width as usize) else { return text };
        let length = text.chars().count();
        match overflow {
            Some(overflow) if length > width => overflow.to_string().repeat(width),
            _ => pad.to_string().repeat(width.saturating_sub(length)) + &text,
        }
    }

    fn fixed(
        number: f64,
        sign: &str,
        width: Option<i64>,
        digits: Option<i64>,
        scale: i64,
    ) -> String {
        let mut decimal = Decimal::of(number);
        if !decimal.digits.is_empty() {
            decimal.exponent += scale;
        }
        let places = digits.unwrap_or_else(|| {
            let room = width.map(|width| width - sign.len() as i64 - 1 - decimal.exponent.max(0));
            decimal.places().min(room.unwrap_or(MOST).max(0)).max(0)
        });
        let count = decimal.exponent + places;
        decimal.round(count);
        let (mut whole, mut fraction) = (decimal.whole(), decimal.fraction(places));
        let room = |text: usize| width.is_none_or(|width| (text as i64) < width);
        if digits.is_none() && fraction.is_empty() && room(sign.len() + whole.len() + 1) {
            fraction.push('0');
        }
        if whole.is_empty() && (fraction.is_empty() || room(sign.len() + 1 + fraction.len())) {
            whole.push('0');
        }
        format!("{sign}{whole}.{fraction}")
    }

    fn exponential(number: f64, sign: &str, width: Option<i64>, given: &Parameters) -> String {
        let scale = given.number(3).unwrap_or(1).clamp(-MOST, MOST);
        let mut decimal = Decimal::of(number);
        let digits = given.number(1).map(|digits| digits.clamp(0, MOST));
        let is_zero = decimal.digits.is_empty();
        // With a positive scale there are so many digits before the point, ANSI 22.3.3.2.
        if let Some(digits) = digits {
            decimal.round(if scale > 0 { digits + 1 } else { digits + scale });
        }
        let exponent = if is_zero { 0 } else { decimal.exponent - scale };
        decimal.exponent = scale;
        let places = match digits {
            Some(digits) if scale > 0 => (digits - scale + 1).max(0),
            Some(digits) => digits,
            None => decimal.places().max(1),
        };
        let mut whole = decimal.whole();
        if whole.is_empty() {
            whole.push('0');
        }
        let least = given.number(2).unwrap_or(1).clamp(1, MOST) as usize;
        let marker = given.char(6).unwrap_or('e');
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        let text = format!(
            "{sign}{whole}.{}{marker}{exponent_sign}{:0least$}",
            decimal.fraction(places),
            exponent.abs()
        );
        fitted(text, width, given.char(4), given.pad(5))
    }

    fn general(number: f64, sign: &str, width: Option<i64>, given: &Parameters) -> String {
        let decimal = Decimal::of(number);
        let exponent = decimal.exponent;
        let tail = given.number(2).map_or(4, |digits| digits.clamp(0, MOST) + 2);
        let digits = given.number(1).map(|digits| digits.clamp(0, MOST));
        let digits =
            digits.unwrap_or_else(|| (decimal.digits.len().max(1) as i64).max(exponent.min(7)));
        let places = digits - exponent;
        if !(0..=digits).contains(&places) {
            return exponential(number, sign, width, given);
        }
        let width = width.map(|width| (width - tail).max(0));
        let text = fixed(number, sign, width, Some(places), 0);
        fitted(text, width, given.char(4), given.pad(5)) + &" ".repeat(tail as usize)
    }

    fn money(number: f64, sign: &str, directive: &Directive, given: &Parameters) -> String {
        let mut decimal = Decimal::of(number);
        let places = given.size(0, 2) as i64;
        let count = decimal.exponent + places;
        decimal.round(count);
        let whole = decimal.whole();
        let zeros = "0".repeat(given.size(1, 1).saturating_sub(whole.len()));
        let text = format!("{zeros}{whole}.{}", decimal.fraction(places));
        let missing = given.size(2, 0).saturating_sub(text.len() + sign.len());
        let padding = given.pad(3).to_string().repeat(missing);
        if directive.colon {
            format!("{sign}{padding}{text}")
        } else {
            format!("{padding}{sign}{text}")
        }
    }
}
