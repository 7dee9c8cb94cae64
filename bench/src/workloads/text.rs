//! Texts: a recorded trace of keystrokes through the library, beside plain yrs; and one of two people, each with a leader of their
//! own, over QUIC.

use crate::ours::cluster::Cluster;
use crate::ours::trace::{Patch, Trace};
use crate::setting::Setting;
use crate::workload::{Figure, Workload};
use anabranch::{Change, Database, Kind, Operation, Write, WriteError};
use anabranch_engine::store::{Read, Space};
use anabranch_store::DiskStore;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;
use yrs::updates::decoder::Decode as _;
use yrs::{ClientID, Doc, GetString as _, OffsetKind, Options, ReadTxn as _, Text as _, Transact as _, Update};

/// How many writes may be under way.
const PIPELINE: usize = 4_096;
/// How many edits the sample has, for runs without a trace.
const SAMPLE: usize = 5_000;
const KEY: &str = "trace";

pub fn workloads() -> Vec<Workload> {
    vec![
        Workload {
            name: "text-keystrokes",
            title: "A text, typed",
            what: "Each edit of a recorded trace by position, a transaction of its own, 4,096 of them under way at any time; until all is on \
                   disk. Without `--trace`, 5,000 edits of our own making. Beside it yrs, in which our texts are kept, making the same edits \
                   of a document in memory. Both must end with the text of the trace.",
            unit: "edits/s",
            // The plan states no target for texts.
            goals: Vec::new(),
            measure: keystrokes,
        },
        Workload {
            name: "text-people",
            title: "A text of several people",
            what: "Each person of a recorded trace edits a document of their own (yrs), having seen what the trace says, and sends updates to one \
                   of two leaders, which replicate to each other over QUIC in this process; until all is on disk at both. The time \
                   includes the people's own edits. Without `--trace`, 5,000 edits of one person. Beside it one document of yrs in memory that takes \
                   in all updates.",
            unit: "transactions/s",
            goals: Vec::new(),
            measure: people,
        },
    ]
}

fn trace(setting: &Setting) -> anyhow::Result<Trace> {
    match &setting.trace {
        Some(path) => Trace::read(path),
        None => Ok(Trace::sample(SAMPLE)),
    }
}

/// One person's edits by position, a transaction each.
fn keystrokes(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let trace = trace(setting)?;
    anyhow::ensure!(!trace.is_concurrent(), "the trace is of several people, for `text-people`");
    let edits = trace.patches().count() as f64;
    let dir = setting.folder()?;
    let ours = through_library(dir.path(), &trace)?;
    let (raw, encoded) = through_yrs(&trace)?;
    let (state, rows) = stored(&dir.path().join("data"))?;
    Ok(vec![
        Figure::new("Anabranch", edits / ours),
        Figure::new("yrs, in memory", edits / raw),
        Figure::other("Anabranch, rows of the text", rows as f64, "rows"),
        Figure::other("Anabranch, bytes of the rows", state as f64, "bytes"),
        Figure::other("yrs, bytes of the document", encoded as f64, "bytes"),
    ])
}

/// Seconds until all is on disk.
fn through_library(dir: &Path, trace: &Trace) -> anyhow::Result<f64> {
    let db = Database::open(dir.join("data"))?;
    let mut pipeline = Pipeline::new(&db);
    let start = Instant::now();
    for patch in trace.patches() {
        pipeline.write(operations(patch))?;
    }
    pipeline.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    let text = db.text("texts")?.get(KEY)?;
    db.close();
    anyhow::ensure!(text == trace.end_content, "the library's text is not that of the trace");
    Ok(seconds)
}

fn operations(Patch(at, deleted, inserted): &Patch) -> Vec<Operation> {
    let delete = (*deleted > 0).then_some(Operation::DeleteText { at: *at, length: *deleted });
    let insert = (!inserted.is_empty()).then(|| Operation::InsertText { at: *at, text: inserted.clone() });
    delete.into_iter().chain(insert).collect()
}

/// Writes to one text, many under way.
struct Pipeline<'a> {
    db: &'a Database,
    sender: mpsc::Sender<Option<WriteError>>,
    answers: mpsc::Receiver<Option<WriteError>>,
    under_way: usize,
}

impl<'a> Pipeline<'a> {
    fn new(db: &'a Database) -> Self {
        let (sender, answers) = mpsc::channel();
        Self { db, sender, answers, under_way: 0 }
    }

    fn write(&mut self, operations: Vec<Operation>) -> anyhow::Result<()> {
        if operations.is_empty() {
            return Ok(());
        }
        if self.under_way == PIPELINE {
            self.answer()?;
        }
        let change = |operation| Change::Operate {
            collection: "texts".to_owned(),
            kind: Kind::TEXT,
            key: KEY.to_owned(),
            operation,
            context: None,
        };
        let write = Write { changes: operations.into_iter().map(change).collect(), key: None };
        let sender = self.sender.clone();
        // Nobody listens any more only when the measurement has failed already.
        self.db.submit(write, move |answer| drop(sender.send(answer.err())));
        self.under_way += 1;
        Ok(())
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        self.under_way -= 1;
        match self.answers.recv()? {
            None => Ok(()),
            Some(error) => Err(error.into()),
        }
    }

