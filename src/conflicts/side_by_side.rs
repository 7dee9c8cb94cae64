//! Texts in columns, with the lines marked in which they differ.

use super::{ConflictOption, at};
use serde_json::Value;
use std::fmt::Write as _;

/// A column narrower than this is hard to read: then they are shown a few at a time.
const LEAST_WIDTH: usize = 18;
/// Texts with more lines than this, in what they do not begin and end with alike, are not compared line by line.
const MOST_COMPARED: usize = 2_000;
/// What is between two columns.
const BETWEEN: &str = " | ";

/// One of several texts to compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// What stands above it, a line each.
    pub head: Vec<String>,
    /// Its lines.
    pub lines: Vec<String>,
}

impl Column {
    /// A value as people read it: a text as its lines, anything else as indented JSON.
    #[must_use]
    pub fn new(head: Vec<String>, value: &Value) -> Self {
        let text = match value {
            Value::String(text) => text.clone(),
            other => serde_json::to_string_pretty(other).unwrap_or_else(|_| other.to_string()),
        };
        Self { head, lines: text.lines().map(str::to_owned).collect() }
    }

    pub(super) fn of(option: &ConflictOption) -> Self {
        let unknown = || "unknown region".to_owned();
        let mut head = vec![format!("option {}", option.id)];
        head.push(match &option.by {
            Some(by) => format!("{by}, {}", option.region.clone().unwrap_or_else(unknown)),
            None => option.region.clone().unwrap_or_else(unknown),
        });
        head.push(at(option.at));
        Self::new(head, &option.value)
    }
}

/// The columns side by side in lines of at most `width` characters, each column wrapped; `*` marks lines that not all have.
/// When there are too many columns for the width, some come below the others. Control characters are written as escapes. At
/// most `most_lines` of each group of columns are shown, and then how many are not.
#[must_use]
pub fn side_by_side(columns: &[Column], width: usize, most_lines: Option<usize>) -> String {
    let mut out = String::new();
    let rows = align(columns);
    let fit = ((width + BETWEEN.len()) / (LEAST_WIDTH + BETWEEN.len())).clamp(1, columns.len().max(1));
    let indices: Vec<usize> = (0..columns.len()).collect();
    for (nth, group) in indices.chunks(fit).enumerate() {
        if nth > 0 {
            out.push('\n');
        }
        write_group(&mut out, columns, group, &rows, width, most_lines);
    }
    out
}

/// One line of each column, where it has one.
struct Aligned {
    cells: Vec<Option<usize>>,
    same: bool,
}

fn write_group(
    out: &mut String,
    columns: &[Column],
    group: &[usize],
    rows: &[Aligned],
    width: usize,
    most_lines: Option<usize>,
) {
    let cell = (width.saturating_sub(BETWEEN.len() * (group.len() - 1)) / group.len()).max(4);
    let heads = group.iter().map(|index| columns[*index].head.len()).max().unwrap_or(0);
    for line in 0..heads {
        let texts = group.iter().map(|index| ("", columns[*index].head.get(line).map_or("", String::as_str)));
        write_row(out, &texts.collect::<Vec<_>>(), cell);
    }
    let rule: Vec<String> = group.iter().map(|_| "-".repeat(cell)).collect();
    let _ = writeln!(out, "{}", rule.join("-+-"));
    let mut written = 0;
    for (nth, row) in rows.iter().enumerate() {
        if group.iter().all(|index| row.cells[*index].is_none()) {
            continue;
        }
        if most_lines.is_some_and(|most| written >= most) {
            let _ = writeln!(out, "… {} more lines", rows.len() - nth);
            break;
        }
        let text = |index: &usize| match row.cells[*index] {
            Some(line) => (if row.same { "  " } else { "* " }, columns[*index].lines[line].as_str()),
            None => ("", ""),
        };
        written += write_row(out, &group.iter().map(text).collect::<Vec<_>>(), cell);
    }
}

