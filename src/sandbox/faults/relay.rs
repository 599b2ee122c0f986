//! A wire in front of any server.

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

/// A server that does not answer for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is said beyond this is carried, but not recorded.
const RECORDED: usize = 1024 * 1024;

/// A piece of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// By whom.
    pub side: Side,
    /// As it was sent, before any fault.
    pub bytes: Vec<u8>,
}

/// A wire between clients and one server, on a port of 127.0.0.1 that the system chooses. Every connection has the same faults. Dropping it breaks them all and
/// waits for its threads.
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
    /// Starts a wire to this server.
    ///
    /// # Errors
    /// What kept it from listening on 127.0.0.1; [`io::ErrorKind::ConnectionRefused`] when the system gave it the server's own port, so that none is there.
    pub fn start(server: SocketAddr, faults: Vec<Fault>) -> io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        if address == server {
            return Err(io::ErrorKind::ConnectionRefused.into()); // else each connection would make another one, without end
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

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Other faults for the connections from now on.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *lock(&self.shared.faults) = faults;
    }

    /// What both sides have said so far, in order, as they sent it; the first megabyte. What one side said without a word from the other is one piece.
    pub fn said(&self) -> Vec<Said> {
        lock(&self.shared.said).clone()
    }

    /// How many bytes a side has sent so far, of those that are recorded.
    pub fn sent_by(&self, side: Side) -> u64 {
        lock(&self.shared.said)
            .iter()
            .filter(|said| said.side == side)
            .map(|said| said.bytes.len() as u64)
            .sum()
    }

    /// Waits until every connection has ended on both sides: the server has done by then whatever it was told.
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
        // Wakes the accepting thread, which then sees that it is over.
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
                // Without a server or a thread the client sees a closed connection.
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
        // Held until both are on the list, so that who has seen an end can wait for it.
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
