//! A real account as the origin of a sandbox.
//!
//! One connection, on which mailboxes are only ever opened by EXAMINE, and whose witness refuses
//! every change. If it is lost, it is made anew once for each question.

use crate::client::{ConnectOptions, Credentials, Error, Fetched, ImapClient};
use crate::proto::imap::search::Date;
use crate::proto::imap::{FetchItems, Messages, SearchKey, SequenceSet, utf7};
use crate::sandbox::{
    Items, Origin, OriginError, Original, OriginalLetter, OriginalName, Separator,
};
use crate::transport::Connector;
use imap_codec::imap_types::datetime::NaiveDate;
use imap_codec::imap_types::search::SearchKey as SandboxKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The account and the way to it.
pub(super) struct RealAccount {
    connection: Mutex<RealConnection>,
}

struct RealConnection {
    client: ImapClient,
    connector: Connector,
    credentials: Credentials,
    options: ConnectOptions,
    /// The UIDVALIDITY of the mailboxes that were opened.
    validities: HashMap<String, u32>,
}

impl fmt::Debug for RealAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RealAccount").finish_non_exhaustive()
    }
}

impl From<Error> for OriginError {
    fn from(error: Error) -> OriginError {
        match &error {
            Error::Refused { completion, .. } => {
                OriginError::Refused(one_line(&completion.words()))
            }
            _ => OriginError::Lost(one_line(&error.to_string())),
        }
    }
}

/// Words that fit into a line of a response.
fn one_line(words: &str) -> String {
    words.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).collect()
}

impl RealAccount {
    /// `client` must have been made by `connector`, whose witness refuses every change.
    pub(super) fn new(
        client: ImapClient,
        connector: Connector,
        credentials: Credentials,
        options: ConnectOptions,
    ) -> RealAccount {
        let validities = HashMap::new();
        let connection = RealConnection { client, connector, credentials, options, validities };
        RealAccount { connection: Mutex::new(connection) }
    }

    fn lock(&self) -> MutexGuard<'_, RealConnection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        self.lock().client.close();
    }
}

impl RealConnection {
    /// Asks, and asks again on a new connection if this one turns out to be lost.
    fn ask<T>(
        &mut self,
        question: impl Fn(&mut RealConnection) -> Result<T, Error>,
    ) -> Result<T, OriginError> {
        let answer = question(self);
        if answer.is_ok() || !self.client.is_closed() {
            return Ok(answer?);
        }
        let RealConnection { connector, credentials, options, .. } = self;
        self.client = self.client.connect_again(connector, credentials, options)?;
        Ok(question(self)?)
    }

    /// Opens a mailbox of this name in modified UTF-7 read-only.
    fn examine(&mut self, mailbox: &str) -> Result<(), Error> {
        let name = utf7::decode(mailbox.as_bytes()).unwrap_or_else(|| mailbox.to_owned());
        let is_open =
            self.client.selected().is_some_and(|open| open.is_open() && open.name == name);
        if !is_open {
            self.client.select(&name, true)?;
        }
        let now = self.client.selected().and_then(|open| open.uid_validity).unwrap_or(0);
        let before = *self.validities.entry(mailbox.to_owned()).or_insert(now);
        if now != before {
            return Err(Error::OtherUidValidity { before, now: Some(now) });
        }
        Ok(())
    }
}

impl Origin for RealAccount {
    fn separator(&self) -> Result<Separator, OriginError> {
        let mut connection = self.lock();
        let first = connection.client.separator()?.and_then(|separator| separator.chars().next());
        Ok(first.map_or(Separator::Flat, Separator::By))
    }

    fn mailboxes(&self) -> Result<Vec<OriginalName>, OriginError> {
        let mut connection = self.lock();
        let listed = connection.client.list("", "*")?;
        let subscribed = connection.client.list_subscribed("", "*")?;
        let is_subscribed =
            |name: &str| subscribed.iter().any(|one| one.name == name && !one.has("\\Noselect"));
        let original = |entry: crate::client::Listed| OriginalName {
            subscribed: is_subscribed(&entry.name),
            selectable: !entry.has("\\Noselect") && !entry.has("\\NonExistent"),
            name: utf7::encode(&entry.name),
            attributes: entry.flags,
        };
        Ok(listed.into_iter().map(original).collect())
    }

