//! People who write texts: each looks at a text at some replica and edits what it shows, by position, or in an editor of their own
//! that sends Yjs updates.

use crate::random::Random;
use crate::world::World;
use anabranch_causality::{Actor, Effect, Kind, OperationId, Origin};
use anabranch_engine::{Change, KeyRows, keys};
use anabranch_resolvers::{Exported, Operation, Prepare, Resolver as _, Text};
use serde_json::Value;

/// A request edits a text, in so many of a thousand cases.
const WRITES: u64 = 120;

impl World {
    /// Makes one of the changes an edit of a text. Who may ask again (`keyed`) sends updates: positions would mean something else
    /// at another leader.
    pub(super) fn write_text(&mut self, changes: &mut [Change], request: usize, keyed: bool) {
        if !self.clients.writers.chance(WRITES) {
            return;
        }
        let random = &mut self.clients.writers;
        let node = random.below(self.nodes.len());
        let mixed = self.plan.mixed > 0 && random.chance(50);
        let collection = if mixed { "mixed-1" } else { "pages" };
        let key = format!("k{}", random.range(1, 2));
        let Some(engine) = &self.nodes[node].engine else { return };
        // One that does not exist yet has no rows.
        let id = engine.catalog().get(collection, Kind::TEXT).map_or(keys::CollectionId(u32::MAX), |found| found.id);
        let rows = KeyRows::new(&self.nodes[node].store, id, &key);
        let Some(operation) = edit(random, &rows, request, keyed) else { return };
        let at = random.below(changes.len());
        let by_position = !matches!(operation, Operation::Yjs(_));
        self.coverage.note(if by_position { "edits of texts by position" } else { "edits of texts by update" });
        changes[at] =
            Change::Operate { collection: collection.to_owned(), kind: Kind::TEXT, key, operation, context: None };
    }
}

fn edit(random: &mut Random, rows: &KeyRows<'_>, request: usize, keyed: bool) -> Option<Operation> {
    let shown = Text.value(rows, usize::MAX).ok()?.map(|outcome| outcome.value);
    let length = shown.as_ref().and_then(Value::as_str).map_or(0, |text| text.chars().count() as u64);
    let operation = match random.below(20) {
        0 if length > 0 => Operation::Delete,
        1..=5 if length > 0 => {
            let at = random.range(0, length - 1);
            Operation::DeleteText { at, length: random.range(1, 4).min(length - at) }
        }
        _ => {
            let text = random.pick(&["a", "bc", "d\u{e9}f", "\u{1f642}", "e\u{301}"]);
            Operation::InsertText { at: random.range(0, length), text: format!("{text}{request}") }
        }
    };
    let by_position = random.chance(500);
    if by_position && !keyed {
        return Some(operation);
    }
    if random.chance(50) {
        // All that an editor has, as after a reconnection.
        return match Text.export(rows, None).ok()? {
            Exported::Bytes(update) => Some(Operation::Yjs(update)),
            _ => None,
        };
    }
    update(random, rows, &operation).map(Operation::Yjs)
}

/// The update that comes of an edit in an editor that shows what the replica shows: each has an id of its own.
fn update(random: &mut Random, rows: &KeyRows<'_>, operation: &Operation) -> Option<Vec<u8>> {
    let editor = OperationId { actor: Actor::Leader(Origin(random.bits())), counter: 1, hash: 0 };
    let (mut position, mut effect) = (0, Effect::new("", Kind::TEXT, ""));
    Text.prepare(operation, &mut Prepare::new(rows, editor, None, &mut position, &mut effect)).ok()?;
    effect.folds.pop().map(|fold| fold.payload)
}
