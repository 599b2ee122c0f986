//! The prompt, and the replay of its sessions as tests.
//!
//! | module | task |
//! |---|---|
//! | `session` | the prompt without a terminal: an input goes in, the printed reply comes out |
//! | `commands`, `forms` | inputs: the prompt's own commands, and several forms in one input |
//! | `display`, `layout`, `advice` | replies: values cut to the screen, errors with suggestions |
//! | `editor` | the prompt in a terminal, over rustyline |
//! | `completion`, `signature`, `indent`, `highlight` | help while typing; they know no terminal |
//! | `assistant` | the data that completion and indentation look up |
//! | `history` | the file of past inputs, without secrets |
//! | [`transcript`], [`matching`], `replay` | transcripts: parse, write, compare, replay |
//!
//! Parsing and comparing transcripts needs no host, so these two modules are always compiled.

#[cfg(feature = "host")]
pub(crate) mod advice;
#[cfg(feature = "cli")]
pub(crate) mod assistant;
#[cfg(feature = "cli")]
mod breaks;
#[cfg(feature = "host")]
pub(crate) mod commands;
#[cfg(feature = "cli")]
pub(crate) mod completion;
#[cfg(feature = "host")]
pub(crate) mod display;
#[cfg(feature = "cli")]
pub(crate) mod editor;
#[cfg(feature = "host")]
pub(crate) mod forms;
#[cfg(feature = "cli")]
pub(crate) mod highlight;
#[cfg(feature = "cli")]
pub(crate) mod history;
#[cfg(feature = "cli")]
pub(crate) mod indent;
#[cfg(feature = "host")]
pub(crate) mod layout;
pub mod matching;
#[cfg(feature = "host")]
pub(crate) mod replay;
#[cfg(feature = "host")]
pub(crate) mod session;
#[cfg(feature = "cli")]
pub(crate) mod signature;
pub mod transcript;

#[cfg(feature = "host")]
pub use display::Terminal;
#[cfg(feature = "host")]
pub use forms::evaluate_forms;
#[cfg(feature = "host")]
pub use replay::{Environment, Limits, Outcome, Stop, replay};
#[cfg(feature = "host")]
pub use session::{Answer, Reply, Session};
pub use transcript::Transcript;
