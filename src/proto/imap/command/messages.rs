//! Commands about the messages of the selected mailbox: searching, fetching, flags, copying,
//! moving and removing.

use super::super::encode::Encoder;
use super::super::flag::Flag;
use super::super::items::FetchItems;
use super::super::messages::Messages;
use super::super::ordering::{SortCriterion, ThreadAlgorithm, encode_criteria};
use super::super::returning::Returns;
use super::super::search::SearchKey;
use super::super::sequence::SequenceSet;
use super::super::verb::Verb;
use super::{Built, Command};
use crate::proto::deed::{Act, Change, Letters};
use crate::proto::error::EncodeError;

/// How STORE changes flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// The flags become exactly these.
    Replace,
    /// These flags are added.
    Add,
    /// These flags are removed.
    Remove,
}

impl Command {
    /// EXPUNGE (6.4.3).
    pub fn expunge() -> Command {
        Command::plain(Verb::Expunge).changing(Change::of_selected(Letters::Marked, Act::Expunge))
    }

    /// UID EXPUNGE (RFC 4315 2.1): expunges only these messages, if they are marked `\Deleted`.
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set; the same holds for every command on messages.
    pub fn uid_expunge(uids: &SequenceSet) -> Built {
        let messages = Messages::Uids(uids.clone());
        Command::on(Verb::Expunge, &messages, |_| Ok(()))
            .map(|command| command.changing_its_messages(Act::Expunge))
    }

    /// SEARCH, or UID SEARCH if `uid` (6.4.4).
    ///
    /// # Errors
    /// [`EncodeError`] for a key that [`SearchKey::encode`] refuses.
    pub fn search(key: &SearchKey, uid: bool) -> Built {
        // SEARCH addresses no messages; the empty set records what the numbers of its answer mean.
        let messages = Messages::new(SequenceSet::new(), uid);
        Command::encoded(Verb::Search, Some(messages), |to| encode_search(key, to))
    }

    /// SEARCH with RETURN (RFC 4731 3.1), or UID SEARCH if `uid`. The server must offer ESEARCH.
    ///
    /// # Errors
    /// As [`Command::search`], and for what [`Returns::encode`] refuses.
    pub fn search_returning(key: &SearchKey, uid: bool, returns: &Returns) -> Built {
        let messages = Messages::new(SequenceSet::new(), uid);
        let command = Command::encoded(Verb::Search, Some(messages), |to| {
            returns.encode(to)?;
            encode_search(key, to)
        })?;
        Ok(Command { is_correlated: true, ..command })
    }

    /// SORT, or UID SORT if `uid` (RFC 5256 BASE.6.4.SORT). Texts are sent as UTF-8, which every
    /// server with SORT knows.
    ///
    /// # Errors
    /// As [`Command::search`], and for no criteria.
    pub fn sort(criteria: &[SortCriterion], key: &SearchKey, uid: bool) -> Built {
        let messages = Messages::new(SequenceSet::new(), uid);
        Command::encoded(Verb::Sort, Some(messages), |to| {
            encode_criteria(criteria, to)?;
            encode_keys(key, to.word("UTF-8"))
        })
    }

    /// THREAD, or UID THREAD if `uid` (RFC 5256 BASE.6.4.THREAD).
    ///
    /// # Errors
    /// As [`Command::search`].
    pub fn thread(algorithm: ThreadAlgorithm, key: &SearchKey, uid: bool) -> Built {
        let messages = Messages::new(SequenceSet::new(), uid);
        Command::encoded(Verb::Thread, Some(messages), |to| {
            encode_keys(key, to.word(algorithm.name()).word("UTF-8"))
        })
    }

    /// FETCH (6.4.5).
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set.
    pub fn fetch(messages: &Messages, items: &FetchItems) -> Built {
        let command = Command::on(Verb::Fetch, messages, |to| {
            to.raw_text("fetch items", &items.to_string()).map(drop)
        })?;
        Ok(if items.marks_seen() { command.changing_its_messages(Act::MarkSeen) } else { command })
    }

