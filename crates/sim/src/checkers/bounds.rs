//! I10: what a peer or a client can fill has a limit.

use anabranch_engine::{Config, Status};

/// What a waiting transaction costs at least, beside its bytes.
const WAITING_BYTES: usize = 512;
/// One transaction may go beyond the window: none here is longer.
const LONGEST: usize = 64 << 10;

/// Checks what a replica keeps for its peers.
pub(crate) fn check(config: &Config, status: &Status) -> Result<(), String> {
    let most = config.buffer_bytes / WAITING_BYTES;
    if status.buffered > most as u64 {
        return Err(format!("{} transactions wait for what they depend on, there is room for {most}", status.buffered));
    }
    match status.peers.iter().find(|peer| peer.in_flight_bytes > config.window_bytes + LONGEST) {
        None => Ok(()),
        Some(peer) => {
            let (name, bytes, window) = (&peer.name, peer.in_flight_bytes, config.window_bytes);
            Err(format!("{bytes} bytes are on their way to {name}, the window is {window}"))
        }
    }
}
