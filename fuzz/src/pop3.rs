//! Checks of POP3's session.

use super::feed::{PASSWORD, Told, feed, same_in_any_chunks};
use super::input::Input;
use postoffice::proto::Protocol;
use postoffice::proto::pop3::{Command, Event, Session};
use postoffice::proto::sasl::Mechanism;
use postoffice::proto::{Limits, Secret};

/// A session's events and output do not depend on the chunks. The first bytes select the commands.
pub fn session(data: &[u8]) {
    let mut input = Input::new(data);
    let commands = [input.byte(), input.byte(), input.byte(), input.byte()];
    let bytes = input.rest();
    same_in_any_chunks(bytes, |size| {
        let mut session = Session::new(Limits::default());
        for command in commands {
            command_of(command).map(|command| session.submit(command));
        }
        let mut told = feed(&mut session, bytes, size, tell);
        told.event(format!("{} {}", session.expects_body(), session.in_flight()));
        told
    });
}

/// Returns the command for a byte. STLS is left out: bytes after its reply are an error only if
/// they are in the same chunk.
fn command_of(choice: u8) -> Option<Command> {
    let password = Secret::new(PASSWORD);
    let built = match choice % 14 {
        0 => return None,
        1 => Ok(Command::capa()),
        2 => Command::user("me"),
        3 => Command::pass(&password),
        4 => Command::apop("me", "c4c9334bac560ecc979e58001b3e22fb"),
        5 => Ok(Command::auth(Mechanism::Plain, Some(&password))),
        6 => Ok(Command::auth(Mechanism::Login, None)),
        7 => Ok(Command::stat()),
        8 => Ok(Command::list()),
        9 => Ok(Command::uidl(None)),
        10 => Ok(Command::retr(1)),
        11 => Ok(Command::top(1, 2)),
        12 => Ok(Command::dele(1)),
        _ => Ok(Command::quit()),
    };
    Some(built.unwrap())
}

fn tell(session: &mut Session, told: &mut Told) {
    match session.current_event() {
        Event::NeedBytes => panic!("an event that is none"),
        Event::Piece(_, piece) => {
            assert!(!piece.is_empty(), "an empty piece");
            told.pieces.extend_from_slice(piece);
        }
        event => told.event(format!("{event:?}")),
    }
}
