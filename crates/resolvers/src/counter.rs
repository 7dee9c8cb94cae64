//! `g-counter` and `pn-counter`: sums to which every add counts exactly once.

use crate::operation::Operation;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind, Reader, Writer};
use std::ops::RangeInclusive;

/// A sum that only grows, from 0 to `i64::MAX`. Rejects negative changes.
#[derive(Clone, Copy, Debug, Default)]
pub struct GCounter;

/// A sum of 64 bits, signed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PnCounter;

const G_RANGE: RangeInclusive<i64> = 0..=i64::MAX;
const PN_RANGE: RangeInclusive<i64> = i64::MIN..=i64::MAX;

impl Resolver for GCounter {
    fn name(&self) -> &'static str {
        "g-counter"
    }

    fn kind(&self) -> Kind {
        Kind::G_COUNTER
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        match operation {
            Operation::Add(change) if *change < 0 => {
                Err(Rejection::Rejected(format!("a g-counter cannot go down: add {change}")))
            }
            Operation::Add(change) => add(*change, &G_RANGE, prepare),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        check(effect, self.kind(), &G_RANGE)
    }

    fn fold(&self, sum: Option<&[u8]>, change: &[u8]) -> Result<Vec<u8>, Malformed> {
        fold(sum, change)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        value(rows, &G_RANGE, most_bytes)
    }
}

impl Resolver for PnCounter {
    fn name(&self) -> &'static str {
        "pn-counter"
    }

    fn kind(&self) -> Kind {
        Kind::PN_COUNTER
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        match operation {
            Operation::Add(change) => add(*change, &PN_RANGE, prepare),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        check(effect, self.kind(), &PN_RANGE)
    }

    fn fold(&self, sum: Option<&[u8]>, change: &[u8]) -> Result<Vec<u8>, Malformed> {
        fold(sum, change)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        value(rows, &PN_RANGE, most_bytes)
    }
}

fn add(change: i64, range: &RangeInclusive<i64>, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let sum = read_sum(prepare.rows())?.unwrap_or(0);
    let after = sum.wrapping_add(change.into());
    // Only in the direction of the change: a sum that concurrent adds left outside must find its way back.
    let (low, high) = (i128::from(*range.start()), i128::from(*range.end()));
    if (change > 0 && after > high) || (change < 0 && after < low) {
        return Err(Rejection::Overflow(format!("{sum} plus {change} is outside {low} to {high}")));
    }
    let mut writer = Writer::new();
    writer.signed(change);
    prepare.fold([], writer.into_bytes());
    Ok(())
}

fn check(effect: &Effect, kind: Kind, changes: &RangeInclusive<i64>) -> Result<(), Malformed> {
    if effect.kind != kind {
        return Err(Malformed("not this counter's effect"));
    }
    if !(effect.adds.is_empty() && effect.supersedes.is_empty()) {
        return Err(Malformed("a counter has no rows"));
    }
    for fold in &effect.folds {
        if !fold.subkey.is_empty() {
            return Err(Malformed("a counter has no subkeys"));
        }
        if !changes.contains(&read_change(&fold.payload)?) {
            return Err(Malformed("a g-counter cannot go down"));
        }
    }
    Ok(())
}

/// Wrapping, so that it commutes whatever comes; 2^64 changes of 64 bits do not get that far.
fn fold(sum: Option<&[u8]>, change: &[u8]) -> Result<Vec<u8>, Malformed> {
    let sum = match sum {
        Some(bytes) => sum_of(bytes).ok_or(Malformed("a sum has 16 bytes"))?,
        None => 0,
    };
    Ok(sum.wrapping_add(read_change(change)?.into()).to_le_bytes().to_vec())
}

fn value(rows: &dyn Rows, range: &RangeInclusive<i64>, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
    let Some(sum) = read_sum(rows)? else {
        return Ok(None);
    };
    let shown = sum.clamp((*range.start()).into(), (*range.end()).into()) as i64;
    let overflow = i128::from(shown) != sum;
    let truncated = shown.to_string().len() > most_bytes;
    let value = if truncated { serde_json::Value::Null } else { shown.into() };
    let reason = if overflow { "the sum of all adds, clamped" } else { "the sum of all adds" };
    Ok(Some(Outcome { overflow, truncated, ..Outcome::plain(value, reason) }))
}

fn read_sum(rows: &dyn Rows) -> Result<Option<i128>, ReadFailed> {
    match rows.sum(&[])? {
        Some(bytes) => sum_of(&bytes).map(Some).ok_or(ReadFailed),
        None => Ok(None),
    }
}

fn sum_of(bytes: &[u8]) -> Option<i128> {
    Some(i128::from_le_bytes(bytes.try_into().ok()?))
}

fn read_change(bytes: &[u8]) -> Result<i64, Malformed> {
    const BAD: Malformed = Malformed("a change is a signed varint");
    let mut reader = Reader::new(bytes);
    let change = reader.signed("change").map_err(|_| BAD)?;
    reader.finish("change").map_err(|_| BAD)?;
    Ok(change)
}
