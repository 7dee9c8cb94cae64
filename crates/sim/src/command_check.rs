//! `anabranch-sim check`: histories of clients, from files.

use anabranch_sim::histories::{CHECKERS, History, Scope, Violation};
use std::io::{self, Write};

pub(crate) const USAGE: &str = "usage: anabranch-sim check [--as-if-eventual] FILE…
  FILE…               the parts of one history, as lines of JSON
  --as-if-eventual    judges sessions that asked for no guarantee as if they had asked for all";

/// Checks; the exit code: 0 for nothing wrong, 1 for violations.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<u8, String> {
    let (mut as_if, mut files) = (false, Vec::new());
    for word in words {
        match word.as_str() {
            "--as-if-eventual" => as_if = true,
            option if option.starts_with("--") => return Err(format!("{option} is not known\n{USAGE}")),
            _ => files.push(word),
        }
    }
    if files.is_empty() {
        return Err(USAGE.to_owned());
    }
    let history = History::load(&files).map_err(|error| error.to_string())?;
    let scope = if as_if { Scope::as_if(history.eventual_sessions()) } else { Scope::promised() };
    show(&history, &scope).map_err(|error| error.to_string())
}

fn show(history: &History, scope: &Scope) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    let mut any = false;
    for (rule, checker) in CHECKERS {
        let found: Vec<Violation> = checker(history, scope);
        any |= !found.is_empty();
        for violation in &found {
            writeln!(out, "{violation}")?;
        }
        writeln!(io::stderr(), "{:>12}  {rule}", found.len())?;
    }
    writeln!(io::stderr(), "{:>12}  events", history.events().len())?;
    Ok(u8::from(any))
}
