//! Remote transactions applied to a store on disk.

use crate::ours::cpu;
use crate::ours::replica::{Replica, Stream, writes};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch_store::DiskStore;
use std::path::Path;
use std::time::{Duration, Instant};

const COUNT: u64 = 100_000;
/// How many writes a leader with 64 writers commits together, and how many fill its frames when a peer has to catch up.
const GROUP: usize = 64;
const BACKLOG: usize = 1_024;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "remote-apply",
        title: "Remote transactions applied",
        what: "100,000 transactions, each a `put` of a 32-byte key and a value of 100 bytes among 100,000 keys, in messages as \
               the engine of their writer made them: decoded, ordered, applied to rows, digest and index, and committed to a store \
               on disk with one fdatasync a message, by one thread, without queue and network. In messages of 64, as from a leader \
               with 64 writers, and of 1,024, as while catching up. `local` is the same engine and store that take the same writes \
               from a client, as many to a commit, by the same thread. The receiver's CPU is what the whole process used \
               meanwhile, with the threads that write and merge tables; that of the thread that applies stands beside it.",
        unit: "transactions/s",
        goals: vec![
            Goal::new(Of::Ratio("Anabranch, 64", "local, 64"), Bound::AtLeast(0.8)).stretch(Bound::AtLeast(2.0)),
            Goal::new(Of::Ratio("Anabranch, 1,024", "local, 1,024"), Bound::AtLeast(0.8)).stretch(Bound::AtLeast(2.0)),
            Goal::new(Of::One("receiver's CPU, 64"), Bound::AtMost(15.0)).stretch(Bound::AtMost(4.0)),
            Goal::new(Of::One("receiver's CPU, 1,024"), Bound::AtMost(15.0)).stretch(Bound::AtMost(4.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (dir, count, mut figures, mut cpu) = (setting.folder()?, setting.scaled(COUNT), Vec::new(), Vec::new());
    for (together, name) in [(GROUP, "64"), (BACKLOG, "1,024")] {
        let remote = remote(&dir.path().join(format!("remote-{together}")), count, together)?;
        let local = local(&dir.path().join(format!("local-{together}")), count, together)?;
        let per_second = |spent: Spent| count as f64 / spent.wall.as_secs_f64();
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count as f64;
        figures.push(Figure::new(&format!("Anabranch, {name}"), per_second(remote)));
        figures.push(Figure::new(&format!("local, {name}"), per_second(local)));
        cpu.push(Figure::other(&format!("receiver's CPU, {name}"), each(remote.process), "µs"));
        cpu.push(Figure::other(&format!("receiver's CPU, {name}, applying thread"), each(remote.thread), "µs"));
        cpu.push(Figure::other(&format!("local CPU, {name}"), each(local.process), "µs"));
    }
    Ok([figures, cpu].concat())
}

/// What something cost.
#[derive(Clone, Copy)]
struct Spent {
    wall: Duration,
    process: Duration,
    thread: Duration,
}

impl Spent {
    fn on(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let (start, process, thread) = (Instant::now(), cpu::process(), cpu::thread());
        work()?;
        Ok(Self { wall: start.elapsed(), process: cpu::process() - process, thread: cpu::thread() - thread })
    }
}

fn remote(path: &Path, count: u64, together: usize) -> anyhow::Result<Spent> {
    let stream = Stream::of(count, together)?;
    let mut receiver = Replica::receiver(DiskStore::open(path)?)?;
    let spent = Spent::on(|| stream.frames.iter().try_for_each(|frame| receiver.receive(frame).map(drop)))?;
    anyhow::ensure!(receiver.state() == stream.state, "the receiver has not what the writer has");
    Ok(spent)
}

fn local(path: &Path, count: u64, together: usize) -> anyhow::Result<Spent> {
    let (mut writer, writes) = (Replica::writer(DiskStore::open(path)?)?, writes(count));
    Spent::on(|| writes.chunks(together).try_for_each(|batch| writer.write(batch).map(drop)))
}
