//! Sorts letters and arranges them in threads, as RFC 5256 defines SORT and THREAD.
//!
//! | file | contents |
//! |---|---|
//! | `subject` | the base subject: without `Re:`, `(fwd)`, `[list]` |
//! | `collation` | the comparison of texts, `i;unicode-casemap` (RFC 5051) |
//! | `summary` | what sorting and threading need to know of a letter |
//! | `sorting` | the order by several criteria |
//! | `threading` | the threads: by subject, by references |

mod collation;
mod sorting;
mod subject;
mod summary;
mod threading;

pub use collation::collation_key;
pub use sorting::{Criterion, SortKey, sort};
pub use subject::{BaseSubject, base_subject};
pub use summary::{HEADER_FIELDS, Summary};
pub use threading::{Algorithm, Step, thread};
