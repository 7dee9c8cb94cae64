//! Builds of different age: one that does not know a kind, one that knows the kind and not all that may be done with it, and
//! the newest. What an older one cannot apply it parks; once it is upgraded, nothing is missing.

use crate::queue::Event;
use crate::random::Random;
use crate::world::World;
use anabranch_causality::{Effect, Kind};
use anabranch_engine::Change;
use anabranch_resolvers::{
    Malformed, Operation, Outcome, Prepare, ReadFailed, Registry, Rejection, Resolver, Row, Rows,
};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The kind that only newer builds know, and the name of its resolver.
pub(crate) const KIND: Kind = Kind(77);
pub(crate) const NAME: &str = "kind-77";
/// Collections of that kind.
const COLLECTIONS: [&str; 2] = ["drawings", "sketches"];

/// How old a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Build {
    /// Does not know the kind at all.
    WithoutKind,
    /// Knows the kind; an effect in a later form is malformed to it.
    WithoutLaterForm,
    /// Knows everything.
    Newest,
}

impl Build {
    pub(crate) const OLDER: [Self; 2] = [Self::WithoutKind, Self::WithoutLaterForm];

    /// What a build of that age knows.
    pub(crate) fn registry(self) -> Arc<Registry> {
        let mut registry = Registry::builtin();
        if self > Self::WithoutKind {
            let added = registry.register(Arc::new(Drawings { later_form: self == Self::Newest }));
            debug_assert_eq!(added, Ok(()), "the name is free");
        }
        Arc::new(registry)
    }
}

/// Something that only newer builds know, perhaps in the form that only the newest knows.
pub(crate) fn change(random: &mut Random, request: usize) -> Change {
    let value = if random.chance(400) { json!({ "later form": request }) } else { Value::from(request) };
    Change::Operate {
        collection: random.pick(&COLLECTIONS).to_owned(),
        kind: KIND,
        key: format!("k{}", random.range(1, 3)),
        operation: Operation::Put(value),
        context: None,
    }
}

/// Versions that are all kept until someone writes having seen them.
struct Drawings {
    later_form: bool,
}

impl Resolver for Drawings {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> Kind {
        KIND
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        match operation {
            Operation::Put(value) if self.later_form || !value.is_object() => {
                prepare.supersede_all(Some(&[]))?;
                prepare.add([], value.to_string());
                Ok(())
            }
            _ => Err(Rejection::NotSupported("this build cannot draw that".to_owned())),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        let is_known = |payload: &[u8]| self.later_form || !payload.starts_with(b"{");
        let known = effect.adds.iter().all(|add| is_known(&add.payload));
        if known { Ok(()) } else { Err(Malformed("a drawing in a form that this build does not know")) }
    }

    fn value(&self, rows: &dyn Rows, _: usize) -> Result<Option<Outcome>, ReadFailed> {
        let mut found = Vec::new();
        rows.rows(Some(&[]), &mut |row: Row<'_>| {
            let value = serde_json::from_slice(row.payload).unwrap_or(Value::Null);
            found.push(((row.stamp, row.tag), value));
            ControlFlow::Continue(())
        })?;
        found.sort_by_key(|(by, _)| *by);
        let values: Vec<Value> = found.into_iter().map(|(_, value)| value).collect();
        Ok((!values.is_empty()).then(|| Outcome::plain(Value::Array(values), "all that nobody drew over")))
    }
}

impl World {
    /// A node gets the newest build: it stops, and starts with that.
    pub(crate) fn upgrade(&mut self, node: usize) {
        if self.nodes[node].build == Build::Newest {
            return;
        }
        self.coverage.note("builds upgraded");
        self.nodes[node].build = Build::Newest;
        if self.nodes[node].is_up() {
            self.stop(node, "stops for an upgrade");
        }
    }

    /// When older builds are upgraded: some while everything goes on, the others once it has healed.
    pub(crate) fn plan_upgrades(&mut self) {
        for node in self.plan.builds.clone().into_keys() {
            if self.work.chance(500) {
                let when = self.work.range(self.plan.active_ms / 4, self.plan.active_ms);
                self.queue.at(when, Event::Upgrade { node });
            }
        }
    }

    /// What is parked at a node is counted, and why.
    pub(crate) fn count_parked(&mut self, node: usize) {
        let Some(engine) = &self.nodes[node].engine else { return };
        let parked = engine.catalog().iter().filter_map(|found| found.parked.as_ref());
        for reason in parked {
            let unknown = reason.contains("not known to this build");
            self.coverage.note(if unknown { "unknown kinds parked" } else { "poison operations parked" });
        }
    }
}
