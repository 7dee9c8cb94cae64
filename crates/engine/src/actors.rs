//! The actor table: which operations of which sessions were applied.
//!
//! One row per session and counter, so that looking an operation up is one look-up; rows are never dropped yet. A row of
//! the session itself holds the highest counter seen, brought up to date every so often: the window is at least
//! [`WINDOW`], and at most a step more. What is not in [`Sessions`] is looked up.

use crate::apply::Applied;
use crate::keys;
use crate::sessions::{Session, Sessions};
use crate::store::{Read, Space, StoreError};
use crate::view::View;
use anabranch_causality::{Actor, DecodeError, Dot, Origin, Reader, SessionId, ShardId, Transaction, Writer};

/// How far below the highest counter seen of a session a new counter may be.
pub(crate) const WINDOW: u64 = 1024;
/// The highest counter is written when it passes a multiple of this.
pub(crate) const STEP: u64 = 64;

/// The requests applied under a session's counter: the hash of each and its first copy's dot.
pub(crate) fn applied(
    sessions: &mut Sessions,
    read: &dyn Read,
    session: SessionId,
    counter: u64,
) -> Result<Vec<(u64, Dot)>, StoreError> {
    let known = remembered(sessions, read, session)?;
    if known.is_applied(counter) == Some(false) {
        return Ok(Vec::new());
    }
    let requests = match read.get(Space::Actors, &keys::actor_key(&session, counter))? {
        None => Vec::new(),
        Some(bytes) => decode(&bytes).map_err(|error| StoreError::corrupt(format!("an actor's row: {error}")))?,
    };
    known.note(counter, !requests.is_empty());
    Ok(requests)
}

/// The highest counter seen of a session, or up to a step less.
pub(crate) fn highest(sessions: &mut Sessions, read: &dyn Read, session: SessionId) -> Result<u64, StoreError> {
    Ok(remembered(sessions, read, session)?.highest())
}

/// What is known of a session, its row at least.
fn remembered<'s>(
    sessions: &'s mut Sessions,
    read: &dyn Read,
    session: SessionId,
) -> Result<&'s mut Session, StoreError> {
    sessions.get(session, || {
        let found = read.get(Space::Actors, &keys::session_key(&session))?;
        Ok(found.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes))
    })
}

/// Remembers that a transaction's operation was applied, and says whether it had been before. A leader's own operations
/// have one copy only: their dot says all.
pub(crate) fn note(
    sessions: &mut Sessions,
    view: &mut View<'_>,
    transaction: &Transaction,
) -> Result<Applied, StoreError> {
    let Actor::Session(session) = transaction.operation.actor else { return Ok(Applied::default()) };
    let counter = transaction.operation.counter;
    let mut requests = applied(sessions, &view.reader(), session, counter)?;
    if requests.iter().any(|(hash, _)| *hash == transaction.operation.hash) {
        return Ok(Applied { copy: true, counter_reused: false });
    }
    let counter_reused = !requests.is_empty();
    requests.push((transaction.operation.hash, transaction.dot));
    view.set(Space::Actors, keys::actor_key(&session, counter), Some(encode(&requests)));
    let known = remembered(sessions, &view.reader(), session)?;
    if counter / STEP > known.highest() / STEP {
        view.set(Space::Actors, keys::session_key(&session), Some(counter.to_le_bytes().to_vec()));
        known.raise(counter);
    }
    known.note(counter, true);
    Ok(Applied { copy: false, counter_reused })
}

/// Whether a transaction's counter is so far below the highest seen of its session that it might not enter any more. What is
/// applied must not depend on this: replicas see counters in different orders. For a planted bug, which does not wait for
/// the whole window.
pub(crate) fn is_late(sessions: &mut Sessions, view: &View<'_>, transaction: &Transaction) -> Result<bool, StoreError> {
    let Actor::Session(session) = transaction.operation.actor else { return Ok(false) };
    Ok(transaction.operation.counter + STEP <= highest(sessions, &view.reader(), session)?)
}

fn encode(requests: &[(u64, Dot)]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(requests.len() * 24);
    for (hash, dot) in requests {
        writer.u64(*hash).varint(u64::from(dot.shard.0)).u64(dot.origin.0).varint(dot.seq);
    }
    writer.into_bytes()
}

fn decode(bytes: &[u8]) -> Result<Vec<(u64, Dot)>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut requests = Vec::new();
    while !reader.rest().is_empty() {
        let hash = reader.u64("hash")?;
        let shard = u16::try_from(reader.varint("shard")?).map_err(|_| DecodeError::TooLarge("shard"))?;
        let origin = Origin(reader.u64("origin")?);
        let dot = Dot { shard: ShardId(shard), origin, seq: reader.varint("sequence number")? };
        requests.push((hash, dot));
    }
    Ok(requests)
}
