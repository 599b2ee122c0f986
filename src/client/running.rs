//! The loop around every IMAP command: sent, then heard until its end.

use super::ahead::About;
use super::answers::{is_known, shown, warning_of_status};
use super::appending::Literal;
use super::error::Error;
use super::imap::{ImapClient, OnData, Warning, WarningKind};
use crate::proto::imap::{Command, Completion, Event, Handle, Status, StatusKind};
use crate::proto::sasl::{Exchange, SaslError};

/// What a command is given while it runs.
pub(super) enum Input<'i> {
    None,
    /// Answers to the server's challenges.
    Exchange(&'i mut Exchange),
    /// The bytes of its literal.
    Literal(Literal<'i>),
}

type OnEvent<'f> = &'f mut dyn FnMut(Event<'_>) -> Result<(), Error>;

impl ImapClient {
    pub(super) fn run_all(
        &mut self,
        commands: Vec<Command>,
        on_data: OnData<'_>,
    ) -> Result<(), Error> {
        commands.into_iter().try_for_each(|command| self.run(command, on_data).map(drop))
    }

    /// Sends one command and waits for its end.
    pub(super) fn run(
        &mut self,
        command: Command,
        on_data: OnData<'_>,
    ) -> Result<Completion, Error> {
        self.run_watching(command, on_data, &mut |_| {})
    }

    pub(super) fn run_watching(
        &mut self,
        command: Command,
        on_data: OnData<'_>,
        on_status: &mut dyn FnMut(&Status<'_>),
    ) -> Result<Completion, Error> {
        self.run_events(command, &mut |event| match event {
            Event::Data(data) => on_data(data),
            Event::Status(status) => {
                on_status(&status);
                Ok(())
            }
            _ => Ok(()),
        })
    }

    /// Runs a command; no secret is in its error.
    pub(super) fn run_events(
        &mut self,
        command: Command,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        self.run_redacted(command, Input::None, on_event)
    }

    /// Runs a command that needs something meanwhile.
    pub(super) fn run_with(
        &mut self,
        command: Command,
        input: Input<'_>,
    ) -> Result<Completion, Error> {
        self.run_redacted(command, input, &mut |_| Ok(()))
    }

    fn run_redacted(
        &mut self,
        command: Command,
        input: Input<'_>,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        let result = self.run_command(command, input, on_event);
        let connection = self.connection();
        result.map_err(|error| error.redacted(&|text| connection.redact(text)))
    }

    /// An error of the callback is kept until the server has finished, so that the connection stays usable.
    fn run_command(
        &mut self,
        command: Command,
        mut input: Input<'_>,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let name = command.name();
        let mut failure = None;
        let (handle, mut completion, about) = match self.commands_ahead().take_claimed() {
            Some(sent) => {
                for answer in &sent.answers {
                    let depth = self.limits().depth;
                    failure = failure
                        .or(answer.data(depth)?.and_then(|data| on_event(Event::Data(data)).err()));
                }
                let about = self.about(&command);
                (sent.handle, sent.completion, about)
            }
            None => {
                self.make_way(name)?;
                if self.connection().session_ref().in_flight() == 0 {
                    self.hear_news()?;
                }
                let about = self.about(&command);
                let handle = self.connection().session().submit(command);
                if self.commands_ahead().only_send {
                    return Err(Error::Sent(self.commands_ahead().note(handle, about)));
                }
                (handle, None, about)
            }
        };
        self.connection().stream().begin_reply();
        let completion = loop {
            if let Some(completion) = completion.take() {
                break completion;
            }
            completion =
                self.hear(Some((handle, name, &about)), &mut input, on_event, &mut failure)?;
            // What cannot be read now cannot be read later either.
            if let Some(Error::Protocol(_)) = &failure {
                self.connection().close();
                break Completion { kind: StatusKind::Ok, code: None, text: String::new() };
            }
        };
        // A refusal may come before the literal has ended; the server counts on the rest.
        if self.connection().session_ref().literal_wanted() > 0 {
            while self.connection().session_ref().literal_wanted() > 0
                && self
                    .hear(Some((handle, name, &about)), &mut input, on_event, &mut failure)
                    .is_ok()
            {}
            let _ = self.connection().flush(); // the refusal is what matters
        }
        match (failure, completion.kind) {
            (Some(error), _) => Err(error),
            (None, StatusKind::Ok) => Ok(completion),
            (None, _) => Err(Error::Refused { command: name, completion }),
        }
    }

    /// Waits for the next event. It goes to the callback, or to the command in flight that it answers; the end of the command that is waited for is the result.
    pub(super) fn hear(
        &mut self,
        own: Option<(Handle, &'static str, &About)>,
        input: &mut Input<'_>,
        on_event: OnEvent<'_>,
        failure: &mut Option<Error>,
    ) -> Result<Option<Completion>, Error> {
        self.connection().wait()?;
        let (connection, ahead) = self.parts();
        let event = connection.session_ref().current_event()?;
        let warning = match &event {
            Event::Status(status)
                if status.kind == StatusKind::Bye
                    && own.is_none_or(|(_, name, _)| name != "LOGOUT") =>
            {
                let words = String::from_utf8_lossy(status.text).into_owned();
                connection.close();
                return Err(Error::Bye { words });
            }
            Event::Status(status) => warning_of_status(status),
            Event::Data(data) => {
                let kept = !ahead.is_empty()
                    && ahead.keep(data, own.map(|(handle, _, about)| (handle, about)), || {
                        connection.session_ref().owned_response()
                    });
                if kept {
                    let limits = connection.session_ref().limits();
                    limits
                        .check("response", ahead.held())
                        .map_err(Error::from)
                        .inspect_err(|_| connection.close())?;
                    return Ok(None);
                }
                (!is_known(data))
                    .then(|| Warning { kind: WarningKind::UnknownUntagged, words: shown(data) })
            }
            Event::Done { handle, status } => {
                let completion = Completion::from(status);
                if own.is_some_and(|(own, _, _)| own == *handle) {
                    return Ok(Some(completion));
                }
                ahead.end(*handle, completion);
                return Ok(None);
            }
            Event::Continue(challenge) => {
                if let Input::Exchange(exchange) = input {
                    match exchange.answer(challenge) {
                        Ok(answer) => connection.session().answer(&answer),
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
        if failure.is_none() {
            *failure = on_event(event).err();
        }
        if let Some(warning) = warning {
            self.note_warning(warning);
        }
        Ok(None)
    }

    /// Sends the next of `left` bytes of a literal. Before, once, what the server has said is heard.
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
        connection.session().feed(bytes);
        Ok(())
    }

    /// AUTHENTICATE: the commands' own loop, but that challenges are answered.
    pub(super) fn authenticate(
        &mut self,
        exchange: &mut Exchange,
        initial_response: bool,
    ) -> Result<(), Error> {
        let initial = initial_response.then(|| exchange.initial()).flatten();
        let command = Command::authenticate(exchange.mechanism(), initial.as_ref());
        self.run_command(command, Input::Exchange(exchange), &mut |_| Ok(()))?;
        exchange.finish().map_err(|cause| self.login_failed(exchange.user(), cause))
    }

    fn login_failed(&mut self, user: &str, cause: SaslError) -> Error {
        self.connection().close();
        Error::Login { user: user.to_owned(), cause }
    }

    /// Hears what came since the last command, before the next one goes out: a BYE ends the connection, and a reply that was sent ahead is none.
    fn hear_news(&mut self) -> Result<(), Error> {
        // What is there already may tell more than that the stream has ended since.
        if self.connection().session_ref().is_idle() {
            self.connection().overhear()?;
        }
        while self.connection().poll()? {
            let warning = match self.connection().session_ref().current_event()? {
                Event::Status(status) if status.kind == StatusKind::Bye => {
                    let words = String::from_utf8_lossy(status.text).into_owned();
                    self.connection().close();
                    return Err(Error::Bye { words });
                }
                Event::Status(status) => warning_of_status(&status),
                Event::Data(data) => (!is_known(&data))
                    .then(|| Warning { kind: WarningKind::UnknownUntagged, words: shown(&data) }),
                _ => None,
            };
            if let Some(warning) = warning {
                self.note_warning(warning);
            }
        }
        let connection = self.connection();
        connection.session_ref().check_nothing_ahead().inspect_err(|_| connection.close())?;
        Ok(())
    }
}
