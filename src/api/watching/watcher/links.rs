//! What becomes of the connections of a watch: made, looked over, waiting, lost and made again.

use super::{MOST_JOBS, Post, Refused, Watcher, by_state, by_system};
use crate::api::looking::account_of;
use crate::api::objects::ImapMailbox;
use crate::api::operation::deliver_warnings;
use crate::api::reconnecting::Lost;
use crate::api::reconnection::Reconnection;
use crate::api::selection::{Borrowed, folded, is_selected};
use crate::api::state::{State, state};
use crate::api::watching::events::{Means, What};
use crate::api::watching::intake::{Failure, Outcome, Wanted};
use crate::api::watching::link::{LONGEST_PAUSE, Link, Report, SHORTEST_PAUSE, Stage};
use crate::client::{Heard, Wait};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::state::{CursorKey, now};
use crate::transport::Woken;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Watcher {
    /// Takes what jobs have come to.
    pub(super) fn take_reports(&mut self, call: &Call<'_>) -> Result<(), Condition> {
        for number in 0..self.links.len() {
            match self.links[number].report() {
                None => {}
                Some(Report::Connected(Ok(client))) => self.connected(call, number, *client),
                Some(Report::Connected(Err(error)) | Report::Looked(Err(Failure::Mail(error)))) => {
                    self.lost(call, number, &Condition::from(&error));
                }
                Some(Report::Looked(Err(Failure::State(error)))) => {
                    return Err(by_state(&error));
                }
                Some(Report::Looked(Ok(outcomes))) => self.looked(call, number, outcomes)?,
            }
        }
        Ok(())
    }

    pub(super) fn connected(
        &mut self,
        call: &Call<'_>,
        number: usize,
        client: crate::client::ImapClient,
    ) {
        let state = state(call);
        let link = &mut self.links[number];
        match &link.mailbox {
            Some((_, mailbox)) => {
                *mailbox.client() = client;
                mailbox.extra::<Borrowed>().forget();
                mailbox.extra::<Reconnection>().numbers_are_old();
                state.readopt(&Lost::Imap(mailbox.clone()));
            }
            None => {
                let value = state.adopt_imap(client);
                let mailbox = host::downcast::<ImapMailbox>(&value);
                link.mailbox = mailbox.map(|mailbox| (value, mailbox));
            }
        }
        if let Some((_, mailbox)) = &link.mailbox {
            mailbox.extra::<Reconnection>().set_how(Some(link.reached.how.clone()));
        }
        (link.up_since, link.has_waited) = (Some(Instant::now()), false);
        link.stage = Stage::Idle;
        let notifies = |(_, mailbox): &(Value, Arc<ImapMailbox>)| {
            mailbox.client().capabilities().offers("NOTIFY")
        };
        if !link.mailbox.as_ref().is_some_and(notifies) {
            self.spread(number);
        }
    }

    /// Gives the mailboxes of a link connections of their own, as far as the account may have them.
    pub(super) fn spread(&mut self, number: usize) {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for post in &self.links[number].posts {
            let is_same =
                |group: &&mut Vec<usize>| self.posts[group[0]].mailbox == self.posts[*post].mailbox;
            match groups.iter_mut().find(is_same) {
                Some(group) => group.push(*post),
                None => groups.push(vec![*post]),
            }
        }
        let Link { account, reached, .. } = &self.links[number];
        let (account, reached) = (account.clone(), reached.clone());
        let has = self.links.iter().filter(|link| link.account == account).count();
        for _ in has..self.way.connections {
            if groups.len() < 2 {
                break;
            }
            let own = groups.pop().unwrap_or_default();
            self.links.push(Link::new(account.clone(), reached.clone(), own));
        }
        self.links[number].posts = groups.concat();
    }

    pub(super) fn lost(&mut self, call: &Call<'_>, number: usize, error: &Condition) {
        let link = &mut self.links[number];
        if let Some((_, mailbox)) = &link.mailbox {
            let mut client = mailbox.client();
            deliver_warnings(call.context(), "watch", &mut client);
            client.abandon();
        }
        let again = link.lost();
        let failures = link.failures;
        for post in link.posts.clone() {
            self.posts[post].forget_letters();
        }
        let text = call.context().redact(&error.to_string());
        self.tell_link(call, number, What::Lost { error: &text, again, failures });
        if self.way.once && failures > 1 {
            let message = format!("watch: {}: {}", self.links[number].account, error.message);
            let condition = Condition { message, ..error.clone() };
            self.failure.get_or_insert(condition);
        }
    }

    pub(super) fn looked(
        &mut self,
        call: &Call<'_>,
        number: usize,
        outcomes: Vec<Outcome>,
    ) -> Result<(), Condition> {
        if let Some((_, mailbox)) = &self.links[number].mailbox {
            deliver_warnings(call.context(), "watch", &mut mailbox.client());
        }
        let posts = self.links[number].posts.clone();
        for (post, outcome) in posts.iter().zip(outcomes) {
            let found = match outcome {
                Outcome::Found(found) => found,
                Outcome::Same => continue,
                Outcome::Refused(error) => {
                    self.refused(call, *post, &Condition::from(&error));
                    continue;
                }
            };
            if self.posts[*post].refused.take().is_some() {
                self.links[number].has_waited = false; // it is told once more
            }
            if found.other_uids {
                self.tell(call, *post, What::OtherUids);
            }
            if found.left > 0 {
                self.tell(call, *post, What::Left(found.left));
            }
            if found.arrived > 0 {
                self.links[number].letters_came();
                self.tell(call, *post, What::Arrived(found.arrived));
            }
            self.posts[*post].take(found);
            self.set_aside(call, *post)?;
        }
        self.links[number].stage = Stage::AtWork;
        if self.serves_several(number) && !self.is_notified(number) {
            self.spread(number);
        }
        self.move_on(call, number);
        Ok(())
    }

    /// The server refuses one of the mailboxes of a link. The others are watched all the same, and this
    /// one is asked for again after pauses that grow.
    pub(super) fn refused(&mut self, call: &Call<'_>, post: usize, error: &Condition) {
        self.posts[post].forget_letters();
        let text = call.context().redact(&error.to_string());
        let before = self.posts[post].refused.take();
        let pause =
            before.as_ref().map_or(SHORTEST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        if before.is_none_or(|before| before.why != text) {
            self.tell(call, post, What::Lost { error: &text, again: pause, failures: 1 });
        }
        self.posts[post].refused = Some(Refused { why: text, next: Instant::now() + pause, pause });
        if self.way.once {
            self.failure.get_or_insert_with(|| error.clone());
        }
    }

    pub(super) fn is_notified(&self, number: usize) -> bool {
        let mailbox = self.links[number].mailbox.as_ref();
        mailbox.is_some_and(|(_, mailbox)| mailbox.client().is_notified())
    }

    /// Lets a link wait, when nothing is left to do.
    pub(super) fn rest(&mut self, call: &Call<'_>, number: usize) {
        let several = self.serves_several(number);
        let is_notified = self.is_notified(number);
        let later = self.later(number);
        let link = &mut self.links[number];
        let means = match &link.mailbox {
            _ if several && is_notified => Means::Notify,
            Some((_, mailbox)) if !several => {
                let idles = mailbox.client().capabilities().offers("IDLE");
                if idles { Means::Idle } else { Means::Asking }
            }
            _ => Means::Asking,
        };
        match several && !is_notified {
            true => link.rest(later),
            false => link.stage = Stage::Waiting(Wait::default(), Some(Instant::now())),
        }
        if !std::mem::replace(&mut self.links[number].has_waited, true) {
            self.tell_link(call, number, What::Waits(means));
        }
    }

    /// When the next letter that has failed is tried again, or a mailbox that was refused.
    pub(super) fn later(&self, number: usize) -> Option<Instant> {
        let posts = || self.links[number].posts.iter().map(|post| &self.posts[*post]);
        let letter = posts().filter_map(|post| post.later).min().and_then(|later| {
            let left = u64::try_from(later.saturating_sub(now())).unwrap_or(0);
            Instant::now().checked_add(Duration::from_millis(left))
        });
        let refused = posts().filter_map(|post| Some(post.refused.as_ref()?.next));
        letter.into_iter().chain(refused).min()
    }

    pub(super) fn serves_several(&self, number: usize) -> bool {
        let mut names = self.links[number].posts.iter().map(|post| &self.posts[*post].mailbox);
        let first = names.next();
        names.any(|name| Some(name) != first)
    }

    /// Makes sure that no other process watches with the cursor of a post.
    pub(super) fn claim(
        &mut self,
        call: &Call<'_>,
        post: usize,
        account: &str,
    ) -> Result<(), Condition> {
        if self.posts[post].key.is_some() {
            return Ok(());
        }
        let Post { mailbox, cursor, .. } = &self.posts[post];
        let (mailbox, name) = (folded(mailbox).to_owned(), cursor.clone());
        let key = CursorKey { account: account.to_owned(), mailbox, name };
        let database = &state(call).database;
        let claimed = database.with(|database| {
            let owner = match self.owner.take() {
                Some(owner) => owner,
                None => database.begin_watch()?,
            };
            database.claim_cursor(self.owner.insert(owner), &key)
        });
        if !claimed.map_err(|error| by_state(&error))? {
            let message = format!(
                "watch: another process watches {:?} of {} with the cursor {:?}: end it, or give this watch another cursor",
                key.mailbox, key.account, key.name
            );
            return Err(Condition::new(Identifier::InDoubt, message));
        }
        self.posts[post].key = Some(key);
        Ok(())
    }

    /// How many jobs more may run.
    pub(super) fn free_jobs(&self) -> usize {
        let busy = self.links.iter().filter(|link| matches!(link.stage, Stage::Busy(_))).count();
        MOST_JOBS.saturating_sub(busy)
    }

    /// Starts jobs, as many as may run.
    pub(super) fn begin_jobs(&mut self, call: &Call<'_>) -> Result<(), Condition> {
        let mut free = self.free_jobs();
        let state = state(call);
        for number in 0..self.links.len() {
            if free == 0 {
                break;
            }
            let now = Instant::now();
            match self.links[number].stage {
                Stage::Down(next) if next <= now => self.connect(call, &state, number),
                Stage::Idle => self.look(call, &state, number)?,
                Stage::Pausing(next) if next <= now => self.look(call, &state, number)?,
                _ => continue,
            }
            free -= 1;
        }
        Ok(())
    }

    pub(super) fn connect(&mut self, call: &Call<'_>, state: &Arc<State>, number: usize) {
        let link = &mut self.links[number];
        let credentials = match link.reached.how.credentials(call, &link.reached.host) {
            Ok(Some(credentials)) => credentials,
            Ok(None) => return, // an IMAP account has a login
            Err(condition) => return self.lost(call, number, &condition),
        };
        link.connect(credentials, &state.connector, self.way.keep_alive, &self.waker);
        self.tell_link(call, number, What::Connecting);
    }

    pub(super) fn look(
        &mut self,
        call: &Call<'_>,
        state: &Arc<State>,
        number: usize,
    ) -> Result<(), Condition> {
        let posts = self.links[number].posts.clone();
        let Some((_, mailbox)) = self.links[number].mailbox.clone() else { return Ok(()) };
        let account = account_of(&mailbox.client());
        let among_others = self.serves_several(number);
        let left = std::mem::take(&mut self.links[number].left);
        let mut wanted = Vec::new();
        for number in posts {
            self.claim(call, number, &account)?;
            let post = &self.posts[number];
            let is_due = post.later.is_some_and(|later| later <= now())
                || post.refused.as_ref().is_some_and(|refused| refused.next <= Instant::now());
            wanted.extend(post.key.clone().map(|key| Wanted {
                mailbox: post.mailbox.clone(),
                key,
                from: post.from.clone(),
                among_others,
                is_due,
                was_left: left.iter().any(|name| name == folded(&post.mailbox)),
            }));
        }
        self.links[number].look(wanted, state.database.clone(), &self.waker);
        Ok(())
    }

    /// Moves the links whose time has come. While letters are handled, also those that have something
    /// to read; otherwise [`Watcher::wait`] finds these.
    pub(super) fn go_on(&mut self, call: &Call<'_>, in_between: bool) -> Result<(), Condition> {
        let mut ready = Vec::new();
        if in_between
            && let Woken::Streams(found) =
                self.streams(Some(Instant::now()), None).map_err(|error| by_system(&error))?
        {
            ready = found;
        }
        let now = Instant::now();
        for number in 0..self.links.len() {
            let is_due = match &self.links[number].stage {
                Stage::Waiting(_, due) => due.is_some_and(|due| due <= now),
                Stage::AtWork => true,
                _ => false,
            };
            if is_due || ready.contains(&number) {
                self.move_on(call, number);
            }
        }
        Ok(())
    }

    pub(super) fn move_on(&mut self, call: &Call<'_>, number: usize) {
        let has_letters =
            self.links[number].posts.iter().any(|post| self.posts[*post].has_letters());
        let (later, several) = (self.later(number), self.serves_several(number));
        let first = self.links[number].posts.first().map(|post| self.posts[*post].mailbox.clone());
        let link = &mut self.links[number];
        let (Some((_, mailbox)), Some(name)) = (link.mailbox.clone(), first) else { return };
        match &mut link.stage {
            Stage::AtWork if has_letters => {}
            Stage::AtWork => {
                // A procedure may have selected another mailbox, or closed the connection.
                let client = mailbox.client();
                let is_away = client.is_closed() || !several && !is_selected(&client, &name, false);
                drop(client);
                if std::mem::take(&mut link.must_look) || is_away {
                    link.stage = Stage::Idle;
                } else {
                    self.rest(call, number);
                }
            }
            Stage::Waiting(wait, due) => {
                let mut client = mailbox.client();
                if later.is_some_and(|later| later <= Instant::now()) {
                    client.leave_waiting(wait);
                    link.stage = Stage::Idle;
                    return;
                }
                match client.go_on_waiting(wait, false) {
                    Ok(Heard::Letters(_) | Heard::Nothing) => link.stage = Stage::Idle,
                    Ok(Heard::Until(until)) => {
                        *due = until.into_iter().chain(later).min();
                    }
                    Err(error) => {
                        drop(client);
                        self.lost(call, number, &Condition::from(&error));
                    }
                }
            }
            _ => {}
        }
    }
}
