//! Updates as editors in browsers send them, made once: four editors who sometimes hear each other.
//!
//! They are honest: nobody uses another's client id. Of updates that do, the order may decide what a text shows.

use anabranch_causality::{Dot, Effect, Hlc, Kind, OperationId, Origin, ShardId, Transaction};
use anabranch_resolvers::laws::{Random, Replica};
use anabranch_resolvers::{Exported, Operation, Prepare, Resolver, Text};
use std::sync::LazyLock;

/// How many updates there are.
const COUNT: usize = 48;
/// No replica of any body writes under these origins.
const FIRST: u64 = 1 << 41;

/// In the order in which they were made.
pub(crate) static UPDATES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let random = &mut Random::new(7);
    let mut editors: Vec<Editor> = (0..4).map(|n| Editor::new(Origin(FIRST + n))).collect();
    (0..COUNT).map(|_| next(&mut editors, random)).collect()
});

struct Editor {
    origin: Origin,
    done: u64,
    document: Replica,
}

fn next(editors: &mut [Editor], random: &mut Random) -> Vec<u8> {
    let (at, other) = (random.index(editors.len()), random.index(editors.len()));
    if at != other && random.chance(1, 3) {
        let heard = editors[other].whole();
        heard.into_iter().for_each(|update| drop(editors[at].apply(&Operation::Yjs(update))));
    }
    let editor = &mut editors[at];
    let (place, text) = (random.below(5), ["a", "bc", "déf", "🙂", "e\u{301}"][random.index(5)]);
    let deletes = random.chance(1, 4).then_some(Operation::DeleteText { at: place, length: 1 + random.below(3) });
    let inserts = |at| Operation::InsertText { at, text: text.to_owned() };
    // What is beyond the end is refused; at the beginning there is always room.
    let tried = [deletes, Some(inserts(place)), Some(inserts(0))];
    let update = tried.iter().flatten().find_map(|operation| editor.apply(operation)).expect("there is room");
    // Sometimes everything that the editor has, as after a reconnection.
    if random.chance(1, 12) { editor.whole().unwrap_or(update) } else { update }
}

impl Editor {
    fn new(origin: Origin) -> Self {
        Self { origin, done: 0, document: Replica::new() }
    }

    /// Edits the document; what others must hear is the update.
    fn apply(&mut self, operation: &Operation) -> Option<Vec<u8>> {
        let (seq, mut position, mut effect) = (self.done + 1, 0, Effect::new("c", Kind::TEXT, "k"));
        let id = OperationId::numbered(self.origin, seq);
        Text.prepare(operation, &mut Prepare::new(&self.document, id, None, &mut position, &mut effect)).ok()?;
        let update = effect.folds.first()?.payload.clone();
        let dot = Dot { shard: ShardId(0), origin: self.origin, seq };
        let (dependencies, effects) = (Default::default(), vec![effect]);
        let transaction = Transaction { dot, hlc: Hlc(seq), operation: id, dependencies, lineage: None, effects };
        self.document.apply(&Text, &transaction).expect("what it prepared, it applies");
        self.done = seq;
        Some(update)
    }

    fn whole(&self) -> Option<Vec<u8>> {
        match Text.export(&self.document, None) {
            Ok(Exported::Bytes(update)) => Some(update),
            _ => None,
        }
    }
}
