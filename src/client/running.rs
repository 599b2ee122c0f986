//! The loop around every IMAP command: send it, then read events until its completion.
//!
//! [`ImapClient::send`] submits a command. If it could be confused with a command in flight, it
//! first waits for those (`make_way`). [`ImapClient::hear_out`] reads events until the tagged
//! completion. Between the two calls other commands may be sent: responses to commands that nobody
//! waits for yet are buffered in [`super::ahead::Ahead`].
//!
//! An event takes one of these ways:
//!
//! | event | way |
//! |---|---|
//! | untagged data for a command that nobody waits for yet | buffered for it |
//! | a piece of a literal that is too large for memory | to a file, which its response gets ([`super::spool`]) |
//! | other untagged data, untagged status | to the callback; may also become a warning |
//! | STATUS, and the code of an overflow | also to NOTIFY ([`super::notifying`]) |
//! | BYE without LOGOUT | closes the connection |
//! | a completion | ends this command, or is kept for the one it belongs to |
//! | a challenge, a request for literal bytes | answered from the command's `Input` |
//!
//! An error of the callback does not stop the loop. The remaining events are read first, so that
//! the connection stays usable. A response that a callback cannot read is repaired and given to it
//! once more (`repair` has the rules); what is lost even so becomes a warning. Only an
//! [`Error::Protocol`] of another kind closes the connection.

use super::ahead::InFlight;
use super::answers::{is_known, shown, unreadable_words, warning_of_status};
use super::appending::Literal;
use super::error::Error;
use super::imap::{ImapClient, LONGEST_FAREWELL};
use super::told::{Warning, WarningKind};
use super::unseen::only_marks_seen;
use crate::proto::ProtocolError;
use crate::proto::error::excerpt;
use crate::proto::imap::{
    Command, Completion, Data, Event, Handle, Status, StatusKind, Verb, vanished,
};
use crate::proto::sasl::{Exchange, SaslError};

