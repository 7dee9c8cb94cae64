//! Stores for the engine: [`FjallStore`] keeps everything in a [data directory](DataDir), [`MemoryStore`] in memory,
//! with a crash, a rolled-back disk and failing commits at the push of a button.
//!
//! Both pass the same [conformance suite](conformance::run), which a third store should pass as well.

pub mod conformance;
mod cow;
mod directory;
#[cfg(feature = "fjall")]
mod fjall_store;
#[cfg(feature = "fjall")]
mod journal;
mod limits;
mod marker;
mod memory;
#[cfg(feature = "fjall")]
mod options;
#[cfg(feature = "fjall")]
mod room;
#[cfg(feature = "fjall")]
mod synced;

pub use directory::DataDir;
#[cfg(feature = "fjall")]
pub use fjall_store::{FjallSnapshot, FjallStore};
pub use limits::{KEY_MAX, VALUE_MAX};
pub use memory::{Counts, Image, MemorySnapshot, MemoryStore};
#[cfg(feature = "fjall")]
pub use options::Options;
