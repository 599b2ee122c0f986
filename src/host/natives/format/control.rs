//! Reads the control string: directives with their parameters, and blocks with their parts.

use super::super::fail;
use steel::SteelErr;

/// A directive as it is written.
pub(super) struct Directive {
    pub(super) parameters: Vec<Written>,
    pub(super) colon: bool,
    pub(super) at: bool,
    pub(super) name: char,
}

#[derive(Clone, Copy)]
pub(super) enum Written {
    Nothing,
    Number(i64),
    Char(char),
    /// `v`: the next argument.
    Argument,
    /// `#`: how many arguments are left.
    Left,
}

/// The values of a directive's parameters.
pub(super) struct Parameters(pub(super) Vec<Option<Parameter>>);

#[derive(Clone, Copy)]
pub(super) enum Parameter {
    Number(i64),
    Char(char),
}

/// No directive makes more than so many characters of padding.
pub(super) const WIDEST: i64 = 10_000;

impl Parameters {
    pub(super) fn number(&self, index: usize) -> Option<i64> {
        match self.0.get(index) {
            Some(Some(Parameter::Number(number))) => Some(*number),
            _ => None,
        }
    }

    /// Returns a count, or the default.
    pub(super) fn size(&self, index: usize, default: usize) -> usize {
        self.number(index).map_or(default, |number| number.clamp(0, WIDEST) as usize)
    }

    pub(super) fn char(&self, index: usize) -> Option<char> {
        match self.0.get(index) {
            Some(Some(Parameter::Char(character))) => Some(*character),
            _ => None,
        }
    }

    pub(super) fn pad(&self, index: usize) -> char {
        self.char(index).unwrap_or(' ')
    }
}

/// Reads a directive after its tilde. Returns it and the position after it.
pub(super) fn directive(control: &[char], mut at: usize) -> Result<(Directive, usize), SteelErr> {
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
pub(super) struct Block<'c> {
    /// Its parts, each with the `~;` after it.
    pub(super) parts: Vec<(&'c [char], Option<Directive>)>,
    pub(super) closing: Directive,
    pub(super) after: usize,
}

/// Splits a block at its `~;` separators. Blocks within it are passed over.
pub(super) fn block(
    control: &[char],
    start: usize,
    open: char,
    close: char,
) -> Result<Block<'_>, SteelErr> {
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
