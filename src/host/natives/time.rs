//! Universal times: seconds since 1900-01-01 00:00 UTC.

use std::time::{Duration, Instant};

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil};
use steel::SteelVal;

use super::{Answer, Code, context, count, fail, integer_of, wrong};
use crate::host::value::{Value, as_integer, integer, is_nil, list, nil, truth};

pub(super) const TABLE: &[(&str, Code)] = &[
    ("get-universal-time", |arguments| {
        count("get-universal-time", arguments, 0, 0)?;
        Ok(integer(Timestamp::now().as_second() + UNIX_EPOCH))
    }),
    ("%decode-universal-time", decode),
    ("encode-universal-time", encode),
    ("sleep", sleep),
];

/// 1970-01-01 as a universal time.
const UNIX_EPOCH: i64 = 2_208_988_800;

/// Returns a time zone. Common Lisp counts hours west of Greenwich; `nil` or nothing is the
/// system's.
fn zone(function: &str, value: Option<&Value>) -> Result<TimeZone, steel::SteelErr> {
    match value {
        None => Ok(TimeZone::system()),
        Some(value) if is_nil(value) => Ok(TimeZone::system()),
        Some(value) => {
            let hours = as_integer(value).filter(|hours| (-24..=24).contains(hours));
            let hours = hours
                .ok_or_else(|| wrong(function, "a time zone, hours west from -24 to 24", value))?;
            Ok(TimeZone::fixed(
                Offset::from_seconds(-(hours as i32) * 3600)
                    .map_err(|error| fail(format!("{function}: {error}")))?,
            ))
        }
    }
}

/// Returns second, minute, hour, date, month, year, day (Monday is 0), whether daylight saving time
/// is in effect, and the time zone.
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
    let west = -(info.offset().seconds() / 3600) + i32::from(daylight);
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
    values.extend([truth(daylight), integer(west.into())]);
    Ok(list(values))
}

fn encode(arguments: &[Value]) -> Answer {
    count("encode-universal-time", arguments, 6, 7)?;
    let mut numbers = [0i64; 6];
    for (number, value) in numbers.iter_mut().zip(arguments) {
        *number = integer_of("encode-universal-time", value)?;
    }
    let [second, minute, hour, date, month, year] = numbers;
    let small = |number: i64| i8::try_from(number).unwrap_or(-1);
    let civil = civil::DateTime::new(
        i16::try_from(year).unwrap_or(i16::MIN),
        small(month),
        small(date),
        small(hour),
        small(minute),
        small(second),
        0,
    );
    let zone = zone("encode-universal-time", arguments.get(6))?;
    let zoned = civil
        .and_then(|civil| civil.to_zoned(zone))
        .map_err(|error| fail(format!("encode-universal-time: {error}")))?;
    Ok(integer(zoned.timestamp().as_second() + UNIX_EPOCH))
}

/// Waits, and returns early on an interrupt.
fn sleep(arguments: &[Value]) -> Answer {
    count("sleep", arguments, 1, 1)?;
    let seconds = match &arguments[0] {
        SteelVal::IntV(seconds) => *seconds as f64,
        SteelVal::NumV(seconds) => *seconds,
        SteelVal::Rational(ratio) => f64::from(*ratio.numer()) / f64::from(*ratio.denom()),
        other => return Err(wrong("sleep", "a number of seconds", other)),
    };
    if !(0.0..1e9).contains(&seconds) {
        return Err(wrong("sleep", "a number of seconds", &arguments[0]));
    }
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
