//! `mailbox-report`: the statistics of a mailbox, computed while its letters arrive in one FETCH.
//!
//! `answer` reads a response as a letter, `tally` adds it to the sums, `picture` decides what is
//! shown, and `text` and `html` render it. No letter is kept, so memory does not depend on the size
//! of the mailbox.

mod answer;
mod html;
mod picture;
mod tally;
mod text;

use super::files::write_whole;
use super::mailbox::{asked_count, on_mailbox, progress};
use super::sets::{EXPECTED, is_saved, set_or_saved};
use super::tables::print;
use crate::client::{Error, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{FetchItems, Messages, SequenceSet};
use answer::Counted;
use picture::Picture;
use std::num::NonZeroU32;
use tally::{Count, Tally};

/// The default of `:top`: with the other charts it fits a screen.
const TOP: i64 = 10;

/// Runs `(mailbox-report mb :messages '(:seq 1 500) :top 20 :html "inbox.html")`.
pub(super) fn mailbox_report(call: &Call<'_>) -> Result<Value, Condition> {
    // The empty list is the empty set, because a search may find nothing.
    let read = |value| {
        set_or_saved(call, 0, value)?.ok_or_else(|| call.wrong(":messages", EXPECTED, value))
    };
    let messages = call.key("messages").map(read).transpose()?;
    let uid = call.boolean_key("uid") || call.key("messages").is_some_and(is_saved);
    let top = call.key_integer("top", 1..=1_000)?.unwrap_or(TOP);
    let path = call.key_string("html")?;
    if let Some(path) = path {
        call.writable(path)?; // checked before the server is asked
    }
    let (mailbox, tally) = count(call, messages, uid)?;
    let picture = Picture::of(&mailbox, &tally, usize::try_from(top).unwrap_or(0)); // at most 1,000
    if let Some(path) = path {
        let today = jiff::Zoned::now().date().to_string();
        write_whole(call, path, html::page(&picture, &today).as_bytes(), false)?;
    }
    print(call, &text::text(&picture))?;
    Ok(call.values(vec![totals(&picture), details(&picture, &tally)]))
}

/// Returns the name of the selected mailbox and the sums over its letters.
fn count(
    call: &Call<'_>,
    messages: Option<SequenceSet>,
    uid: bool,
) -> Result<(String, Tally), Condition> {
    on_mailbox(call, |client| {
        let messages = messages.map_or_else(|| every_message(client), Ok)?;
        let messages = Messages::new(messages, uid);
        let (mut tally, mut counted) = (Tally::default(), Counted::default());
        let progress = progress(call);
        progress.expect_messages(asked_count(client, &messages));
        if !messages.is_empty() {
            client.fetch(&messages, &FetchItems::parse(answer::ITEMS)?, &mut |data| {
                if let Some((number, letter)) = answer::read(data, uid)?
                    && counted.insert(number)
                {
                    tally.add(letter);
                    progress.message();
                }
                Ok(())
            })?;
        }
        Ok((client.selected().map(|selected| selected.name.clone()).unwrap_or_default(), tally))
    })
}

/// Returns `1:*`, or the empty set for an empty mailbox, where servers disagree about `1:*`.
fn every_message(client: &mut ImapClient) -> Result<SequenceSet, Error> {
    let is_empty =
        |client: &ImapClient| client.selected().is_some_and(|selected| selected.exists == 0);
    if is_empty(client) {
        client.noop()?; // letters may have arrived since
    }
    let mut every = SequenceSet::new();
    if !is_empty(client) {
        every.push_range(Bound::Number(NonZeroU32::MIN), Bound::Last);
    }
    Ok(every)
}

/// Returns the first value: the totals, few enough to leave the picture in view.
fn totals(picture: &Picture) -> Value {
    let day = |day: Option<tally::Day>| {
        day.map_or_else(host::nil, |day| host::string(picture::date(day)))
    };
    plist(vec![
        ("name", host::string(&picture.mailbox)),
        ("messages", number(picture.all.letters)),
        ("bytes", number(picture.all.bytes)),
        ("unseen", number(picture.unseen)),
        ("senders", number(picture.senders)),
        ("first", day(picture.days.map(|(first, _)| first))),
        ("last", day(picture.days.map(|(_, last)| last))),
    ])
}

/// Returns the second value: the data of the charts. It has every month, even if the chart shows
/// years.
fn details(picture: &Picture, tally: &Tally) -> Value {
    let entry = |first: Vec<Value>, count: Count| {
        let counts = [number(count.letters), number(count.bytes)];
        host::list(first.into_iter().chain(counts).collect())
    };
    let senders =
        picture.charts.first().into_iter().flat_map(|chart| &chart.rows).filter(|row| !row.is_rest);
    let sender = |row: &picture::Row| {
        entry(
            vec![
                host::string(&row.label),
                row.name.as_deref().map_or_else(host::nil, host::string),
            ],
            row.count,
        )
    };
    let month = |((year, month), count): (&(u16, u8), &Count)| {
        entry(vec![host::string(format!("{year:04}-{month:02}"))], *count)
    };
    let size = |(start, count): (&u64, &Count)| entry(vec![number(*start)], *count);
    plist(vec![
        ("senders", host::list(senders.map(sender).collect())),
        ("months", host::list(tally.months.iter().map(month).collect())),
        ("sizes", host::list(tally::CLASSES.iter().zip(&tally.sizes).map(size).collect())),
    ])
}

fn plist(entries: Vec<(&str, Value)>) -> Value {
    host::list(entries.into_iter().flat_map(|(name, value)| [host::keyword(name), value]).collect())
}

/// Returns a number as an integer of the script. Sums that were capped stay at the largest integer.
fn number(number: u64) -> Value {
    host::integer(i64::try_from(number).unwrap_or(i64::MAX))
}
