//! What runners for Anabranch share.

pub mod cpu;
pub mod disk;
pub mod grown;
pub mod local;
pub mod replica;
