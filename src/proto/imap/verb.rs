//! The IMAP commands as a table: what each requires, which commands it may be in flight with, which
//! untagged responses answer it, and whether it can change something on the server.
//!
//! The table keeps pipelining safe. Untagged responses carry no tag, and EXPUNGE shifts message
//! numbers, so a client may send a command early only if no response can be attributed to the wrong
//! command and no number can change its meaning (RFC 9051 5.5). [`Flight::may_follow`] decides that
//! for two commands.

macro_rules! verbs {
    ($($verb:ident)*) => {
        /// A command's verb. `UID FETCH` and `FETCH` are the same verb with different
        /// [`super::Messages`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "each is the command of that name; `Verb::row` describes it")]
        pub enum Verb { $($verb),* }

        impl Verb {
            /// Every verb.
            pub const ALL: &'static [Verb] = &[$(Verb::$verb),*];
        }
    };
}

verbs! {
    Capability Noop Logout StartTls Login Authenticate Select Examine Create Delete Rename
    Subscribe Unsubscribe List Lsub Status Append Close Unselect Expunge Search Sort Thread Fetch
    Store Copy Move Idle GetQuotaRoot Id Compress Namespace MyRights GetAcl SetAcl DeleteAcl
    GetMetadata SetMetadata Enable Replace Notify
}

/// How a command may be pipelined with others (RFC 9051 5.5).
///
/// Two commands are never in flight together if one could change the meaning of the other's message
/// numbers, or if the responses to one could be mistaken for responses to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flight {
    /// Addresses messages by number. The server must not expunge messages while it answers (RFC
    /// 3501 7.4.1).
    Numbers,
    /// Addresses messages by UID. UIDs do not shift.
    Uids,
    /// Concerns no message of the selected mailbox. The server may expunge messages while it
    /// answers.
    Elsewhere,
    /// Addresses no message by number, but changes what other commands depend on, so neither may be
    /// sent while the other is in flight. It may follow an [`Elsewhere`](Flight::Elsewhere)
    /// command.
    Alone,
    /// Addresses messages by number while the server may expunge messages, so it is never in flight
    /// with any other command.
    AloneByNumber,
}

impl Flight {
    /// Returns whether a command of this kind may be sent while one of kind `earlier` is in flight.
    pub fn may_follow(self, earlier: Flight) -> bool {
        match (earlier, self) {
            (Flight::Alone | Flight::AloneByNumber, _) | (_, Flight::AloneByNumber) => false,
            (Flight::Elsewhere, later) => later != Flight::Numbers,
            (earlier, later) => earlier == later,
        }
    }
}

/// When a command changes something on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// It never does.
    Never,
    /// It depends on the arguments and the mailbox: a FETCH may set `\Seen`.
    Sometimes,
    /// It always makes, or tries to make, a change.
    Always,
}

/// Everything known about a verb.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The name as it is sent.
    pub name: &'static str,
    /// The name of the form that takes UIDs, if there is one.
    pub uid_name: Option<&'static str>,
    /// Whether a mailbox must be selected (RFC 3501 3.3).
    pub needs_selected: bool,
    /// How the command may be pipelined if it addresses messages by number, or none at all.
    pub flight: Flight,
    /// The untagged responses that answer it.
    pub answers: &'static [&'static str],
    /// Whether it can change something on the server.
    pub changes: Changes,
}

