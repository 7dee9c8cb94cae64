//! Random batches against a model that cannot be wrong.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anabranch_engine::store::{Batch, Space, Store};

use super::{Harness, Rows, all, log, ok, range};

/// A small generator (SplitMix64): the same seed yields the same case everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A short key of few different bytes, so that keys collide and nest; one in fifty is long.
    fn key(&mut self) -> Vec<u8> {
        let length = if self.below(50) == 0 { 1 + self.below(2_000) } else { 1 + self.below(3) };
        (0..length).map(|_| [0x00, 0x01, 0x61, 0xfe, 0xff][self.below(5) as usize]).collect()
    }

    /// A bound: a key or, one time in four, none.
    fn bound(&mut self) -> Vec<u8> {
        if self.below(4) == 0 { Vec::new() } else { self.key() }
    }

    fn space(&mut self) -> Space {
        Space::ALL[self.below(Space::ALL.len() as u64) as usize]
    }
}

/// What should be in the store.
#[derive(Default)]
struct Model {
    rows: BTreeMap<(Space, Vec<u8>), Vec<u8>>,
    log: Vec<(u64, Vec<u8>)>,
}

impl Model {
    fn apply(&mut self, batch: &Batch) {
        for (key, value) in &batch.rows {
            match value {
                Some(value) => self.rows.insert(key.clone(), value.clone()),
                None => self.rows.remove(key),
            };
        }
        self.log.extend(batch.log.iter().cloned());
    }

    fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows {
        let inside = |key: &[u8]| key >= from && (to.is_empty() || key < to);
        let rows = self.rows.iter().filter(|((of, key), _)| *of == space && inside(key));
        rows.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    fn all(&self) -> (Vec<Rows>, Vec<(u64, Vec<u8>)>) {
        (Space::ALL.iter().map(|space| self.range(*space, &[], &[])).collect(), self.log.clone())
    }
}

/// Runs `cases` cases of random batches, reads, snapshots and restarts, each on a fresh store and compared with a model.
/// Case `n` depends on `seed` and `n` only.
///
/// # Panics
/// When the store differs from the model; the message names the seed of the case.
pub fn random<H: Harness>(fresh: &mut dyn FnMut() -> H, seed: u64, cases: u64) {
    for case in 0..cases {
        let case = seed.wrapping_add(case);
        one_case(&mut fresh(), Random(case), &format!("case with seed {case}"));
    }
}

fn one_case<H: Harness>(harness: &mut H, mut random: Random, name: &str) {
    let mut model = Model::default();
    let mut snapshot = (harness.store().snapshot(), model.all());
    for _ in 0..random.below(40) {
        match random.below(8) {
            0 => {
                // A snapshot may keep a store in use.
                drop(snapshot);
                harness.reopen();
                snapshot = (harness.store().snapshot(), model.all());
            }
            1 => snapshot = (harness.store().snapshot(), model.all()),
            _ => {
                let batch = batch(&mut random, model.log.len() as u64);
                ok(harness.store().commit(&batch));
                model.apply(&batch);
            }
        }
        reads(harness.store(), &mut random, &model, name);
    }
    assert_eq!(all(&snapshot.0), snapshot.1, "snapshot, {name}");
    assert_eq!(all(harness.store()), model.all(), "{name}");
    drop(snapshot);
    harness.reopen();
    assert_eq!(all(harness.store()), model.all(), "after a restart, {name}");
}

fn batch(random: &mut Random, logged: u64) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..random.below(30) {
        let (space, key) = (random.space(), random.key());
        let value = (random.below(3) > 0).then(|| vec![random.next() as u8; random.below(200) as usize]);
        batch.rows.insert((space, key), value);
    }
    for index in 1..=random.below(4) {
        batch.log.push((logged + index, random.next().to_be_bytes().to_vec()));
    }
    batch
}

fn reads<S: Store>(store: &S, random: &mut Random, model: &Model, name: &str) {
    let (space, key, from, to) = (random.space(), random.key(), random.bound(), random.bound());
    assert_eq!(ok(store.get(space, &key)).as_ref(), model.rows.get(&(space, key.clone())), "{name}");
    let expected = model.range(space, &from, &to);
    assert_eq!(range(store, space, &from, &to), expected, "{space:?} from {from:?} to {to:?}, {name}");
    let mut first = None;
    ok(store.scan_back(space, &from, &to, &mut |key, _| {
        first = Some(key.to_vec());
        ControlFlow::Break(())
    }));
    assert_eq!(first.as_ref(), expected.last().map(|(key, _)| key), "last of {space:?}, {name}");
    let index = random.below(model.log.len() as u64 + 2);
    let skipped = index.saturating_sub(1) as usize;
    assert_eq!(log(store, index), model.log.get(skipped..).unwrap_or_default(), "log from {index}, {name}");
}
