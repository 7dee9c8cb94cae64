//! What a replica reads from its own disk: damage must be an error, never a panic, and never more than it is.

use crate::input::Input;
use crate::meter::{self, Bound};
use crate::replica::Replica;
use anabranch_causality::{Reader, Writer};
use anabranch_engine::digest::{Deltas, Digest};
use anabranch_engine::keys::{self, CollectionId};
use anabranch_engine::record::Record;
use anabranch_engine::rows::{self, Stored};
use anabranch_engine::store::{Batch, Space};
use anabranch_store::MemoryStore;

/// A bucket of 18 bytes may begin a node of a tree.
pub const BOUND: Bound = Bound { times: 48, plus: 1_024 };
/// A digest has 257 buckets of 32 bytes, and their past, however few are written.
pub const DIGEST: Bound = Bound { times: 48, plus: 24 << 10 };

/// How many forms there are; the first byte says which.
pub(crate) const FORMS: u8 = 5;

/// Records, digests and keys are written as they were read; a replica opens on any rows, or says that they are damaged.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let Some((form, rest)) = bytes.split_first() else { return };
    match form % FORMS {
        0 => record(rest),
        1 => digests(rest),
        2 => key(rest),
        3 => row(rest),
        _ => opening(rest),
    }
}

fn record(bytes: &[u8]) {
    if let Ok(record) = meter::within(BOUND, bytes.len(), || Record::decode(bytes)) {
        assert_eq!(record.encode(), bytes, "one form only: {record:?}");
        if record.decode_transaction().is_ok() {
            crate::transaction::body(record.transaction);
        }
    }
}

fn digests(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(deltas) = meter::within(BOUND, bytes.len(), || Deltas::decode(&mut reader)) {
        let mut writer = Writer::new();
        deltas.encode(&mut writer);
        assert_eq!(writer.as_bytes(), &bytes[..bytes.len() - reader.rest().len()], "one form only: {deltas:?}");
    }
    let mut reader = Reader::new(bytes);
    if let Ok(digest) = meter::within(DIGEST, bytes.len(), || Digest::decode(&mut reader)) {
        let mut writer = Writer::new();
        digest.encode(&mut writer);
        assert_eq!(writer.as_bytes(), &bytes[..bytes.len() - reader.rest().len()], "one form only");
    }
}

fn key(bytes: &[u8]) {
    let Ok((key, rest)) = meter::within(BOUND, bytes.len(), || keys::split_key(bytes)) else { return };
    let Ok((subkey, tag)) = meter::within(BOUND, bytes.len(), || keys::split_subkey(rest)) else { return };
    let number = bytes[..4].try_into().map(u32::from_be_bytes).expect("four bytes");
    let mut writer = Writer::append_to(keys::subkey_prefix(CollectionId(number), &key, &subkey));
    if let Some(tag) = tag {
        tag.encode(&mut writer);
    }
    assert_eq!(writer.as_bytes(), bytes, "one form only: {key:?}, {subkey:?}, {tag:?}");
}

fn row(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (rest, value) = (input.chunk(), input.rest());
    if let Ok((subkey, stored)) = meter::within(BOUND, bytes.len(), || rows::read(rest, value)) {
        let held = match stored {
            Stored::Sum(sum) => sum.len(),
            Stored::Pile => 0,
            Stored::Row(_, row) => row.payload.len(),
        };
        assert!(subkey.len() <= rest.len() && held <= value.len());
    }
}

/// Rows of the small tables, and log records: each a space or the log, a key and a value.
fn opening(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut batch = Batch::default();
    for _ in 0..16 {
        if input.is_empty() {
            break;
        }
        let (place, key, value) = (input.byte(), input.chunk(), input.chunk().to_vec());
        let meta = |name: &[u8]| (Space::Meta, [name, key].concat());
        match place % 8 {
            0 => drop(batch.rows.insert((Space::Meta, keys::meta::CLOCKS.to_vec()), Some(value))),
            1 => drop(batch.rows.insert((Space::Meta, keys::meta::DIGEST.to_vec()), Some(value))),
            2 => drop(batch.rows.insert((Space::Meta, keys::meta::IDENTITY.to_vec()), Some(value))),
            3 => drop(batch.rows.insert(meta(keys::meta::COLLECTION), Some(value))),
            4 => drop(batch.rows.insert(meta(keys::meta::ORIGIN), Some(value))),
            5 => drop(batch.rows.insert(meta(keys::meta::PARKED), Some(value))),
            6 => drop(batch.rows.insert((Space::ALL[key.len() % Space::ALL.len()], key.to_vec()), Some(value))),
            _ => batch.log.push((batch.log.len() as u64, value)),
        }
    }
    batch.rows.retain(|(_, key), _| !key.is_empty());
    let mut store = MemoryStore::new();
    if store.write(&batch).is_err() || store.sync().is_err() {
        return;
    }
    // Damage may be found when it is opened, or when it is first met; both are answers.
    if let Ok(mut replica) = Replica::try_open("a", 1, store) {
        let _ = replica.try_write(&crate::replica::add("k", 1));
    }
}
