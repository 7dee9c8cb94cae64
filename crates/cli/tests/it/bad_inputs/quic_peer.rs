//! A configured peer that says what no honest one would (rows 3 to 7, 9 and 12): what cannot be read or must not be said ends that
//! connection, with a code; what cannot be applied waits or is parked, and shown.

use super::Target;
use super::peer::{Actor, PROTOCOL, ack, heartbeat, like, origin_of, wall_ms};
use crate::support::eventually;
use anabranch_causality::{Add, Effect, Hlc, Kind, Lineage, Origin, ShardId, VersionVector, Writer};
use anabranch_protocol::{Ack, BucketSample, Heartbeat, Message};
use serde_json::json;
use std::time::Duration;

const OURS: Origin = Origin(0x0dd);
const TEN_YEARS_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// A node with a peer `us`, which has sent three sound transactions.
fn start() -> (Target, Actor) {
    let mut target = Target::start(&["us"]);
    let us = Actor::new(&target, "us");
    let mut link = us.join(OURS);
    link.transactions(&[like(OURS, 1), like(OURS, 2), like(OURS, 3)]);
    link.acknowledged(OURS, 3);
    target.settle();
    (target, us)
}

fn vector(entries: impl IntoIterator<Item = (u64, u64)>) -> VersionVector {
    entries.into_iter().map(|(origin, seq)| (Origin(origin), seq)).collect()
}

/// The bytes of a vector that says so many entries, and has these.
fn vector_bytes(count: u64, entries: &[(u64, u64)]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.varint(count);
    for (origin, seq) in entries {
        writer.u64(*origin).varint(*seq);
    }
    writer.into_bytes()
}

/// An acknowledgement with these bytes for its vector.
fn ack_frame(vector: &[u8]) -> Vec<u8> {
    [&[2, 0, 0][..], vector, &[0, 0]].concat()
}

fn heartbeat_frame(vector: &[u8]) -> Vec<u8> {
    [&[3, 0][..], &wall_ms().to_le_bytes(), &[0], vector, &[0, 0]].concat()
}

/// 30,001 transactions, all but the first of three bytes, each in a collection with a name of 128.
fn expanding() -> Vec<u8> {
    let mut first = like(OURS, 4);
    first.effects.truncate(1);
    first.effects[0].collection = "c".repeat(128);
    let first = Message::Transactions(vec![first.encode()]).encode();
    let mut writer = Writer::new();
    // Each puts nothing under an empty key.
    writer.u8(1).varint(30_001).raw(&first[2..]).raw(&[1 << 5, 0, 0].repeat(30_000));
    writer.into_bytes()
}

/// A compressed message that declares a size.
fn compressed(size: u64, block: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(4).varint(size).raw(block);
    writer.into_bytes()
}

/// Blocks that are none, or come to what may not come, or not to what was declared.
fn compressed_frames() -> Vec<(&'static str, Vec<u8>)> {
    let like = |seq| like(OURS, seq).encode();
    let sound = Message::Transactions((4..100).map(like).collect()).encode();
    assert_eq!(sound[0], 4, "compressed");
    let size = u64::from(sound[1] & 0x7f) | u64::from(sound[2]) << 7;
    let block = &sound[3..];
    assert_eq!(compressed(size, block), sound);
    // A literal, a copy of it from one byte before, many times, and the literals that end a block.
    let repeated = |byte: u8| [&[0x1f, byte, 1, 0][..], &[0xff; 100], &[0, 0x50], &[byte; 5]].concat();
    let repeats = 1 + 19 + 100 * 255 + 5;
    // Nothing but literals: 15, and how many more, less than 255.
    let literal = |bytes: &[u8]| [&[0xf0, (bytes.len() - 15) as u8][..], bytes].concat();
    let twice = &sound[..sound.len().min(200)];
    vec![
        ("2^63 bytes, compressed", compressed(1 << 63, block)),
        ("4 MiB and a byte, compressed", compressed((4 << 20) + 1, &[0; 1 << 16])),
        ("a size that so few bytes cannot come to", compressed(4 << 20, block)),
        ("a byte more than declared", compressed(size - 1, block)),
        ("a byte less than declared", compressed(size + 1, block)),
        ("no size", vec![4]),
        ("no block", vec![4, 0]),
        ("half a block", compressed(size, &block[..block.len() / 2])),
        ("a copy from before the beginning", compressed(40, &[&[0x1f, 1, 2, 0, 1][..], &[1; 20]].concat())),
        ("a copy from nowhere", compressed(40, &[&[0x1f, 1, 0, 0, 1][..], &[1; 20]].concat())),
        ("a compressed message, compressed", compressed(twice.len() as u64, &literal(twice))),
        ("heartbeats, compressed", compressed(repeats, &repeated(3))),
        ("many transactions that are none, compressed", compressed(repeats, &repeated(1))),
    ]
}

