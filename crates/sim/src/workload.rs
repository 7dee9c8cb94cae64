//! What clients ask for.

use crate::checkers::decided::Decision;
use crate::plan::Plan;
use crate::random::Random;
use anabranch_causality::{Context, Kind};
use anabranch_engine::store::Read;
use anabranch_engine::{Catalog, Change, KeyRows, query};
use anabranch_resolvers::{Booking, Conflict, Keep, Member, Moment, Operation, Registry, Resolution, Span};

/// The collections that all clients know, with their kinds. Calendars come twice: of many bookings few meet.
const COLLECTIONS: [(&str, Kind); 9] = [
    ("profiles", Kind::REGISTER),
    ("notes", Kind::REGISTER),
    ("likes", Kind::G_COUNTER),
    ("stock", Kind::PN_COUNTER),
    ("tags", Kind::OR_SET),
    ("carts", Kind::CART),
    ("settings", Kind::MAP),
    ("rooms", Kind::CALENDAR),
    ("rooms", Kind::CALENDAR),
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
            Kind::REGISTER if collection == "notes" => {
                random.pick(&["keep-all", "keep-all", "escalate", "lww"]).to_owned()
            }
            Kind::REGISTER => "lww".to_owned(),
            other => other.to_string(),
        };
        return Change::Declare { collection: collection.to_owned(), kind, resolver };
    }
    if random.chance(plan.mixed) {
        // Made by whoever comes first, with whatever kind: at two leaders at once, with two.
        (collection, kind) = (random.pick(&["mixed-1", "mixed-2", "mixed-3"]), random.pick(&COLLECTIONS).1);
    }
    // One calendar: there must be several bookings for any of them to meet.
    let keys = if kind == Kind::CALENDAR { 1 } else { plan.keys };
    let key = format!("k{}", random.range(1, keys));
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
        Kind::MAP if random.chance(50) => Operation::Delete,
        Kind::MAP if removes => Operation::RemoveFields(vec![field(random)]),
        Kind::MAP => {
            let fields = (0..random.range(1, 2)).map(|_| (field(random), request.into()));
            Operation::SetFields(fields.collect())
        }
        Kind::CALENDAR => booking(random, request),
        _ if removes => Operation::Delete,
        _ => Operation::Put(request.into()),
    }
}

fn field(random: &mut Random) -> String {
    random.pick(&["name", "size", "colour"]).to_owned()
}

/// Few bookings and few hours, so that they meet.
fn booking(random: &mut Random, request: usize) -> Operation {
    let booking = format!("b{}", random.range(1, 12));
    let by = random.pick(&["Ann", "Bob"]).to_owned();
    let start = random.range(0, 20) as i64;
    let moment = |hour: i64| Moment::from_ms(hour * 3_600_000).unwrap_or_default();
    let span = Span { start: moment(start), end: moment(start + random.range(1, 3) as i64) };
    match random.below(10) {
        0..=6 => {
            let title = random.pick(&["standup", "review"]).to_owned();
            let booking = if random.chance(300) { format!("r{request}") } else { booking };
            Operation::Book(Booking { booking: Some(booking).filter(|_| !random.chance(100)), span, title, by })
        }
        7..=8 => Operation::Move { booking, span, by },
        _ => Operation::Cancel { booking, by },
    }
}

/// What stands in conflict somewhere, and where.
pub(crate) type Standing = (&'static str, Kind, String, Conflict);

/// All that is in conflict at a replica.
pub(crate) fn standing(plan: &Plan, registry: &Registry, catalog: &Catalog, store: &dyn Read) -> Vec<Standing> {
    let mut standing = Vec::new();
    for (collection, kind) in
        COLLECTIONS.into_iter().filter(|(_, kind)| [Kind::REGISTER, Kind::CALENDAR].contains(kind))
    {
        let Some(found) = catalog.get(collection, kind) else { continue };
        let Ok(resolver) = query::resolver(registry, found) else { continue };
        for key in (1..=plan.keys).map(|number| format!("k{number}")) {
            let conflicts = resolver.conflicts(&KeyRows::new(store, found.id, &key)).unwrap_or_default();
            standing.extend(conflicts.into_iter().map(|conflict| (collection, kind, key.clone(), conflict)));
        }
    }
    standing
}

/// Ends what stands in conflict, for the option of that number.
pub(crate) fn decide(
    (collection, kind, key, conflict): &Standing,
    option: usize,
    random: &mut Random,
) -> (Change, Option<Decision>) {
    let option = &conflict.options[option % conflict.options.len()];
    let none = *kind == Kind::CALENDAR && random.chance(200);
    let keep = Keep::Options(if none { Vec::new() } else { vec![option.id.clone()] });
    let (by, note) = (Some("Dee".to_owned()), random.chance(500).then(|| "decided".to_owned()));
    let operation = Operation::Resolve(Resolution { conflict: conflict.id, keep, by, note });
    let (collection, key) = ((*collection).to_owned(), key.clone());
    let decision = (*kind == Kind::REGISTER).then(|| Decision {
        conflict: conflict.id,
        collection: collection.clone(),
        key: key.clone(),
        kept: option.value.clone(),
    });
    (Change::Operate { collection, kind: *kind, key, operation, context: None }, decision)
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
        let Change::Operate { collection, kind: Kind::REGISTER, key, context, operation } = change else { continue };
        // A decision says by its conflict's id what it has seen.
        if matches!(operation, Operation::Resolve(_)) {
            continue;
        }
        let Some(found) = catalog.get(collection, Kind::REGISTER) else { continue };
        let Ok(Some(outcome)) = query::value(registry, store, found, key, None, 1 << 20) else { continue };
        let text = Context::new(outcome.versions).encode(collection, key);
        *context = Context::decode(&text, collection, key).ok();
    }
}
