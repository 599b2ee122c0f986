//! The commands, one constructor each, from typed values.

use super::encode::{Encoder, Part};
use super::flag::Flag;
use super::search::SearchKey;
use super::sequence::SequenceSet;
use crate::proto::error::EncodeError;
use crate::proto::sasl::Mechanism;
use crate::proto::secret::Secret;

/// A command that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Command {
    pub(super) name: &'static str,
    pub(super) parts: Vec<Part>,
    pub(super) effect: Effect,
    messages: Option<(SequenceSet, bool)>,
}

/// What a command changes in the session's state when it succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    StartTls,
    LogIn,
    Authenticate,
    Select { name: String, read_only: bool },
    Unselect,
    Idle,
    Logout,
}

/// What STORE does with the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// The flags become exactly these.
    Replace,
    /// These flags are added.
    Add,
    /// These flags are removed.
    Remove,
}

type Built = Result<Command, EncodeError>;

impl Command {
    fn with(
        name: &'static str,
        effect: Effect,
        build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        let mut encoder = Encoder::new(name);
        build(&mut encoder)?;
        Ok(Command { name, parts: encoder.into_parts(), effect, messages: None })
    }

    fn plain(name: &'static str, effect: Effect) -> Command {
        Command { name, parts: Encoder::new(name).into_parts(), effect, messages: None }
    }

