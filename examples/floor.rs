//! The lower bound for a mail client that does not pipeline: `floor WORKLOAD PORT` sends the
//! commands of a workload of `scripts/dev/bench` to a server on this machine. It reads each answer
//! to its end, parses nothing, and only then sends the next command.

use std::io::{self, Read, Write};
use std::net::TcpStream;

struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The last bytes read, enough for the last line.
    tail: Vec<u8>,
}

const TAIL: usize = 4096;

impl Line {
    fn open(port: u16) -> io::Result<Line> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut line = Line { stream, buffer: vec![0; 256 << 10], tail: Vec::new() };
        line.read_until(|_| true)?;
        Ok(line)
    }

    /// Sends `text` and reads until the bytes end in CR LF and `ends` accepts the tail before it.
    fn exchange(&mut self, text: &str, ends: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.read_until(ends)
    }

    fn read_until(&mut self, ends: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        self.tail.clear();
        loop {
            let count = self.stream.read(&mut self.buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.tail.extend_from_slice(&self.buffer[count.saturating_sub(TAIL)..count]);
            let surplus = self.tail.len().saturating_sub(TAIL);
            self.tail.drain(..surplus);
            if self.tail.strip_suffix(b"\r\n").is_some_and(&ends) {
                return Ok(());
            }
        }
    }

    fn command(&mut self, text: &str) -> io::Result<()> {
        self.exchange(&format!("a {text}\r\n"), |tail| last_line(tail).starts_with(b"a "))?;
        if last_line(&self.tail[..self.tail.len() - 2]).starts_with(b"a OK") {
            Ok(())
        } else {
            Err(self.refused(text))
        }
    }

    fn reply(&mut self, text: &str) -> io::Result<()> {
        self.exchange(text, |tail| last_line(tail).get(3) == Some(&b' '))?;
        if matches!(self.tail.first(), Some(b'2' | b'3')) {
            Ok(())
        } else {
            Err(self.refused(text))
        }
    }

    fn refused(&self, text: &str) -> io::Error {
        io::Error::other(format!("{}: {}", text.trim_end(), String::from_utf8_lossy(&self.tail)))
    }
}

fn last_line(text: &[u8]) -> &[u8] {
    text.rsplit(|byte| *byte == b'\n').next().unwrap_or(text)
}

fn imap(port: u16, user: &str, commands: &[String]) -> io::Result<()> {
    let mut line = Line::open(port)?;
    line.command(&format!("LOGIN {user} pw"))?;
    line.command("SELECT INBOX")?;
    commands.iter().try_for_each(|command| line.command(command))?;
    line.command("LOGOUT")
}

fn pop(port: u16) -> io::Result<()> {
    let mut line = Line::open(port)?;
    for command in ["USER u2\r\n", "PASS pw\r\n"] {
        line.exchange(command, |_| true)?;
    }
    (1..=500).try_for_each(|number| {
        line.exchange(&format!("RETR {number}\r\n"), |tail| tail.ends_with(b"\r\n."))
    })?;
    line.exchange("QUIT\r\n", |_| true)
}

fn smtp(port: u16) -> io::Result<()> {
    let letter = format!(
        "From: a@example.org\r\nTo: b@bench.invalid\r\nSubject: t\r\n\r\n{}.\r\n",
        ("x".repeat(70) + "\r\n").repeat(28)
    );
    let mut line = Line::open(port)?;
    line.reply("EHLO localhost\r\n")?;
    for _ in 0..500 {
        for command in
            ["MAIL FROM:<a@example.org>\r\n", "RCPT TO:<b@bench.invalid>\r\n", "DATA\r\n", &letter]
        {
            line.reply(command)?;
        }
    }
    line.reply("QUIT\r\n")
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || io::Error::other("usage: floor WORKLOAD PORT");
    let [workload, port] = arguments.as_slice() else { return Err(usage()) };
    let port = port.parse().map_err(|_| usage())?;
    let commands = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    match workload.as_str() {
        "w1" => imap(port, "u1", &[]),
        "w2" => imap(port, "u1", &commands(&["FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)"])),
        "w3" => imap(port, "u4", &commands(&["FETCH 1:* (UID BODY.PEEK[])"])),
        "w4a" => {
            imap(port, "u1", &commands(&["SEARCH TEXT zanzibar", "SEARCH HEADER X-Bench-Group g7"]))
        }
        "w4b" => imap(
            port,
            "u1",
            &commands(&["STORE 1:* +FLAGS.SILENT ($bench)", "STORE 1:* -FLAGS.SILENT ($bench)"]),
        ),
        "w5" => imap(port, "u3", &commands(&["FETCH 1 (BODY.PEEK[])"])),
        "w6" => imap(
            port,
            "u4",
            &(1..=200).map(|number| format!("FETCH {number} (BODY.PEEK[])")).collect::<Vec<_>>(),
        ),
        "w7" => pop(port),
        "w8" => smtp(port),
        _ => Err(usage()),
    }
}
