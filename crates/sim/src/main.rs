//! Runs seeds until one fails. `anabranch-sim --seeds 0..1000`, or `--seed 17 --trace` for one with all that happened.
//! `anabranch-sim check FILE…` checks histories of clients.

mod arguments;
mod batch;
mod command_check;
mod command_run;

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let outcome = match words.next_if(|word| word == "check") {
        Some(_) => command_check::run(words),
        None => command_run::run(words),
    };
    let code = match outcome {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            2
        }
    };
    ExitCode::from(code)
}
