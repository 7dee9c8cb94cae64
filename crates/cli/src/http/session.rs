//! The causal token between requests: given on the command line, or kept in a file.

use crate::args::Connection;
use crate::failure::Failure;
use crate::output;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A token file has one token; one that is longer than any token is something else.
const LONGEST: u64 = 64 << 10;

/// What this command's requests carry, and where the answers' tokens go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    tokens: Vec<String>,
    file: Option<PathBuf>,
    show: bool,
}

impl Session {
    pub(crate) fn of(args: &Connection) -> Result<Self, Failure> {
        let mut tokens: Vec<String> = args.token.iter().filter(|token| !token.is_empty()).cloned().collect();
        if let Some(file) = &args.token_file {
            tokens.extend(load(file)?);
        }
        Ok(Self { tokens, file: args.token_file.clone(), show: args.show_token || !args.token.is_empty() })
    }

    /// The value of the request's token header, if there is one.
    pub(crate) fn header(&self) -> Option<String> {
        (!self.tokens.is_empty()).then(|| self.tokens.join(","))
    }

    /// Takes the token of an answer, which covers those that were sent.
    pub(crate) fn learn(&mut self, token: String) -> Result<(), Failure> {
        if self.show {
            output::note(&format!("token: {token}"));
        }
        if let Some(file) = &self.file {
            save(file, &token).map_err(|error| {
                Failure::failed(format!("cannot keep the token in {}: {error}", file.display()))
                    .state("the request was carried out; the file has the token of an earlier one, or none")
                    .next(format!("continue the session with --token {token}"))
            })?;
        }
        self.tokens = vec![token];
        Ok(())
    }
}

fn load(file: &Path) -> Result<Option<String>, Failure> {
    let failed = |why: String| {
        Failure::failed(format!("cannot read the token file {}: {why}", file.display()))
            .state("nothing was sent")
            .next("name another --token-file; a missing one begins a new session")
    };
    match std::fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
        Ok(found) if found.len() > LONGEST => return Err(failed("it is too long to be one".to_owned())),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let token = text.trim();
    if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err(failed("it holds something else".to_owned()));
    }
    Ok((!token.is_empty()).then(|| token.to_owned()))
}

/// Replaces the file as a whole, so that a session never reads half a token. Commands that use one file at the same
/// time are one session only in part: the token of whoever is last stays.
fn save(file: &Path, token: &str) -> io::Result<()> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    writeln!(new, "{token}")?;
    new.persist(file).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::{load, save};

    #[test]
    fn a_token_file_is_a_session() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("session");
        assert_eq!(load(&file).map_err(|e| e.to_string())?, None, "a missing file is a new session");
        save(&file, "AQ-_z")?;
        save(&file, "AQ-_y")?;
        assert_eq!(load(&file).map_err(|e| e.to_string())?.as_deref(), Some("AQ-_y"));
        std::fs::write(&file, "no token\r\nX: y")?;
        assert!(load(&file).is_err(), "anything else is not sent as a header");
        Ok(())
    }
}
