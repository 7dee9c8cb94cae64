//! What a replica has applied, in memory: the clocks and small tables beside the rows.

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::keys::{self, meta};
use crate::record::Record;
use crate::store::{Read, Space, StoreError};
use anabranch_causality::{
    DecodeError, Dot, Hlc, Lineage, Lineages, Origin, Reader, Transaction, VersionVector, Writer,
};
use std::ops::ControlFlow;

/// After how many log records the digest is written whole again: bounds what opening replays.
pub(crate) const CHECKPOINT_EVERY: u64 = 4096;
const CLOCKS_VERSION: u8 = 1;
/// How many of the last log records opening looks at, at the least.
const LOOKED_AT: u64 = 256;

/// What has been applied, committed or in the batch.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Per origin the highest sequence number applied. Whole: nothing left out.
    pub vector: VersionVector,
    /// Which origin continues which.
    pub lineages: Lineages,
    /// The collections.
    pub catalog: Catalog,
    /// The digest of the rows.
    pub digest: Digest,
    /// The log index that the next transaction gets.
    pub next_index: u64,
    /// The highest stamp issued or seen, as far as the clock followed.
    pub hlc: Hlc,
    /// The last origin under which this data directory wrote.
    pub last_origin: Option<Origin>,
    /// The log index up to which the digest is on disk, whole.
    pub checkpoint: u64,
}

impl State {
    /// The state that a store holds.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails or contradicts itself.
    pub fn load(read: &dyn Read) -> Result<Self, StoreError> {
        let mut state = Self { catalog: Catalog::load(read)?, lineages: load_lineages(read)?, ..Self::default() };
        if let Some(bytes) = read.get(Space::Meta, meta::CLOCKS)? {
            state.read_clocks(&bytes).map_err(|error| StoreError::corrupt(format!("clocks: {error}")))?;
        }
        if let Some(bytes) = read.get(Space::Meta, meta::DIGEST)? {
            let mut reader = Reader::new(&bytes);
            state.checkpoint = reader.u64("log index").map_err(crate::digest::corrupt)?;
            state.digest = Digest::decode(&mut reader).map_err(crate::digest::corrupt)?;
        }
        state.replay_digest(read)?;
        Ok(state)
    }

    fn replay_digest(&mut self, read: &dyn Read) -> Result<(), StoreError> {
        let mut failed = None;
        let mut next = self.checkpoint;
        let mut last = VersionVector::new();
        // The digest may be up to date: the end of the log is looked at all the same.
        let from = self.checkpoint.min(self.next_index.saturating_sub(LOOKED_AT));
        read.log(from, &mut |index, bytes| {
            let replayed = Record::decode(bytes).and_then(|record| {
                let dot = Transaction::peek(record.transaction)
                    .map_err(|error| StoreError::corrupt(format!("a transaction in the log: {error}")))?;
                if index >= self.checkpoint {
                    self.digest.apply(dot, &record.deltas);
                }
                follows(&mut last, dot)
            });
            next = index + 1;
            match replayed {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if next.max(self.checkpoint) != self.next_index {
            let what = format!("the log ends at {next}, the clocks say {}", self.next_index);
            return Err(StoreError::corrupt(what));
        }
        self.agrees_with_log(&last)
    }

    /// The log ends where the vector says, for each origin of which its end has something.
    fn agrees_with_log(&self, last: &VersionVector) -> Result<(), StoreError> {
        match last.iter().find(|(origin, seq)| self.vector.get(*origin) != *seq) {
            None => Ok(()),
            Some((origin, seq)) => {
                let have = self.vector.get(origin);
                let what = format!("the version vector has {have} transactions of origin {origin}, the log {seq}");
                Err(StoreError::corrupt(what))
            }
        }
    }

    /// The row that is rewritten with every batch.
    #[must_use]
    pub fn clocks(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(96);
        writer.u8(CLOCKS_VERSION).u64(self.next_index).u64(self.hlc.0);
        writer.u64(self.last_origin.map_or(0, |origin| origin.0));
        self.lineages.compact(&self.vector).encode(&mut writer);
        writer.into_bytes()
    }

    fn read_clocks(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let clocks = Clocks::decode(bytes)?;
        self.next_index = clocks.next_index;
        self.hlc = clocks.hlc;
        self.last_origin = clocks.last_origin;
        self.vector = self.lineages.expand(&clocks.vector);
        Ok(())
    }

    /// The row of the digest as it is now.
    #[must_use]
    pub fn digest_row(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u64(self.next_index);
        self.digest.encode(&mut writer);
        writer.into_bytes()
    }
}

/// Takes note of a transaction in the log: of each origin they follow each other without a gap.
fn follows(last: &mut VersionVector, dot: Dot) -> Result<(), StoreError> {
    let before = last.get(dot.origin);
    if before > 0 && dot.seq <= before {
        return Err(StoreError::corrupt(format!("the log has {dot} twice, or after a later one")));
    }
    if before > 0 && dot.seq != before + 1 {
        return Err(StoreError::corrupt(format!("the log has {dot} next after number {before} of its origin")));
    }
    last.raise(dot.origin, dot.seq);
    Ok(())
}

/// What the clocks row says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// The log index that the next transaction gets.
    pub next_index: u64,
    /// The highest stamp issued or followed.
    pub hlc: Hlc,
    /// The last origin under which this data directory wrote.
    pub last_origin: Option<Origin>,
    /// What has been applied, without what newer origins imply.
    pub vector: VersionVector,
}

impl Clocks {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8("version")? {
            CLOCKS_VERSION => {}
            version => return Err(DecodeError::Version { what: "clocks", version }),
        }
        let next_index = reader.u64("log index")?;
        let hlc = Hlc(reader.u64("stamp")?);
        let last_origin = Some(Origin(reader.u64("origin")?)).filter(|origin| origin.0 != 0);
        let vector = VersionVector::decode(&mut reader)?;
        reader.finish("clocks")?;
        Ok(Self { next_index, hlc, last_origin, vector })
    }

    /// What the clocks row of a store or snapshot says.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails or the row is damaged.
    pub fn load(read: &dyn Read) -> Result<Self, StoreError> {
        match read.get(Space::Meta, meta::CLOCKS)? {
            None => Ok(Self::default()),
            Some(bytes) => Self::decode(&bytes).map_err(|error| StoreError::corrupt(format!("clocks: {error}"))),
        }
    }
}

/// The row of an origin's lineage.
pub(crate) fn lineage_row(origin: Origin, lineage: &Lineage) -> (Vec<u8>, Vec<u8>) {
    let mut writer = Writer::new();
    lineage.encode(&mut writer);
    ([meta::ORIGIN, &origin.0.to_be_bytes()].concat(), writer.into_bytes())
}

/// The lineages of all origins in a store or snapshot.
///
/// # Errors
/// [`StoreError`] when the store fails or a row is damaged.
pub fn load_lineages(read: &dyn Read) -> Result<Lineages, StoreError> {
    let mut lineages = Lineages::default();
    let mut failed = None;
    read.scan(Space::Meta, meta::ORIGIN, &keys::after(meta::ORIGIN), &mut |key, value| {
        let origin = key[meta::ORIGIN.len()..].try_into().map(u64::from_be_bytes);
        let mut reader = Reader::new(value);
        match (origin, Lineage::decode(&mut reader)) {
            (Ok(origin), Ok(lineage)) => lineages.insert(Origin(origin), lineage),
            _ => failed = Some(StoreError::corrupt("an origin's row")),
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(lineages), Err)
}
