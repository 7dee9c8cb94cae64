//! What each built-in's value must be, written without its code: from what was asked and which tags survive.

use anabranch_causality::{Actor, Hlc, Tag, hash64};
use anabranch_resolvers::custom::{Custom, Merged, Surviving};
use anabranch_resolvers::laws::{self, Naive, NaiveRow, Random};
use anabranch_resolvers::{Escalate, Keep, KeepAll, Member, Operation, Resolution, Resolver};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which operation of its request added a row of a cart: every one that adds at all adds one.
fn adder<'a>(naive: &'a Naive, tag: &Tag) -> &'a Operation {
    let adds = |operation: &&Operation| matches!(operation, Operation::AddItem { .. });
    naive.requests[&tag.operation].iter().filter(adds).nth(tag.position as usize).expect("whoever added it")
}

/// The value of a register's or a field's row: what was put, or what a person kept.
pub(crate) fn put_value(naive: &Naive, tag: &Tag) -> Value {
    let added = naive.requests[&tag.operation].iter().flat_map(|operation| match operation {
        Operation::Put(value) => vec![value.clone()],
        Operation::SetFields(fields) => fields.values().cloned().collect(),
        Operation::Resolve(Resolution { keep: Keep::Value(value), .. }) => vec![value.clone()],
        Operation::Resolve(Resolution { keep: Keep::Options(names), .. }) => {
            let names: BTreeSet<&String> = names.iter().collect();
            names.into_iter().map(|name| of_option(naive, name)).collect()
        }
        _ => Vec::new(),
    });
    added.into_iter().nth(tag.position as usize).expect("whoever put it")
}

/// Options are named after their values, and each value was put by somebody.
fn of_option(naive: &Naive, name: &str) -> Value {
    let is_named = |value: &&Value| {
        let text = value.to_string();
        format!("{:016x}", hash64("anabranch option 1", &[text.as_bytes()])) == name
    };
    let put = naive.requests.values().flatten().flat_map(|operation| match operation {
        Operation::Put(value) => vec![value],
        Operation::SetFields(fields) => fields.values().collect(),
        Operation::Resolve(Resolution { keep: Keep::Value(value), .. }) => vec![value],
        _ => Vec::new(),
    });
    put.into_iter().find(is_named).expect("whoever put it").clone()
}

/// A resolution of what stands, now and then.
pub(crate) fn decided(random: &mut Random, other: fn(&mut Random) -> Operation) -> Operation {
    if random.chance(3, 4) {
        return other(random);
    }
    let keep: Vec<usize> = (0..random.index(3)).map(|_| random.index(5)).collect();
    match laws::resolution(random.below(3), &keep) {
        Operation::Resolve(resolution) if random.chance(1, 5) => {
            Operation::Resolve(Resolution { keep: Keep::Value(json!(random.below(100))), ..resolution })
        }
        resolution => resolution,
    }
}

pub(crate) fn lww(naive: &Naive) -> Option<Value> {
    let is_outranked = |tag: &Tag| {
        naive.rows.keys().any(|other| {
            matches!(tag.operation.actor, Actor::Session(_))
                && other.operation.actor == tag.operation.actor
                && other.operation.counter > tag.operation.counter
        })
    };
    let candidates = naive.rows.iter().filter(|(tag, _)| !is_outranked(tag));
    let winner = candidates.max_by_key(|(tag, row)| (row.stamp, tag.operation, tag.position));
    winner.map(|(tag, _)| put_value(naive, tag))
}

pub(crate) fn keep_all(naive: &Naive) -> Option<Value> {
    let mut rows: Vec<_> = naive.rows.iter().collect();
    rows.sort_by_key(|(tag, row)| (row.stamp, tag.operation, tag.position));
    let values: Vec<Value> = rows.into_iter().map(|(tag, _)| put_value(naive, tag)).collect();
    (!values.is_empty()).then_some(Value::Array(values))
}

