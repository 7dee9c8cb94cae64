//! Cuts recordings, builds images, judges them, and counts.

use crate::disk::Disk;
use crate::image::{Crash, Fates, Mood};
use crate::random::Random;
use crate::recorder::{Recorder, Recording, scratch};
use crate::tell;
use crate::trace::Event;
use crate::verdict::{self, Acks};
use crate::writer::{ACKS, DATA, Task};
use std::path::Path;

/// How often a recovery may crash before the next one is left in peace.
const DEPTH: usize = 3;

pub(crate) struct Crashes {
    recorder: Recorder,
    /// Whether the disk answers that it synced, and did not.
    lies: bool,
    pub(crate) images: usize,
    recoveries: [usize; DEPTH + 1],
    pub(crate) failed_syncs: usize,
    syncs_after_failure: usize,
    fates: Fates,
    acknowledged: u64,
    /// Segments of the log that recorded writers made.
    pub(crate) segments_made: usize,
    pub(crate) findings: Vec<String>,
}

impl Crashes {
    pub(crate) fn new() -> Self {
        Self {
            recorder: Recorder::new(),
            lies: false,
            images: 0,
            recoveries: [0; DEPTH + 1],
            failed_syncs: 0,
            syncs_after_failure: 0,
            fates: Fates::default(),
            acknowledged: 0,
            segments_made: 0,
            findings: Vec::new(),
        }
    }

    /// The same on a disk that keeps nothing of what it said it synced.
    pub(crate) fn on_a_lying_disk() -> Self {
        Self { lies: true, ..Self::new() }
    }

    /// Records a writer, and crashes it so often.
    pub(crate) fn run(&mut self, seed: u64, images: usize) {
        let task = draw(&mut Random::new(seed));
        self.run_task(seed, task, images);
    }

    fn run_task(&mut self, seed: u64, task: Task, images: usize) {
        let mut random = Random::new(task.seed);
        let (_scratch, root) = empty();
        let recording = self.recorder.record(&root, task, None);
        assert!(recording.events.len() > 50, "too little happened: {}", recording.said);
        let made =
            |event: &&Event| matches!(event, Event::Rename(_, to) if to.extension().is_some_and(|end| end == "seg"));
        self.segments_made += recording.events.iter().filter(made).count();
        for number in 0..images {
            let replay = format!("seed {seed}, image {number}");
            self.crash(&replay, &root, &recording, task, &Acks::new(), Random::new(random.bits()), 0);
        }
    }

    /// The same with so much written that segments of the full size are filled, of which each holds 16 MiB.
    pub(crate) fn rotate(&mut self, seed: u64, images: usize) {
        let task = Task { seed, openings: 1, batches: 300, payload: 250_000, memtable: 4 << 20 };
        self.run_task(seed, task, images);
    }

