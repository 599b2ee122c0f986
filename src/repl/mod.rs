//! The prompt: what it prints, how it is typed at, and how its sessions are replayed as tests. Transcripts are read without the host, too.

#[cfg(feature = "host")]
pub mod advice;
#[cfg(feature = "cli")]
pub mod assistant;
#[cfg(feature = "host")]
pub mod commands;
#[cfg(feature = "cli")]
pub mod completion;
#[cfg(feature = "host")]
pub mod display;
#[cfg(feature = "cli")]
pub mod editor;
#[cfg(feature = "host")]
pub mod forms;
#[cfg(feature = "cli")]
pub mod highlight;
#[cfg(feature = "cli")]
pub mod history;
#[cfg(feature = "cli")]
pub mod indent;
#[cfg(feature = "host")]
pub mod layout;
pub mod matching;
#[cfg(feature = "host")]
pub mod replay;
#[cfg(feature = "host")]
pub mod session;
#[cfg(feature = "cli")]
pub mod signature;
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
