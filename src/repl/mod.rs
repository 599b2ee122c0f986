//! The prompt: what it prints, how it is typed at, and how its sessions are replayed as tests. Transcripts are read without the host, too.

#[cfg(feature = "host")]
pub(crate) mod advice;
#[cfg(feature = "cli")]
pub(crate) mod assistant;
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
