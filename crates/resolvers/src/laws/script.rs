//! Histories as scripts: lists of steps that make sense in whatever world they find, so that any of them can be left out.

use super::{Options, Random};
use crate::operation::Operation;

/// One history.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) replicas: usize,
    pub(super) requests: Vec<Request>,
    pub(super) steps: Vec<Step>,
    /// Decides the orders of delivery after the last step.
    pub(super) seed: u64,
    pub(super) orders: usize,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The session and its count; without, the leader counts.
    pub(super) session: Option<(u8, u64)>,
    pub(super) operations: Vec<Operation>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A replica sequences a request, unless it has applied it. A second time for the same request is a retry.
    Write {
        replica: usize,
        request: usize,
        /// What the leader's wall clock says, in milliseconds.
        wall: u64,
        /// Which replica the client has read before: the versions it lists there are the context.
        context: Option<usize>,
    },
    /// A replica sends another what it lacks, in an order that the seed decides, some of it twice.
    Send { from: usize, to: usize, most: usize, seed: u64 },
}

impl Script {
    /// How many operations its steps ask for; a retry asks again.
    pub(super) fn operations(&self) -> usize {
        let of = |step: &Step| match step {
            Step::Write { request, .. } => self.requests[*request].operations.len(),
            Step::Send { .. } => 0,
        };
        self.steps.iter().map(of).sum()
    }
}

/// How many sessions write in one history.
const SESSIONS: usize = 3;

pub(super) fn generate(
    random: &mut Random,
    options: &Options,
    generator: &mut impl FnMut(&mut Random) -> Operation,
) -> Script {
    let (least, most) = (*options.replicas.start(), *options.replicas.end());
    let replicas = (least + random.index(most.saturating_sub(least) + 1)).max(1);
    let mut draft = Draft {
        replicas,
        skews: (0..replicas).map(|_| random.below(8)).collect(),
        now: 1,
        counters: [0; SESSIONS],
        unanswered: Vec::new(),
        requests: Vec::new(),
        steps: Vec::new(),
    };
    let operations = 1 + random.index(options.operations);
    let mut asked = 0;
    while asked < operations {
        draft.sends(random);
        asked += draft.request(random, operations - asked, generator);
        draft.retry(random, 1, 3);
    }
    while !draft.unanswered.is_empty() {
        draft.sends(random);
        draft.retry(random, 1, 1);
    }
    Script { replicas, requests: draft.requests, steps: draft.steps, seed: random.next(), orders: options.orders }
}

struct Draft {
    replicas: usize,
    skews: Vec<u64>,
    now: u64,
    counters: [u64; SESSIONS],
    /// Requests whose client will try again.
    unanswered: Vec<usize>,
    requests: Vec<Request>,
    steps: Vec<Step>,
}

impl Draft {
    /// A new request; returns of how many operations.
    fn request(
        &mut self,
        random: &mut Random,
        most: usize,
        generator: &mut impl FnMut(&mut Random) -> Operation,
    ) -> usize {
        let session = random.chance(2, 3).then(|| {
            let session = random.index(SESSIONS);
            self.counters[session] += 1;
            (session as u8, self.counters[session])
        });
        let wanted = if random.chance(1, 5) { 2 + random.index(2) } else { 1 };
        let operations: Vec<Operation> = (0..wanted.min(most)).map(|_| generator(random)).collect();
        let count = operations.len();
        let request = self.requests.len();
        self.requests.push(Request { session, operations });
        let is_lost = session.is_some() && random.chance(1, 10);
        if is_lost || (session.is_some() && random.chance(1, 4)) {
            self.unanswered.push(request);
        }
        if !is_lost {
            self.write(random, request);
        }
        count
    }

    fn retry(&mut self, random: &mut Random, times: u64, of: u64) {
        if !self.unanswered.is_empty() && random.chance(times, of) {
            let request = self.unanswered.swap_remove(random.index(self.unanswered.len()));
            self.write(random, request);
        }
    }

    fn write(&mut self, random: &mut Random, request: usize) {
        self.now += random.below(3);
        let replica = random.index(self.replicas);
        let context = random.chance(1, 4).then(|| random.index(self.replicas));
        self.steps.push(Step::Write { replica, request, wall: self.now + self.skews[replica], context });
    }

    fn sends(&mut self, random: &mut Random) {
        for _ in 0..random.index(3) {
            let (from, to) = (random.index(self.replicas), random.index(self.replicas));
            let most = if random.chance(1, 3) { 1 + random.index(4) } else { usize::MAX };
            if from != to {
                self.steps.push(Step::Send { from, to, most, seed: random.next() });
            }
        }
    }
}