    /// The command's name, for messages: `UID FETCH`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn on(mut self, set: &SequenceSet, uid: bool) -> Command {
        self.messages = Some((set.clone(), uid));
        self
    }

    /// The messages that FETCH and STORE are about, and whether by unique ids.
    pub fn messages(&self) -> Option<(&SequenceSet, bool)> {
        self.messages.as_ref().map(|(set, uid)| (set, *uid))
    }

    /// CAPABILITY (RFC 3501 6.1.1).
    pub fn capability() -> Command {
        Command::plain("CAPABILITY", Effect::None)
    }

    /// NOOP (6.1.2).
    pub fn noop() -> Command {
        Command::plain("NOOP", Effect::None)
    }

    /// LOGOUT (6.1.3).
    pub fn logout() -> Command {
        Command::plain("LOGOUT", Effect::Logout)
    }

    /// STARTTLS (6.2.1).
    pub fn starttls() -> Command {
        Command::plain("STARTTLS", Effect::StartTls)
    }

    /// LOGIN (6.2.3).
    ///
    /// # Errors
    /// [`EncodeError`] for NUL and line ends in the user or the password.
    pub fn login(user: &str, password: &Secret) -> Built {
        Command::with("LOGIN", Effect::LogIn, |to| {
            to.string("user", user)?.secret("password", password)?;
            Ok(())
        })
    }

    /// AUTHENTICATE with a mechanism and, where the server takes it in the command (SASL-IR, RFC 4959), its initial response in base 64 (6.2.2).
    pub fn authenticate(mechanism: Mechanism, initial: Option<&Secret>) -> Command {
        let mut command = Command::plain("AUTHENTICATE", Effect::Authenticate);
        let mut push = |text: &str, secret| command.parts.push(Part::text(text, secret));
        push(&format!(" {}", mechanism.name()), false);
        if let Some(initial) = initial {
            push(" ", false);
            push(initial.reveal(), true);
        }
        command
    }

    /// SELECT, or EXAMINE for `read_only` (6.3.1, 6.3.2).
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent; so for all commands with names.
    pub fn select(name: &str, read_only: bool, utf8_names: bool) -> Built {
        let effect = Effect::Select { name: name.to_owned(), read_only };
        Command::with(if read_only { "EXAMINE" } else { "SELECT" }, effect, |to| {
            to.mailbox(name, utf8_names).map(drop)
        })
    }

    /// A command whose only argument is a mailbox name.
    fn on_mailbox(command: &'static str, name: &str, utf8_names: bool) -> Built {
        Command::with(command, Effect::None, |to| to.mailbox(name, utf8_names).map(drop))
    }

    /// CREATE (6.3.3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn create(name: &str, utf8_names: bool) -> Built {
        Command::on_mailbox("CREATE", name, utf8_names)
    }

    /// DELETE (6.3.4).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn delete(name: &str, utf8_names: bool) -> Built {
        Command::on_mailbox("DELETE", name, utf8_names)
    }

    /// RENAME (6.3.5).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn rename(old: &str, new: &str, utf8_names: bool) -> Built {
        Command::with("RENAME", Effect::None, |to| {
            to.mailbox(old, utf8_names)?.mailbox(new, utf8_names).map(drop)
        })
    }

    /// SUBSCRIBE (6.3.6).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn subscribe(name: &str, utf8_names: bool) -> Built {
        Command::on_mailbox("SUBSCRIBE", name, utf8_names)
    }

    /// UNSUBSCRIBE (6.3.7).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn unsubscribe(name: &str, utf8_names: bool) -> Built {
        Command::on_mailbox("UNSUBSCRIBE", name, utf8_names)
    }

    /// LIST, or LSUB for `subscribed` (6.3.8, 6.3.9).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn list(reference: &str, pattern: &str, subscribed: bool, utf8_names: bool) -> Built {
        Command::with(if subscribed { "LSUB" } else { "LIST" }, Effect::None, |to| {
            to.mailbox_pattern(reference, utf8_names)?
                .mailbox_pattern(pattern, utf8_names)
                .map(drop)
        })
    }

    /// STATUS (6.3.10).
    ///
    /// # Errors
    /// [`EncodeError`] for a name or an item that cannot be sent, and for no items.
    pub fn status(name: &str, items: &[String], utf8_names: bool) -> Built {
        if items.is_empty() {
            return Err(EncodeError::new("status items", "at least one item", b""));
        }
        Command::with("STATUS", Effect::None, |to| {
            to.mailbox(name, utf8_names)?.list(|inside| {
                items.iter().try_for_each(|item| inside.atom("status item", item).map(drop))
            })?;
            Ok(())
        })
    }

    /// APPEND (6.3.11); `date` as IMAP writes it, `13-Sep-1999 11:36:26 -0700`.
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent and a letter with NUL.
    pub fn append(
        name: &str,
        flags: &[Flag],
        date: Option<&str>,
        letter: &[u8],
        utf8_names: bool,
    ) -> Built {
        Command::append_with(name, flags, date, utf8_names, |to| {
            to.literal("letter", letter).map(drop)
        })
    }

    /// APPEND of a letter of so many bytes, which [`super::Session::feed`] is given while they are sent. Whoever gives them sees to it that none is NUL.
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent.
    pub fn append_from(
        name: &str,
        flags: &[Flag],
        date: Option<&str>,
        length: u64,
        utf8_names: bool,
    ) -> Built {
        Command::append_with(name, flags, date, utf8_names, |to| {
            to.literal_from_outside(length);
            Ok(())
        })
    }

    fn append_with(
        name: &str,
        flags: &[Flag],
        date: Option<&str>,
        utf8_names: bool,
        letter: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        Command::with("APPEND", Effect::None, |to| {
            to.mailbox(name, utf8_names)?;
            if !flags.is_empty() {
                to.flags(flags)?;
            }
            if let Some(date) = date {
                to.string("date", date)?;
            }
            letter(to)
        })
    }

    /// CLOSE (6.4.2): expunges, then unselects.
    pub fn close() -> Command {
        Command::plain("CLOSE", Effect::Unselect)
    }

    /// UNSELECT (RFC 3691): unselects and expunges nothing.
    pub fn unselect() -> Command {
        Command::plain("UNSELECT", Effect::Unselect)
    }

    /// EXPUNGE (6.4.3).
    pub fn expunge() -> Command {
        Command::plain("EXPUNGE", Effect::None)
    }

    /// UID EXPUNGE (RFC 4315 2.1).
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set; so for all commands on messages.
    pub fn uid_expunge(set: &SequenceSet) -> Built {
        Command::with("UID EXPUNGE", Effect::None, |to| to.sequence_set(set).map(drop))
    }

    /// SEARCH (6.4.4).
    ///
    /// # Errors
    /// [`EncodeError`] for what [`SearchKey::encode`] refuses.
    pub fn search(key: &SearchKey, uid: bool) -> Built {
        Command::with(if uid { "UID SEARCH" } else { "SEARCH" }, Effect::None, |to| {
            if key.needs_charset() {
                to.word("CHARSET").word("UTF-8");
            }
            match key {
                // The outermost list needs no parentheses, and some servers refuse them.
                SearchKey::And(keys) if !keys.is_empty() => {
                    keys.iter().try_for_each(|key| key.encode(to))
                }
                _ => key.encode(to),
            }
        })
    }

    /// FETCH (6.4.5); `items` in IMAP's own notation.
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set and items that are not balanced.
    pub fn fetch(set: &SequenceSet, items: &str, uid: bool) -> Built {
        Command::with(if uid { "UID FETCH" } else { "FETCH" }, Effect::None, |to| {
            to.sequence_set(set)?.raw_text("fetch items", items).map(drop)
        })
        .map(|command| command.on(set, uid))
    }

    /// STORE (6.4.6).
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set.
    pub fn store(
        set: &SequenceSet,
        mode: StoreMode,
        flags: &[Flag],
        silent: bool,
        uid: bool,
    ) -> Built {
        let item = match (mode, silent) {
            (StoreMode::Replace, false) => "FLAGS",
            (StoreMode::Replace, true) => "FLAGS.SILENT",
            (StoreMode::Add, false) => "+FLAGS",
            (StoreMode::Add, true) => "+FLAGS.SILENT",
            (StoreMode::Remove, false) => "-FLAGS",
            (StoreMode::Remove, true) => "-FLAGS.SILENT",
        };
        Command::with(if uid { "UID STORE" } else { "STORE" }, Effect::None, |to| {
            to.sequence_set(set)?.word(item).flags(flags).map(drop)
        })
        .map(|command| command.on(set, uid))
    }

    /// COPY (6.4.7).
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set and names that cannot be sent.
    pub fn copy(set: &SequenceSet, destination: &str, uid: bool, utf8_names: bool) -> Built {
        Command::to_mailbox(if uid { "UID COPY" } else { "COPY" }, set, destination, utf8_names)
    }

    /// MOVE (RFC 6851).
    ///
    /// # Errors
    /// As [`Command::copy`].
    pub fn move_to(set: &SequenceSet, destination: &str, uid: bool, utf8_names: bool) -> Built {
        Command::to_mailbox(if uid { "UID MOVE" } else { "MOVE" }, set, destination, utf8_names)
    }

    fn to_mailbox(
        command: &'static str,
        set: &SequenceSet,
        destination: &str,
        utf8_names: bool,
    ) -> Built {
        Command::with(command, Effect::None, |to| {
            to.sequence_set(set)?.mailbox(destination, utf8_names).map(drop)
        })
    }

    /// IDLE (RFC 2177); [`super::Session::end_idle`] ends it.
    pub fn idle() -> Command {
        Command::plain("IDLE", Effect::Idle)
    }
}
