//! A new POP or SMTP connection in the place of a lost one, and what the lost one has left behind.
//!
//! A POP server removes nothing without QUIT (RFC 1939 6), so after a loss no letter is marked any
//! more, and every operation may be made again. Its letters have new numbers, which are the old ones
//! exactly if their unique ids say so ([`PopClient::learn_ids`]).
//!
//! An SMTP server delivers nothing before the final dot, so a letter may be sent again unless that
//! dot was sent and the reply to it was lost.

use super::error::Error;
use super::options::{ConnectOptions, Credentials};
use super::pop3::PopClient;
use super::reconnecting::Repeat;
use super::smtp::SmtpClient;
use crate::proto::witness::Ending;
use crate::transport::{Connector, SettledDeed};
use std::collections::HashMap;

/// The unique ids of a POP mailbox's letters.
#[derive(Default)]
pub(super) enum Ids {
    /// The server was not asked.
    #[default]
    Unknown,
    /// The server has none.
    Missing,
    /// By number, without those of letters that were marked when the server was asked.
    Known(HashMap<u32, String>),
}

impl PopClient {
    /// Says which operation the next commands belong to, and notes which letters are marked before
    /// it.
    pub fn begin_operation(&mut self, operation: u64) {
        if self.connection.operation() != Some(operation) {
            self.marked_before = self.connection.session().marked().to_vec();
        }
        self.connection.begin_operation(operation);
    }

    /// The letters that were marked before the operation that began last.
    pub fn marked_before(&self) -> &[u32] {
        &self.marked_before
    }

    /// Asks for the unique ids of all letters, if the server was not asked before, so that a later
    /// connection can tell whether its numbers mean the same letters.
    ///
    /// # Errors
    /// As every operation. A server without UIDL is not an error.
    pub fn learn_ids(&mut self) -> Result<(), Error> {
        if matches!(self.ids, Ids::Unknown) {
            match self.unique_ids() {
                Ok(_) => {}
                Err(Error::Refused { .. }) => self.ids = Ids::Missing,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens a connection to the same server, and logs in.
    ///
    /// # Errors
    /// Those of [`PopClient::connect`].
    pub fn connect_again(
        &self,
        connector: &Connector,
        credentials: &Credentials,
        options: &ConnectOptions,
    ) -> Result<PopClient, Error> {
        PopClient::connect(connector, self.host(), credentials, options)
    }

    /// Returns whether every letter of the lost connection has the same number here. More letters
    /// may have arrived. If the unique ids of either are not known, it is not.
    ///
    /// # Errors
    /// As [`PopClient::learn_ids`].
    pub fn has_numbers_of(&mut self, lost: &PopClient) -> Result<bool, Error> {
        let Ids::Known(before) = &lost.ids else { return Ok(false) };
        // A line of the list may have been unreadable.
        if before.len() + lost.connection.session().marked().len() < lost.count() as usize {
            return Ok(false);
        }
        self.learn_ids()?;
        let Ids::Known(now) = &self.ids else { return Ok(false) };
        Ok(before.iter().all(|(number, id)| now.get(number) == Some(id)))
    }
}

impl SmtpClient {
    /// Says which operation the next commands belong to.
    pub fn begin_operation(&mut self, operation: u64) {
        self.connection.begin_operation(operation);
    }

    /// Says whether the operation that began last may be made again.
    pub fn repeat(&self) -> Repeat {
        let operation = self.connection.operation();
        let settled = self.connection.settled().iter();
        let deeds = settled.filter(|settled| settled.operation == operation);
        let happened = deeds.filter_map(|SettledDeed { deed, ending, .. }| match ending {
            Ending::Done => Some(format!("done: {deed}")),
            Ending::InDoubt => Some(format!("may be done: {deed}")),
            Ending::Refused | Ending::Abandoned => None,
        });
        let happened: Vec<String> = happened.collect();
        if happened.is_empty() { Repeat::Safe } else { Repeat::InDoubt(happened.join("; ")) }
    }
}
