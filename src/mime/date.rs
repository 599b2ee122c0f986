//! Reads dates as letters, mail servers and people write them.
//!
//! ISO 8601 (RFC 3339) has its own order and is tried first. Everything else is a sequence of words,
//! and each word says by its form what it is: a month and a weekday are names, a time has a colon, a
//! zone has a sign or is a name after the time, and of the numbers the year is the one with more
//! than two digits, or the later one. This covers RFC 5322 with its obsolete forms (4.3), IMAP's
//! `date` and `date-time` (RFC 3501 9), `ctime` and the lines between the letters of an mbox, and
//! what broken programs put into Date fields. Comments are dropped, a weekday is not compared with
//! the day, and a date whose day and month are both numbers in an unknown order is none.

use jiff::civil;

/// A day, with the time and the zone if they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenDate {
    /// The day, in the zone in which it was written.
    pub day: civil::Date,
    /// Hour, minute and second; second 60 is a leap second.
    pub time: Option<(u8, u8, u8)>,
    /// Minutes east of UTC. `None` if there was no zone, or one that says nothing: `-0000`, a
    /// military letter or an unknown name (RFC 5322 4.3).
    pub offset: Option<i16>,
}

impl WrittenDate {
    /// Reads a date; `None` if the text is not one.
    ///
    /// ```
    /// use postoffice::mime::WrittenDate;
    ///
    /// let date = WrittenDate::parse("Mon, 7 Feb 94 21:52 PST (winter)").unwrap();
    /// assert_eq!((date.day.year(), date.time, date.offset), (1994, Some((21, 52, 0)), Some(-480)));
    /// assert_eq!(date, WrittenDate::parse("1994-02-07T21:52:00-08:00").unwrap());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let text = without_comments(text);
        let text = text.trim().trim_matches('"').trim();
        iso(text).or_else(|| words(text))
    }

    /// Returns the seconds since 1970-01-01 00:00:00 UTC. Without a time it is midnight, and
    /// without a zone UTC.
    pub fn unix_seconds(&self) -> i64 {
        let midnight = self.day.duration_since(civil::date(1970, 1, 1)).as_secs();
        let (hour, minute, second) = self.time.unwrap_or_default();
        let time = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        midnight + time - i64::from(self.offset.unwrap_or(0)) * 60
    }
}

/// Reads a zone as dates have it, `+0200`, `-08:00`, `GMT+2` or `CEST`, in minutes east of UTC.
pub fn parse_zone(text: &str) -> Option<i16> {
    match zone(text)? {
        Zone::Offset(minutes) => Some(minutes),
        Zone::Unknown => None,
    }
}

/// Replaces comments, which may be nested, by spaces, and drops the spaces around colons.
fn without_comments(text: &str) -> String {
    let (mut plain, mut depth, mut escaped) = (String::with_capacity(text.len()), 0usize, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if depth > 0 => escaped = true,
            '(' => (depth, escaped) = (depth + 1, false),
            ')' => {
                depth = depth.saturating_sub(1);
                plain.push(' ');
            }
            _ if depth > 0 => {}
            ':' => {
                plain.truncate(plain.trim_end().len());
                plain.push(':');
            }
            character if character.is_whitespace() => {
                if !plain.ends_with([':', ' ']) {
                    plain.push(' ');
                }
            }
            character => plain.push(character),
        }
    }
    plain
}

