//! What clients ask for.

use crate::plan::Plan;
use crate::random::Random;
use anabranch_causality::{Context, Kind};
use anabranch_engine::store::Read;
use anabranch_engine::{Catalog, Change, query};
use anabranch_resolvers::{Member, Operation, Registry};

/// The collections that all clients know, with their kinds.
const COLLECTIONS: [(&str, Kind); 6] = [
    ("profiles", Kind::REGISTER),
    ("notes", Kind::REGISTER),
    ("likes", Kind::G_COUNTER),
    ("stock", Kind::PN_COUNTER),
    ("tags", Kind::OR_SET),
    ("carts", Kind::CART),
];

/// The changes of one request. Every value says which request it is of.
pub(crate) fn changes(random: &mut Random, plan: &Plan, request: usize) -> Vec<Change> {
    let count = if random.chance(plan.several) { random.range(2, 6) } else { 1 };
    (0..count).map(|_| change(random, plan, request)).collect()
}

fn change(random: &mut Random, plan: &Plan, request: usize) -> Change {
    let (mut collection, mut kind) = random.pick(&COLLECTIONS);
    if random.chance(plan.declares) {
        let resolver = match kind {
            Kind::REGISTER if collection == "notes" => random.pick(&["keep-all", "keep-all", "lww"]).to_owned(),
            Kind::REGISTER => "lww".to_owned(),
            other => other.to_string(),
        };
        return Change::Declare { collection: collection.to_owned(), kind, resolver };
    }
    if random.chance(plan.mixed) {
        // Made by whoever comes first, with whatever kind: at two leaders at once, with two.
        (collection, kind) = (random.pick(&["mixed-1", "mixed-2", "mixed-3"]), random.pick(&COLLECTIONS).1);
    }
    let key = format!("k{}", random.range(1, plan.keys));
    let operation = operation(random, plan, kind, request);
    Change::Operate { collection: collection.to_owned(), kind, key, operation, context: None }
}

fn operation(random: &mut Random, plan: &Plan, kind: Kind, request: usize) -> Operation {
    let removes = random.chance(200);
    let item = |random: &mut Random| format!("item-{}", random.range(1, 3));
    match kind {
        Kind::G_COUNTER if random.chance(plan.extremes) => Operation::Add(i64::MAX - 3),
        Kind::G_COUNTER => Operation::Add(random.range(0, 3) as i64),
        Kind::PN_COUNTER if random.chance(plan.extremes) => Operation::Add(random.pick(&[i64::MIN, i64::MAX])),
        Kind::PN_COUNTER => Operation::Add(random.range(0, 10) as i64 - 5),
        Kind::OR_SET if random.chance(50) => Operation::Delete,
        Kind::OR_SET if removes => Operation::RemoveMembers(members(random)),
        Kind::OR_SET => Operation::AddMembers(members(random)),
        Kind::CART if random.chance(25) => Operation::Clear,
        Kind::CART if random.chance(25) => Operation::Delete,
        Kind::CART if removes => Operation::RemoveItem { item: item(random) },
        Kind::CART => Operation::AddItem { item: item(random), quantity: random.pick(&[1, 2, 3, -1]) },
        _ if removes => Operation::Delete,
        _ => Operation::Put(request.into()),
    }
}

fn members(random: &mut Random) -> Vec<Member> {
    let member = |random: &mut Random| match random.below(3) {
        0 => Member::Bool(true),
        1 => Member::Integer(i128::from(random.range(0, 2)) - 1),
        _ => Member::String(random.pick(&["a", "b"]).to_owned()),
    };
    (0..random.range(1, 3)).map(|_| member(random)).collect()
}

/// Gives each operation on a register the context that a replica's answer shows: through its text, as a client would.
pub(crate) fn add_contexts(changes: &mut [Change], registry: &Registry, catalog: &Catalog, store: &dyn Read) {
    for change in changes {
        let Change::Operate { collection, kind: Kind::REGISTER, key, context, .. } = change else { continue };
        let Some(found) = catalog.get(collection, Kind::REGISTER) else { continue };
        let Ok(Some(outcome)) = query::value(registry, store, found, key, None, 1 << 20) else { continue };
        let text = Context::new(outcome.versions).encode(collection, key);
        *context = Context::decode(&text, collection, key).ok();
    }
}
