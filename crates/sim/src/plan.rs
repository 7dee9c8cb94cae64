//! What a run is like: which faults are on and how often they strike, all drawn from the seed. Most runs have few kinds of
//! faults, some have many: a fault that is everywhere hides what the others would find.

use crate::builds::Build;
use crate::node::Post;
use crate::random::Random;
use crate::travellers::TravelPlan;
use std::collections::BTreeMap;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Any mixture of faults, drawn from the seed.
    Swarm,
    /// No faults at all: then nothing may be sent twice.
    Healthy,
    /// Two nodes cannot hear each other, silently or openly: the third must relay while that lasts.
    Relay,
}

/// The drawn plan of one run. Rates are per mille, times are milliseconds; a mean of 0 means never.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) leaders: usize,
    /// The followers, each by its leader.
    pub(crate) followers: Vec<usize>,
    /// Whether followers are connected to everybody, or to their leaders only.
    pub(crate) followers_meshed: bool,
    /// How long faults strike and clients write.
    pub(crate) active_ms: u64,
    pub(crate) sessions: usize,
    pub(crate) operations: usize,
    pub(crate) think_ms: u64,
    pub(crate) keys: u64,
    pub(crate) keyless: u64,
    pub(crate) contexts: u64,
    pub(crate) several: u64,
    pub(crate) declares: u64,
    pub(crate) mixed: u64,
    pub(crate) extremes: u64,
    pub(crate) pipelined: u64,
    pub(crate) skip_counters: u64,
    pub(crate) reuse_counters: u64,
    pub(crate) attempts: u32,
    pub(crate) elsewhere: u64,
    pub(crate) late: u64,
    pub(crate) echo: u64,
    pub(crate) lose_requests: u64,
    pub(crate) lose_replies: u64,
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    pub(crate) reordering: u64,
    pub(crate) delay_ms: (u64, u64),
    pub(crate) slow_link: u64,
    pub(crate) fault_ms: u64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) clocks: bool,
    pub(crate) late_dial: u64,
    pub(crate) early_poll: u64,
    pub(crate) checkpoint: u64,
    pub(crate) turn_inputs: u64,
    pub(crate) turn_ms: u64,
    pub(crate) tick_ms: u64,
    pub(crate) window_bytes: usize,
    pub(crate) buffer_bytes: usize,
    /// When each node starts for the first time, with an empty disk; those that are not named are there from the beginning.
    pub(crate) joins: BTreeMap<usize, u64>,
    /// How often a node that crashed crashes again while it recovers.
    pub(crate) crash_again: u64,
    /// Nodes with an older build, and which: see [`crate::builds`].
    pub(crate) builds: BTreeMap<usize, Build>,
    /// How often a request has something that older builds do not know.
    pub(crate) novel: u64,
    /// How many days pass while one node is away.
    pub(crate) days: u64,
    /// When a data directory is copied.
    pub(crate) clone_ms: Option<u64>,
    pub(crate) travel: TravelPlan,
}

/// A kind of fault that strikes at times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A connection breaks.
    Drop,
    /// Two nodes cannot hear each other.
    CutPair,
    /// One node cannot hear another.
    CutOneWay,
    /// One node is alone.
    Isolate,
    /// A node stops at any point of its work.
    Crash,
    /// A node's disk goes back to what it was earlier.
    RollBack,
    /// The store refuses or fails.
    Store,
    /// A clock jumps, or stands still.
    Clock,
    /// The nodes fall apart into two groups.
    Halves,
    /// Each node hears its two neighbours only: every node has its own majority.
    Ring,
    /// A link comes and goes.
    Flap,
    /// A direction holds everything back for a while.
    Clog,
    /// A replica is gone for long, and comes back.
    Away,
    /// A node takes long for everything.
    Slow,
    /// A disk is full for a while.
    Full,
}