    /// Records writers whose one sync fails, and crashes them at the end and at some points after the failure.
    pub(crate) fn fail_a_sync(&mut self, seed: u64, images: usize) {
        let mut random = Random::new(!seed);
        let (_scratch, root) = empty();
        let task = Task { openings: 1, ..draw(&mut random) };
        let fail = 1 + random.below(80);
        let recording = self.recorder.record(&root, task, Some(fail));
        let failed = recording.events.iter().position(|event| matches!(event, Event::SyncFailed(_)));
        let Some(failed) = failed else { return };
        self.failed_syncs += 1;
        let Event::SyncFailed(number) = recording.events[failed] else { return };
        let again = |event: &&Event| matches!(event, Event::Sync(other) if *other == number);
        self.syncs_after_failure += recording.events[failed..].iter().filter(again).count();
        for number in 0..images {
            let replay = format!("seed {seed}, sync {fail} fails, image {number}");
            let span = recording.events.len() - failed;
            let cut = if number == 0 { recording.events.len() } else { failed + 1 + random.below(span) };
            let chance = Random::new(random.bits());
            self.crash_at(&replay, cut, &root, &recording, task, &Acks::new(), chance, DEPTH);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that a crash depends on")]
    fn crash(
        &mut self,
        replay: &str,
        root: &Path,
        recording: &Recording,
        task: Task,
        acks: &Acks,
        mut random: Random,
        depth: usize,
    ) {
        let cut = cut(&recording.events, &mut random, depth > 0);
        self.crash_at(replay, cut, root, recording, task, acks, random, depth);
    }

    #[expect(clippy::too_many_arguments, reason = "all that a crash depends on")]
    fn crash_at(
        &mut self,
        replay: &str,
        cut: usize,
        root: &Path,
        recording: &Recording,
        task: Task,
        acks: &Acks,
        mut random: Random,
        depth: usize,
    ) {
        let mut disk = recording.before.clone();
        let believed = |event: &&Event| !(self.lies && matches!(event, Event::Sync(_)));
        recording.events[..cut]
            .iter()
            .filter(believed)
            .for_each(|event| disk.apply(event).expect("a disk that can do that"));
        let mut acks = acks.clone();
        for (origin, seq) in verdict::acks(&disk.written(&root.join(ACKS))) {
            let known = acks.entry(origin).or_default();
            *known = seq.max(*known);
        }
        let to = scratch();
        let to = to.path().canonicalize().expect("a path");
        let mood = Mood::draw(&mut random);
        let mut crash = Crash::new(&disk, mood, Random::new(random.bits()));
        crash.make(&root.join(DATA), &to.join(DATA)).expect("an image");
        self.fates.add(crash.fates);
        self.images += 1;
        self.acknowledged += acks.values().sum::<u64>();
        let replay = format!("{replay}, cut {cut} of {}, {mood:?}", recording.events.len());
        if depth < DEPTH && random.chance(30) {
            self.crash_in_recovery(&replay, &to, task, &acks, random, depth);
        }
        if let Err(wrong) = verdict::judge(&to.join(DATA), task.memtable, &acks) {
            if !self.lies {
                tell(&format!("FOUND {replay}: {wrong}"));
            }
            self.findings.push(format!("{replay}: {wrong}"));
        }
    }

    /// Opens a copy of the image under the recorder, lets it write a little, and crashes that.
    fn crash_in_recovery(
        &mut self,
        replay: &str,
        image: &Path,
        task: Task,
        acks: &Acks,
        mut random: Random,
        depth: usize,
    ) {
        let copy = scratch();
        let copy = copy.path().canonicalize().expect("a path");
        Disk::read(&image.join(DATA))
            .and_then(|disk| Crash::new(&disk, Mood::Kept, Random::new(0)).make(&image.join(DATA), &copy.join(DATA)))
            .expect("a copy");
        let next = Task { seed: random.bits(), openings: 1, batches: random.below(12), ..task };
        let recording = self.recorder.record(&copy, next, None);
        self.recoveries[depth + 1] += 1;
        self.crash(&format!("{replay}, then"), &copy, &recording, next, acks, random, depth + 1);
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "power loss: {} images, {} of recoveries (by depth {:?}), {} failed syncs ({} later syncs of the same \
             file), {:?}, {} acknowledgements looked for, {} findings",
            self.images,
            self.recoveries.iter().sum::<usize>(),
            &self.recoveries[1..],
            self.failed_syncs,
            self.syncs_after_failure,
            self.fates,
            self.acknowledged,
            self.findings.len()
        )
    }

    pub(crate) fn must_be_good(&self, images: usize) {
        assert!(self.images >= images, "{} images prove little", self.images);
        assert!(self.acknowledged > 0, "nothing was acknowledged before any crash");
        assert!(self.findings.is_empty(), "{}", self.findings.join("\n"));
    }
}

/// A place for a writer, with an empty data directory.
fn empty() -> (tempfile::TempDir, std::path::PathBuf) {
    let scratch = scratch();
    let root = scratch.path().canonicalize().expect("a path");
    std::fs::create_dir(root.join(DATA)).expect("a directory");
    (scratch, root)
}

/// Where to cut: anywhere; right before a sync, where most is at stake; or right before or after what moves names and
/// lengths. In a recovery, rather early.
fn cut(events: &[Event], random: &mut Random, early: bool) -> usize {
    let end = if early && random.chance(60) { events.len().min(60) } else { events.len() };
    let (wanted, after): (fn(&Event) -> bool, usize) = match random.below(4) {
        0 => return random.below(end + 1),
        1 => (|event| !matches!(event, Event::Write(..) | Event::Sync(_)), random.below(2)),
        _ => (|event| matches!(event, Event::Sync(_)), 0),
    };
    let found: Vec<usize> = (0..end).filter(|at| wanted(&events[*at])).collect();
    if found.is_empty() { end } else { found[random.below(found.len())] + after }
}

fn draw(random: &mut Random) -> Task {
    let payload = [20, 300, 6_000][random.below(3)];
    let memtable = [4 << 10, 16 << 10, 256 << 10][random.below(3)];
    Task { seed: random.bits(), openings: 1 + random.below(3), batches: 10 + random.below(50), payload, memtable }
}
