//! Changes that go through no connection: a program that runs, a delivery into the sandbox. The
//! witness sees and may refuse them, as it does those of connections.

use super::state::state;
use crate::condition::{Condition, Identifier};
use crate::host::Call;
use crate::proto::deed::Deed;
use crate::proto::witness::Ending;

/// Carries out a deed unless the witness refuses it, and reports how it ended. `act` says when it
/// has begun; if it fails before, nothing was done.
///
/// # Errors
/// `:limit` if it is refused, otherwise those of `act`.
pub(super) fn witnessed<T>(
    call: &Call<'_>,
    deed: &Deed,
    act: impl FnOnce(&mut bool) -> Result<T, Condition>,
) -> Result<T, Condition> {
    let witness = state(call).connector.witness.clone();
    witness.before(deed).map_err(|refusal| {
        Condition::new(Identifier::Limit, format!("{}: {refusal}", call.name()))
    })?;
    let mut has_begun = false;
    let result = act(&mut has_begun);
    let ending = match &result {
        Ok(_) => Ending::Done,
        Err(_) if !has_begun => Ending::Abandoned,
        Err(condition) if condition.identifier == Identifier::ErrorResponse => Ending::Refused,
        Err(_) => Ending::InDoubt,
    };
    witness.after(deed, ending, None);
    result
}