fn sum(naive: &Naive) -> Option<i128> {
    let adds = naive.requests.values().flatten().map(|operation| match operation {
        Operation::Add(change) => i128::from(*change),
        other => panic!("{other:?} is no counter's"),
    });
    (!naive.requests.is_empty()).then(|| adds.sum())
}

pub(crate) fn counter(naive: &Naive) -> Option<Value> {
    sum(naive).map(|sum| json!(i64::try_from(sum).unwrap_or(if sum > 0 { i64::MAX } else { i64::MIN })))
}

pub(crate) fn or_set(naive: &Naive) -> Option<Value> {
    let alive: BTreeSet<&[u8]> = naive.rows.values().map(|row| row.subkey.as_slice()).collect();
    let asked = naive.requests.values().flatten().flat_map(|operation| match operation {
        Operation::AddMembers(members) => members.as_slice(),
        _ => &[],
    });
    let members: BTreeSet<&Member> = asked.filter(|member| alive.contains(member.to_subkey().as_slice())).collect();
    (!members.is_empty()).then(|| members.into_iter().map(Member::to_json).collect())
}

pub(crate) fn map(naive: &Naive) -> Option<Value> {
    let is_outranked = |tag: &Tag, subkey: &[u8]| {
        naive.rows.iter().any(|(other, row)| {
            row.subkey == subkey
                && matches!(tag.operation.actor, Actor::Session(_))
                && other.operation.actor == tag.operation.actor
                && other.operation.counter > tag.operation.counter
        })
    };
    let mut rows: Vec<_> = naive.rows.iter().filter(|(tag, row)| !is_outranked(tag, &row.subkey)).collect();
    rows.sort_by_key(|(tag, row)| (row.stamp, tag.operation, tag.position));
    let field = |row: &NaiveRow| String::from_utf8(row.subkey.clone()).expect("a name");
    let object: Map<String, Value> = rows.into_iter().map(|(tag, row)| (field(row), put_value(naive, tag))).collect();
    (!object.is_empty()).then_some(Value::Object(object))
}

/// The first field keeps all, the second escalates, the third is the lowest number; the rest is `lww`.
pub(crate) fn mixed(names: [&str; 3]) -> anabranch_resolvers::Map {
    let lowest = |versions: &[Surviving]| {
        let numbers: Option<Vec<i64>> = versions.iter().map(|version| version.value.as_i64()).collect();
        numbers
            .and_then(|numbers| numbers.into_iter().min())
            .map_or(Merged::Escalate, |least| Merged::Value(least.into()))
    };
    let resolvers: [Arc<dyn Resolver>; 3] =
        [Arc::new(KeepAll), Arc::new(Escalate), Arc::new(Custom::new("lowest", lowest))];
    anabranch_resolvers::Map::with(names.map(str::to_owned).into_iter().zip(resolvers).collect())
}

/// Each field of [`mixed`] as its resolver alone would have it.
pub(crate) fn mixed_map(naive: &Naive) -> Option<Value> {
    let mut versions: BTreeMap<&str, Vec<(Hlc, Tag, Value)>> = BTreeMap::new();
    for (tag, row) in &naive.rows {
        let field = std::str::from_utf8(&row.subkey).expect("a name");
        let value = serde_json::from_slice(&row.payload).expect("JSON");
        versions.entry(field).or_default().push((row.stamp, *tag, value));
    }
    let mut object: Map<String, Value> = serde_json::from_value(map(naive)?).expect("an object");
    for (field, mut versions) in versions {
        versions.sort_by_key(|(stamp, tag, _)| (*stamp, *tag));
        let values: Vec<Value> = versions.into_iter().map(|(.., value)| value).collect();
        let numbers = || values.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>();
        match field {
            "a" => drop(object.insert(field.to_owned(), Value::Array(values))),
            "n" => {
                let least = numbers().and_then(|numbers| numbers.into_iter().min());
                least.map(|least| object.insert(field.to_owned(), least.into()));
            }
            _ => {}
        }
    }
    Some(Value::Object(object))
}

