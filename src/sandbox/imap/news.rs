//! What a client is told after NOTIFY (RFC 5465), between its commands, at the end of each and in
//! IDLE.
//!
//! The session remembers what the client knows of each watched mailbox, and compares it with the
//! store whenever the bell of its connection rings: each watched mailbox rings it, and each change of
//! mailbox names. Of the selected mailbox the client knows what its view has announced. So nothing is
//! told twice, and nothing is forgotten when the client leaves the mailbox.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use crate::sandbox::Extension;
use crate::sandbox::imap::list::attributes;
use crate::sandbox::imap::notify::{Notify, Wanted, Wishes, fetch};
use crate::sandbox::imap::selected::Selected;
use crate::sandbox::imap::session::{Outcome, Session, State, no};
use crate::sandbox::store;
use crate::sandbox::store::mailbox::Mailbox;
use crate::sandbox::store::names::{MailboxId, canonical};
use crate::sandbox::wire::Incoming;

/// How many mailboxes a client may watch.
const LIMIT: usize = 1000;

/// What a client watches. After NOTIFY NONE it is nothing.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) wishes: Wishes,
    /// What the client knows of mailboxes, by name.
    known: BTreeMap<String, Known>,
    /// The names that it knows, and those that it knows to be subscribed.
    names: BTreeMap<String, Option<MailboxId>>,
    subscribed: BTreeSet<String>,
    /// The selected mailbox, and the last UID of which it knows.
    fetched: Option<(MailboxId, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    uid_validity: u32,
    uid_next: u32,
    messages: usize,
    modseq: u64,
}

/// A response without its name.
enum News {
    Status(String, String),
    List(String, String, Option<String>),
    Overflow,
}

impl Known {
    fn of(mailbox: &Mailbox) -> Known {
        Known {
            uid_validity: mailbox.uid_validity,
            uid_next: mailbox.uid_next,
            messages: mailbox.messages.len(),
            modseq: mailbox.highest_modseq,
        }
    }

    fn has_same_letters(self, other: Known) -> bool {
        Known { modseq: other.modseq, ..self } == other
    }
}

impl Watch {
    /// What is wanted of a mailbox that is not selected (RFC 5465 6).
    fn wanted(&self, name: &str, state: &store::State, user: &str) -> Wanted {
        let Some(names) = state.names(user) else { return Wanted::default() };
        let found =
            self.wishes.others.iter().find(|(filter, _)| filter.has(name, names, state.separator));
        found.map_or_else(Wanted::default, |(_, wanted)| *wanted)
    }

    /// The watched mailboxes of the user.
    fn watched(
        &self,
        state: &store::State,
        user: &str,
    ) -> Vec<(String, Option<MailboxId>, Wanted)> {
        let names = state.names(user).into_iter().flat_map(|names| &names.mailboxes);
        names
            .map(|(name, id)| (name.clone(), *id, self.wanted(name, state, user)))
            .filter(|(.., wanted)| !wanted.is_nothing())
            .collect()
    }

