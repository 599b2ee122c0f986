//! Waits for many streams at once, in one thread.
//!
//! [`wait_for_any`] returns as soon as one of the streams can go on, the time is up, the program is
//! interrupted or a [`Waker`] was used: whichever comes first. It looks at sockets only. What TLS or
//! compression has read already does not show there, so a stream must have been read until nothing
//! is left ([`Connection::event_at_once`](super::Connection::event_at_once)) before it is waited for.
//!
//! On Unix this is poll(2), interrupted by nothing but what it waits for. Elsewhere the standard
//! library cannot wait for several sockets, and the streams are tried in turn, 50 times a second.

use super::stream::{Interrupt, Stream};
use std::io;
use std::time::{Duration, Instant};

/// How often the interrupt is asked.
const SLICE: Duration = Duration::from_millis(100);

/// A stream to wait for.
pub struct Awaited<'s> {
    /// The stream.
    pub stream: &'s Stream,
    /// Whether it has something to send, too.
    pub sends: bool,
}

/// What ended the wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// These streams can go on, by their positions, ascending.
    Streams(Vec<usize>),
    /// A [`Waker`].
    Waker,
    /// The time.
    TimeIsUp,
    /// The user (Ctrl-C), or the program's time limit.
    Interrupted,
}

/// Waits until a stream can go on, but not longer than `until`; `None` is for ever. Streams that are
/// closed can go on: their next operation says so.
///
/// # Errors
/// The system's error.
pub fn wait_for_any(
    streams: &[Awaited<'_>],
    wake_up: Option<&WakeUp>,
    until: Option<Instant>,
    interrupt: Option<&Interrupt>,
) -> io::Result<Woken> {
    let mut poll = Poll::new(streams, wake_up);
    loop {
        if interrupt.is_some_and(|interrupt| interrupt()) {
            return Ok(Woken::Interrupted);
        }
        let now = Instant::now();
        let left = until.map_or(SLICE, |until| until.saturating_duration_since(now)).min(SLICE);
        if let Some(woken) = poll.poll(left)? {
            return Ok(woken);
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            return Ok(Woken::TimeIsUp);
        }
    }
}

#[cfg(unix)]
mod system {
    use super::{Awaited, Woken};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io::{self, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::time::Duration;

    /// The end of a pair that waits.
    pub struct WakeUp(UnixStream);

    /// The end of a pair that ends the wait, from any thread.
    #[derive(Clone)]
    pub struct Waker(Arc<UnixStream>);

    impl WakeUp {
        /// Makes a pair.
        ///
        /// # Errors
        /// The system's error, when there are too many open files.
        pub fn new() -> io::Result<(WakeUp, Waker)> {
            let (waits, wakes) = UnixStream::pair()?;
            waits.set_nonblocking(true)?;
            wakes.set_nonblocking(true)?;
            Ok((WakeUp(waits), Waker(Arc::new(wakes))))
        }

        fn take(&self) {
            let mut room = [0; 64];
            while matches!((&self.0).read(&mut room), Ok(count) if count > 0) {}
        }
    }

    impl Waker {
        /// Ends the wait, or the next one if nobody waits now.
        pub fn wake(&self) {
            let _ = (&*self.0).write(&[1]); // if the pair is full, the other end wakes up anyway
        }
    }

    pub(super) struct Poll<'s> {
        descriptors: Vec<PollFd<'s>>,
        /// The positions of the streams in the order of their descriptors.
        positions: Vec<usize>,
        closed: Vec<usize>,
        wake_up: Option<&'s WakeUp>,
    }

    impl<'s> Poll<'s> {
        pub(super) fn new(streams: &[Awaited<'s>], wake_up: Option<&'s WakeUp>) -> Self {
            let (mut descriptors, mut positions, mut closed) = (Vec::new(), Vec::new(), Vec::new());
            for (position, Awaited { stream, sends }) in streams.iter().enumerate() {
                let Some(tcp) = stream.tcp() else {
                    closed.push(position);
                    continue;
                };
                let flags = if *sends { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                descriptors.push(PollFd::new(tcp, flags));
                positions.push(position);
            }
            descriptors.extend(wake_up.map(|wake_up| PollFd::new(&wake_up.0, PollFlags::IN)));
            Poll { descriptors, positions, closed, wake_up }
        }

        pub(super) fn poll(&mut self, longest: Duration) -> io::Result<Option<Woken>> {
            if !self.closed.is_empty() {
                return Ok(Some(Woken::Streams(std::mem::take(&mut self.closed))));
            }
            // poll(2) counts in whole nanoseconds here.
            let longest = Timespec::try_from(longest).map_err(io::Error::other)?;
            match poll(&mut self.descriptors, Some(&longest)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
            let ready: Vec<usize> = self
                .positions
                .iter()
                .zip(&self.descriptors)
                .filter(|(_, fd)| is_ready(fd))
                .map(|(position, _)| *position)
                .collect();
            if let Some(wake_up) = self.wake_up
                && self.descriptors.last().is_some_and(is_ready)
            {
                wake_up.take();
                if ready.is_empty() {
                    return Ok(Some(Woken::Waker));
                }
            }
            Ok((!ready.is_empty()).then_some(Woken::Streams(ready)))
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::{Awaited, Woken};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    /// The end of a pair that waits.
    pub struct WakeUp(Arc<AtomicBool>);

    /// The end of a pair that ends the wait, from any thread.
    #[derive(Clone)]
    pub struct Waker(Arc<AtomicBool>);

    impl WakeUp {
        /// Makes a pair.
        ///
        /// # Errors
        /// None on this system.
        pub fn new() -> io::Result<(WakeUp, Waker)> {
            let flag = Arc::new(AtomicBool::new(false));
            Ok((WakeUp(flag.clone()), Waker(flag)))
        }
    }

    impl Waker {
        /// Ends the wait, or the next one if nobody waits now.
        pub fn wake(&self) {
            self.0.store(true, Ordering::Release);
        }
    }

    const TURN: Duration = Duration::from_millis(20);

    pub(super) struct Poll<'s> {
        count: usize,
        wake_up: Option<&'s WakeUp>,
    }

    impl<'s> Poll<'s> {
        pub(super) fn new(streams: &[Awaited<'s>], wake_up: Option<&'s WakeUp>) -> Self {
            Poll { count: streams.len(), wake_up }
        }

        pub(super) fn poll(&mut self, longest: Duration) -> io::Result<Option<Woken>> {
            if self.wake_up.is_some_and(|wake_up| wake_up.0.swap(false, Ordering::AcqRel)) {
                return Ok(Some(Woken::Waker));
            }
            std::thread::sleep(longest.min(TURN));
            Ok((self.count > 0).then(|| Woken::Streams((0..self.count).collect())))
        }
    }
}

use system::Poll;
pub use system::{WakeUp, Waker};

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::transport::{Pace, Socket};
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let pace = Pace::from_timeout(Duration::from_secs(30));
        (Stream::Plain(Socket::new(near, pace, None, None).unwrap()), listener.accept().unwrap().0)
    }

    fn wait(streams: &[&Stream], wake_up: Option<&WakeUp>, until: Option<Instant>) -> Woken {
        let streams: Vec<_> =
            streams.iter().map(|stream| Awaited { stream, sends: false }).collect();
        wait_for_any(&streams, wake_up, until, None).unwrap()
    }

    #[test]
    fn each_cause_ends_the_wait() {
        let ((first, _far), (second, mut far)) = (pair(), pair());
        let now = || Some(Instant::now());
        assert_eq!(wait(&[&first, &second], None, now()), Woken::TimeIsUp);
        far.write_all(b"x").unwrap();
        assert_eq!(wait(&[&first, &second], None, None), Woken::Streams(vec![1]));
        assert_eq!(wait(&[&first, &Stream::Closed], None, None), Woken::Streams(vec![1]));
        drop(far);
        assert_eq!(wait(&[&second], None, None), Woken::Streams(vec![0]));
        let sending = [Awaited { stream: &first, sends: true }];
        assert_eq!(wait_for_any(&sending, None, None, None).unwrap(), Woken::Streams(vec![0]));
        let interrupt: Interrupt = Arc::new(|| true);
        assert_eq!(wait_for_any(&[], None, None, Some(&interrupt)).unwrap(), Woken::Interrupted);
    }

    #[test]
    fn a_waker_is_not_lost_and_counts_once() {
        let (stream, _far) = pair();
        let (wake_up, waker) = WakeUp::new().unwrap();
        let clone = waker.clone();
        std::thread::spawn(move || (0..1000).for_each(|_| clone.wake())).join().unwrap();
        assert_eq!(wait(&[&stream], Some(&wake_up), None), Woken::Waker);
        assert_eq!(wait(&[&stream], Some(&wake_up), Some(Instant::now())), Woken::TimeIsUp);
        drop(waker);
    }
}
