//! Uses the protocol core alone, over `std::net`: logs in, prints the message counts of the inbox
//! and the server's capabilities. No TLS, no threads, no Scheme.
//!
//!     postoffice sandbox --imap-port 1143 &
//!     cargo run --no-default-features --example core -- 127.0.0.1:1143 myacct mypasswd

use postoffice::proto::imap::{Command, Event, Session, StatusKind};
use postoffice::proto::{Limits, Protocol, Secret};
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, password] = &arguments[..] else {
        return Err("usage: core ADDRESS:PORT USER PASSWORD".into());
    };
    let mut stream = TcpStream::connect(address)?;
    let mut session = Session::new(Limits::default());

    wait_for_greeting(&mut stream, &mut session)?;
    run(&mut stream, &mut session, Command::login(user, &Secret::new(password.as_str()))?)?;
    run(&mut stream, &mut session, Command::select("INBOX", true)?)?;
    if let Some(inbox) = session.selected() {
        println!(
            "{} messages, {} of them recent; {}",
            inbox.exists,
            inbox.recent,
            session.capabilities().names().join(" ")
        );
    }
    run(&mut stream, &mut session, Command::logout())
}

fn wait_for_greeting(stream: &mut TcpStream, session: &mut Session) -> Result<(), Box<dyn Error>> {
    loop {
        match session.next_event()? {
            Event::Greeting(_) => return Ok(()),
            _ => read(stream, session)?,
        }
    }
}

/// Runs a command to its end: sends the session's output and feeds it the server's bytes.
fn run(
    stream: &mut TcpStream,
    session: &mut Session,
    command: Command,
) -> Result<(), Box<dyn Error>> {
    let handle = session.submit(command);
    loop {
        stream.write_all(session.take_outgoing().bytes())?;
        match session.next_event()? {
            Event::NeedBytes => {
                stream.write_all(session.take_outgoing().bytes())?;
                read(stream, session)?;
            }
            Event::Done { handle: done, status } if done == handle => {
                let text = String::from_utf8_lossy(status.text).into_owned();
                return if status.kind == StatusKind::Ok { Ok(()) } else { Err(text.into()) };
            }
            _ => {}
        }
    }
}

fn read(stream: &mut TcpStream, session: &mut Session) -> Result<(), Box<dyn Error>> {
    let count = stream.read(session.space())?;
    if count == 0 {
        return Err("the server closed the connection".into());
    }
    session.filled(count);
    Ok(())
}