pub(crate) fn any_map_operation(random: &mut Random) -> Operation {
    const FIELDS: [&str; 5] = ["a", "ab", "b\"", "ü", "n"];
    let field = |random: &mut Random| FIELDS[random.index(FIELDS.len())].to_owned();
    let count = 1 + random.below(3);
    match random.below(20) {
        0..=11 => {
            let value = |random: &mut Random| match random.below(4) {
                0 => Value::Null,
                1 => json!({ "x": [random.below(9)] }),
                _ => json!(random.below(100)),
            };
            Operation::SetFields((0..count).map(|_| (field(random), value(random))).collect())
        }
        12..=18 => Operation::RemoveFields((0..count).map(|_| field(random)).collect()),
        _ => Operation::Delete,
    }
}

pub(crate) fn cart(naive: &Naive) -> Option<Value> {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for tag in naive.rows.keys() {
        match adder(naive, tag) {
            Operation::AddItem { item, quantity } => *sums.entry(item).or_default() += i128::from(*quantity),
            other => panic!("{other:?} adds no item"),
        }
    }
    let clamped = |sum: i128| json!(i64::try_from(sum).unwrap_or(i64::MAX));
    let shown = sums.iter().filter(|(_, sum)| **sum > 0).map(|(item, sum)| ((*item).to_owned(), clamped(*sum)));
    (!sums.is_empty()).then(|| Value::Object(shown.collect::<Map<_, _>>()))
}

pub(crate) fn any_register_operation(random: &mut Random) -> Operation {
    let n = random.below(100);
    match random.below(10) {
        0..=1 => Operation::Delete,
        2 => Operation::Put(json!({"n": n, "list": [null, true, "a\"ü\n"]})),
        3 => Operation::Put(Value::Null),
        4 => Operation::Put(json!(n as f64 / 7.0)),
        _ => Operation::Put(json!(n)),
    }
}

pub(crate) fn any_decided_register_operation(random: &mut Random) -> Operation {
    decided(random, any_register_operation)
}

pub(crate) fn any_decided_map_operation(random: &mut Random) -> Operation {
    decided(random, any_map_operation)
}

pub(crate) fn any_g_operation(random: &mut Random) -> Operation {
    Operation::Add(match random.below(12) {
        0 => i64::MAX / 2 + random.below(3) as i64,
        1 => -1,
        2 => 0,
        _ => random.below(1_000) as i64,
    })
}

pub(crate) fn any_pn_operation(random: &mut Random) -> Operation {
    Operation::Add(match random.below(12) {
        0 => i64::MAX - random.below(3) as i64,
        1 => i64::MIN + random.below(3) as i64,
        _ => random.below(200) as i64 - 100,
    })
}

pub(crate) fn any_set_operation(random: &mut Random) -> Operation {
    let member = |random: &mut Random| match random.below(8) {
        0 => Member::Bool(random.chance(1, 2)),
        1 => Member::Integer(-i128::from(random.below(3))),
        2 => Member::Integer(i128::from(u64::MAX)),
        n => Member::String(["", "a", "ab", "b\u{0}", "ü\"\n"][(n - 3) as usize].to_owned()),
    };
    let count = 1 + random.below(3);
    let members = (0..count).map(|_| member(random)).collect();
    match random.below(20) {
        0..=10 => Operation::AddMembers(members),
        11..=18 => Operation::RemoveMembers(members),
        _ => Operation::Delete,
    }
}

pub(crate) fn any_cart_operation(random: &mut Random) -> Operation {
    let item = ["a", "ab", "b\"", "ü"][random.index(4)].to_owned();
    match random.below(20) {
        0..=12 => {
            let quantity = match random.below(12) {
                0 => i64::MAX,
                n => [-3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8][n as usize - 1],
            };
            Operation::AddItem { item, quantity }
        }
        13..=17 => Operation::RemoveItem { item },
        18 => Operation::Clear,
        _ => Operation::Delete,
    }
}
