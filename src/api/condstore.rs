//! What has changed in a mailbox (RFC 7162): `:since` of `select-mailbox`, and `changed-letters`. The
//! rows are in `mailboxes` and `messages`.

use super::Answer;
use super::mailbox::mailbox;
use super::pipeline;
use super::sets::{message_set, set_value};
use super::values::{Texts, Wanted, fetched};
use crate::client::{Error, FetchReader, ImapClient};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::Limits;
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{Data, FetchItems, SequenceSet, Since};

/// Reads the value of `:since`, `(uidvalidity modseq)` or `(uidvalidity modseq uids)`.
///
/// A modseq of nil comes from a server, or a mailbox, that keeps none.
pub(super) fn since(call: &Call<'_>, value: &Value) -> Result<Since, Condition> {
    let parts: Vec<Value> = host::as_list(value).into_iter().flatten().collect();
    if parts.get(1).is_some_and(host::is_nil) && read_since(&with_modseq(&parts)).is_some() {
        return Err(Condition::new(
            Identifier::Unsupported,
            format!(
                "{}: :since has no mod-sequence; the server keeps none for this mailbox",
                call.name()
            ),
        ));
    }
    read_since(value).ok_or_else(|| {
        let expected = "(uidvalidity modseq), two numbers from 1 on, perhaps followed by a set of \
                        unique ids without :*";
        call.wrong("since", expected, value)
    })
}

/// The same list with 1 for the mod-sequence.
fn with_modseq(parts: &[Value]) -> Value {
    let mut parts = parts.to_vec();
    parts[1] = host::integer(1);
    host::list(parts)
}

fn read_since(value: &Value) -> Option<Since> {
    let parts: Vec<Value> = host::as_list(value)?.collect();
    let (uid_validity, modseq, uids) = match &parts[..] {
        [uid_validity, modseq] => (uid_validity, modseq, None),
        [uid_validity, modseq, uids] => (uid_validity, modseq, Some(known_uids(uids)?)),
        _ => return None,
    };
    let uid_validity = host::as_integer(uid_validity)?.try_into().ok().filter(|one| *one > 0)?;
    let modseq = host::as_integer(modseq)?.try_into().ok().filter(|one| *one > 0)?;
    Some(Since { uid_validity, modseq, uids })
}

/// A set without `:*`: what a script knows has an end.
fn known_uids(value: &Value) -> Option<SequenceSet> {
    let set = message_set(value)?;
    let is_number = |bound: &Bound| matches!(bound, Bound::Number(_));
    let is_known = set.ranges().iter().all(|(first, last)| is_number(first) && is_number(last));
    (is_known && !set.is_empty()).then_some(set)
}

/// Selects a mailbox, and returns `(:changed items :vanished uids)`.
pub(super) fn select_since(
    client: &mut ImapClient,
    name: &str,
    read_only: bool,
    since: &Since,
) -> Result<Value, Error> {
    let reader = Changed::new(client)?;
    let (changed, vanished) = client.select_since(name, read_only, since, || reader.clone())?;
    Ok(host::list(vec![
        host::keyword("changed"),
        host::list(changed),
        host::keyword("vanished"),
        set_value(&vanished),
    ]))
}

pub(super) fn changed_letters(call: &Call<'_>) -> Answer {
    let modseq = call.integer(1, 1..)?.unsigned_abs();
    let mailbox = mailbox(call)?;
    let begin = |client: &mut ImapClient| {
        let reader = Changed::new(client)?;
        client.begin_changed_letters(modseq, reader)
    };
    pipeline::perform_read(call, &mailbox, begin, |_, values| Ok(host::list(values)))
}

/// Reads changed letters, by UID.
#[derive(Clone)]
struct Changed {
    items: FetchItems,
    limits: Limits,
    values: Vec<Value>,
}

impl Changed {
    fn new(client: &ImapClient) -> Result<Self, Error> {
        let items = FetchItems::parse("(flags modseq)")?;
        Ok(Changed { items, limits: client.limits().clone(), values: Vec::new() })
    }
}

impl FetchReader for Changed {
    type Output = Vec<Value>;

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        let wanted = Wanted { items: Some(&self.items), by_uid: true };
        self.values.extend(fetched(data, Texts::Strings, wanted, &self.limits)?);
        Ok(())
    }

    fn finish(self) -> Result<Vec<Value>, Error> {
        Ok(self.values)
    }
}