    /// Compares the store with what the client knows, and returns what it must be told. `first` is
    /// whether it knows nothing yet.
    fn look(
        &mut self,
        state: &mut store::State,
        user: &str,
        selected: Option<&Selected>,
        bell: &Arc<Incoming>,
        condstore: bool,
        first: bool,
    ) -> Vec<News> {
        let watched = self.watched(state, user);
        if watched.len() > LIMIT {
            return vec![News::Overflow];
        }
        let mut news = Vec::new();
        self.look_at_names(state, user, &watched, first, &mut news);
        let is_there =
            |name: &str| state.names(user).is_some_and(|names| names.mailboxes.contains_key(name));
        self.known.retain(|name, _| is_there(name));
        for (name, id, wanted) in watched {
            let Some(mailbox) = id.filter(|_| wanted.letters).and_then(|id| state.mailbox_mut(id))
            else {
                continue;
            };
            mailbox.watch(bell);
            let now = Known::of(mailbox);
            if let Some(view) = selected.filter(|view| Some(view.id) == id) {
                let (uid_next, messages) = (view.uid_next(), view.uids.len());
                self.known.insert(name, Known { uid_next, messages, ..now });
                continue;
            }
            let before = self.known.get(&name).copied();
            let is_changed = match before {
                Some(before) => !before.has_same_letters(now),
                None => first || now.uid_next > 1,
            };
            let is_flagged = wanted.flags
                && before.is_some_and(|before| before.modseq != now.modseq)
                && !is_changed;
            if before.is_none() && !is_changed {
                continue; // a new mailbox without letters
            }
            let is_same = before.is_some_and(|before| before.uid_validity == now.uid_validity);
            let mut items = Vec::new();
            if is_changed {
                items.push(format!("MESSAGES {} UIDNEXT {}", now.messages, now.uid_next));
            }
            if is_flagged || is_changed && !is_same {
                items.push(format!("UIDVALIDITY {}", now.uid_validity));
            }
            if is_flagged || is_changed && condstore {
                items.push(format!("HIGHESTMODSEQ {}", now.modseq));
            }
            self.known.insert(name.clone(), now);
            if !items.is_empty() {
                news.push(News::Status(name, items.join(" ")));
            }
        }
        news
    }

    /// Mailboxes that were made, removed or renamed (5.4), and subscriptions (5.5).
    fn look_at_names(
        &mut self,
        state: &store::State,
        user: &str,
        watched: &[(String, Option<MailboxId>, Wanted)],
        first: bool,
        news: &mut Vec<News>,
    ) {
        let Some(names) = state.names(user) else { return };
        let of_names = watched.iter().filter(|(.., wanted)| wanted.names);
        let now: BTreeMap<String, Option<MailboxId>> =
            of_names.map(|(name, id, _)| (name.clone(), *id)).collect();
        let of_subscriptions = watched.iter().filter(|(.., wanted)| wanted.subscriptions);
        let subscribed: BTreeSet<String> = of_subscriptions
            .map(|(name, ..)| name.clone())
            .filter(|name| names.subscribed.contains(name))
            .collect();
        let before = std::mem::replace(&mut self.names, now.clone());
        let subscribed_before = std::mem::replace(&mut self.subscribed, subscribed.clone());
        if first {
            return;
        }
        let shown = |name: &str, id| attributes(state, names, name, id, true, true).join(" ");
        let mut gone: Vec<(&String, Option<MailboxId>)> = before
            .iter()
            .filter(|(name, _)| !now.contains_key(*name))
            .map(|(name, id)| (name, *id))
            .collect();
        for (name, id) in now.iter().filter(|(name, id)| before.get(*name) != Some(id)) {
            let old = gone.iter().position(|(_, old)| old.is_some() && old == id);
            let old = old.map(|at| gone.remove(at).0.clone());
            news.push(News::List(shown(name, *id), name.clone(), old));
        }
        for (name, _) in gone.iter().filter(|(name, _)| !names.mailboxes.contains_key(*name)) {
            news.push(News::List("\\NonExistent".to_owned(), (*name).clone(), None));
        }
        for name in subscribed.difference(&subscribed_before) {
            let id = names.mailboxes.get(name).copied().flatten();
            news.push(News::List(format!("\\Subscribed {}", shown(name, id)), name.clone(), None));
        }
        let is_left = |name: &&String| !names.subscribed.contains(*name);
        for name in subscribed_before.difference(&subscribed).filter(is_left) {
            if let Some(id) = names.mailboxes.get(name) {
                news.push(News::List(shown(name, *id), name.clone(), None));
            }
        }
    }
}