/// Writes cells, each with its mark, wrapped. Returns how many lines that took.
fn write_row(out: &mut String, cells: &[(&str, &str)], width: usize) -> usize {
    let wrap_cell = |(mark, text): &(&str, &str)| wrap(text, width - mark.len(), mark);
    let wrapped: Vec<Vec<String>> = cells.iter().map(wrap_cell).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let mut written = String::new();
        for (nth, cell) in wrapped.iter().enumerate() {
            let text = cell.get(line).map_or("", String::as_str);
            if nth > 0 {
                written.push_str(BETWEEN);
            }
            written.push_str(text);
            written.push_str(&" ".repeat(width.saturating_sub(measure(text))));
        }
        let _ = writeln!(out, "{}", written.trim_end());
    }
    height
}

/// A text in lines of at most `width` characters, at least one, the mark before each.
fn wrap(text: &str, width: usize, mark: &str) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), mark.to_owned(), 0);
    for char in safe(text).chars() {
        let wide = char_width(char);
        if used + wide > width {
            lines.push(std::mem::replace(&mut line, mark.to_owned()));
            used = 0;
        }
        line.push(char);
        used += wide;
    }
    lines.push(line);
    lines
}

fn measure(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// About how many cells of a terminal: letters of East Asia and emoji take two.
fn char_width(char: char) -> usize {
    match char as u32 {
        0x0300..=0x036f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
        0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// What a terminal would obey, or what turns the order of letters round, as escapes. A tab is four spaces.
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' => out.push_str("    "),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                out.extend(char.escape_unicode());
            }
            char if char.is_control() => out.extend(char.escape_default()),
            char => out.push(char),
        }
    }
    out
}

/// Lays lines that all columns have beside each other; between those, what each has.
fn align(columns: &[Column]) -> Vec<Aligned> {
    let Some((first, others)) = columns.split_first() else { return Vec::new() };
    // For each line of the first column, the equal one of each other column.
    let matches: Vec<Vec<Option<usize>>> = others.iter().map(|other| common(&first.lines, &other.lines)).collect();
    let (mut rows, mut done) = (Vec::new(), vec![0; columns.len()]);
    for line in 0..first.lines.len() {
        let others: Option<Vec<usize>> = matches.iter().map(|found| found[line]).collect();
        let Some(others) = others else { continue };
        let at: Vec<usize> = std::iter::once(line).chain(others).collect();
        differing(&mut rows, &mut done, &at);
        rows.push(Aligned { cells: at.iter().copied().map(Some).collect(), same: true });
        done.iter_mut().for_each(|done| *done += 1);
    }
    let ends: Vec<usize> = columns.iter().map(|column| column.lines.len()).collect();
    differing(&mut rows, &mut done, &ends);
    rows
}

/// What is before `until` and not laid out yet.
fn differing(rows: &mut Vec<Aligned>, done: &mut [usize], until: &[usize]) {
    while done.iter().zip(until).any(|(done, until)| done < until) {
        let cells = done.iter().zip(until).map(|(done, until)| (done < until).then_some(*done)).collect();
        rows.push(Aligned { cells, same: false });
        done.iter_mut().zip(until).for_each(|(done, until)| *done = (*done + 1).min(*until));
    }
}

/// For each line of `a`, the equal line of `b`, in order: as many as can be.
fn common(a: &[String], b: &[String]) -> Vec<Option<usize>> {
    let begin = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (rest_a, rest_b) = (&a[begin..], &b[begin..]);
    let end = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (middle_a, middle_b) = (&rest_a[..rest_a.len() - end], &rest_b[..rest_b.len() - end]);
    let mut found: Vec<Option<usize>> = (0..begin).map(Some).collect();
    found.extend(middle(middle_a, middle_b).into_iter().map(|at| at.map(|at| begin + at)));
    found.extend((0..end).map(|line| Some(b.len() - end + line)));
    found
}

