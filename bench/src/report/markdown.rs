//! Results as Markdown.

use super::results::{Results, Summary};
use crate::workload::{Goal, Workload};
use std::fmt::Write as _;

const HEAD: &str = "# Benchmarks

Written by `bench/` (its README says how to run it); do not edit. Every figure is the median over the runs of one workload, with the
least and the most beside it; ratios are taken within each run, and their median is judged. Subjects of one run take turns on
the same machine. Figures of different workloads or days are not to be compared.

";

/// The whole page.
pub fn page(measured: &[(Workload, Results)]) -> String {
    let mut page = String::from(HEAD);
    page += "| workload | what is judged | target | measured | least to most | |\n|---|---|---|---|---|---|\n";
    for (workload, results) in measured {
        for goal in &workload.goals {
            let _ = writeln!(page, "| [{}](#{}) | {}", workload.title, workload.name, goal_cells(goal, results));
        }
    }
    for (workload, results) in measured {
        let _ = write!(page, "\n{}", section(workload, results));
        let _ = writeln!(page, "\n![{}]({}.svg)", workload.title, workload.name);
    }
    page
}

/// One workload: what it is, its figures, its targets.
pub fn section(workload: &Workload, results: &Results) -> String {
    let mut text = format!("## <a id=\"{}\"></a>{}\n\n{}\n\n", workload.name, workload.title, workload.what.trim());
    let _ = writeln!(
        text,
        "`cargo run --release -- {}` in `bench/`, {}, commit {}, {}\n",
        results.arguments, results.date, results.commit, results.machine
    );
    text += "| subject | median | least | most | |\n|---|---|---|---|---|\n";
    for (subject, unit) in results.subjects() {
        if let Some(summary) = results.of_subject(subject) {
            let Summary { median, least, most } = summary;
            let (median, least, most) = (number(median), number(least), number(most));
            let _ = writeln!(text, "| {subject} | {median} | {least} | {most} | {} |", unit.unwrap_or(workload.unit));
        }
    }
    if !workload.goals.is_empty() {
        text += "\n| what is judged | target | measured | least to most | |\n|---|---|---|---|---|\n";
    }
    for goal in &workload.goals {
        let _ = writeln!(text, "| {}", goal_cells(goal, results));
    }
    text
}

fn goal_cells(goal: &Goal, results: &Results) -> String {
    let target = goal.target.map_or_else(String::new, |target| target.to_string());
    let stretch = goal.stretch.map_or_else(String::new, |stretch| format!(" (stretch {stretch})"));
    let target = format!("{} | {}", goal.of, format!("{target}{stretch}").trim());
    let Some(Summary { median, least, most }) = results.of_goal(&goal.of) else {
        return format!("{target} | | | not measured |");
    };
    let verdict = match goal.stretch {
        Some(stretch) if stretch.holds(median) => "met, stretch too",
        _ => match goal.target {
            None => "stretch missed",
            Some(target) if target.holds(median) => "met",
            Some(_) => "**missed**",
        },
    };
    format!("{target} | {} | {} to {} | {verdict} |", number(median), number(least), number(most))
}

/// Three digits that count, thousands set apart.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let digits = format!("{value:.0}");
            let (sign, digits) = digits.split_at(usize::from(value < 0.0));
            let groups: Vec<&str> =
                digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
            format!("{sign}{}", groups.join(","))
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_readable() {
        let all = [1_234_567.4, 999.6, 42.42, 0.853, 0.0, 0.0123].map(number);
        assert_eq!(all, ["1,234,567", "1000", "42.4", "0.85", "0.00", "0.0123"]);
    }
}