impl Session {
    /// NOTIFY. A command that is refused changes nothing.
    pub(crate) fn notify(&mut self, notify: Notify) -> Outcome {
        self.needs(Extension::Notify)?;
        let user = self.user()?;
        let tells_status = notify.status;
        let separator = self.shared.store.separator();
        let wishes = notify.checked(|name| canonical(&self.stored(name), separator))?;
        let mut watch = Watch { wishes, ..Watch::default() };
        {
            let mut state = self.shared.store.lock();
            if watch.watched(&state, &user).len() > LIMIT {
                return no("[NOTIFICATIONOVERFLOW] These are too many mailboxes.");
            }
            state.listen(&self.incoming);
        }
        // What has happened in the selected mailbox so far, as NOOP tells it (3.1).
        self.watch = None;
        self.sync(true);
        self.fetch_new(&mut watch);
        let told = self.look(&mut watch, true);
        self.watch = Some(watch);
        if tells_status {
            self.write_news(told);
        }
        Ok("NOTIFY completed.".to_owned())
    }

    /// Announces changes: those of the selected mailbox, EXPUNGE responses only if `expunge`, and
    /// those of the mailboxes that the client watches.
    pub(crate) fn announce(&mut self, expunge: bool) {
        self.sync(expunge);
        let Some(mut watch) = self.watch.take() else { return };
        self.fetch_new(&mut watch);
        let news = self.look(&mut watch, false);
        self.watch = Some(watch);
        self.write_news(news);
    }

    /// Sends what NOTIFY asks for until the client's next command begins to arrive.
    pub(crate) fn tell_until_command(&mut self) -> io::Result<()> {
        while self.watch.is_some()
            && self.framing.lines.pending().is_empty()
            && !matches!(self.state, State::Logout)
        {
            self.framing.lines.transport.set_interruptible(true);
            let arrived = self.framing.lines.fill();
            self.framing.lines.transport.set_interruptible(false);
            match arrived {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let of_selected =
                        self.watch.as_ref().and_then(|watch| watch.wishes.selected.as_ref());
                    let expunges = of_selected.is_some_and(|selected| !selected.delayed);
                    self.announce(expunges);
                    self.flush()?;
                }
                arrived => return arrived.map(drop),
            }
        }
        Ok(())
    }

    fn look(&self, watch: &mut Watch, first: bool) -> Vec<News> {
        let (user, view) = match &self.state {
            State::Authenticated(user) => (user, None),
            State::Selected(user, view) => (user, Some(view)),
            State::NotAuthenticated | State::Logout => return Vec::new(),
        };
        let mut state = self.shared.store.lock();
        watch.look(&mut state, user, view, &self.incoming, self.resync.condstore, first)
    }

    /// Tells the items that were asked for of letters that are new in the selected mailbox.
    fn fetch_new(&mut self, watch: &mut Watch) {
        let State::Selected(_, view) = &self.state else { return };
        let known = watch.fetched.filter(|(id, _)| *id == view.id);
        let (last, count) = (view.last_uid(), view.count());
        watch.fetched = Some((view.id, last));
        let items = watch.wishes.selected.as_ref().and_then(|selected| selected.items.as_ref());
        let (Some(items), Some((_, known))) = (items, known) else { return };
        let first = view.uids.partition_point(|uid| *uid <= known) as u32 + 1;
        if first <= count
            && let Some((body, extras)) = fetch(items, first, count)
        {
            let _ = self.fetch_with(body, extras); // a letter that is gone has no items
        }
    }

    fn write_news(&mut self, news: Vec<News>) {
        let mut out = std::mem::take(&mut self.out);
        for one in news {
            match one {
                News::Status(name, items) => {
                    out.extend_from_slice(b"* STATUS ");
                    self.write_name(&mut out, &name);
                    out.extend_from_slice(format!(" ({items})\r\n").as_bytes());
                }
                News::List(attributes, name, old) => {
                    self.line(&mut out, "LIST", &attributes, &name);
                    if let Some(old) = old {
                        out.truncate(out.len() - 2);
                        out.extend_from_slice(b" (\"OLDNAME\" (");
                        self.write_name(&mut out, &old);
                        out.extend_from_slice(b"))\r\n");
                    }
                }
                // RFC 5465 5.8: as after NOTIFY NONE.
                News::Overflow => {
                    out.extend_from_slice(
                        b"* OK [NOTIFICATIONOVERFLOW] These are too many mailboxes.\r\n",
                    );
                    self.watch = Some(Watch::default());
                }
            }
        }
        self.out = out;
    }
}
