//! Checks of IMAP's `Frame` and `Session`: server bytes give the same result however they are
//! divided into chunks.

use super::feed::{PASSWORD, Told, feed, same_in_any_chunks, without_near};
use super::input::Input;
use postoffice::proto::Protocol;
use postoffice::proto::imap::Messages;
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::frame::{Frame, LiteralSpan, Step};
use postoffice::proto::imap::{
    Command, Event, SearchKey, SequenceSet, Session, Status, Token, Tokens,
};
use postoffice::proto::sasl::Mechanism;
use postoffice::proto::{Limits, Secret};
use std::num::NonZeroU32;

fn limits(small: bool) -> Limits {
    if small {
        return Limits {
            line: 200,
            literal: 60,
            streamed_literal: 120,
            response: 150,
            depth: 5,
            responses: 7,
            ..Limits::default()
        };
    }
    Limits::default()
}

#[derive(Debug, PartialEq, Eq)]
enum Split {
    Response(Vec<u8>, Vec<LiteralSpan>),
    Streamed(Vec<u8>, Vec<u8>),
    Unfinished(Vec<u8>),
    Error(String),
}

/// Responses do not depend on the chunks, and no byte is lost. The first byte selects limits and
/// streaming.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.byte();
    let bytes = input.rest();
    let whole = split(bytes, bytes.len(), mode);
    for size in [1, 7] {
        assert_eq!(split(bytes, size, mode), whole, "in chunks of {size}");
    }
    let (mut left, mut is_streamed) = (bytes, false);
    for found in &whole {
        let Split::Response(response, literals) = found else { return };
        let mut behind = 0;
        for literal in literals {
            let before = &response[..literal.start];
            assert!(
                literal.start >= behind && (before.ends_with(b"}\r\n") || before.ends_with(b"}\n")),
                "a literal at the wrong place"
            );
            behind = literal.start + literal.length;
            assert!(
                behind <= response.len()
                    && (literal.streamed || literal.length as u64 == literal.announced)
            );
            is_streamed |= literal.streamed;
        }
        if is_streamed {
            return;
        }
        // A server whose first line ends in LF alone may go on like that.
        let after = left.strip_prefix(&**response);
        let after = after.and_then(|left| left.strip_prefix(b"\r\n").or(left.strip_prefix(b"\n")));
        left = after.expect("no byte is lost");
    }
}

fn split(bytes: &[u8], size: usize, mode: u8) -> Vec<Split> {
    let mut frame = Frame::new(limits(mode & 1 != 0));
    frame.stream_literals_over((mode & 2 != 0).then_some(u64::from(mode >> 2)));
    frame.keep_literals_over((mode & 128 != 0).then_some(20));
    let (mut found, mut pieces) = (Vec::new(), Vec::new());
    for chunk in bytes.chunks(size.max(1)) {
        frame.push(chunk);
        loop {
            match frame.advance() {
                Ok(Step::NeedBytes) => break,
                Ok(Step::Response) => {
                    let raw = frame.response();
                    found.push(Split::Response(raw.bytes.to_vec(), raw.literals.to_vec()));
                }
                Ok(Step::Piece) => {
                    pieces.extend_from_slice(frame.piece());
                    if frame.piece_is_last() {
                        found.push(Split::Streamed(
                            frame.response().bytes.to_vec(),
                            std::mem::take(&mut pieces),
                        ));
                    }
                }
                Err(error) => {
                    found.push(Split::Error(without_near(error)));
                    return found;
                }
            }
        }
    }
    if !pieces.is_empty() {
        found.push(Split::Unfinished(pieces));
    }
    found
}

/// A session's events, output and state do not depend on the chunks. The first bytes select limits,
/// streaming and commands.
pub fn session(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.byte();
    let commands = [input.byte(), input.byte(), input.byte(), input.byte()];
    let bytes = input.rest();
    same_in_any_chunks(bytes, |size| {
        let mut session = Session::new(limits(mode & 1 != 0));
        session.stream_literals_over((mode & 2 != 0).then_some(u64::from(mode >> 2)));
        session.keep_literals_over((mode & 128 != 0).then_some(20));
        for command in commands {
            command_of(command).map(|command| session.submit(command));
        }
        let mut told = feed(&mut session, bytes, size, tell);
        let state = format!(
            "{:?} {:?} {} {}",
            session.capabilities(),
            session.selected(),
            session.has_ended(),
            session.in_flight()
        );
        told.event(state);
        told
    });
}

