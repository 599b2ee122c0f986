//! The language as text: data, reader, printer, and the expander that turns the manual's language
//! into a small Scheme core.
//!
//! | module | task |
//! |---|---|
//! | `lexer`, [`reader`] | text → tokens → forms with their places ([`Node`]), or a [`ReadError`] |
//! | [`expander`] | forms → source for the interpreter, with a map back to the script |
//! | `datum`, [`printer`] | values ([`Datum`]) → text |
//! | [`cursor`] | the context of a position in unfinished text, for the prompt |
//!
//! This module does not depend on the interpreter: the expander emits text, and the host compiles
//! it.

pub mod cursor;
pub(crate) mod datum;
pub mod expander;
mod features;
mod lexer;
pub(crate) mod node;
pub mod printer;
pub mod reader;

pub use datum::Datum;
pub use node::{Kind, Node, Span, Symbol};
pub use reader::{Completeness, ReadError, ReadErrorKind, completeness, read, read_data};
