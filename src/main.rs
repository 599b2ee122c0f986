//! The command: reads arguments, hands them on, and turns the outcome into an exit code.

use clap::Parser;
use postoffice::command::{arguments::Arguments, carry_out};

fn main() {
    let code = carry_out(Arguments::parse()).unwrap_or_else(|message| {
        eprintln!("postoffice: {message}");
        1
    });
    std::process::exit(code);
}
