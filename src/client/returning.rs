//! SEARCH with RETURN (RFC 4731), parts of a result (RFC 9394), and saved results (RFC 5182).
//!
//! Every search with [`Returns`] works on every server; what the server does not offer is computed
//! from the numbers of a plain SEARCH:
//!
//! | asked for | needs | without it |
//! |---|---|---|
//! | MIN, MAX, COUNT, ALL | ESEARCH | from all numbers |
//! | PARTIAL | PARTIAL | from all numbers |
//! | SAVE | SEARCHRES | the client keeps the UIDs and sends these |
//!
//! The client always knows the UIDs of the saved result, because commands on it need them: answers
//! are recognised by them, and changes are reported by them. With SEARCHRES it asks for them with
//! `UID SEARCH RETURN (ALL) UID $`, unless the first answer tells. It then sends `$` in their
//! place, which is short however many they are. The saved result ends with the selection.

use super::answers::push_numbers;
use super::error::Error;
use super::imap::{ImapClient, LONGEST_SET};
use super::messages::Search;
use super::ordering::is_one_command;
use super::pending::{Pending, Reader};
use crate::proto::Limits;
use crate::proto::imap::{
    Command, Data, Found, Messages, Returns, SearchKey, SequenceSet, Token, Tokens,
};

/// The saved result of a search.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// The selection in which it was saved; see [`ImapClient::epoch`].
    selection: u64,
    /// Its UIDs; marked if the server has saved them, too.
    uids: SequenceSet,
}

impl ImapClient {
    /// Searches and returns only what `returns` asks for: UIDs if `uid`, otherwise message numbers.
    /// With SAVE the result is kept for [`ImapClient::saved`].
    ///
    /// # Errors
    /// As [`ImapClient::search`]; after a refusal no result is saved.
    pub fn search_returning(
        &mut self,
        key: &SearchKey,
        uid: bool,
        returns: &Returns,
    ) -> Result<Found, Error> {
        if !returns.save {
            let pending = self.begin_search_returning(key, uid, returns)?;
            return self.wait(pending);
        }
        let key = &*self.understood(key)?;
        self.saved = Saved::default();
        self.search_saving(key, uid, returns)
    }

    /// Begins [`ImapClient::search_returning`] without SAVE, which is ignored.
    ///
    /// # Errors
    /// An error if the command cannot be sent.
    pub fn begin_search_returning(
        &mut self,
        key: &SearchKey,
        uid: bool,
        returns: &Returns,
    ) -> Result<Pending<SearchReturning>, Error> {
        let (key, returns) = (&*self.understood(key)?, Returns { save: false, ..*returns });
        let reader = SearchReturning::new(returns, self.limits());
        if self.can_return(key, &returns) {
            return self.begin([Command::search_returning(key, uid, &returns)?], reader);
        }
        let keys = key.split(LONGEST_SET);
        let commands =
            keys.iter().map(|key| Command::search(key, uid)).collect::<Result<Vec<_>, _>>()?;
        self.begin(commands, reader)
    }

    /// Whether the server can answer the search with RETURN. The results of several searches cannot
    /// be joined in all cases.
    fn can_return(&self, key: &SearchKey, returns: &Returns) -> bool {
        let offers = |name| self.capabilities().offers(name);
        offers("ESEARCH")
            && (returns.partial.is_none() || offers("PARTIAL"))
            && (!returns.save || offers("SEARCHRES"))
            && is_one_command(key)
    }

    fn search_saving(
        &mut self,
        key: &SearchKey,
        uid: bool,
        returns: &Returns,
    ) -> Result<Found, Error> {
        if self.can_return(key, returns) {
            match self.search_saving_there(key, uid, returns) {
                // RFC 5182 2.1: the server has no room for the result.
                Err(Error::Refused { completion, .. })
                    if completion.code.as_ref().is_some_and(|(code, _)| code == "NOTSAVED") => {}
                result => return result,
            }
        }
        let numbers = if uid { self.uid_search(key)? } else { self.search(key)? };
        let saved = returns.saved_of(&numbers);
        let uids = match uid || saved.is_empty() {
            true => saved.into_iter().collect(),
            false => self.uids_of(&Messages::numbers(saved))?,
        };
        self.saved = Saved { selection: self.epoch().0, uids };
        Ok(returns.of(&numbers))
    }

    fn search_saving_there(
        &mut self,
        key: &SearchKey,
        uid: bool,
        returns: &Returns,
    ) -> Result<Found, Error> {
        let reader = SearchReturning::new(*returns, self.limits());
        let found = self.carry_out([Command::search_returning(key, uid, returns)?], reader)?;
        let uids = match &found.all {
            Some(uids) if uid => uids.clone(),
            _ => {
                let saved = SearchKey::Uid(SequenceSet::new().saved());
                self.search_returning(&saved, true, &Returns::ALL)?.all.unwrap_or_default()
            }
        };
        let uids = uids.into_iter().collect::<SequenceSet>().saved();
        self.saved = Saved { selection: self.epoch().0, uids };
        Ok(found)
    }

