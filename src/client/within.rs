//! OLDER and YOUNGER (RFC 5032) on servers without WITHIN.
//!
//! Searches by date compare days, and each letter's day is that of the zone in which its internal
//! date is written. So the key is replaced by one for the days that are surely on one side, and the
//! UIDs of those letters near the limit that are on the same side, by their internal dates.

use super::error::Error;
use super::imap::ImapClient;
use crate::proto::imap::search::Date;
use crate::proto::imap::{FetchItems, Messages, SearchKey, SequenceSet};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

impl ImapClient {
    /// Returns a key that finds the same, and that the server understands. Asks the server about
    /// letters near the limits, unless it offers WITHIN.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of Gmail's keys elsewhere; as [`ImapClient::search`], if the
    /// server is asked.
    pub fn understood<'k>(&mut self, key: &'k SearchKey) -> Result<Cow<'k, SearchKey>, Error> {
        self.check_search_key(key)?;
        let key = match self.is_rev2()? {
            true => Cow::Owned(key.without_recent()),
            false => Cow::Borrowed(key),
        };
        if self.capabilities().has("WITHIN") || !key.has_age() {
            return Ok(key);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        self.by_day(&key, now).map(Cow::Owned)
    }

    fn by_day(&mut self, key: &SearchKey, now: i64) -> Result<SearchKey, Error> {
        match key {
            SearchKey::And(keys) | SearchKey::Or(keys) => {
                let all = keys.iter().map(|key| self.by_day(key, now)).collect::<Result<_, _>>()?;
                let is_and = matches!(key, SearchKey::And(_));
                Ok(if is_and { SearchKey::And(all) } else { SearchKey::Or(all) })
            }
            SearchKey::Not(key) => Ok(SearchKey::Not(Box::new(self.by_day(key, now)?))),
            SearchKey::Older(seconds) => self.before(now, *seconds),
            // RFC 5032 3: a letter is either older or younger.
            SearchKey::Younger(seconds) => {
                Ok(SearchKey::Not(Box::new(self.before(now, *seconds)?)))
            }
            key => Ok(key.clone()),
        }
    }

    /// The key for letters that arrived more than so many seconds ago.
    fn before(&mut self, now: i64, seconds: u64) -> Result<SearchKey, Error> {
        let limit = now.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX));
        let day = limit.div_euclid(DAY);
        // Zones are less than a day away from UTC.
        let (Some(surely), Some(surely_not)) = (date(day - 1), date(day + 2)) else {
            return Ok(SearchKey::Or(Vec::new())); // no letter is so old
        };
        let near = SearchKey::And(vec![SearchKey::Since(surely), SearchKey::Before(surely_not)]);
        let near = Messages::uids(self.uid_search(&near)?);
        let mut before = SequenceSet::new();
        for letter in self.fetch_all(&near, &FetchItems::parse("(UID INTERNALDATE)")?)? {
            let arrived = letter.internal_date.map(|date| date.unix_seconds());
            let uid = letter.uid.and_then(std::num::NonZeroU32::new);
            if let Some(uid) = uid.filter(|_| arrived.is_some_and(|arrived| arrived < limit)) {
                before.push(uid);
            }
        }
        let surely = SearchKey::Before(surely);
        Ok(match before.is_empty() {
            true => surely,
            false => SearchKey::Or(vec![surely, SearchKey::Uid(before)]),
        })
    }
}

/// The day so many days after 1970-01-01; `None` before the year 1.
fn date(days: i64) -> Option<Date> {
    let days = jiff::Span::new().try_days(days).ok()?;
    let date = jiff::civil::date(1970, 1, 1).checked_add(days).ok()?;
    let part = |part: i8| u8::try_from(part).ok();
    Date::new(u16::try_from(date.year()).ok()?, part(date.month())?, part(date.day())?)
}