    fn open(&self, mailbox: &str) -> Result<Original, OriginError> {
        let items = items("(UID FLAGS INTERNALDATE RFC822.SIZE)")?;
        self.lock().ask(|real| {
            real.examine(mailbox)?;
            let client = &mut real.client;
            client.noop()?;
            let counts = |client: &ImapClient| {
                client.selected().map_or((0, 0), |open| (u64::from(open.exists), open.expunged))
            };
            let (exists, gone) = counts(client);
            let found = client.fetch_all(&Messages::Numbers(SequenceSet::all()), &items)?;
            let selected = client.selected().ok_or(Error::NothingSelected)?;
            let told = found.len();
            let gone = counts(client).1 - gone;
            let mut letters: Vec<OriginalLetter> = found.into_iter().filter_map(original).collect();
            letters.sort_by_key(|letter| letter.uid);
            if letters.len() < told || (told as u64).saturating_add(gone) < exists {
                return Err(Error::Unexpected(
                    "the server leaves out UIDs, dates or letters".to_owned(),
                ));
            }
            let highest = letters.last().map_or(0, |letter| letter.uid);
            Ok(Original {
                uid_validity: selected.uid_validity.unwrap_or(1),
                uid_next: selected.uid_next.unwrap_or(0).max(highest.saturating_add(1)),
                recent: selected.recent as usize,
                letters,
            })
        })
    }

    fn fetch(
        &self,
        mailbox: &str,
        uids: &[u32],
        wanted: &str,
        each: &mut dyn FnMut(u32, Items),
    ) -> Result<(), OriginError> {
        let items = items(wanted)?;
        let messages = Messages::uids(uids.iter().copied());
        let found = self.lock().ask(|real| {
            real.examine(mailbox)?;
            let mut found = Vec::with_capacity(uids.len());
            real.client.fetch_as_sent(&messages, &items, &mut |uid, values| {
                found.push((uid, values));
            })?;
            Ok(found)
        })?;
        found.into_iter().for_each(|(uid, values)| each(uid, values));
        Ok(())
    }

    fn search(
        &self,
        mailbox: &str,
        uids: &[u32],
        key: &SandboxKey<'_>,
    ) -> Result<Vec<u32>, OriginError> {
        let wanted =
            real_key(key).ok_or_else(|| OriginError::Refused("cannot ask for this".into()))?;
        self.lock().ask(|real| {
            real.examine(mailbox)?;
            let among = SearchKey::Uid(uids.iter().copied().collect());
            real.client.uid_search(&SearchKey::And(vec![among, wanted.clone()]))
        })
    }
}

fn items(wanted: &str) -> Result<FetchItems, OriginError> {
    FetchItems::parse(wanted).map_err(|error| OriginError::Refused(one_line(&error.to_string())))
}

fn original(letter: Fetched) -> Option<OriginalLetter> {
    let internal_date = letter.internal_date?;
    let offset = jiff::tz::Offset::from_seconds(internal_date.offset_seconds()).ok()?;
    let moment = jiff::Timestamp::from_second(internal_date.unix_seconds()).ok()?;
    Some(OriginalLetter {
        uid: letter.uid?,
        flags: letter.flags.unwrap_or_default(),
        internal_date: moment.to_zoned(offset.to_time_zone()),
        size: letter.size.unwrap_or(0),
    })
}

/// A key about the text of letters as the client sends it.
fn real_key(key: &SandboxKey<'_>) -> Option<SearchKey> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let day = |date: &NaiveDate| -> Option<Date> {
        let date: jiff::civil::Date = date.as_ref().to_string().parse().ok()?;
        Date::new(
            date.year().try_into().ok()?,
            date.month().try_into().ok()?,
            date.day().try_into().ok()?,
        )
    };
    Some(match key {
        SandboxKey::SentBefore(date) => SearchKey::SentBefore(day(date)?),
        SandboxKey::SentOn(date) => SearchKey::SentOn(day(date)?),
        SandboxKey::SentSince(date) => SearchKey::SentSince(day(date)?),
        SandboxKey::Bcc(value) => SearchKey::Bcc(text(value.as_ref())),
        SandboxKey::Cc(value) => SearchKey::Cc(text(value.as_ref())),
        SandboxKey::From(value) => SearchKey::From(text(value.as_ref())),
        SandboxKey::To(value) => SearchKey::To(text(value.as_ref())),
        SandboxKey::Subject(value) => SearchKey::Subject(text(value.as_ref())),
        SandboxKey::Header(name, value) => {
            SearchKey::Header(text(name.as_ref()), text(value.as_ref()))
        }
        SandboxKey::Body(value) => SearchKey::Body(text(value.as_ref())),
        SandboxKey::Text(value) => SearchKey::Text(text(value.as_ref())),
        _ => return None,
    })
}
