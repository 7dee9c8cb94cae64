//! The trait that every resolver implements, and what it works with.

use crate::conflict::{Conflict, ConflictId, Indexed};
use crate::field::FieldRows;
use crate::operation::Operation;
use crate::pile::{Memo, Pile, PileHead, PilePart};
use anabranch_causality::transaction::MAX_TAGS;
use anabranch_causality::{Actor, Add, Context, Effect, Fold, Hlc, Kind, OperationId, Supersede, Tag};
use serde_json::Value;
use std::ops::ControlFlow;

/// How a collection combines concurrent writes.
///
/// The laws, checked by [`crate::laws`]: the value is a function of the surviving rows and sums alone, not of the order
/// in which they came; what `prepare` **adds** is a function of the operation and its id alone, whatever the state, and
/// only what it **supersedes** may depend on state; `fold` is commutative and associative. A kind whose sums are piles may
/// fold what depends on state for requests that the leader numbers ([`anabranch_causality::Actor::Leader`]), for they are
/// prepared once only.
pub trait Resolver: Send + Sync {
    /// The name that users give, such as `lww`.
    fn name(&self) -> &'static str;

    /// The family of rows it works on.
    fn kind(&self) -> Kind;

    /// Turns an operation into changes, or refuses it. Business checks live here and only here: an effect, once
    /// prepared, is never refused anywhere.
    ///
    /// # Errors
    /// [`Rejection`]; then nothing of the operation takes effect.
    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection>;

    /// Whether an effect from elsewhere has the shape that this resolver's rows have. Called before any of it is applied.
    ///
    /// # Errors
    /// [`Malformed`]: the collection is parked, nothing is skipped.
    fn check(&self, effect: &Effect) -> Result<(), Malformed>;

    /// Combines a sum with a change; `None` is the sum of nothing. Kinds without sums keep the default.
    ///
    /// # Errors
    /// [`Malformed`] for bytes that are no sum or no change of this kind.
    fn fold(&self, sum: Option<&[u8]>, change: &[u8]) -> Result<Vec<u8>, Malformed> {
        let _ = (sum, change);
        Err(Malformed("this kind keeps no sums"))
    }

    /// For kinds whose sums are piled up instead of folded: then [`Resolver::fold`] is not asked.
    fn pile(&self) -> Option<&dyn Pile> {
        None
    }

    /// The value of a key from its surviving rows; `None` when there is no such key. Stops early, with
    /// [`Outcome::truncated`], when the value would be above `most_bytes` of JSON.
    ///
    /// # Errors
    /// [`ReadFailed`] when the rows cannot be read.
    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed>;

    /// The value as the answer to `operation` shows it; the same as [`Resolver::value`] unless the kind says otherwise.
    ///
    /// # Errors
    /// As [`Resolver::value`].
    fn value_after(
        &self,
        operation: &Operation,
        rows: &dyn Rows,
        most_bytes: usize,
    ) -> Result<Option<Outcome>, ReadFailed> {
        let _ = operation;
        self.value(rows, most_bytes)
    }

    /// The state of a key in the kind's own protocol, for kinds that have one; only what is not in `since`, when given.
    ///
    /// # Errors
    /// As [`Resolver::value`].
    fn export(&self, rows: &dyn Rows, since: Option<&[u8]>) -> Result<Exported, ReadFailed> {
        let _ = (rows, since);
        Ok(Exported::NotSupported)
    }

    /// What stands in conflict in a key, in the order of their subkeys; none for kinds that make none.
    ///
    /// # Errors
    /// [`ReadFailed`] when the rows cannot be read.
    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        let _ = rows;
        Ok(Vec::new())
    }

    /// How keys get into the index of open conflicts. The same for all resolvers of one kind.
    fn indexed(&self) -> Indexed {
        Indexed::Never
    }

    /// Whether any key can be in conflict. Of a resolver that says no, the entries of the index are passed over.
    fn makes_conflicts(&self) -> bool {
        self.indexed() != Indexed::Never
    }

    /// One surviving row as people read it, for `explain`: a register's value, a set's member. `null` when the kind has
    /// nothing better to say, or cannot have written the row.
    fn show(&self, subkey: &[u8], payload: &[u8]) -> Value {
        let _ = (subkey, payload);
        Value::Null
    }
}

/// What a key's rows come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The value. `null` when `truncated`.
    pub value: Value,
    /// How many versions stand in conflict; 0 where the resolver makes none.
    pub conflicts: u64,
    /// The true value is outside 64 bits and shown clamped.
    pub overflow: bool,
    /// The value was left out, being above the limit.
    pub truncated: bool,
    /// Registers: the tags of all surviving versions, the most important first. They make the context.
    pub versions: Vec<Tag>,
    /// Why the value is what it is, in a few words, for `explain`.
    pub reason: &'static str,
}

