//! One replica of the model: a log of its own writes, and what it has applied of all logs.

use super::Bug;
use std::collections::{BTreeMap, BTreeSet};

/// A change, under a number of its own however often it is asked for.
#[derive(Clone)]
pub(crate) enum Change {
    Add { write: u64, keys: Vec<String> },
    Count { operation: u64 },
}

/// A change in a log, and what its leader had applied.
#[derive(Clone)]
pub(crate) struct Transaction {
    pub(crate) after: Vec<u64>,
    change: Change,
}

pub(crate) struct Replica {
    pub(crate) applied: Vec<u64>,
    pub(crate) log: Vec<Transaction>,
    pub(crate) count: i64,
    sets: BTreeMap<String, BTreeSet<u64>>,
    counted: BTreeSet<u64>,
}

impl Replica {
    pub(crate) fn new(replicas: usize) -> Self {
        let (sets, counted) = (BTreeMap::new(), BTreeSet::new());
        Self { applied: vec![0; replicas], log: Vec::new(), count: 0, sets, counted }
    }

    /// Whether it has applied all that; of `origin` itself a transaction needs only what comes before it.
    pub(crate) fn has(&self, vector: &[u64], origin: usize) -> bool {
        self.applied.iter().zip(vector).enumerate().all(|(of, (have, need))| of == origin || have >= need)
    }

    pub(crate) fn apply(&mut self, origin: usize, transaction: &Transaction, bug: Bug) {
        self.applied[origin] += 1;
        match &transaction.change {
            Change::Add { write, keys } => {
                for key in keys {
                    self.sets.entry(key.clone()).or_default().insert(*write);
                }
            }
            Change::Count { operation } => {
                let fresh = self.counted.insert(*operation) || bug == Bug::CountsTwice;
                let lost = bug == Bug::LosesCounts && operation % 5 == 0;
                self.count += i64::from(fresh && !lost);
            }
        }
    }

    /// Writes here, as the replica of that number. Returns the place in the log, from 1.
    pub(crate) fn write(&mut self, here: usize, change: Change, bug: Bug) -> u64 {
        let transaction = Transaction { after: self.applied.clone(), change };
        self.apply(here, &transaction, bug);
        self.log.push(transaction);
        self.applied[here]
    }

    pub(crate) fn read(&self, keys: &[String]) -> BTreeMap<String, Vec<u64>> {
        let of = |key: &String| self.sets.get(key).map(|set| set.iter().copied().collect()).unwrap_or_default();
        keys.iter().map(|key| (key.clone(), of(key))).collect()
    }
}