/// What a running command needs besides its first line.
pub(super) enum Input<'i> {
    None,
    /// Answers the server's challenges.
    Exchange(&'i mut Exchange),
    /// Supplies the bytes of its literal.
    Literal(Literal<'i>),
}

/// Takes a command's events. Its error becomes the result after the server has finished.
pub(super) type OnEvent<'f> = &'f mut dyn FnMut(Event<'_>) -> Result<(), Error>;

impl ImapClient {
    /// Submits a command, after waiting for commands that must not be in flight together with it.
    pub(super) fn send(&mut self, command: Command) -> Result<Handle, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let result = self.send_now(command);
        self.redacted(result)
    }

    fn send_now(&mut self, command: Command) -> Result<Handle, Error> {
        let facts = self.facts(&command)?;
        self.make_way(&command)?;
        if self.connection().session().in_flight() == 0 {
            self.hear_news()?;
        }
        let about = self.about(&command);
        let stores = command.verb() == Verb::Store;
        let marks = command.change().is_some_and(|change| only_marks_seen(&change.act));
        let marked = facts.iter().filter(|_| marks).flat_map(|facts| &facts.letters);
        let marked: Vec<u32> = marked.map(|letter| letter.uid).collect();
        let handle = self.connection().submit_with(command, facts)?;
        match marks {
            true => self.unseen.mark(marked),
            false if stores => self.unseen.forget(),
            false => {}
        }
        self.commands_ahead().note(handle, about);
        Ok(handle)
    }

    /// Sends one command and waits for its completion. Untagged responses only update the session.
    pub(super) fn run(&mut self, command: Command) -> Result<Completion, Error> {
        self.run_events(command, &mut |_| Ok(()))
    }

    /// Sends one command, passes its events to `on_event`, and waits for its completion.
    pub(super) fn run_events(
        &mut self,
        command: Command,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        let handle = self.send(command)?;
        self.hear_out(handle, on_event)
    }

    /// Sends one command that needs input while it runs, and waits for its completion.
    pub(super) fn run_with(
        &mut self,
        command: Command,
        input: Input<'_>,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        let handle = self.send(command)?;
        let result = self.hear_with(handle, input, on_event);
        self.redacted(result)
    }

    /// Waits for a command's completion. Secrets are removed from its error. An error of the
    /// callback is returned after the server has finished, so that the connection stays usable.
    pub(super) fn hear_out(
        &mut self,
        handle: Handle,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        let result = self.hear_with(handle, Input::None, on_event);
        self.redacted(result)
    }

    /// Replaces secrets in an error.
    pub(super) fn redacted<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        let connection = self.connection();
        result.map_err(|error| error.redacted(&|text| connection.redact(text)))
    }

    fn hear_with(
        &mut self,
        handle: Handle,
        mut input: Input<'_>,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        let Some(mut own) = self.commands_ahead().take(handle) else {
            return Err(Error::Closed); // its answer was dropped when the connection ended
        };
        let mut failure = None;
        let depth = self.limits().depth;
        for answer in own.answers.drain(..) {
            match answer.data(depth) {
                Ok(Some(data)) => {
                    let warning = deliver(Event::Data(data), on_event, &mut failure, depth);
                    warning.into_iter().for_each(|warning| self.note_warning(warning));
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error.into())),
            }
        }
        self.connection().stream().begin_reply();
        let completion = loop {
            // Data that cannot be read now cannot be read later.
            if let Some(error @ Error::Protocol(_)) = failure {
                self.connection().close();
                return Err(error);
            }
            if let Some(completion) = own.completion.take() {
                break completion;
            }
            if self.is_closed() {
                return Err(Error::Closed);
            }
            own.completion = self.hear(Some(&own), &mut input, on_event, &mut failure)?;
        };
        self.send_rest_of_literal(&own, &mut input);
        match (failure, completion.kind) {
            (Some(error), _) => Err(error),
            (None, StatusKind::Ok) => Ok(completion),
            (None, _) => Err(Error::Refused { command: own.about.name, completion }),
        }
    }

    /// Sends the rest of a literal after the server has refused the command early: the server still
    /// expects these bytes.
    fn send_rest_of_literal(&mut self, own: &InFlight, input: &mut Input<'_>) {
        if self.connection().session().literal_wanted() == 0 {
            return;
        }
        while self.connection().session().literal_wanted() > 0
            && self.hear(Some(own), input, &mut |_| Ok(()), &mut None).is_ok()
        {}
        let _ = self.connection().flush(); // the refusal is what matters
    }

    /// Waits for the next event and passes it to the callback, or to the command in flight that it
    /// answers. Returns the completion of `own` if the event is that.
    pub(super) fn hear(
        &mut self,
        own: Option<&InFlight>,
        input: &mut Input<'_>,
        on_event: OnEvent<'_>,
        failure: &mut Option<Error>,
    ) -> Result<Option<Completion>, Error> {
        self.connection().wait().inspect_err(|_| self.keeping.forget())?;
        self.take_event(own, input, on_event, failure)
    }

    /// Does the same with the event that was found last.
    pub(super) fn take_event(
        &mut self,
        own: Option<&InFlight>,
        input: &mut Input<'_>,
        on_event: OnEvent<'_>,
        failure: &mut Option<Error>,
    ) -> Result<Option<Completion>, Error> {
        let depth = self.limits().depth;
        let (connection, ahead, keeping, notifying) = self.parts();
        let event = connection.session().current_event()?;
        let warning = match &event {
            Event::Piece(piece) if piece.to_keep => {
                let kept = keeping.take(piece.bytes, piece.last);
                kept.into_iter().for_each(|kept| connection.keep_literal(kept));
                return Ok(None);
            }
            Event::Status(status) if is_farewell(status, own) => {
                let words = String::from_utf8_lossy(status.text).into_owned();
                return Err(self.farewell(words, own));
            }
            Event::Unreadable { what, bytes } => Some(left_out(what, bytes)),
            Event::Status(status) => {
                notifying.take_status(status);
                if let Some((done, all)) = work_of(status) {
                    connection.report_work(done, all);
                }
                warning_of_status(status)
            }
            Event::Data(data) => {
                notifying.take_data(data, depth);
                let session = connection.session();
                if !ahead.is_empty() && ahead.keep(data, own, || session.owned_response()) {
                    session
                        .limits()
                        .check("response", ahead.held())
                        .map_err(Error::from)
                        .inspect_err(|_| connection.close())?;
                    return Ok(None);
                }
                if own.is_some_and(|own| own.is_of_another(data)) {
                    return Ok(None);
                }
                unknown_data(data)
            }
            Event::Done { handle, status } => {
                let completion = Completion::from(status);
                if own.is_some_and(|own| own.handle == *handle) {
                    return Ok(Some(completion));
                }
                ahead.end(*handle, completion);
                return Ok(None);
            }
            Event::Continue(challenge) => {
                if let Input::Exchange(exchange) = input {
                    match exchange.answer(challenge) {
                        Ok(answer) => connection.answer(&answer),
                        Err(cause) => return Err(self.login_failed(exchange.user(), cause)),
                    }
                }
                return Ok(None);
            }
            Event::LiteralWanted(left) => {
                let left = *left;
                return self.send_literal(left, input).map(|()| None);
            }
            _ => None,
        };
        let unreadable = deliver(event, on_event, failure, depth);
        warning.into_iter().chain(unreadable).for_each(|warning| self.note_warning(warning));
        Ok(None)
    }

    /// Closes the connection after a BYE, and returns the error. If the BYE gives the reason for
    /// which a login is refused, the refusal follows it.
    fn farewell(&mut self, words: String, own: Option<&InFlight>) -> Error {
        let login = own.filter(|own| matches!(own.about.verb, Verb::Login | Verb::Authenticate));
        let connection = self.connection();
        if let Some(own) = login {
            connection.hurry(LONGEST_FAREWELL);
            while connection.wait().is_ok() {
                let Ok(Event::Done { handle, status }) = connection.session().current_event()
                else {
                    continue;
                };
                if handle == own.handle && status.kind != StatusKind::Ok {
                    let completion = Completion { text: words, ..Completion::from(&status) };
                    connection.close();
                    return Error::Refused { command: own.about.name, completion };
                }
            }
        }
        connection.close();
        Error::Bye { words }
    }

    /// Sends the next of `left` bytes of a literal. First reads responses that have arrived
    /// meanwhile: the server may have refused the command.
    fn send_literal(&mut self, left: u64, input: &mut Input<'_>) -> Result<(), Error> {
        let connection = self.connection();
        let Input::Literal(literal) = input else {
            connection.close();
            return Err(Error::Closed);
        };
        if !literal.has_heard {
            literal.has_heard = true;
            if connection.overhear()? {
                return Ok(());
            }
        }
        let bytes =
            literal.next(left).map_err(Error::Letter).inspect_err(|_| connection.close())?;
        connection.feed(bytes);
        Ok(())
    }

    /// AUTHENTICATE; the exchange answers the challenges (RFC 3501 6.2.2).
    pub(super) fn authenticate(
        &mut self,
        exchange: &mut Exchange,
        initial_response: bool,
    ) -> Result<(), Error> {
        let initial = initial_response.then(|| exchange.initial()).flatten();
        let command = Command::authenticate(exchange.mechanism(), initial.as_ref());
        self.run_with(command, Input::Exchange(exchange), &mut |_| Ok(()))?;
        exchange.finish().map_err(|cause| self.login_failed(exchange.user(), cause))
    }

    fn login_failed(&mut self, user: &str, cause: SaslError) -> Error {
        self.connection().close();
        Error::Login { user: user.to_owned(), cause }
    }

    /// Reads responses that have arrived since the last command, before the next one is sent. A BYE
    /// ends the connection; a tagged reply that arrives before its command is a protocol error.
    fn hear_news(&mut self) -> Result<(), Error> {
        // Buffered data may explain why the stream ended.
        if self.connection().session().is_idle() {
            self.connection().overhear()?;
        }
        while self.connection().poll()? {
            self.take_event(None, &mut Input::None, &mut |_| Ok(()), &mut None)?;
        }
        let connection = self.connection();
        connection.session().check_nothing_ahead().inspect_err(|_| connection.close())?;
        Ok(())
    }
}

