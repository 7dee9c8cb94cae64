//! One node's answer.

use crate::http::{Client, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A node to ask.
pub(super) struct Node {
    pub(super) client: Client,
    pub(super) url: String,
    /// The region it must be of, if that was said.
    pub(super) region: Option<String>,
}

/// What came of asking it.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// Its region, and its name if that is another; its address if it did not answer.
    pub(super) name: String,
    pub(super) state: Result<State, String>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) cluster: String,
    pub(super) shards: BTreeMap<u64, Shard>,
}

/// What a node holds of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    /// Origin to the last transaction applied.
    pub(super) vector: BTreeMap<String, u64>,
    pub(super) digest: String,
}

impl State {
    pub(super) fn transactions(&self) -> u64 {
        self.shards.values().flat_map(|shard| shard.vector.values()).sum()
    }

    pub(super) fn digests(&self) -> String {
        self.shards.values().map(|shard| shard.digest.as_str()).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn in_json(&self) -> Value {
        let shard = |(number, shard): (&u64, &Shard)| json!({ "shard": number, "version_vector": shard.vector, "digest": shard.digest });
        self.shards.iter().map(shard).collect()
    }
}

pub(super) fn ask(node: &mut Node) -> Heard {
    let unnamed = || node.region.clone().unwrap_or_else(|| node.url.clone());
    let answer = match node.client.send(Request::get("/v1/status".to_owned())) {
        Ok(answer) => answer.body,
        Err(failure) => return Heard { name: unnamed(), state: Err(failure.what().to_owned()) },
    };
    let text = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or_default();
    let (region, own) = (text("region"), text("name"));
    if let Some(expected) = node.region.as_ref().filter(|expected| *expected != region) {
        let problem = format!("{} is of region {region:?}", node.url);
        return Heard { name: expected.clone(), state: Err(problem) };
    }
    let name = if region == own { region.to_owned() } else { format!("{region}/{own}") };
    let state = read(&answer).ok_or_else(|| format!("{} answers without vectors and digests", node.url));
    Heard { name, state }
}

fn read(answer: &Value) -> Option<State> {
    let shard = |value: &Value| {
        let entry = |(origin, last): (&String, &Value)| Some((origin.clone(), last.as_u64()?));
        let vector = value.get("version_vector")?.as_object()?.iter().map(entry).collect::<Option<_>>()?;
        Some((value.get("shard")?.as_u64()?, Shard { vector, digest: value.get("digest")?.as_str()?.to_owned() }))
    };
    let shards = answer.get("shards")?.as_array()?.iter().map(shard).collect::<Option<_>>()?;
    Some(State { cluster: answer.get("cluster")?.as_str()?.to_owned(), shards })
}