impl Fault {
    pub(crate) const ALL: [Self; 15] = [
        Self::Drop,
        Self::CutPair,
        Self::CutOneWay,
        Self::Isolate,
        Self::Crash,
        Self::RollBack,
        Self::Store,
        Self::Clock,
        Self::Halves,
        Self::Ring,
        Self::Flap,
        Self::Clog,
        Self::Away,
        Self::Slow,
        Self::Full,
    ];
}

impl Plan {
    /// The plan of that seed.
    pub(crate) fn draw(scenario: Scenario, seed: u64) -> Self {
        let mut random = Random::stream(seed, "plan");
        let mut plan = Self::calm(&mut random, TravelPlan::draw(&mut Random::stream(seed, "travel plan")));
        let mut members = Random::stream(seed, "members");
        if scenario != Scenario::Relay {
            plan.leaders = members.pick(&[2, 3, 3, 3, 4, 5]);
        }
        plan.add_followers(&mut Random::stream(seed, "followers"));
        match scenario {
            Scenario::Healthy => plan.relieve(),
            Scenario::Relay => plan.active_ms = 8_000,
            Scenario::Swarm => {
                plan.add_faults(&mut random);
                plan.add_changes(&mut members);
                let mut clones = Random::stream(seed, "clones");
                plan.clone_ms = clones.chance(100).then(|| clones.range(500, plan.active_ms / 2));
            }
        }
        plan
    }

    /// A plan without any fault.
    fn calm(random: &mut Random, travel: TravelPlan) -> Self {
        let low = random.pick(&[1, 5, 20, 40]);
        Self {
            leaders: 3,
            followers: Vec::new(),
            followers_meshed: true,
            active_ms: random.range(6_000, 25_000),
            sessions: random.range(2, 9) as usize,
            operations: random.range(60, 360) as usize,
            think_ms: random.pick(&[30, 80, 150, 300]),
            keys: random.pick(&[1, 3, 8]),
            keyless: random.pick(&[0, 200, 500, 1000]),
            contexts: random.pick(&[0, 300, 700]),
            several: random.pick(&[0, 150, 400]),
            declares: random.pick(&[10, 60]),
            mixed: random.pick(&[0, 50, 200]),
            extremes: random.pick(&[0, 0, 30]),
            pipelined: random.pick(&[0, 200, 1000]),
            skip_counters: random.pick(&[0, 0, 30]),
            reuse_counters: 0,
            attempts: 1,
            elsewhere: 0,
            late: 0,
            echo: 0,
            lose_requests: 0,
            lose_replies: 0,
            loss: 0,
            duplication: 0,
            reordering: 0,
            delay_ms: (low, low + random.pick(&[0, 5, 60])),
            slow_link: 0,
            fault_ms: 0,
            faults: Vec::new(),
            clocks: false,
            late_dial: 0,
            early_poll: random.pick(&[0, 300, 1000]),
            checkpoint: random.pick(&[0, 5, 100]),
            turn_inputs: random.pick(&[1, 4, 30]),
            turn_ms: random.pick(&[0, 2, 15]),
            tick_ms: random.pick(&[100, 250]),
            window_bytes: 4 << 20,
            buffer_bytes: 16 << 20,
            joins: BTreeMap::new(),
            crash_again: 0,
            builds: BTreeMap::new(),
            novel: 0,
            days: 0,
            clone_ms: None,
            travel,
        }
    }

    /// Nobody is so busy that what was sent long ago still waits to be heard.
    fn relieve(&mut self) {
        if self.is_overloaded() {
            self.turn_inputs = 4;
        }
    }

