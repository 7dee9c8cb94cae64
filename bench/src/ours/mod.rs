//! What runners for Anabranch share.

pub mod local;
pub mod replica;
