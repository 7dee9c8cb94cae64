//! A node over HTTP, beside handlers that do nothing.

use crate::limits::axum::Empty;
use crate::load::http;
use crate::numbers::spread;
use crate::ours::local;
use crate::ours::server::Running;
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch::Database;

const CONNECTIONS: usize = 64;
const PATH: &str = "/v1/data/{collection}/{key}";
const HANDLER: &str = "empty axum handler";
const BOTH: &str = "library and empty handler";

pub fn workloads() -> Vec<Workload> {
    vec![
        Workload {
            name: "http-reads",
            title: "Reads over HTTP, 64 connections",
            what: "`GET /v1/data/bench/KEY` on connections that are kept, one request at a time on each, among 100,000 keys \
                   of 32 bytes with values of 100. The node is a whole one (as `anabranch serve` runs it) in this process, \
                   with a runtime of its own; requests come from one more thread, which shares the cores with it. The empty \
                   handler is an axum server in the same place, asked the same by the same thread; its answers have no body \
                   and none of our headers.",
            unit: "requests/s",
            goals: vec![Goal::new(Of::Ratio("Anabranch", HANDLER), Bound::AtLeast(0.6))],
            measure: reads,
        },
        Workload {
            name: "http-writes",
            title: "Durable writes over HTTP, 64 connections",
            what: "`PUT /v1/data/bench/KEY` of a value of 100 bytes, as for reads; answered when it is on disk, with the value and \
                   its context. Beside it the library by itself, called with 64 writes under way (as `writes-64`), and an axum \
                   server that reads the same requests and answers nothing. `library and empty handler` is what both cost, one \
                   after the other: 1 / (1 / library + 1 / handler).",
            unit: "requests/s",
            goals: vec![Goal::new(Of::Ratio("Anabranch", BOTH), Bound::AtLeast(0.6))],
            measure: writes,
        },
    ]
}

fn reads(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let keys = setting.scaled(local::KEYS);
    let node = Running::alone(dir.path())?;
    local::fill(node.database(), (0..keys).map(|number| local::put(key(number), format!("{number:098}"))))?;
    let ours = http::drive(node.http_addr(), CONNECTIONS, setting.until(), move |number| get(number, keys));
    node.stop();
    let empty = Empty::start(PATH)?;
    let handler = http::drive(empty.addr(), CONNECTIONS, setting.until(), move |number| get(number, keys))?;
    Ok(vec![Figure::new("Anabranch", ours?), Figure::new(HANDLER, handler)])
}

fn writes(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let node = Running::alone(dir.path())?;
    // An empty node has no collection yet, and HTTP does not make one by the way.
    local::fill(node.database(), std::iter::once(local::write(0)))?;
    let ours = http::drive(node.http_addr(), CONNECTIONS, setting.until(), put);
    node.stop();
    let empty = Empty::start(PATH)?;
    let handler = http::drive(empty.addr(), CONNECTIONS, setting.until(), put)?;
    let library = library(setting)?;
    Ok(vec![
        Figure::new("Anabranch", ours?),
        Figure::new(BOTH, 1.0 / (1.0 / library + 1.0 / handler)),
        Figure::new("Anabranch, library", library),
        Figure::new(HANDLER, handler),
    ])
}

fn library(setting: &Setting) -> anyhow::Result<f64> {
    let dir = setting.folder()?;
    let db = Database::open(dir.path())?;
    let commits = local::drive(&db, CONNECTIONS, setting.until(), local::write)?;
    db.close();
    Ok(commits.per_second)
}

fn key(number: u64) -> String {
    format!("{number:032}")
}

/// Some key of so many, far from the last one's.
fn get(number: u64, keys: u64) -> Vec<u8> {
    let key = key(spread(number, keys));
    http::get(&format!("/v1/data/{}/{key}", local::COLLECTION))
}

fn put(number: u64) -> Vec<u8> {
    let (key, text) = local::entry(number);
    http::put(&format!("/v1/data/{}/{key}", local::COLLECTION), &format!("\"{text}\""))
}