/// Reads `1994-02-07T21:52:25.5-08:00`, also without separators, with a space for the `T`, without
/// seconds, time or zone, and with slashes.
fn iso(text: &str) -> Option<WrittenDate> {
    let (year, rest) = digits(text, 4, 4)?;
    let separator = rest.chars().next().filter(|first| matches!(first, '-' | '/'));
    let (month, rest) = digits(after(rest, separator)?, 2, 2)?;
    let (day, rest) = digits(after(rest, separator)?, 2, 2)?;
    let day = civil::Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    let day = Some(day).filter(|day| day.year() > 0)?;
    if rest.is_empty() {
        return Some(WrittenDate { day, time: None, offset: None });
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = match time(rest) {
        Some(found) => found,
        None => compact_time(rest)?,
    };
    let offset = match rest.trim_start() {
        "" => None,
        rest => zone(rest)?.offset(),
    };
    Some(WrittenDate { day, time: Some(time), offset })
}

fn after(text: &str, separator: Option<char>) -> Option<&str> {
    separator.map_or(Some(text), |separator| text.strip_prefix(separator))
}

/// Reads `215225` or `2152`.
fn compact_time(text: &str) -> Option<((u8, u8, u8), &str)> {
    let (hour, rest) = digits(text, 2, 2)?;
    let (minute, rest) = digits(rest, 2, 2)?;
    let (second, rest) = digits(rest, 2, 2).unwrap_or((0, rest));
    Some((checked_time(hour, minute, second)?, without_fraction(rest)))
}

/// Reads the words of a date in any other form.
fn words(text: &str) -> Option<WrittenDate> {
    let mut found = Found::default();
    for word in text.split([' ', ',']) {
        let hyphenated = word.split(['-', '/']);
        if word.starts_with(|first: char| first.is_ascii_alphanumeric())
            && hyphenated.clone().any(|part| month(part).is_some())
        {
            hyphenated.map(|part| found.add(part)).collect::<Option<()>>()?;
        } else {
            found.add(word)?;
        }
    }
    found.date()
}

/// What was found so far.
#[derive(Default)]
struct Found {
    day: Option<u32>,
    month: Option<i8>,
    year: Option<i16>,
    time: Option<(u8, u8, u8)>,
    zone: Option<Zone>,
}

impl Found {
    /// Takes the next word. `None` if it has no place in a date.
    fn add(&mut self, word: &str) -> Option<()> {
        let word = word.trim_end_matches('.');
        if word.is_empty() || is_weekday(word) {
            return Some(());
        }
        if self.time.is_none()
            && let Some((time, rest)) = time(word).or_else(|| dotted_time(word))
        {
            self.time = Some(time);
            // A zone may follow without a space.
            return if rest.is_empty() { Some(()) } else { self.add(rest) };
        }
        if self.month.is_none()
            && let Some(month) = month(word)
        {
            self.month = Some(month);
            return Some(());
        }
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.add_number(word);
        }
        match (self.time, &self.zone) {
            (Some((hour, minute, second)), None) if is_half_day(word) => {
                let afternoon = word.eq_ignore_ascii_case("pm");
                let hour = (1..=12).contains(&hour).then_some(hour % 12 + 12 * u8::from(afternoon));
                self.time = Some((hour?, minute, second));
            }
            (Some(_), None) => self.zone = Some(zone(word)?),
            // The name of a zone after its offset, or `DST` after the name of a zone.
            (Some(_), Some(Zone::Offset(minutes))) if word.eq_ignore_ascii_case("DST") => {
                self.zone = Some(Zone::Offset(minutes + 60));
            }
            (Some(_), Some(Zone::Offset(_))) if is_name(word) => {}
            // `GMT +0200`.
            (Some(_), Some(Zone::Offset(0) | Zone::Unknown)) => self.zone = Some(zone(word)?),
            _ => return None,
        }
        Some(())
    }

    fn add_number(&mut self, word: &str) -> Option<()> {
        let number: u32 = word.parse().ok()?;
        match word.len() {
            1 | 2 if self.day.is_none() => self.day = Some(number),
            2..=5 if self.year.is_none() => self.year = Some(whole_year(number, word.len())?),
            // An offset whose sign was forgotten.
            4 if self.time.is_some() && self.zone.is_none() => {
                self.zone = Some(zone(&format!("+{word}"))?);
            }
            _ => return None,
        }
        Some(())
    }

    fn date(self) -> Option<WrittenDate> {
        let day = civil::Date::new(self.year?, self.month?, small(self.day?)?).ok()?;
        Some(WrittenDate { day, time: self.time, offset: self.zone.and_then(Zone::offset) })
    }
}

/// Completes a year: of two digits, and of three, which count from 1900 (RFC 5322 4.3). Programs
/// that took 100 for two digits wrote `19100` for 2000.
fn whole_year(number: u32, digits: usize) -> Option<i16> {
    let year = match (digits, number) {
        (2, ..50) => 2000 + number,
        (2 | 3, _) => 1900 + number,
        (4, 1..) => number,
        (5, 19_100..=19_199) => 1900 + (number - 19_000),
        _ => return None,
    };
    i16::try_from(year).ok()
}

/// Reads `21:52:25`, `21:52` or `21:52:25.123`, and returns what follows.
fn time(text: &str) -> Option<((u8, u8, u8), &str)> {
    let (hour, rest) = digits(text, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 1, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 1, 2)?,
        None => (0, rest),
    };
    ended(rest)?;
    Some((checked_time(hour, minute, second)?, without_fraction(rest)))
}

