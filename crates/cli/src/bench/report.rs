//! What was measured, as a table or JSON.

use crate::output;

/// One measurement: ours and the raw part's, per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) ours: f64,
    pub(crate) raw: f64,
    /// What the raw part is.
    pub(crate) beside: &'static str,
    /// What is counted.
    pub(crate) unit: &'static str,
    /// Ours, the slowest single one, in milliseconds, where it was looked at.
    pub(crate) worst_ms: Option<f64>,
}

#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(&'static str, Vec<Row>)>,
}

/// The medians over all runs of one workload.
struct Summary {
    ours: f64,
    raw: f64,
    ratio: f64,
    worst_ms: Option<f64>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn add(&mut self, name: &'static str, row: Row) {
        match self.rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => self.rows.push((name, vec![row])),
        }
    }

    pub(crate) fn print(&self, json: bool) -> std::io::Result<()> {
        if json {
            let rows: Vec<serde_json::Value> = self.rows.iter().map(|(name, rows)| as_json(name, rows)).collect();
            return output::line(&serde_json::json!({"machine": machine(), "rows": rows}).to_string());
        }
        let rows = self.rows.iter().map(|(name, rows)| as_cells(name, rows)).collect();
        output::table(&["workload", "per second", "raw part", "ratio", "worst", "beside"], rows)?;
        output::line(&format!("{}; medians; ratios pair by pair; a write counts once it is on disk", machine()))
    }
}

fn as_json(name: &str, rows: &[Row]) -> serde_json::Value {
    let summary = summarise(rows);
    serde_json::json!({
        "workload": name,
        "unit": rows[0].unit,
        "per_second": summary.ours.round(),
        "raw_per_second": summary.raw.round(),
        "beside": rows[0].beside,
        "ratio": summary.ratio,
        "worst_ms": summary.worst_ms,
        "runs": rows.len(),
    })
}

fn as_cells(name: &str, rows: &[Row]) -> Vec<String> {
    let summary = summarise(rows);
    vec![
        name.to_owned(),
        format!("{:.0} {}", summary.ours, rows[0].unit),
        format!("{:.0}", summary.raw),
        format!("{:.2}", summary.ratio),
        summary.worst_ms.map_or_else(String::new, |ms| format!("{ms:.1} ms")),
        rows[0].beside.to_owned(),
    ]
}

fn summarise(rows: &[Row]) -> Summary {
    Summary {
        ours: median(rows.iter().map(|row| row.ours)),
        raw: median(rows.iter().map(|row| row.raw)),
        ratio: median(rows.iter().map(|row| row.ours / row.raw)),
        worst_ms: rows.iter().filter_map(|row| row.worst_ms).max_by(f64::total_cmp),
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{} {}, {cores} cores, {}", std::env::consts::OS, std::env::consts::ARCH, env!("CARGO_PKG_VERSION"))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
