//! Dates on the wire, in letters and in search keys.

use imap_codec::imap_types::datetime::{DateTime, NaiveDate};
use jiff::{Timestamp, Zoned, civil::Date, tz::Offset};

/// `"13-Sep-1999 11:36:26 -0700"`, the quotes included (RFC 3501 9, `date-time`).
pub(crate) fn internal_date(date: &Zoned) -> String {
    date.strftime("\"%e-%b-%Y %H:%M:%S %z\"").to_string()
}

/// The date of an APPEND, in its own time zone.
pub(crate) fn from_command(date: &DateTime) -> Option<Zoned> {
    let date = date.as_ref();
    let timestamp = Timestamp::from_second(date.timestamp()).ok()?;
    let offset = Offset::from_seconds(date.offset().local_minus_utc()).ok()?;
    Some(timestamp.to_zoned(offset.to_time_zone()))
}

/// The day of a search key.
pub(crate) fn search_day(date: &NaiveDate) -> Option<Date> {
    date.as_ref().to_string().parse().ok()
}

/// The day a Date field names, whatever its time and zone (RFC 3501 6.4.4, SENTON).
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

/// The moment a Date field names, for letters that are imported without another date.
pub(crate) fn sent_moment(value: &[u8]) -> Option<Zoned> {
    let text = std::str::from_utf8(value).ok()?;
    let date = mail_parser::DateTime::parse_rfc822(text)?;
    let sign = if date.tz_before_gmt { -1 } else { 1 };
    let seconds = sign * (i32::from(date.tz_hour) * 3600 + i32::from(date.tz_minute) * 60);
    let offset = Offset::from_seconds(seconds).ok()?;
    Some(Timestamp::from_second(date.to_timestamp()).ok()?.to_zoned(offset.to_time_zone()))
}

#[cfg(test)]
mod tests {
    use super::{internal_date, sent_day, sent_moment};

    #[test]
    fn a_date_field_gives_a_day_and_a_moment() {
        let value = b"Mon, 13 Sep 1999 23:36:26 -0700";
        assert_eq!(sent_day(value).unwrap().to_string(), "1999-09-13");
        assert_eq!(internal_date(&sent_moment(value).unwrap()), "\"13-Sep-1999 23:36:26 -0700\"");
        let early = sent_moment(b"Wed, 1 Sep 1999 01:02:03 +0000").unwrap();
        assert_eq!(internal_date(&early), "\" 1-Sep-1999 01:02:03 +0000\"");
        assert!(sent_day(b"yesterday").is_none());
    }
}
