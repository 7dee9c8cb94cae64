//! What was asked for, and what must be there therefore: exactly that, no less and no more.

use super::api::Api;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One request that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Count up.
    Count { key: String, by: i64 },
    /// A member comes into a set.
    Join { key: String, member: String },
    /// A member leaves a set.
    Leave { key: String, member: String },
    /// More of an item in a cart.
    Buy { key: String, item: String, quantity: i64 },
}

impl Ask {
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Count { key, .. } => format!("/v1/data/counts/{key}?return=none"),
            Self::Join { key, .. } | Self::Leave { key, .. } => format!("/v1/data/sets/{key}?return=none"),
            Self::Buy { key, .. } => format!("/v1/data/carts/{key}?return=none"),
        }
    }

    pub(crate) fn body(&self) -> String {
        let body = match self {
            Self::Count { by, .. } => json!({ "add": by }),
            Self::Join { member, .. } => json!({ "add": [member] }),
            Self::Leave { member, .. } => json!({ "remove": [member] }),
            Self::Buy { item, quantity, .. } => json!({ "add": { "item": item, "quantity": quantity } }),
        };
        body.to_string()
    }
}

/// Makes the collections that requests go to.
pub(crate) fn create_collections(api: &Api, port: u16) {
    for (name, resolver) in [("counts", "pn-counter"), ("sets", "or-set"), ("carts", "cart")] {
        api.create(port, name, resolver);
    }
}

/// The sum of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    counts: BTreeMap<String, i64>,
    sets: BTreeMap<String, BTreeSet<String>>,
    carts: BTreeMap<String, BTreeMap<String, i64>>,
    /// How many requests there were.
    pub(crate) requests: usize,
}

impl Ledger {
    pub(crate) fn add(&mut self, ask: &Ask) {
        self.requests += 1;
        match ask.clone() {
            Ask::Count { key, by } => *self.counts.entry(key).or_default() += by,
            Ask::Join { key, member } => {
                self.sets.entry(key).or_default().insert(member);
            }
            Ask::Leave { key, member } => {
                self.sets.entry(key).or_default().remove(&member);
            }
            Ask::Buy { key, item, quantity } => {
                *self.carts.entry(key).or_default().entry(item).or_default() += quantity;
            }
        }
    }

    /// Adds another's requests. (No two ask for the same member of a set.)
    pub(crate) fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        for (key, count) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
        for (key, members) in &other.sets {
            self.sets.entry(key.clone()).or_default().extend(members.iter().cloned());
        }
        for (key, items) in &other.carts {
            for (item, quantity) in items {
                *self.carts.entry(key.clone()).or_default().entry(item.clone()).or_default() += quantity;
            }
        }
    }

    /// What a node holds of the keys that this names.
    pub(crate) fn read(&self, api: &Api, port: u16) -> Self {
        let mut found = Self { requests: self.requests, ..Self::default() };
        for key in self.counts.keys() {
            let value = api.value(port, "counts", key).unwrap_or(json!(0));
            found.counts.insert(key.clone(), value.as_i64().expect("an integer"));
        }
        for key in self.sets.keys() {
            let value = api.value(port, "sets", key).unwrap_or(json!([]));
            let members = value.as_array().expect("a list").iter();
            found.sets.insert(key.clone(), members.map(|one| one.as_str().expect("a string").to_owned()).collect());
        }
        for key in self.carts.keys() {
            let value = api.value(port, "carts", key).unwrap_or(json!({}));
            let items = value.as_object().expect("an object").iter();
            let item = |(name, quantity): (&String, &Value)| (name.clone(), quantity.as_i64().expect("an integer"));
            found.carts.insert(key.clone(), items.map(item).collect());
        }
        found
    }

    /// Whether there is at least what another has. Only for requests that never take away.
    pub(crate) fn has_all_of(&self, other: &Self) -> bool {
        let counts = other.counts.iter().all(|(key, count)| self.counts.get(key).is_some_and(|have| have >= count));
        let sets =
            other.sets.iter().all(|(key, members)| self.sets.get(key).is_some_and(|have| have.is_superset(members)));
        let carts = other.carts.iter().all(|(key, items)| {
            let have = self.carts.get(key);
            items
                .iter()
                .all(|(item, quantity)| have.and_then(|have| have.get(item)).is_some_and(|have| have >= quantity))
        });
        counts && sets && carts
    }

    /// A node must hold exactly this.
    #[track_caller]
    pub(crate) fn must_be_held_by(&self, api: &Api, port: u16) {
        let found = self.read(api, port);
        assert_eq!(found.counts, self.counts, "counters at port {port}");
        for (key, members) in &self.sets {
            let have = &found.sets[key];
            let missing: Vec<_> = members.difference(have).take(5).collect();
            let back: Vec<_> = have.difference(members).take(5).collect();
            assert!(missing.is_empty() && back.is_empty(), "{key} at {port}: lacks {missing:?}, has besides {back:?}");
        }
        assert_eq!(found.carts, self.carts, "carts at port {port}");
    }
}
