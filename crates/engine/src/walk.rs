//! Walking through a collection: keys and what their rows come to, in one scan of the store instead of some for each key.

use crate::catalog::Collection;
use crate::keys;
use crate::query::{self, QueryError};
use crate::rows::{self, Stored};
use crate::store::{Read, Space, StoreError};
use anabranch_causality::{Hlc, Tag};
use anabranch_resolvers::resolver::VisitRow;
use anabranch_resolvers::{Outcome, ReadFailed, Registry, Resolver, Row, Rows};
use std::ops::ControlFlow;

/// Rows of one key that are held at most: a key with more is read by itself.
const MOST_ROWS: usize = 64;
/// Bytes of rows of one key that are held at most.
const MOST_BYTES: usize = 64 << 10;

/// Visits the keys that start with `prefix` and come after `after`, with their values, in the order of the keys' bytes. Keys
/// without a value are passed over.
///
/// # Errors
/// [`QueryError`].
pub fn values(
    registry: &Registry,
    read: &dyn Read,
    collection: &Collection,
    (prefix, after): (&str, Option<&str>),
    visit: &mut dyn FnMut(&str, Outcome) -> ControlFlow<()>,
) -> Result<(), QueryError> {
    let resolver = query::resolver(registry, collection)?;
    let (mut from, end) = query::range(collection, prefix, after);
    loop {
        let mut walk = Walk { resolver: &*resolver, visit, gathered: Gathered::default(), end: None };
        read.scan(Space::Rows, &from, &end, &mut |key, value| walk.row(key, value))?;
        if walk.end.is_none() {
            walk.end = walk.key().err();
        }
        match walk.end {
            None | Some(End::Enough) => return Ok(()),
            Some(End::Failed(error)) => return Err(error.into()),
            Some(End::TooLarge(prefix)) => {
                let (key, _) = keys::split_key(&prefix)?;
                let value = query::value(registry, read, collection, &key, None, usize::MAX)?;
                if value.is_some_and(|value| visit(&key, value).is_break()) {
                    return Ok(());
                }
                from = keys::after(&prefix);
            }
        }
    }
}

/// One scan on its way.
struct Walk<'a> {
    resolver: &'a dyn Resolver,
    visit: &'a mut dyn FnMut(&str, Outcome) -> ControlFlow<()>,
    gathered: Gathered,
    end: Option<End>,
}

/// Why a scan ended before its last row.
enum End {
    /// The visitor had enough.
    Enough,
    /// The key with this prefix must be read by itself.
    TooLarge(Vec<u8>),
    Failed(StoreError),
}

impl Walk<'_> {
    fn row(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        match self.take(key, value) {
            Ok(()) => ControlFlow::Continue(()),
            Err(end) => {
                self.end = Some(end);
                ControlFlow::Break(())
            }
        }
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), End> {
        let length = keys::key_length(key).map_err(End::Failed)?;
        let (prefix, rest) = key.split_at(length);
        if prefix != self.gathered.prefix {
            self.key()?;
            self.gathered.begin(prefix);
        }
        self.gathered.take(rest, value).map_err(End::Failed)?;
        if self.gathered.is_too_large() { Err(End::TooLarge(prefix.to_vec())) } else { Ok(()) }
    }

    /// All rows of a key were gathered.
    fn key(&mut self) -> Result<(), End> {
        if self.gathered.prefix.is_empty() {
            return Ok(());
        }
        let (key, _) = keys::split_key(&self.gathered.prefix).map_err(End::Failed)?;
        let corrupt = |_| End::Failed(StoreError::corrupt(format!("the rows of key {key:?}")));
        let Some(outcome) = self.resolver.value(&self.gathered, usize::MAX).map_err(corrupt)? else { return Ok(()) };
        if (self.visit)(&key, outcome).is_break() { Err(End::Enough) } else { Ok(()) }
    }
}

/// The rows and sums of one key.
#[derive(Default)]
struct Gathered {
    /// Of the keys of all its rows.
    prefix: Vec<u8>,
    /// In the order of the store, which is that of the subkeys.
    rows: Vec<(Vec<u8>, Tag, Hlc, Vec<u8>)>,
    sums: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    /// There are piles, which only the store can show.
    has_piles: bool,
}

impl Gathered {
    fn begin(&mut self, prefix: &[u8]) {
        self.prefix.clear();
        self.prefix.extend_from_slice(prefix);
        self.rows.clear();
        self.sums.clear();
        (self.bytes, self.has_piles) = (0, false);
    }

    fn take(&mut self, rest: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.bytes += rest.len() + value.len();
        let (subkey, stored) = rows::read(rest, value)?;
        match stored {
            Stored::Row(tag, row) => self.rows.push((subkey, tag, row.stamp, row.payload)),
            Stored::Sum(sum) => self.sums.push((subkey, sum)),
            Stored::Pile => self.has_piles = true,
        }
        Ok(())
    }

    fn is_too_large(&self) -> bool {
        self.has_piles || self.rows.len() + self.sums.len() > MOST_ROWS || self.bytes > MOST_BYTES
    }
}

impl Rows for Gathered {
    fn rows(&self, subkey: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        let wanted = |row: &&(Vec<u8>, _, _, _)| subkey.is_none_or(|subkey| subkey == row.0);
        for (subkey, tag, stamp, payload) in self.rows.iter().filter(wanted) {
            if visit(Row { subkey, tag: *tag, stamp: *stamp, payload }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn sum(&self, subkey: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Ok(self.sums.iter().find(|(known, _)| known == subkey).map(|(_, sum)| sum.clone()))
    }
}
