//! Runs every fuzzing check on inputs the fuzzer has found before. The checks and inputs live in
//! `fuzz`. The published package leaves out that folder, so these tests are a separate program that
//! it leaves out too.

#[path = "../../fuzz/src/lib.rs"]
mod checks;

mod corpora;
mod extract;