    /// FETCH of the messages that have changed since a mod-sequence (RFC 7162 3.1.4.1).
    ///
    /// # Errors
    /// As [`Command::fetch`].
    pub fn fetch_changed_since(messages: &Messages, items: &FetchItems, modseq: u64) -> Built {
        let command = Command::on(Verb::Fetch, messages, |to| {
            to.raw_text("fetch items", &items.to_string())?.list(|inside| {
                inside.word("CHANGEDSINCE").number(modseq);
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(if items.marks_seen() { command.changing_its_messages(Act::MarkSeen) } else { command })
    }

    /// STORE (6.4.6). With `silent` the server does not report the new flags.
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set.
    pub fn store(messages: &Messages, mode: StoreMode, flags: &[Flag], silent: bool) -> Built {
        Command::store_unchanged_since(messages, mode, flags, silent, None)
    }

    /// STORE that leaves messages alone which have changed since a mod-sequence, if one is given
    /// (RFC 7162 3.1.3).
    ///
    /// # Errors
    /// As [`Command::store`].
    pub fn store_unchanged_since(
        messages: &Messages,
        mode: StoreMode,
        flags: &[Flag],
        silent: bool,
        unchanged_since: Option<u64>,
    ) -> Built {
        let item = match (mode, silent) {
            (StoreMode::Replace, false) => "FLAGS",
            (StoreMode::Replace, true) => "FLAGS.SILENT",
            (StoreMode::Add, false) => "+FLAGS",
            (StoreMode::Add, true) => "+FLAGS.SILENT",
            (StoreMode::Remove, false) => "-FLAGS",
            (StoreMode::Remove, true) => "-FLAGS.SILENT",
        };
        let act = Act::StoreFlags { mode, flags: flags.to_vec(), unchanged_since };
        Command::on(Verb::Store, messages, |to| {
            if let Some(modseq) = unchanged_since {
                to.list(|inside| {
                    inside.word("UNCHANGEDSINCE").number(modseq);
                    Ok(())
                })?;
            }
            to.word(item).flags(flags).map(drop)
        })
        .map(|command| command.changing_its_messages(act))
    }

    /// STORE of labels (Gmail's X-GM-EXT-1). A label that begins with `\` is one of the system, such
    /// as `\Important`.
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set, and for a label that cannot be sent.
    pub fn store_labels(messages: &Messages, mode: StoreMode, labels: &[String]) -> Built {
        let item = match mode {
            StoreMode::Replace => "X-GM-LABELS",
            StoreMode::Add => "+X-GM-LABELS",
            StoreMode::Remove => "-X-GM-LABELS",
        };
        let act = Act::StoreLabels { mode, labels: labels.to_vec() };
        Command::on(Verb::Store, messages, |to| {
            let label = |inside: &mut Encoder, label: &String| {
                if label.starts_with('\\') {
                    inside.flag(&Flag::new(label)?);
                    return Ok(());
                }
                inside.label("label", label).map(drop)
            };
            to.word(item)
                .list(|inside| labels.iter().try_for_each(|one| label(inside, one)))
                .map(drop)
        })
        .map(|command| command.changing_its_messages(act))
    }

    /// COPY (6.4.7).
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set, and for a name that cannot be sent.
    pub fn copy(messages: &Messages, destination: &str) -> Built {
        let act = Act::Copy { to: destination.to_owned() };
        Command::on(Verb::Copy, messages, |to| to.mailbox(destination).map(drop))
            .map(|command| command.changing_its_messages(act))
    }

    /// MOVE (RFC 6851).
    ///
    /// # Errors
    /// As [`Command::copy`].
    pub fn move_to(messages: &Messages, destination: &str) -> Built {
        let act = Act::Move { to: destination.to_owned() };
        Command::on(Verb::Move, messages, |to| to.mailbox(destination).map(drop))
            .map(|command| command.changing_its_messages(act))
    }

    pub(super) fn changing_its_messages(self, act: Act) -> Command {
        let letters = self.messages.clone().map_or(Letters::None, Letters::Messages);
        self.changing(Change::of_selected(letters, act))
    }
}

/// Adds the charset, if one is needed, and the keys of a search.
fn encode_search(key: &SearchKey, to: &mut Encoder) -> Result<(), EncodeError> {
    if key.needs_charset() {
        to.charset();
    }
    encode_keys(key, to)
}

fn encode_keys(key: &SearchKey, to: &mut Encoder) -> Result<(), EncodeError> {
    match key {
        // The outermost AND needs no parentheses, and some servers reject them.
        SearchKey::And(keys) if !keys.is_empty() => keys.iter().try_for_each(|key| key.encode(to)),
        _ => key.encode(to),
    }
}
