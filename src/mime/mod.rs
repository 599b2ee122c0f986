//! Letters: headers, addresses, parsing, building. Pure: bytes in, values out; no sockets, no clock, no files, nothing else of this project.
//!
//! Reading is total. Whatever bytes come, there is an answer, in linear time, without recursion, with memory in proportion to the letter. What is broken
//! is read as far as it makes sense, and left as it stands beyond. Writing is strict: what could break out of its place (a line end in a header, a path
//! in a file name) is refused by name, see [`BuildError`].
//!
//! | file | what |
//! |---|---|
//! | [`header`] | where the header ends, its fields, unfolded (RFC 5322) |
//! | [`encoded_word`], [`encode_word`] | `=?utf-8?Q?…?=` read and written (RFC 2047) |
//! | [`parameter`] | `; name=value`, with continuations and charsets, both ways (RFC 2045, 2231) |
//! | [`charset`] | bytes to text |
//! | [`transfer`] | base64, quoted-printable and uuencode, tolerant |
//! | [`extract`] | the attachments of a letter that comes in pieces, with little memory |
//! | [`address`], [`plain_address`] | address lists as they come (RFC 5322), and the few that may be sent to |
//! | [`envelope`] | the ten fields of IMAP's `ENVELOPE` |
//! | [`parse`], [`part`], [`readable`] | the part tree, one part, and what a person reads of a letter |
//! | [`html`] | the text of an HTML page |
//! | [`build`], [`new_part`] | outgoing letters |
//! | [`filename`] | a name from a letter made safe for a directory |

pub mod address;
mod address_tokens;
pub mod build;
pub mod charset;
mod decoding;
pub mod encode_word;
pub mod encoded_word;
pub mod envelope;
pub mod extract;
pub mod filename;
pub mod header;
pub mod html;
pub mod new_part;
pub mod parameter;
pub mod parse;
pub mod part;
pub mod plain_address;
pub mod readable;
pub mod transfer;
mod unpack;
mod uu_lines;

pub use address::{Entry, EnvelopeAddress, envelope_addresses, parse_mailbox_list};
pub use build::{BuildError, Outgoing};
pub use encode_word::{encode_phrase, encode_text};
pub use encoded_word::{decode_bytes, decode_text};
pub use envelope::Envelope;
pub use extract::{Extractor, Files};
pub use filename::{numbered, safe_name};
pub use header::{Field, fields, split};
pub use new_part::{Disposition, NewPart, Subparts, TransferEncoding};
pub use parameter::encode_parameter;
pub use parse::Letter;
pub use part::Part;
pub use plain_address::{is_plain_address, parse_email_address};
pub use readable::Attachment;
