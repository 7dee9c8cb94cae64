//! What runners for Anabranch share.

pub mod clock;
pub mod cluster;
pub mod cpu;
pub mod disk;
pub mod grown;
pub mod local;
pub mod native;
pub mod node;
pub mod process;
mod prose;
pub mod replica;
pub mod server;
pub mod trace;
pub mod writes;
