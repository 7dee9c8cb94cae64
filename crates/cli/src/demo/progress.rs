//! What is shown while it runs, on standard error: a line per region that keeps changing, and what happens.

use super::regions::{COUNT, Region};
use super::world::World;
use crate::output;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::convert::Infallible;
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often lines change on a terminal.
const LIVE: Duration = Duration::from_millis(100);
/// How often lines are written elsewhere.
const PLAIN: Duration = Duration::from_secs(1);

/// The display.
pub(super) struct Progress {
    since: Instant,
    /// The terminal and its lines; `None` when standard error is none.
    live: Option<(MultiProgress, Vec<ProgressBar>)>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let live = std::io::stderr().is_terminal().then(|| {
            let lines = MultiProgress::new();
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bars = (0..COUNT).map(|_| lines.add(ProgressBar::new_spinner().with_style(style.clone()))).collect();
            (lines, bars)
        });
        Self { since: Instant::now(), live }
    }

    /// Says what happens.
    pub(super) fn note(&self, text: &str) {
        let line = format!("{:5.1} s  {text}", self.since.elapsed().as_secs_f64());
        match &self.live {
            // A terminal that takes nothing more is no reason to stop.
            Some((lines, _)) => drop(lines.println(line)),
            None => output::note(&line),
        }
    }

    /// Shows how each region is, for ever.
    pub(super) async fn run(&self, world: &World) -> Infallible {
        let mut tick = tokio::time::interval(if self.live.is_some() { LIVE } else { PLAIN });
        loop {
            tick.tick().await;
            let lines = (0..COUNT).map(|region| line(world, region));
            match &self.live {
                Some((_, bars)) => bars.iter().zip(lines).for_each(|(bar, line)| bar.set_message(line)),
                None => self.note(&lines.collect::<Vec<_>>().join(" | ")),
            }
        }
    }
}

impl Drop for Progress {
    /// Takes the lines away, for what is shown next.
    fn drop(&mut self) {
        if let Some((lines, bars)) = &self.live {
            bars.iter().for_each(ProgressBar::finish_and_clear);
            // As above.
            let _ = lines.clear();
        }
    }
}

fn line(world: &World, region: usize) -> String {
    let Region { name, acknowledged, .. } = &world.regions[region];
    let acknowledged = acknowledged.load(Ordering::Relaxed);
    let Some(lag) = world.lag(region) else { return format!("{name:<8} {acknowledged:>6} writes, no leader") };
    let connected = world.regions[region].connected_to();
    let connected = if connected.is_empty() { "nobody".to_owned() } else { connected.join(", ") };
    format!("{name:<8} {acknowledged:>6} writes, lag {lag:>5}, connected to {connected}")
}
