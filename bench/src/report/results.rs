//! What was measured for one workload: every figure of every run.

use crate::machine;
use crate::workload::{Figure, Of};
use anyhow::Context as _;
use std::path::Path;
use std::{fs, io};

/// All runs of one workload, and of what.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Results {
    pub workload: String,
    /// What to say on the command line to have it measured again.
    pub arguments: String,
    pub commit: String,
    pub date: String,
    pub machine: String,
    pub runs: Vec<Vec<Figure>>,
}

/// Over the runs.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Results {
    pub fn new(workload: &str, arguments: String) -> Self {
        let machine = machine::describe(Path::new("."));
        Self {
            workload: workload.to_owned(),
            arguments,
            commit: machine::commit(),
            date: machine::date(),
            machine,
            runs: Vec::new(),
        }
    }

    pub fn add(&mut self, figures: Vec<Figure>) {
        self.runs.push(figures);
    }

    pub fn save(&self, out: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(out.join("results"))?;
        let path = out.join("results").join(format!("{}.json", self.workload));
        fs::write(&path, serde_json::to_string_pretty(self)? + "\n").with_context(|| path.display().to_string())
    }

    pub fn load(out: &Path, workload: &str) -> anyhow::Result<Option<Self>> {
        let path = out.join("results").join(format!("{workload}.json"));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// The subjects, in the order of the first run that has them, with the unit if it is their own.
    pub fn subjects(&self) -> Vec<(&str, Option<&str>)> {
        let mut subjects = Vec::new();
        for figure in self.runs.iter().flatten() {
            if !subjects.iter().any(|(subject, _)| *subject == figure.subject) {
                subjects.push((figure.subject.as_str(), figure.unit.as_deref()));
            }
        }
        subjects
    }

    /// That number over the runs that have it.
    pub fn summary(&self, of: impl Fn(&[Figure]) -> Option<f64>) -> Option<Summary> {
        let mut values: Vec<f64> = self.runs.iter().filter_map(|figures| of(figures)).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some(Summary { median: values[values.len() / 2], least, most })
    }

    /// One subject over the runs.
    pub fn of_subject(&self, subject: &str) -> Option<Summary> {
        self.summary(|figures| figures.iter().find(|figure| figure.subject == subject).map(|figure| figure.value))
    }

    /// What a goal looks at, over the runs.
    pub fn of_goal(&self, of: &Of) -> Option<Summary> {
        self.summary(|figures| of.evaluate(figures))
    }
}
