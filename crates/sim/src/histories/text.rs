//! How guarantees and dots are written in histories.

use anabranch_causality::{Dot, ShardId};

/// `session`, `eventual`, or names joined by `+`.
pub(crate) mod guarantees {
    use anabranch_session::Guarantees;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const NAMES: [&str; 4] = ["ryw", "mr", "mw", "wfr"];

    pub(crate) fn serialize<S: Serializer>(guarantees: &Guarantees, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show(*guarantees))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Guarantees, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} says no guarantees")))
    }

    fn show(guarantees: Guarantees) -> String {
        let Guarantees { read_your_writes, monotonic_reads, monotonic_writes, writes_follow_reads } = guarantees;
        let flags = [read_your_writes, monotonic_reads, monotonic_writes, writes_follow_reads];
        let asked: Vec<&str> = NAMES.into_iter().zip(flags).filter(|(_, asked)| *asked).map(|(name, _)| name).collect();
        match asked.len() {
            0 => "eventual".to_owned(),
            4 => "session".to_owned(),
            _ => asked.join("+"),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Guarantees> {
        match text {
            "session" => return Some(Guarantees::ALL),
            "eventual" => return Some(Guarantees::NONE),
            _ => {}
        }
        let mut guarantees = Guarantees::NONE;
        for name in text.split('+') {
            let flag = match name {
                "ryw" => &mut guarantees.read_your_writes,
                "mr" => &mut guarantees.monotonic_reads,
                "mw" => &mut guarantees.monotonic_writes,
                "wfr" => &mut guarantees.writes_follow_reads,
                _ => return None,
            };
            *flag = true;
        }
        Some(guarantees)
    }
}

/// `shard:origin:number`, as everywhere.
pub(crate) mod dot {
    use anabranch_causality::Dot;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(dot: &Option<Dot>, serializer: S) -> Result<S::Ok, S::Error> {
        match dot {
            Some(dot) => serializer.collect_str(dot),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dot>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let dot = super::parse_dot(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no dot")))?;
        Ok(Some(dot))
    }
}

/// Reads a dot as answers show it: `shard:origin:number`.
#[must_use]
pub fn parse_dot(text: &str) -> Option<Dot> {
    let mut parts = text.split(':');
    let shard = ShardId(parts.next()?.parse().ok()?);
    let origin = parts.next()?.parse().ok()?;
    let seq = parts.next()?.parse().ok().filter(|seq| *seq > 0)?;
    parts.next().is_none().then_some(Dot { shard, origin, seq })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::Origin;
    use anabranch_session::Guarantees;

    #[test]
    fn guarantees_are_named() {
        for (text, right) in [
            ("session", Some(Guarantees::ALL)),
            ("eventual", Some(Guarantees::NONE)),
            ("mr+ryw", Some(Guarantees::NONE.read_your_writes(true).monotonic_reads(true))),
            ("mw+wfr", Some(Guarantees::NONE.monotonic_writes(true).writes_follow_reads(true))),
            ("causal", None),
            ("", None),
        ] {
            assert_eq!(guarantees::parse(text), right, "{text}");
        }
    }

    #[test]
    fn dots_come_back() {
        let dot = Dot { shard: ShardId(3), origin: Origin(0xabc), seq: 7 };
        assert_eq!(parse_dot(&dot.to_string()), Some(dot));
        for bad in ["", "0:1:2", "0:0000000000000abc:0", "0:0000000000000abc:1:1", "0:0000000000000abc"] {
            assert_eq!(parse_dot(bad), None, "{bad}");
        }
    }
}