/// Frames that are no message, and messages that nobody may send.
fn frames(eu: Origin) -> Vec<(&'static str, Vec<u8>)> {
    let sound = Message::Transactions(vec![like(OURS, 4).encode()]).encode();
    let whole = like(OURS, 4).encode();
    let packable = [&[1, 1, 8, whole.len() as u8][..], &whole].concat();
    let mut other_shard = like(OURS, 4);
    other_shard.dot.shard = ShardId(9);
    let huge = |kind: u8, count: u64| {
        let mut writer = Writer::new();
        writer.u8(kind).varint(count).raw(&[0; 64]);
        writer.into_bytes()
    };
    let many = (1..=65_537).map(|n| (n, 1)).collect::<Vec<_>>();
    let mut own = like(eu, 1_000);
    own.lineage = None;
    let shard = |shard| Ack { shard: ShardId(shard), vector: vector([]), want: vec![], parked: vec![], rewind: false };
    let samples = |count: u16| {
        let buckets = (0..count).map(|bucket| BucketSample { bucket, touched: 1, digest: 2 }).collect();
        let (shard, vector, wall_ms) = (ShardId(0), vector([]), wall_ms());
        Message::Heartbeat(Heartbeat { shard, wall_ms, behind_ms: None, vector, digest: Some(1), buckets }).encode()
    };
    let mut list = vec![
        ("an unknown message", vec![9, 1, 2, 3]),
        ("message type 0", vec![0]),
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("4 MiB and a byte", vec![1; (4 << 20) + 1]),
        ("4 MiB of nothing", vec![0; 4 << 20]),
        ("2^62 transactions", huge(1, 1 << 62)),
        ("65,537 transactions", huge(1, 65_537)),
        ("more transactions than bytes", huge(1, 33)),
        ("transactions of no bytes", [&[1, 32][..], &[8, 0].repeat(32)].concat()),
        ("a transaction longer than the frame", vec![1, 1, 8, 0xff, 0xff, 0xff, 0x7f, 1]),
        ("a first transaction that says where the one before it stands", vec![1, 1, 0x30, 1, b'c', 1, 1, b'k', 0]),
        ("a transaction as it is that could be packed", packable),
        ("90 KB that unpack to more than 4 MiB", expanding()),
        ("a count in a longer form than needed", vec![1, 0x80, 0x00]),
        ("a count of more than 64 bits", [&[1][..], &[0xff; 10]].concat()),
        ("half a message", sound[..sound.len() - 1].to_vec()),
        ("bytes left over", [&sound[..], &[0]].concat()),
        ("bytes left over after an acknowledgement", [&ack(vector([])).encode()[..], &[0]].concat()),
        ("a transaction of another shard", Message::Transactions(vec![other_shard.encode()]).encode()),
        ("an acknowledgement of another shard", Message::Ack(shard(9)).encode()),
        ("number 0", Message::Transactions(vec![like(OURS, 0).encode()]).encode()),
        ("number 2^64-1", Message::Transactions(vec![like(OURS, u64::MAX).encode()]).encode()),
        ("our own origin, ahead of us", Message::Transactions(vec![own.encode()]).encode()),
        ("an acknowledgement of more than we wrote", ack(vector([(eu.0, 1_000)])).encode()),
        ("a heartbeat with more than we wrote", heartbeat(vector([(eu.0, 1_000)]), wall_ms()).encode()),
        ("513 samples", samples(513)),
        ("unsorted wishes", [&[2, 0, 0, 0, 2][..], &2u64.to_le_bytes(), &1u64.to_le_bytes(), &[0]].concat()),
        ("neither rewind nor not", vec![2, 0, 7, 0, 0, 0]),
    ];
    for (what, vector) in [
        ("a vector of 10^6 origins in 64 bytes", [vector_bytes(1_000_000, &[]), vec![0; 64]].concat()),
        ("a vector of 65,537 origins", vector_bytes(65_537, &many)),
        ("a vector of 65,536 origins that nobody has", vector_bytes(65_536, &many[1..])),
        ("origins out of order", vector_bytes(2, &[(2, 1), (1, 1)])),
        ("an origin twice", vector_bytes(2, &[(1, 1), (1, 2)])),
        ("number 0 in a vector", vector_bytes(1, &[(1, 0)])),
        ("number 2^64-1 in a vector", vector_bytes(1, &[(1, u64::MAX)])),
    ] {
        list.push((what, ack_frame(&vector)));
        list.push((what, heartbeat_frame(&vector)));
    }
    list.extend(compressed_frames());
    list
}

