//! Checks of SMTP's session and of letters on the wire.

use super::feed::{PASSWORD, Told, feed, same_in_any_chunks};
use super::input::Input;
use postoffice::proto::Limits;
use postoffice::proto::Protocol;
use postoffice::proto::Secret;
use postoffice::proto::pop3::{Body as Received, Found};
use postoffice::proto::sasl::Mechanism;
use postoffice::proto::smtp::{Body, Command, Event, MailOptions, Session};

/// A session's events and output do not depend on the chunks. The first bytes select the commands.
pub fn session(data: &[u8]) {
    let mut input = Input::new(data);
    let commands = [input.byte(), input.byte(), input.byte(), input.byte(), input.byte()];
    let bytes = input.rest();
    same_in_any_chunks(bytes, |size| {
        let mut session = Session::new(Limits::default());
        for command in commands {
            command_of(command).map(|command| session.submit(command));
        }
        let mut told = feed(&mut session, bytes, size, tell);
        told.event(session.in_flight().to_string());
        told
    });
}

/// Returns the command for a byte. STARTTLS is left out: bytes after its reply are an error only if
/// they are in the same chunk.
fn command_of(choice: u8) -> Option<Command> {
    let built = match choice % 10 {
        0 => return None,
        1 => Command::ehlo("localhost"),
        2 => Ok(Command::auth(Mechanism::Plain, Some(&Secret::new(PASSWORD)))),
        3 => Ok(Command::auth(Mechanism::Login, None)),
        4 => Command::mail("me@example.org", &[], MailOptions::default()),
        5 => Command::rcpt("foo@example.org", false),
        6 => Ok(Command::data()),
        7 => Ok(Command::rset()),
        8 => Command::vrfy("foo@example.org"),
        _ => Ok(Command::quit()),
    };
    Some(built.unwrap())
}

fn tell(session: &mut Session, told: &mut Told) {
    let (mut challenged, mut letter) = (false, false);
    match session.current_event() {
        Event::NeedBytes => panic!("an event that is none"),
        event => {
            challenged |= matches!(event, Event::Challenge(..));
            if let Event::Greeting(reply) | Event::Reply(_, reply) = event {
                letter = reply.code == 354 && matches!(event, Event::Reply(..));
                assert!((200..600).contains(&reply.code));
                told.event(reply.words());
            } else {
                told.event(format!("{event:?}"));
            }
        }
    }
    if challenged {
        session.answer(&Secret::new(PASSWORD));
    }
    if letter {
        session.letter(b".a\r\n.\r");
        session.letter(b"\nQUIT\r\n");
        session.end_letter();
    }
}

/// Nothing in a letter ends it early, and it arrives unchanged except for its line ends. The first
/// byte is the size of the chunks.
pub fn letter_body(data: &[u8]) {
    let mut input = Input::new(data);
    let size = usize::from(input.byte()).max(1);
    let letter = input.rest();
    let wire = sent(letter, size);
    assert_eq!(sent(letter, letter.len()), wire, "in chunks of {size}");
    assert!(
        !wire.windows(2).any(|pair| (pair[0] == b'\r') != (pair[1] == b'\n')),
        "a bare line end on the wire"
    );
    let received = received(&wire, wire.len());
    assert_eq!(super::smtp::received(&wire, size), received, "in chunks of {size}");
    assert_eq!(lines(&received), lines(letter));
}

fn sent(letter: &[u8], size: usize) -> Vec<u8> {
    let (mut body, mut wire) = (Body::default(), Vec::new());
    letter.chunks(size.max(1)).for_each(|chunk| body.push(chunk, &mut wire));
    body.finish(&mut wire);
    wire
}

/// Returns the letter that POP3 reads from the wire.
///
/// # Panics
/// If the letter ends too early or not at all.
fn received(wire: &[u8], size: usize) -> Vec<u8> {
    let (mut state, mut letter) = (Received::default(), Vec::new());
    let (mut start, mut end) = (0, 0);
    loop {
        match state.advance(&wire[start..end]) {
            Found::Piece(count) => {
                letter.extend_from_slice(&wire[start..start + count]);
                start += count;
            }
            Found::Dot => start += 1,
            Found::End(count) => {
                assert_eq!(start + count, wire.len(), "the letter ends within");
                return letter;
            }
            Found::NeedBytes => {
                assert!(end < wire.len(), "the letter does not end");
                end = (end + size).min(wire.len());
            }
        }
    }
}

/// Returns the lines, whatever ends them. The end of the last line does not matter, since the wire
/// needs one.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line, mut after_cr) = (Vec::new(), Vec::new(), false);
    for byte in bytes {
        match byte {
            b'\n' if after_cr => {}
            b'\r' | b'\n' => lines.push(std::mem::take(&mut line)),
            other => line.push(*other),
        }
        after_cr = *byte == b'\r';
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
