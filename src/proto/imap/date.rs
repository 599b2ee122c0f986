//! The date and time of a message's arrival, its internal date (RFC 3501 9, date-time).
//!
//! A [`DateTime`] is checked when it is made, and keeps the zone it was written in. Parsing accepts
//! the forms that servers send; formatting writes a two-digit day.

use super::search::Date;
use crate::proto::error::EncodeError;
use std::fmt;
use std::str::FromStr;

/// A date and time, to the second, with an offset from UTC: `13-Sep-1999 11:36:26 -0700`.
///
/// # Examples
/// ```
/// use postoffice::proto::imap::{DateTime, search::Date};
///
/// let arrived: DateTime = "13-Sep-1999 11:36:26 -0700".parse()?;
/// let day = Date::new(1999, 9, 13).unwrap();
/// assert_eq!(Some(arrived), DateTime::new(day, (11, 36, 26), -7 * 60));
/// assert_eq!(arrived.to_string(), "13-Sep-1999 11:36:26 -0700");
/// # Ok::<(), postoffice::proto::EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    date: Date,
    hour: u8,
    minute: u8,
    second: u8,
    /// Minutes east of UTC.
    offset: i16,
}

impl DateTime {
    /// Makes a date and time from a day, a time of hour, minute and second, and an offset in
    /// minutes east of UTC. `None` if the time does not exist; second 60, a leap second, does.
    pub fn new(date: Date, (hour, minute, second): (u8, u8, u8), offset: i16) -> Option<Self> {
        let exists = hour < 24 && minute < 60 && second <= 60 && offset.abs() < 24 * 60;
        exists.then_some(DateTime { date, hour, minute, second, offset })
    }

    /// Returns the day in the zone it was written in.
    pub fn day(self) -> Date {
        self.date
    }

    /// Returns the seconds by which its zone is east of UTC.
    pub fn offset_seconds(self) -> i32 {
        i32::from(self.offset) * 60
    }

    /// Returns the seconds since 1970-01-01 00:00:00 UTC, without leap seconds.
    pub fn unix_seconds(self) -> i64 {
        let time =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        self.date.days_since_1970() * 86_400 + time - i64::from(self.offset) * 60
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DateTime { date, hour, minute, second, offset } = *self;
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.unsigned_abs() / 60, offset.unsigned_abs() % 60);
        write!(
            formatter,
            "{:0>11} {hour:02}:{minute:02}:{second:02} {sign}{hours:02}{minutes:02}",
            date.to_imap()
        )
    }
}

impl FromStr for DateTime {
    type Err = EncodeError;

    /// Reads the form that servers send. The day may have one digit, with or without a space before
    /// it.
    fn from_str(text: &str) -> Result<Self, EncodeError> {
        read(text).ok_or_else(|| {
            EncodeError::new("date", "a date as 13-Sep-1999 11:36:26 -0700", text.as_bytes())
        })
    }
}

fn read(text: &str) -> Option<DateTime> {
    let mut words = text.trim().split(' ');
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !zone.is_ascii() || zone.len() != 5 {
        return None;
    }
    let (sign, zone) = zone.split_at(1);
    let offset = i16::from(two_digits(&zone[..2])?) * 60 + i16::from(two_digits(&zone[2..])?);
    let offset = match sign {
        "+" => offset,
        "-" => -offset,
        _ => return None,
    };
    let mut parts = time.split(':').map(two_digits);
    let time = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(())?;
    DateTime::new(Date::parse(date)?, time, offset)
}

fn two_digits(text: &str) -> Option<u8> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_counted_from_1970() {
        for (text, seconds) in [
            ("1-Jan-1970 00:00:00 +0000", 0),
            ("31-Dec-1969 19:00:01 -0500", 1),
            ("13-Sep-1999 11:36:26 -0700", 937_247_786),
            ("29-Feb-2024 12:00:00 +0100", 1_709_204_400),
            ("1-Jan-0001 00:00:00 +0000", -62_135_596_800),
        ] {
            assert_eq!(text.parse::<DateTime>().unwrap().unix_seconds(), seconds, "{text}");
        }
    }

    #[test]
    fn dates_are_read_and_written() {
        for (text, written) in [
            ("13-Sep-1999 11:36:26 -0700", "13-Sep-1999 11:36:26 -0700"),
            (" 3-sep-2024 00:00:60 +0545", "03-Sep-2024 00:00:60 +0545"),
            ("3-Sep-2024 00:00:00 -0000", "03-Sep-2024 00:00:00 +0000"),
        ] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), written);
        }
        for text in [
            "",
            "13-Sep-1999",
            "31-Feb-1999 11:36:26 -0700",
            "13-Sep-1999 24:00:00 -0700",
            "13-Sep-1999 11:36 -0700",
            "13-Sep-1999 11:36:26:01 -0700",
            "13-Sep-1999 11:36:26 0700",
            "13-Sep-1999 11:36:26 -9900",
            "13-Sep-1999 11:36:26 -0700 x",
            "13-Sep-1999 11:36:26 é123",
            "13-Sep-1999 11:36:+6 -0700",
        ] {
            assert!(text.parse::<DateTime>().is_err(), "{text}");
        }
    }
}