/// Returns the command for a byte. STARTTLS is left out: bytes after its reply are an error only if
/// they are in the same chunk.
fn command_of(choice: u8) -> Option<Command> {
    let set = SequenceSet::from(NonZeroU32::MIN);
    let built = match choice % 16 {
        0 => return None,
        1 => Ok(Command::capability()),
        2 => Command::login("me", &Secret::new(PASSWORD)),
        3 => Ok(Command::authenticate(Mechanism::Plain, None)),
        4 => Command::select("box", false),
        5 => Command::select("Entwürfe", true),
        6 => Command::fetch(&Messages::Numbers(set.clone()), &"(UID BODY[])".parse().unwrap()),
        7 => Command::append("box", &[], None, b"a\r\nletter"),
        8 => Ok(Command::idle()),
        9 => Ok(Command::logout()),
        10 => Command::search(&SearchKey::Body("zoë".into()), true),
        11 => Flag::new("junk").and_then(|flag| {
            Command::store(&Messages::Uids(set.clone()), StoreMode::Add, &[flag], false)
        }),
        12 => Command::list("", "*", false),
        13 => Command::status("box", &["MESSAGES".into()]),
        14 => Ok(Command::close()),
        _ => Ok(Command::noop()),
    };
    Some(built.unwrap())
}

fn tell(session: &mut Session, told: &mut Told) {
    let mut challenged = false;
    match session.current_event() {
        Ok(Event::NeedBytes | Event::LiteralWanted(_)) => panic!("an event that is none"),
        Ok(Event::Greeting(status)) => told.event(format!("greeting {}", shown(&status))),
        Ok(Event::Status(status)) => told.event(shown(&status)),
        Ok(Event::Done { handle, status }) => told.event(format!("{handle:?} {}", shown(&status))),
        Ok(Event::Unreadable { what, bytes }) => {
            told.event(format!("{what}: {}", bytes.escape_ascii()));
        }
        Ok(Event::Data(mut data)) => {
            // A response that cannot be read can be read once it is repaired.
            if let Some(repaired) = data.repaired(9) {
                let repaired = repaired.data(9).unwrap().expect("it is data");
                let mut tokens = repaired.tokens.clone();
                while tokens.next_token().expect("a repaired response can be read").is_some() {}
            }
            told.event(format!(
                "{:?} {}: {}",
                data.number,
                data.name.escape_ascii(),
                tokens(&mut data.tokens)
            ));
        }
        Ok(Event::Piece(piece)) => {
            told.pieces.extend_from_slice(piece.bytes);
            let before = piece.before.escape_ascii().to_string();
            if piece.last {
                told.event(before);
            }
        }
        Ok(Event::Continue(text)) => {
            told.event(format!("+ {}", text.escape_ascii()));
            challenged = true;
        }
        Err(error) => panic!("an event that was found cannot be shown: {error}"),
    }
    if challenged {
        session.end_idle();
    }
}

fn shown(status: &Status<'_>) -> String {
    let code = status
        .code
        .map(|code| format!("[{} {}]", code.name.escape_ascii(), tokens(&mut code.tokens(9))));
    format!("{:?} {code:?} {}", status.kind, status.text.escape_ascii())
}

/// Returns the tokens as text; checks that together they are no longer than their source.
fn tokens(tokens: &mut Tokens<'_>) -> String {
    let (mut text, mut length, available) = (String::new(), 0, tokens.rest().len());
    loop {
        match tokens.next_token() {
            Ok(Some(token)) => {
                length += token.bytes().map_or(0, |bytes| bytes.len());
                text.push_str(&match token {
                    Token::Streamed(size, _) => format!("<{size}> "),
                    token => format!("{token:?} "),
                });
            }
            Ok(None) => break,
            Err(error) => {
                text.push_str(&without_near(error));
                break;
            }
        }
    }
    assert!(length <= available, "tokens are longer than the response");
    text
}
