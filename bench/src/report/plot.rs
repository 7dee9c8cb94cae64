//! A plot for each workload: a bar per subject, with a line from the least to the most over the runs.

use super::markdown::number;
use super::results::{Results, Summary};
use crate::workload::Workload;
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const LABELS: f64 = 300.0;
const NUMBERS: f64 = 110.0;
const ROW: f64 = 26.0;
const TOP: f64 = 40.0;
const OURS: &str = "#2b6cb0";
const OTHERS: &str = "#a0aec0";

/// The plot as SVG. Figures with units of their own are left to the table.
pub fn bars(workload: &Workload, results: &Results) -> String {
    let rows: Vec<(&str, Summary)> = results
        .subjects()
        .into_iter()
        .filter(|(_, unit)| unit.is_none())
        .filter_map(|(subject, _)| Some((subject, results.of_subject(subject)?)))
        .collect();
    let longest = rows.iter().map(|(_, summary)| summary.most).fold(f64::MIN_POSITIVE, f64::max);
    let height = TOP + ROW * rows.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"10\" y=\"22\" font-weight=\"bold\">{} ({})</text>\n",
        escape(workload.title),
        escape(workload.unit)
    );
    for (at, (subject, summary)) in rows.iter().enumerate() {
        row(&mut svg, TOP + ROW * at as f64, subject, summary, longest);
    }
    svg + "</svg>\n"
}

fn row(svg: &mut String, y: f64, subject: &str, summary: &Summary, longest: f64) {
    let x = |value: f64| LABELS + (WIDTH - LABELS - NUMBERS) * value / longest;
    let (width, middle) = (x(summary.median) - LABELS, y + ROW / 2.0);
    let colour = if subject.starts_with("Anabranch") { OURS } else { OTHERS };
    let _ = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        LABELS - 8.0,
        middle + 4.0,
        escape(subject)
    );
    let _ = writeln!(
        svg,
        "<rect x=\"{LABELS}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
        y + 4.0,
        ROW - 8.0
    );
    let (from, to) = (x(summary.least), x(summary.most));
    let _ =
        writeln!(svg, "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"black\"/>");
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", to + 6.0, middle + 4.0, number(summary.median));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
