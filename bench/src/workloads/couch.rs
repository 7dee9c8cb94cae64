//! Documents over HTTP and between two servers, beside a server of the CouchDB protocol.

use crate::load::http;
use crate::ours::local;
use crate::ours::server::{Credentials, Peer, Running};
use crate::setting::Setting;
use crate::workload::{Figure, Workload};
use std::path::Path;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 64;
const DOCUMENTS: u64 = 5_000;
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_micros(500);

pub fn workloads() -> Vec<Workload> {
    vec![
        Workload {
            name: "couch-puts",
            title: "New documents over HTTP, beside PouchDB's server",
            what: "`PUT` of `{\"text\": 98 bytes}` under a new key of 32 bytes each time, 64 connections that are kept, one request \
                   at a time on each, by the same thread. Anabranch: a whole node in this process; each answer is after an \
                   fdatasync. PouchDB's server (express-pouchdb on LevelDB, the least it offers) in a process of Node.js: as it \
                   comes, it asks for no sync at all; `synced` is the same with LevelDB told to sync each batch.",
            unit: "documents/s",
            goals: Vec::new(),
            measure: puts,
        },
        Workload {
            name: "couch-replication",
            title: "Documents replicated to an empty server, beside PouchDB's",
            what: "5,000 such documents at one server, until a second one that begins with nothing has them all, from when it is \
                   told. Anabranch: from when the second node starts to listen, dial and ask, over QUIC with certificates, on \
                   disk there when counted, both nodes in this process. PouchDB: `POST /_replicate` at the second server, over \
                   HTTP, until it answers; two processes, no syncs.",
            unit: "documents/s",
            goals: Vec::new(),
            measure: replication,
        },
    ]
}

fn puts(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let node = Running::alone(dir.path())?;
    local::fill(node.database(), std::iter::once(local::write(0)))?;
    let ours = http::drive(node.http_addr(), CONNECTIONS, setting.until(), ours_put);
    node.stop();
    let mut figures = vec![Figure::new("Anabranch", ours?)];
    figures.extend(peer::puts(dir.path(), setting)?);
    Ok(figures)
}

fn replication(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let documents = setting.scaled(DOCUMENTS);
    let mut figures = vec![Figure::new("Anabranch", replicated(dir.path(), documents)?)];
    figures.extend(peer::replication(dir.path(), documents)?);
    Ok(figures)
}

fn replicated(dir: &Path, documents: u64) -> anyhow::Result<f64> {
    let credentials = Credentials::create(&dir.join("credentials"))?;
    let a = Running::member(dir, "a", &credentials, &[Peer::Later("b")])?;
    local::fill(a.database(), (0..documents).map(|number| local::put(key(number), format!("{number:098}"))))?;
    let begun = Instant::now();
    let b = Running::member(dir, "b", &credentials, &[Peer::Running(&a)])?;
    b.wait_for(&a, PATIENCE, PAUSE)?;
    let rate = documents as f64 / begun.elapsed().as_secs_f64();
    b.stop();
    a.stop();
    Ok(rate)
}

fn key(number: u64) -> String {
    format!("{number:032}")
}

fn document(number: u64) -> String {
    format!("{{\"text\":\"{number:098}\"}}")
}

fn ours_put(number: u64) -> Vec<u8> {
    http::put(&format!("/v1/data/{}/{}", local::COLLECTION, key(number)), &document(number))
}

#[cfg(feature = "peers")]
mod peer {
    use super::{CONNECTIONS, document, key};
    use crate::load::http;
    use crate::peers::couch::{Server, is_there};
    use crate::setting::{Setting, Until};
    use crate::workload::Figure;
    use std::path::Path;

    pub fn puts(dir: &Path, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
        if !is_there() {
            return Ok(Vec::new());
        }
        let rate = |name, synced| {
            let server = Server::start(&dir.join(name), synced)?;
            created(&server)?;
            http::drive(server.addr(), CONNECTIONS, setting.until(), put)
        };
        Ok(vec![Figure::new("PouchDB", rate("plain", false)?), Figure::new("PouchDB, synced", rate("synced", true)?)])
    }

    pub fn replication(dir: &Path, documents: u64) -> anyhow::Result<Vec<Figure>> {
        if !is_there() {
            return Ok(Vec::new());
        }
        let (a, b) = (Server::start(&dir.join("first"), false)?, Server::start(&dir.join("second"), false)?);
        created(&a)?;
        created(&b)?;
        http::drive(a.addr(), 1, Until::Count(documents), put)?;
        let job = format!("{{\"source\":\"http://{}/bench\",\"target\":\"bench\"}}", a.addr());
        // One request, which is answered when all is there.
        let rate = http::drive(b.addr(), 1, Until::Count(1), move |_| http::post("/_replicate", &job))?;
        Ok(vec![Figure::new("PouchDB", rate * documents as f64)])
    }

    /// Its only database.
    fn created(server: &Server) -> anyhow::Result<()> {
        http::drive(server.addr(), 1, Until::Count(1), |_| http::put("/bench", ""))?;
        Ok(())
    }

    fn put(number: u64) -> Vec<u8> {
        http::put(&format!("/bench/{}", key(number)), &document(number))
    }
}

#[cfg(not(feature = "peers"))]
mod peer {
    use crate::setting::Setting;
    use crate::workload::Figure;
    use std::path::Path;

    pub fn puts(_: &Path, _: &Setting) -> anyhow::Result<Vec<Figure>> {
        Ok(Vec::new())
    }

    pub fn replication(_: &Path, _: u64) -> anyhow::Result<Vec<Figure>> {
        Ok(Vec::new())
    }
}
