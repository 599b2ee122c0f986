//! A server that knows no IMAP: it says what its script says, and keeps what it hears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// The server's end of one connection.
pub struct Peer {
    stream: BufReader<TcpStream>,
    pub heard: Vec<String>,
}

impl Peer {
    pub fn say(&mut self, text: &str) {
        // The client may have given up already, which is what some tests are about.
        let _ = self.stream.get_mut().write_all(text.as_bytes());
    }

    /// The next line without its end; empty at the end of the stream.
    pub fn hear(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.stream.read_until(b'\n', &mut line);
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if !line.is_empty() {
            self.heard.push(line.clone());
        }
        line
    }

    /// Reads a command and answers it: `{tag}` in the answer stands for its tag.
    pub fn answer(&mut self, answer: &str) -> String {
        let command = self.hear();
        let tag = command.split(' ').next().unwrap_or("").to_owned();
        self.say(&answer.replace("{tag}", &tag));
        command
    }

    /// Greets, and answers as far as the selected inbox of `exists` messages.
    pub fn log_in(&mut self, capabilities: &str) {
        self.say(&format!("* OK [CAPABILITY IMAP4rev1 {capabilities}] hello\r\n"));
        self.answer(&format!("{{tag}} OK [CAPABILITY IMAP4rev1 {capabilities}] in\r\n"));
        self.answer("* LIST () \"/\" \"\"\r\n{tag} OK done\r\n");
    }

    /// Reads exactly so many bytes.
    pub fn hear_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Waits until the client is gone.
    pub fn hear_rest(&mut self) {
        while !self.hear().is_empty() {}
    }

    pub fn hang_up(&mut self) {
        let _ = self.stream.get_mut().shutdown(Shutdown::Both);
    }
}

/// A server that runs its script for one connection.
pub struct Script {
    pub address: SocketAddr,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Script {
    pub fn run(script: impl FnOnce(&mut Peer) + Send + 'static) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut peer = Peer { stream: BufReader::new(stream), heard: Vec::new() };
            script(&mut peer);
            peer.heard
        });
        Script { address, thread: Some(thread) }
    }

    /// What the client said, once the script has ended.
    pub fn heard(mut self) -> Vec<String> {
        self.thread.take().unwrap().join().unwrap()
    }
}
