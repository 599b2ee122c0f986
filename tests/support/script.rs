//! A scripted server: the test decides, byte by byte, what it sends and which lines it reads.
//!
//! [`Script`] listens on a free port, accepts one connection and runs a closure with its [`Peer`].
//! Every line read with `hear` is recorded, and [`Script::heard`] returns them to the test.

use native_tls::TlsAcceptor;
use postoffice::client::{ConnectOptions, Credentials, ImapClient};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// A plain or an encrypted stream.
trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

/// The server's end of one connection.
pub struct Peer {
    stream: BufReader<Box<dyn Duplex>>,
    tcp: TcpStream,
    pub heard: Vec<String>,
}

impl Peer {
    fn over(tcp: TcpStream) -> Peer {
        Peer { stream: BufReader::new(Box::new(tcp.try_clone().unwrap())), tcp, heard: Vec::new() }
    }

    /// Does the server's side of a TLS handshake. Returns whether it succeeded.
    pub fn encrypt(&mut self, acceptor: &TlsAcceptor) -> bool {
        let Ok(stream) = acceptor.accept(self.tcp.try_clone().unwrap()) else { return false };
        self.stream = BufReader::new(Box::new(stream));
        true
    }

    /// Sends `bytes` over and over, one byte every 20 ms, until the client is gone. Each byte
    /// arrives within any timeout of the tests, but too slowly to count as progress.
    pub fn drip(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().cycle() {
            if self
                .stream
                .get_mut()
                .write_all(&[*byte])
                .and_then(|()| self.stream.get_mut().flush())
                .is_err()
            {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Closes the sending side only; the client can still be heard.
    pub fn hang_up_sending(&mut self) {
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    /// Sends `bytes` up to `times` times, or until the client is gone.
    pub fn go_on(&mut self, bytes: &[u8], times: usize) {
        for _ in 0..times {
            if self.stream.get_mut().write_all(bytes).is_err() {
                return;
            }
        }
    }

    pub fn say_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn say(&mut self, text: &str) {
        // Some tests are about clients that have given up by now, so a failure is fine.
        let _ = self.stream.get_mut().write_all(text.as_bytes());
    }

    /// Reads the next line and returns it without its end. Returns an empty string at the end of
    /// the stream.
    pub fn hear(&mut self) -> String {
        self.hear_line().unwrap_or_default()
    }

    /// Reads the next line and returns it without its end; `None` at the end of the stream. Empty
    /// lines are not recorded.
    fn hear_line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        // A reset ends the stream too.
        if self.stream.read_until(b'\n', &mut line).unwrap_or(0) == 0 && line.is_empty() {
            return None;
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if !line.is_empty() {
            self.heard.push(line.clone());
        }
        Some(line)
    }

    /// Reads a command, sends `answer` with its tag in place of `{tag}`, and returns the command.
    pub fn answer(&mut self, answer: &str) -> String {
        let command = self.hear();
        let tag = command.split(' ').next().unwrap_or("").to_owned();
        self.say(&answer.replace("{tag}", &tag));
        command
    }

    /// Plays an IMAP login: the greeting, LOGIN, ID if it is among the capabilities, and the LIST
    /// that asks for the hierarchy separator.
    pub fn log_in(&mut self, capabilities: &str) {
        self.say(&format!("* OK [CAPABILITY IMAP4rev1 {capabilities}] hello\r\n"));
        self.answer(&format!("{{tag}} OK [CAPABILITY IMAP4rev1 {capabilities}] in\r\n"));
        if capabilities.split(' ').any(|name| name == "ID") {
            self.answer("* ID NIL\r\n{tag} OK done\r\n");
        }
        self.answer("* LIST () \"/\" \"\"\r\n{tag} OK done\r\n");
    }

    /// Reads exactly `count` bytes. They are not recorded.
    pub fn hear_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads until the client is gone. The bytes are not recorded.
    pub fn hear_until_the_end(&mut self, bytes: &mut Vec<u8>) {
        let _ = self.stream.read_to_end(bytes); // a reset ends the stream too
    }

    /// Reads a letter in SMTP's DATA format, including the final line with the dot.
    pub fn hear_to_the_end_of_a_letter(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !(bytes == b".\r\n" || bytes.ends_with(b"\r\n.\r\n")) {
            if self.stream.read_until(b'\n', &mut bytes).unwrap_or(0) == 0 {
                break;
            }
        }
        bytes
    }

    /// Reads lines until the end of the stream, over empty ones too.
    pub fn hear_rest(&mut self) {
        while self.hear_line().is_some() {}
    }

    pub fn hang_up(&mut self) {
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

/// A server that runs its script for one connection.
pub struct Script {
    pub address: SocketAddr,
    thread: Option<JoinHandle<Vec<String>>>,
    listener: TcpListener,
}

impl Script {
    pub fn run(script: impl FnOnce(&mut Peer) + Send + 'static) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = listener.try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = accepting.accept().unwrap();
            let mut peer = Peer::over(stream);
            script(&mut peer);
            peer.heard
        });
        Script { address, thread: Some(thread), listener }
    }

    /// Logs a client in.
    pub fn connect(&self) -> ImapClient {
        let options = ConnectOptions { port: Some(self.address.port()), ..Default::default() };
        let credentials = Credentials::new("user", "sesame-open");
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap()
    }

    /// Returns whether a client connected. Connects once itself, so that a script still waiting for
    /// a client ends.
    pub fn was_reached(self) -> bool {
        let Script { thread, listener, .. } = self;
        let _ = std::net::TcpStream::connect(listener.local_addr().unwrap()); // ends the script if no client came
        thread.unwrap().join().unwrap();
        listener.set_nonblocking(true).unwrap();
        listener.accept().is_ok()
    }

    /// Returns whether a second connection is waiting.
    pub fn was_tried_again(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        self.listener.accept().is_ok()
    }

    /// Waits for the script to end and returns the lines it read.
    pub fn heard(mut self) -> Vec<String> {
        self.thread.take().unwrap().join().unwrap()
    }
}
