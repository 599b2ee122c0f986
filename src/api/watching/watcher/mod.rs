//! The watch itself: posts, links, and which letter is next.
//!
//! [`Watcher::next`] is called by the loop in Scheme. It moves every link as far as it gets, and
//! returns the next letters to handle; if there are none, it waits for all connections at once. Posts
//! take turns, so that one with many letters keeps no other waiting. [`Watcher::done`] writes down how
//! the procedure ended.
//!
//! This file is the loop; `links` moves connections, and `handling` has to do with letters.

mod handling;
mod links;

use super::events::{Event, Supervisor, What};
use super::intake::Found;
use super::link::{Account, Link, Stage};
use crate::api::looking::Look;
use crate::api::operation::failed;
use crate::api::reconnection::Reconnection;
use crate::api::state::state;
use crate::condition::{Condition, Identifier};
use crate::host::{Call, Value};
use crate::state::{CursorKey, Due, Owner, StateError, now};
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
    /// The server refuses the mailbox.
    refused: Option<Refused>,
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

/// A mailbox that the server refuses.
struct Refused {
    why: String,
    /// When it is asked for again.
    next: Instant,
    /// How long that was after it was refused.
    pause: Duration,
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
        self.tell_all(call, &[post], what);
    }

    fn tell_link(&self, call: &Call<'_>, link: usize, what: What<'_>) {
        self.tell_all(call, &self.links[link].posts, what);
    }

    /// Tells what has happened to these posts, which are of one account.
    fn tell_all(&self, call: &Call<'_>, posts: &[usize], what: What<'_>) {
        let Some((first, others)) = posts.split_first() else { return };
        let Post { account, mailbox, cursor, .. } = &self.posts[*first];
        let other = |post: &usize| {
            let Post { mailbox, cursor, .. } = &self.posts[*post];
            (mailbox.as_str(), cursor.as_str())
        };
        let others = others.iter().map(other).collect();
        let event = Event { account, mailbox, cursor, others, what };
        match &self.supervisor {
            Some(supervisor) => supervisor.happened(&event),
            // Without a log only what somebody should look at is said.
            None if event.what.is_problem() => {
                let words = format!("watch: {}: {}", event.place(", "), event.what);
                call.context().warn(Condition::new(Identifier::Problem, words));
            }
            None => {}
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
