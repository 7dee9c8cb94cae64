//! What people read: values from the specified rows, worked out without the resolvers, and compared with what a replica
//! answers.

mod calendar;

use super::spec::{Place, State};
use crate::builds;
use anabranch_causality::{Actor, Hlc, Kind, Reader, Tag};
use anabranch_engine::store::Read;
use anabranch_engine::{Catalog, query};
use anabranch_resolvers::{Member, Registry};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const MOST_BYTES: usize = 1 << 20;

/// One key's rows: subkey, tag, stamp, payload.
type Rows<'a> = Vec<(&'a [u8], Tag, Hlc, &'a [u8])>;

/// Compares every value of every collection; `right` is the specified state.
pub(crate) fn check(right: &State, registry: &Registry, catalog: &Catalog, store: &dyn Read) -> Result<(), String> {
    let mut every: BTreeSet<(&str, u8, &str)> = BTreeSet::new();
    every.extend(right.rows.keys().map(|((collection, kind, key, _), _)| (&collection[..], *kind, &key[..])));
    every.extend(right.sums.keys().map(|(collection, kind, key, _)| (&collection[..], *kind, &key[..])));
    for (name, kind, key) in every {
        let collection = catalog.get(name, Kind(kind)).ok_or_else(|| format!("there is no collection {name}"))?;
        let resolver = resolver(right, name, Kind(kind));
        if collection.resolver != resolver {
            let rows = rows(right, ("_resolvers", Kind::REGISTER.0, name));
            return Err(format!("{name} has resolver {}, specified is {resolver} by {rows:?}", collection.resolver));
        }
        let answer = query::value(registry, store, collection, key, None, MOST_BYTES);
        let answer = answer.map_err(|error| error.to_string())?.map(|outcome| outcome.value);
        let specified = value(right, (name, kind, key), &resolver)?;
        if answer != specified {
            return Err(format!("{name}/{key} ({resolver}) reads {answer:?}, specified is {specified:?}"));
        }
    }
    Ok(())
}

/// The resolver that a collection has: for registers what the system's own register says, or `lww`.
fn resolver(right: &State, name: &str, kind: Kind) -> String {
    if kind != Kind::REGISTER {
        return kind.to_string();
    }
    let chosen = lww(&rows(right, ("_resolvers", Kind::REGISTER.0, name)));
    chosen.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_else(|| "lww".to_owned())
}

fn rows<'a>(right: &'a State, (name, kind, key): (&str, u8, &str)) -> Rows<'a> {
    let first: (Place, Tag) = ((name.to_owned(), kind, key.to_owned(), Vec::new()), smallest_tag());
    let of_key = |place: &Place| place.0 == name && place.1 == kind && place.2 == key;
    let found = right.rows.range(first..).take_while(|((place, _), _)| of_key(place));
    found.map(|((place, tag), (stamp, payload))| (&place.3[..], *tag, *stamp, &payload[..])).collect()
}

fn smallest_tag() -> Tag {
    let actor = Actor::Leader(anabranch_causality::Origin(0));
    Tag { operation: anabranch_causality::OperationId { actor, counter: 0, hash: 0 }, position: 0 }
}

fn value(right: &State, place: (&str, u8, &str), resolver: &str) -> Result<Option<Value>, String> {
    let rows = rows(right, place);
    let (name, kind, key) = place;
    let value = match resolver {
        "lww" => lww(&rows),
        "escalate" => lww(&rows),
        "keep-all" | builds::NAME => keep_all(&rows),
        "map" => fields(&rows),
        "calendar" => calendar::value(&rows)?,
        "or-set" => members(&rows)?,
        "cart" => items(&rows)?,
        "g-counter" | "pn-counter" => {
            let least = if resolver == "g-counter" { 0 } else { i64::MIN };
            let sum = right.sums.get(&(name.to_owned(), kind, key.to_owned(), Vec::new()));
            sum.map(|sum| (*sum).clamp(least.into(), i64::MAX.into()) as i64).map(Value::from)
        }
        other => return Err(format!("{name} has the resolver {other}, for which there is no specification")),
    };
    Ok(value)
}

fn json(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).unwrap_or(Value::Null)
}

/// The latest, leaving out what a later operation of the same session outranks.
fn lww(rows: &Rows<'_>) -> Option<Value> {
    let outranked = |tag: &Tag| {
        let by = |other: &Tag| other.operation.actor == tag.operation.actor;
        let session = matches!(tag.operation.actor, Actor::Session(_));
        session && rows.iter().any(|(_, other, ..)| by(other) && other.operation.counter > tag.operation.counter)
    };
    let standing = rows.iter().filter(|(_, tag, ..)| !outranked(tag));
    standing.max_by_key(|(_, tag, stamp, _)| (*stamp, *tag)).map(|(.., payload)| json(payload))
}

/// Each field as if it were a register.
fn fields(rows: &Rows<'_>) -> Option<Value> {
    let mut fields: BTreeMap<&[u8], Rows<'_>> = BTreeMap::new();
    for row in rows {
        fields.entry(row.0).or_default().push(*row);
    }
    let field = |(name, rows): (&[u8], Rows<'_>)| Some((String::from_utf8_lossy(name).into_owned(), lww(&rows)?));
    let object: Map<String, Value> = fields.into_iter().filter_map(field).collect();
    (!object.is_empty()).then_some(Value::Object(object))
}

fn keep_all(rows: &Rows<'_>) -> Option<Value> {
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|(_, tag, stamp, _)| (*stamp, *tag));
    let values: Vec<Value> = sorted.iter().map(|(.., payload)| json(payload)).collect();
    (!values.is_empty()).then_some(Value::Array(values))
}

fn members(rows: &Rows<'_>) -> Result<Option<Value>, String> {
    let read = |subkey: &[u8]| Member::from_subkey(subkey).map_err(|error| error.to_string());
    let members = rows.iter().map(|(subkey, ..)| read(subkey)).collect::<Result<BTreeSet<Member>, String>>()?;
    let values = members.iter().map(Member::to_json).collect::<Vec<_>>();
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

fn items(rows: &Rows<'_>) -> Result<Option<Value>, String> {
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for (subkey, _, _, payload) in rows {
        let item = String::from_utf8(subkey.to_vec()).map_err(|error| error.to_string())?;
        let quantity = Reader::new(payload).signed("quantity").map_err(|error| error.to_string())?;
        *sums.entry(item).or_default() += i128::from(quantity);
    }
    let clamp = |sum: i128| sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    let shown: Map<String, Value> =
        sums.iter().filter(|(_, sum)| **sum > 0).map(|(item, sum)| (item.clone(), clamp(*sum).into())).collect();
    Ok((!rows.is_empty()).then_some(Value::Object(shown)))
}
