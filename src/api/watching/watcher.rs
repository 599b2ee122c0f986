//! The watch itself: posts, links, and which letter is next.
//!
//! [`Watcher::next`] is called by the loop in Scheme. It moves every link as far as it gets, and
//! returns the next letters to handle; if there are none, it waits for all connections at once. Posts
//! take turns, so that one with many letters keeps no other waiting. [`Watcher::done`] writes down how
//! the procedure ended.

use super::events::{Event, Means, Supervisor, What};
use super::intake::{Failure, Found, Outcome, Wanted, now};
use super::link::{Account, Link, Report, Stage};
use crate::api::letter_sets::sets_of;
use crate::api::looking::{Look, account_of};
use crate::api::objects::ImapMailbox;
use crate::api::operation::{deliver_warnings, failed};
use crate::api::reconnecting::Lost;
use crate::api::reconnection::Reconnection;
use crate::api::selection::{Borrowed, folded, is_selected};
use crate::api::state::{State, state};
use crate::client::{Error, Heard, Wait};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::state::{CursorKey, Due, Owner, StateError};
use crate::transport::{self, Interrupt, TransportError, WakeUp, Waker, Woken};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// The most jobs at once.
const MOST_JOBS: usize = 16;
/// The most letters whose facts are fetched together.
const MOST_TOGETHER: usize = 100;
/// How often connections are looked after while letters are handled.
const ROUND: Duration = Duration::from_millis(20);
/// How often a letter is tried at once after the connection was lost.
const MOST_REPEATS: u32 = 3;
/// The error of a letter that is being handled, or was when the process ended.
const BEGUN: &str = "its procedure has begun and not ended";
/// A clock that goes ahead by more than this was suspended with its machine.
const SUSPENDED: Duration = Duration::from_secs(30);

/// How to watch.
pub(super) struct Way {
    pub until: Option<Instant>,
    /// Whether to handle what is there now, and end then.
    pub once: bool,
    /// How many letters to handle.
    pub count: Option<u64>,
    /// How often a letter is tried.
    pub attempts: u32,
    /// How long to wait after each attempt; the last one counts for all further ones.
    pub retry_after: Vec<Duration>,
    /// The most letters in one call.
    pub batch: usize,
    /// The most connections for each account.
    pub connections: usize,
    /// How long one IDLE lasts.
    pub keep_alive: Option<Duration>,
}

/// A mailbox that is watched with a cursor.
pub(super) struct Post {
    pub account: String,
    pub mailbox: String,
    pub cursor: String,
    pub from: Look,
    key: Option<CursorKey>,
    /// Letters to handle now.
    ready: VecDeque<Due>,
    /// The same, as the procedure gets them.
    sets: VecDeque<(Vec<Due>, Value)>,
    /// When the next letter that has failed is tried again.
    later: Option<i64>,
    /// How often the connection was lost while a letter was handled.
    repeats: HashMap<u32, u32>,
    /// Why the server refuses the mailbox, if it does.
    refused: Option<String>,
}

impl Post {
    pub(super) fn new(account: String, mailbox: String, cursor: String, from: Look) -> Post {
        Post {
            account,
            mailbox,
            cursor,
            from,
            key: None,
            ready: VecDeque::new(),
            sets: VecDeque::new(),
            later: None,
            repeats: HashMap::new(),
            refused: None,
        }
    }

    fn has_letters(&self) -> bool {
        !self.ready.is_empty() || !self.sets.is_empty()
    }

    /// Drops what is only remembered; the database has it.
    fn forget_letters(&mut self) {
        self.ready.clear();
        self.sets.clear();
        self.later = None;
    }

    /// Takes what was found.
    fn take(&mut self, found: Found) {
        self.forget_letters();
        let now = now();
        for letter in found.due {
            match letter.next {
                Some(next) if next <= now => self.ready.push_back(letter),
                Some(next) => self.later = Some(self.later.map_or(next, |later| later.min(next))),
                None => {}
            }
        }
    }
}

/// Letters whose procedure is running.
struct Task {
    link: usize,
    post: usize,
    letters: Vec<Due>,
    begun: Instant,
}

