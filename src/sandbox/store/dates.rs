//! Reads the Date field of a letter.

use jiff::{Timestamp, Zoned, civil::Date, tz::Offset};

/// The day in a Date field, without regard to its time and zone (SENTON, RFC 3501 6.4.4).
pub(crate) fn sent_day(value: &[u8]) -> Option<Date> {
    let text = std::str::from_utf8(value).ok()?;
    let date = mail_parser::DateTime::parse_rfc822(text)?;
    Date::new(
        i16::try_from(date.year).ok()?,
        i8::try_from(date.month).ok()?,
        i8::try_from(date.day).ok()?,
    )
    .ok()
}

/// The moment in a Date field, for imported letters that have no other date.
pub(crate) fn sent_moment(value: &[u8]) -> Option<Zoned> {
    let text = std::str::from_utf8(value).ok()?;
    let date = mail_parser::DateTime::parse_rfc822(text)?;
    let sign = if date.tz_before_gmt { -1 } else { 1 };
    let seconds = sign * (i32::from(date.tz_hour) * 3600 + i32::from(date.tz_minute) * 60);
    let offset = Offset::from_seconds(seconds).ok()?;
    Some(Timestamp::from_second(date.to_timestamp()).ok()?.to_zoned(offset.to_time_zone()))
}