/// Passes an event to the callback, unless the callback has failed before. Returns a warning if a
/// part of it cannot be read.
fn deliver(
    event: Event<'_>,
    on_event: OnEvent<'_>,
    failure: &mut Option<Error>,
    depth: usize,
) -> Option<Warning> {
    if failure.is_some() {
        return None;
    }
    let again = if let Event::Data(data) = &event { Some(data.clone()) } else { None };
    match (on_event(event), again) {
        (Ok(()), _) => None,
        (Err(Error::Protocol(fault @ ProtocolError::Malformed { .. })), Some(data)) => {
            read_again(&data, &fault, on_event, failure, depth)
        }
        (Err(error), _) => {
            *failure = Some(error);
            None
        }
    }
}

/// Repairs a response that the callback could not read, and passes it on once more.
#[cold]
fn read_again(
    data: &Data<'_>,
    fault: &ProtocolError,
    on_event: OnEvent<'_>,
    failure: &mut Option<Error>,
    depth: usize,
) -> Option<Warning> {
    let words = match data.repaired(depth) {
        None => {
            let name = String::from_utf8_lossy(data.name);
            Some(format!("a response {name} cannot be read whole: {fault}"))
        }
        Some(repaired) => match repaired.data(depth) {
            Ok(Some(data)) => {
                let lost = data.lost.map(|lost| unreadable_words(&data, lost));
                match on_event(Event::Data(data.clone())) {
                    Ok(()) => lost,
                    Err(Error::Protocol(fault @ ProtocolError::Malformed { .. })) => {
                        Some(unreadable_words(&data, &fault.to_string()))
                    }
                    Err(error) => {
                        *failure = Some(error);
                        None
                    }
                }
            }
            _ => Some(unreadable_words(data, &fault.to_string())),
        },
    };
    words.map(|words| Warning { kind: WarningKind::Unreadable, words })
}

