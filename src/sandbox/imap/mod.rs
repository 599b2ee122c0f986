//! The IMAP server: one session per connection, and a file for each group of commands.
//!
//! `framing` splits the client's bytes into commands and literals, and `imap-codec` decodes the
//! commands. `session` runs the loop that answers them; the other files implement them as methods
//! of `Session`. `selected` is the session's view of the selected mailbox: its message numbers, and
//! the changes not yet announced to the client.
//!
//! | file | contents |
//! |---|---|
//! | `session`, `framing`, `own` | the state of a connection and its loop; commands and literals; commands that `imap-codec` does not decode |
//! | `extensions` | what is offered beyond RFC 3501 |
//! | `login` | STARTTLS, LOGIN, AUTHENTICATE, ENABLE, ID, NAMESPACE |
//! | `idle`, `quota` | IDLE; GETQUOTA and GETQUOTAROOT |
//! | `rights`, `metadata` | access control lists; METADATA |
//! | `counts`, `special_use` | the items of STATUS; CREATE with a special use |
//! | `folders`, `list` | SELECT, CREATE and other commands on whole mailboxes; LIST and LSUB |
//! | `condstore` | mod-sequences: CONDSTORE and QRESYNC |
//! | `append`, `copying` | APPEND and REPLACE; STORE, EXPUNGE, COPY and MOVE |
//! | `fetch`, `section`, `structure`, `address` | FETCH: `BODY[…]`, ENVELOPE, BODYSTRUCTURE |
//! | `binary` | FETCH: `BINARY[…]` |
//! | `objects` | FETCH: EMAILID, THREADID, SAVEDATE, PREVIEW |
//! | `search`, `matching` | SEARCH: keys, and text in letters |
//! | `order`, `base_subject`, `threads` | SORT; subjects without marks; THREAD |
//! | `returning` | SEARCH with RETURN; saved results, `$` |
//! | `selected`, `sequence` | message numbers and UIDs; sequence sets |
//! | `text`, `dates`, `utf8` | strings and dates on the wire; UTF-8 and IMAP4rev2 |

mod address;
mod append;
mod base_subject;
mod binary;
mod condstore;
mod copying;
mod counts;
mod dates;
mod elsewhere;
pub(in crate::sandbox) mod extensions;
mod fetch;
mod folders;
mod framing;
mod idle;
mod list;
mod login;
mod matching;
mod metadata;
mod news;
mod notify;
mod objects;
mod order;
mod own;
mod quota;
mod returning;
mod rights;
mod search;
mod section;
mod selected;
mod sequence;
pub(in crate::sandbox) mod session;
mod special_use;
mod structure;
mod text;
mod threads;
mod utf8;
