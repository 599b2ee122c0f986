//! Everything the fuzzer checks, on the inputs it found before. The checks and the inputs are in
//! `fuzz`. The published package leaves that folder out, so these tests are a program of their own,
//! which it leaves out too.

#[path = "../../fuzz/src/lib.rs"]
mod checks;

mod corpora;
mod extract;