/// Reads `21.52.25`, which is not a decimal number as `21.52` may be.
fn dotted_time(text: &str) -> Option<((u8, u8, u8), &str)> {
    let (hour, rest) = digits(text, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix('.')?, 2, 2)?;
    let (second, rest) = digits(rest.strip_prefix('.')?, 2, 2)?;
    ended(rest)?;
    Some((checked_time(hour, minute, second)?, rest))
}

/// `None` if another digit follows a number of two digits.
fn ended(rest: &str) -> Option<()> {
    (!rest.starts_with(|next: char| next.is_ascii_digit())).then_some(())
}

fn checked_time(hour: u32, minute: u32, second: u32) -> Option<(u8, u8, u8)> {
    let exists = hour < 24 && minute < 60 && second <= 60;
    exists.then_some((hour as u8, minute as u8, second as u8))
}

fn without_fraction(text: &str) -> &str {
    match text.strip_prefix(['.', ',']) {
        Some(rest) if rest.starts_with(|next: char| next.is_ascii_digit()) => {
            rest.trim_start_matches(|next: char| next.is_ascii_digit())
        }
        _ => text,
    }
}

/// Splits off a number of `least` to `most` digits.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(count);
    (count >= least).then_some((number.parse().ok()?, rest))
}

fn small(number: u32) -> Option<i8> {
    i8::try_from(number).ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// Minutes east of UTC.
    Offset(i16),
    /// A zone that says nothing about the offset.
    Unknown,
}

impl Zone {
    fn offset(self) -> Option<i16> {
        match self {
            Zone::Offset(minutes) => Some(minutes),
            Zone::Unknown => None,
        }
    }
}

/// The names of zones and their minutes east of UTC: those of RFC 5322 4.3, and those that letters
/// have most often and that mean one zone only.
#[rustfmt::skip]
const ZONES: &[(&str, i16)] = &[
    ("UT", 0), ("UTC", 0), ("GMT", 0), ("Z", 0), ("WET", 0),
    ("EST", -300), ("EDT", -240), ("CST", -360), ("CDT", -300),
    ("MST", -420), ("MDT", -360), ("PST", -480), ("PDT", -420),
    ("NST", -210), ("NDT", -150), ("AST", -240), ("ADT", -180), ("AKST", -540), ("AKDT", -480), ("HST", -600),
    ("BST", 60), ("WEST", 60), ("CET", 60), ("MET", 60), ("MEZ", 60),
    ("CEST", 120), ("MEST", 120), ("MESZ", 120), ("EET", 120), ("SAST", 120),
    ("EEST", 180), ("MSK", 180), ("MSD", 240), ("IST", 330), ("HKT", 480), ("SGT", 480), ("AWST", 480),
    ("JST", 540), ("KST", 540), ("AEST", 600), ("AEDT", 660), ("NZST", 720), ("NZDT", 780),
];

/// Reads a zone; `None` if the word cannot be one.
fn zone(word: &str) -> Option<Zone> {
    let (name, offset) = word.split_at(word.find(['+', '-']).unwrap_or(word.len()));
    let named = ZONES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    match (named, offset) {
        (Some((_, minutes)), "") => Some(Zone::Offset(*minutes)),
        (Some((_, 0)), _) => offset_of(offset),
        (None, "") => is_name(name).then_some(Zone::Unknown),
        (None, _) if name.is_empty() => offset_of(offset),
        _ => None,
    }
}

/// Reads `+0200`, `+02:00`, `+02`, `+2` or `+200`.
fn offset_of(text: &str) -> Option<Zone> {
    if text == "-0000" {
        return Some(Zone::Unknown);
    }
    let plain = text.strip_prefix(['+', '-'])?;
    let (hours, minutes) = match plain.split_once(':') {
        Some(parts) => parts,
        None => plain
            .split_at_checked(plain.len().saturating_sub(2))
            .filter(|_| plain.len() > 2)
            .unwrap_or((plain, "")),
    };
    let (hours, rest) = digits(hours, 1, 2)?;
    let (minutes, end) = if minutes.is_empty() { (0, "") } else { digits(minutes, 2, 2)? };
    let exists = rest.is_empty() && end.is_empty() && hours < 24 && minutes < 60;
    let minutes = (hours * 60 + minutes) as i16;
    exists.then_some(Zone::Offset(if text.starts_with('-') { -minutes } else { minutes }))
}

