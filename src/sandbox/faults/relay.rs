//! A relay: a link with faults in front of any server.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Fault, Side, link::Link};

/// How long to wait for the server to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// At most this many bytes are recorded; more are carried but not recorded.
const RECORDED: usize = 1024 * 1024;

/// A piece of the recorded conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who sent it.
    pub side: Side,
    /// The bytes as sent, before any fault.
    pub bytes: Vec<u8>,
}

/// A relay between clients and one server, on a port of 127.0.0.1 that the system chooses. Every
/// connection has the same faults. Dropping it breaks all connections and waits for its threads.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    faults: Mutex<Vec<Fault>>,
    stopping: AtomicBool,
    links: Mutex<Vec<Weak<Link>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    said: Mutex<Vec<Said>>,
}

impl Relay {
    /// Starts a relay to this server.
    ///
    /// # Errors
    /// Why it cannot listen on 127.0.0.1. [`io::ErrorKind::ConnectionRefused`] if the system
    /// assigned the server's own port, which means that no server is there.
    pub fn start(server: SocketAddr, faults: Vec<Fault>) -> io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        if address == server {
            // otherwise each connection would open another to ourselves, endlessly
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let shared = Arc::new(Shared {
            server,
            faults: Mutex::new(faults),
            stopping: AtomicBool::new(false),
            links: Mutex::default(),
            threads: Mutex::default(),
            said: Mutex::default(),
        });
        let accept = Arc::clone(&shared);
        let accepting = thread::Builder::new()
            .name("relay listener".to_owned())
            .spawn(move || accept.run(&listener))?;
        Ok(Relay { shared, address, accepting: Some(accepting) })
    }

    /// The address for clients to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the faults of new connections.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *lock(&self.shared.faults) = faults;
    }

    /// What both sides have sent so far, in order, as they sent it; at most 1 MiB. Consecutive
    /// bytes from one side are one piece.
    pub fn said(&self) -> Vec<Said> {
        lock(&self.shared.said).clone()
    }

    /// How many of the recorded bytes a side has sent.
    pub fn sent_by(&self, side: Side) -> u64 {
        lock(&self.shared.said)
            .iter()
            .filter(|said| said.side == side)
            .map(|said| said.bytes.len() as u64)
            .sum()
    }

    /// Forgets what both sides have sent so far.
    pub fn forget(&self) {
        lock(&self.shared.said).clear();
    }

    /// Waits until every connection has ended on both sides. By then the server has done all it was
    /// asked to.
    pub fn wait_for_end(&self) {
        loop {
            let threads = std::mem::take(&mut *lock(&self.shared.threads));
            if threads.is_empty() {
                return;
            }
            for thread in threads {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees that the relay is stopping.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
        lock(&self.shared.links).iter().filter_map(Weak::upgrade).for_each(|link| link.end());
        self.wait_for_end();
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Relay")
            .field("address", &self.address)
            .field("server", &self.shared.server)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn run(self: Arc<Shared>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            if let Ok(client) = client {
                // Without a server or a thread the client sees the connection close.
                let _ = self.connect(client);
            }
        }
    }

    fn connect(self: &Arc<Shared>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect_timeout(&self.server, CONNECT_TIMEOUT)?;
        let link = Arc::new(Link::new(client, server)?);
        let faults = lock(&self.faults).clone();
        let mut links = lock(&self.links);
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(&link));
        drop(links);
        // Locked until both threads are listed, so a caller that saw the end can wait for them.
        let mut threads = lock(&self.threads);
        for side in [Side::Client, Side::Server] {
            let (shared, carried, faults) = (Arc::clone(self), Arc::clone(&link), faults.clone());
            let carry = move || carried.carry(side, &faults, |bytes| shared.record(side, bytes));
            threads.push(
                thread::Builder::new()
                    .name("relay".to_owned())
                    .spawn(carry)
                    .inspect_err(|_| link.end())?,
            );
        }
        Ok(())
    }

    fn record(&self, side: Side, bytes: &[u8]) {
        let mut said = lock(&self.said);
        if said.iter().map(|said| said.bytes.len()).sum::<usize>() + bytes.len() > RECORDED {
            return;
        }
        match said.last_mut() {
            Some(last) if last.side == side => last.bytes.extend_from_slice(bytes),
            _ => said.push(Said { side, bytes: bytes.to_vec() }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
