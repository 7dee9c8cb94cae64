//! A workload: what is done, by whom, and what it must show.

use crate::setting::Setting;

/// Something that is measured for us, for limits and for peers in one run.
pub struct Workload {
    /// As it is called on the command line, and its files.
    pub name: &'static str,
    /// As it stands in the table.
    pub title: &'static str,
    /// What is done, how durable, and what each subject is. Markdown.
    pub what: &'static str,
    /// What the figures count: "writes/s", "ms". Figures of other units name theirs.
    pub unit: &'static str,
    /// What it must show.
    pub goals: Vec<Goal>,
    /// One run of all subjects, one after the other.
    pub measure: fn(&Setting) -> anyhow::Result<Vec<Figure>>,
}

/// One figure of one run.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Figure {
    /// Whose: "Anabranch", "fjall", "Anabranch, p99".
    pub subject: String,
    /// Per second, milliseconds, bytes: as `unit` of the workload says, unless it has one of its own.
    pub value: f64,
    /// What is counted, where it is not the unit of the workload. Such figures stand in the table and not in the plot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl Figure {
    /// A figure in the workload's own unit.
    pub fn new(subject: &str, value: f64) -> Self {
        Self { subject: subject.to_owned(), value, unit: None }
    }

    /// A figure in a unit of its own.
    pub fn other(subject: &str, value: f64, unit: &str) -> Self {
        Self { subject: subject.to_owned(), value, unit: Some(unit.to_owned()) }
    }
}

/// A target of a workload, judged by the median over the runs.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// What is looked at.
    pub of: Of,
    /// What must hold, unless this is a stretch alone.
    pub target: Option<Bound>,
    /// What would be better still.
    pub stretch: Option<Bound>,
}

/// A number made of the figures of one run.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// That subject's figure.
    One(&'static str),
    /// The first subject's figure divided by the second's.
    Ratio(&'static str, &'static str),
}

/// Where a number must lie.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub const fn new(of: Of, target: Bound) -> Self {
        Self { of, target: Some(target), stretch: None }
    }

    /// Nothing must hold, but it would be better.
    pub const fn stretch_only(of: Of, stretch: Bound) -> Self {
        Self { of, target: None, stretch: Some(stretch) }
    }

    pub const fn stretch(self, stretch: Bound) -> Self {
        Self { stretch: Some(stretch), ..self }
    }
}

impl Of {
    /// The number in one run, if its subjects were measured.
    pub fn evaluate(&self, figures: &[Figure]) -> Option<f64> {
        let value = |subject: &str| figures.iter().find(|figure| figure.subject == subject).map(|figure| figure.value);
        match self {
            Of::One(subject) => value(subject),
            Of::Ratio(ours, other) => Some(value(ours)? / value(other)?),
        }
    }
}

impl Bound {
    pub fn holds(&self, value: f64) -> bool {
        match *self {
            Bound::AtLeast(least) => value >= least,
            Bound::AtMost(most) => value <= most,
        }
    }
}

impl std::fmt::Display for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Of::One(subject) => write!(f, "{subject}"),
            Of::Ratio(ours, other) => write!(f, "{ours} ÷ {other}"),
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bound::AtLeast(least) => write!(f, "≥ {least}"),
            Bound::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}
