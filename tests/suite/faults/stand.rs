//! A server with the same mail before every attempt: letters 1, 2 and 3 in the inbox, and an empty
//! `box`.

use super::sessions::Session;
use crate::support::{Server, empty, relay_to};
use postoffice::proto::imap::MessageId;
use postoffice::sandbox::faults::{Fault, Relay};
use postoffice::sandbox::{Account, Options, Protocol, Seed};

/// The second account. It gets letters only over SMTP.
pub const OTHER: &str = "other";

/// Returns the bytes of letter `number`, with CRLF line ends.
pub fn letter(number: u32) -> Vec<u8> {
    format!("Subject: {number}\r\n\r\nletter {number}\r\n").into_bytes()
}

/// The numbers of the letters in each mailbox, sorted. A letter with unknown bytes is number 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub inbox: Vec<u32>,
    pub boxed: Vec<u32>,
    pub other: Vec<u32>,
}

impl Mail {
    pub fn initial() -> Mail {
        Mail { inbox: vec![1, 2, 3], boxed: Vec::new(), other: Vec::new() }
    }
}

pub struct Stand {
    pub server: Server,
    /// One for all attempts. The connections of thousands of attempts stay in TIME_WAIT for a
    /// minute; if each attempt bound a port of its own, the system would spend more time on the
    /// search for a free one than the attempts take.
    relay: Relay,
    accounts: Vec<Account>,
}

impl Stand {
    pub fn sandbox(session: &Session) -> Stand {
        let mut options = Options { trace_headers: false, ..empty() };
        options.accounts.push(Account::new(OTHER, "pw"));
        // The length of APOP's timestamp varies; an offset must mean the same byte in every
        // attempt.
        options.pop.apop = false;
        (session.options)(&mut options);
        let accounts = options.accounts.clone();
        let server = Server::sandbox(options);
        let port = match session.protocol {
            Protocol::Imap => server.port,
            Protocol::Pop => server.pop_port,
            Protocol::Smtp => server.the_sandbox().smtp_address().port(),
        };
        Stand { relay: relay_to(port, &[]), server, accounts }
    }

    /// A stand on Dovecot for IMAP, or `None` if there is none.
    pub fn dovecot() -> Option<Stand> {
        let server = Server::dovecot()?;
        Some(Stand { relay: relay_to(server.port, &[]), server, accounts: Vec::new() })
    }

    /// Returns the relay to the server, with these faults and no connections.
    pub fn behind(&self, faults: &[Fault]) -> &Relay {
        self.relay.wait_for_end();
        self.relay.forget();
        self.relay.set_faults(faults.to_vec());
        &self.relay
    }

    /// Restores the initial mail.
    pub fn fill(&mut self) {
        if self.server.is_sandbox() {
            let store = self.server.store();
            store.reset(self.accounts.clone(), Seed::Empty);
            store.create_mailbox("user", "box").unwrap();
            for number in 1..=3 {
                store.deliver("user", "INBOX", &letter(number)).unwrap();
            }
        } else {
            // A new user has an empty inbox, which Dovecot makes at the first login.
            self.server = Server::dovecot().unwrap();
            let mut client = self.server.connect();
            client.create("box").unwrap();
            for number in 1..=3 {
                client.append("INBOX", &[], None, &letter(number)).unwrap();
            }
            client.close();
        }
    }

    pub fn mail(&self) -> Mail {
        Mail {
            inbox: self.letters("user", "INBOX"),
            boxed: self.letters("user", "box"),
            other: self.letters(OTHER, "INBOX"),
        }
    }

    fn letters(&self, user: &str, mailbox: &str) -> Vec<u32> {
        let number = |bytes: &[u8]| (1..=9).find(|number| letter(*number) == bytes).unwrap_or(0);
        let mut numbers: Vec<u32> = if self.server.is_sandbox() {
            self.server
                .store()
                .letters(user, mailbox)
                .iter()
                .map(|letter| number(&letter.bytes))
                .collect()
        } else if user == OTHER {
            Vec::new()
        } else {
            let mut client = self.server.connect();
            client.select(mailbox, true).unwrap();
            let count = client.selected().unwrap().exists;
            let read = |message: u32| {
                let mut bytes = Vec::new();
                client
                    .write_letter(
                        MessageId::Number(message.try_into().unwrap()),
                        true,
                        "x",
                        &mut bytes,
                    )
                    .unwrap();
                number(&bytes)
            };
            (1..=count).map(read).collect()
        };
        numbers.sort_unstable();
        numbers
    }
}
