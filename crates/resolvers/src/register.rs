//! What all registers share: versions of one value, under the empty subkey, as compact JSON text.

use crate::conflict::{Choice, Conflict, ConflictId};
use crate::json::{self, read_json};
use crate::operation::{Keep, Operation, Resolution};
use crate::resolver::{Malformed, Prepare, ReadFailed, Rejection, Row, Rows};
use anabranch_causality::{Actor, Effect, Hlc, Kind, SessionId, Tag, hash64};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// The most versions that writes may leave in conflict. Concurrent writes can still make more.
pub const MAX_VERSIONS: usize = 64;

/// A surviving version, without its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) stamp: Hlc,
    pub(crate) tag: Tag,
    /// How many bytes of JSON its value has.
    pub(crate) bytes: usize,
}

impl Version {
    fn of(row: &Row<'_>) -> Self {
        Self { stamp: row.stamp, tag: row.tag, bytes: row.payload.len() }
    }
}

/// All surviving versions, oldest first. Not their values, which may be large.
pub(crate) fn versions(rows: &dyn Rows) -> Result<Vec<Version>, ReadFailed> {
    let mut versions = Vec::new();
    rows.rows(Some(&[]), &mut |row| {
        versions.push(Version::of(&row));
        ControlFlow::Continue(())
    })?;
    versions.sort_unstable_by_key(|version| (version.stamp, version.tag));
    Ok(versions)
}

