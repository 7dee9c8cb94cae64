//! The clients: many in each region, each writing one thing after another, each write exactly once.

use super::pace::Pace;
use super::regions::{COUNT, Region};
use super::workload::Task;
use super::world::World;
use anabranch::{Refusal, SessionId, Write, WriteError};
use anyhow::Context;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How many clients each region has: so many of its writes are under way at a time.
pub(super) const CLIENTS: usize = 32;
/// How long a client waits when no leader takes its write now.
const PAUSE: Duration = Duration::from_millis(20);

/// What the clients have done so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Writes that were acknowledged.
    pub(super) written: AtomicU64,
    /// Writes that were sent again under their key, since their leader was dropped before it answered.
    pub(super) retried: AtomicU64,
    /// Of those, writes of which the next leader knew already.
    pub(super) known: AtomicU64,
}

/// What all clients share.
struct Shop {
    world: Arc<World>,
    pace: Arc<Pace>,
    tally: Arc<Tally>,
    tasks: [Mutex<VecDeque<Task>>; COUNT],
}

/// Lets the clients of all regions begin. They end when there is nothing left to write, or with what went wrong.
pub(super) fn begin(
    world: &Arc<World>,
    pace: &Arc<Pace>,
    tally: &Arc<Tally>,
    tasks: [VecDeque<Task>; COUNT],
) -> JoinSet<anyhow::Result<()>> {
    let tasks = tasks.map(Mutex::new);
    let shop = Arc::new(Shop { world: world.clone(), pace: pace.clone(), tally: tally.clone(), tasks });
    (0..COUNT * CLIENTS).map(|number| client(shop.clone(), number % COUNT)).collect()
}

async fn client(shop: Arc<Shop>, home: usize) -> anyhow::Result<()> {
    let session = SessionId(*uuid::Uuid::now_v7().as_bytes());
    let mut counter = 0;
    while let Some(task) = shop.next(home) {
        shop.pace.one_more().await;
        counter += 1;
        let write = Write { changes: vec![task.change()], key: Some((session, counter)) };
        shop.write(home, write).await.with_context(|| format!("the write {task:?}"))?;
    }
    Ok(())
}

impl Shop {
    fn next(&self, home: usize) -> Option<Task> {
        // A panic of another client leaves the list whole: each change to it is one call.
        self.tasks[home].lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Writes at home, or where there is a leader; until one acknowledges it.
    async fn write(&self, home: usize, write: Write) -> anyhow::Result<()> {
        let mut retried = false;
        loop {
            let Some(region) = self.leader_near(home) else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            match attempt(region, write.clone()).await {
                Ok(written) => {
                    region.acknowledged.fetch_add(1, Ordering::Relaxed);
                    self.tally.written.fetch_add(1, Ordering::Relaxed);
                    self.tally.known.fetch_add(u64::from(written.repeated), Ordering::Relaxed);
                    return Ok(());
                }
                // Whether it took effect, nobody can say: the same again under the same key, at another leader.
                Err(WriteError::Closed) => {
                    self.tally.retried.fetch_add(u64::from(!retried), Ordering::Relaxed);
                    retried = true;
                }
                Err(WriteError::Busy | WriteError::DiskFull | WriteError::Refused(Refusal::NotWritable { .. })) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error).with_context(|| format!("{} does not take it", region.name)),
            }
        }
    }

    /// The region of the client, or the next that has a leader.
    fn leader_near(&self, home: usize) -> Option<&Region> {
        let regions = &self.world.regions;
        (0..COUNT).map(|step| &regions[(home + step) % COUNT]).find(|region| region.is_up())
    }
}

/// Writes once. A leader that is dropped meanwhile is heard no more, even if it had written and was about to say so.
async fn attempt(region: &Region, write: Write) -> Result<anabranch::Written, WriteError> {
    let Some(database) = region.database() else { return Err(WriteError::Closed) };
    let _waiting = Waiting::begin(region);
    tokio::select! {
        biased;
        () = region.down() => Err(WriteError::Closed),
        answer = database.apply_async(write) => answer,
    }
}

/// Counts a write that waits for its answer.
struct Waiting<'a>(&'a Region);

impl<'a> Waiting<'a> {
    fn begin(region: &'a Region) -> Self {
        region.waiting.fetch_add(1, Ordering::Relaxed);
        Self(region)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
