//! A client that knows no IMAP, POP3 or SMTP: the test writes text and reads lines.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use native_tls::{Certificate, TlsConnector};
use postoffice::sandbox::{
    Account, Extension, Extensions, Options, PopExtensions, Sandbox, Seed, SmtpExtensions,
};

/// A plain or an encrypted stream.
pub trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

/// One connection to the sandbox.
pub struct Client {
    stream: BufReader<Box<dyn Duplex>>,
}

impl Client {
    /// Connects to IMAP in plain text and reads the greeting.
    pub fn connect(sandbox: &Sandbox) -> Client {
        let mut client = Client::raw(sandbox.imap_address());
        assert!(client.line().starts_with("* OK "));
        client
    }

    /// Connects to an address and reads nothing.
    pub fn raw(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).unwrap())
    }

    pub fn over(stream: impl Duplex + 'static) -> Client {
        Client { stream: BufReader::new(Box::new(stream)) }
    }

    /// Connects to IMAP and logs in as the manual's user.
    pub fn login(sandbox: &Sandbox) -> Client {
        let mut client = Client::connect(sandbox);
        client.ok("LOGIN myacct mypasswd");
        client
    }

    /// Logs in to IMAP and selects the inbox.
    pub fn inbox(sandbox: &Sandbox) -> Client {
        let mut client = Client::login(sandbox);
        client.ok("SELECT INBOX");
        client
    }

    /// Connects to POP3 in plain text and reads the greeting.
    pub fn pop(sandbox: &Sandbox) -> Client {
        let mut client = Client::raw(sandbox.pop_address());
        assert!(client.line().starts_with("+OK Sandbox ready."));
        client
    }

    /// Connects to POP3 and logs in as the manual's user.
    pub fn maildrop(sandbox: &Sandbox) -> Client {
        let mut client = Client::pop(sandbox);
        client.pop_login("myacct", "mypasswd");
        client
    }

    #[track_caller]
    pub fn pop_login(&mut self, user: &str, password: &str) {
        assert!(self.ask(&format!("USER {user}")).starts_with("+OK"));
        let answer = self.ask(&format!("PASS {password}"));
        assert!(answer.starts_with("+OK "), "{answer}");
    }

    /// Connects to SMTP in plain text, reads the greeting and sends EHLO.
    pub fn smtp(sandbox: &Sandbox) -> Client {
        let mut client = Client::raw(sandbox.smtp_address());
        assert!(client.line().starts_with("220 sandbox "));
        client.reply("EHLO client.example");
        client
    }

    /// Sends a line and reads one.
    pub fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.line()
    }

    /// Sends a POP3 command and reads a multi-line response, up to and including the dot.
    #[track_caller]
    pub fn listing(&mut self, command: &str) -> Vec<String> {
        let first = self.ask(command);
        assert!(first.starts_with("+OK"), "{command}: {first}");
        let mut lines = vec![first];
        while lines.last().is_some_and(|line| line != ".") {
            lines.push(self.line());
        }
        lines
    }

    /// Sends a POP3 command and returns the octets between the first line and the final dot, with
    /// their dots still stuffed.
    pub fn octets(&mut self, command: &str) -> Vec<u8> {
        assert!(self.ask(command).starts_with("+OK"), "{command}");
        let mut bytes = b"\r\n".to_vec();
        while !bytes.ends_with(b"\r\n.\r\n") {
            assert!(self.stream.read_until(b'\n', &mut bytes).unwrap() > 0);
        }
        bytes[2..bytes.len() - 3].to_vec()
    }

    /// Sends a command and returns all lines of the SMTP reply.
    pub fn reply(&mut self, command: &str) -> Vec<String> {
        self.send(format!("{command}\r\n"));
        let mut lines = vec![self.line()];
        while lines.last().is_some_and(|line| line.as_bytes().get(3) == Some(&b'-')) {
            lines.push(self.line());
        }
        lines
    }

    /// Sends a letter over SMTP and returns the reply to the final dot. `letter` must be
    /// dot-stuffed.
    #[track_caller]
    pub fn submit(&mut self, from: &str, to: &[&str], letter: &str) -> String {
        let answer = self.ask(&format!("MAIL FROM:<{from}>"));
        assert!(answer.starts_with("250 "), "{answer}");
        for to in to {
            self.ask(&format!("RCPT TO:<{to}>"));
        }
        assert!(self.ask("DATA").starts_with("354 "));
        self.send(letter);
        self.ask(".")
    }

    pub fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(text.as_ref()).unwrap();
    }

    /// Reads a line and returns it without its CRLF; an empty string at the end of the stream.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        assert!(line.is_empty() || line.ends_with(b"\r\n"), "no CRLF: {line:?}");
        String::from_utf8_lossy(&line).trim_end_matches("\r\n").to_owned()
    }

    /// Returns whether the server has closed the connection. Waits for it, and eats a byte if there
    /// is one.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte), Ok(0) | Err(_))
    }

    /// Waits until the server has closed the connection, and returns what it sent before.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest); // a reset ends the connection too
        rest
    }

    /// Reads lines up to and including the tagged response. A literal is part of its line:
    /// `{5}hello`.
    pub fn answer(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.response();
            let last = line.starts_with(&format!("{tag} "));
            assert!(!line.is_empty(), "the server closed after {lines:#?}");
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// Sends an IMAP command and returns all bytes up to and including the tagged line.
    pub fn raw_answer(&mut self, command: &str) -> Vec<u8> {
        self.send(format!("t {command}\r\n"));
        let mut bytes = Vec::new();
        loop {
            let start = bytes.len();
            self.stream.read_until(b'\n', &mut bytes).unwrap();
            assert!(bytes.len() > start, "the server closed");
            if bytes[start..].starts_with(b"t ") {
                return bytes;
            }
        }
    }

    /// Reads a line with the literals in it.
    pub fn response(&mut self) -> String {
        let mut response = self.line();
        while let Some(size) = literal_size(&response) {
            let mut literal = vec![0; size];
            self.stream.read_exact(&mut literal).unwrap();
            response.push_str(&String::from_utf8_lossy(&literal));
            response.push_str(&self.line());
        }
        response
    }

    /// Sends an IMAP command and returns its responses. The tagged one is last, without its tag.
    pub fn command(&mut self, command: &str) -> Vec<String> {
        self.send(format!("t {command}\r\n"));
        let mut lines = self.answer("t");
        let tagged = lines.pop().unwrap();
        lines.push(tagged["t ".len()..].to_owned());
        lines
    }

    /// Sends an IMAP command that must succeed, and returns its untagged responses.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> Vec<String> {
        let mut lines = self.command(command);
        let tagged = lines.pop().unwrap();
        assert!(tagged.starts_with("OK "), "{command}: {tagged}");
        lines
    }

    /// Sends an IMAP command and returns its tagged response without the tag.
    pub fn tagged(&mut self, command: &str) -> String {
        self.command(command).pop().unwrap()
    }

    /// Sends APPEND with a literal and returns the tagged response without the tag.
    pub fn append(&mut self, arguments: &str, letter: &str) -> String {
        self.send(format!("a APPEND {arguments} {{{}}}\r\n", letter.len()));
        let go = self.line();
        if !go.starts_with("+ ") {
            return go["a ".len()..].to_owned();
        }
        self.send(format!("{letter}\r\n"));
        self.answer("a").pop().unwrap()["a ".len()..].to_owned()
    }
}