/// The warning for an untagged response that cannot be read.
fn left_out(what: &str, bytes: &[u8]) -> Warning {
    let words = format!("a response was left out: {what}, near {}", excerpt(bytes));
    Warning { kind: WarningKind::Unreadable, words }
}

/// How much of a command the server has done, and of how much, if it says both: `INPROGRESS ("A1" 12
/// 100)` (RFC 9585 4).
fn work_of(status: &Status<'_>) -> Option<(u64, u64)> {
    let code = status.code.filter(|code| code.is("INPROGRESS"))?;
    let text = std::str::from_utf8(code.arguments).ok()?;
    let mut numbers = text.trim().strip_prefix('(')?.strip_suffix(')')?.rsplitn(3, ' ');
    let all = numbers.next()?.parse().ok()?;
    let done = numbers.next()?.parse().ok()?;
    (done <= all).then_some((done, all))
}

/// Whether a status is a BYE without a LOGOUT.
fn is_farewell(status: &Status<'_>, own: Option<&InFlight>) -> bool {
    status.kind == StatusKind::Bye && own.is_none_or(|own| own.about.verb != Verb::Logout)
}

/// A warning about untagged data that is not known.
fn unknown_data(data: &Data<'_>) -> Option<Warning> {
    if data.is("VANISHED") && vanished(data).is_none() {
        return Some(left_out("unique ids were expected", data.tokens.rest()));
    }
    let unknown = || Warning { kind: WarningKind::UnknownUntagged, words: shown(data) };
    (!is_known(data)).then(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Limits;
    use crate::proto::imap::Session;

    #[test]
    fn progress_is_read_where_both_numbers_are_known() {
        for (code, expected) in [
            ("INPROGRESS (\"A1\" 12 100)", Some((12, 100))),
            ("inprogress (NIL 0 5)", Some((0, 5))),
            ("INPROGRESS", None),
            ("INPROGRESS (\"A1\" 12 NIL)", None),
            ("INPROGRESS (\"A1\" NIL NIL)", None),
            ("INPROGRESS (\"A1\" 9 5)", None),
            ("INPROGRESS (\"A1\" 99999999999999999999999 5)", None),
            ("ALERT", None),
        ] {
            let mut session = Session::new(Limits::default());
            session.receive(format!("* OK hello\r\n* OK [{code}] words\r\n").as_bytes());
            assert!(session.next_event().is_ok());
            let Ok(Event::Status(status)) = session.next_event() else { panic!("{code}") };
            assert_eq!(work_of(&status), expected, "{code}");
        }
    }
}