    /// The UIDs of the messages that the last search with SAVE found in this selection; the empty
    /// set if there was none (RFC 5182 2.1). Some may have left the mailbox.
    pub fn saved(&self) -> SequenceSet {
        match self.saved.selection == self.epoch().0 {
            true => self.saved.uids.clone(),
            false => SequenceSet::new(),
        }
    }

    /// Keeps the saved result of an earlier connection, on which the same mailbox was selected.
    pub fn keep_saved_of(&mut self, earlier: &ImapClient) {
        self.keep_saved(earlier.saved());
    }

    /// Makes this the saved result of the present selection. The server does not know it.
    pub fn keep_saved(&mut self, uids: SequenceSet) {
        let uids = Messages::Uids(uids).by_number().set().clone();
        self.saved = Saved { selection: self.epoch().0, uids };
    }
}

/// Reads the answer to a search with [`Returns`]: ESEARCH, or SEARCH from which the rest is
/// computed.
pub struct SearchReturning {
    returns: Returns,
    limits: Limits,
    /// What an ESEARCH response said.
    found: Option<Found>,
    numbers: Search,
}

impl SearchReturning {
    fn new(returns: Returns, limits: &Limits) -> Self {
        let (numbers, limits) = (Search::new(limits), limits.clone());
        SearchReturning { returns, limits, found: None, numbers }
    }
}

impl Reader for SearchReturning {
    type Output = Found;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        if data.is("ESEARCH") {
            let found = self.found.get_or_insert_default();
            return read_esearch(&mut data, found, &self.limits);
        }
        self.numbers.data(data)
    }

    fn finish(self) -> Result<Found, Error> {
        let returns = self.returns;
        let Some(found) = self.found else { return Ok(returns.of(&self.numbers.finish()?)) };
        let count = match (found.count, &found.all) {
            (Some(count), _) => count,
            (None, Some(all)) => all.len() as u64,
            (None, None) => 0,
        };
        Ok(Found {
            min: found.min.filter(|_| returns.min),
            max: found.max.filter(|_| returns.max),
            count: returns.count.then_some(count),
            all: returns.all.then(|| found.all.unwrap_or_default()),
            partial: returns.partial.map(|_| found.partial.unwrap_or_default()),
        })
    }
}

/// Reads `(TAG "A285") UID MIN 7 MAX 3800 COUNT 15 ALL 2,10:11 PARTIAL (1:2 2,10)` (RFC 4731 3.2,
/// RFC 9394 3.1). Each result is a word and a value; unknown ones are skipped.
fn read_esearch(data: &mut Data<'_>, found: &mut Found, limits: &Limits) -> Result<(), Error> {
    let tokens = &mut data.tokens;
    if tokens.clone().next_token()? == Some(Token::Open) {
        let correlator = tokens.expect_token()?;
        tokens.skip_value(correlator)?;
    }
    while let Some(token) = tokens.next_token()? {
        let Token::Atom(name) = token else {
            return Err(tokens.malformed("expected the name of a search result").into());
        };
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if is("UID") {
            continue;
        }
        let value = tokens.expect_token()?;
        if is("MIN") {
            found.min = Some(message(value, tokens)?);
        } else if is("MAX") {
            found.max = Some(message(value, tokens)?);
        } else if is("COUNT") {
            let count = value.number();
            found.count = Some(count.ok_or_else(|| tokens.malformed("expected a count"))?);
        } else if is("ALL") {
            found.all = Some(numbers(value, tokens, limits)?);
        } else if is("PARTIAL") && value == Token::Open {
            let places = tokens.expect_token()?; // those that were asked for
            tokens.skip_value(places)?;
            let set = tokens.expect_token()?;
            found.partial = Some(match set.is_nil() {
                true => Vec::new(),
                false => numbers(set, tokens, limits)?,
            });
            if tokens.expect_token()? != Token::Close {
                return Err(tokens.malformed("expected the end of PARTIAL").into());
            }
        } else {
            tokens.skip_value(value)?;
        }
    }
    Ok(())
}

fn message(value: Token<'_>, tokens: &Tokens<'_>) -> Result<u32, Error> {
    let number = value.number().and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| *number > 0);
    Ok(number.ok_or_else(|| tokens.malformed("expected a message number"))?)
}

/// Reads a set as its numbers, ascending, each once.
fn numbers(value: Token<'_>, tokens: &Tokens<'_>, limits: &Limits) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::new();
    if !push_numbers(value, &mut numbers, limits)? {
        return Err(tokens.malformed("expected a set of message numbers").into());
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}
