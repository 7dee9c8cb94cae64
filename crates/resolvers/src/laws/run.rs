//! Playing a history on model replicas, checking each law where it can first be seen.

use super::checks::{self, Laws};
use super::naive::Naive;
use super::script::{Script, Step};
use super::{Applied, Failure, Law, Random, Replica, Report, Spec};
use super::{resolutions, story};
use crate::operation::Operation;
use crate::resolver::{Prepare, Rejection, Resolver, Rows};
use anabranch_causality::{
    Actor, Context, Dot, Effect, HlcClock, Kind, OperationId, SessionId, ShardId, Transaction, VersionVector,
};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How far a peer's stamp moves a clock: little, so that stamps get out of order.
const CLOCK_LIMIT_MS: u64 = 2;
/// Short histories are applied in this many more orders: they are cheap, and cutting down depends on it.
const MORE_ORDERS: usize = 8;

/// Plays a history.
pub(super) fn run(resolver: &dyn Resolver, spec: Option<Spec<'_>>, script: &Script) -> Result<Report, Failure> {
    let mut run = Run::new(resolver, spec, script);
    run.play()?;
    Ok(run.counts)
}

pub(super) struct Run<'a> {
    laws: Laws<'a>,
    script: &'a Script,
    pub(super) nodes: Vec<Node>,
    /// All transactions: by origin, then by sequence number.
    log: Vec<Vec<Sent>>,
    /// What each session's request carried with its first attempt.
    contexts: BTreeMap<usize, Option<Context>>,
    /// What each request that took effect asked for: its resolutions name what stood where it was first sequenced.
    asked: BTreeMap<usize, Rc<[Operation]>>,
    counts: Report,
    /// What happened, for people, when it is wanted.
    pub(super) story: Option<Vec<String>>,
}

pub(super) struct Node {
    pub(super) replica: Replica,
    /// What it applied, in order.
    pub(super) order: Vec<Dot>,
    clock: HlcClock,
}

struct Sent {
    transaction: Transaction,
    request: usize,
}

impl Node {
    /// Each merges its piles at another size, the first of them never.
    fn new(number: usize) -> Self {
        let replica = match number {
            0 => Replica::new(),
            number => Replica::merging_at((number * number) as u64),
        };
        Self { replica, order: Vec::new(), clock: HlcClock::new(Default::default(), CLOCK_LIMIT_MS) }
    }
}

/// Effects of one request, or its refusal.
type Prepared = Result<Vec<Effect>, Rejection>;

impl<'a> Run<'a> {
    pub(super) fn new(resolver: &'a dyn Resolver, spec: Option<Spec<'a>>, script: &'a Script) -> Self {
        Self {
            laws: Laws { resolver, spec },
            script,
            nodes: (0..script.replicas).map(Node::new).collect(),
            log: (0..script.replicas).map(|_| Vec::new()).collect(),
            contexts: BTreeMap::new(),
            asked: BTreeMap::new(),
            counts: Report::default(),
            story: None,
        }
    }

    pub(super) fn play(&mut self) -> Result<(), Failure> {
        let script = self.script;
        for step in &script.steps {
            match *step {
                Step::Write { replica, request, wall, context } => self.write(replica, request, wall, context)?,
                Step::Send { from, to, most, seed } => {
                    let limit = self.nodes[from].replica.vector().clone();
                    let mut random = Random::new(seed);
                    let delivered = self.deliver(to, &limit, most, &mut random)?;
                    self.tell(|| story::sent(from, to, &delivered));
                    if random.chance(1, 8) {
                        let naive = self.naive(self.nodes[to].replica.vector());
                        self.check_node(to, &naive)?;
                    }
                }
            }
        }
        self.finish()
    }

    fn write(&mut self, at: usize, index: usize, wall: u64, reader: Option<usize>) -> Result<(), Failure> {
        let id = self.operation_id(at, index);
        if self.nodes[at].replica.has(&id) {
            self.tell(|| story::repeated(at, &id));
            return Ok(());
        }
        let context = self.context(index, reader)?;
        let context = context.as_ref();
        let asked = self.asked(at, index)?;
        self.tell(|| story::asked(at, &id, &asked, context));
        let prepared = self.prepare(&self.nodes[at].replica, id, &asked, context)?;
        if prepared != self.prepare(&self.nodes[at].replica, id, &asked, context)? {
            let what = format!("{} was prepared twice at {} and came out differently", story::id(&id), story::node(at));
            return Err(Failure { law: Law::PrepareRepeats, what });
        }
        let effects = match prepared {
            Ok(effects) => effects,
            Err(rejection) => {
                self.counts.rejections += 1;
                self.tell(|| format!("     refused: {rejection}"));
                return Ok(());
            }
        };
        self.tell(|| story::effects(&id, &effects));
        self.compare_elsewhere(at, id, &asked, context, &effects)?;
        effects.iter().try_for_each(|effect| self.laws.effect(&id, effect))?;
        self.count(at, &id, &asked, context.is_some());
        self.asked.insert(index, asked);
        self.sequence(at, index, id, wall, effects)
    }

