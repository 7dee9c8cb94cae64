//! What happens while everybody writes: a region is cut off and comes back, a leader is dropped and opened again.

use super::pace::Pace;
use super::progress::Progress;
use super::random::Random;
use super::regions::{COUNT, NAMES, Region};
use super::world::{World, at_one};
use super::writers::{CLIENTS, Tally};
use anabranch::Status;
use anyhow::bail;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often to look.
const LOOK: Duration = Duration::from_millis(5);
/// How long nothing may be written while something should be.
const STALLED: Duration = Duration::from_secs(20);
/// How long all regions may take to come together at the end.
const CONVERGENCE: Duration = Duration::from_secs(60);
/// How many writes should be under way when the leader is dropped.
const IN_MID_WRITE: u64 = 8;

/// Who tells what, and to whom it happens.
pub(super) struct Story<'a> {
    world: &'a World,
    pace: &'a Pace,
    tally: &'a Tally,
    progress: &'a Progress,
    cut_off: usize,
    dropped: usize,
}

impl<'a> Story<'a> {
    /// The seed picks the two regions.
    pub(super) fn new(world: &'a World, pace: &'a Pace, tally: &'a Tally, progress: &'a Progress, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x6661_756c_7473);
        let cut_off = random.place(COUNT);
        let dropped = (cut_off + 1 + random.place(COUNT - 1)) % COUNT;
        Self { world, pace, tally, progress, cut_off, dropped }
    }

    /// Tells it all, up to the last write.
    ///
    /// # Errors
    /// When it cannot go on.
    pub(super) async fn tell(&self) -> anyhow::Result<()> {
        let Self { world, pace, progress, .. } = self;
        let connected = || (0..COUNT).all(|region| world.is_connected(region));
        if !wait(Duration::from_secs(10), connected).await {
            bail!("the regions do not reach each other on loopback");
        }
        progress.note("all regions are connected, and their clients begin to write at once");
        pace.allow(60);
        self.written(15).await?;
        self.partition().await?;
        self.written(72).await?;
        self.drop_leader().await?;
        self.written(100).await?;
        progress.note("everything is written: waiting until every region has it");
        Ok(())
    }

    async fn partition(&self) -> anyhow::Result<()> {
        let Self { world, pace, progress, cut_off, .. } = *self;
        let name = NAMES[cut_off];
        world.cut(cut_off);
        progress.note(&format!("{name} is cut off; its clients go on writing there, the others go on without it"));
        self.written(50).await?;
        // The others notice by its silence, which takes its time on any machine: no more writes until then.
        wait(Duration::from_secs(10), || world.regions[cut_off].connected_to().is_empty()).await;
        let lag = world.lag(cut_off).unwrap_or_default();
        world.heal(cut_off);
        progress.note(&format!("{name} can be reached again; meanwhile it missed {lag} transactions"));
        pace.allow(80);
        // Bounded, not demanded: the end of the story waits for everything anyway.
        let little = pace.share(2) + 1;
        let caught_up = || world.is_connected(cut_off) && world.lag(cut_off).is_some_and(|lag| lag <= little);
        let healed = Instant::now();
        if wait(Duration::from_secs(10), caught_up).await {
            progress.note(&format!("{name} has caught up, {:.1} s later", healed.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    async fn drop_leader(&self) -> anyhow::Result<()> {
        let Self { world, pace, progress, dropped, .. } = *self;
        let name = NAMES[dropped];
        let region = &world.regions[dropped];
        pace.allow(100);
        pace.burst((COUNT * CLIENTS) as u64);
        // It blocks until the moment has come, which is short, and then while the leader's thread ends.
        let waiting = tokio::task::block_in_place(|| {
            let waiting = in_mid_write(region);
            world.crash(dropped);
            waiting
        });
        progress.note(&format!(
            "the leader of {name} is dropped without warning, {waiting} writes unanswered: \
             its clients send them again, under the same keys, to the next region"
        ));
        self.written(90).await?;
        tokio::task::block_in_place(|| world.reopen(dropped))?;
        progress.note(&format!("{name} is opened again from its store; its clients come back"));
        Ok(())
    }

    /// Returns when that percentage of all writes was acknowledged.
    async fn written(&self, percent: u64) -> anyhow::Result<()> {
        let share = self.pace.share(percent);
        let mut last = (0, Instant::now());
        loop {
            let written = self.tally.written.load(Ordering::Relaxed);
            if written >= share {
                return Ok(());
            }
            if written != last.0 {
                last = (written, Instant::now());
            }
            if last.1.elapsed() > STALLED {
                bail!("no write was acknowledged for {} s, {written} were before", STALLED.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Waits until all regions have the same transactions, or it takes too long; gives what each has.
///
/// # Errors
/// When a region does not run.
pub(super) async fn convergence(world: &World) -> anyhow::Result<Vec<Status>> {
    let deadline = Instant::now() + CONVERGENCE;
    loop {
        let statuses = world.statuses().await?;
        if at_one(&statuses) || Instant::now() >= deadline {
            return Ok(statuses);
        }
        tokio::time::sleep(10 * LOOK).await;
    }
}

/// Waits until some writes are under way in a region, for a while; says how many are.
fn in_mid_write(region: &Region) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        let waiting = region.waiting.load(Ordering::Relaxed);
        if waiting >= IN_MID_WRITE || Instant::now() >= deadline {
            return waiting;
        }
        // A sync on disk takes some 100 µs: tokio's timers are too coarse to look in between.
        std::thread::sleep(Duration::from_micros(20));
    }
}

/// Waits until something holds; says whether it did in time.
async fn wait(limit: Duration, holds: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}
