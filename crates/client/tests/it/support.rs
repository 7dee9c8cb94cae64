//! Credentials, clients, and answers to give.

use crate::node::{Act, Node};
use anabranch_causality::{Context, Dot, Origin, ShardId, Token};
use anabranch_client::{Client, Identity};
use anabranch_protocol::{Answer, Problem, Shown, Written};
use anabranch_transport::CertificateAuthority;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The authority of the test cluster, one for all tests.
fn authority() -> &'static CertificateAuthority {
    static AUTHORITY: OnceLock<CertificateAuthority> = OnceLock::new();
    AUTHORITY.get_or_init(|| CertificateAuthority::create("test").expect("an authority"))
}

pub(crate) fn identity(region: &str, node: &str) -> Identity {
    let issued = authority().issue(region, node).expect("a certificate");
    let ca = authority().cert_pem().as_bytes();
    Identity::from_pem(ca, issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).expect("an identity")
}

/// A client that has met all these nodes.
pub(crate) async fn client(nodes: &[&Node]) -> Client {
    client_with(nodes, true).await
}

pub(crate) async fn client_with(nodes: &[&Node], hedge: bool) -> Client {
    let mut builder = Client::builder(identity("home", "app")).hedge(hedge);
    for node in nodes {
        builder = builder.replica(Some(node.name), &node.addr);
    }
    let client = builder.connect().expect("a client");
    client.connected(nodes.len(), Duration::from_secs(5)).await.expect("all nodes");
    client
}

/// All of origin 1 up to `seq`.
pub(crate) fn token(seq: u64) -> Token {
    Token::of(ShardId(0), [(Origin(1), seq)].into_iter().collect())
}

pub(crate) fn dot(seq: u64) -> Dot {
    Dot { shard: ShardId(0), origin: Origin(1), seq }
}

pub(crate) fn shown(json: &str) -> Shown {
    Shown { json: json.to_owned(), conflicts: 0, overflow: false, truncated: false, context: None }
}

/// A value of collection `c`, key `k`, with a context.
pub(crate) fn value(json: &str) -> Answer {
    let context = Some(Context::default().encode("c", "k"));
    Answer::Value { resolver: "lww".into(), shown: Some(Shown { context, ..shown(json) }) }
}

pub(crate) fn written(seq: u64) -> Answer {
    Answer::Written(Written { dot: dot(seq), repeated: false, incomplete: false, shown: None })
}

pub(crate) fn problem(code: &str, more: &str) -> Answer {
    Answer::Problem(Problem { code: code.to_owned(), detail: format!("about {code}"), more: more.to_owned() })
}

/// Answers every request so, with a token of that number.
pub(crate) fn always(seq: u64, answer: Answer) -> impl FnMut(&anabranch_protocol::Request) -> Act {
    move |_| Act::Answer(token(seq), answer.clone())
}

/// Waits until something holds, or fails.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(5), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