    fn sequence(
        &mut self,
        at: usize,
        request: usize,
        operation: OperationId,
        wall: u64,
        effects: Vec<Effect>,
    ) -> Result<(), Failure> {
        let dot = Dot { shard: ShardId(0), origin: story::origin(at), seq: self.log[at].len() as u64 + 1 };
        let node = &mut self.nodes[at];
        let mut dependencies = node.replica.vector().clone();
        dependencies.set(dot.origin, 0);
        let hlc = node.clock.issue(wall);
        let transaction = Transaction { dot, hlc, operation, dependencies, lineage: None, effects };
        self.log[at].push(Sent { transaction, request });
        self.apply(at, dot).map(|_| ())
    }

    /// The same request on every other state at hand must add and fold the same, unless it is refused there.
    fn compare_elsewhere(
        &self,
        at: usize,
        id: OperationId,
        asked: &[Operation],
        context: Option<&Context>,
        effects: &[Effect],
    ) -> Result<(), Failure> {
        // What a leader numbers is prepared once only, and what it piles up may depend on what it saw.
        if self.laws.resolver.pile().is_some() && matches!(id.actor, Actor::Leader(_)) {
            return Ok(());
        }
        let empty = Replica::new();
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != at);
        let others = others.map(|(other, node)| (story::node(other), &node.replica));
        for (name, replica) in others.chain([("a replica that has nothing".to_owned(), &empty)]) {
            let Ok(elsewhere) = self.prepare(replica, id, asked, context)? else {
                continue;
            };
            let fixed = |effects: &[Effect]| {
                effects.iter().map(|effect| (effect.adds.clone(), effect.folds.clone())).collect::<Vec<_>>()
            };
            if fixed(effects) != fixed(&elsewhere) {
                let what = format!(
                    "{} would do something else at {name} than at {}: there it{}",
                    story::id(&id),
                    story::node(at),
                    story::effects(&id, &elsewhere).trim_start_matches("     it"),
                );
                return Err(Failure { law: Law::AddsAreFixed, what });
            }
        }
        Ok(())
    }

    fn prepare(
        &self,
        replica: &Replica,
        id: OperationId,
        asked: &[Operation],
        context: Option<&Context>,
    ) -> Result<Prepared, Failure> {
        let resolver = self.laws.resolver;
        let mut position = 0;
        let mut effects = Vec::new();
        // What the former operations of the request did, once there are any.
        let mut after: Option<Replica> = None;
        for (index, operation) in asked.iter().enumerate() {
            let state = after.as_ref().unwrap_or(replica);
            let mut effect = Effect::new("c", resolver.kind(), "k");
            let mut prepare = Prepare::new(state, id, context, &mut position, &mut effect);
            match resolver.prepare(operation, &mut prepare) {
                Ok(()) => {}
                Err(Rejection::Read(_)) => return Err(checks::unreadable("prepare", &operation.to_json().to_string())),
                Err(rejection) => return Ok(Err(rejection)),
            }
            checks::supersedes_seen(&id, &effect, state)?;
            if index + 1 < asked.len() {
                let next = after.get_or_insert_with(|| replica.clone());
                next.apply_effect(resolver, id, Default::default(), &effect, true)
                    .map_err(|error| checks::unreadable("fold", error.0))?;
            }
            effects.push(effect);
        }
        Ok(Ok(effects))
    }

    /// A retry asks for what took effect before; until something did, its resolutions mean what stands where it is asked for.
    fn asked(&self, at: usize, request: usize) -> Result<Rc<[Operation]>, Failure> {
        if let Some(asked) = self.asked.get(&request) {
            return Ok(Rc::clone(asked));
        }
        let operations = &self.script.requests[request].operations;
        if !operations.iter().any(resolutions::is_placeholder) {
            return Ok(operations.as_slice().into());
        }
        let standing = self.laws.conflicts(&self.nodes[at].replica)?;
        Ok(operations.iter().map(|operation| resolutions::fill(operation, &standing)).collect())
    }

    /// A retry carries what the first attempt carried.
    fn context(&mut self, request: usize, reader: Option<usize>) -> Result<Option<Context>, Failure> {
        if let Some(first) = self.contexts.get(&request) {
            return Ok(first.clone());
        }
        let context = match reader {
            Some(reader) if self.laws.resolver.kind() == Kind::REGISTER => {
                let outcome = self.laws.value(&self.nodes[reader].replica, usize::MAX)?;
                Some(Context::new(outcome.map(|outcome| outcome.versions).unwrap_or_default()))
            }
            _ => None,
        };
        self.contexts.insert(request, context.clone());
        Ok(context)
    }

    fn operation_id(&self, at: usize, request: usize) -> OperationId {
        match self.script.requests[request].session {
            Some((session, counter)) => {
                let mut id = [0; 16];
                (id[6], id[8], id[15]) = (0x70, 0x80, session);
                OperationId { actor: Actor::Session(SessionId(id)), counter, hash: request as u64 + 1 }
            }
            None => {
                let counter = self.log[at].len() as u64 + 1;
                OperationId { actor: Actor::Leader(story::origin(at)), counter, hash: 0 }
            }
        }
    }

    fn count(&mut self, at: usize, id: &OperationId, asked: &[Operation], has_context: bool) {
        self.counts.operations += asked.len() as u64;
        let resolutions = asked.iter().filter(|operation| matches!(operation, Operation::Resolve(_)));
        self.counts.resolutions += resolutions.count() as u64;
        self.counts.contexts += u64::from(has_context);
        self.counts.late += u64::from(self.nodes[at].replica.has_later(id));
        let is_retry = self.log.iter().flatten().any(|sent| sent.transaction.operation == *id);
        self.counts.retries += u64::from(is_retry);
    }

    /// Delivers what a replica lacks up to a limit, in a random causal order, some of it twice.
    fn deliver(
        &mut self,
        to: usize,
        limit: &VersionVector,
        most: usize,
        random: &mut Random,
    ) -> Result<Vec<Dot>, Failure> {
        // Either any that is ready, or one origin as far as it goes: the two ends of what orders there are.
        let first = random.chance(1, 2).then(|| random.index(self.log.len()));
        let mut delivered = Vec::new();
        while delivered.len() < most {
            let Some(dot) = self.next_ready(to, limit, first, random) else {
                break;
            };
            self.apply(to, dot)?;
            delivered.push(dot);
            if random.chance(1, 5) {
                let again = random.pick(&self.nodes[to].order).copied().unwrap_or(dot);
                self.apply(to, again)?;
            }
        }
        Ok(delivered)
    }

    fn next_ready(&self, to: usize, limit: &VersionVector, first: Option<usize>, random: &mut Random) -> Option<Dot> {
        let have = self.nodes[to].replica.vector();
        let next = |(origin, log): (usize, &'_ Vec<Sent>)| {
            let seq = have.get(story::origin(origin));
            let sent = log.get(seq as usize).filter(|_| seq < limit.get(story::origin(origin)))?;
            have.covers(&sent.transaction.dependencies).then_some(sent.transaction.dot)
        };
        let count = self.log.len();
        let start = first.unwrap_or_else(|| random.index(count));
        (0..count).map(|step| (start + step) % count).find_map(|origin| next((origin, &self.log[origin])))
    }

    fn apply(&mut self, at: usize, dot: Dot) -> Result<(), Failure> {
        let transaction = &self.log[story::index(dot.origin)][dot.seq as usize - 1].transaction;
        let node = &mut self.nodes[at];
        let applied = node.replica.apply(self.laws.resolver, transaction);
        match applied.map_err(|error| checks::unreadable("fold", error.0))? {
            Applied::First | Applied::Copy => {
                node.order.push(dot);
                node.clock.observe(transaction.hlc, node.clock.last().ms());
            }
            Applied::Duplicate => self.counts.duplicates += 1,
            Applied::TooEarly => {}
        }
        Ok(())
    }

    /// Everybody gets everything; then everybody has what the definition says, and so has whoever applies it anew.
    fn finish(&mut self) -> Result<(), Failure> {
        let all: VersionVector =
            self.log.iter().enumerate().map(|(origin, log)| (story::origin(origin), log.len() as u64)).collect();
        let naive = self.naive(&all);
        self.laws.folds(&naive)?;
        let count: usize = self.log.iter().map(Vec::len).sum();
        let more = if count <= MORE_ORDERS { MORE_ORDERS } else { 0 };
        self.nodes.extend((0..self.script.orders + more).map(Node::new));
        let mut random = Random::new(self.script.seed);
        for to in 0..self.nodes.len() {
            self.deliver(to, &all, usize::MAX, &mut random)?;
            self.check_node(to, &naive)?;
        }
        Ok(())
    }

    fn check_node(&mut self, at: usize, naive: &Naive) -> Result<(), Failure> {
        self.counts.states += 1;
        let replica = &self.nodes[at].replica;
        self.laws.state(&story::node(at), replica, naive)?;
        self.laws.outcome(&story::node(at), replica, naive)
    }

    fn naive(&self, vector: &VersionVector) -> Naive {
        let applied = self.log.iter().flatten().filter(|sent| {
            let dot = sent.transaction.dot;
            dot.seq <= vector.get(dot.origin)
        });
        Naive::of(applied.map(|sent| (&sent.transaction, &*self.asked[&sent.request])))
    }

    /// The value of a replica as text, for the story.
    pub(super) fn shown(&self, rows: &dyn Rows) -> String {
        match self.laws.resolver.value(rows, usize::MAX) {
            Ok(Some(outcome)) => outcome.value.to_string(),
            Ok(None) => "no such key".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line());
        }
    }
}