/// What the loop in Scheme is to do.
pub(super) struct Next {
    pub post: usize,
    pub mailbox: Value,
    pub letters: Value,
}

/// A watch.
pub(super) struct Watcher {
    way: Way,
    posts: Vec<Post>,
    links: Vec<Link>,
    /// The post that is looked at first.
    turn: usize,
    task: Option<Task>,
    /// Keeps others from watching with the same cursors.
    owner: Option<Owner>,
    handled: u64,
    supervisor: Option<Arc<dyn Supervisor>>,
    wake_up: WakeUp,
    waker: Waker,
    last_round: Instant,
    /// Both clocks; the first one stands still while the machine is suspended.
    clocks: (Instant, SystemTime),
    /// The first error of a link, when the watch is to end by itself.
    failure: Option<Condition>,
    ended: bool,
}

impl Watcher {
    pub(super) fn new(
        call: &Call<'_>,
        way: Way,
        posts: Vec<Post>,
        accounts: &[(String, Arc<Account>)],
    ) -> Result<Watcher, Condition> {
        let links = accounts
            .iter()
            .map(|(name, reached)| {
                let own =
                    |(number, post): (usize, &Post)| (post.account == *name).then_some(number);
                let own = posts.iter().enumerate().filter_map(own).collect();
                Link::new(name.clone(), reached.clone(), own)
            })
            .collect();
        let (wake_up, waker) = WakeUp::new().map_err(|error| by_system(&error))?;
        let supervisor = call.context().try_state::<Supervised>().map(|it| it.0.clone());
        let once = way.once || supervisor.as_ref().is_some_and(|it| it.once());
        let watcher = Watcher {
            way: Way { once, ..way },
            posts,
            links,
            turn: 0,
            task: None,
            owner: None,
            handled: 0,
            supervisor,
            wake_up,
            waker,
            last_round: Instant::now(),
            clocks: (Instant::now(), SystemTime::now()),
            failure: None,
            ended: false,
        };
        for post in 0..watcher.posts.len() {
            watcher.tell(call, post, What::Begins);
        }
        Ok(watcher)
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled
    }

    /// The next letters to handle, waiting for them; `None` if the watch is over.
    pub(super) fn next(&mut self, call: &Call<'_>) -> Result<Option<Next>, Condition> {
        loop {
            if self.is_over() {
                return Ok(None);
            }
            self.notice_suspension();
            let now = Instant::now();
            let has_letters = self.posts.iter().any(Post::has_letters);
            if !has_letters || now.duration_since(self.last_round) >= ROUND {
                self.last_round = now;
                self.take_reports(call)?;
                self.go_on(call, has_letters)?;
                self.begin_jobs(call)?;
            }
            if let Some(next) = self.pick(call)? {
                return Ok(Some(next));
            }
            let at_rest = |link: &Link| match link.stage {
                Stage::Waiting(..) | Stage::Pausing(_) => true,
                Stage::Down(_) => link.failures > 0,
                Stage::Busy(_) | Stage::Idle | Stage::AtWork => false,
            };
            if self.way.once && self.links.iter().all(at_rest) {
                return self.failure.take().map_or(Ok(None), Err);
            }
            // Letters that were dropped are looked for again.
            if self.links.iter().all(|link| !matches!(link.stage, Stage::AtWork)) {
                self.wait(call)?;
            }
        }
    }

    fn is_over(&self) -> bool {
        let over = self.way.until.is_some_and(|until| Instant::now() >= until)
            || self.way.count.is_some_and(|count| self.handled >= count);
        over || self.supervisor.as_ref().is_some_and(|supervisor| !supervisor.goes_on())
    }

    fn tell(&self, call: &Call<'_>, post: usize, what: What<'_>) {
        let Post { account, mailbox, cursor, .. } = &self.posts[post];
        match &self.supervisor {
            Some(supervisor) => {
                supervisor.happened(&Event { account, mailbox, cursor, what });
            }
            // Without a log only what somebody should look at is said.
            None if what.is_problem() => {
                let words = format!("watch: {account}, {mailbox}: {what}");
                call.context().warn(Condition::new(Identifier::Problem, words));
            }
            None => {}
        }
    }

