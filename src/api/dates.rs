//! Dates: universal times to and from text, arithmetic with the calendar, and the one reader of
//! every argument that is a date.
//!
//! A universal time is a number of seconds since 1900-01-01 00:00:00 UTC. [`read`] takes one, or a
//! text in any form that `mime` knows. Without `:zone` everything is in UTC: a search takes the UTC
//! day of a universal time, and a script gives the same result on every machine.
//! `decode-universal-time` has the system's zone, as Common Lisp requires.

use super::Answer;
use super::sets::required;
use crate::condition::Condition;
use crate::host::{self, Call, Function, Type, UNIX_EPOCH, Value};
use crate::mime::{WrittenDate, parse_zone};
use crate::proto::imap::DateTime;
use crate::proto::imap::search::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, Unit, Zoned};

/// The rows of the topic "Dates".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "parse-date",
        "(text &optional error-p default)",
        parse_date,
        "Reads a date as letters, mail servers and people write it. Returns a universal time, an integer.
text: a string, such as the Date field of a letter, \"7-Feb-1994\", \" 7-Feb-1994 21:52:25 -0800\", \"1994-02-07T21:52:25Z\" or \"Mon Feb  7 21:52:25 1994\". Without a time it is midnight, without a zone UTC. A weekday and comments do not count.
error-p: t by default; with nil, default is the result for what is no date. Errors: :syntax-error.",
    ).checked(),
    Function::native(
        "format-date",
        "(control time &key zone)",
        format_date,
        "A time as text, a string.
control: a string with the directives of strftime: %Y %m %d %H %M %S, %F for 1994-02-07, %T for 21:52:25, %a and %b for the names of day and month, %z for the zone, and others. time: a universal time, or a string as for parse-date.
:zone  a name such as \"Europe/Berlin\" from the system's database of time zones, an offset such as \"+0200\", :local for the system's zone, or :utc, the default. Errors: :syntax-error.",
    ).checked(),
    Function::native(
        "date-add",
        "(time &key years months weeks days hours minutes seconds zone)",
        date_add,
        "A time some while later, or earlier with negative numbers. Returns a universal time, an integer.
time: as for format-date. :years :months :weeks :days  integers, added first, by the calendar: the time of day stays the same, and a day after the end of the month becomes its last. :hours :minutes :seconds  integers. :zone  as for format-date.",
    ).checked(),
    Function::native(
        "date-difference",
        "(time other-time &key unit zone)",
        date_difference,
        "How much later time is than other-time. Returns an integer, negative if it is earlier, rounded towards zero.
time, other-time: as for format-date. :unit  :seconds, the default, :minutes, :hours, :days, :weeks, :months or :years. :zone  as for format-date; days and longer units are those of its calendar.",
    ).typed(&[("unit", Type::Choice(&["seconds", "minutes", "hours", "days", "weeks", "months", "years"]))]).checked(),
    Function::native(
        "date-year",
        "(time &key zone)",
        |call| part(call, |at| at.year().into()),
        "The year of a time, a number. time, :zone  as for format-date.",
    ).checked(),
    Function::native(
        "date-month",
        "(time &key zone)",
        |call| part(call, |at| at.month().into()),
        "The month of a time, a number from 1 to 12. time, :zone  as for format-date.",
    ).checked(),
    Function::native(
        "date-day",
        "(time &key zone)",
        |call| part(call, |at| at.day().into()),
        "The day of the month, a number from 1 to 31. time, :zone  as for format-date.",
    ).checked(),
    Function::native(
        "date-hour",
        "(time &key zone)",
        |call| part(call, |at| at.hour().into()),
        "The hour of a time, a number from 0 to 23. time, :zone  as for format-date.",
    ).checked(),
    Function::native(
        "date-minute",
        "(time &key zone)",
        |call| part(call, |at| at.minute().into()),
        "The minute of a time, a number from 0 to 59. time, :zone  as for format-date.",
    ).checked(),
    Function::native(
        "date-second",
        "(time &key zone)",
        |call| part(call, |at| at.second().into()),
        "The second of a time, a number from 0 to 59. time, :zone  as for format-date.",
    ).checked(),
    Function::native(
        "date-weekday",
        "(time &key zone)",
        |call| part(call, |at| at.weekday().to_monday_zero_offset().into()),
        "The day of the week, a number: 0 is Monday and 6 is Sunday, as in decode-universal-time. time, :zone  as for format-date.",
    ).checked(),
];

/// What [`read`] takes, for messages.
pub(super) const EXPECTED: &str =
    "a universal time, or a date such as \"7-Feb-1994\" or \"1994-02-07T21:52:25Z\"";

/// Reads a date argument: a universal time, which is in UTC, or a text.
pub(super) fn read(value: &Value) -> Option<WrittenDate> {
    let Some(seconds) = host::as_integer(value) else {
        return WrittenDate::parse(host::as_str(value)?);
    };
    let time = timestamp(seconds.checked_sub(UNIX_EPOCH)?)?.to_zoned(TimeZone::UTC);
    let small = |number: i8| u8::try_from(number).ok();
    let time_of_day = (small(time.hour())?, small(time.minute())?, small(time.second())?);
    Some(WrittenDate { day: time.date(), time: Some(time_of_day), offset: Some(0) })
}

/// Returns the day of a date as it is written, without regard to time and zone.
pub(super) fn day(date: &WrittenDate) -> Option<Date> {
    Date::new(
        u16::try_from(date.day.year()).ok()?,
        u8::try_from(date.day.month()).ok()?,
        u8::try_from(date.day.day()).ok()?,
    )
}

