//! The mail of all users, shared by all sessions and the program that runs the sandbox.
//!
//! One lock protects the `State`: accounts, each with a tree of mailbox names, and the mailboxes
//! by a number that survives renames. Letters are shared, so sessions copy references and release
//! the lock before they write answers.

pub(in crate::sandbox) mod accounts;
pub(in crate::sandbox) mod dates;
pub(in crate::sandbox) mod details;
pub(in crate::sandbox) mod flags;
pub(in crate::sandbox) mod header;
pub(in crate::sandbox) mod import;
pub(in crate::sandbox) mod letter;
pub(in crate::sandbox) mod mailbox;
pub(in crate::sandbox) mod mime;
pub(in crate::sandbox) mod names;
pub(in crate::sandbox) mod origin;
pub(in crate::sandbox) mod quota;
pub mod seed;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use jiff::Zoned;

use crate::sandbox::store::details::{Metadata, special_use};
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::import::import_each;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mailbox::{Mailbox, Message};
use crate::sandbox::store::names::{INBOX, MailboxId, Names, Separator};
use crate::sandbox::store::origin::{OriginError, OriginalName, Remote};
use crate::sandbox::store::quota::Quota;
use crate::sandbox::wire::Incoming;
use crate::sandbox::{Account, Letter, SandboxError, Seed, Sent};

/// The first UIDVALIDITY: the day of the manual's session, as Unix time.
const FIRST_UID_VALIDITY: u32 = 937_180_800;

/// The mail of all accounts. It is shared by reference; its one lock is held only for look-ups and
/// changes.
pub struct Store {
    state: Mutex<State>,
    separator: Separator,
    /// The server that holds the mail, if it is not this one.
    remote: Option<Arc<Remote>>,
}

/// What the lock protects.
pub(crate) struct State {
    pub(super) users: BTreeMap<String, User>,
    mailboxes: HashMap<MailboxId, Mailbox>,
    next_id: MailboxId,
    pub(super) separator: Separator,
    /// The account whose mail guests get a copy of; `None` if guest logins are disabled.
    pub(super) guests_see: Option<String>,
    /// The first account in the options.
    first: String,
    pub(super) latest_guest: Option<String>,
    /// The session that has each user's maildrop open (POP3).
    pub(super) maildrops: HashMap<String, u64>,
    pub(super) outbox: Vec<Sent>,
    /// The sessions whose bell rings when names of mailboxes change.
    listeners: Vec<Weak<Incoming>>,
}

/// An account and its mailbox names.
pub(crate) struct User {
    pub(super) password: String,
    pub(super) quota: Quota,
    names: Names,
    /// The notes on the server that this user has made (METADATA).
    pub(crate) metadata: Metadata,
}

impl Store {
    pub(crate) fn new(accounts: Vec<Account>, seed: Seed) -> Store {
        let mut state = State {
            users: BTreeMap::new(),
            mailboxes: HashMap::new(),
            next_id: 0,
            guests_see: None,
            first: String::new(),
            latest_guest: None,
            maildrops: HashMap::new(),
            outbox: Vec::new(),
            listeners: Vec::new(),
            separator: Separator::default(),
        };
        state.fill(accounts, seed);
        Store { state: Mutex::new(state), separator: Separator::default(), remote: None }
    }

    /// A store of one account, whose mail the origin has.
    pub(crate) fn over(account: Account, remote: Remote) -> Result<Store, OriginError> {
        let separator = remote.origin.separator()?;
        let names = remote.origin.mailboxes()?;
        let user = account.user.clone();
        let mut store = Store::new(vec![account], Seed::Empty);
        let state = store.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.separator = separator;
        state.take_names(&user, names);
        Ok(Store { separator, remote: Some(Arc::new(remote)), ..store })
    }

    /// What separates the levels of mailbox names.
    pub(crate) fn separator(&self) -> Separator {
        self.separator
    }

    /// The server that holds the mail, if it is not this one.
    pub(crate) fn remote(&self) -> Option<&Arc<Remote>> {
        self.remote.as_ref()
    }

