//! One client's session: its state (RFC 3501 3), the loop that answers commands, and helpers that
//! all commands share.
//!
//! The loop reads one command at a time, executes it, and finishes it in a fixed order:
//!
//! 1. The command appends its untagged data to `out`.
//! 2. Pending changes of the selected mailbox are appended, but EXPUNGE responses not after FETCH,
//!    STORE, SEARCH, SORT and THREAD by message number (RFC 3501 7.4.1), and then the news of other
//!    mailboxes that NOTIFY asks for.
//! 3. Lines queued by `Sandbox::say` follow.
//! 4. The tagged OK, NO or BAD ends the answer, and `out` is sent.
//!
//! Commands hold the store's lock only to read or change mail, never while they write to the
//! socket.
//!
//! | state | entered by | left by |
//! |---|---|---|
//! | `NotAuthenticated` | the greeting | LOGIN, AUTHENTICATE |
//! | `Authenticated` | login, or leaving a mailbox | SELECT, EXAMINE |
//! | `Selected` | SELECT, EXAMINE | CLOSE, UNSELECT, DELETE of it, any SELECT or EXAMINE |
//! | `Logout` | LOGOUT, a fatal refusal, ten bad commands, a mailbox deleted by others | the end |

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use imap_codec::imap_types::command::{Command, CommandBody};

use crate::sandbox::imap::condstore::Resync;
use crate::sandbox::imap::framing::{Frame, Framing};
use crate::sandbox::imap::news::Watch;
use crate::sandbox::imap::objects::Extra;
use crate::sandbox::imap::own::Own;
use crate::sandbox::imap::selected::Selected;
use crate::sandbox::imap::utf8::Utf8;
use crate::sandbox::received::Received;
use crate::sandbox::smtp::Delivery;
use crate::sandbox::store::names;
use crate::sandbox::wire::{Incoming, Transport};
use crate::sandbox::{Extension, Extensions, PopExtensions, SmtpExtensions, Store};

/// After this many bad commands in a row the client cannot be speaking IMAP.
const BAD_LIMIT: u32 = 10;

/// Output is sent once this many bytes are buffered.
const FLUSH_SIZE: usize = 64 * 1024;

/// The state that all sessions of a sandbox share.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    /// Those of connections that are made from now on.
    pub(crate) extensions: Mutex<Extensions>,
    pub(crate) pop: PopExtensions,
    pub(crate) smtp: SmtpExtensions,
    pub(crate) delivery: Delivery,
    pub(crate) received: Received,
    /// Responses to send before the next tagged reply.
    pub(crate) sayings: Mutex<Vec<String>>,
    /// Letters to deliver when a client waits for some, each with its user and mailbox.
    pub(crate) awaited: Mutex<VecDeque<(String, String, Vec<u8>)>>,
}

/// Numbers the sessions, so that each can tell its own changes from others'. No session has number
/// 0.
static SESSIONS: AtomicU64 = AtomicU64::new(1);

pub(crate) fn next_session() -> u64 {
    SESSIONS.fetch_add(1, Ordering::Relaxed)
}

/// The connection's state (RFC 3501 3): the user, and the view of the selected mailbox.
pub(crate) enum State {
    NotAuthenticated,
    Authenticated(String),
    Selected(String, Selected),
    Logout,
}

/// The text of a tagged OK, including its response code if it has one.
pub(crate) type Done = String;

/// Why a command fails: a tagged NO or BAD, or a broken connection.
#[derive(Debug)]
pub(crate) enum Refusal {
    No(String),
    Bad(String),
    /// The connection failed; no answer can be sent.
    Broken(io::Error),
}

pub(crate) type Outcome = Result<Done, Refusal>;

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Broken(error)
    }
}

/// Refuses a command with a tagged NO.
pub(crate) fn no<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::No(text.into()))
}

/// Refuses a command with a tagged BAD.
pub(crate) fn bad<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Bad(text.into()))
}

