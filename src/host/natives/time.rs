//! Universal times: seconds since 1900-01-01 00:00 UTC. The clock that measures durations.

use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil};
use steel::SteelVal;

use super::{Answer, Code, context, count, fail, integer_of, wrong};
use crate::host::value::{
    Value, as_float, as_integer, from_datum, integer, is_nil, list, nil, truth,
};
use crate::lisp::Datum;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("get-universal-time", |arguments| {
        count("get-universal-time", arguments, 0, 0)?;
        Ok(integer(universal(Timestamp::now())))
    }),
    ("%decode-universal-time", decode),
    ("get-internal-real-time", |arguments| {
        count("get-internal-real-time", arguments, 0, 0)?;
        Ok(elapsed())
    }),
    ("current-jiffy", |arguments| {
        count("current-jiffy", arguments, 0, 0)?;
        Ok(elapsed())
    }),
    ("current-second", |arguments| {
        count("current-second", arguments, 0, 0)?;
        Ok(SteelVal::NumV(Timestamp::now().as_duration().as_secs_f64()))
    }),
    ("encode-universal-time", encode),
    ("sleep", sleep),
];

/// 1970-01-01 as a universal time.
pub(crate) const UNIX_EPOCH: i64 = 2_208_988_800;

pub(super) fn universal(time: Timestamp) -> i64 {
    time.as_second() + UNIX_EPOCH
}

/// Returns the microseconds since the first call in this process. The clock never goes back, and all
/// hosts share it.
fn elapsed() -> Value {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    integer(i64::try_from(START.elapsed().as_micros()).unwrap_or(i64::MAX))
}

/// Returns a time zone. Common Lisp counts hours west of Greenwich, down to seconds; `nil` or
/// nothing is the system's.
fn zone(function: &str, value: Option<&Value>) -> Result<TimeZone, steel::SteelErr> {
    let Some(value) = value.filter(|value| !is_nil(value)) else { return Ok(TimeZone::system()) };
    let seconds = as_float(value).map(|hours| -hours * 3600.0);
    seconds
        .filter(|seconds| seconds.fract() == 0.0 && seconds.abs() <= 24.0 * 3600.0)
        .and_then(|seconds| Offset::from_seconds(seconds as i32).ok())
        .map(TimeZone::fixed)
        .ok_or_else(|| wrong(function, "a time zone, hours west from -24 to 24", value))
}

/// Returns second, minute, hour, date, month, year, day (Monday is 0), whether daylight saving time
/// is in effect, and the time zone, which does not count it.
fn decode(arguments: &[Value]) -> Answer {
    count("decode-universal-time", arguments, 1, 2)?;
    let time = integer_of("decode-universal-time", &arguments[0])?;
    let zone = zone("decode-universal-time", arguments.get(1))?;
    let outside = || fail(format!("decode-universal-time: {time} is outside of the calendar"));
    let stamp = Timestamp::from_second(time.checked_sub(UNIX_EPOCH).ok_or_else(outside)?)
        .map_err(|_| outside())?;
    let at = stamp.to_zoned(zone);
    let info = at.time_zone().to_offset_info(stamp);
    let daylight = info.dst().is_dst();
    let west = -info.offset().seconds() + if daylight { 3600 } else { 0 };
    let numbers = [
        at.second().into(),
        at.minute().into(),
        at.hour().into(),
        at.day().into(),
        at.month().into(),
        at.year().into(),
        i64::from(at.weekday().to_monday_zero_offset()),
    ];
    let mut values: Vec<Value> = numbers.into_iter().map(integer).collect();
    values.extend([truth(daylight), from_datum(&Datum::Number(format!("{west}/3600")))]);
    Ok(list(values))
}

fn encode(arguments: &[Value]) -> Answer {
    count("encode-universal-time", arguments, 6, 7)?;
    let number = |index: usize, name: &str, range: RangeInclusive<i16>| {
        as_integer(&arguments[index])
            .and_then(|number| i16::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let expected = format!("a whole number from {} to {}", range.start(), range.end());
                wrong(&format!("encode-universal-time: {name}"), &expected, &arguments[index])
            })
    };
    let small = |index, name, range| number(index, name, range).map(|number| number as i8);
    let (second, minute) = (small(0, "second", 0..=59)?, small(1, "minute", 0..=59)?);
    let (hour, date) = (small(2, "hour", 0..=23)?, small(3, "date", 1..=31)?);
    let (month, year) = (small(4, "month", 1..=12)?, number(5, "year", 0..=9999)?);
    let zone = zone("encode-universal-time", arguments.get(6))?;
    // A year of two digits is the one within fifty years of now (CLHS 25.1.4.1).
    let first = Timestamp::now().to_zoned(zone.clone()).year() - 50;
    let year = if year < 100 { first + (year - first).rem_euclid(100) } else { year };
    let zoned = civil::DateTime::new(year, month, date, hour, minute, second, 0)
        .and_then(|civil| civil.to_zoned(zone))
        .map_err(|error| fail(format!("encode-universal-time: {error}")))?;
    Ok(integer(universal(zoned.timestamp())))
}

/// Waits, and returns early on an interrupt.
fn sleep(arguments: &[Value]) -> Answer {
    count("sleep", arguments, 1, 1)?;
    let seconds = as_float(&arguments[0])
        .filter(|seconds| (0.0..1e9).contains(seconds))
        .ok_or_else(|| wrong("sleep", "a number of seconds", &arguments[0]))?;
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let context = context()?;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || context.interrupted() {
            return Ok(nil());
        }
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}
