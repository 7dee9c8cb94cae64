//! Stores for the engine: [`DiskStore`] keeps everything in a [data directory](DataDir), [`MemoryStore`] in memory,
//! with a crash, a rolled-back disk and failing commits at the push of a button.
//!
//! Both pass the same [conformance suite](conformance::run), which a third store should pass as well.

pub mod conformance;
mod cow;
mod directory;
#[cfg(feature = "disk")]
mod disk_store;
mod limits;
#[cfg(feature = "disk")]
mod log;
mod marker;
mod memory;
#[cfg(feature = "disk")]
mod options;
#[cfg(feature = "disk")]
mod room;
#[cfg(feature = "disk")]
mod rows;
mod sorted;

pub use directory::DataDir;
#[cfg(feature = "disk")]
pub use disk_store::{DiskSnapshot, DiskStore};
pub use limits::{BATCH_MAX, KEY_MAX, VALUE_MAX};
pub use memory::{Counts, Image, MemorySnapshot, MemoryStore};
#[cfg(feature = "disk")]
pub use options::Options;