/// The longest common subsequence, by the table that everybody knows.
fn middle(a: &[String], b: &[String]) -> Vec<Option<usize>> {
    let mut found = vec![None; a.len()];
    if a.is_empty() || b.is_empty() || a.len().max(b.len()) > MOST_COMPARED {
        return found;
    }
    let width = b.len() + 1;
    let mut longest = vec![0_u16; (a.len() + 1) * width];
    for (i, left) in a.iter().enumerate().rev() {
        for (j, right) in b.iter().enumerate().rev() {
            let (below, beside) = (longest[(i + 1) * width + j], longest[i * width + j + 1]);
            let both = longest[(i + 1) * width + j + 1] + 1;
            longest[i * width + j] = if left == right { both } else { below.max(beside) };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            found[i] = Some(j);
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(head: &str, text: &str) -> Column {
        Column::new(vec![head.to_owned()], &Value::from(text))
    }

    #[test]
    fn lines_that_all_have_are_beside_each_other_and_others_are_marked() {
        let columns = [column("a", "fn f() {\n    one();\n}"), column("b", "fn f() {\n    two();\n    three();\n}")];
        let shown = side_by_side(&columns, 43, None);
        let expected = "\
a                    | b
---------------------+---------------------
  fn f() {           |   fn f() {
*     one();         | *     two();
                     | *     three();
  }                  |   }
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn three_columns_are_aligned_and_too_many_come_below() {
        let columns: Vec<Column> = ["x\nsame\n1", "same\n2", "y\nsame\n3"].map(|text| column("h", text)).into();
        let shown = side_by_side(&columns, 120, None);
        assert!(shown.lines().any(|line| line.matches("  same").count() == 3), "{shown}");
        let below = side_by_side(&columns, 40, None);
        assert_eq!(below.lines().filter(|line| line.starts_with('h')).count(), 2, "{below}");
        assert!(below.lines().all(|line| measure(line) <= 40), "{below}");
    }

    #[test]
    fn wide_values_are_wrapped_and_long_ones_cut_if_asked() {
        let long = "x".repeat(500);
        let columns = [column("a", &long), column("b", "漢字漢字漢字漢字漢字漢字漢字漢字")];
        let shown = side_by_side(&columns, 50, None);
        assert!(shown.lines().all(|line| measure(line) <= 50), "{shown}");
        assert_eq!(shown.matches('x').count(), 500);
        let lines: String = (0..100).map(|n| format!("{n}\n")).collect();
        let cut = side_by_side(&[column("a", &lines), column("b", "")], 50, Some(10));
        assert!(cut.ends_with("… 90 more lines\n"), "{cut}");
    }

    #[test]
    fn nothing_in_a_value_is_obeyed_by_a_terminal() {
        let shown = side_by_side(&[column("a", "\u{1b}[2Jx\u{202e}y\u{7}"), column("b", "\r")], 60, None);
        assert!(shown.chars().all(|char| char == '\n' || !char.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
    }

    #[test]
    fn other_values_are_indented_json() {
        let column = Column::new(Vec::new(), &json!({"b": [1], "a": null}));
        assert_eq!(column.lines, ["{", "  \"a\": null,", "  \"b\": [", "    1", "  ]", "}"]);
    }

    /// Against the definition: the matches are in order, equal, and as many as the table of all pairs says.
    #[test]
    fn common_lines_are_as_many_as_can_be() {
        let text = |code: usize| -> Vec<String> { (0..5).map(|n| ((code >> n) & 1).to_string()).collect() };
        for a in 0..32 {
            for b in 0..32 {
                let (a, b) = (text(a), text(b));
                let found: Vec<(usize, usize)> =
                    common(&a, &b).into_iter().enumerate().filter_map(|(i, j)| Some((i, j?))).collect();
                assert!(found.iter().all(|(i, j)| a[*i] == b[*j]));
                assert!(found.windows(2).all(|pair| pair[0].1 < pair[1].1));
                let best = (0..32_usize).filter_map(|pick| {
                    let chosen: Vec<&String> = (0..5).filter(|n| pick >> n & 1 == 1).map(|n| &a[n]).collect();
                    let mut rest = b.iter();
                    chosen.iter().all(|line| rest.any(|other| other == *line)).then_some(chosen.len())
                });
                assert_eq!(found.len(), best.max().unwrap_or(0), "{a:?} {b:?}");
            }
        }
    }
}
