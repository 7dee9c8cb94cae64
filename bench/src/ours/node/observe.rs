//! How late writes of [`super::pace`] are seen: through a watch, as an application would.

use super::pace;
use super::talk::Seen;
use crate::ours::clock;
use anabranch::{Database, Filter};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::Notify;

/// A thread that watches.
pub struct Observer {
    end: Arc<Notify>,
    thread: JoinHandle<anyhow::Result<Vec<u64>>>,
}

impl Observer {
    /// Begins with the next change.
    pub fn start(db: &Database) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (end, watch) = (Arc::new(Notify::new()), db.watch(Filter::default(), None)?);
        let ended = end.clone();
        let thread = std::thread::spawn(move || runtime.block_on(look(watch, &ended)));
        Ok(Self { end, thread })
    }

    /// What was seen.
    pub fn end(self) -> anyhow::Result<Seen> {
        self.end.notify_one();
        let mut late = self.thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the watching thread panicked")))?;
        anyhow::ensure!(!late.is_empty(), "no write was seen");
        late.sort_unstable();
        let at = |part: f64| late[((late.len() - 1) as f64 * part).round() as usize] as f64 / 1e6;
        Ok(Seen { count: late.len() as u64, p50_ms: at(0.5), p99_ms: at(0.99), most_ms: at(1.0) })
    }
}

async fn look(mut watch: anabranch::Watch, ended: &Notify) -> anyhow::Result<Vec<u64>> {
    let mut late = Vec::new();
    loop {
        tokio::select! {
            () = ended.notified() => return Ok(late),
            cut = watch.next() => {
                let cut = cut?;
                let now = clock::nanos();
                let timed = cut.changes.iter().filter(|change| change.collection == pace::COLLECTION);
                late.extend(timed.filter_map(|change| change.key.parse::<u64>().ok()).map(|at| now.saturating_sub(at)));
            }
        }
    }
}
