//! The certificate that a stranger shows in a handshake, as it comes: DER, read before anything is known of who it is.

use crate::meter::{self, Bound};
use anabranch_transport::fuzzing::{Doorkeeper, certificate_name};
use anabranch_transport::{NameError, PeerName};
use std::sync::LazyLock;

/// A name is taken out of the certificate whole before it is read; of one that is refused 200 characters are repeated.
pub const NAME: Bound = Bound { times: 4, plus: 4_096 };
/// Checking a signature takes room of its own, and the refusal tells once more who it claims to be.
pub const CHAIN: Bound = Bound { times: 16, plus: 64 << 10 };
/// When it is shown: the certificates of the corpus are valid then.
const NOW: u64 = 1_800_000_000;
/// The longest refusal: an escaped character may take ten bytes, and the name is in it twice.
const MOST_WORDS: usize = 8_192;

/// Certificates that were made once: others would be others each time. Of an authority, of three nodes of it (one of another
/// cluster, one without a name), and one that somebody made for themselves.
pub(crate) const CERTIFICATES: [&[u8]; 5] = [
    include_bytes!("certificates/authority.der"),
    include_bytes!("certificates/node.der"),
    include_bytes!("certificates/elsewhere.der"),
    include_bytes!("certificates/nameless.der"),
    include_bytes!("certificates/stranger.der"),
];
const CLUSTER: &str = "shop";
/// The only one who is let in.
const NODE: &str = "anabranch://shop/eu/eu-1";

static DOORKEEPER: LazyLock<Doorkeeper> = LazyLock::new(|| Doorkeeper::new(CERTIFICATES[0], CLUSTER));

/// A name that is read keeps the rules of names; nobody is let in but whom the authority knows.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let doorkeeper = &*DOORKEEPER;
    let named = meter::within(NAME, bytes.len(), || certificate_name(bytes));
    match &named {
        Ok(name) => assert_eq!(PeerName::parse(&name.to_string()).as_ref(), Ok(name)),
        Err(error) => check_error(error),
    }
    match meter::within(CHAIN, bytes.len(), || doorkeeper.admit(bytes, NOW)) {
        Ok(name) => {
            assert_eq!(name.to_string(), NODE, "the authority knows nobody else");
            assert_eq!(named.as_ref(), Ok(&name), "let in under another name than it states");
        }
        Err((refusal, heard)) => {
            assert!(refusal.is_some(), "nobody hears why: {heard}");
            assert!(heard.len() <= MOST_WORDS, "a stranger's text floods the error: {} bytes", heard.len());
        }
    }
}

fn check_error(error: &NameError) {
    let words = error.to_string();
    assert!(words.len() <= MOST_WORDS, "a stranger's text floods the error: {} bytes", words.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else what must hold would hold of nothing.
    #[test]
    fn one_is_let_in_and_the_others_hear_why() {
        let admitted = CERTIFICATES.map(|certificate| DOORKEEPER.admit(certificate, NOW).map_err(|(_, heard)| heard));
        let [authority, node, elsewhere, nameless, stranger] = admitted;
        assert_eq!(node.map(|name| name.to_string()), Ok(NODE.to_owned()));
        for (refused, why) in [
            (authority, "is not accepted by the authority"),
            (elsewhere, "a node of another cluster"),
            (nameless, "names no node"),
            (stranger, "another authority issued it"),
        ] {
            let heard = refused.expect_err("refused");
            assert!(heard.contains(why), "{heard}");
        }
    }
}
