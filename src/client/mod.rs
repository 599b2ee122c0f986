//! Blocking clients for IMAP, POP3 and SMTP: one method for each operation, one owner for each
//! connection.
//!
//! A client turns a call into commands of `proto`, submits them through `transport`, and turns the
//! server's responses into a result or an [`Error`]. It knows nothing of scripts; `api` calls it
//! for them.
//!
//! | file | contents |
//! |---|---|
//! | `options` | how to connect: TLS policy, credentials, timeouts, for all three protocols |
//! | `error`, `told` | errors; types of what servers report, and warnings |
//! | [`imap`], `login` | the IMAP connection; from a host name to an authenticated session |
//! | `running`, `pending`, `ahead` | the loop around a command; operations in two halves; pipelining |
//! | `answers`, `fetched`, `as_sent` | responses read into types; responses to hand on |
//! | `mailboxes`, `messages`, `moving`, `appending` | IMAP operations by topic |
//! | `returning`, `within` | SEARCH with RETURN, and saved results; the age of letters |
//! | `ordering` | SORT and THREAD |
//! | `listing`, `extension_items` | LIST with options, special uses; items of STATUS and FETCH that extensions define |
//! | `condstore` | CONDSTORE and QRESYNC: what changed and vanished |
//! | `reconnecting`, `remaking` | a new connection in place of a lost one; what may be done again; the same for POP and SMTP |
//! | `quota`, `identity` | GETQUOTAROOT; ID |
//! | `waiting`, `notifying` | IDLE; NOTIFY: news of many mailboxes over one connection |
//! | `namespaces`, `rights`, `metadata` | NAMESPACE; access control lists; METADATA |
//! | `read_ahead`, `transfer`, `copying` | prefetching; letters to files; letters to another server |
//! | `spool` | letters that are too large for memory |
//! | [`pop3`], `pop_ahead` | the POP3 client and its prefetching |
//! | [`smtp`] | the SMTP client |

mod ahead;
mod answers;
mod appending;
mod as_sent;
mod condstore;
mod copying;
pub(crate) mod error;
mod extension_items;
mod fetched;
mod identity;
pub mod imap;
mod labels;
mod listing;
mod login;
mod mailboxes;
mod messages;
mod metadata;
mod moving;
mod namespaces;
mod notifying;
mod options;
mod ordering;
mod pending;
pub mod pop3;
mod pop_ahead;
mod preparing;
mod quarantine;
mod quota;
mod read_ahead;
pub(crate) mod reconnecting;
mod remaking;
mod returning;
mod rights;
mod running;
pub mod smtp;
pub(crate) mod spool;
mod told;
mod transfer;
mod unseen;
mod waiting;
mod within;

pub use crate::proto::imap::CopiedUids;
pub use appending::{Appended, Stored};
pub use condstore::modified;
pub use error::Error;
pub use fetched::{Collected, Fetched};
pub use identity::{ServerId, own_identity};
pub use imap::ImapClient;
pub use labels::{keyword_of_label, label_of_keyword};
pub use listing::ListRequest;
pub use mailboxes::{Listing, StatusOf};
pub use messages::{Copied, Fetch, FetchReader, Search};
pub use moving::Moved;
pub use namespaces::{Namespace, Namespaces};
pub use notifying::MailboxNews;
pub use options::{Auth, Compress, ConnectOptions, Credentials, TlsMode};
pub use ordering::ThreadStep;
pub use pending::{Nothing, Pending, Reader};
pub use pop3::PopClient;
pub use quota::{QuotaResource, QuotaRoot};
pub use reconnecting::{Found, Lost, Repeat};
pub use returning::SearchReturning;
pub use smtp::SmtpClient;
pub use spool::Content;
pub use told::{Listed, StatusValue, Warning, WarningKind};
pub use transfer::Letters;
pub use waiting::{Heard, Wait, wait_for_any};
