//! Resolvers: how a collection combines concurrent writes.
//!
//! A resolver decides **rows, not blobs**. Its `prepare` turns an operation into an effect, with the business checks; its
//! `value` is a pure function from the surviving rows to what people read. How effects are applied is the same for all:
//! rows superseded go, rows added come once per operation id, sums are folded once per operation id.

pub mod calendar;
pub mod cart;
pub mod conflict;
pub mod counter;
pub mod custom;
pub mod escalate;
mod field;
mod json;
pub mod keep_all;
pub mod laws;
pub mod lww;
pub mod map;
pub mod moment;
pub mod operation;
pub mod or_set;
pub mod pile;
mod register;
pub mod registry;
pub mod resolver;
#[cfg(feature = "text")]
pub mod text;
pub mod write;

pub use calendar::Calendar;
pub use cart::Cart;
pub use conflict::{Choice, Conflict, ConflictId, Decided, Indexed};
pub use counter::{GCounter, PnCounter};
pub use custom::Custom;
pub use escalate::Escalate;
pub use json::read_json;
pub use keep_all::KeepAll;
pub use lww::Lww;
pub use map::Map;
pub use moment::Moment;
pub use operation::{Booking, Keep, Member, Operation, OperationError, Resolution, Span};
pub use or_set::OrSet;
pub use pile::{Memo, Pile, PileHead, PilePart};
pub use registry::{NameTaken, Registry};
pub use resolver::{Exported, Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Row, Rows};
#[cfg(feature = "text")]
pub use text::Text;
pub use write::{Change, MAX_DECLARED_FIELD, Write};