#[test]
fn what_does_not_follow_the_protocol_ends_its_connection_and_nothing_else() {
    let (mut target, us) = start();
    let eu = origin_of(&target.cluster, 0);
    for (what, frame) in frames(eu) {
        let mut link = us.join(OURS);
        link.frame(&frame);
        let (code, reason) = link.closed();
        assert!(code == PROTOCOL && !reason.is_empty(), "{what}: closed with {code}, {reason:?}");
        target.is_unharmed(what);
    }
    // None of it counted: what we did not have is sent, and an honest connection goes on.
    let mut link = us.join(OURS);
    assert!(target.status()["peers"][0]["unacked_transactions"].as_u64().is_some_and(|count| count > 0));
    link.transactions(&[like(OURS, 4)]);
    link.acknowledged(OURS, 4);
    target.serves_on();
}

#[test]
fn a_peer_that_takes_nothing_can_still_be_sent_away() {
    let mut target = Target::start(&["us"]);
    // There is room for a hello; what comes next fills it.
    let us = Actor::taking(&target, "us", 64);
    let mut link = us.join(OURS);
    target.cluster.api.put(target.http(), "c", "k", &format!("\"{}\"", "x".repeat(100_000)));
    target.settle();
    link.say(&ack(vector([(origin_of(&target.cluster, 0).0, 1_000)])));
    assert_eq!(link.closed().0, PROTOCOL);
    target.is_unharmed("a peer that takes nothing");
    target.serves_on();
}

#[test]
fn gaps_wait_and_what_came_before_changes_nothing() {
    let (mut target, us) = start();
    let mut link = us.join(OURS);
    link.transactions(&[like(OURS, 3), like(OURS, 1), like(OURS, 2)]);
    link.transactions(&[like(OURS, 5), like(OURS, 1_000_000), like(OURS, u64::MAX - 1)]);
    // A stranger's that depends on what nobody has, and one that says it continues our own origin, further than that is.
    let mut late = like(Origin(7), 1);
    late.dependencies = vector([(8, 1)]);
    let mut heir = like(Origin(9), 1);
    let previous = Some((origin_of(&target.cluster, 0), u64::MAX - 1));
    heir.lineage = Some(Lineage { node: "eu".into(), region: "eu".into(), previous });
    link.transactions(&[late, heir]);
    eventually("they wait", Duration::from_secs(5), || target.status()["shards"][0]["buffered"] == 5);
    target.is_unharmed("gaps");
    assert_eq!(target.status()["shards"][0]["parked"], json!([]));
    link.transactions(&[like(OURS, 4)]);
    assert_eq!(link.acknowledged(OURS, 5).vector.get(OURS), 5, "what waited follows");
    target.serves_on();
}

