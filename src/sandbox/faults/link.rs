//! A link: two connected sockets, and the bytes that travel between them.
//!
//! There is a thread for each side, which reads from it and writes to the other.
//!
//! - A cut ends both streams after the bytes that have passed, so nothing in transit is lost. What
//!   either side sends afterwards is read and discarded until it hangs up: closing a socket with
//!   unread bytes would reset the connection and lose bytes already delivered.
//! - What a stalled side sends is discarded too.
//! - When the client hangs up the server always learns of it, whatever the faults. The link lasts
//!   until the server has hung up as well; by then it has done all it was asked to.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Fault, Side,
    mangle::{Mangler, Step},
};

pub(in super::super) struct Link {
    client: TcpStream,
    server: TcpStream,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    cut: bool,
    ended: bool,
}

impl Link {
    /// Joins a client that has connected and the server it asked for.
    pub(in super::super) fn new(client: TcpStream, server: TcpStream) -> io::Result<Link> {
        // Nagle's algorithm would join bytes that a fault sends one by one.
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok(Link { client, server, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Carries one side's bytes until its end; the body of a thread. `watch` sees what that side
    /// sends.
    pub(in super::super) fn carry(
        &self,
        side: Side,
        faults: &[Fault],
        mut watch: impl FnMut(&[u8]),
    ) {
        let from = self.socket(side);
        let mut mangler = Mangler::new(side, faults);
        let mut stalled = false;
        let mut steps = mangler.begin();
        let mut chunk = vec![0; 32 * 1024];
        loop {
            for step in steps {
                stalled |= self.take(side, step, stalled);
            }
            let count = match { from }.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            watch(&chunk[..count]);
            steps = mangler.feed(&chunk[..count]);
        }
        self.finish(side, stalled);
    }

    /// Breaks the link immediately.
    pub(in super::super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
        // Either may be closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    /// Carries out a step. Returns whether this side is finished.
    fn take(&self, side: Side, step: Step, stalled: bool) -> bool {
        let state = self.lock();
        if stalled || state.cut || state.ended {
            return stalled;
        }
        match step {
            Step::Pass(bytes) => {
                drop(state);
                // Fails if the other side has hung up; its own thread notices that.
                let _ = { self.socket(other(side)) }.write_all(&bytes);
            }
            Step::Pause(time) => self.pause(state, time),
            Step::Stall => return true,
            Step::Cut => {
                drop(state);
                self.cut();
            }
        }
        false
    }

    fn cut(&self) {
        self.lock().cut = true;
        self.changed.notify_all();
        let _ = self.client.shutdown(Shutdown::Write);
        let _ = self.server.shutdown(Shutdown::Write);
    }

    /// One side has hung up.
    fn finish(&self, side: Side, stalled: bool) {
        match side {
            // Only ends the client's direction: the server still does what it was asked before,
            // then hangs up itself.
            Side::Client => {
                self.lock().ended = true;
                self.changed.notify_all();
                let _ = self.server.shutdown(Shutdown::Write);
            }
            // A stalled server's end is hidden from the client as well.
            Side::Server if stalled => {}
            Side::Server => {
                let _ = self.client.shutdown(Shutdown::Write);
            }
        }
    }

    fn pause(&self, state: MutexGuard<'_, State>, time: Duration) {
        let waited =
            self.changed.wait_timeout_while(state, time, |state| !state.cut && !state.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn socket(&self, side: Side) -> &TcpStream {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// Two sockets connected to each other.
pub(in super::super) fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    loop {
        let (far, address) = listener.accept()?;
        // Another program on this machine may have connected first.
        if address == near.local_addr()? {
            return Ok((near, far));
        }
    }
}
