//! A server that knows no IMAP: it says what its script says, and keeps what it hears.

use native_tls::TlsAcceptor;
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

    /// The server's side of a TLS handshake; whether it came to an end.
    pub fn encrypt(&mut self, acceptor: &TlsAcceptor) -> bool {
        let Ok(stream) = acceptor.accept(self.tcp.try_clone().unwrap()) else { return false };
        self.stream = BufReader::new(Box::new(stream));
        true
    }

    /// Says the bytes one by one, more slowly than progress counts yet each within any timeout, until the client is gone.
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

    /// Says no more, and still listens.
    pub fn hang_up_sending(&mut self) {
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    /// Says the same again and again, until the client is gone or `times` is reached.
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

    /// Reads until the client is gone.
    pub fn hear_until_the_end(&mut self, bytes: &mut Vec<u8>) {
        let _ = self.stream.read_to_end(bytes); // an end is an end, however it comes
    }

    /// Reads a letter as SMTP sends it, its last line with the dot included.
    pub fn hear_to_the_end_of_a_letter(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !(bytes == b".\r\n" || bytes.ends_with(b"\r\n.\r\n")) {
            if self.stream.read_until(b'\n', &mut bytes).unwrap_or(0) == 0 {
                break;
            }
        }
        bytes
    }

    /// Waits until the client is gone.
    pub fn hear_rest(&mut self) {
        while !self.hear().is_empty() {}
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

    /// Whether anybody connected.
    pub fn was_reached(self) -> bool {
        let Script { thread, listener, .. } = self;
        let _ = std::net::TcpStream::connect(listener.local_addr().unwrap()); // so that the script ends
        thread.unwrap().join().unwrap();
        listener.set_nonblocking(true).unwrap();
        listener.accept().is_ok()
    }

    /// Whether somebody connected once more.
    pub fn was_tried_again(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        self.listener.accept().is_ok()
    }

    /// What the client said, once the script has ended.
    pub fn heard(mut self) -> Vec<String> {
        self.thread.take().unwrap().join().unwrap()
    }
}
