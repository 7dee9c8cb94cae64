//! Conflicts: what only a person can decide, who decided what, and how to hear of either.

mod past;
mod side_by_side;
mod watch;

use crate::database::Database;
use crate::error::{ReadError, WriteError};
use crate::view::View;
use anabranch_causality::{Hlc, Kind, Origin};
use anabranch_engine::conflicts::{self, Cursor, Open};
use anabranch_engine::{Change, Collection, Refusal, Write, Written};
use anabranch_resolvers::{Choice, ConflictId, Decided, Keep, Moment, Operation, Rejection, Resolution};
pub use past::{Past, PastPage};
use serde_json::Value;
pub use side_by_side::{Column, side_by_side};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
pub(crate) use watch::Held;
pub use watch::{ConflictEvent, ConflictWatch};

/// How many conflicts [`Database::conflicts`] reads at a time.
const AT_ONCE: usize = 100;
/// How wide a conflict is written, in characters.
const WIDTH: usize = 100;
/// How many lines of its options are written at most.
const MOST_LINES: usize = 60;

/// What stands in conflict somewhere, with the options side by side.
///
/// Written with `{}`, the options are columns, with the lines marked in which they differ.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenConflict {
    /// Its id. When the options change, it is another conflict.
    pub id: ConflictId,
    /// The path of the collection.
    pub collection: String,
    /// The collection's kind.
    pub kind: Kind,
    /// The key.
    pub key: String,
    /// Which part of the key: a map's field. `None` for the whole key.
    pub field: Option<String>,
    /// From when on there was something to decide.
    pub since: Hlc,
    /// What can be chosen, each value once, oldest first.
    pub options: Vec<ConflictOption>,
    /// Former resolutions that contradict each other or what came beside them, oldest first.
    pub outcomes: Vec<Decided>,
}

/// One option of a conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictOption {
    /// Its name, unique in the conflict.
    pub id: String,
    /// What would be.
    pub value: Value,
    /// The region in which it was written first, when known.
    pub region: Option<String>,
    /// The node, when known.
    pub node: Option<String>,
    /// Who wrote it, when the kind's operations say.
    pub by: Option<String>,
    /// When it was written first.
    pub at: Hlc,
    /// How many versions say so.
    pub versions: usize,
}

/// Some open conflicts, in the order of collections and keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConflictPage {
    /// The conflicts.
    pub conflicts: Vec<OpenConflict>,
    /// Where to go on, when there may be more: opaque text that every replica understands.
    pub next: Option<String>,
}

/// How many conflicts are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenCounts {
    /// By the path, of each collection that can have any.
    pub collections: Vec<(String, u64)>,
    /// Whether there are more: counting ended at its limit.
    pub more: bool,
}

impl OpenCounts {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.collections.iter().map(|(_, count)| count).sum()
    }
}

impl OpenConflict {
    /// The decision to keep these options. Say who and why with [`Resolution::by`] and [`Resolution::note`].
    pub fn keep<S: Into<String>>(&self, options: impl IntoIterator<Item = S>) -> Resolution {
        Resolution::new(self.id, Keep::Options(options.into_iter().map(Into::into).collect()))
    }

    /// The decision for a value of one's own: registers and fields of maps.
    #[must_use]
    pub fn settle(&self, value: Value) -> Resolution {
        Resolution::new(self.id, Keep::Value(value))
    }

    fn of(view: &View, open: Open) -> Self {
        let path = view.catalog().get(&open.collection, open.kind).map(|collection| view.catalog().path(collection));
        let Open { collection, kind, key, conflict, origins } = open;
        let option = |choice: Choice| {
            let origin = choice.tags.iter().find_map(|tag| origins.get(tag));
            let (region, node) = place(view, origin.copied());
            let Choice { id, value, by, stamp, tags } = choice;
            ConflictOption { id, value, region, node, by, at: stamp, versions: tags.len() }
        };
        Self {
            id: conflict.id,
            collection: path.unwrap_or(collection),
            kind,
            key,
            field: Some(conflict.subkey)
                .filter(|subkey| !subkey.is_empty())
                .map(|subkey| String::from_utf8_lossy(&subkey).into_owned()),
            since: conflict.since,
            options: conflict.options.into_iter().map(option).collect(),
            outcomes: conflict.outcomes,
        }
    }
}

/// The region and node of an origin, when known.
fn place(view: &View, origin: Option<Origin>) -> (Option<String>, Option<String>) {
    let lineage = origin.and_then(|origin| view.lineages.get(origin));
    (lineage.map(|found| found.region.clone()), lineage.map(|found| found.node.clone()))
}

impl fmt::Display for OpenConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conflict {} in {}/{}", self.id, self.collection, side_by_side::safe(&self.key))?;
        if let Some(field) = &self.field {
            writeln!(f, "field {}", side_by_side::safe(field))?;
        }
        writeln!(f, "since {}", at(self.since))?;
        let columns: Vec<Column> = self.options.iter().map(Column::of).collect();
        write!(f, "{}", side_by_side(&columns, WIDTH, Some(MOST_LINES)))
    }
}

/// A stamp as people read it.
pub(crate) fn at(stamp: Hlc) -> String {
    let moment = i64::try_from(stamp.ms()).ok().and_then(Moment::from_ms);
    moment.map_or_else(|| stamp.to_string(), |moment| moment.to_string())
}

