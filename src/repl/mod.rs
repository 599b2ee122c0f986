//! The prompt: what it prints, how it is typed at, and how its sessions are replayed as tests.

pub mod editor;
pub mod forms;
pub mod matching;
pub mod replay;
pub mod session;
pub mod transcript;

pub use forms::evaluate_forms;
pub use replay::{Environment, Limits, Outcome, Stop, replay};
pub use session::{Reply, Session};
pub use transcript::Transcript;
