//! `~d ~b ~o ~x ~r`: whole numbers in a radix, with groups of digits, or in words.

use super::super::{fail, number_words, wrong};
use super::Run;
use super::control::{Directive, Parameters};
use crate::host::value::{Value, as_integer, displayed};
use steel::{SteelErr, SteelVal};

impl Run<'_> {
    /// An integer, with mincol, padchar, commachar and comma-interval from parameter `first` on.
    pub(super) fn integer(
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
    pub(super) fn in_words(
        &mut self,
        directive: &Directive,
        given: &Parameters,
    ) -> Result<(), SteelErr> {
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
}

/// Returns the digits of a whole number, or `None` for anything else.
pub(in super::super) fn in_base(value: &Value, radix: u32) -> Option<String> {
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
