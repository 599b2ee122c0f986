//! The IMAP commands, one constructor each, built from typed values.
//!
//! A [`Command`] holds its verb, its arguments encoded as parts, its effect on the session's state
//! once it succeeds, the messages it addresses, and the change it makes on the server. Constructors
//! check their arguments, so every [`Command`] can be sent. Commands on messages get the prefix
//! `UID` if the [`Messages`] are UIDs. Section numbers without an RFC are those of RFC 3501.

use super::date::DateTime;
use super::encode::{Encoder, Part, check_name};
use super::flag::Flag;
use super::items::FetchItems;
use super::messages::{MessageId, Messages};
use super::ordering::{SortCriterion, ThreadAlgorithm, encode_criteria};
use super::returning::Returns;
use super::search::SearchKey;
use super::sequence::{Bound, SequenceSet};
use super::utf7;
use super::verb::Verb;
use crate::proto::deed::{Act, Change, Letters};
use crate::proto::error::EncodeError;
use crate::proto::sasl::Mechanism;
use crate::proto::secret::Secret;

/// A command that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Command {
    verb: Verb,
    pub(super) parts: Vec<Part>,
    pub(super) effect: Effect,
    messages: Option<Messages>,
    change: Option<Change>,
    is_correlated: bool,
}

/// The effect of a successful command on the session's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    StartTls,
    LogIn,
    Authenticate,
    Select { name: String, read_only: bool },
    Unselect,
    Enable,
    Idle,
    Logout,
}

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

/// A state of a mailbox that a client remembers (RFC 7162 3.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The UIDVALIDITY.
    pub uid_validity: u32,
    /// The highest mod-sequence; at least 1.
    pub modseq: u64,
    /// The UIDs that the client knows; `None` for all that existed then.
    pub uids: Option<SequenceSet>,
}

type Built = Result<Command, EncodeError>;

impl Command {
    /// Makes a command whose arguments `build` adds.
    fn with(verb: Verb, build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>) -> Built {
        Command::encoded(verb, None, build)
    }

    /// Makes a command on messages; the sequence set is its first argument.
    fn on(
        verb: Verb,
        messages: &Messages,
        build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        Command::encoded(verb, Some(messages.clone()), |to| {
            to.sequence_set(messages.set())?;
            build(to)
        })
    }

    fn encoded(
        verb: Verb,
        messages: Option<Messages>,
        build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        let mut command = Command { messages, ..Command::plain(verb) };
        let mut encoder = Encoder::new(command.name());
        build(&mut encoder)?;
        command.parts = encoder.into_parts();
        Ok(command)
    }

    fn plain(verb: Verb) -> Command {
        let parts = Encoder::new(verb.row().name).into_parts();
        Command {
            verb,
            parts,
            effect: Effect::None,
            messages: None,
            change: None,
            is_correlated: false,
        }
    }

    fn with_effect(self, effect: Effect) -> Command {
        Command { effect, ..self }
    }

    fn changing(self, change: Change) -> Command {
        Command { change: Some(change), ..self }
    }

