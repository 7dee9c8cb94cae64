//! What runners for Anabranch share.

pub mod cluster;
pub mod cpu;
pub mod disk;
pub mod grown;
pub mod local;
pub mod replica;
pub mod trace;