/// Returns IMAP's form of a date, with its zone.
pub(super) fn date_time(date: &WrittenDate) -> Option<DateTime> {
    DateTime::new(day(date)?, date.time.unwrap_or_default(), date.offset.unwrap_or(0))
}

/// Returns a date as RFC 5322 3.3 writes it. A universal time gets the system's zone.
pub(super) fn header_date(value: &Value) -> Option<String> {
    let date = read(value).filter(|date| day(date).is_some())?;
    if host::as_integer(value).is_some() {
        return Some(in_header(&timestamp(date.unix_seconds())?.to_zoned(TimeZone::system())));
    }
    let (hour, minute, second) = date.time.unwrap_or_default();
    let (sign, offset) = match date.offset {
        Some(minutes) if minutes >= 0 => ('+', minutes),
        other => ('-', -other.unwrap_or(0)),
    };
    Some(format!(
        "{} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
        date.day.strftime("%a, %d %b %Y"),
        offset / 60,
        offset % 60
    ))
}

/// Returns a time as RFC 5322 3.3 writes it.
pub(super) fn in_header(time: &Zoned) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

fn timestamp(unix_seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(unix_seconds).ok()
}

fn parse_date(call: &Call<'_>) -> Answer {
    match host::as_str(required(call, 0)).and_then(WrittenDate::parse) {
        Some(date) => Ok(host::integer(date.unix_seconds() + UNIX_EPOCH)),
        None if call.arg(1).is_some_and(|error| !host::is_true(error)) => {
            Ok(call.arg(2).cloned().unwrap_or_else(host::nil))
        }
        None => Err(call.wrong(
            "text",
            "a date such as \"Mon, 7 Feb 1994 21:52:25 -0800\" or \"1994-02-07\"",
            required(call, 0),
        )),
    }
}

fn format_date(call: &Call<'_>) -> Answer {
    let (control, time) = (call.string(0)?, time(call, 1)?);
    jiff::fmt::strtime::format(control, &time).map(host::string).map_err(|error| {
        let message = format!("{}: control: {error}", call.name());
        Condition::syntax(crate::shown::escape_controls(&message))
    })
}

fn date_add(call: &Call<'_>) -> Answer {
    let keys = ["years", "months", "weeks", "days", "hours", "minutes", "seconds"];
    let mut amounts = [0; 7];
    for (amount, key) in amounts.iter_mut().zip(keys) {
        *amount = call.key_integer(key, ..)?.unwrap_or(0);
    }
    let [years, months, weeks, days, hours, minutes, seconds] = amounts;
    let before = time(call, 0)?;
    // One span would have one sign.
    let later = || {
        let months = years.checked_mul(12)?.checked_add(months)?;
        let days = weeks.checked_mul(7)?.checked_add(days)?;
        let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
        let seconds = minutes.checked_mul(60)?.checked_add(seconds)?;
        let on_that_day = if months == 0 && days == 0 {
            before.clone()
        } else {
            // A day in between may lack this time of day, so no zone is looked at until the end.
            let day = before.datetime().checked_add(Span::new().try_months(months).ok()?).ok()?;
            let day = day.checked_add(Span::new().try_days(days).ok()?).ok()?;
            day.to_zoned(before.time_zone().clone()).ok()?
        };
        on_that_day.checked_add(SignedDuration::from_secs(seconds)).ok()
    };
    let later = later().ok_or_else(|| {
        Condition::syntax(format!("{}: the result is outside of the calendar", call.name()))
    })?;
    Ok(host::integer(later.timestamp().as_second() + UNIX_EPOCH))
}

fn date_difference(call: &Call<'_>) -> Answer {
    let (time, other) = (time(call, 0)?, time(call, 1)?);
    let unit = match call.key_keyword("unit")? {
        Some("years") => Unit::Year,
        Some("months") => Unit::Month,
        Some("weeks") => Unit::Week,
        Some("days") => Unit::Day,
        Some("hours") => Unit::Hour,
        Some("minutes") => Unit::Minute,
        _ => Unit::Second,
    };
    let span = other.until((unit, &time)).map_err(|error| {
        Condition::syntax(format!("{}: the difference is too large: {error}", call.name()))
    })?;
    Ok(host::integer(match unit {
        Unit::Year => span.get_years().into(),
        Unit::Month => span.get_months().into(),
        Unit::Week => span.get_weeks().into(),
        Unit::Day => span.get_days().into(),
        Unit::Hour => span.get_hours().into(),
        Unit::Minute => span.get_minutes(),
        _ => span.get_seconds(),
    }))
}

fn part(call: &Call<'_>, of: impl FnOnce(&Zoned) -> i64) -> Answer {
    Ok(host::integer(of(&time(call, 0)?)))
}

/// Returns the time at `index` in the zone of `:zone`.
fn time(call: &Call<'_>, index: usize) -> Result<Zoned, Condition> {
    let time = call.typed(index, EXPECTED, |value| timestamp(read(value)?.unix_seconds()))?;
    let zone = call.typed_key(
        "zone",
        "a known time zone such as \"Europe/Berlin\", an offset such as \"+0200\", :utc or :local",
        zone,
    )?;
    Ok(time.to_zoned(zone.unwrap_or(TimeZone::UTC)))
}

fn zone(value: &Value) -> Option<TimeZone> {
    match (host::as_keyword(value), host::as_str(value)) {
        (Some("utc"), _) => Some(TimeZone::UTC),
        (Some("local"), _) => Some(TimeZone::system()),
        // Some names are both in the database and names of a fixed offset: EST, for example.
        (None, Some(name)) => TimeZone::get(name).ok().or_else(|| {
            let seconds = i32::from(parse_zone(name)?) * 60;
            Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))
        }),
        _ => None,
    }
}