#[test]
fn one_place_with_two_contents_parks_its_origin_and_overwrites_nothing() {
    let (mut target, us) = start();
    let mut link = us.join(OURS);
    let mut other = like(OURS, 2);
    other.effects[0].key = "another".to_owned();
    link.transactions(&[other]);
    // A stranger whose first transaction cannot be read.
    let unread = [&like(Origin(0x57), 1).encode()[..20], &[0xff; 20]].concat();
    link.say(&Message::Transactions(vec![unread]));
    let parked = || target.status()["shards"][0]["parked"].as_array().cloned().expect("a list");
    eventually("both are parked", Duration::from_secs(5), || parked().len() == 2);
    let reasons = parked().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(reasons.contains("names two different transactions") && reasons.contains("cannot be read"), "{reasons}");
    target.is_unharmed("equivocation");
    target.logs("names two different transactions");
    // Nothing more of them is taken, and others go on.
    link.transactions(&[like(OURS, 4), like(Origin(0x58), 1)]);
    let ack = link.acknowledged(Origin(0x58), 1);
    assert_eq!((ack.vector.get(OURS), ack.parked), (3, vec![Origin(0x57), OURS]));
    target.serves_on();
}

#[test]
fn what_cannot_be_applied_parks_its_collection_alone() {
    let (mut target, us) = start();
    let mut link = us.join(OURS);
    let mut unknown = like(OURS, 4);
    unknown.effects = vec![Effect::new("novel", Kind(200), "k")];
    unknown.effects[0].adds.push(Add { position: 0, subkey: Vec::new(), payload: b"x".to_vec() });
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
    let mut malformed = vec![unknown];
    let payloads = [b"{".to_vec(), b"NaN".to_vec(), Vec::new(), b"\"\xff\"".to_vec(), deep];
    for (seq, payload) in (5..).zip(payloads) {
        let mut one = like(OURS, seq);
        one.effects = vec![Effect::new(format!("odd{seq}"), Kind::REGISTER, "k")];
        one.effects[0].adds.push(Add { position: 0, subkey: Vec::new(), payload });
        malformed.push(one);
    }
    let last = 4 + malformed.len() as u64 - 1;
    link.transactions(&malformed);
    link.acknowledged(OURS, last);
    let parked = target.status()["shards"][0]["parked"].as_array().cloned().expect("a list");
    assert_eq!(parked.len(), malformed.len(), "{parked:?}");
    let (api, port) = (target.cluster.api.clone(), target.http());
    let read = api.ask(port, "GET", "/v1/data/odd5/k", &[], None).expect("an answer");
    assert_eq!((read.status, &read.value["code"]), (503, &json!("parked")), "{read:?}");
    let write = api.ask(port, "PUT", "/v1/data/odd5/k", &[], Some("1")).expect("an answer");
    assert_eq!((write.status, &write.value["code"]), (503, &json!("parked")), "{write:?}");
    // The log and the vector have it, and others are not touched by it.
    target.settle();
    target.is_unharmed("poison");
    target.serves_on();
}

#[test]
fn a_stamp_of_the_year_2036_is_applied_and_wins_over_nothing_that_saw_it() {
    let (mut target, us) = start();
    let mut link = us.join(OURS);
    let mut early = like(OURS, 4);
    early.hlc = Hlc::from_ms(wall_ms() + TEN_YEARS_MS);
    early.effects = vec![Effect::new("c", Kind::REGISTER, "k")];
    early.effects[0].adds.push(Add { position: 0, subkey: Vec::new(), payload: b"\"early\"".to_vec() });
    link.transactions(&[early]);
    link.acknowledged(OURS, 4);
    let (api, port) = (target.cluster.api.clone(), target.http());
    assert_eq!(api.value(port, "c", "k"), Some(json!("early")));
    target.logs("beyond the limit for clock skew");
    // Written after it was seen: that stands, and its stamp is of this year.
    api.put(port, "c", "k", "\"now\"");
    assert_eq!(api.value(port, "c", "k"), Some(json!("now")));
    let versions = api.must(port, "GET", "/v1/explain/c/k", None)["versions"].clone();
    let stamp = versions[0]["hlc"].as_str().and_then(|stamp| stamp.split('.').next()?.parse().ok());
    assert!(stamp.is_some_and(|ms: u64| ms < wall_ms() + 1_000), "{versions}");
    // A heartbeat from the future moves no clock either.
    target.settle();
    for wall_ms in [wall_ms() + TEN_YEARS_MS, u64::MAX, 0] {
        link.say(&heartbeat(vector([]), wall_ms));
        link.heard();
        target.is_unharmed("a heartbeat from the future");
    }
    target.serves_on();
}