    /// The command's verb.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// The command's name as it is sent, for example `UID FETCH`.
    pub fn name(&self) -> &'static str {
        let row = self.verb.row();
        if self.by_uid() { row.uid_name.unwrap_or(row.name) } else { row.name }
    }

    /// Returns whether it addresses messages by UID.
    pub fn by_uid(&self) -> bool {
        self.messages.as_ref().is_some_and(Messages::are_uids)
    }

    /// The messages it addresses, if it addresses any. For SEARCH the set is empty and only says
    /// whether the answer's numbers are UIDs.
    pub fn messages(&self) -> Option<&Messages> {
        self.messages.as_ref()
    }

    /// Returns whether its answer is an ESEARCH that names the command's tag (RFC 4731 3.2).
    pub fn is_correlated(&self) -> bool {
        self.is_correlated
    }

    /// The change it makes, as far as its arguments show; `None` if it changes nothing.
    pub fn change(&self) -> Option<&Change> {
        self.change.as_ref()
    }

    /// CAPABILITY (RFC 3501 6.1.1).
    pub fn capability() -> Command {
        Command::plain(Verb::Capability)
    }

    /// NOOP (6.1.2).
    pub fn noop() -> Command {
        Command::plain(Verb::Noop)
    }

    /// LOGOUT (6.1.3).
    pub fn logout() -> Command {
        Command::plain(Verb::Logout).with_effect(Effect::Logout)
    }

    /// STARTTLS (6.2.1).
    pub fn starttls() -> Command {
        Command::plain(Verb::StartTls).with_effect(Effect::StartTls)
    }

    /// COMPRESS DEFLATE (RFC 4978 3). Bytes behind the server's OK are compressed.
    pub fn compress() -> Built {
        Command::with(Verb::Compress, |to| {
            to.atom("mechanism", "DEFLATE")?;
            Ok(())
        })
    }

    /// LOGIN (6.2.3).
    ///
    /// # Errors
    /// [`EncodeError`] for NUL and line ends in the user or the password.
    pub fn login(user: &str, password: &Secret) -> Built {
        Command::with(Verb::Login, |to| {
            to.string("user", user)?.secret("password", password)?;
            Ok(())
        })
        .map(|command| command.with_effect(Effect::LogIn))
    }

    /// AUTHENTICATE with a mechanism and, if the server accepts one in the command (SASL-IR, RFC
    /// 4959), its initial response in base64 (6.2.2).
    pub fn authenticate(mechanism: Mechanism, initial: Option<&Secret>) -> Command {
        let mut command = Command::plain(Verb::Authenticate).with_effect(Effect::Authenticate);
        let mut push = |text: &str, secret| command.parts.push(Part::text(text, secret));
        push(&format!(" {}", mechanism.name()), false);
        if let Some(initial) = initial {
            push(" ", false);
            push(initial.reveal(), true);
        }
        command
    }

    /// SELECT, or EXAMINE if `read_only` (6.3.1, 6.3.2).
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent; the same holds for every command with names.
    pub fn select(name: &str, read_only: bool) -> Built {
        Command::select_with(name, read_only, |_| Ok(()))
    }

    /// SELECT or EXAMINE that switches CONDSTORE on (RFC 7162 3.1.8).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn select_condstore(name: &str, read_only: bool) -> Built {
        Command::select_with(name, read_only, |to| {
            to.list(|inside| {
                inside.word("CONDSTORE");
                Ok(())
            })
            .map(drop)
        })
    }

    /// SELECT or EXAMINE that asks what has changed and vanished since a state (RFC 7162 3.2.5).
    /// QRESYNC must be enabled.
    ///
    /// # Errors
    /// As [`Command::select`]; also for a mod-sequence of 0, and for known UIDs with `*`.
    pub fn select_since(name: &str, read_only: bool, since: &Since) -> Built {
        if since.modseq == 0 {
            return Err(EncodeError::new("mod-sequence", "a number from 1 on", b"0"));
        }
        let is_last = |bound: &Bound| *bound == Bound::Last;
        let uids = since.uids.as_ref().filter(|uids| !uids.is_empty());
        let mut ranges = uids.into_iter().flat_map(SequenceSet::ranges);
        if ranges.any(|(first, last)| is_last(first) || is_last(last)) {
            return Err(EncodeError::new("known unique ids", "a set without *", b"*"));
        }
        Command::select_with(name, read_only, |to| {
            to.list(|parameters| {
                let parameter = |inside: &mut Encoder| {
                    inside.number(since.uid_validity.into()).number(since.modseq);
                    uids.map_or(Ok(()), |uids| inside.sequence_set(uids).map(drop))
                };
                parameters.word("QRESYNC").list(parameter).map(drop)
            })
            .map(drop)
        })
    }

    fn select_with(
        name: &str,
        read_only: bool,
        parameters: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        let effect = Effect::Select { name: name.to_owned(), read_only };
        let verb = if read_only { Verb::Examine } else { Verb::Select };
        let command = Command::with(verb, |to| parameters(to.mailbox(name)?))?.with_effect(effect);
        let change = Change::of(name, Act::TakeRecent);
        Ok(if read_only { command } else { command.changing(change) })
    }

    /// Makes a command whose only argument is a mailbox name.
    fn on_mailbox(verb: Verb, name: &str) -> Built {
        Command::with(verb, |to| to.mailbox(name).map(drop))
    }

    /// CREATE (6.3.3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn create(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Create, name)?;
        Ok(command.changing(Change::of(name, Act::CreateMailbox)))
    }

    /// CREATE of a mailbox with a special use such as `\Sent` (RFC 6154 3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn create_for(name: &str, special_use: &Flag) -> Built {
        let command = Command::with(Verb::Create, |to| {
            to.mailbox(name)?.list(|inside| {
                inside.word("USE").flags(std::slice::from_ref(special_use)).map(drop)
            })?;
            Ok(())
        })?;
        Ok(command.changing(Change::of(name, Act::CreateMailbox)))
    }

    /// DELETE (6.3.4).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn delete(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Delete, name)?;
        Ok(command.changing(Change::of(name, Act::DeleteMailbox)))
    }

    /// RENAME (6.3.5).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn rename(old: &str, new: &str) -> Built {
        let command = Command::with(Verb::Rename, |to| to.mailbox(old)?.mailbox(new).map(drop))?;
        Ok(command.changing(Change::of(old, Act::RenameMailbox { to: new.to_owned() })))
    }

    /// SUBSCRIBE (6.3.6).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn subscribe(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Subscribe, name)?;
        Ok(command.changing(Change::of(name, Act::Subscribe)))
    }

    /// UNSUBSCRIBE (6.3.7).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn unsubscribe(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Unsubscribe, name)?;
        Ok(command.changing(Change::of(name, Act::Unsubscribe)))
    }

    /// LIST, or LSUB if `subscribed` (6.3.8, 6.3.9).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn list(reference: &str, pattern: &str, subscribed: bool) -> Built {
        Command::with(if subscribed { Verb::Lsub } else { Verb::List }, |to| {
            to.mailbox_pattern(reference)?.mailbox_pattern(pattern).map(drop)
        })
    }

    /// LIST with options (RFC 5258 3), of which at least one must be set.
    ///
    /// # Errors
    /// [`EncodeError`] for a reference, a pattern or a status item that cannot be sent.
    pub fn list_extended(reference: &str, pattern: &str, options: &ListOptions) -> Built {
        Command::with(Verb::List, |to| {
            let selecting = [
                (options.only_subscribed, "SUBSCRIBED"),
                (options.only_special_use, "SPECIAL-USE"),
            ];
            if selecting.iter().any(|(is_set, _)| *is_set) {
                to.list(|inside| words(inside, &selecting))?;
            }
            to.mailbox_pattern(reference)?.mailbox_pattern(pattern)?;
            let returning = [(options.children, "CHILDREN"), (options.special_use, "SPECIAL-USE")];
            if options.status.is_empty() && returning.iter().all(|(is_set, _)| !is_set) {
                return Ok(());
            }
            to.word("RETURN").list(|inside| {
                words(inside, &returning)?;
                if !options.status.is_empty() {
                    status_items(inside.word("STATUS"), &options.status)?;
                }
                Ok(())
            })?;
            Ok(())
        })
    }

    /// STATUS (6.3.10).
    ///
    /// # Errors
    /// [`EncodeError`] for a name or an item that cannot be sent, and if there are no items.
    pub fn status(name: &str, items: &[String]) -> Built {
        if items.is_empty() {
            return Err(EncodeError::new("status items", "at least one item", b""));
        }
        Command::with(Verb::Status, |to| status_items(to.mailbox(name)?, items))
    }

    /// APPEND (6.3.11). `date` is the internal date; without it the server uses the current time. A
    /// letter that contains NUL is sent as a literal8, which needs BINARY (RFC 3516 4.4).
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent.
    pub fn append(name: &str, flags: &[Flag], date: Option<DateTime>, letter: &[u8]) -> Built {
        let command =
            Command::with(Verb::Append, |to| whole_letter(to.mailbox(name)?, flags, date, letter))?;
        let (bytes, message_id) = (letter.len() as u64, message_id(letter));
        let act = Act::Append { bytes, flags: flags.to_vec(), message_id };
        Ok(command.changing(Change::of(name, act)))
    }

    /// APPEND of several letters, each with its flags and internal date (MULTIAPPEND, RFC 3502). The
    /// server stores all or none.
    ///
    /// # Errors
    /// As [`Command::append`], and for no letters.
    pub fn append_many(name: &str, letters: &[NewLetter<'_>]) -> Built {
        if letters.is_empty() {
            return Err(EncodeError::new("letters", "at least one letter", b""));
        }
        let command = Command::with(Verb::Append, |to| {
            to.mailbox(name)?;
            letters.iter().try_for_each(|one| whole_letter(to, one.flags, one.date, one.text))
        })?;
        let sizes = letters.iter().map(|one| one.text.len() as u64).collect();
        Ok(command.changing(Change::of(name, Act::AppendMany { sizes })))
    }

    /// REPLACE (RFC 8508 3): stores a letter in the mailbox `name`, and removes a message of the
    /// selected one.
    ///
    /// # Errors
    /// As [`Command::append`].
    pub fn replace(message: MessageId, name: &str, letter: &NewLetter<'_>) -> Built {
        let command = Command::on(Verb::Replace, &message.into(), |to| {
            whole_letter(to.mailbox(name)?, letter.flags, letter.date, letter.text)
        })?;
        let bytes = letter.text.len() as u64;
        Ok(command.changing_its_messages(Act::Replace { to: name.to_owned(), bytes }))
    }

    /// APPEND of a letter of `length` bytes, which [`super::Session::feed`] supplies during
    /// sending. `start` holds its first bytes, with the header. The caller makes sure that none of
    /// its bytes is NUL.
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent.
    pub fn append_from(
        name: &str,
        flags: &[Flag],
        date: Option<DateTime>,
        start: &[u8],
        length: u64,
    ) -> Built {
        let command = Command::with(Verb::Append, |to| {
            letter_with(to.mailbox(name)?, flags, date, start, |to| {
                to.literal_from_outside(length);
                Ok(())
            })
        })?;
        let (flags, message_id) = (flags.to_vec(), message_id(start));
        let act = Act::Append { bytes: length, flags, message_id };
        Ok(command.changing(Change::of(name, act)))
    }

    /// CLOSE (6.4.2): expunges, then leaves the mailbox.
    pub fn close() -> Command {
        Command::plain(Verb::Close)
            .with_effect(Effect::Unselect)
            .changing(Change::of_selected(Letters::Marked, Act::Expunge))
    }

    /// UNSELECT (RFC 3691): leaves the mailbox without expunging.
    pub fn unselect() -> Command {
        Command::plain(Verb::Unselect).with_effect(Effect::Unselect)
    }

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
                check_name("label", label)?;
                inside.string("label", &utf7::encode(label)).map(drop)
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

    fn changing_its_messages(self, act: Act) -> Command {
        let letters = self.messages.clone().map_or(Letters::None, Letters::Messages);
        self.changing(Change::of_selected(letters, act))
    }

    /// GETQUOTAROOT (RFC 9208 4.1.3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn get_quota_root(name: &str) -> Built {
        Command::on_mailbox(Verb::GetQuotaRoot, name)
    }

    /// ID (RFC 2971 3.1) with fields that describe this client, each with or without a value. No
    /// fields at all are sent as NIL, which tells nothing.
    ///
    /// # Errors
    /// [`EncodeError`] for more than RFC 2971 3.3 allows: 30 fields, each once in any case, of 30
    /// octets and with a value of 1,024; and for NUL and line ends.
    pub fn id(fields: &[(String, Option<String>)]) -> Built {
        check_id(fields)?;
        Command::with(Verb::Id, |to| {
            if fields.is_empty() {
                to.word("NIL");
                return Ok(());
            }
            to.list(|inside| {
                fields.iter().try_for_each(|(field, value)| {
                    inside.string("ID field", field)?;
                    match value {
                        Some(value) => inside.string("ID value", value)?,
                        None => inside.word("NIL"),
                    };
                    Ok(())
                })
            })
            .map(drop)
        })
    }

    /// NAMESPACE (RFC 2342 5).
    pub fn namespace() -> Command {
        Command::plain(Verb::Namespace)
    }

    /// MYRIGHTS (RFC 4314 3.5).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn my_rights(name: &str) -> Built {
        Command::on_mailbox(Verb::MyRights, name)
    }

    /// GETACL (RFC 4314 3.3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn get_acl(name: &str) -> Built {
        Command::on_mailbox(Verb::GetAcl, name)
    }

    /// SETACL (RFC 4314 3.1). `rights` are letters and digits; with `+` or `-` before them they are
    /// added or removed.
    ///
    /// # Errors
    /// [`EncodeError`] for a name or an identifier that cannot be sent, and for other rights.
    pub fn set_acl(name: &str, identifier: &str, rights: &str) -> Built {
        let letters = rights.strip_prefix(['+', '-']).unwrap_or(rights);
        if !letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            let expected = "lower-case letters and digits, perhaps after + or -";
            return Err(EncodeError::new("rights", expected, rights.as_bytes()));
        }
        Command::with(Verb::SetAcl, |to| {
            to.mailbox(name)?.astring("identifier", identifier)?.astring("rights", rights)?;
            Ok(())
        })
        .map(|command| command.changing(rights_of(name, identifier, Some(rights))))
    }

    /// DELETEACL (RFC 4314 3.2).
    ///
    /// # Errors
    /// [`EncodeError`] for a name or an identifier that cannot be sent.
    pub fn delete_acl(name: &str, identifier: &str) -> Built {
        Command::with(Verb::DeleteAcl, |to| {
            to.mailbox(name)?.astring("identifier", identifier).map(drop)
        })
        .map(|command| command.changing(rights_of(name, identifier, None)))
    }

    /// GETMETADATA (RFC 5464 4.2) of the mailbox, or of the server if the name is empty. With
    /// `below`, also of all entries below these.
    ///
    /// # Errors
    /// [`EncodeError`] for a mailbox name that cannot be sent, if there are no entries, and for a
    /// name that is none of an entry.
    pub fn get_metadata(name: &str, entries: &[String], below: bool) -> Built {
        if entries.is_empty() {
            return Err(EncodeError::new("metadata entries", "at least one entry", b""));
        }
        Command::with(Verb::GetMetadata, |to| {
            if below {
                to.list(|inside| {
                    inside.word("DEPTH").word("infinity");
                    Ok(())
                })?;
            }
            to.mailbox(name)?.list(|inside| {
                entries.iter().try_for_each(|entry| metadata_entry(inside, entry).map(drop))
            })?;
            Ok(())
        })
    }

    /// SETMETADATA (RFC 5464 4.3) of an entry of the mailbox, or of the server if the name is empty.
    /// `None` removes the entry.
    ///
    /// # Errors
    /// [`EncodeError`] for a mailbox name that cannot be sent, for a name that is none of an entry,
    /// and for a value with NUL.
    pub fn set_metadata(name: &str, entry: &str, value: Option<&str>) -> Built {
        Command::with(Verb::SetMetadata, |to| {
            to.mailbox(name)?.list(|inside| {
                let inside = metadata_entry(inside, entry)?;
                match value {
                    None => inside.word("NIL"),
                    Some(value) if value.contains(['\r', '\n']) => {
                        inside.literal("metadata value", value.as_bytes())?
                    }
                    Some(value) => inside.string("metadata value", value)?,
                };
                Ok(())
            })?;
            Ok(())
        })
        .map(|command| {
            let (entry, value) = (entry.to_owned(), value.map(str::to_owned));
            command.changing(Change::of(name, Act::SetMetadata { entry, value }))
        })
    }

    /// ENABLE (RFC 5161 3.1) of extensions, by their trusted names.
    pub fn enable(extensions: &[&'static str]) -> Command {
        let mut encoder = Encoder::new(Verb::Enable.row().name);
        for extension in extensions {
            encoder.word(extension);
        }
        let command = Command::plain(Verb::Enable).with_effect(Effect::Enable);
        Command { parts: encoder.into_parts(), ..command }
    }

    /// IDLE (RFC 2177); [`super::Session::end_idle`] ends it.
    pub fn idle() -> Command {
        Command::plain(Verb::Idle).with_effect(Effect::Idle)
    }
}