    fn finish(mut self) -> anyhow::Result<()> {
        while self.under_way > 0 {
            self.answer()?;
        }
        Ok(())
    }
}

fn document(client: u64) -> Doc {
    let client_id = ClientID::new(client);
    Doc::with_options(Options { client_id, offset_kind: OffsetKind::Utf16, ..Options::default() })
}

/// Edits a document, and says what changed.
fn edit<'a>(doc: &Doc, patches: impl Iterator<Item = &'a Patch>) -> Vec<u8> {
    let text = doc.get_or_insert_text("text");
    let mut transaction = doc.transact_mut();
    for Patch(at, deleted, inserted) in patches {
        text.remove_range(&mut transaction, *at as u32, *deleted as u32);
        text.insert(&mut transaction, *at as u32, inserted);
    }
    transaction.encode_update_v1()
}

fn string(doc: &Doc) -> String {
    doc.get_or_insert_text("text").get_string(&doc.transact())
}

/// Seconds, and how many bytes the document has.
fn through_yrs(trace: &Trace) -> anyhow::Result<(f64, usize)> {
    let doc = document(1);
    let start = Instant::now();
    for patch in trace.patches() {
        edit(&doc, std::iter::once(patch));
    }
    let seconds = start.elapsed().as_secs_f64();
    anyhow::ensure!(string(&doc) == trace.end_content, "the text of yrs is not that of the trace");
    let encoded = doc.transact().encode_state_as_update_v1(&Default::default());
    Ok((seconds, encoded.len()))
}

/// Bytes and number of the rows of state.
fn stored(data: &Path) -> anyhow::Result<(usize, usize)> {
    let store = DiskStore::open(data)?;
    let (mut bytes, mut rows) = (0, 0);
    store.scan(Space::Rows, &[], &[], &mut |key, value| {
        bytes += key.len() + value.len();
        rows += 1;
        ControlFlow::Continue(())
    })?;
    Ok((bytes, rows))
}

/// Each person edits a document of their own, having seen what the trace says, and sends updates to a leader.
fn people(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let trace = trace(setting)?;
    let dir = setting.folder()?;
    let cluster = Cluster::start(dir.path(), &["a", "b"])?;
    let mut pipelines: Vec<Pipeline<'_>> = cluster.leaders.iter().map(Pipeline::new).collect();
    let start = Instant::now();
    let updates = replay(&trace, |agent, update| pipelines[agent % 2].write(vec![Operation::Yjs(update.to_vec())]))?;
    pipelines.into_iter().try_for_each(Pipeline::finish)?;
    cluster.settle()?;
    let ours = start.elapsed().as_secs_f64();
    for leader in &cluster.leaders {
        let text = leader.text("texts")?.get(KEY)?;
        anyhow::ensure!(text == trace.end_content, "the text at a leader is not that of the trace");
    }
    cluster.stop();
    let start = Instant::now();
    let doc = document(u64::from(u32::MAX));
    for update in &updates {
        doc.transact_mut().apply_update(Update::decode_v1(update)?)?;
    }
    let raw = start.elapsed().as_secs_f64();
    let count = updates.len() as f64;
    Ok(vec![Figure::new("Anabranch", count / ours), Figure::new("yrs, in memory", count / raw)])
}

/// Has everybody edit what they had seen, and hands out each update as it is made. Returns all of them.
fn replay(trace: &Trace, mut send: impl FnMut(usize, &[u8]) -> anyhow::Result<()>) -> anyhow::Result<Vec<Vec<u8>>> {
    let agents = trace.txns.iter().map(|txn| txn.agent + 1).max().unwrap_or(0);
    anyhow::ensure!(agents <= 1_024, "a trace of {agents} people");
    let mut people: Vec<(Doc, BTreeSet<usize>)> =
        (0..agents).map(|agent| (document(agent as u64 + 1), BTreeSet::new())).collect();
    let mut updates: Vec<Vec<u8>> = Vec::with_capacity(trace.txns.len());
    for (number, txn) in trace.txns.iter().enumerate() {
        let (doc, seen) = &mut people[txn.agent];
        let mut missing: Vec<usize> = txn.parents.clone();
        let mut come = BTreeSet::new();
        while let Some(parent) = missing.pop() {
            anyhow::ensure!(parent < number, "transaction {number} of the trace has a parent after it");
            if !seen.contains(&parent) && come.insert(parent) {
                missing.extend(&trace.txns[parent].parents);
            }
        }
        for parent in come {
            doc.transact_mut().apply_update(Update::decode_v1(&updates[parent])?)?;
            seen.insert(parent);
        }
        let update = edit(doc, txn.patches.iter());
        seen.insert(number);
        send(txn.agent, &update)?;
        updates.push(update);
    }
    Ok(updates)
}
