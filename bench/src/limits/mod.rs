//! What the machine and the parts that we stand on can do at most.

pub mod axum;
pub mod bare_file;
pub mod fjall;
pub mod hash_map;
pub mod quic;