/// The Message-ID of a letter, as its header has it.
fn message_id(letter: &[u8]) -> Option<String> {
    let mut lines =
        letter.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let name = b"message-id:";
    let is_field =
        |line: &&[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let field = lines.find(is_field)?[name.len()..].trim_ascii();
    // A long one may stand on a line of its own (RFC 5322 2.2.3).
    let mut folded =
        || lines.next().filter(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
    let id = if field.is_empty() { folded()?.trim_ascii() } else { field };
    (!id.is_empty()).then(|| String::from_utf8_lossy(id).into_owned())
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

/// Options of LIST (RFC 5258, RFC 5819, RFC 6154).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Only subscribed mailboxes, those that do not exist included.
    pub only_subscribed: bool,
    /// Only mailboxes with a special use.
    pub only_special_use: bool,
    /// Asks whether mailboxes have children.
    pub children: bool,
    /// Asks for the special uses.
    pub special_use: bool,
    /// Asks for these STATUS items; empty for none.
    pub status: Vec<String>,
}

/// Adds the words that are set.
fn words(to: &mut Encoder, words: &[(bool, &'static str)]) -> Result<(), EncodeError> {
    for (_, word) in words.iter().filter(|(is_set, _)| *is_set) {
        to.word(word);
    }
    Ok(())
}

/// A letter that is to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewLetter<'l> {
    /// Its flags.
    pub flags: &'l [Flag],
    /// Its internal date; without it the server uses the current time.
    pub date: Option<DateTime>,
    /// Its bytes.
    pub text: &'l [u8],
}

/// Adds a letter with its flags and date.
fn whole_letter(
    to: &mut Encoder,
    flags: &[Flag],
    date: Option<DateTime>,
    letter: &[u8],
) -> Result<(), EncodeError> {
    if letter.contains(&0) {
        return letter_with(to, flags, date, b"", |to| {
            to.literal8(letter);
            Ok(())
        });
    }
    letter_with(to, flags, date, letter, |to| to.literal("letter", letter).map(drop))
}

/// Adds flags, date, and the letter that `letter` adds. `start` holds its first bytes.
fn letter_with(
    to: &mut Encoder,
    flags: &[Flag],
    date: Option<DateTime>,
    start: &[u8],
    letter: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    if !flags.is_empty() {
        to.flags(flags)?;
    }
    if let Some(date) = date {
        to.date_time(date);
    }
    if has_utf8_header(start) { to.utf8_letter(letter) } else { letter(to) }
}

/// Whether the header of a letter, of which these are the first bytes, is in UTF-8 and not only in
/// ASCII (RFC 6532).
fn has_utf8_header(start: &[u8]) -> bool {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = ends.iter().filter_map(|end| memchr::memmem::find(start, end)).min();
    let header = &start[..end.unwrap_or(start.len())];
    // A character may be cut at the end of the first bytes.
    let is_utf8 = |text: &[u8]| match std::str::from_utf8(text) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    !header.is_ascii() && is_utf8(header)
}

fn status_items(to: &mut Encoder, items: &[String]) -> Result<(), EncodeError> {
    to.list(|inside| items.iter().try_for_each(|item| inside.atom("status item", item).map(drop)))
        .map(drop)
}

fn rights_of(name: &str, identifier: &str, rights: Option<&str>) -> Change {
    let (identifier, rights) = (identifier.to_owned(), rights.map(str::to_owned));
    Change::of(name, Act::SetRights { identifier, rights })
}

/// Adds an entry's name (RFC 5464 4.1).
fn metadata_entry<'e>(to: &'e mut Encoder, entry: &str) -> Result<&'e mut Encoder, EncodeError> {
    let below = ["/private", "/shared"].iter().find_map(|root| {
        let start = entry.get(..root.len()).filter(|start| start.eq_ignore_ascii_case(root))?;
        Some(&entry[start.len()..])
    });
    let is_path = |path: &str| path.is_empty() || path.starts_with('/') && !path.ends_with('/');
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"*%".contains(&byte);
    let is_entry = below.is_some_and(is_path) && !entry.contains("//");
    if !is_entry || !entry.bytes().all(is_plain) {
        let expected = "a path that begins with /private or /shared, without * and %";
        return Err(EncodeError::new("metadata entry", expected, entry.as_bytes()));
    }
    to.astring("metadata entry", entry)
}

/// Checks what a client must not send in ID (RFC 2971 3.3).
fn check_id(fields: &[(String, Option<String>)]) -> Result<(), EncodeError> {
    let refuse = |what, expected, got: &str| Err(EncodeError::new(what, expected, got.as_bytes()));
    if fields.len() > 30 {
        return refuse("ID fields", "at most 30", &fields.len().to_string());
    }
    for (index, (field, value)) in fields.iter().enumerate() {
        if field.len() > 30 {
            return refuse("ID field", "at most 30 octets", field);
        }
        if fields[..index].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(field)) {
            return refuse("ID field", "each field once", field);
        }
        if let Some(value) = value.as_ref().filter(|value| value.len() > 1024) {
            return refuse("ID value", "at most 1024 octets", value);
        }
    }
    Ok(())
}
