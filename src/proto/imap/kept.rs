//! Literals that are too large for memory.
//!
//! The session hands such a literal on in pieces, as one that goes straight to a file. But its
//! response may be read later, or by somebody who wants the bytes. So whoever takes the pieces
//! attaches a handle to the response ([`super::Session::keep_literal`]), through which the bytes can
//! be read again. The handle stays with the response when that is copied, repaired or kept for
//! later; the bytes are dropped with the last handle.

use std::fmt::Debug;
use std::io::{self, Read};
use std::sync::Arc;

/// The bytes of a literal, in the place where the receiver of its pieces has put them.
pub trait Store: Debug + Send + Sync {
    /// Returns how many bytes there are.
    fn size(&self) -> u64;

    /// Returns a reader that begins at the first byte.
    ///
    /// # Errors
    /// The error that kept the bytes from being stored.
    fn reader(&self) -> io::Result<Box<dyn Read + '_>>;
}

/// A handle to the bytes of a literal that are not in its response.
#[derive(Debug, Clone)]
pub struct Kept(Arc<dyn Store>);

impl Kept {
    /// Makes a handle.
    pub fn new(store: impl Store + 'static) -> Self {
        Kept(Arc::new(store))
    }
}

impl std::ops::Deref for Kept {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// Two handles are equal if they lead to the same bytes.
impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Kept {}
