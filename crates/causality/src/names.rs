//! What collections and keys may be called.

/// The longest name of a collection, in bytes.
pub const MAX_COLLECTION: usize = 128;
/// The longest key, in bytes.
pub const MAX_KEY: usize = 512;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A collection's name breaks the rule.
    #[error("a collection's name is 1 to 128 of A-Z a-z 0-9 _ . -, not `.` or `..`, and does not start with `_`")]
    Collection,
    /// A key breaks the rule.
    #[error("a key is 1 to 512 bytes of UTF-8 without control characters, not `.` or `..`")]
    Key,
}

/// Checks a collection's name as a user may give it: `[A-Za-z0-9_.-]{1,128}`, not `.` or `..`, not starting with `_`.
///
/// # Errors
/// [`NameError::Collection`].
pub fn check_collection(name: &str) -> Result<(), NameError> {
    if is_collection(name) && !name.starts_with('_') { Ok(()) } else { Err(NameError::Collection) }
}

/// Whether a name may stand in a transaction: as [`check_collection`], but names of the system, which start with `_`,
/// are allowed.
#[must_use]
pub fn is_collection(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_COLLECTION).contains(&name.len()) && name.bytes().all(allowed) && name != "." && name != ".."
}

/// Checks a key: 1 to 512 bytes of UTF-8 without control characters, not `.` or `..`.
///
/// # Errors
/// [`NameError::Key`].
pub fn check_key(key: &str) -> Result<(), NameError> {
    // No early end, so that many bytes are looked at together.
    let is_plain = key.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte));
    let printable = is_plain || !key.chars().any(char::is_control);
    let sound = (1..=MAX_KEY).contains(&key.len()) && printable && key != "." && key != "..";
    if sound { Ok(()) } else { Err(NameError::Key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        let longest = "x".repeat(128);
        for good in ["a", "carts", "A.b-c_9", "...", longest.as_str()] {
            assert_eq!(check_collection(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "_sys", "a/b", "a~b", "é", &"x".repeat(129), "a\n"] {
            assert_eq!(check_collection(bad), Err(NameError::Collection), "{bad}");
        }
        for bad in ["", ".", "..", "a\0", "a\u{7f}", "\u{85}", &"k".repeat(513)] {
            assert_eq!(check_key(bad), Err(NameError::Key), "{bad:?}");
        }
        assert_eq!(check_key("post:1/é 漢"), Ok(()));
    }
}
