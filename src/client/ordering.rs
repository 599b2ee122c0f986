//! SORT and THREAD (RFC 5256): the messages that match a search, in order or in threads.

use super::error::Error;
use super::imap::{ImapClient, LONGEST_SET};
use super::pending::Reader;
use crate::proto::Limits;
use crate::proto::imap::{
    Command, Data, SearchKey, SortCriterion, ThreadAlgorithm, Token, message_number,
};
use std::collections::HashSet;

/// A step of a walk through threads, in the order of the response: `(2)(3 6 (4 23)(44 7 96))`. A
/// message is the parent of what follows it in its list: the next message, or the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadStep {
    /// A thread begins: `(`.
    Open,
    /// A message, by its number or UID.
    Message(u32),
    /// A thread ends: `)`.
    Close,
}

impl ImapClient {
    /// Returns whether the server can sort by these criteria what the key finds. A search that is
    /// too long for one command cannot be sorted there.
    pub fn can_sort(&self, criteria: &[SortCriterion], key: &SearchKey) -> bool {
        let has = |criterion: &SortCriterion| self.capabilities().has(criterion.key.capability());
        self.capabilities().has("SORT") && criteria.iter().all(has) && is_one_command(key)
    }

    /// SORT, or UID SORT if `uid`: the messages that match, in order.
    ///
    /// # Errors
    /// [`Error::Unsupported`] unless [`ImapClient::can_sort`]; [`Error::Refused`].
    pub fn sort(
        &mut self,
        criteria: &[SortCriterion],
        key: &SearchKey,
        uid: bool,
    ) -> Result<Vec<u32>, Error> {
        if !self.can_sort(criteria, key) {
            return Err(Error::Unsupported("the server cannot sort by these criteria".into()));
        }
        let limits = self.limits().clone();
        let reader = Sorted { limits, numbers: Vec::new(), seen: HashSet::new() };
        self.carry_out([Command::sort(criteria, key, uid)?], reader)
    }

    /// Returns whether the server can arrange in threads what the key finds.
    pub fn can_thread(&self, algorithm: ThreadAlgorithm, key: &SearchKey) -> bool {
        self.capabilities().has(algorithm.capability()) && is_one_command(key)
    }

    /// THREAD, or UID THREAD if `uid`: the messages that match, in threads.
    ///
    /// # Errors
    /// [`Error::Unsupported`] unless [`ImapClient::can_thread`]; [`Error::Refused`].
    pub fn thread(
        &mut self,
        algorithm: ThreadAlgorithm,
        key: &SearchKey,
        uid: bool,
    ) -> Result<Vec<ThreadStep>, Error> {
        if !self.can_thread(algorithm, key) {
            let name = algorithm.capability();
            return Err(Error::Unsupported(format!("the server does not offer {name}")));
        }
        let limits = self.limits().clone();
        let reader = Threads { limits, steps: Vec::new(), messages: 0 };
        self.carry_out([Command::thread(algorithm, key, uid)?], reader)
    }
}

pub(super) fn is_one_command(key: &SearchKey) -> bool {
    key.split(LONGEST_SET).len() == 1
}

/// Reads `5 3 4 1 2` and, from a server with CONDSTORE, `(MODSEQ 9)` after it. A number that is
/// repeated counts once.
struct Sorted {
    limits: Limits,
    numbers: Vec<u32>,
    seen: HashSet<u32>,
}

impl Reader for Sorted {
    type Output = Vec<u32>;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        if !data.is("SORT") {
            return Ok(());
        }
        while let Some(token) = data.tokens.next_token()? {
            if token == Token::Open {
                data.tokens.skip_value(token)?;
                continue;
            }
            let number = message_number(token);
            let number =
                number.ok_or_else(|| data.tokens.malformed("expected a message number"))?;
            self.limits.check("responses", self.numbers.len() as u64 + 1)?;
            self.numbers.extend(Some(number.get()).filter(|number| self.seen.insert(*number)));
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u32>, Error> {
        Ok(self.numbers)
    }
}

/// Reads `(2)(3 6 (4 23)(44 7 96))`. The tokens limit how deep the lists are.
struct Threads {
    limits: Limits,
    steps: Vec<ThreadStep>,
    messages: u64,
}

impl Reader for Threads {
    type Output = Vec<ThreadStep>;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        if !data.is("THREAD") {
            return Ok(());
        }
        let mut depth = 0_usize;
        while let Some(token) = data.tokens.next_token()? {
            let is_empty = matches!(self.steps.last(), None | Some(ThreadStep::Open));
            let step = match (token, message_number(token)) {
                (Token::Open, _) => {
                    depth += 1;
                    ThreadStep::Open
                }
                (Token::Close, _) if depth > 0 && !is_empty => {
                    depth -= 1;
                    ThreadStep::Close
                }
                (_, Some(number)) if depth > 0 => {
                    self.messages += 1;
                    ThreadStep::Message(number.get())
                }
                _ => return Err(data.tokens.malformed("expected message numbers in lists").into()),
            };
            self.limits.check("responses", self.messages)?;
            self.steps.push(step);
        }
        match depth {
            0 => Ok(()),
            _ => Err(data.tokens.malformed("expected the end of a thread").into()),
        }
    }

    fn finish(self) -> Result<Vec<ThreadStep>, Error> {
        Ok(self.steps)
    }
}
