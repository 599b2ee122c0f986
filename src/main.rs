//! The `postoffice` command: parses the arguments, carries out the command, and turns the outcome
//! into an exit code.

use postoffice::command::output::complain;
use postoffice::command::{arguments::Arguments, carry_out};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let code = carry_out(Arguments::read()).unwrap_or_else(|message| {
        complain(&format!("postoffice: {message}"));
        1
    });
    std::process::exit(code);
}
