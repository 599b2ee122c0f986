//! The prompt: what it prints, how it is typed at, and how its sessions are replayed as tests.

pub mod editor;
pub mod matching;
pub mod replay;
pub mod session;
pub mod transcript;

pub use replay::{Environment, Outcome, replay};
pub use session::{Reply, Session};
pub use transcript::Transcript;
