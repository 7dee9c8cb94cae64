//! Recorded edits of a document: what was typed, where, and by whom having seen what.

use anyhow::Context as _;
use serde::Deserialize;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The most bytes of JSON that are read.
const MOST_BYTES: u64 = 256 << 20;
const WORDS: [&str; 8] = ["river ", "arm ", "that ", "leaves ", "the ", "main ", "stream ", "näher "];

/// A trace, in the format of github.com/josephg/editing-traces.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// What must come out.
    pub end_content: String,
    pub txns: Vec<Txn>,
}

/// What one person did at once.
#[derive(Debug, Deserialize)]
pub struct Txn {
    /// The transactions, by number, after which it was done; of traces of one person, nothing.
    #[serde(default)]
    pub parents: Vec<usize>,
    #[serde(default)]
    pub agent: usize,
    pub patches: Vec<Patch>,
}

/// At which character, how many went, and what came.
#[derive(Clone, Debug, Deserialize)]
pub struct Patch(pub u64, pub u64, pub String);

impl Trace {
    /// Reads a trace; a file whose name ends in `.gz` through `gzip`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut json = Vec::new();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut gzip = Command::new("gzip").arg("-dc").arg(path).stdout(Stdio::piped()).spawn()?;
            let output = gzip.stdout.take().context("gzip has no output")?;
            let read = output.take(MOST_BYTES).read_to_end(&mut json);
            anyhow::ensure!(gzip.wait()?.success() && read.is_ok(), "gzip cannot read {}", path.display());
        } else {
            let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            file.take(MOST_BYTES).read_to_end(&mut json)?;
        }
        serde_json::from_slice(&json).with_context(|| format!("{} is no trace of edits", path.display()))
    }

    /// A trace of our own making: one person, who writes, goes back, corrects.
    pub fn sample(edits: usize) -> Self {
        let (mut text, mut txns) = (Vec::<char>::new(), Vec::new());
        let mut at = 0;
        for n in 0..edits {
            let patch = match n % 17 {
                16 if text.len() > 20 => {
                    at = n * 31 % (text.len() - 10);
                    Patch(at as u64, 3, String::new())
                }
                step => {
                    let character = WORDS[n / 17 % WORDS.len()].chars().cycle().nth(step).unwrap_or(' ');
                    Patch(at as u64, 0, character.to_string())
                }
            };
            text.splice(at..at + patch.1 as usize, patch.2.chars());
            at += patch.2.chars().count();
            txns.push(Txn { parents: Vec::new(), agent: 0, patches: vec![patch] });
        }
        Self { end_content: text.into_iter().collect(), txns }
    }

    /// All patches in order.
    pub fn patches(&self) -> impl Iterator<Item = &Patch> {
        self.txns.iter().flat_map(|txn| &txn.patches)
    }

    /// Whether people edited at the same time.
    pub fn is_concurrent(&self) -> bool {
        self.txns.iter().any(|txn| txn.agent > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_both_forms_are_read() {
        let one: Trace = serde_json::from_str(
            r#"{"startContent":"","endContent":"b","txns":[{"time":"x","patches":[[0,0,"a"],[0,1,"b"]]}]}"#,
        )
        .expect("a trace");
        assert_eq!((one.patches().count(), one.is_concurrent()), (2, false));
        let two = r#"{"kind":"concurrent","endContent":"ab","numAgents":2,"txns":[{"parents":[],"agent":0,"numChildren":1,"patches":[[0,0,"a"]]},{"parents":[0],"agent":1,"patches":[[1,0,"b"]]}]}"#;
        let two: Trace = serde_json::from_str(two).expect("a trace");
        assert!(two.is_concurrent() && two.txns[1].parents == [0]);
        assert!(Trace::sample(400).end_content.contains('ä'));
    }
}
