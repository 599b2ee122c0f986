//! The log of commands that sessions have decoded, for tests to inspect.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use imap_codec::imap_types::{command::CommandBody, extensions::binary::LiteralOrLiteral8};

/// How many commands are kept; the oldest are dropped.
const LIMIT: usize = 10_000;

/// Longer commands are cut, so that a flood of them cannot fill memory.
const LENGTH_LIMIT: usize = 4096;

/// Replaces credentials.
const SECRET: &str = "<secret>";

#[derive(Default)]
pub(crate) struct Received(Mutex<VecDeque<String>>);

impl Received {
    pub(crate) fn note(&self, body: &CommandBody<'_>) {
        self.note_text(describe(body));
    }

    /// Logs a command that has no body in `imap-types`.
    pub(crate) fn note_text(&self, text: String) {
        let mut list = self.lock();
        list.push_back(text);
        if list.len() > LIMIT {
            list.pop_front();
        }
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The command's `Debug` text, with credentials hidden and a letter's size in place of its bytes.
fn describe(body: &CommandBody<'_>) -> String {
    let mut text = match body {
        // `imap-types` hides its `Secret` in release builds only.
        CommandBody::Login { username, .. } => {
            format!("Login {{ username: {username:?}, password: {Hidden:?} }}")
        }
        CommandBody::Authenticate { mechanism, initial_response } => {
            let response = initial_response.as_ref().map(|_| Hidden);
            format!("Authenticate {{ mechanism: {mechanism:?}, initial_response: {response:?} }}")
        }
        CommandBody::Append { mailbox, flags, date, message } => {
            let size = match message {
                LiteralOrLiteral8::Literal(literal) => literal.data().len(),
                LiteralOrLiteral8::Literal8(literal) => literal.data.len(),
            };
            format!(
                "Append {{ mailbox: {mailbox:?}, flags: {flags:?}, date: {date:?}, message: {size} octets }}"
            )
        }
        body => format!("{body:?}").replace(", parameters: []", "").replace(", modifiers: []", ""),
    };
    if text.len() > LENGTH_LIMIT {
        let end = (0..=LENGTH_LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

struct Hidden;

impl std::fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{SECRET:?}")
    }
}
