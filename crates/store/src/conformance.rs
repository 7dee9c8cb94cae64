//! What every store must do, as a suite of checks to run against it.
//!
//! The checks panic with what is wrong, as tests do.

use anabranch_engine::store::{Batch, Read, Space, Store, StoreError, StoreErrorKind};

mod basics;
mod model;
mod safety;

pub use model::random;

/// A store under test, with what the [`Store`] trait itself does not offer.
pub trait Harness {
    /// The store.
    type Store: Store;

    /// The opened store.
    fn store(&mut self) -> &mut Self::Store;

    /// Closes the store and opens it again, as a restart does. Snapshots may be dropped, but commits must not.
    fn reopen(&mut self);

    /// Lets the next commit fail with this kind, before anything becomes visible. Returns whether it could be arranged;
    /// if not, the checks that need it are left out.
    fn fail_next_commit(&mut self, kind: StoreErrorKind) -> bool;
}

/// Runs every check, each on a fresh, empty store.
///
/// # Panics
/// When the store breaks a promise of the traits.
pub fn run<H: Harness>(fresh: &mut dyn FnMut() -> H) {
    let checks: [fn(&mut H); 13] = [
        basics::put_get_delete,
        basics::spaces_are_separate,
        basics::scan_order_and_bounds,
        basics::break_ends_a_scan,
        basics::bytes_of_all_kinds,
        basics::limits,
        basics::large_values,
        basics::log_reads_from_an_index,
        safety::a_batch_becomes_visible_whole,
        safety::snapshots_stay,
        safety::snapshots_cross_threads,
        safety::reopening_keeps_everything,
        safety::failures,
    ];
    for check in checks {
        check(&mut fresh());
    }
}

/// Rows as a scan hands them over.
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// Unwraps: in a suite of checks an error of the store is a failed check.
#[track_caller]
fn ok<T>(result: Result<T, StoreError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the store failed: {error}"),
    }
}

/// Takes at most `most` rows of a scan.
#[track_caller]
fn some(read: &impl Read, space: Space, from: &[u8], to: &[u8], back: bool, most: usize) -> Rows {
    use std::ops::ControlFlow::{Break, Continue};
    let mut rows = Rows::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        assert!(rows.len() < most, "visited after a break");
        rows.push((key.to_vec(), value.to_vec()));
        if rows.len() == most { Break(()) } else { Continue(()) }
    };
    ok(if back { read.scan_back(space, from, to, &mut visit) } else { read.scan(space, from, to, &mut visit) });
    rows
}

/// The rows of a range, ascending; checks that the other direction yields the same.
#[track_caller]
fn range(read: &impl Read, space: Space, from: &[u8], to: &[u8]) -> Rows {
    let rows = some(read, space, from, to, false, usize::MAX);
    let mut back = some(read, space, from, to, true, usize::MAX);
    back.reverse();
    assert_eq!(rows, back, "both directions see the same rows of {space:?} from {from:?} to {to:?}");
    rows
}

/// The log from an index on.
#[track_caller]
fn log(read: &impl Read, index: u64) -> Vec<(u64, Vec<u8>)> {
    let mut records = Vec::new();
    ok(read.log(index, &mut |index, record| {
        records.push((index, record.to_vec()));
        std::ops::ControlFlow::Continue(())
    }));
    records
}

/// All that can be read: every space and the log.
#[track_caller]
fn all(read: &impl Read) -> (Vec<Rows>, Vec<(u64, Vec<u8>)>) {
    (Space::ALL.iter().map(|space| range(read, *space, &[], &[])).collect(), log(read, 0))
}

/// A batch of puts and deletes in one space.
fn batch<const N: usize>(space: Space, rows: [(&[u8], Option<&[u8]>); N]) -> Batch {
    let rows = rows.into_iter().map(|(key, value)| ((space, key.to_vec()), value.map(<[u8]>::to_vec)));
    Batch { log: Vec::new(), rows: rows.collect() }
}
