//! Parses and builds letters: headers, addresses, MIME parts. The module is pure: it turns bytes
//! into values and uses no sockets, clock, files or other modules of this project.
//!
//! Reading never fails. Any input gives a result, in linear time, without recursion, with memory in
//! proportion to the letter. Malformed input is interpreted as far as it makes sense and otherwise
//! kept as it is. Writing is strict: values that could break out of their place (a line end in a
//! header, a path in a file name) are refused with the name of the offending value, see
//! [`BuildError`].
//!
//! | file | contents |
//! |---|---|
//! | `header` | splits header and body; unfolded fields (RFC 5322) |
//! | `encoded_word`, `encode_word` | decode and write `=?utf-8?Q?…?=` (RFC 2047) |
//! | [`parameter`] | `; name=value`, with continuations and charsets, both ways (RFC 2045, 2231) |
//! | `charset` | bytes to text and back |
//! | [`transfer`] | base64, quoted-printable and uuencode; the decoders never fail |
//! | `extract` | attachments of a letter that arrives in pieces, in bounded memory |
//! | `address`, `plain_address` | address lists (RFC 5322), and the plain addresses accepted for sending |
//! | `date` | dates in any form |
//! | `envelope` | the ten fields of IMAP's `ENVELOPE` |
//! | [`parse`], `part`, `readable` | the tree of parts, one part, and the text and attachments of a letter |
//! | [`html`] | the text of an HTML page |
//! | `build`, `new_part` | outgoing letters |
//! | `filename` | safe file names |
//! | [`order`] | the order of letters, and threads (RFC 5256) |

pub(crate) mod address;
mod address_tokens;
pub(crate) mod build;
pub(crate) mod charset;
pub(crate) mod date;
mod decoding;
pub(crate) mod encode_word;
pub(crate) mod encoded_word;
pub(crate) mod envelope;
pub(crate) mod extract;
pub(crate) mod filename;
pub(crate) mod header;
pub mod html;
pub(crate) mod new_part;
pub mod order;
pub mod parameter;
pub mod parse;
pub(crate) mod part;
pub(crate) mod plain_address;
pub(crate) mod readable;
pub mod transfer;
mod unpack;
mod uu_lines;

pub use address::{Entry, EnvelopeAddress, envelope_addresses, parse_mailbox_list};
pub use build::{BuildError, Outgoing};
pub use date::{WrittenDate, parse_zone};
pub use encode_word::{encode_phrase, encode_text};
pub use encoded_word::{decode_bytes, decode_text};
pub use envelope::{Envelope, EnvelopeAddresses};
pub use extract::{Extractor, Files};
pub use filename::{numbered, safe_name};
pub use header::{Field, Fields, fields, split};
pub use new_part::{Disposition, NewPart, Subparts, TransferEncoding};
pub use parameter::encode_parameter;
pub use parse::Letter;
pub use part::Part;
pub use plain_address::{is_plain_address, parse_email_address};
pub use readable::Attachment;