    /// Takes the letters of a mailbox from the origin, if it has them and that was not done yet.
    pub(crate) fn load(&self, user: &str, name: &str) -> Result<(), OriginError> {
        let Some(remote) = &self.remote else { return Ok(()) };
        let (id, source) = {
            let state = self.lock();
            let found = state.find(user, name).and_then(|id| Some((id, state.mailbox(id)?)));
            match found.and_then(|(id, mailbox)| Some((id, mailbox.unloaded.clone()?))) {
                Some(found) => found,
                None => return Ok(()),
            }
        };
        let original = remote.origin.open(&source).inspect_err(|error| remote.lost(error))?;
        if let Some(mailbox) = self.lock().mailbox_mut(id) {
            mailbox.load(original, remote);
        }
        Ok(())
    }

    /// Delivers a letter as a mail server would: no flags, dated now, `\Recent` for the next
    /// session. Sessions that have the mailbox selected learn of it with their next command, or
    /// immediately in IDLE. Returns the UID.
    pub fn deliver(&self, user: &str, mailbox: &str, letter: &[u8]) -> Result<u32, SandboxError> {
        self.deliver_with(user, mailbox, letter, &[], None)
    }

    /// Delivers a letter with flags and an internal date; `None` means now. Returns the UID.
    pub fn deliver_with(
        &self,
        user: &str,
        mailbox: &str,
        letter: &[u8],
        flags: &[&str],
        internal_date: Option<Zoned>,
    ) -> Result<u32, SandboxError> {
        if letter.contains(&0) {
            return Err(SandboxError::Invalid("a letter cannot contain NUL".to_owned()));
        }
        let content = Arc::new(Content::new(letter));
        let internal_date = internal_date.unwrap_or_else(Zoned::now);
        let message = Message::new(content, Flags::from_names(flags)?, internal_date);
        let mut state = self.lock();
        let octets = message.content.size();
        if !state.has_room(user, octets, 1) {
            return Err(SandboxError::OverQuota(user.to_owned()));
        }
        let mailbox = state.find_or_error(user, mailbox)?;
        mailbox
            .append(message)
            .ok_or_else(|| SandboxError::Invalid("the mailbox has no UIDs left".to_owned()))
    }