fn literal_size(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

/// The manual's sandbox.
pub fn manual() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

/// A sandbox whose manual user has an empty inbox.
pub fn empty() -> Sandbox {
    Sandbox::start(Options { seed: Seed::Empty, ..Options::default() }).unwrap()
}

/// The manual's sandbox with one more IMAP extension.
pub fn with(extension: Extension) -> Sandbox {
    let extensions = Extensions::default().with(extension);
    Sandbox::start(Options { extensions, ..Options::default() }).unwrap()
}

/// The manual's sandbox without these IMAP extensions.
pub fn without(names: &[&str]) -> Sandbox {
    let off = |on: Extensions, name: &&str| on.without(name.parse().unwrap());
    let extensions = names.iter().fold(Extensions::default(), off);
    Sandbox::start(Options { extensions, ..Options::default() }).unwrap()
}

/// The manual's sandbox with other POP3 extensions.
pub fn with_pop(change: impl FnOnce(&mut PopExtensions)) -> Sandbox {
    let mut pop = PopExtensions::default();
    change(&mut pop);
    Sandbox::start(Options { pop, ..Options::default() }).unwrap()
}

/// The manual's sandbox with other SMTP extensions.
pub fn with_smtp(change: impl FnOnce(&mut SmtpExtensions)) -> Sandbox {
    let mut smtp = SmtpExtensions::default();
    change(&mut smtp);
    Sandbox::start(Options { smtp, ..Options::default() }).unwrap()
}

/// A sandbox whose manual user has these letters in the inbox.
pub fn holding(letters: &[&[u8]]) -> Sandbox {
    let sandbox = empty();
    for letter in letters {
        sandbox.store().deliver("myacct", "INBOX", letter).unwrap();
    }
    sandbox
}

/// A sandbox with the manual's user and `other`, password `secret`.
pub fn two_users() -> Sandbox {
    let accounts = vec![Account::manual(), Account::new("other", "secret")];
    Sandbox::start(Options { accounts, ..Options::default() }).unwrap()
}

/// A TLS client that trusts only the sandbox's authority.
pub fn connector(sandbox: &Sandbox) -> TlsConnector {
    let authority = Certificate::from_pem(sandbox.certificate_authority_pem().as_bytes()).unwrap();
    TlsConnector::builder()
        .disable_built_in_roots(true)
        .add_root_certificate(authority)
        .build()
        .unwrap()
}

/// Connects to an address over TLS and verifies the certificate for `host`.
pub fn tls(sandbox: &Sandbox, address: SocketAddr, host: &str) -> io::Result<Client> {
    let stream = TcpStream::connect(address)?;
    let stream = connector(sandbox)
        .connect(host, stream)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Client::over(stream))
}

/// Returns the letters in a user's inbox.
pub fn inbox_of(sandbox: &Sandbox, user: &str) -> Vec<String> {
    let letters = sandbox.store().letters(user, "INBOX");
    letters.iter().map(|letter| String::from_utf8_lossy(&letter.bytes).into_owned()).collect()
}
