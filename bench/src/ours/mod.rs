//! What runners for Anabranch share.

pub mod disk;
pub mod local;
pub mod replica;
