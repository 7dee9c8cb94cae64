//! A few model replicas that are told what to do, step by step.

use anabranch_causality::{
    Actor, Context, Dot, Effect, Hlc, OperationId, Origin, SessionId, ShardId, Tag, Transaction,
};
use anabranch_resolvers::laws::Replica;
use anabranch_resolvers::{Operation, Outcome, Prepare, Rejection, Resolver};
use serde_json::Value;

pub(crate) struct World {
    pub(crate) resolver: &'static dyn Resolver,
    pub(crate) replicas: Vec<Replica>,
    transactions: Vec<Transaction>,
    /// The stamp of the next write.
    pub(crate) stamp: u64,
}

/// The `counter`th request of a session.
pub(crate) fn by(session: u8, counter: u64) -> OperationId {
    let mut id = [0; 16];
    (id[6], id[8], id[15]) = (0x70, 0x80, session);
    OperationId { actor: Actor::Session(SessionId(id)), counter, hash: counter }
}

pub(crate) fn tag(operation: OperationId) -> Tag {
    Tag { operation, position: 0 }
}

impl World {
    pub(crate) fn new(resolver: &'static dyn Resolver, replicas: usize) -> Self {
        Self { resolver, replicas: vec![Replica::new(); replicas], transactions: Vec::new(), stamp: 1 }
    }

    /// An operation in JSON, as a request of its own that no one else makes.
    pub(crate) fn ask(&mut self, at: usize, json: Value) -> Result<(), Rejection> {
        let id = by(200, self.transactions.len() as u64 + 1);
        self.ask_as(at, id, &[json], None)
    }

    pub(crate) fn ask_seeing(&mut self, at: usize, json: Value, seen: &[Tag]) -> Result<(), Rejection> {
        let id = by(200, self.transactions.len() as u64 + 1);
        self.ask_as(at, id, &[json], Some(&Context::new(seen.iter().copied())))
    }

    /// A whole request under a given id.
    pub(crate) fn ask_as(
        &mut self,
        at: usize,
        id: OperationId,
        json: &[Value],
        seen: Option<&Context>,
    ) -> Result<(), Rejection> {
        let operations: Vec<Operation> =
            json.iter().map(|json| Operation::from_json(self.resolver.kind(), json.clone()).expect("a form")).collect();
        self.apply(at, id, &operations, seen)
    }

    pub(crate) fn apply(
        &mut self,
        at: usize,
        id: OperationId,
        operations: &[Operation],
        seen: Option<&Context>,
    ) -> Result<(), Rejection> {
        let before = self.replicas[at].clone();
        let origin = Origin(at as u64 + 1);
        let mut position = 0;
        let mut effects = Vec::new();
        for operation in operations {
            // Each sees what the former left: play the request so far on a copy.
            let mut state = before.clone();
            state.apply(self.resolver, &self.transaction(origin, id, &before, effects.clone())).expect("folds");
            let mut effect = Effect::new("c", self.resolver.kind(), "k");
            self.resolver.prepare(operation, &mut Prepare::new(&state, id, seen, &mut position, &mut effect))?;
            assert_eq!(self.resolver.check(&effect), Ok(()));
            effects.push(effect);
        }
        self.sequence(at, id, effects);
        Ok(())
    }

    /// An effect that no resolver prepared.
    pub(crate) fn force(&mut self, at: usize, id: OperationId, effect: Effect) {
        self.sequence(at, id, vec![effect]);
    }

    fn sequence(&mut self, at: usize, id: OperationId, effects: Vec<Effect>) {
        let transaction = self.transaction(Origin(at as u64 + 1), id, &self.replicas[at], effects);
        self.replicas[at].apply(self.resolver, &transaction).expect("folds");
        self.transactions.push(transaction);
        self.stamp += 1;
    }

    fn transaction(&self, origin: Origin, operation: OperationId, at: &Replica, effects: Vec<Effect>) -> Transaction {
        let dot = Dot { shard: ShardId(0), origin, seq: at.vector().get(origin) + 1 };
        let mut dependencies = at.vector().clone();
        dependencies.set(origin, 0);
        Transaction { dot, hlc: Hlc(self.stamp), operation, dependencies, lineage: None, effects }
    }

    /// Everybody gets everything.
    pub(crate) fn sync(&mut self) {
        for replica in &mut self.replicas {
            for transaction in &self.transactions {
                replica.apply(self.resolver, transaction).expect("folds");
            }
        }
    }

    pub(crate) fn outcome(&self, at: usize) -> Option<Outcome> {
        self.resolver.value(&self.replicas[at], usize::MAX).expect("reads")
    }

    pub(crate) fn value(&self, at: usize) -> Option<Value> {
        self.outcome(at).map(|outcome| outcome.value)
    }

    pub(crate) fn versions(&self, at: usize) -> Vec<Tag> {
        self.outcome(at).map(|outcome| outcome.versions).unwrap_or_default()
    }

    /// The value after an operation, in JSON.
    pub(crate) fn value_after(&self, at: usize, json: Value) -> Option<Value> {
        let operation = Operation::from_json(self.resolver.kind(), json).expect("a form");
        let outcome = self.resolver.value_after(&operation, &self.replicas[at], usize::MAX).expect("reads");
        outcome.map(|outcome| outcome.value)
    }
}
