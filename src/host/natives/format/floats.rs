//! `~f ~e ~g ~$` (ANSI 22.3.3). They round the shortest decimal that stands for the number, halves
//! away from zero, as other Lisps do.

use super::control::{Directive, Parameters};

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
    let width = given.number(0).map(|width| width.clamp(0, super::control::WIDEST));
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

fn fixed(number: f64, sign: &str, width: Option<i64>, digits: Option<i64>, scale: i64) -> String {
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