impl Verb {
    /// Returns the verb's row of the table.
    pub const fn row(self) -> Row {
        use Changes::{Always, Never, Sometimes};
        use Flight::{Alone, AloneByNumber, Elsewhere, Numbers};
        match self {
            Verb::Capability => plain("CAPABILITY", Elsewhere, &["CAPABILITY"], Never),
            Verb::Noop => plain("NOOP", Alone, &[], Never),
            Verb::Logout => plain("LOGOUT", Alone, &[], Never),
            Verb::StartTls => plain("STARTTLS", Alone, &[], Never),
            Verb::Login => plain("LOGIN", Alone, &[], Never),
            Verb::Authenticate => plain("AUTHENTICATE", Alone, &[], Never),
            Verb::Select => plain("SELECT", Alone, &[], Always), // it clears \Recent
            Verb::Examine => plain("EXAMINE", Alone, &[], Never),
            Verb::Create => plain("CREATE", Alone, &[], Always),
            Verb::Delete => plain("DELETE", Alone, &[], Always),
            Verb::Rename => plain("RENAME", Alone, &[], Always),
            Verb::Subscribe => plain("SUBSCRIBE", Alone, &[], Always),
            Verb::Unsubscribe => plain("UNSUBSCRIBE", Alone, &[], Always),
            Verb::List => plain("LIST", Elsewhere, &["LIST"], Never),
            Verb::Lsub => plain("LSUB", Elsewhere, &["LSUB"], Never),
            Verb::Status => plain("STATUS", Elsewhere, &["STATUS"], Never),
            Verb::Append => plain("APPEND", Elsewhere, &[], Always),
            Verb::Close => selected("CLOSE", None, Alone, &[], Sometimes),
            Verb::Unselect => selected("UNSELECT", None, Alone, &[], Never),
            Verb::Expunge => {
                let answers = &["EXPUNGE", "VANISHED"];
                selected("EXPUNGE", Some("UID EXPUNGE"), Alone, answers, Always)
            }
            Verb::Search => {
                let answers = &["SEARCH", "ESEARCH"];
                selected("SEARCH", Some("UID SEARCH"), Numbers, answers, Never)
            }
            Verb::Sort => selected("SORT", Some("UID SORT"), Numbers, &["SORT"], Never),
            Verb::Thread => selected("THREAD", Some("UID THREAD"), Numbers, &["THREAD"], Never),
            Verb::Fetch => selected("FETCH", Some("UID FETCH"), Numbers, &["FETCH"], Sometimes),
            Verb::Store => selected("STORE", Some("UID STORE"), Numbers, &["FETCH"], Always),
            Verb::Copy => selected("COPY", Some("UID COPY"), AloneByNumber, &[], Always),
            Verb::Move => {
                let answers = &["EXPUNGE", "VANISHED"];
                selected("MOVE", Some("UID MOVE"), AloneByNumber, answers, Always)
            }
            Verb::Replace => {
                let answers = &["EXPUNGE", "VANISHED"];
                selected("REPLACE", Some("UID REPLACE"), AloneByNumber, answers, Always)
            }
            Verb::Idle => plain("IDLE", Alone, &[], Never),
            Verb::Compress => plain("COMPRESS", Alone, &[], Never),
            Verb::Enable => plain("ENABLE", Alone, &["ENABLED"], Never),
            Verb::Notify => plain("NOTIFY", Alone, &["STATUS"], Never),
            Verb::Id => plain("ID", Elsewhere, &["ID"], Never),
            Verb::GetQuotaRoot => plain("GETQUOTAROOT", Elsewhere, &["QUOTAROOT", "QUOTA"], Never),
            Verb::Namespace => plain("NAMESPACE", Elsewhere, &["NAMESPACE"], Never),
            Verb::MyRights => plain("MYRIGHTS", Elsewhere, &["MYRIGHTS"], Never),
            Verb::GetAcl => plain("GETACL", Elsewhere, &["ACL"], Never),
            Verb::SetAcl => plain("SETACL", Alone, &[], Always),
            Verb::DeleteAcl => plain("DELETEACL", Alone, &[], Always),
            Verb::GetMetadata => plain("GETMETADATA", Elsewhere, &["METADATA"], Never),
            Verb::SetMetadata => plain("SETMETADATA", Alone, &[], Always),
        }
    }

    /// Returns how the command may be pipelined. With UIDs that is [`Flight::Uids`], unless the
    /// command expunges messages.
    pub fn flight(self, by_uid: bool) -> Flight {
        let row = self.row();
        let removes = matches!(self, Verb::Expunge | Verb::Move | Verb::Replace);
        if by_uid && row.uid_name.is_some() && !removes { Flight::Uids } else { row.flight }
    }

    /// Returns the verb of a command name such as `UID FETCH`; upper case only.
    pub fn named(name: &str) -> Option<Verb> {
        Verb::ALL.iter().copied().find(|verb| {
            let row = verb.row();
            row.name == name || row.uid_name == Some(name)
        })
    }
}

const fn plain(
    name: &'static str,
    flight: Flight,
    answers: &'static [&'static str],
    changes: Changes,
) -> Row {
    Row { name, uid_name: None, needs_selected: false, flight, answers, changes }
}

const fn selected(
    name: &'static str,
    uid_name: Option<&'static str>,
    flight: Flight,
    answers: &'static [&'static str],
    changes: Changes,
) -> Row {
    Row { name, uid_name, needs_selected: true, flight, answers, changes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_verb() {
        for &verb in Verb::ALL {
            let row = verb.row();
            assert_eq!(Verb::named(row.name), Some(verb));
            assert_eq!(row.uid_name.and_then(Verb::named).unwrap_or(verb), verb);
        }
        assert_eq!(Verb::named("UID NOOP"), None);
    }

    #[test]
    fn commands_that_could_be_mistaken_for_each_other_are_not_in_flight_together() {
        let (numbers, uids) = (Verb::Fetch.flight(false), Verb::Fetch.flight(true));
        assert!(numbers.may_follow(Verb::Store.flight(false)));
        assert!(uids.may_follow(Verb::Copy.flight(true)));
        assert!(!numbers.may_follow(uids) && !uids.may_follow(numbers));
        assert!(!numbers.may_follow(Verb::Status.flight(false)));
        assert!(uids.may_follow(Verb::Status.flight(false)));
        assert!(!Verb::Copy.flight(false).may_follow(Verb::Copy.flight(false)));
        assert!(!Verb::Expunge.flight(true).may_follow(uids));
        assert!(!numbers.may_follow(Verb::Noop.flight(false)));
        assert!(Verb::Select.flight(false).may_follow(Verb::List.flight(false)));
        assert!(!Verb::Copy.flight(false).may_follow(Verb::List.flight(false)));
        assert!(!Verb::Select.flight(false).may_follow(numbers));
    }
}
