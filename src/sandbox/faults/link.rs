//! Two sockets, and the bytes that travel between them.
//!
//! Theory: a thread a side reads there and writes to the other one. A cut ends both streams behind what has passed, in order, so that nothing on its way gets
//! lost with it; what either side sends afterwards is read and thrown away until it hangs up, since a socket closed with bytes unread would take back bytes
//! that were delivered. A stalled side is thrown away too. When the client hangs up the server hears it, whatever the faults, and the link lasts until the
//! server has hung up as well: by then it has done what it was told.

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
    /// Between the client that has connected and the server it asked for.
    pub(in super::super) fn new(client: TcpStream, server: TcpStream) -> io::Result<Link> {
        // A byte that travels alone must not wait for the next one.
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok(Link { client, server, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Carries one side's bytes until there are no more; the body of a thread. `watch` sees what that side has sent.
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

    /// Breaks the wire at once.
    pub(in super::super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
        // Either may be closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    /// Whether nothing more is to be sent.
    fn take(&self, side: Side, step: Step, stalled: bool) -> bool {
        let state = self.lock();
        if stalled || state.cut || state.ended {
            return stalled;
        }
        match step {
            Step::Pass(bytes) => {
                drop(state);
                // One who has hung up hears nothing more; what comes back from there says so.
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
            // Not more than an end: what the server was told before it shall be done when the server's side ends too.
            Side::Client => {
                self.lock().ended = true;
                self.changed.notify_all();
                let _ = self.server.shutdown(Shutdown::Write);
            }
            // The client would not hear this end either.
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

/// Two sockets that are connected to each other.
pub(in super::super) fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    loop {
        let (far, address) = listener.accept()?;
        // Any program on this machine may have been faster.
        if address == near.local_addr()? {
            return Ok((near, far));
        }
    }
}
