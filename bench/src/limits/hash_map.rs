//! A hash map: what a look-up in memory costs.

use std::collections::HashMap;

/// One with those entries.
pub fn filled(entries: &[(String, String)]) -> HashMap<String, String> {
    entries.iter().cloned().collect()
}
