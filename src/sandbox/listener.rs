//! Listeners, and the threads of their connections.
//!
//! Each listener has a thread that accepts. Each connection has two: one moves bytes from the
//! socket into the session's buffer, the other runs the session. With faults in force, a link
//! stands between client and session, which adds a thread for each direction.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use native_tls::TlsAcceptor;

use crate::sandbox::Protocol;
use crate::sandbox::faults::{Fault, Link, Plan, Side, pair};
use crate::sandbox::imap::session::{Session, Shared};
use crate::sandbox::pop::PopSession;
use crate::sandbox::smtp::SmtpSession;
use crate::sandbox::wire::{Incoming, Transport, Wire};

/// The most connections at a time; more are closed unanswered. A sandbox serves one person or one
/// test.
const CONNECTION_LIMIT: usize = 500;

/// The protocol of a listener, and whether TLS starts with the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Service {
    pub(crate) protocol: Protocol,
    pub(crate) implicit_tls: bool,
}

impl Service {
    /// Every protocol, plain and over TLS.
    pub(crate) const ALL: [Service; 6] = [
        Service { protocol: Protocol::Imap, implicit_tls: false },
        Service { protocol: Protocol::Imap, implicit_tls: true },
        Service { protocol: Protocol::Pop, implicit_tls: false },
        Service { protocol: Protocol::Pop, implicit_tls: true },
        Service { protocol: Protocol::Smtp, implicit_tls: false },
        Service { protocol: Protocol::Smtp, implicit_tls: true },
    ];

    /// Its index in [`Service::ALL`].
    pub(crate) fn index(self) -> usize {
        self.protocol as usize * 2 + usize::from(self.implicit_tls)
    }
}

/// Everything that runs: accepting threads, open connections, and whether the sandbox is stopping.
#[derive(Default)]
pub(crate) struct Running {
    stopping: AtomicBool,
    next: AtomicU64,
    connections: Mutex<HashMap<u64, TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    listeners: Mutex<Vec<SocketAddr>>,
    /// The links of connections with faults. The client's socket is at one end, the session's at
    /// the other.
    links: Mutex<Vec<Weak<Link>>>,
    pub(crate) faults: Plan,
}

impl Running {
    /// Binds a port of 127.0.0.1 and starts accepting.
    pub(crate) fn listen(
        self: &Arc<Running>,
        port: u16,
        service: Service,
        acceptor: TlsAcceptor,
        shared: &Arc<Shared>,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let (running, shared) = (Arc::clone(self), Arc::clone(shared));
        let accept = move || {
            for socket in listener.incoming() {
                if running.stopping.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(socket) = socket {
                    // If no thread can be started the system is short of resources; the client sees
                    // the connection close.
                    let _ = running.connect(socket, service, &acceptor, &shared);
                }
            }
        };
        let thread = thread::Builder::new().name("sandbox listener".to_owned()).spawn(accept)?;
        lock(&self.threads).push(thread);
        lock(&self.listeners).push(address);
        Ok(address)
    }

    /// Cuts every connection, as a crash would.
    pub(crate) fn disconnect_all(&self) {
        for socket in lock(&self.connections).values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        lock(&self.links).iter().filter_map(Weak::upgrade).for_each(|link| link.end());
    }

    /// Stops everything and waits until it has stopped.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for address in lock(&self.listeners).drain(..) {
            // Wakes the accepting thread, which then sees that the sandbox is stopping.
            let _ = TcpStream::connect(address);
        }
        // A connection accepted meanwhile registers itself and is cut in the next round.
        loop {
            self.disconnect_all();
            let threads = std::mem::take(&mut *lock(&self.threads));
            if threads.is_empty() {
                return;
            }
            for thread in threads {
                self.disconnect_all();
                let _ = thread.join();
            }
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn connect(
        self: &Arc<Running>,
        socket: TcpStream,
        service: Service,
        acceptor: &TlsAcceptor,
        shared: &Arc<Shared>,
    ) -> io::Result<()> {
        let faults = self.faults.next(service.protocol);
        let socket = if faults.is_empty() { socket } else { self.disturb(socket, &faults)? };
        // Nagle's algorithm would delay answers, since commands and answers alternate.
        socket.set_nodelay(true)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut connections = lock(&self.connections);
            if connections.len() >= CONNECTION_LIMIT {
                return Ok(());
            }
            connections.insert(number, socket.try_clone()?);
        }
        let incoming = Arc::new(Incoming::default());
        let reading = (Arc::clone(&incoming), socket.try_clone()?);
        let reader = thread::Builder::new()
            .name("sandbox reader".to_owned())
            .spawn(move || reading.0.pump(reading.1));
        let (running, shared, acceptor) = (Arc::clone(self), Arc::clone(shared), acceptor.clone());
        let serve = move || {
            let _registered = Registered { running, number };
            let wire = Wire::new(socket, Arc::clone(&incoming));
            let mut transport = Transport::Plain(wire);
            if service.implicit_tls && transport.accept_tls(&acceptor).is_err() {
                return;
            }
            match service.protocol {
                Protocol::Imap => Session::new(shared, transport, incoming, acceptor).run(),
                Protocol::Pop => PopSession::new(shared, transport, acceptor).run(),
                Protocol::Smtp => SmtpSession::new(shared, transport, acceptor).run(),
            }
        };
        let session = thread::Builder::new().name("sandbox session".to_owned()).spawn(serve);
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        let failed = session.is_err() || reader.is_err();
        threads.extend([reader, session].into_iter().flatten());
        drop(threads);
        if self.is_stopped() || failed {
            self.disconnect_all();
        }
        Ok(())
    }

    /// Puts a link with faults between a client and its session. Returns the session's end.
    fn disturb(&self, client: TcpStream, faults: &[Fault]) -> io::Result<TcpStream> {
        let (near, far) = pair()?;
        let link = Arc::new(Link::new(client, near)?);
        let mut links = lock(&self.links);
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(&link));
        drop(links);
        for side in [Side::Client, Side::Server] {
            let (carried, faults) = (Arc::clone(&link), faults.to_vec());
            let carry = move || carried.carry(side, &faults, |_| {});
            let thread = thread::Builder::new()
                .name("sandbox wire".to_owned())
                .spawn(carry)
                .inspect_err(|_| link.end())?;
            lock(&self.threads).push(thread);
        }
        Ok(far)
    }
}

/// Unregisters a connection when its session ends, even by a panic.
struct Registered {
    running: Arc<Running>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.running.connections).remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