/// Returns whether the word may be the name of a zone: one letter, or three to five.
fn is_name(word: &str) -> bool {
    matches!(word.len(), 1 | 3..=5) && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_half_day(word: &str) -> bool {
    word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm")
}

/// Reads the name of a month, or its first three letters or more.
fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    MONTHS.iter().zip(1..).find_map(|(name, number)| begins(name, word).then_some(number))
}

fn is_weekday(word: &str) -> bool {
    const WEEKDAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    WEEKDAYS.iter().any(|name| begins(name, word))
}

/// Returns whether the word is the name or begins it with at least three letters.
fn begins(name: &str, word: &str) -> bool {
    let start = name.get(..word.len()).filter(|start| start.len() >= 3);
    start.is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows a date as `1994-02-07 21:52:25 -480`, with `-` for what was not written.
    fn shown(text: &str) -> String {
        let Some(date) = WrittenDate::parse(text) else { return "none".to_owned() };
        let time = date.time.map_or("-".to_owned(), |(hour, minute, second)| {
            format!("{hour:02}:{minute:02}:{second:02}")
        });
        let offset = date.offset.map_or("-".to_owned(), |offset| offset.to_string());
        format!("{} {time} {offset}", date.day)
    }

    fn check(table: &[(&str, &str)]) {
        for (text, expected) in table {
            assert_eq!(shown(text), *expected, "{text}");
        }
    }

    #[test]
    fn letters_have_many_forms() {
        check(&[
            // RFC 5322, appendix A and section 4.3.
            ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21 09:55:06 -360"),
            ("Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01 10:52:37 120"),
            (
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
                "1969-02-13 23:32:00 -210",
            ),
            ("21 Nov 97 09:55:06 GMT", "1997-11-21 09:55:06 0"),
            ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21 09:55:06 -360"),
            ("Fri (a (nested \\) one)), 21 Nov 1997 09:55:06 -0000", "1997-11-21 09:55:06 -"),
            ("Mon, 7 Feb 49 21:52:25 EST", "2049-02-07 21:52:25 -300"),
            ("Mon, 7 Feb 50 21:52:25 PDT", "1950-02-07 21:52:25 -420"),
            ("Mon, 7 Feb 094 21:52:25 UT", "1994-02-07 21:52:25 0"),
            ("Mon, 7 Feb 1994 21:52:25 A", "1994-02-07 21:52:25 -"),
            ("Mon, 7 Feb 1994 21:52:25 z", "1994-02-07 21:52:25 0"),
            ("Mon, 7 Feb 1994 21:52:25 XYZT", "1994-02-07 21:52:25 -"),
            ("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31 23:59:60 0"),
            // RFC 850.
            ("Monday, 07-Feb-94 21:52:25 GMT", "1994-02-07 21:52:25 0"),
        ]);
    }

    #[test]
    fn servers_and_programs_have_theirs() {
        check(&[
            ("1-Feb-1994", "1994-02-01 - -"),
            ("\"1-Feb-1994\"", "1994-02-01 - -"),
            (" 7-Feb-1994 21:52:25 -0800", "1994-02-07 21:52:25 -480"),
            ("Mon Feb  7 21:52:25 1994", "1994-02-07 21:52:25 -"),
            ("Mon Feb  7 21:52 1994", "1994-02-07 21:52:00 -"),
            ("Mon Feb  7 21:52:25 PST 1994", "1994-02-07 21:52:25 -480"),
            ("Mon Feb  7 21:52:25 1994 +0100", "1994-02-07 21:52:25 60"),
            ("Mon Feb  7 21:52:25 MET DST 1994", "1994-02-07 21:52:25 120"),
            ("1994-02-07", "1994-02-07 - -"),
            ("19940207", "1994-02-07 - -"),
            ("1994/02/07 21:52", "1994-02-07 21:52:00 -"),
            ("1994-02-07T21:52:25Z", "1994-02-07 21:52:25 0"),
            ("1994-02-07t21:52:25.123456-08:00", "1994-02-07 21:52:25 -480"),
            ("1994-02-07 21:52:25 +0545", "1994-02-07 21:52:25 345"),
            ("1994-02-07 21:52:25 UTC", "1994-02-07 21:52:25 0"),
            ("19940207T215225Z", "1994-02-07 21:52:25 0"),
            ("19940207T2152-0800", "1994-02-07 21:52:00 -480"),
            ("1994-02-07T21:52:25,5+01", "1994-02-07 21:52:25 60"),
        ]);
    }

    #[test]
    fn broken_dates_are_read_as_they_were_meant() {
        check(&[
            ("7 Feb 1994 21:52:25 -0800", "1994-02-07 21:52:25 -480"),
            ("Sun, 7 Feb 1994 21:52:25 -0800", "1994-02-07 21:52:25 -480"),
            ("Mon, 7 Feb 1994", "1994-02-07 - -"),
            ("Mon,7 Feb 1994 21:52:25 GMT+0200", "1994-02-07 21:52:25 120"),
            ("Mon, 7 Feb 1994 21:52:25 GMT +0200", "1994-02-07 21:52:25 120"),
            ("Mon, 7 Feb 1994 21:52:25 UTC-5", "1994-02-07 21:52:25 -300"),
            ("Mon, 7 Feb 1994 21:52:25 CEST", "1994-02-07 21:52:25 120"),
            ("Mon, 7 Feb 1994 21:52:25 +02:00 CEST", "1994-02-07 21:52:25 120"),
            ("Mon, 7 Feb 1994 21:52:25 +200", "1994-02-07 21:52:25 120"),
            ("Mon, 7 Feb 1994 21:52:25 0100", "1994-02-07 21:52:25 60"),
            ("Mon, 7 Feb 1994 21:52:25+0100", "1994-02-07 21:52:25 60"),
            ("Mon, 7 Feb 1994 21.52.25 +0100", "1994-02-07 21:52:25 60"),
            ("Mon, 7 Feb 1994 21:52:25.750 +0100", "1994-02-07 21:52:25 60"),
            ("Mon, 7 Feb 1994 9:52 PM EST", "1994-02-07 21:52:00 -300"),
            ("Mon, 7 Feb 1994 12:05:00am", "1994-02-07 00:05:00 -"),
            ("Mon, 7 Feb 105 21:52:25 +0100", "2005-02-07 21:52:25 60"),
            ("Fri, 7 Jan 19100 21:52:25 +0100", "2000-01-07 21:52:25 60"),
            ("Mon, 7 Feb 1994 21:52:25 -0800 (PST) (sent (by (us)", "1994-02-07 21:52:25 -480"),
            ("Mon., 7 Feb. 1994 21:52:25 -0800", "1994-02-07 21:52:25 -480"),
            ("February 7, 1994", "1994-02-07 - -"),
            ("7-SEPT-1994", "1994-09-07 - -"),
            ("Mon, 07 Feb 1994 21:52:25 +0000 GMT", "1994-02-07 21:52:25 0"),
        ]);
    }

    #[test]
    #[rustfmt::skip]
    fn other_texts_are_no_dates() {
        for text in [
            "", " ", "()", "yesterday", "1994", "Feb 1994", "7 Feb", "Monday", "21:52:25",
            "7/2/1994", "7.2.1994", "31-Feb-1994", "0-Feb-1994", "1-Foo-1994", "1994-13-01",
            "1994-02-07T", "1994-02-07T25:00", "1994-02-07 later", "0000-01-01", "Mon, 7 Feb 0000",
            "7 Feb 1994 24:00:00", "7 Feb 1994 21:60", "7 Feb 1994 21:52:61", "7 Feb 1994 21:521",
            "7 Feb 1994 21:52:25 +2500", "7 Feb 1994 21:52:25 +02x0", "7 Feb 1994 13:00 PM",
            "7 Feb 1994 21:52:25 whatever", "7 Feb 1994 8 9", "7 Feb 1994 Mar", "7 Feb 12345",
            "7 Feb 99999999999999999999", "-1-Feb-1994", "7 Feb 1994 21:52 +", "7 Feb 1994 +0100",
            "7 \u{660} Feb 1994", "1-F\u{e9}b-1994", "\u{1f4c5}",
        ] {
            assert_eq!(shown(text), "none", "{text}");
        }
    }

    #[test]
    fn seconds_are_counted_from_1970() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("31-Dec-1969 19:00:01 -0500", 1),
            ("Mon, 13 Sep 1999 11:36:26 -0700", 937_247_786),
            ("Sat, 31 Dec 2016 23:59:60 +0000", 1_483_228_800),
            ("0001-01-01", -62_135_596_800),
            ("9999-12-31T23:59:59-12:00", 253_402_343_999),
        ] {
            assert_eq!(WrittenDate::parse(text).unwrap().unix_seconds(), seconds, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in r#"([0-9]{0,5}|Feb|Mon|GMT|[-+:/.,() "\\]|\PC){0,12}"#) {
            if let Some(date) = WrittenDate::parse(&text) {
                date.unix_seconds();
            }
            parse_zone(&text);
        }
    }
}
