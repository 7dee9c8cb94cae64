//! Errors as people see them: what happened, what state survives, what to do next.

use crate::output;
use std::fmt;
use std::process::ExitCode;

/// What a command's end means for the script that ran it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did not work.
    Failed = 1,
    /// It was asked for wrongly: arguments, configuration.
    Usage = 2,
    /// Not now: the same may work later.
    NotReady = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with all that a person needs. Other errors are shown by their text and end with [`Exit::Failed`].
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    exit: Exit,
    /// Labelled lines below, such as a problem's code.
    lines: Vec<(&'static str, String)>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { what: what.into(), exit, lines: Vec::new() }
    }

    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Adds a labelled line.
    pub(crate) fn line(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.lines.push((label, text.into()));
        self
    }

    /// What happened, in one line.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What state survives.
    pub(crate) fn state(self, text: impl Into<String>) -> Self {
        self.line("state", text)
    }

    /// What to do next.
    pub(crate) fn next(self, text: impl Into<String>) -> Self {
        self.line("next", text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.lines.iter().try_for_each(|(label, text)| write!(f, "\n  {:<8}{text}", format!("{label}:")))
    }
}

impl std::error::Error for Failure {}

/// Shows an error on standard error and gives the exit code for it.
pub(crate) fn show(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        // Whoever read our output, such as `head`, has enough of it.
        return ExitCode::SUCCESS;
    }
    output::note(&format!("error: {error:#}"));
    error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit).into()
}

#[cfg(test)]
mod tests {
    use super::{Exit, Failure};

    #[test]
    fn a_failure_says_what_survives_and_what_to_do() {
        let failure = Failure::new(Exit::NotReady, "the node is behind").state("nothing changed").next("try again");
        assert_eq!(failure.to_string(), "the node is behind\n  state:  nothing changed\n  next:   try again");
    }
}
