//! The language as text: data, reader, printer, and the expander that turns the manual's surface into a small Scheme core.
//!
//! Nothing here knows the interpreter: the expander emits text and a map from that text back to the script.

pub mod cursor;
pub(crate) mod datum;
pub mod expander;
mod lexer;
pub(crate) mod node;
pub mod printer;
pub mod reader;

pub use datum::Datum;
pub use node::{Kind, Node, Span, Symbol};
pub use reader::{Completeness, ReadError, ReadErrorKind, completeness, read, read_data};
