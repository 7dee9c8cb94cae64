//! A session as text, to be carried on elsewhere.
//!
//! `as1.<session>.<counter>.<guarantees>.<read>.<written>.<checksum>`: the session id as a UUID, the counter in decimal,
//! the guarantees as one hexadecimal digit (bit 0 read your writes, 1 monotonic reads, 2 monotonic writes, 3 writes follow
//! reads), the two vectors as tokens (which name their cluster), and 16 hexadecimal digits over all before them.

use crate::carried::Carried;
use crate::guarantees::Guarantees;
use crate::session::SessionState;
use anabranch_causality::{Token, TokenError, hash64};

const NAME: &str = "as";
const VERSION: &str = "1";
const FIELDS: usize = 7;

/// Why a text is not a session that can be carried on here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// Not a saved session, or damaged on the way.
    #[error("this is not a saved session: {0}")]
    Bad(&'static str),
    /// A session with another cluster.
    #[error("this session was saved with another cluster")]
    WrongCluster,
}

impl SessionState {
    /// The longest text that is looked at, in characters.
    pub const MAX_SAVED: usize = 2 * Token::MAX_TEXT + 128;

    /// The session as text, for the cluster of that name.
    ///
    /// **Only one holder may carry on.** Two that do would use one counter for two operations: a replica that sees both
    /// refuses the second, and the guarantees hold for neither holder. So save after the last write, and use the session
    /// no more where it was saved. A vector of more than about 600 origins is longer than [`SessionState::restore`]
    /// (and every replica) accepts.
    #[must_use]
    pub fn save(&self, cluster: &str) -> String {
        let (id, counter, guarantees) = (self.id, self.counter, self.guarantees.bits());
        let (read, written) = (self.read.token().encode(cluster), self.written.token().encode(cluster));
        let body = format!("{NAME}{VERSION}.{id}.{counter}.{guarantees:x}.{read}.{written}");
        let sum = checksum(&body);
        format!("{body}.{sum:016x}")
    }

    /// Carries on from a text that [`SessionState::save`] made with the cluster of that name.
    ///
    /// # Errors
    /// [`SaveError::WrongCluster`] for a sound session with another cluster, [`SaveError::Bad`] for anything else.
    pub fn restore(text: &str, cluster: &str) -> Result<Self, SaveError> {
        if text.len() > Self::MAX_SAVED {
            return Err(SaveError::Bad("it is too long"));
        }
        let fields: Vec<&str> = text.split('.').take(FIELDS + 1).collect();
        match fields[0].strip_prefix(NAME) {
            Some(VERSION) => {}
            Some(version) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(SaveError::Bad("its format version is not known here"));
            }
            _ => return Err(SaveError::Bad("it does not begin like one")),
        }
        let Ok([_, id, counter, guarantees, read, written, sum]) = <[&str; FIELDS]>::try_from(fields) else {
            return Err(SaveError::Bad("it is not whole"));
        };
        let body = &text[..text.len() - sum.len() - 1];
        if sum != format!("{:016x}", checksum(body)) {
            return Err(SaveError::Bad("its checksum does not match"));
        }
        let state = Self {
            id: id.parse().map_err(|_| MALFORMED)?,
            counter: counter.parse().map_err(|_| MALFORMED)?,
            guarantees: Guarantees::from_bits(u8::from_str_radix(guarantees, 16).map_err(|_| MALFORMED)?),
            read: vector(read, cluster)?,
            written: vector(written, cluster)?,
        };
        // One form only: leading zeros, capitals and unknown bits are nobody's.
        if state.save(cluster) == text { Ok(state) } else { Err(MALFORMED) }
    }
}

const MALFORMED: SaveError = SaveError::Bad("its content is malformed");

fn vector(text: &str, cluster: &str) -> Result<Carried, SaveError> {
    match Token::decode(text, cluster) {
        Ok(token) => Ok(Carried::new(token)),
        Err(TokenError::WrongCluster) => Err(SaveError::WrongCluster),
        Err(TokenError::Bad(_)) => Err(SaveError::Bad("one of its vectors is malformed")),
    }
}

fn checksum(body: &str) -> u64 {
    hash64("anabranch saved session 1", &[body.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Dot, Origin, ShardId};

    fn session() -> SessionState {
        let id = "019293a4-b5c6-7d7e-8f80-010203040506".parse().expect("a v7 id");
        let mut session = SessionState::new(id, Guarantees::ALL.monotonic_writes(false));
        let read = Token::of(ShardId(0), [(Origin(0x0102_0304_0506_0708), 300)].into_iter().collect());
        session.note_read(&Token::new(), &read);
        let begun = session.begin_write(Guarantees::ALL);
        let dot = Dot { shard: ShardId(0), origin: Origin(9), seq: 1 };
        session.note_written(dot, &begun.token, &begun.token, false);
        session
    }

    #[test]
    fn golden_text() {
        assert_eq!(session().save("shop"), GOLDEN);
        assert_eq!(SessionState::restore(GOLDEN, "shop"), Ok(session()));
    }
    const GOLDEN: &str = "as1.019293a4-b5c6-7d7e-8f80-010203040506.1.b.AXxPimYBAAEIBwYFBAMCAawCBIIf_lL0.AXxPimYBAAEJAAAAAAAAAAGBD-_L4gk.ea19dd1a3ecba977";

    #[test]
    fn a_session_that_did_nothing_knows_its_cluster_too() {
        let fresh = SessionState::new(session().id(), Guarantees::NONE);
        let text = fresh.save("shop");
        assert_eq!(SessionState::restore(&text, "shop"), Ok(fresh));
        assert_eq!(SessionState::restore(&text, "bank"), Err(SaveError::WrongCluster));
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let text = session().save("shop");
        for index in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[index] = if damaged[index] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("ASCII");
            assert!(matches!(SessionState::restore(&damaged, "shop"), Err(SaveError::Bad(_))), "{damaged}");
            assert!(matches!(SessionState::restore(&text[..index], "shop"), Err(SaveError::Bad(_))));
        }
        for bad in ["", ".", "......", "as", "é", &format!("{text}."), &"a".repeat(20_000)] {
            assert!(matches!(SessionState::restore(bad, "shop"), Err(SaveError::Bad(_))), "{bad}");
        }
    }

    #[test]
    fn another_version_is_told_from_garbage_and_forms_are_unique() {
        let version = SaveError::Bad("its format version is not known here");
        assert_eq!(SessionState::restore("as2.whatever", "shop"), Err(version));
        let text = session().save("shop");
        let (body, _) = text.rsplit_once('.').expect("a checksum");
        let padded = body.replacen(".1.", ".01.", 1);
        let padded = format!("{padded}.{:016x}", checksum(&padded));
        assert_eq!(SessionState::restore(&padded, "shop"), Err(MALFORMED));
    }
}