    /// Whether messages may wait for long before a busy node.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.turn_inputs == 1 && self.turn_ms > 2
    }

    /// Whether messages may take so long, on the way or before a busy node, that a sound clock looks slow.
    pub(crate) fn is_slow(&self) -> bool {
        let delaying = [Fault::Clog, Fault::Slow].iter().any(|fault| self.faults.contains(fault));
        delaying || self.reordering > 0 || self.slow_link > 0 || self.days > 0 || self.is_overloaded()
    }

    /// How long two messages, one after the other, may be under way together, if that can be told.
    pub(crate) fn longest_under_way(&self) -> Option<u64> {
        (!self.is_slow()).then_some(2 * (self.delay_ms.1 + 10 * self.turn_ms))
    }

    fn add_followers(&mut self, random: &mut Random) {
        let count = random.pick(&[0, 0, 0, 1, 2]);
        self.followers = (0..count).map(|_| random.below(self.leaders)).collect();
        self.followers_meshed = random.chance(500);
    }

    /// What each node does.
    pub(crate) fn posts(&self) -> impl Iterator<Item = Post> {
        let leaders = (0..self.leaders).map(|_| Post::Leader);
        leaders.chain(self.followers.iter().map(|leader| Post::Follower(*leader)))
    }

    /// That kind of fault does not strike.
    pub(crate) fn without(&mut self, fault: Fault) {
        self.faults.retain(|found| *found != fault);
    }

    /// Whether two nodes know each other.
    pub(crate) fn are_peers(&self, a: usize, b: usize) -> bool {
        let leader_of = |node: usize| node.checked_sub(self.leaders).map(|follower| self.followers[follower]);
        let (of_a, of_b) = (leader_of(a), leader_of(b));
        self.followers_meshed || (of_a, of_b) == (None, None) || of_a == Some(b) || of_b == Some(a)
    }

    fn add_faults(&mut self, random: &mut Random) {
        let mut sometimes = |per_mille: u64, rates: &[u64]| {
            let rate = random.pick(rates);
            if random.chance(per_mille) { rate } else { 0 }
        };
        self.loss = sometimes(350, &[2, 20, 150, 300]);
        self.duplication = sometimes(350, &[10, 100, 500]);
        self.reordering = sometimes(350, &[30, 300, 1000]);
        self.slow_link = sometimes(300, &[300, 800]);
        self.lose_requests = sometimes(500, &[20, 150]);
        self.lose_replies = sometimes(600, &[50, 300]);
        self.elsewhere = sometimes(800, &[300, 1000]);
        self.late = sometimes(500, &[100, 500]);
        self.echo = sometimes(500, &[50, 300]);
        self.reuse_counters = sometimes(200, &[30, 100]);
        self.late_dial = sometimes(250, &[1000]);
        self.attempts = random.range(2, 6) as u32;
        self.fault_ms = random.pick(&[300, 800, 2_000, 5_000]);
        let share = random.pick(&[100, 250, 600]);
        self.faults = Fault::ALL.into_iter().filter(|_| random.chance(share)).collect();
        self.clocks = self.faults.contains(&Fault::Clock);
        self.window_bytes = random.pick(&[1, 600, 4 << 10, 4 << 20]);
        self.buffer_bytes = random.pick(&[0, 300, 2_000, 16 << 20, 16 << 20]);
    }

    /// Members that come later, are of an older build, or are away for days.
    fn add_changes(&mut self, random: &mut Random) {
        let nodes = self.leaders + self.followers.len();
        if random.chance(300) {
            let when = |node| (node, random.range(500, self.active_ms * 3 / 4));
            self.joins = (1..nodes).map(when).collect();
            self.joins.retain(|_, _| random.chance(400));
        }
        self.crash_again = random.pick(&[0, 0, 300, 1000]);
        if random.chance(250) {
            self.novel = random.pick(&[100, 400]);
            self.builds = (0..nodes).map(|node| (node, random.pick(&Build::OLDER))).collect();
            self.builds.retain(|_, _| random.chance(400));
        }
        if random.chance(120) {
            self.days = random.pick(&[3, 12, 60]);
        }
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Swarm => "swarm",
            Self::Healthy => "healthy",
            Self::Relay => "relay",
        })
    }
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "swarm" => Ok(Self::Swarm),
            "healthy" => Ok(Self::Healthy),
            "relay" => Ok(Self::Relay),
            other => Err(format!("{other} is no scenario: swarm, healthy or relay")),
        }
    }
}
