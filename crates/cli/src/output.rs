//! The terminal: the only place that writes to it. Standard output carries answers, standard error all else.

use std::io::{self, Write};

/// Writes text and a line's end to standard output.
///
/// # Errors
/// If nobody reads it any more. (`println!` would panic.)
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", printable(text))?;
    out.flush()
}

/// Writes text and a line's end to standard error, as well as that works.
pub(crate) fn note(text: &str) {
    // Nobody can be told that telling failed.
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}

/// Writes a JSON value to standard output, for programs and for people.
///
/// # Errors
/// If nobody reads it any more.
pub(crate) fn json(value: &serde_json::Value) -> io::Result<()> {
    line(&format!("{value:#}"))
}

/// Writes rows under their titles to standard output.
///
/// # Errors
/// If nobody reads it any more.
pub(crate) fn table(titles: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(titles.iter().map(|title| title.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell).replace('\n', "\\n")));
    }
    // Columns are set apart by spaces alone; the first begins at the margin, and no line ends in spaces.
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    line(&lines.join("\n"))
}

/// What a node sends must not steer the terminal: control characters are shown, not obeyed.
fn printable(text: &str) -> String {
    let steers =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if steers(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn the_terminal_is_not_steered() {
        assert_eq!(printable("two\nlines ä"), "two\nlines ä");
        assert_eq!(printable("a\u{1b}[2Jb\r\u{202e}"), "a\\u{1b}[2Jb\\r\\u{202e}");
    }
}
