//! One session of the model: its two vectors, and the answer that it waits for.

use super::REPLICAS;
use anabranch_sim::histories::Guarantees;

/// What an answer tells the session.
pub(crate) enum Answer {
    /// What the replica had applied.
    Read(Vec<u64>),
    /// Where the write stands.
    Written(usize, u64),
}

pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) guarantees: Guarantees,
    read: Vec<u64>,
    written: Vec<u64>,
    waits: Option<(u64, Option<Answer>)>,
}

impl Session {
    pub(crate) fn new(number: usize) -> Self {
        let none = Guarantees::NONE;
        let some = [
            none.read_your_writes(true),
            none.monotonic_reads(true),
            none.monotonic_writes(true),
            none.writes_follow_reads(true),
        ];
        let guarantees = match number {
            0..4 => Guarantees::ALL,
            4..8 => none,
            other => some[other % 4],
        };
        let name = format!("s{number}");
        Self { name, guarantees, read: vec![0; REPLICAS], written: vec![0; REPLICAS], waits: None }
    }

    pub(crate) fn wait_for(&mut self, until: u64, answer: Option<Answer>) {
        self.waits = Some((until, answer));
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// Takes in the answer, if it has come by now.
    pub(crate) fn hear(&mut self, now: u64) {
        let Some((_, answer)) = self.waits.take_if(|(until, _)| *until <= now) else { return };
        match answer {
            Some(Answer::Read(applied)) => raise(&mut self.read, &applied),
            Some(Answer::Written(at, seq)) => self.written[at] = self.written[at].max(seq),
            None => {}
        }
    }

    pub(crate) fn for_read(&self) -> Vec<u64> {
        self.attach(self.guarantees.monotonic_reads, self.guarantees.read_your_writes)
    }

    pub(crate) fn for_write(&self) -> Vec<u64> {
        self.attach(self.guarantees.writes_follow_reads, self.guarantees.monotonic_writes)
    }

    pub(crate) fn carried(&self) -> Vec<u64> {
        self.attach(true, true)
    }

    fn attach(&self, read: bool, written: bool) -> Vec<u64> {
        let mut vector = vec![0; REPLICAS];
        for (attached, of) in [(read, &self.read), (written, &self.written)] {
            if attached {
                raise(&mut vector, of);
            }
        }
        vector
    }
}

fn raise(vector: &mut [u64], by: &[u64]) {
    for (entry, other) in vector.iter_mut().zip(by) {
        *entry = (*entry).max(*other);
    }
}
