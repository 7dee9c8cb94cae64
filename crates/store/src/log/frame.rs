//! A frame: one batch as bytes, with a checksum.
//!
//! | field | |
//! |---|---|
//! | checksum `u64` | xxh3 of all that follows, with the segment's salt as seed |
//! | length `u32` | of the body, at least 1 |
//! | number `u64` | counts frames from 0 on, through all segments; combined with the salt by exclusive or |
//! | body | index of the first log record, or of the next to come (`varint`); number of records (`varint`); the records, `bytes` each; rows up to the end |
//!
//! The salt is in the number for what lies in a torn frame: else a value could be full of what looks like heads, and looking for
//! frames there would take the checksum of each.
//!
//! A row: space `u8`, with 128 added where the row is deleted; key `bytes`; value `bytes`, unless it is deleted.

use std::ops::ControlFlow;

use anabranch_causality::{DecodeError, Reader, Writer};
use anabranch_engine::store::{Batch, Space, StoreError, StoreErrorKind};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes before a frame's body.
pub(crate) const HEAD: usize = 8 + 4 + 8;

/// The longest body. An engine's batch has some ten MiB.
pub(crate) const MAX_BODY: usize = crate::limits::BATCH_MAX as usize;

const DELETED: u8 = 0x80;

/// What a frame says before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    checksum: u64,
    /// The length of head and body.
    pub(crate) length: usize,
    pub(crate) number: u64,
}

impl Head {
    /// Reads a head; `None` where there can be none, as in the zeros after the last frame.
    pub(crate) fn read(bytes: &[u8], salt: u64) -> Option<Self> {
        let mut reader = Reader::new(bytes.get(..HEAD)?);
        let checksum = reader.u64("checksum").ok()?;
        let body = reader.u32("length").ok()? as usize;
        let number = reader.u64("number").ok()? ^ salt;
        (1..=MAX_BODY).contains(&body).then_some(Self { checksum, length: HEAD + body, number })
    }
}

