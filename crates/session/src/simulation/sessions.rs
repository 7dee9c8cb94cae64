//! Sessions against replicas whose leaders restart and whose tokens are cut short, as the servers do it.

use super::random::Random;
use crate::carried::origins;
use crate::guarantees::Guarantees;
use crate::session::SessionState;
use anabranch_causality::{Dot, Lineage, Lineages, Origin, SessionId, ShardId, Token, VersionVector};

const SHARD: ShardId = ShardId(0);
const REPLICAS: usize = 3;

/// Leaders that write under origins of their own and replicate now and then.
struct Cluster {
    random: Random,
    lineages: Lineages,
    applied: Vec<VersionVector>,
    origin: Vec<Origin>,
    starts: u64,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let (random, applied) = (Random::new(seed), vec![VersionVector::new(); REPLICAS]);
        let mut cluster =
            Self { random, lineages: Lineages::default(), applied, origin: vec![Origin(0); REPLICAS], starts: 0 };
        (0..REPLICAS).for_each(|replica| cluster.restart(replica));
        cluster
    }

    /// The replica takes a new origin, which continues its old one; its first transaction follows at once.
    fn restart(&mut self, replica: usize) {
        self.starts += 1;
        let (old, new) = (self.origin[replica], Origin(self.starts));
        let previous = Some((old, self.applied[replica].get(old))).filter(|(_, last)| *last > 0);
        self.lineages.insert(new, Lineage { node: replica.to_string(), region: String::new(), previous });
        self.origin[replica] = new;
        self.write(replica);
    }

    fn write(&mut self, replica: usize) -> Dot {
        let origin = self.origin[replica];
        let seq = self.applied[replica].get(origin) + 1;
        self.applied[replica].raise(origin, seq);
        Dot { shard: SHARD, origin, seq }
    }

    /// What happens while the session thinks.
    fn live(&mut self) {
        for _ in 0..self.random.below(4) {
            let replica = self.pick();
            match self.random.below(10) {
                0 => self.restart(replica),
                1..5 => {
                    self.write(replica);
                }
                _ => {
                    let from = self.applied[self.random.below(REPLICAS as u64) as usize].clone();
                    self.applied[replica].join(&from);
                }
            }
        }
    }

    fn pick(&mut self) -> usize {
        self.random.below(REPLICAS as u64) as usize
    }

    /// What the token asks for, with all that its entries imply.
    fn asked(&self, token: &Token) -> VersionVector {
        token.vector(SHARD).map(|vector| self.lineages.expand(vector)).unwrap_or_default()
    }

    /// A replica that has what the token asks for: waiting, it gets it.
    fn reach(&mut self, token: &Token) -> usize {
        let replica = self.pick();
        let asked = self.asked(token);
        self.applied[replica].join(&asked);
        replica
    }

    fn token(&self, replica: usize) -> Token {
        Token::of(SHARD, self.lineages.compact(&self.applied[replica]))
    }
}

/// What the session really read and wrote, in full.
#[derive(Default)]
struct Truth {
    read: VersionVector,
    written: VersionVector,
}

impl Truth {
    fn check(&self, cluster: &Cluster, token: &Token, read: bool, written: bool) {
        let asked = cluster.asked(token);
        assert!(!read || asked.covers(&self.read), "what was read is not asked for");
        assert!(!written || asked.covers(&self.written), "what was written is not asked for");
    }
}

fn guarantees(random: &mut Random) -> Guarantees {
    if random.chance(50) { Guarantees::ALL } else { Guarantees::from_bits(random.below(16) as u8) }
}

fn run(seed: u64) -> usize {
    let mut cluster = Cluster::new(seed);
    let mut session = SessionState::new(SessionId([7; 16]), Guarantees::ALL);
    let (mut truth, mut longest) = (Truth::default(), 0);
    for _ in 0..300 {
        cluster.live();
        let asked = guarantees(&mut cluster.random);
        if cluster.random.chance(50) {
            let sent = session.token_for_read(asked);
            truth.check(&cluster, &sent, asked.monotonic_reads, asked.read_your_writes);
            let replica = cluster.reach(&sent);
            truth.read.join(&cluster.applied[replica]);
            session.note_read(&sent, &cluster.token(replica));
        } else {
            let begun = session.begin_write(asked);
            truth.check(&cluster, &begun.token, asked.writes_follow_reads, asked.monotonic_writes);
            let replica = cluster.reach(&begun.token);
            let dot = cluster.write(replica);
            truth.written.raise(dot.origin, dot.seq);
            let shows = cluster.random.chance(50);
            if shows {
                truth.read.join(&cluster.applied[replica]);
            }
            session.note_written(dot, &begun.token, &cluster.token(replica), shows);
        }
        truth.check(&cluster, &session.token(), true, true);
        longest = longest.max(origins(&session.token()));
    }
    longest
}

#[test]
fn tokens_ask_for_all_that_was_promised_and_stay_short() {
    for seed in 0..200 {
        let longest = run(seed);
        assert!(longest <= 40, "seed {seed}: {longest} origins");
    }
}
