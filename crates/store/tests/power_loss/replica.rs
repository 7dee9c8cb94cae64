//! The engine on the store, driven by hand.

use anabranch_causality::{Kind, Origin};
use anabranch_engine::mutant::Planted;
use anabranch_engine::store::{Store, StoreError};
use anabranch_engine::{Change, Config, Engine, Output, Time, Write, Written, query};
use anabranch_resolvers::{Member, Operation, Registry};
use std::sync::Arc;

pub(crate) struct Replica<S> {
    pub(crate) engine: Engine,
    pub(crate) store: S,
    pub(crate) time: Time,
    registry: Arc<Registry>,
}

impl<S: Store> Replica<S> {
    /// Opens what the store holds, under a new origin.
    pub(crate) fn open(store: S, origin: u64) -> Result<Self, StoreError> {
        let registry = Arc::new(Registry::builtin());
        let config = Config::new("shop", "eu", "eu");
        let engine = Engine::open(config, registry.clone(), &store, Origin(origin), Planted::none())?;
        let time = Time { wall_ms: 1_700_000_000_000, mono_ms: 1_000 };
        let mut replica = Self { engine, store, time, registry };
        replica.commit()?;
        Ok(replica)
    }

    /// Makes durable what was handled; says what was acknowledged.
    pub(crate) fn commit(&mut self) -> Result<Vec<Written>, StoreError> {
        self.engine.seal();
        self.store.commit(self.engine.batch())?;
        self.engine.committed(&self.store, self.time)?;
        let outputs = std::iter::from_fn(|| self.engine.poll_output());
        let written = outputs.filter_map(|output| match output {
            Output::Reply { answer, .. } => Some(answer.expect("it is never refused")),
            _ => None,
        });
        Ok(written.collect())
    }

    /// Hands a transaction to the engine: a count, a member and a value that say of each other whether they are whole.
    pub(crate) fn write(&mut self, name: &str, payload: usize) -> Result<(), StoreError> {
        self.time.wall_ms += 1;
        let value = format!("{name} {}", "x".repeat(payload));
        let key = format!("k{}", name.len() + payload % 5);
        let write = Write {
            changes: vec![
                operate("count", Kind::PN_COUNTER, "all", Operation::Add(1)),
                operate("names", Kind::OR_SET, "all", Operation::AddMembers(vec![Member::String(name.into())])),
                operate("last", Kind::REGISTER, &key, Operation::Put(value.into())),
            ],
            key: None,
        };
        self.engine.handle_write(&self.store, self.time, 7, &write)
    }

    /// How many transactions took effect, as the counter and as the set say.
    pub(crate) fn counted(&self) -> Result<(u64, Vec<String>), String> {
        let look = |collection| {
            let Some(found) = self.engine.catalog().find(collection) else { return Ok(None) };
            let outcome = query::value(&self.registry, &self.store, found, "all", None, usize::MAX);
            outcome.map(|outcome| outcome.map(|outcome| outcome.value)).map_err(|error| error.to_string())
        };
        let count = look("count")?.and_then(|value| value.as_u64()).unwrap_or(0);
        let names = look("names")?.and_then(|value| value.as_array().cloned()).unwrap_or_default();
        Ok((count, names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()))
    }
}

fn operate(collection: &str, kind: Kind, key: &str, operation: Operation) -> Change {
    Change::Operate { collection: collection.into(), kind, key: key.into(), operation, context: None }
}
