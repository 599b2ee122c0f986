//! A wire that breaks: passes bytes on in both directions, and hangs up behind a given number of them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// One connection's wire.
pub struct Wire {
    pub address: SocketAddr,
    passed: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Passes on `budget` bytes, counted over both directions; then the wire breaks.
    pub fn new(server: SocketAddr, budget: i64) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let passed = Arc::new(AtomicU64::new(0));
        let counter = passed.clone();
        let thread = std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(server).unwrap();
            let left = Arc::new(AtomicI64::new(budget));
            let there = pump(client.try_clone().unwrap(), server.try_clone().unwrap(), left.clone(), counter.clone());
            let back = pump(server, client, left, counter);
            there.join().unwrap();
            back.join().unwrap();
        });
        Wire { address, passed, thread: Some(thread) }
    }

    /// How many bytes went through, once both ends are done.
    pub fn passed(mut self) -> u64 {
        self.thread.take().unwrap().join().unwrap();
        self.passed.load(Ordering::SeqCst)
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, left: Arc<AtomicI64>, passed: Arc<AtomicU64>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count) = from.read(&mut buffer) {
            let before = left.fetch_sub(count as i64, Ordering::SeqCst);
            let allowed = usize::try_from(before.clamp(0, count as i64)).unwrap();
            passed.fetch_add(allowed as u64, Ordering::SeqCst);
            if to.write_all(&buffer[..allowed]).is_err() || count == 0 || allowed < count {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    })
}