/// The values of all versions that `wanted` picks.
pub(crate) fn values(rows: &dyn Rows, wanted: impl Fn(&Tag) -> bool) -> Result<BTreeMap<Tag, Value>, ReadFailed> {
    let mut values = BTreeMap::new();
    let mut bad = false;
    rows.rows(Some(&[]), &mut |row| {
        if wanted(&row.tag) {
            match read_json(row.payload) {
                Ok(value) => drop(values.insert(row.tag, value)),
                Err(_) => bad = true,
            }
        }
        if bad { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if bad { Err(ReadFailed) } else { Ok(values) }
}

/// For each session, the highest counter among its versions: the session's other versions are outranked, for a retry that
/// comes late undoes nothing.
pub(crate) fn last_of_sessions(versions: &[Version]) -> BTreeMap<SessionId, u64> {
    let mut last = BTreeMap::new();
    for version in versions {
        if let Actor::Session(session) = version.tag.operation.actor {
            let counter = last.entry(session).or_insert(0);
            *counter = version.tag.operation.counter.max(*counter);
        }
    }
    last
}

/// The versions, the one that `lww` shows first: those that no other of the same session with a higher counter outranks, and
/// of these the latest.
pub(crate) fn by_importance(mut versions: Vec<Version>) -> Vec<Version> {
    let last = last_of_sessions(&versions);
    let is_outranked = |version: &Version| match version.tag.operation.actor {
        Actor::Session(session) => last.get(&session).is_some_and(|counter| version.tag.operation.counter < *counter),
        Actor::Leader(_) => false,
    };
    versions.sort_by_cached_key(|version| (!is_outranked(version), version.stamp, version.tag));
    versions.reverse();
    versions
}

/// The versions of a key, the one that `lww` shows first, and its value unless that is too long.
pub(crate) type Winner = (Vec<Version>, Option<Value>);

/// The winner among the versions, its value at most `most_bytes` of JSON; `None` when there are no versions.
pub(crate) fn winner(rows: &dyn Rows, most_bytes: usize) -> Result<Option<Winner>, ReadFailed> {
    let (mut versions, mut first) = (Vec::with_capacity(1), None);
    rows.rows(Some(&[]), &mut |row| {
        if versions.is_empty() && row.payload.len() <= most_bytes {
            first = Some(read_json(row.payload));
        }
        versions.push(Version::of(&row));
        ControlFlow::Continue(())
    })?;
    // Nearly always it is the only one: then its rows are read once.
    if versions.len() == 1 {
        return Ok(Some((versions, first.transpose().map_err(|_| ReadFailed)?)));
    }
    let versions = by_importance(versions);
    let Some(winner) = versions.first() else { return Ok(None) };
    if winner.bytes > most_bytes {
        return Ok(Some((versions, None)));
    }
    let tag = winner.tag;
    let value = values(rows, |wanted| *wanted == tag)?.remove(&tag).ok_or(ReadFailed)?;
    Ok(Some((versions, Some(value))))
}

/// Whether versions hold different values.
pub(crate) fn differ(rows: &dyn Rows) -> Result<bool, ReadFailed> {
    let (mut first, mut differ) = (None::<Vec<u8>>, false);
    rows.rows(Some(&[]), &mut |row| {
        match &first {
            None => first = Some(row.payload.to_vec()),
            // Values have one form of bytes each.
            Some(first) => differ = first != row.payload,
        }
        if differ { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(differ)
}

/// A put where versions may stand in conflict: without a context it never supersedes those, it joins them.
pub(crate) fn put_beside(value: &Value, in_conflict: bool, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let mut here = 0;
    prepare.rows().rows(Some(&[]), &mut |_| {
        here += 1;
        ControlFlow::Continue(())
    })?;
    if prepare.context().is_none() && in_conflict {
        // Only what the request itself wrote before is no conflict with it.
        let request = prepare.operation();
        prepare.rows().rows(Some(&[]), &mut |row| {
            if row.tag.operation == request {
                prepare.supersede(&row);
            }
            ControlFlow::Continue(())
        })?;
    } else {
        supersede_seen(prepare)?;
    }
    let left = here - prepare.superseded();
    if left >= MAX_VERSIONS {
        return Err(Rejection::ConflictOpen(format!(
            "{left} versions stand in conflict, and {MAX_VERSIONS} is the limit; read the key and write with its context"
        )));
    }
    add(prepare, value);
    Ok(())
}

/// The conflict between all versions: each value is an option. `None` when fewer than two survive.
pub(crate) fn conflict(rows: &dyn Rows) -> Result<Option<Conflict>, ReadFailed> {
    let versions = versions(rows)?;
    let Some(second) = versions.get(1) else { return Ok(None) };
    let mut values = values(rows, |_| true)?;
    let mut options: Vec<Choice> = Vec::new();
    for version in &versions {
        let value = values.remove(&version.tag).ok_or(ReadFailed)?;
        let id = option_id(&value);
        match options.iter_mut().find(|option| option.id == id) {
            Some(option) => option.tags.push(version.tag),
            None => options.push(Choice { id, value, tags: vec![version.tag], stamp: version.stamp, by: None }),
        }
    }
    let id = ConflictId::of(versions.iter().map(|version| version.tag));
    Ok(Some(Conflict { id, subkey: Vec::new(), since: second.stamp, options, outcomes: Vec::new() }))
}

/// An option is named after its value, so that the name stays when others come or go.
fn option_id(value: &Value) -> String {
    format!("{:016x}", hash64("anabranch option 1", &[&json::canonical(value)]))
}

/// Ends the conflict that stands, if it is the one that was meant: its versions go, what is kept comes anew.
pub(crate) fn resolve(
    resolution: &Resolution,
    standing: Option<Conflict>,
    prepare: &mut Prepare<'_>,
) -> Result<(), Rejection> {
    let standing = meant(resolution.conflict, standing)?;
    let kept: Vec<&Value> = match &resolution.keep {
        Keep::Value(value) => vec![value],
        Keep::Options(names) => chosen(&standing.options, names)?.into_iter().map(|option| &option.value).collect(),
    };
    if kept.is_empty() {
        let what = "keep at least one option or give a value; to keep none, delete the key with its context";
        return Err(Rejection::Rejected(what.to_owned()));
    }
    prepare.supersede_all(Some(&[]))?;
    kept.into_iter().for_each(|value| add(prepare, value));
    Ok(())
}

/// The conflict that stands, if it is the one that a resolution means.
pub(crate) fn meant(wanted: ConflictId, standing: Option<Conflict>) -> Result<Conflict, Rejection> {
    match standing {
        Some(standing) if standing.id == wanted => Ok(standing),
        Some(standing) => Err(Rejection::ConflictChanged {
            detail: format!("conflict {wanted} is no more as it was: now it is {}", standing.id),
            now: Some(standing.id),
        }),
        None => Err(Rejection::NoSuchConflict(format!("there is no conflict {wanted} here"))),
    }
}

/// The options of those names, each once, in the order of their names: what is kept depends on the set of names alone. Not in the
/// order of their ages, which a second copy of an operation can change.
fn chosen<'a>(options: &'a [Choice], names: &[String]) -> Result<Vec<&'a Choice>, Rejection> {
    if let Some(unknown) = names.iter().find(|name| options.iter().all(|option| option.id != **name)) {
        let known: Vec<&str> = options.iter().map(|option| option.id.as_str()).collect();
        return Err(Rejection::Rejected(format!("there is no option {unknown:?}; there are {}", known.join(", "))));
    }
    let mut chosen: Vec<&Choice> = options.iter().filter(|option| names.contains(&option.id)).collect();
    chosen.sort_by_key(|option| &option.id);
    Ok(chosen)
}

/// What the request saw goes: the versions of its context that are here, or without a context all that are here.
pub(crate) fn supersede_seen(prepare: &mut Prepare<'_>) -> Result<(), ReadFailed> {
    match prepare.context() {
        None => prepare.supersede_all(Some(&[])),
        Some(context) => prepare.rows().rows(Some(&[]), &mut |row| {
            if context.contains(&row.tag) {
                prepare.supersede(&row);
            }
            ControlFlow::Continue(())
        }),
    }
}

/// The limits, for operations that were made by hand.
pub(crate) fn check_limits(operation: &Operation) -> Result<(), Rejection> {
    operation.check_limits().map_err(|error| Rejection::Rejected(error.to_string()))
}

/// The version that comes.
pub(crate) fn add(prepare: &mut Prepare<'_>, value: &Value) {
    prepare.add([], json::canonical(value));
}

/// The same for every register resolver: which one a collection has may change at any time.
pub(crate) fn check(effect: &Effect) -> Result<(), Malformed> {
    if effect.kind != Kind::REGISTER {
        return Err(Malformed("not a register's effect"));
    }
    if !effect.folds.is_empty() {
        return Err(Malformed("a register keeps no sums"));
    }
    let subkeys = effect.supersedes.iter().map(|group| &group.subkey).chain(effect.adds.iter().map(|add| &add.subkey));
    if subkeys.into_iter().any(|subkey| !subkey.is_empty()) {
        return Err(Malformed("a register has no subkeys"));
    }
    if effect.adds.iter().all(|add| json::is_value(&add.payload)) {
        Ok(())
    } else {
        Err(Malformed("a register's version is JSON"))
    }
}

/// A version's value.
pub(crate) fn show(payload: &[u8]) -> Value {
    read_json(payload).unwrap_or(Value::Null)
}