    fn tell_link(&self, call: &Call<'_>, link: usize, what: &What<'_>) {
        for post in &self.links[link].posts {
            self.tell(call, *post, what.clone());
        }
    }

    /// After the machine was suspended nobody knows which connections still work: all are tried at
    /// once.
    fn notice_suspension(&mut self) {
        let (steady, wall) = self.clocks;
        self.clocks = (Instant::now(), SystemTime::now());
        let passed = self.clocks.1.duration_since(wall).unwrap_or_default();
        if passed.saturating_sub(steady.elapsed()) < SUSPENDED {
            return;
        }
        for link in &mut self.links {
            match &mut link.stage {
                Stage::Waiting(wait, due) => {
                    wait.hurry();
                    *due = Some(Instant::now());
                }
                Stage::Down(next) | Stage::Pausing(next) => *next = Instant::now(),
                Stage::Busy(_) | Stage::Idle | Stage::AtWork => {}
            }
        }
    }

    /// Takes what jobs have come to.
    fn take_reports(&mut self, call: &Call<'_>) -> Result<(), Condition> {
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

    fn connected(&mut self, call: &Call<'_>, number: usize, client: crate::client::ImapClient) {
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
    fn spread(&mut self, number: usize) {
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

    fn lost(&mut self, call: &Call<'_>, number: usize, error: &Condition) {
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
        self.tell_link(call, number, &What::Lost { error: &text, again, failures });
        if self.way.once && failures > 1 {
            let message = format!("watch: {}: {}", self.links[number].account, error.message);
            let condition = Condition { message, ..error.clone() };
            self.failure.get_or_insert(condition);
        }
    }

    fn looked(
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
            self.posts[*post].refused = None;
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

    /// Sets letters aside that have been tried often enough: the process ended while they were handled.
    fn set_aside(&mut self, call: &Call<'_>, post: usize) -> Result<(), Condition> {
        let (most, key) = (self.way.attempts, self.posts[post].key.clone());
        let is_over = |letter: &Due| letter.attempts >= most;
        let ready = std::mem::take(&mut self.posts[post].ready);
        let (over, ready): (VecDeque<Due>, VecDeque<Due>) = ready.into_iter().partition(is_over);
        self.posts[post].ready = ready;
        for letter in over {
            let (uid, attempts) = (letter.uid, letter.attempts);
            let error = letter.error.clone().unwrap_or_default();
            let aside = Due { next: None, ..letter };
            if let Some(key) = &key {
                state(call)
                    .database
                    .with(|database| database.note_failure(key, &aside))
                    .map_err(|error| by_state(&error))?;
            }
            self.tell(call, post, What::Failed { uid, attempts, error: &error, again: None });
        }
        Ok(())
    }

    /// The server refuses one of the mailboxes of a link. The others are watched all the same, and this
    /// one is asked for again with them.
    fn refused(&mut self, call: &Call<'_>, post: usize, error: &Condition) {
        self.posts[post].forget_letters();
        let text = call.context().redact(&error.to_string());
        if self.posts[post].refused.as_ref() != Some(&text) {
            let again = Duration::from_secs(60);
            self.tell(call, post, What::Lost { error: &text, again, failures: 1 });
            self.posts[post].refused = Some(text);
        }
        if self.way.once {
            self.failure.get_or_insert_with(|| error.clone());
        }
    }

    fn is_notified(&self, number: usize) -> bool {
        let mailbox = self.links[number].mailbox.as_ref();
        mailbox.is_some_and(|(_, mailbox)| mailbox.client().is_notified())
    }

    /// Lets a link wait, when nothing is left to do.
    fn rest(&mut self, call: &Call<'_>, number: usize) {
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
            self.tell_link(call, number, &What::Waits(means));
        }
    }

    /// When the next letter that has failed is tried again.
    fn later(&self, number: usize) -> Option<Instant> {
        let posts = self.links[number].posts.iter();
        let later = posts.filter_map(|post| self.posts[*post].later).min()?;
        let left = u64::try_from(later.saturating_sub(now())).unwrap_or(0);
        Instant::now().checked_add(Duration::from_millis(left))
    }

    fn serves_several(&self, number: usize) -> bool {
        let mut names = self.links[number].posts.iter().map(|post| &self.posts[*post].mailbox);
        let first = names.next();
        names.any(|name| Some(name) != first)
    }

    /// Makes sure that no other process watches with the cursor of a post.
    fn claim(&mut self, call: &Call<'_>, post: usize, account: &str) -> Result<(), Condition> {
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
    fn free_jobs(&self) -> usize {
        let busy = self.links.iter().filter(|link| matches!(link.stage, Stage::Busy(_))).count();
        MOST_JOBS.saturating_sub(busy)
    }

    /// Starts jobs, as many as may run.
    fn begin_jobs(&mut self, call: &Call<'_>) -> Result<(), Condition> {
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

    fn connect(&mut self, call: &Call<'_>, state: &Arc<State>, number: usize) {
        let link = &mut self.links[number];
        let credentials = match link.reached.how.credentials(call, &link.reached.host) {
            Ok(Some(credentials)) => credentials,
            Ok(None) => return, // an IMAP account has a login
            Err(condition) => return self.lost(call, number, &condition),
        };
        link.connect(credentials, &state.connector, self.way.keep_alive, &self.waker);
        self.tell_link(call, number, &What::Connecting);
    }

    fn look(
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
            let is_due = post.later.is_some_and(|later| later <= now());
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
    fn go_on(&mut self, call: &Call<'_>, in_between: bool) -> Result<(), Condition> {
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

    fn move_on(&mut self, call: &Call<'_>, number: usize) {
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

    /// Picks the next letters, the posts taking turns.
    fn pick(&mut self, call: &Call<'_>) -> Result<Option<Next>, Condition> {
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
    fn begin_attempts(
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
        state(call)
            .database
            .with(|database| {
                letters.iter().try_for_each(|letter| database.note_failure(key, &begun(letter)))
            })
            .map_err(|error| by_state(&error))
    }

    /// Selects the mailbox of a post, and makes the sets that its procedure gets.
    fn prepare(
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
    pub(super) fn done(
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
        let state = state(call);
        let Some(key) = self.posts[task.post].key.clone() else { return Ok(()) };
        for letter in task.letters {
            let (uid, uid_validity) = (letter.uid, letter.uid_validity);
            let Some(error) = error else {
                state
                    .database
                    .with(|database| database.done_with(&key, uid_validity, uid))
                    .map_err(|error| by_state(&error))?;
                self.posts[task.post].repeats.remove(&uid);
                self.handled += 1;
                self.tell(call, task.post, What::Handled { uid, took });
                continue;
            };
            if is_lost {
                let repeats = self.posts[task.post].repeats.entry(uid).or_default();
                *repeats += 1;
                if *repeats <= MOST_REPEATS {
                    state
                        .database
                        .with(|database| database.note_failure(&key, &letter))
                        .map_err(|error| by_state(&error))?;
                    self.tell(call, task.post, What::Repeats { uid });
                    continue;
                }
            }
            self.posts[task.post].repeats.remove(&uid);
            self.failed(call, &state, task.post, &key, letter, error)?;
        }
        if is_lost {
            let closed = Condition::from(&Error::Closed);
            self.lost(call, task.link, error.unwrap_or(&closed));
        }
        Ok(())
    }

    fn failed(
        &mut self,
        call: &Call<'_>,
        state: &State,
        post: usize,
        key: &CursorKey,
        letter: Due,
        error: &Condition,
    ) -> Result<(), Condition> {
        let attempts = letter.attempts + 1;
        let text = call.context().redact(&error.to_string());
        let nth = (attempts as usize - 1).min(self.way.retry_after.len().saturating_sub(1));
        let again = self.way.retry_after.get(nth).copied().filter(|_| attempts < self.way.attempts);
        let next = again.map(|again| {
            now().saturating_add(i64::try_from(again.as_millis()).unwrap_or(i64::MAX))
        });
        let uid = letter.uid;
        let letter = Due { attempts, next, error: Some(text.clone()), ..letter };
        state
            .database
            .with(|database| database.note_failure(key, &letter))
            .map_err(|error| by_state(&error))?;
        let later = &mut self.posts[post].later;
        *later = later.iter().copied().chain(next).min();
        self.tell(call, post, What::Failed { uid, attempts, error: &text, again });
        Ok(())
    }

    /// Waits for the connections, the jobs and the clock.
    fn wait(&mut self, call: &Call<'_>) -> Result<(), Condition> {
        // A link that needs a job waits for the end of another, if too many run.
        let has_room = self.free_jobs() > 0;
        let dues = self.links.iter().filter_map(|link| match &link.stage {
            Stage::Waiting(_, due) => *due,
            Stage::Down(next) | Stage::Pausing(next) => has_room.then_some(*next),
            Stage::Idle => has_room.then(Instant::now),
            Stage::Busy(_) | Stage::AtWork => None,
        });
        let due = dues.chain(self.way.until).min();
        let supervisor = self.supervisor.clone();
        let interrupt = state(call).connector.interrupt.clone();
        let ends: Interrupt = Arc::new(move || {
            supervisor.as_ref().is_some_and(|supervisor| !supervisor.goes_on())
                || interrupt.as_ref().is_some_and(|interrupt| interrupt())
        });
        match self.streams(due, Some(&ends)).map_err(|error| by_system(&error))? {
            Woken::Streams(ready) => {
                for number in ready {
                    self.move_on(call, number);
                }
            }
            Woken::Interrupted if !self.is_over() => {
                return Err(failed(call, &TransportError::Interrupted.into()));
            }
            Woken::Interrupted | Woken::Waker | Woken::TimeIsUp => {}
        }
        Ok(())
    }

    /// Waits until one of the links that wait can go on. Returns their numbers.
    fn streams(&self, until: Option<Instant>, ends: Option<&Interrupt>) -> std::io::Result<Woken> {
        let waiting = |link: &&Link| matches!(link.stage, Stage::Waiting(..));
        let mailboxes = self.links.iter().enumerate().filter(|(_, link)| waiting(link));
        let (numbers, mut clients): (Vec<usize>, Vec<_>) = mailboxes
            .filter_map(|(number, link)| Some((number, link.mailbox.as_ref()?.1.client())))
            .unzip();
        let streams: Vec<_> = clients.iter_mut().map(|client| client.awaited()).collect();
        let woken = transport::wait_for_any(&streams, Some(&self.wake_up), until, ends)?;
        Ok(match woken {
            Woken::Streams(ready) => {
                Woken::Streams(ready.into_iter().map(|position| numbers[position]).collect())
            }
            other => other,
        })
    }

    /// Ends the watch: logs out everywhere.
    pub(super) fn end(&mut self, call: &Call<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        for post in 0..self.posts.len() {
            self.tell(call, post, What::Ends);
        }
        let links = Mutex::new(std::mem::take(&mut self.links).into_iter());
        // Each logs out for itself, because a silent server takes its time.
        std::thread::scope(|scope| {
            for _ in 0..MOST_JOBS {
                scope.spawn(|| {
                    loop {
                        let link = links.lock().ok().and_then(|mut links| links.next());
                        let Some(link) = link else { break };
                        let Some((_, mailbox)) = link.mailbox else { continue };
                        mailbox.extra::<Reconnection>().forget();
                        let mut client = mailbox.client();
                        if let Stage::Waiting(mut wait, _) = link.stage {
                            client.leave_waiting(&mut wait);
                        }
                        client.close();
                    }
                });
            }
        });
    }
}

/// The supervisor of the watches of a host.
pub(super) struct Supervised(pub Arc<dyn Supervisor>);

fn by_state(error: &StateError) -> Condition {
    Condition::new(Identifier::File, format!("watch: {error}"))
}

fn by_system(error: &std::io::Error) -> Condition {
    Condition::new(Identifier::Problem, format!("watch: {error}"))
}