/// An IMAP connection.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) extensions: Extensions,
    pub(crate) framing: Framing,
    pub(crate) incoming: Arc<Incoming>,
    pub(crate) acceptor: native_tls::TlsAcceptor,
    pub(crate) state: State,
    pub(crate) number: u64,
    pub(crate) out: Vec<u8>,
    /// What the client has switched on.
    pub(crate) resync: Resync,
    pub(crate) utf8: Utf8,
    /// The tag of the command that runs.
    pub(crate) tag: String,
    bad_in_a_row: u32,
    /// The items of the FETCH that runs which `imap-codec` does not decode.
    pub(crate) extras: Vec<Extra>,
    /// What the client watches, after its first NOTIFY.
    pub(crate) watch: Option<Watch>,
    /// Whether the command that runs removes letters itself.
    removes: bool,
}

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        transport: Transport,
        incoming: Arc<Incoming>,
        acceptor: native_tls::TlsAcceptor,
    ) -> Session {
        let extensions = *shared.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        Session {
            framing: Framing::new(transport, extensions),
            shared,
            extensions,
            incoming,
            acceptor,
            state: State::NotAuthenticated,
            number: next_session(),
            out: Vec::new(),
            resync: Resync::default(),
            utf8: Utf8::default(),
            tag: String::new(),
            bad_in_a_row: 0,
            extras: Vec::new(),
            watch: None,
            removes: false,
        }
    }

    /// Greets the client and answers commands until it logs out or disconnects.
    pub(crate) fn run(mut self) {
        // An error means that the client has disconnected, so there is nobody to answer.
        let _ = self.serve();
        self.leave_mailbox();
        self.framing.lines.transport.close();
    }

    fn serve(&mut self) -> io::Result<()> {
        let encrypted = self.framing.lines.transport.is_encrypted();
        let capabilities = self.extensions.of_greeting(encrypted);
        self.untagged(&format!("OK [CAPABILITY {capabilities}] Sandbox ready."));
        self.flush()?;
        while !matches!(self.state, State::Logout) {
            self.tell_until_command()?;
            if matches!(self.state, State::Logout) {
                break; // the selected mailbox was deleted
            }
            match self.framing.read_command()? {
                Frame::End => return Ok(()),
                Frame::Command(command) => {
                    self.bad_in_a_row = 0;
                    self.shared.received.note(&command.body);
                    self.answer(command)?;
                }
                Frame::Own(tag, command) => {
                    self.bad_in_a_row = 0;
                    self.shared.received.note_text(format!("{command:?}"));
                    self.tag.clone_from(&tag);
                    let expunge = !command.uses_numbers();
                    let outcome = self.execute_own(command);
                    self.finish(&tag, outcome, expunge)?;
                }
                Frame::Refused { tag, answer, fatal } => {
                    self.out.extend_from_slice(format!("{tag} {answer}\r\n").as_bytes());
                    self.bad_in_a_row += u32::from(answer.starts_with("BAD"));
                    if fatal || self.bad_in_a_row >= BAD_LIMIT {
                        self.untagged(if fatal {
                            "BYE Cannot go on after this."
                        } else {
                            "BYE Too many bad commands."
                        });
                        self.state = State::Logout;
                    }
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, command: Command<'static>) -> io::Result<()> {
        let tag = command.tag.inner().to_owned();
        // RFC 3501 7.4.1: no EXPUNGE while message numbers are in use.
        let expunge = !matches!(
            command.body,
            CommandBody::Fetch { uid: false, .. }
                | CommandBody::Store { uid: false, .. }
                | CommandBody::Search { uid: false, .. }
                | CommandBody::Sort { uid: false, .. }
                | CommandBody::Thread { uid: false, .. }
        );
        let starttls = matches!(command.body, CommandBody::StartTLS);
        let compress = matches!(command.body, CommandBody::Compress { .. });
        self.tag.clone_from(&tag);
        let outcome = self.execute(command.body);
        let accepted = outcome.is_ok();
        if starttls && accepted {
            // Discard pipelined plain-text commands before the OK that starts TLS.
            self.framing.lines.discard_incoming();
        }
        self.finish(&tag, outcome, expunge)?;
        if starttls && accepted {
            self.framing.lines.transport.accept_tls(&self.acceptor)?;
        }
        if compress && accepted {
            self.framing.lines.compress();
        }
        Ok(())
    }

    /// Announces changes, then sends the tagged response.
    fn finish(&mut self, tag: &str, outcome: Outcome, expunge: bool) -> io::Result<()> {
        let outcome = match outcome {
            Err(Refusal::Broken(error)) => return Err(error),
            outcome => outcome,
        };
        if let Some(words) = self.origin_failure() {
            self.out.clear();
            self.untagged(&format!("BYE [UNAVAILABLE] {words}"));
            self.state = State::Logout;
            return self.flush();
        }
        self.announce(expunge);
        self.removes = false;
        for saying in
            std::mem::take(&mut *self.shared.sayings.lock().unwrap_or_else(PoisonError::into_inner))
        {
            self.out.extend_from_slice(saying.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
        let line = match outcome {
            Ok(text) => format!("{tag} OK {text}\r\n"),
            Err(Refusal::No(text)) => format!("{tag} NO {text}\r\n"),
            Err(Refusal::Bad(text)) => format!("{tag} BAD {text}\r\n"),
            Err(Refusal::Broken(error)) => return Err(error),
        };
        self.out.extend_from_slice(line.as_bytes());
        self.flush()
    }

    /// Announces the selected mailbox's changes, EXPUNGE responses only if `expunge`. Ends the
    /// session with BYE if the mailbox was deleted.
    pub(crate) fn sync(&mut self, expunge: bool) {
        let State::Selected(_, view) = &mut self.state else { return };
        let told = self.watch.as_ref().map(|watch| watch.wishes.selected.as_ref());
        view.tells_flags = told.is_none_or(|told| told.is_some_and(|told| told.flags));
        // Of its own commands a client wants to know what they do.
        let is_silent = matches!(told, Some(None)) && !self.removes;
        let mut state = self.shared.store.lock();
        match state.mailbox_mut(view.id) {
            Some(_) if is_silent => {}
            Some(mailbox) => view.sync(mailbox, expunge, self.resync, &mut self.out),
            None => {
                drop(state);
                self.untagged("BYE The selected mailbox was deleted.");
                self.state = State::Logout;
            }
        }
    }

    pub(crate) fn execute(&mut self, body: CommandBody<'static>) -> Outcome {
        self.load(&body)?;
        self.removes |= matches!(
            body,
            CommandBody::Expunge | CommandBody::ExpungeUid { .. } | CommandBody::Move { .. }
        );
        match body {
            CommandBody::Capability => {
                let capabilities = self.capabilities();
                self.untagged(&format!("CAPABILITY {capabilities}"));
                Ok("CAPABILITY completed.".to_owned())
            }
            CommandBody::Noop => {
                if !self.extensions.has(Extension::Idle) {
                    self.deliver_awaited();
                }
                Ok("NOOP completed.".to_owned())
            }
            CommandBody::Logout => {
                self.untagged("BYE Logging out.");
                self.leave_mailbox();
                self.state = State::Logout;
                Ok("LOGOUT completed.".to_owned())
            }
            CommandBody::Id { .. } => self.id(),
            CommandBody::StartTLS => self.starttls(),
            CommandBody::Login { username, password } => {
                self.login(username.as_ref(), password.declassify().as_ref())
            }
            CommandBody::Authenticate { mechanism, initial_response } => self.authenticate(
                &mechanism,
                initial_response.as_ref().map(|response| response.declassify().as_ref()),
            ),
            CommandBody::Enable { capabilities } => self.enable(capabilities.as_ref()),
            CommandBody::Select { mailbox, parameters } => {
                self.select(&mailbox, false, &parameters)
            }
            CommandBody::Examine { mailbox, parameters } => {
                self.select(&mailbox, true, &parameters)
            }
            CommandBody::Create { mailbox } => self.create(&mailbox),
            CommandBody::Delete { mailbox } => self.delete(&mailbox),
            CommandBody::Rename { from, to } => self.rename(&from, &to),
            CommandBody::Subscribe { mailbox } => self.subscribe(&mailbox),
            CommandBody::Unsubscribe { mailbox } => self.unsubscribe(&mailbox),
            CommandBody::List { reference, mailbox_wildcard } => {
                self.list(&reference, &mailbox_wildcard)
            }
            CommandBody::Lsub { reference, mailbox_wildcard } => {
                self.lsub(&reference, &mailbox_wildcard)
            }
            CommandBody::Status { mailbox, item_names } => self.status(&mailbox, &item_names),
            CommandBody::Append { mailbox, flags, date, message } => {
                self.append(&mailbox, &flags, date.as_ref(), &message)
            }
            CommandBody::Check => self.check(),
            CommandBody::Close => self.close(),
            CommandBody::Unselect => self.unselect(),
            CommandBody::Expunge => self.expunge(None),
            CommandBody::ExpungeUid { sequence_set } => self.expunge(Some(&sequence_set)),
            CommandBody::Search { charset, criteria, uid } => {
                self.search(charset.as_ref(), criteria.as_ref(), uid)
            }
            CommandBody::Sort { sort_criteria, charset, search_criteria, uid } => {
                self.sort(sort_criteria.as_ref(), &charset, search_criteria.as_ref(), uid)
            }
            CommandBody::Thread { algorithm, charset, search_criteria, uid } => {
                self.thread(&algorithm, &charset, search_criteria.as_ref(), uid)
            }
            CommandBody::Fetch { sequence_set, macro_or_item_names, uid, modifiers } => {
                self.fetch(&sequence_set, &macro_or_item_names, uid, &modifiers)
            }
            CommandBody::Store { sequence_set, kind, response, flags, uid, modifiers } => {
                self.store(&sequence_set, kind, response, &flags, uid, &modifiers)
            }
            CommandBody::Copy { sequence_set, mailbox, uid } => {
                self.copy(&sequence_set, &mailbox, uid)
            }
            CommandBody::Move { sequence_set, mailbox, uid } => {
                self.move_(&sequence_set, &mailbox, uid)
            }
            CommandBody::Idle => self.idle(),
            CommandBody::GetQuota { root } => self.get_quota(&root),
            CommandBody::GetQuotaRoot { mailbox } => self.get_quota_root(&mailbox),
            CommandBody::Compress { .. } => self.compress(),
            CommandBody::Namespace => self.namespace(),
            CommandBody::GetMetadata { options, mailbox, entries } => {
                self.get_metadata(&options, &mailbox, entries.as_ref())
            }
            CommandBody::SetMetadata { mailbox, entry_values } => {
                self.set_metadata(&mailbox, entry_values.as_ref())
            }
            _ => bad("This command is not supported."),
        }
    }

    /// BAD without the extension.
    pub(crate) fn needs(&self, extension: Extension) -> Result<(), Refusal> {
        if self.extensions.has(extension) {
            return Ok(());
        }
        bad(format!("{extension} is not supported."))
    }

    fn execute_own(&mut self, command: Own) -> Outcome {
        self.load_own(&command)?;
        self.removes |= matches!(command, Own::Replace { .. });
        match command {
            Own::MyRights(mailbox) => self.my_rights(&self.stored(&mailbox)),
            Own::Extended(command) => self.extended(&command),
            Own::GetAcl(mailbox) => self.get_acl(&self.stored(&mailbox)),
            Own::SetAcl { mailbox, identifier, rights } => {
                self.set_acl(&self.stored(&mailbox), &identifier, &rights)
            }
            Own::DeleteAcl { mailbox, identifier } => {
                self.delete_acl(&self.stored(&mailbox), &identifier)
            }
            Own::ListRights { mailbox, identifier } => {
                self.list_rights(&self.stored(&mailbox), &identifier)
            }
            Own::Append { mailbox, letters } => {
                self.append_letters(&self.stored(&mailbox), &letters)
            }
            Own::Replace { message, uid, mailbox, letters } => {
                self.replace(message, uid, &self.stored(&mailbox), &letters)
            }
            Own::List(list) => self.list_extended(&list),
            Own::CreateFor { mailbox, uses } => {
                self.create_with_uses(&self.stored(&mailbox), &uses)
            }
            Own::Status { mailbox, items } => self.status_of(&self.stored(&mailbox), &items),
            Own::Notify(notify) => self.notify(notify),
            Own::Fetch(body, extras) => self.fetch_with(*body, extras),
            Own::StoreLabels { set, uid, kind, response, labels } => {
                self.store_labels(&set, kind, response, &labels, uid)
            }
        }
    }

    pub(crate) fn capabilities(&self) -> String {
        let authenticated = !matches!(self.state, State::NotAuthenticated);
        self.extensions.capabilities(self.framing.lines.transport.is_encrypted(), authenticated)
    }

    /// Appends `* text`.
    pub(crate) fn untagged(&mut self, text: &str) {
        self.out.extend_from_slice(b"* ");
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let result = self.framing.lines.transport.write_all(&self.out);
        self.out.clear();
        result
    }

    /// Sends buffered output if there is much of it.
    pub(crate) fn flush_if_large(&mut self) -> io::Result<()> {
        if self.out.len() >= FLUSH_SIZE { self.flush() } else { Ok(()) }
    }

    /// The logged-in user; BAD before the login.
    pub(crate) fn user(&self) -> Result<String, Refusal> {
        match &self.state {
            State::Authenticated(user) | State::Selected(user, _) => Ok(user.clone()),
            _ => bad("Log in first."),
        }
    }

    /// The selected mailbox; BAD if none is selected.
    pub(crate) fn selected(&self) -> Result<&Selected, Refusal> {
        match &self.state {
            State::Selected(_, view) => Ok(view),
            State::NotAuthenticated => bad("Log in first."),
            _ => bad("Select a mailbox first."),
        }
    }

    /// The selected mailbox; NO if it was opened by EXAMINE.
    pub(crate) fn selected_writable(&self) -> Result<&Selected, Refusal> {
        let view = self.selected()?;
        if view.read_only { no("The mailbox is open for reading only.") } else { Ok(view) }
    }

    /// Returns to the authenticated state without an answer. The mailbox stops waking this session.
    pub(crate) fn leave_mailbox(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Logout);
        self.state = match state {
            State::Selected(user, view) => {
                if let Some(mailbox) = self.shared.store.lock().mailbox_mut(view.id) {
                    mailbox.unwatch(&self.incoming);
                }
                State::Authenticated(user)
            }
            other => other,
        };
    }
}

/// The name in the store of a mailbox: INBOX has any case (RFC 3501 5.1).
pub(crate) fn stored_name(name: &str) -> String {
    if name.eq_ignore_ascii_case(names::INBOX) { names::INBOX.to_owned() } else { name.to_owned() }
}
