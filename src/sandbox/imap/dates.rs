//! Converts dates between IMAP commands, answers and `jiff`.

use imap_codec::imap_types::datetime::{DateTime, NaiveDate};
use jiff::{Timestamp, Zoned, civil::Date, tz::Offset};

/// Formats a date as `"13-Sep-1999 11:36:26 -0700"`, including the quotes (RFC 3501 9,
/// `date-time`).
pub(crate) fn internal_date(date: &Zoned) -> String {
    date.strftime("\"%e-%b-%Y %H:%M:%S %z\"").to_string()
}

/// Converts the date of an APPEND, keeping its UTC offset; `None` if `jiff` cannot represent it.
pub(crate) fn from_command(date: &DateTime) -> Option<Zoned> {
    let date = date.as_ref();
    let timestamp = Timestamp::from_second(date.timestamp()).ok()?;
    let offset = Offset::from_seconds(date.offset().local_minus_utc()).ok()?;
    Some(timestamp.to_zoned(offset.to_time_zone()))
}

/// Converts the day of a search key.
pub(crate) fn search_day(date: &NaiveDate) -> Option<Date> {
    date.as_ref().to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::internal_date;
    use crate::sandbox::store::dates::{sent_day, sent_moment};

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