/// A frame whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) number: u64,
    /// The index of its first log record, or of the next to come.
    pub(crate) index: u64,
    /// How many log records it has.
    pub(crate) records: u64,
    /// Its bytes, head and body.
    pub(crate) length: usize,
    rest: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the frame that `bytes` begin with; `None` when it is not whole and right.
    pub(crate) fn read(bytes: &'a [u8], salt: u64) -> Option<Self> {
        let head = Head::read(bytes, salt)?;
        let bytes = bytes.get(..head.length)?;
        if xxh3_64_with_seed(&bytes[8..], salt) != head.checksum {
            return None;
        }
        let (index, records, rest) = start(&bytes[HEAD..]).ok()?;
        Some(Self { number: head.number, index, records, length: head.length, rest })
    }

    /// The log index after this frame.
    pub(crate) fn next_index(&self) -> u64 {
        self.index + self.records
    }

    /// Visits the log records; `Ok(Break)` when the visitor had enough.
    pub(crate) fn visit_records(
        &self,
        visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, DecodeError> {
        let mut reader = Reader::new(self.rest);
        for index in self.index..self.next_index() {
            if visit(index, reader.bytes(MAX_BODY, "a log record")?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Visits the rows: space, key, and the value unless it is deleted.
    pub(crate) fn visit_rows(
        &self,
        visit: &mut dyn FnMut(Space, &'a [u8], Option<&'a [u8]>),
    ) -> Result<(), DecodeError> {
        let mut reader = Reader::new(self.rest);
        for _ in 0..self.records {
            reader.bytes(MAX_BODY, "a log record")?;
        }
        while !reader.rest().is_empty() {
            let tagged = reader.u8("space")?;
            let space = Space::ALL.into_iter().find(|space| *space as u8 == tagged & !DELETED);
            let space = space.ok_or(DecodeError::Invalid("space"))?;
            let key = reader.bytes(MAX_BODY, "key")?;
            let value = if tagged & DELETED == 0 { Some(reader.bytes(MAX_BODY, "value")?) } else { None };
            visit(space, key, value);
        }
        Ok(())
    }
}

/// The first log index of the frame whose body begins so, and how many records follow.
pub(crate) fn start(body: &[u8]) -> Result<(u64, u64, &[u8]), DecodeError> {
    let mut reader = Reader::new(body);
    let index = reader.varint("log index")?;
    let records = reader.varint("log records")?;
    index.checked_add(records).ok_or(DecodeError::Invalid("log index"))?;
    Ok((index, records, reader.rest()))
}

/// Writes a batch as a frame into `buffer`, in the place of what is there.
///
/// # Errors
/// `Io` when the batch is too large, or its log records do not follow each other.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    batch: &Batch,
    (number, next_index, salt): (u64, u64, u64),
) -> Result<(), StoreError> {
    buffer.clear();
    let mut writer = Writer::append_to(std::mem::take(buffer));
    writer.raw(&[0; HEAD]);
    let first = batch.log.first().map_or(next_index, |(index, _)| *index);
    writer.varint(first).varint(batch.log.len() as u64);
    for (expected, (index, record)) in (first..).zip(&batch.log) {
        if *index != expected {
            return Err(refused(format!("log record {index} follows {}", expected.wrapping_sub(1))));
        }
        writer.bytes(record);
    }
    for ((space, key), value) in &batch.rows {
        match value {
            Some(value) => writer.u8(*space as u8).bytes(key).bytes(value),
            None => writer.u8(*space as u8 | DELETED).bytes(key),
        };
    }
    *buffer = writer.into_bytes();
    let body = buffer.len() - HEAD;
    if body > MAX_BODY {
        return Err(refused(format!("a batch of {body} bytes, allowed are {MAX_BODY}")));
    }
    buffer[8..12].copy_from_slice(&(body as u32).to_le_bytes());
    buffer[12..HEAD].copy_from_slice(&(number ^ salt).to_le_bytes());
    let checksum = xxh3_64_with_seed(&buffer[8..], salt);
    buffer[..8].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

fn refused(what: String) -> StoreError {
    StoreError::new(StoreErrorKind::Io, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        let rows = [
            ((Space::Meta, b"k".to_vec()), Some(b"v".to_vec())),
            ((Space::Rows, b"gone".to_vec()), None),
            ((Space::Rows, b"r".to_vec()), Some(Vec::new())),
        ];
        Batch { log: vec![(7, b"seven".to_vec()), (8, b"".to_vec())], rows: rows.into() }
    }

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, &batch(), (3, 7, 11)).unwrap();
        bytes
    }

    #[test]
    fn golden() {
        let hex: String = encoded().iter().map(|byte| format!("{byte:02x}")).collect();
        let body = "070205736576656e00";
        let rows = "01016b017682 04676f6e65 02017200".replace(' ', "");
        assert_eq!(hex[16..], format!("18000000{}{body}{rows}", "0800000000000000"));
        assert_eq!(hex[..16], format!("{:016x}", xxh3_64_with_seed(&encoded()[8..], 11).swap_bytes()));
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = encoded();
        let frame = Frame::read(&bytes, 11).expect("a frame");
        assert_eq!((frame.number, frame.index, frame.next_index()), (3, 7, 9));
        let mut back = Batch::default();
        let flow = frame.visit_records(&mut |index, record| {
            back.log.push((index, record.to_vec()));
            ControlFlow::Continue(())
        });
        assert_eq!(flow, Ok(ControlFlow::Continue(())));
        let row = &mut |space, key: &[u8], value: Option<&[u8]>| {
            back.rows.insert((space, key.to_vec()), value.map(<[u8]>::to_vec));
        };
        frame.visit_rows(row).unwrap();
        assert_eq!(back, batch());
    }

    #[test]
    fn a_flipped_bit_or_another_salt_or_a_missing_byte_is_no_frame() {
        let bytes = encoded();
        assert!(Frame::read(&bytes, 12).is_none());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(Frame::read(&damaged, 11).is_none(), "bit {bit} of byte {at}");
            }
            assert!(Frame::read(&bytes[..at], 11).is_none());
        }
        assert!(Head::read(&[0; 64], 11).is_none(), "zeros are no head");
    }

    #[test]
    fn records_that_do_not_follow_each_other_are_refused() {
        let batch = Batch { log: vec![(1, Vec::new()), (3, Vec::new())], ..Batch::default() };
        assert!(encode(&mut Vec::new(), &batch, (0, 0, 0)).is_err());
    }
}
