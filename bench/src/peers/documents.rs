//! Libraries for shared documents that keep a map in memory: what they import, and that they have it.

use super::{automerge, crdts, loro, yrs};
use crate::ours::local;
use crate::workload::Figure;
use std::collections::BTreeMap;

/// What a document imports.
pub struct Entries {
    /// Keys and texts, in the order in which they were written.
    pub list: Vec<(String, String)>,
    /// How many of them one message brings.
    pub together: usize,
}

/// Makes messages of all entries with one document, not measured, then has another document import them, message by
/// message, from the bytes. Returns entries per second. Looks that the other document has the last text of each key.
type Import = fn(&Entries) -> anyhow::Result<f64>;

/// Names, and by what the number of entries is divided.
const IMPORTS: [(&str, u64, Import); 4] = [
    ("yrs", 1, yrs::import),
    // Its time grows with the square of the number: all of them take five minutes.
    ("automerge", 20, automerge::import),
    ("loro", 1, loro::import),
    ("crdts", 1, crdts::import),
];

/// What each library imports per second of the first `count` entries, so many in a message.
pub fn imports(count: u64, together: usize) -> anyhow::Result<Vec<Figure>> {
    let figure = |(name, divisor, import): &(&str, u64, Import)| {
        let count = (count / divisor).max(1);
        let entries = Entries { list: (0..count).map(local::entry).collect(), together };
        Ok(Figure::new(name, import(&entries)?))
    };
    IMPORTS.iter().map(figure).collect()
}

impl Entries {
    /// Looks that whoever imported them has the last text of each key.
    pub fn check(&self, text: impl Fn(&str) -> anyhow::Result<Option<String>>) -> anyhow::Result<()> {
        let last: BTreeMap<&str, &str> = self.list.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        for (key, wanted) in last {
            anyhow::ensure!(text(key)?.as_deref() == Some(wanted), "{key} has another text after the import");
        }
        Ok(())
    }
}