impl View {
    /// Up to `limit` open conflicts of a collection, or of all, after a place that [`ConflictPage::next`] named or an open
    /// conflict's id. A page may have fewer although there are more: then it says where to go on. Costs what is open, not what
    /// exists.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Cursor`] when `after` is neither.
    pub fn conflicts(
        &self,
        collection: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ConflictPage, ReadError> {
        let only = collection.map(|path| self.collection(path)).transpose()?;
        let after = after.map(|after| self.cursor(after)).transpose()?;
        self.conflict_page(only, after.as_ref(), limit)
    }

    fn conflict_page(
        &self,
        only: Option<&Collection>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<ConflictPage, ReadError> {
        let page = conflicts::page(&self.registry, &*self.read, &self.catalog, only, after, limit)?;
        let next = page.next.map(|next| next.encode());
        let conflicts = page.open.into_iter().map(|open| OpenConflict::of(self, open)).collect();
        Ok(ConflictPage { conflicts, next })
    }

    fn cursor(&self, text: &str) -> Result<Cursor, ReadError> {
        if let Ok(id) = text.parse() {
            let open = conflicts::one(&self.registry, &*self.read, &self.catalog, id)?;
            return open.as_ref().map(Cursor::after).ok_or(ReadError::Cursor);
        }
        Cursor::decode(text).ok_or(ReadError::Cursor)
    }

    /// The open conflict of that id; `None` when there is none. A look-up.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn conflict(&self, id: ConflictId) -> Result<Option<OpenConflict>, ReadError> {
        let open = conflicts::one(&self.registry, &*self.read, &self.catalog, id)?;
        Ok(open.map(|open| OpenConflict::of(self, open)))
    }

    /// What stands in conflict in a key.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn conflicts_in(&self, collection: &str, key: &str) -> Result<Vec<OpenConflict>, ReadError> {
        let collection = self.collection(collection)?;
        let open = conflicts::open_in(&self.registry, &*self.read, collection, key)?;
        Ok(open.into_iter().map(|open| OpenConflict::of(self, open)).collect())
    }

    /// The collection and key of a conflict: of one that is open, of one that somebody ended, or of one that has become
    /// another since, as far as this replica remembers. A decision about it belongs there.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn place_of_conflict(&self, id: ConflictId) -> Result<Option<(Collection, String)>, ReadError> {
        if let Some((number, key)) = conflicts::place(&*self.read, id)? {
            let found = self.catalog.by_id(number).filter(|found| !found.is_system());
            return Ok(found.map(|found| (found.clone(), key)));
        }
        Ok(self.ended(id)?.into_iter().find_map(|past| {
            let found = self.collection(&past.collection).ok()?;
            Some((found.clone(), past.key))
        }))
    }

    /// How many conflicts are open, looking at no more than `most` entries of the index.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn count_conflicts(&self, most: u64) -> Result<OpenCounts, ReadError> {
        let counted = conflicts::count_open(&self.registry, &*self.read, &self.catalog, most)?;
        let path = |(name, kind): (String, Kind)| {
            self.catalog.get(&name, kind).map_or(name, |collection| self.catalog.path(collection))
        };
        let collections = counted.collections.into_iter().map(|(place, count)| (path(place), count)).collect();
        Ok(OpenCounts { collections, more: counted.more })
    }
}

/// The open conflicts of one state, one by one: see [`Database::conflicts`].
pub struct Conflicts {
    view: Arc<View>,
    page: VecDeque<OpenConflict>,
    next: Option<String>,
    failed: Option<ReadError>,
}

impl Conflicts {
    /// Why the conflicts ended early, if they did.
    #[must_use]
    pub fn failed(&self) -> Option<&ReadError> {
        self.failed.as_ref()
    }

    fn read(&mut self, after: Option<&str>) -> Result<(), ReadError> {
        let page = self.view.conflicts(None, after, AT_ONCE)?;
        (self.page, self.next) = (page.conflicts.into(), page.next);
        Ok(())
    }
}

impl Iterator for Conflicts {
    type Item = OpenConflict;

    fn next(&mut self) -> Option<OpenConflict> {
        while self.page.is_empty() {
            let after = self.next.take()?;
            self.failed = self.read(Some(&after)).err();
        }
        self.page.pop_front()
    }
}

impl Database {
    /// The conflicts that are open in the state after the last commit, in the order of collections and keys. Read little by
    /// little: when a later part cannot be read, they end, and [`Conflicts::failed`] says why.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let db = anabranch::Database::open(dir.path().join("data"))?;
    /// for conflict in db.conflicts()? {
    ///     println!("{conflict}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn conflicts(&self) -> Result<Conflicts, ReadError> {
        let mut all = Conflicts { view: self.view(), page: VecDeque::new(), next: None, failed: None };
        all.read(None)?;
        Ok(all)
    }

    /// Ends a conflict as a person decided, and waits until that is on disk. It supersedes all options that the conflict's id
    /// names; what came beside them since stays, as a new conflict. Make the resolution with [`OpenConflict::keep`] or
    /// [`OpenConflict::settle`].
    ///
    /// # Errors
    /// [`WriteError`]; refused with [`Rejection::ConflictChanged`], [`Rejection::AlreadyResolved`] or
    /// [`Rejection::NoSuchConflict`] when it is not open any more.
    pub fn resolve(&self, resolution: Resolution) -> Result<Written, WriteError> {
        let found = self.view().place_of_conflict(resolution.conflict)?;
        let (collection, key) = found.ok_or_else(|| no_such_conflict(resolution.conflict))?;
        let (name, kind, operation) = (collection.name, collection.kind, Operation::Resolve(resolution));
        let change = Change::Operate { collection: name, kind, key, operation, context: None };
        self.apply(Write { changes: vec![change], key: None })
    }
}

fn no_such_conflict(id: ConflictId) -> WriteError {
    let rejection = Rejection::NoSuchConflict(format!("there is no conflict {id} here, nor is one known that was"));
    Refusal::Rejected { operation: 0, rejection }.into()
}
