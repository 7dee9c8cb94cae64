//! Reading histories back.

use super::event::Event;
use super::history::{History, Inconsistent};
use super::log::{FORMAT, Header, VERSION};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A line is not what it should be.
    #[error("{file}:{line}: {what}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The operations contradict each other.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistent),
}

impl History {
    /// Reads one history from files that each hold a part of it.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, LoadError> {
        let mut parts = Parts::default();
        for path in paths {
            let name = path.as_ref().display().to_string();
            let file = File::open(path).map_err(|error| LoadError::Io { file: name.clone(), error })?;
            parts.read(&name, BufReader::new(file))?;
        }
        parts.whole()
    }

    /// Reads a history that is all in one place, called `name` in errors.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn read(name: &str, reader: impl BufRead) -> Result<Self, LoadError> {
        let mut parts = Parts::default();
        parts.read(name, reader)?;
        parts.whole()
    }
}

#[derive(Default)]
struct Parts {
    cluster: Option<String>,
    events: Vec<Event>,
}

impl Parts {
    fn read(&mut self, file: &str, reader: impl BufRead) -> Result<(), LoadError> {
        let wrong = |line, what| LoadError::Line { file: file.to_owned(), line, what };
        let mut lines = reader.lines().zip(1..);
        let mut next = || match lines.next() {
            Some((Ok(text), number)) => Ok(Some((text, number))),
            Some((Err(error), _)) => Err(LoadError::Io { file: file.to_owned(), error }),
            None => Ok(None),
        };
        let Some((header, _)) = next()? else { return Err(wrong(1, "there is no header".to_owned())) };
        self.cluster = header_of(&header, self.cluster.take()).map_err(|what| wrong(1, what))?;
        while let Some((text, number)) = next()? {
            let event = serde_json::from_str(&text).map_err(|error| wrong(number, error.to_string()))?;
            self.events.push(event);
        }
        Ok(())
    }

    fn whole(self) -> Result<History, LoadError> {
        Ok(History::new(self.cluster.as_deref(), self.events)?)
    }
}

/// The cluster that a header names, which is that of the parts before it.
fn header_of(text: &str, before: Option<String>) -> Result<Option<String>, String> {
    let header: Header = serde_json::from_str(text).map_err(|error| format!("this is no header: {error}"))?;
    if header.format != FORMAT {
        return Err(format!("{:?} is not {FORMAT:?}", header.format));
    }
    if header.version != VERSION {
        return Err(format!("version {} is not known here, only {VERSION}", header.version));
    }
    match (before, header.cluster) {
        (Some(one), Some(other)) if one != other => Err(format!("a history of cluster {other}, after one of {one}")),
        (before, own) => Ok(before.or(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::example::{eventual, read, write};
    use crate::histories::log::Log;

    fn written(events: &[Event]) -> String {
        let log = Log::new(Vec::new(), Some("shop")).expect("a log");
        events.iter().for_each(|event| log.append(event).expect("memory"));
        String::from_utf8(log.finish().expect("memory")).expect("UTF-8")
    }

    fn error(text: &str) -> String {
        History::read("h", text.as_bytes()).expect_err("an error").to_string()
    }

    #[test]
    fn what_was_logged_comes_back() {
        let mut first = write(1, "s", 10..20, 7, &["a", "b"]);
        (first.token_in, first.token_out) = (Some(String::new()), Some("t".to_owned()));
        let events = [first, eventual(read(2, "t", 30..40, &[("a", &[7]), ("c", &[])]))];
        let text = written(&events);
        let golden = concat!(
            r#"{"format":"anabranch-history","version":1,"cluster":"shop"}"#,
            "\n",
            r#"{"id":1,"session":"s","node":"n","guarantees":"session","invoke_us":10,"end_us":20,"result":"ok","#,
            r#""action":{"write":{"write":7,"keys":["a","b"],"attempts":1}},"token_in":"","token_out":"t"}"#,
            "\n",
            r#"{"id":2,"session":"t","node":"n","guarantees":"eventual","invoke_us":30,"end_us":40,"result":"ok","#,
            r#""action":{"read":{"seen":{"a":[7],"c":[]}}}}"#,
            "\n",
        );
        assert_eq!(text, golden);
        let history = History::read("h", text.as_bytes()).expect("a history");
        assert_eq!(history.events(), events);
    }

    #[test]
    fn threads_may_share_a_log() {
        let log = Log::new(Vec::new(), None).expect("a log");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    for _ in 0..100 {
                        let number = log.number();
                        let event = write(number, &format!("s{thread}"), number..number + 1, number, &["a"]);
                        log.append(&event).expect("memory");
                    }
                });
            }
        });
        let text = String::from_utf8(log.finish().expect("memory")).expect("UTF-8");
        assert_eq!(History::read("h", text.as_bytes()).expect("a history").events().len(), 400);
    }

    #[test]
    fn malformed_lines_are_named() {
        assert_eq!(error(""), "h:1: there is no header");
        assert!(error("{}\n").starts_with("h:1: this is no header: missing field"));
        assert_eq!(error(r#"{"format":"x","version":1}"#), r#"h:1: "x" is not "anabranch-history""#);
        let header = r#"{"format":"anabranch-history","version":1}"#;
        assert_eq!(error(&header.replace(":1}", ":2}")), "h:1: version 2 is not known here, only 1");
        let line = serde_json::to_string(&write(1, "s", 10..20, 7, &["a"])).expect("JSON");
        let after = |line: &str| error(&format!("{header}\n{line}"));
        assert!(after(&line[..40]).starts_with("h:2: EOF"), "the last line was cut off");
        assert!(after("\n").starts_with("h:2: EOF"), "an empty line");
        assert!(after(&line.replace("\"id\"", "\"ID\"")).starts_with("h:2: unknown field `ID`"));
        assert!(after(&line.replace("\"session\",\"inv", "\"causal\",\"inv")).contains("says no guarantees"));
        assert!(after(&format!("{line}\n{line}")).contains("event 1 is there twice"));
    }

    #[test]
    fn parts_are_of_one_cluster() {
        let parts = |one: &str, other: &str| {
            let mut parts = Parts::default();
            let mut add = |name: &str| {
                let log = Log::new(Vec::new(), Some(name)).expect("a log");
                parts.read("h", log.finish().expect("memory").as_slice())
            };
            add(one).and_then(|()| add(other))
        };
        assert!(parts("shop", "shop").is_ok());
        assert_eq!(
            parts("shop", "bank").expect_err("two").to_string(),
            "h:1: a history of cluster bank, after one of shop"
        );
    }
}