impl Outcome {
    /// A plain value without conflict.
    #[must_use]
    pub fn plain(value: Value, reason: &'static str) -> Self {
        Self { value, conflicts: 0, overflow: false, truncated: false, versions: Vec::new(), reason }
    }
}

/// The state of a key in its kind's own protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// The kind has no such protocol.
    NotSupported,
    /// `since` is not what the protocol calls a state.
    BadSince(Malformed),
    /// Nothing was ever written to the key.
    Nothing,
    /// The state, or what is new in it.
    Bytes(Vec<u8>),
}

/// One surviving row of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Which part of the key: a set's member, a cart's item; empty for registers.
    pub subkey: &'a [u8],
    /// The operation that added it.
    pub tag: Tag,
    /// The lowest stamp among the copies of that operation.
    pub stamp: Hlc,
    /// What it holds.
    pub payload: &'a [u8],
}

/// Called for each row; `Break` ends the walk.
pub type VisitRow<'a> = &'a mut dyn FnMut(Row<'_>) -> ControlFlow<()>;

/// Called for each part of a pile; `Break` ends the walk.
pub type VisitPart<'a> = &'a mut dyn FnMut(PilePart<'_>) -> ControlFlow<()>;

/// The surviving rows and sums of one key.
pub trait Rows {
    /// Visits the rows in ascending order of subkey; of one subkey only, when given.
    ///
    /// # Errors
    /// [`ReadFailed`]; whoever provided the rows knows the cause.
    fn rows(&self, subkey: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed>;

    /// The sum under a subkey, if anything was ever folded into it.
    ///
    /// # Errors
    /// As [`Rows::rows`].
    fn sum(&self, subkey: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed>;

    /// What is known of the pile under a subkey, if anything was ever piled up there.
    ///
    /// # Errors
    /// As [`Rows::rows`].
    fn pile(&self, subkey: &[u8]) -> Result<Option<PileHead>, ReadFailed> {
        let _ = subkey;
        Ok(None)
    }

    /// Visits the parts of a pile: all of them, or only the changes from a number on, as far as they were not merged.
    ///
    /// # Errors
    /// As [`Rows::rows`].
    fn pile_parts(&self, subkey: &[u8], from: Option<u64>, visit: VisitPart<'_>) -> Result<(), ReadFailed> {
        let _ = (subkey, from, visit);
        Ok(())
    }
}

/// The rows could not be read. Whoever provided them knows the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rows could not be read")]
pub struct ReadFailed;

/// An effect, row or sum that a kind's resolver cannot have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed: {0}")]
pub struct Malformed(pub &'static str);

/// Why an operation was refused. Nothing of it took effect, and it is not remembered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The kind has no such operation.
    #[error("{0}")]
    NotSupported(String),
    /// The resolver's own reason.
    #[error("{0}")]
    Rejected(String),
    /// The sum would leave the range of the value.
    #[error("{0}")]
    Overflow(String),
    /// Too many versions are in conflict for one more.
    #[error("{0}")]
    ConflictOpen(String),
    /// A booking's time is taken.
    #[error("{detail}")]
    SlotTaken {
        /// What happened.
        detail: String,
        /// The bookings in the way.
        bookings: Vec<String>,
    },
    /// The conflict is no more as it was seen: options came or went.
    #[error("{detail}")]
    ConflictChanged {
        /// What happened.
        detail: String,
        /// The conflict that now stands there, if one does.
        now: Option<ConflictId>,
    },
    /// The conflict was ended before.
    #[error("{0}")]
    AlreadyResolved(String),
    /// There is no conflict of that id here, nor was there one.
    #[error("{0}")]
    NoSuchConflict(String),
    /// The state could not be read.
    #[error(transparent)]
    Read(#[from] ReadFailed),
}

/// What `prepare` sees and fills: the state of one key, and the effect in the making.
pub struct Prepare<'a> {
    rows: &'a dyn Rows,
    /// What is put before the empty subkey: a map's field that is prepared as a register.
    scope: &'a [u8],
    operation: OperationId,
    context: Option<&'a Context>,
    first_position: u32,
    /// How many rows the effect superseded when this part of it began.
    superseded_before: usize,
    next_position: &'a mut u32,
    effect: &'a mut Effect,
    memo: Option<&'a mut Memo>,
    incomplete: bool,
}

impl<'a> Prepare<'a> {
    /// Prepares one operation of the request named `operation` on `effect`'s key. Positions go on from `next_position`.
    #[must_use]
    pub fn new(
        rows: &'a dyn Rows,
        operation: OperationId,
        context: Option<&'a Context>,
        next_position: &'a mut u32,
        effect: &'a mut Effect,
    ) -> Self {
        let first_position = *next_position;
        let superseded_before = effect.superseded();
        Self {
            rows,
            scope: &[],
            operation,
            context,
            first_position,
            superseded_before,
            next_position,
            effect,
            memo: None,
            incomplete: false,
        }
    }

    /// With what was kept open of the key.
    #[must_use]
    pub fn with_memo(self, memo: &'a mut Memo) -> Self {
        Self { memo: Some(memo), ..self }
    }

    /// What was kept open of the key, and where to keep it, if somebody keeps anything.
    pub fn memo(&mut self) -> Option<&mut Memo> {
        self.memo.as_deref_mut()
    }

    /// The state, as the leader has it, with what the request's former operations did.
    #[must_use]
    pub fn rows(&self) -> &'a dyn Rows {
        self.rows
    }

    /// The id of the request. Generated ids derive from it.
    #[must_use]
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    /// What the client saw, if it said.
    #[must_use]
    pub fn context(&self) -> Option<&'a Context> {
        self.context
    }

    /// Prepares a part of the operation on one subkey, seen as a register of its own. It has no context: those are about
    /// registers' keys.
    ///
    /// # Errors
    /// What `prepare` says.
    pub fn within(
        &mut self,
        subkey: &[u8],
        prepare: impl FnOnce(&mut Prepare<'_>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let rows = FieldRows::new(self.rows, subkey);
        let mut within = Prepare {
            rows: &rows,
            scope: subkey,
            operation: self.operation,
            context: None,
            first_position: self.first_position,
            superseded_before: self.effect.superseded(),
            next_position: &mut *self.next_position,
            effect: &mut *self.effect,
            memo: None,
            incomplete: self.incomplete,
        };
        let prepared = prepare(&mut within);
        self.incomplete = within.incomplete;
        prepared
    }

    /// The subkey as rows have it.
    fn place(&self, subkey: &[u8]) -> Vec<u8> {
        [self.scope, subkey].concat()
    }

    /// Where in the request the next row will be: a function of the request alone, for what is added is.
    #[must_use]
    pub fn position(&self) -> u32 {
        *self.next_position
    }

    /// Adds a row. What is added must be a function of the operation and its id alone.
    pub fn add(&mut self, subkey: impl Into<Vec<u8>>, payload: impl Into<Vec<u8>>) -> Tag {
        let position = *self.next_position;
        *self.next_position += 1;
        let subkey = self.place(&subkey.into());
        self.effect.adds.push(Add { position, subkey, payload: payload.into() });
        Tag { operation: self.operation, position }
    }

    /// Folds a change into a sum. The change must be a function of the operation and its id alone.
    pub fn fold(&mut self, subkey: impl Into<Vec<u8>>, change: impl Into<Vec<u8>>) {
        let subkey = self.place(&subkey.into());
        self.effect.folds.push(Fold { subkey, payload: change.into() });
    }

    /// Supersedes a row that was seen. Left alone are rows of the same session with a higher counter (a late retry undoes
    /// nothing), this very operation's own rows (it may be prepared again, to take the rest of what is too much for one
    /// effect), and what comes after the most tags that one effect may name: then [`Prepare::is_incomplete`].
    pub fn supersede(&mut self, row: &Row<'_>) {
        let by = row.tag.operation;
        let later_of_same = by.actor == self.operation.actor && by.counter > self.operation.counter;
        if later_of_same && matches!(by.actor, Actor::Session(_)) {
            return;
        }
        if by == self.operation && row.tag.position >= self.first_position {
            return;
        }
        if self.effect.superseded() >= MAX_TAGS {
            self.incomplete = true;
            return;
        }
        let scope = self.scope;
        match self.effect.supersedes.last_mut() {
            Some(group) if group.subkey.strip_prefix(scope) == Some(row.subkey) => group.tags.push(row.tag),
            _ => {
                let subkey = self.place(row.subkey);
                self.effect.supersedes.push(Supersede { subkey, tags: vec![row.tag] });
            }
        }
    }

    /// Supersedes all rows that are seen: of one subkey, or of the whole key.
    ///
    /// # Errors
    /// [`ReadFailed`].
    pub fn supersede_all(&mut self, subkey: Option<&[u8]>) -> Result<(), ReadFailed> {
        let rows = self.rows;
        rows.rows(subkey, &mut |row| {
            self.supersede(&row);
            if self.incomplete { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    /// How many rows this operation (or part of one, see [`Prepare::within`]) supersedes so far.
    #[must_use]
    pub fn superseded(&self) -> usize {
        self.effect.superseded() - self.superseded_before
    }

    /// Whether rows were left that one effect has no room to name. Then the same operation, prepared again as another
    /// transaction, takes the rest.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.incomplete
    }
}
