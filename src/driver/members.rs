//! The other members of the cluster, as far as this replica knows them: what each has on disk.

use anabranch_causality::{Dot, Token, VersionVector};
use anabranch_engine::{Acknowledged, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The other members, by name.
#[derive(Clone, Debug, Default)]
pub struct Members {
    members: BTreeMap<String, Member>,
}

/// Another member.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// Its region; empty while that is not known.
    pub region: String,
    /// What it does; `None` while that is not known.
    pub role: Option<Role>,
    /// Whether it is connected.
    pub connected: bool,
    /// What it has on disk, as far as it said, with what newer origins imply.
    pub vector: Arc<VersionVector>,
}

impl Members {
    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.members.iter().map(|(name, member)| (&**name, member))
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Member> {
        self.members.get(name)
    }

    /// The connected members that are known to have all that the token names.
    pub fn having<'a>(&'a self, token: &'a Token) -> impl Iterator<Item = (&'a str, &'a Member)> {
        self.iter().filter(|(_, member)| member.connected && token.iter().all(|(_, need)| member.vector.covers(need)))
    }

    /// The members that are known to have that transaction on disk.
    pub fn holding(&self, dot: Dot) -> impl Iterator<Item = (&str, &Member)> {
        self.iter().filter(move |(_, member)| member.vector.get(dot.origin) >= dot.seq)
    }

    /// The regions that have a member, in the order of their names.
    #[must_use]
    pub fn regions(&self) -> BTreeSet<&str> {
        self.members.values().map(|member| &*member.region).filter(|region| !region.is_empty()).collect()
    }

    pub(crate) fn expect(&mut self, name: &str, region: Option<&str>) {
        let member = self.members.entry(name.to_owned()).or_default();
        if let Some(region) = region {
            region.clone_into(&mut member.region);
        }
    }

    /// Takes in what connected members said; of the others, what they said last stays.
    pub(crate) fn update<'a>(&mut self, connected: impl Iterator<Item = Acknowledged<'a>>) {
        for member in self.members.values_mut() {
            member.connected = false;
        }
        for said in connected {
            let member = self.members.entry(said.name.to_owned()).or_default();
            (member.connected, member.role) = (true, Some(said.role));
            said.region.clone_into(&mut member.region);
            if *member.vector != *said.vector {
                member.vector = Arc::new(said.vector.clone());
            }
        }
    }
}

/// What the acknowledgement of a write means.
pub use anabranch_protocol::AckLevel;

/// Whether members that hold a transaction make an acknowledgement of that level true, at a leader of that region.
pub(crate) fn suffices(level: AckLevel, members: &Members, own_region: &str, dot: Dot) -> bool {
    match level {
        AckLevel::Local => true,
        AckLevel::Follower => members.holding(dot).any(|(_, member)| is_follower(member, own_region)),
        AckLevel::Regions(count) => holding_regions(members, own_region, dot).len() >= usize::from(count),
        AckLevel::All => members.holding(dot).count() == members.members.len(),
    }
}

/// A region has one leader: another member of it is a follower, also before it said so.
pub(crate) fn is_follower(member: &Member, own_region: &str) -> bool {
    member.region == own_region && member.role != Some(Role::Leader)
}

/// The regions where a transaction is known to be on disk, the own one included.
pub(crate) fn holding_regions<'a>(members: &'a Members, own_region: &'a str, dot: Dot) -> BTreeSet<&'a str> {
    let others = members.holding(dot).map(|(_, member)| &*member.region);
    others.filter(|region| !region.is_empty()).chain([own_region]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Origin, ShardId};

    fn members() -> (Members, VersionVector) {
        let mut members = Members::default();
        for (name, region) in [("eu-2", "eu"), ("us", "us"), ("ap", "ap")] {
            members.expect(name, Some(region));
        }
        (members, [(Origin(1), 5)].into_iter().collect())
    }

    fn said<'a>(name: &'a str, region: &'a str, role: Role, vector: &'a VersionVector) -> Acknowledged<'a> {
        Acknowledged { name, region, role, vector }
    }

    fn dot(seq: u64) -> Dot {
        Dot { shard: ShardId(0), origin: Origin(1), seq }
    }

    #[test]
    fn levels_mean_what_they_say() {
        let (mut members, has) = members();
        let holds = |members: &Members, seq| {
            [AckLevel::Local, AckLevel::Follower, AckLevel::Regions(2), AckLevel::Regions(3), AckLevel::All]
                .map(|level| suffices(level, members, "eu", dot(seq)))
        };
        assert_eq!(holds(&members, 5), [true, false, false, false, false]);
        members.update([said("us", "us", Role::Leader, &has)].into_iter());
        assert_eq!(holds(&members, 5), [true, false, true, false, false]);
        members.update([said("eu-2", "eu", Role::Follower, &has)].into_iter());
        // What `us` said stays, though it is gone.
        assert_eq!(holds(&members, 5), [true, true, true, false, false]);
        members.update([said("ap", "ap", Role::Leader, &has)].into_iter());
        assert_eq!(holds(&members, 5), [true, true, true, true, true]);
        assert_eq!(holds(&members, 6), [true, false, false, false, false]);
    }

    #[test]
    fn only_connected_members_are_asked() {
        let (mut members, has) = members();
        let token = Token::of(ShardId(0), has.clone());
        members.update([said("us", "us", Role::Leader, &has)].into_iter());
        assert_eq!(members.having(&token).map(|(name, _)| name).collect::<Vec<_>>(), ["us"]);
        members.update(std::iter::empty());
        assert_eq!(members.having(&token).count(), 0);
        assert_eq!(members.holding(dot(5)).count(), 1);
    }
}
