//! The letters of a watch: which is next, and how its procedure has ended.

use super::{BEGUN, MOST_REPEATS, MOST_TOGETHER, Next, Task, Watcher, by_state};
use crate::api::letter_sets::sets_of;
use crate::api::objects::ImapMailbox;
use crate::api::selection::{Borrowed, folded, is_selected};
use crate::api::state::state;
use crate::api::watching::events::What;
use crate::client::Error;
use crate::condition::Condition;
use crate::host::Call;
use crate::state::{CursorKey, Database, Due, StateError, now};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Watcher {
    /// Sets letters aside that have been tried often enough: the process ended while they were handled.
    pub(super) fn set_aside(&mut self, call: &Call<'_>, post: usize) -> Result<(), Condition> {
        let (most, key) = (self.way.attempts, self.posts[post].key.clone());
        let is_over = |letter: &Due| letter.attempts >= most;
        let ready = std::mem::take(&mut self.posts[post].ready);
        let (over, ready): (VecDeque<Due>, VecDeque<Due>) = ready.into_iter().partition(is_over);
        self.posts[post].ready = ready;
        let aside = |letter| Due { next: None, ..letter };
        let over: Vec<Due> = over.into_iter().map(aside).collect();
        if let Some(key) = &key {
            write(call, &over, |database, letter| database.note_failure(key, letter))?;
        }
        for Due { uid, attempts, error, .. } in &over {
            let (uid, attempts) = (*uid, *attempts);
            let error = error.as_deref().unwrap_or_default();
            self.tell(call, post, What::Failed { uid, attempts, error, again: None });
        }
        Ok(())
    }

    /// Picks the next letters, the posts taking turns.
    pub(super) fn pick(&mut self, call: &Call<'_>) -> Result<Option<Next>, Condition> {
        let count = self.posts.len();
        for step in 0..count {
            let post = (self.turn + step) % count;
            if !self.posts[post].has_letters() {
                continue;
            }
            let Some(number) = self.links.iter().position(|link| link.posts.contains(&post)) else {
                continue;
            };
            let Some((value, mailbox)) = self.links[number].mailbox.clone() else { continue };
            if let Err(error) = self.prepare(number, post, &mailbox) {
                self.lost(call, number, &Condition::from(&error));
                continue;
            }
            let Some((letters, set)) = self.posts[post].sets.pop_front() else { continue };
            self.begin_attempts(call, post, &letters)?;
            self.turn = post + 1;
            self.task = Some(Task { link: number, post, letters, begun: Instant::now() });
            return Ok(Some(Next { post, mailbox: value, letters: set }));
        }
        Ok(None)
    }

    /// Writes down that letters are being handled. If the process ends meanwhile, that was an attempt: a
    /// letter that ends it each time is set aside.
    pub(super) fn begin_attempts(
        &self,
        call: &Call<'_>,
        post: usize,
        letters: &[Due],
    ) -> Result<(), Condition> {
        let Some(key) = &self.posts[post].key else { return Ok(()) };
        let begun = |letter: &Due| Due {
            attempts: letter.attempts + 1,
            error: Some(BEGUN.to_owned()),
            ..letter.clone()
        };
        write(call, letters, |database, letter| database.note_failure(key, &begun(letter)))
    }

    /// Selects the mailbox of a post, and makes the sets that its procedure gets.
    pub(super) fn prepare(
        &mut self,
        number: usize,
        post: usize,
        mailbox: &Arc<ImapMailbox>,
    ) -> Result<(), Error> {
        let (link, post) = (&mut self.links[number], &mut self.posts[post]);
        let mut client = mailbox.client();
        mailbox.extra::<Borrowed>().restore(&mut client, mailbox)?;
        if !is_selected(&client, &post.mailbox, false) {
            let left = client.selected().map(|selected| folded(&selected.name).to_owned());
            link.left.extend(left);
            link.must_look = true;
            client.select(&post.mailbox, false)?;
        }
        link.selections = client.epoch().0;
        let uid_validity = client.selected().and_then(|selected| selected.uid_validity);
        let first =
            post.sets.front().and_then(|(letters, _)| letters.first()).or(post.ready.front());
        if first.is_some_and(|letter| Some(letter.uid_validity) != uid_validity) {
            post.forget_letters();
            link.must_look = true;
            return Ok(());
        }
        if post.sets.is_empty() {
            let size = self.way.batch;
            let count = post.ready.len().min(MOST_TOGETHER.max(size));
            let letters: Vec<Due> = post.ready.drain(..count).collect();
            let uids: Vec<u32> = letters.iter().map(|letter| letter.uid).collect();
            let sets = sets_of(&client, mailbox, uids, size);
            post.sets = letters.chunks(size).map(<[Due]>::to_vec).zip(sets).collect();
        }
        Ok(())
    }

    /// Writes down how the procedure has ended: `error` is its condition, if it has failed.
    pub(in crate::api::watching) fn done(
        &mut self,
        call: &Call<'_>,
        error: Option<&Condition>,
    ) -> Result<(), Condition> {
        let Some(task) = self.task.take() else { return Ok(()) };
        let took = task.begun.elapsed();
        let link = &mut self.links[task.link];
        let mut is_lost = false;
        if let Some((_, mailbox)) = &link.mailbox {
            let client = mailbox.client();
            is_lost = client.is_closed();
            // The procedure has selected another mailbox, and perhaps the same again.
            if client.epoch().0 != link.selections {
                link.must_look = true;
                link.left.push(folded(&self.posts[task.post].mailbox).to_owned());
            }
        }
        let Some(key) = self.posts[task.post].key.clone() else { return Ok(()) };
        match error {
            None => self.handled_all(call, task.post, &key, &task.letters, took)?,
            Some(error) => self.failed(call, task.post, &key, task.letters, error, is_lost)?,
        }
        if is_lost {
            let closed = Condition::from(&Error::Closed);
            self.lost(call, task.link, error.unwrap_or(&closed));
        }
        Ok(())
    }

    fn handled_all(
        &mut self,
        call: &Call<'_>,
        post: usize,
        key: &CursorKey,
        letters: &[Due],
        took: Duration,
    ) -> Result<(), Condition> {
        write(call, letters, |database, Due { uid_validity, uid, .. }| {
            database.done_with(key, *uid_validity, *uid)
        })?;
        for Due { uid, .. } in letters {
            self.posts[post].repeats.remove(uid);
            self.handled += 1;
            self.tell(call, post, What::Handled { uid: *uid, took });
        }
        Ok(())
    }

    /// The procedure has failed. If the connection was lost meanwhile, this may be why: then the
    /// letters are tried again at once, and it was no attempt.
    fn failed(
        &mut self,
        call: &Call<'_>,
        post: usize,
        key: &CursorKey,
        mut letters: Vec<Due>,
        error: &Condition,
        is_lost: bool,
    ) -> Result<(), Condition> {
        let text = call.context().redact(&error.to_string());
        let mut events = Vec::new();
        let Watcher { way, posts, .. } = self;
        for letter in &mut letters {
            let uid = letter.uid;
            if is_lost {
                let repeats = posts[post].repeats.entry(uid).or_default();
                *repeats += 1;
                if *repeats <= MOST_REPEATS {
                    events.push(What::Repeats { uid });
                    continue;
                }
            }
            posts[post].repeats.remove(&uid);
            letter.attempts += 1;
            let attempts = letter.attempts;
            let nth = (attempts as usize - 1).min(way.retry_after.len().saturating_sub(1));
            let again = way.retry_after.get(nth).copied().filter(|_| attempts < way.attempts);
            letter.next = again.map(|again| {
                now().saturating_add(i64::try_from(again.as_millis()).unwrap_or(i64::MAX))
            });
            letter.error = Some(text.clone());
            let later = &mut posts[post].later;
            *later = later.iter().copied().chain(letter.next).min();
            events.push(What::Failed { uid, attempts, error: &text, again });
        }
        write(call, &letters, |database, letter| database.note_failure(key, letter))?;
        for event in events {
            self.tell(call, post, event);
        }
        Ok(())
    }
}

/// Writes something down of each letter, of all or of none.
fn write(
    call: &Call<'_>,
    letters: &[Due],
    one: impl Fn(&Database, &Due) -> Result<(), StateError>,
) -> Result<(), Condition> {
    let database = &state(call).database;
    let all = |database: &Database| {
        database.together(|| letters.iter().try_for_each(|letter| one(database, letter)))
    };
    database.with(all).map_err(|error| by_state(&error))
}
