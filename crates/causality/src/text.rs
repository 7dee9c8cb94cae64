//! The opaque text of tokens and contexts: base64url without padding, in one canonical form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes as opaque text.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of opaque text; `None` when it is longer than `most` characters or not base64url in its one form.
pub fn decode(text: &str, most: usize) -> Option<Vec<u8>> {
    if text.len() > most { None } else { URL_SAFE_NO_PAD.decode(text).ok() }
}

/// The first `N` bytes of the BLAKE3 hash of `parts`, each preceded by its length.
pub(crate) fn hash<const N: usize>(purpose: &str, parts: &[&[u8]]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(purpose.as_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut out = [0; N];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..N]);
    out
}

/// 64 bits of the BLAKE3 hash of `parts`, for bytes that a stranger could choose; `purpose` keeps uses apart.
#[must_use]
pub fn hash64(purpose: &str, parts: &[&[u8]]) -> u64 {
    u64::from_le_bytes(hash(purpose, parts))
}