    /// A user's mailbox names in wire form (modified UTF-7), sorted; empty for an unknown user.
    pub fn mailboxes(&self, user: &str) -> Vec<String> {
        let state = self.lock();
        let Some(names) = state.names(user) else { return Vec::new() };
        names
            .mailboxes
            .iter()
            .filter(|(_, id)| id.is_some())
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The letters of a mailbox, by UID; empty for an unknown user or mailbox.
    pub fn letters(&self, user: &str, mailbox: &str) -> Vec<Letter> {
        let messages: Vec<(u32, Message)> = {
            let state = self.lock();
            let Some(mailbox) = state.find(user, mailbox).and_then(|id| state.mailbox(id)) else {
                return Vec::new();
            };
            mailbox.messages.iter().map(|(uid, message)| (*uid, message.clone())).collect()
        };
        messages.into_iter().map(shown).collect()
    }

    /// The name if it has this UIDVALIDITY; otherwise the names of all mailboxes that have it.
    pub fn names_with(&self, user: &str, name: &str, uid_validity: u32) -> Vec<String> {
        let state = self.lock();
        let is_it = |id: MailboxId| {
            state.mailbox(id).is_some_and(|mailbox| mailbox.uid_validity == uid_validity)
        };
        if state.find(user, name).is_some_and(is_it) {
            return vec![name.to_owned()];
        }
        let names = state.names(user).into_iter().flat_map(|names| &names.mailboxes);
        names.filter(|(_, id)| id.is_some_and(is_it)).map(|(name, _)| name.clone()).collect()
    }

    /// The UIDNEXT of a mailbox.
    pub fn uid_next(&self, user: &str, mailbox: &str) -> Option<u32> {
        let state = self.lock();
        Some(state.mailbox(state.find(user, mailbox)?)?.uid_next)
    }

    /// The letter with a UID, or the last one.
    pub fn letter(&self, user: &str, mailbox: &str, uid: Option<u32>) -> Option<Letter> {
        let (uid, message) = {
            let state = self.lock();
            let messages = &state.mailbox(state.find(user, mailbox)?)?.messages;
            let found = match uid {
                Some(uid) => messages.get_key_value(&uid)?,
                None => messages.last_key_value()?,
            };
            (*found.0, found.1.clone())
        };
        Some(shown((uid, message)))
    }

    /// The first account given at start or at the last reset; empty if there was none.
    pub fn first_account(&self) -> String {
        self.lock().first.clone()
    }

    /// The most recent guest if guest logins are enabled, otherwise the first account.
    pub fn usual_account(&self) -> String {
        let state = self.lock();
        state.latest_guest.clone().unwrap_or_else(|| state.first.clone())
    }

    /// The account names, sorted.
    pub fn users(&self) -> Vec<String> {
        self.lock().users.keys().cloned().collect()
    }

    /// Adds an account with an empty inbox. An existing account keeps its mail and gets the new
    /// password.
    pub fn add_account(&self, account: Account) {
        self.lock().add_account(account);
    }

    /// Starts over with new mailboxes. Sessions with a mailbox selected are sent BYE.
    pub fn reset(&self, accounts: Vec<Account>, seed: Seed) {
        let mut state = self.lock();
        state.users.clear();
        state.mailboxes.clear();
        state.maildrops.clear();
        state.outbox.clear();
        state.fill(accounts, seed);
    }

    /// Creates a mailbox, by its wire name, and all levels above it.
    pub fn create_mailbox(&self, user: &str, name: &str) -> Result<(), SandboxError> {
        let mut state = self.lock();
        if state.names(user).is_none() {
            return Err(SandboxError::UnknownUser(user.to_owned()));
        }
        state.create(user, name).map_err(SandboxError::Invalid)
    }

    /// Imports mail into an account: each letter into the mailbox of its folder, created if
    /// missing. Returns the number of letters. Passes a warning for each letter that had to be
    /// changed to `warn`.
    pub fn import(&self, user: &str, path: &Path, warn: fn(&str)) -> Result<usize, SandboxError> {
        let mut count = 0;
        import_each(path, &mut |letter| {
            if letter.nuls > 0 {
                let (path, nuls) = (letter.path.display(), letter.nuls);
                let number = count + 1;
                warn(&format!("{path}: letter {number} has {nuls} NUL, imported as bytes 128"));
            }
            let mailbox = letter.mailbox.as_deref().unwrap_or(INBOX);
            if self.lock().find(user, mailbox).is_none() {
                self.create_mailbox(user, mailbox)?;
            }
            let flags: Vec<&str> = letter.flags.iter().map(String::as_str).collect();
            self.deliver_with(user, mailbox, &letter.bytes, &flags, letter.internal_date)?;
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic at most one letter is half changed; the rest is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A letter for the program. The store must not be locked.
fn shown((uid, message): (u32, Message)) -> Letter {
    Letter {
        uid,
        flags: message.flags.names().map(str::to_owned).collect(),
        bytes: Arc::clone(message.content.bytes()),
        internal_date: message.internal_date,
    }
}

impl State {
    pub(crate) fn names(&self, user: &str) -> Option<&Names> {
        self.users.get(user).map(|user| &user.names)
    }

    /// A user's names, to be changed.
    pub(crate) fn names_mut(&mut self, user: &str) -> Option<&mut Names> {
        self.listeners.iter().filter_map(Weak::upgrade).for_each(|listener| listener.ring());
        self.users.get_mut(user).map(|user| &mut user.names)
    }

    /// Rings this session's bell when names of mailboxes change.
    pub(crate) fn listen(&mut self, listener: &Arc<Incoming>) {
        self.listeners.retain(|known| known.strong_count() > 0);
        if !self.listeners.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(listener))) {
            self.listeners.push(Arc::downgrade(listener));
        }
    }

    /// A user's notes on the server.
    pub(crate) fn metadata_mut(&mut self, user: &str) -> Option<&mut Metadata> {
        self.users.get_mut(user).map(|user| &mut user.metadata)
    }

    /// The number of a mailbox that can be selected.
    pub(crate) fn find(&self, user: &str, name: &str) -> Option<MailboxId> {
        *self.names(user)?.mailboxes.get(&names::canonical(name, self.separator))?
    }

    pub(crate) fn mailbox(&self, id: MailboxId) -> Option<&Mailbox> {
        self.mailboxes.get(&id)
    }

    pub(crate) fn mailbox_mut(&mut self, id: MailboxId) -> Option<&mut Mailbox> {
        self.mailboxes.get_mut(&id)
    }

    /// CREATE (RFC 3501 6.3.3). A trailing delimiter announces children and is dropped; missing
    /// levels above are created as mailboxes.
    pub(crate) fn create(&mut self, user: &str, name: &str) -> Result<(), String> {
        let name = names::canonical(self.separator.trimmed(name), self.separator);
        names::check(&name, self.separator)?;
        let Some(names) = self.names(user) else { return Err("no such account".to_owned()) };
        if names.mailboxes.get(&name).is_some_and(Option::is_some) {
            return Err(format!("mailbox {name} exists already"));
        }
        self.create_parents(user, &name);
        self.insert_mailbox(user, name);
        Ok(())
    }

    /// DELETE (RFC 3501 6.3.4). A mailbox with children remains as a `\Noselect` name.
    pub(crate) fn delete(&mut self, user: &str, name: &str) -> Result<(), String> {
        let separator = self.separator;
        let name = names::canonical(name, separator);
        if name == INBOX {
            return Err("INBOX cannot be deleted".to_owned());
        }
        let Some(names) = self.names_mut(user) else { return Err("no such account".to_owned()) };
        let children = names.has_children(&name, separator);
        let Some(entry) = names.mailboxes.get_mut(&name) else {
            return Err(format!("no mailbox {name}"));
        };
        let Some(id) = entry.take() else {
            if children {
                return Err(format!("{name} has children and holds no letters itself"));
            }
            names.mailboxes.remove(&name);
            return Ok(());
        };
        if !children {
            names.mailboxes.remove(&name);
        }
        self.mailboxes.remove(&id);
        Ok(())
    }

    /// RENAME (RFC 3501 6.3.5). Children move along. Renaming INBOX moves its letters and leaves it
    /// empty.
    pub(crate) fn rename(&mut self, user: &str, from: &str, to: &str) -> Result<(), String> {
        let (from, to) = (
            names::canonical(from, self.separator),
            names::canonical(self.separator.trimmed(to), self.separator),
        );
        names::check(&to, self.separator)?;
        let Some(names) = self.names(user) else { return Err("no such account".to_owned()) };
        if !names.mailboxes.contains_key(&from) {
            return Err(format!("no mailbox {from}"));
        }
        if names.mailboxes.contains_key(&to) {
            return Err(format!("mailbox {to} exists already"));
        }
        if from == INBOX {
            return self.rename_inbox(user, to);
        }
        if self.separator.below(&from).is_some_and(|below| to.starts_with(&below)) {
            return Err(format!("{to} lies below {from}"));
        }
        let moved = names.with_children(&from, self.separator);
        let target = |name: &str| format!("{to}{}", &name[from.len()..]);
        if let Some(taken) =
            moved.iter().map(|name| target(name)).find(|name| names.mailboxes.contains_key(name))
        {
            return Err(format!("mailbox {taken} exists already"));
        }
        self.create_parents(user, &to);
        if let Some(names) = self.names_mut(user) {
            for name in &moved {
                let entry = names.mailboxes.remove(name).flatten();
                names.mailboxes.insert(target(name), entry);
            }
        }
        Ok(())
    }

    fn rename_inbox(&mut self, user: &str, to: String) -> Result<(), String> {
        self.create_parents(user, &to);
        let target = self.insert_mailbox(user, to);
        let Some(inbox) = self.find(user, INBOX).and_then(|id| self.mailbox_mut(id)) else {
            return Err("no INBOX".to_owned());
        };
        let messages: Vec<Message> = inbox.messages.values().cloned().collect();
        let uids: Vec<u32> = inbox.messages.keys().copied().collect();
        inbox.remove(&uids, 0);
        if let Some(target) = self.mailbox_mut(target) {
            messages.into_iter().for_each(|message| {
                target.append(message);
            });
        }
        Ok(())
    }

    /// Replaces the mailboxes of a user by those of the origin.
    fn take_names(&mut self, user: &str, original: Vec<OriginalName>) {
        let old = self.names_mut(user).map(std::mem::take).unwrap_or_default();
        old.mailboxes.into_values().flatten().for_each(|id| _ = self.mailboxes.remove(&id));
        for OriginalName { name, selectable, subscribed, attributes } in original {
            let source: Arc<str> = Arc::from(&*name);
            let name = names::canonical(&name, self.separator);
            if subscribed && let Some(names) = self.names_mut(user) {
                names.subscribed.insert(name.clone());
            }
            if !selectable {
                if let Some(names) = self.names_mut(user) {
                    names.mailboxes.insert(name, None);
                }
                continue;
            }
            let id = self.insert_mailbox(user, name.clone());
            if let Some(mailbox) = self.mailbox_mut(id) {
                mailbox.unloaded = Some(source);
                mailbox.details.special_use =
                    attributes.iter().filter_map(|name| special_use(name)).collect();
            }
        }
    }

    fn create_parents(&mut self, user: &str, name: &str) {
        for parent in self.separator.above(name) {
            if self.names(user).is_some_and(|names| !names.mailboxes.contains_key(parent)) {
                self.insert_mailbox(user, parent.to_owned());
            }
        }
    }

    fn insert_mailbox(&mut self, user: &str, name: String) -> MailboxId {
        let id = self.next_id;
        self.next_id += 1;
        // Never reused, so that a mailbox deleted and created again is recognised as a different
        // one.
        let uid_validity =
            FIRST_UID_VALIDITY.wrapping_add(u32::try_from(id).unwrap_or(u32::MAX)).max(1);
        self.mailboxes.insert(id, Mailbox::new(uid_validity));
        if let Some(names) = self.names_mut(user) {
            names.mailboxes.insert(name, Some(id));
        }
        id
    }

    fn find_or_error(&mut self, user: &str, mailbox: &str) -> Result<&mut Mailbox, SandboxError> {
        if !self.users.contains_key(user) {
            return Err(SandboxError::UnknownUser(user.to_owned()));
        }
        let unknown =
            || SandboxError::UnknownMailbox { user: user.to_owned(), mailbox: mailbox.to_owned() };
        let id = self.find(user, mailbox).ok_or_else(unknown)?;
        self.mailbox_mut(id).ok_or_else(unknown)
    }

    fn add_account(&mut self, account: Account) {
        if let Some(user) = self.users.get_mut(&account.user) {
            user.password = account.password;
            user.quota = account.quota;
            return;
        }
        let mut names = Names::default();
        names.subscribed.insert(INBOX.to_owned());
        let Account { user, password, quota } = account;
        self.users
            .insert(user.clone(), User { password, quota, names, metadata: Metadata::default() });
        self.insert_mailbox(&user, INBOX.to_owned());
    }

    /// Adds an account with a copy of another's mailboxes: same letters, flags and UIDs.
    pub(super) fn add_copy(&mut self, account: Account, of: &str) {
        let user = account.user.clone();
        let names: Vec<(String, MailboxId)> = match self.names(of) {
            Some(names) => names
                .mailboxes
                .iter()
                .filter_map(|(name, id)| Some((name.clone(), (*id)?)))
                .collect(),
            None => Vec::new(),
        };
        self.add_account(account);
        for (name, original) in names {
            let id = self.find(&user, &name).unwrap_or_else(|| self.insert_mailbox(&user, name));
            let Some(letters) = self.mailbox(original).map(Mailbox::letters) else { continue };
            if let Some(mailbox) = self.mailbox_mut(id) {
                mailbox.take_letters(letters);
            }
        }
    }

    fn fill(&mut self, accounts: Vec<Account>, seed: Seed) {
        let first = accounts.first().map(|account| account.user.clone());
        self.first = first.clone().unwrap_or_default();
        accounts.into_iter().for_each(|account| self.add_account(account));
        let inbox =
            first.and_then(|user| self.find(&user, INBOX)).and_then(|id| self.mailbox_mut(id));
        if let (Seed::Manual, Some(inbox)) = (seed, inbox) {
            seed::fill(inbox);
        }
    }
}
