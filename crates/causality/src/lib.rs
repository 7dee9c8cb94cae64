//! The words that order writes: origins, dots, version vectors, hybrid clocks, operation ids, tokens, contexts,
//! transactions, and their bytes.
//!
//! Pure data: nothing here reads a clock, draws a random number or does input and output. Everything that decodes
//! rejects before it allocates, refuses bytes that are not the one canonical form, and leaves nothing behind.
//! The byte formats are written down in `docs/formats.md` and pinned by golden tests.

pub mod bytes;
pub mod context;
pub mod hlc;
pub mod ids;
pub mod kind;
pub mod lineage;
pub mod names;
pub mod packed;
mod sorted;
pub mod text;
pub mod token;
pub mod transaction;
pub mod vector;

pub use bytes::{DecodeError, Reader, Writer};
pub use context::{Context, ContextError};
pub use hlc::{Hlc, HlcClock};
pub use ids::{Actor, Dot, OperationId, Origin, SessionId, ShardId, Tag};
pub use kind::Kind;
pub use lineage::{Lineage, Lineages};
pub use names::NameError;
pub use packed::{Packer, Unpacker};
pub use text::hash64;
pub use token::{Token, TokenError};
pub use transaction::{Add, Effect, Fold, Supersede, Transaction};
pub use vector::VersionVector;
