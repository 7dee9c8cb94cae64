//! Where the corpora begin: a few inputs for each target, always the same, from what the code itself encodes.

use crate::replica::{Replica, operate, session};
use crate::{TARGETS, certificate, resolvers, stored, texts};
use anabranch_causality::{
    Context, Dot, Kind, OperationId, Origin, Reader, ShardId, Tag, Token, VersionVector, Writer, hash64,
};
use anabranch_engine::Change;
use anabranch_engine::digest::{Deltas, Digest};
use anabranch_engine::keys;
use anabranch_engine::record::Record;
use anabranch_engine::store::{Read, Space};
use anabranch_protocol::{
    Ack, AckLevel, Answer, Ask, BucketSample, Described, Heartbeat, Hello, Http, Message, Page, Problem, Reply,
    Request, Role, Shown, Standing, Written, parts,
};
use anabranch_resolvers::laws::Random;
use anabranch_resolvers::{Member, Operation, Write};
use anabranch_session::{Guarantees, SessionState};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// The inputs for each target, by their names.
#[must_use]
pub fn all() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let mut seeds: BTreeMap<&'static str, Vec<Vec<u8>>> = BTreeMap::new();
    let mut put = |target: &'static str, list: Vec<Vec<u8>>| drop(seeds.insert(target, list));
    let node = node();
    let transactions: Vec<Vec<u8>> = node.log().into_iter().map(|(_, bytes)| bytes).collect();
    put("message", messages(&transactions));
    put("transaction", transactions);
    put("hello", hellos());
    put("request", requests());
    put("reply", replies());
    put("texts", all_texts());
    put("stored", all_stored(&node));
    put("json", bodies());
    put("headers", all_headers());
    put("config", configs());
    put("transactions", transaction_bodies());
    put("certificate", certificate::CERTIFICATES.iter().map(|der| der.to_vec()).collect());
    for (target, _) in TARGETS {
        seeds.entry(target).or_insert_with(|| schedules(target));
    }
    seeds
}

fn operations() -> Vec<(Kind, Operation)> {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let members = || vec![Member::Bool(true), Member::Integer(-1), Member::String("x".into())];
    let parse = |kind, value| (kind, Operation::from_json(kind, value).expect("an operation"));
    vec![
        (Kind::REGISTER, Operation::Put(json!({ "a": [1, -2.5, null, true, "ü\"\n"], "b": {} }))),
        (Kind::REGISTER, Operation::Delete),
        (Kind::G_COUNTER, Operation::Add(300)),
        (Kind::PN_COUNTER, Operation::Add(-1)),
        (Kind::OR_SET, Operation::AddMembers(members())),
        (Kind::OR_SET, Operation::RemoveMembers(members())),
        (Kind::MAP, Operation::SetFields([("f".to_owned(), json!(1)), ("g".to_owned(), json!([]))].into())),
        (Kind::MAP, Operation::RemoveFields(texts(&["f", "h"]))),
        (Kind::CART, Operation::AddItem { item: "tea".into(), quantity: 2 }),
        (Kind::CART, Operation::RemoveItem { item: "tea".into() }),
        (Kind::CART, Operation::Clear),
        parse(Kind::REGISTER, json!({ "resolve": { "conflict": "00112233445566778899aabbccddeeff", "value": 1 } })),
        (Kind::CALENDAR, Operation::Cancel { booking: "b".into(), by: "ann".into() }),
        (Kind::TEXT, Operation::InsertText { at: 1, text: "hé".into() }),
        (Kind::TEXT, Operation::DeleteText { at: 0, length: 2 }),
        (Kind::TEXT, Operation::Yjs(vec![0, 0])),
    ]
}

/// A node that has written a little of everything that can be written.
fn node() -> Replica {
    let mut node = Replica::new("eu", 0x1122_3344_5566_7788);
    let declare = Change::Declare { collection: "kept".into(), kind: Kind::REGISTER, resolver: "keep-all".into() };
    let field = Change::Field { collection: "forms".into(), field: "f".into(), resolver: "lww".into() };
    let names = ["names", "likes", "votes", "tags", "forms", "carts"];
    let kinds = [Kind::REGISTER, Kind::G_COUNTER, Kind::PN_COUNTER, Kind::OR_SET, Kind::MAP, Kind::CART];
    let written = operations().into_iter().filter_map(|(kind, operation)| {
        let at = kinds.iter().position(|known| *known == kind)?;
        Some(operate(names[at], kind, "k", operation))
    });
    for (counter, change) in (1..).zip([declare, field].into_iter().chain(written)) {
        let key = (counter % 2 == 0).then(|| (session(7), counter));
        drop(node.write(&Write { changes: vec![change], key }));
    }
    node.engine.request_checkpoint();
    node.settle();
    node
}

fn vector() -> VersionVector {
    [(Origin(2), 300), (Origin(0x0102_0304_0506_0708), 1)].into_iter().collect()
}

fn token() -> Token {
    Token::of(ShardId(0), vector())
}

fn messages(transactions: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let ack = |rewind| Ack {
        shard: ShardId(0),
        vector: vector(),
        want: vec![Origin(1), Origin(3)],
        parked: vec![Origin(9)],
        rewind,
    };
    let buckets = vec![BucketSample { bucket: 256, touched: 1, digest: 2 }];
    let heartbeat = |behind_ms, digest, buckets| {
        Message::Heartbeat(Heartbeat { shard: ShardId(0), wall_ms: 5, behind_ms, vector: vector(), digest, buckets })
    };
    let list = [
        Message::Transactions(transactions.iter().take(3).cloned().collect()),
        Message::Transactions(vec![b"ab".to_vec(), Vec::new(), b"c".to_vec()]),
        Message::Transactions(transactions.iter().cycle().take(100).cloned().collect()),
        Message::Ack(ack(true)),
        Message::Ack(ack(false)),
        heartbeat(Some(6), Some(7), buckets),
        heartbeat(None, None, Vec::new()),
    ];
    list.iter().map(Message::encode).collect()
}

fn hellos() -> Vec<Vec<u8>> {
    let hello =
        |role| Hello { cluster: "shop".into(), region: "eu".into(), node: "eu-1".into(), role, origin: Origin(1) };
    let frames = [Role::Leader, Role::Follower, Role::Client].map(|role| hello(role).encode());
    frames.into_iter().chain([b"anabranch://shop/eu/eu-1".to_vec(), b"anabranch://shop".to_vec()]).collect()
}

fn requests() -> Vec<Vec<u8>> {
    let changes: Vec<Change> =
        operations().into_iter().map(|(kind, operation)| operate("c", kind, "k", operation)).collect();
    let context = Change::Operate {
        collection: "c".into(),
        kind: Kind::REGISTER,
        key: "k".into(),
        operation: Operation::Delete,
        context: Some(context()),
    };
    let declare = Change::Declare { collection: "c".into(), kind: Kind::REGISTER, resolver: "lww".into() };
    let field = Change::Field { collection: "c".into(), field: "f".into(), resolver: "lww".into() };
    let write = |changes, key| Ask::Write { write: Write { changes, key }, ack: AckLevel::Regions(2), show: true };
    let headers = vec![("anabranch-token".to_owned(), b"x".to_vec())];
    let http = Http { method: "PUT".into(), target: "/v1/a?b=c".into(), headers, body: b"{}".to_vec() };
    let asks = [
        Ask::Standing,
        Ask::Get { collection: "c~map".into(), key: "k".into() },
        Ask::Scan { collection: "c".into(), prefix: "p".into(), after: Some("q".into()), limit: 10 },
        Ask::Collections,
        write(changes, Some((session(7), 3))),
        write(vec![context, declare, field], None),
        Ask::Http(http),
    ];
    let request = |ask| Request { id: 1, token: token(), wait_ms: 250, forward: true, max_lag_ms: Some(9), ask };
    let bare = operations().into_iter().map(|(_, operation)| {
        let mut writer = Writer::new();
        operation.encode(&mut writer);
        writer.into_bytes()
    });
    asks.into_iter().map(|ask| request(ask).encode()).chain(bare).collect()
}

fn replies() -> Vec<Vec<u8>> {
    let shown = || Shown {
        json: "[1]".into(),
        conflicts: 1,
        overflow: true,
        truncated: false,
        context: Some(context().encode("c", "k")),
    };
    let dot = Dot { shard: ShardId(0), origin: Origin(1), seq: 2 };
    let standing =
        Standing { region: "eu".into(), role: Role::Follower, behind_ms: Some(3), lagging: false, vector: vector() };
    let page = Page { resolver: "lww".into(), items: vec![("k".into(), shown())], next: Some("k".into()) };
    let answers = [
        Answer::Standing(standing),
        Answer::Value { resolver: "lww".into(), shown: Some(shown()) },
        Answer::Page(page),
        Answer::Collections(vec![Described { name: "c".into(), resolver: "lww".into(), kind: 1 }]),
        Answer::Written(Written { dot, repeated: true, incomplete: false, shown: Some(shown()) }),
        Answer::Http { status: 200, headers: vec![("etag".to_owned(), b"x".to_vec())], body: b"{}".to_vec() },
        Answer::Problem(Problem { code: "stale".into(), detail: "d".into(), more: "{}".into() }),
    ];
    let encoded = answers.map(|answer| Reply { id: 7, token: token(), by: "eu-1".into(), answer }.encode());
    encoded.into_iter().chain(parts(7, b"ab")).collect()
}

fn context() -> Context {
    let operation = OperationId { actor: anabranch_causality::Actor::Session(session(7)), counter: 5, hash: 6 };
    Context::new([0, 1].map(|position| Tag { operation, position }))
}

fn saved() -> String {
    let mut state = SessionState::new(session(7), Guarantees::ALL);
    state.note_read(&Token::new(), &token());
    state.save(texts::ABOUT.0)
}

fn all_texts() -> Vec<Vec<u8>> {
    let (cluster, collection, key) = texts::ABOUT;
    let of = |form: u8, content: &[u8]| [&[form], content].concat();
    let unsealed = |text: &str| {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("what was encoded");
        bytes[..bytes.len() - 4].to_vec()
    };
    let (token_text, context_text, saved) = (token().encode(cluster), context().encode(collection, key), saved());
    let mut bare = Writer::new();
    token().write(&mut bare);
    let (without_sum, _) = saved.rsplit_once('.').expect("a checksum");
    let small = [
        "0102030405060708",
        "019293a4-b5c6-7d7e-8f80-010203040506",
        "00112233445566778899aabbccddeeff",
        "2024-02-29T23:59:59.123+01:00",
        "carts",
        "post:1/é",
    ];
    let texts = [
        of(0, token_text.as_bytes()),
        of(1, context_text.as_bytes()),
        of(2, saved.as_bytes()),
        of(4, &unsealed(&token_text)),
        of(4, bare.as_bytes()),
        of(5, &unsealed(&context_text)),
        of(6, without_sum.as_bytes()),
    ];
    texts.into_iter().chain(small.map(|text| of(3, text.as_bytes()))).collect()
}

fn all_stored(node: &Replica) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut image = vec![stored::FORMS - 1];
    let mut put = |place: u8, key: &[u8], value: &[u8]| {
        if let (Ok(of_key), Ok(of_value)) = (u8::try_from(key.len()), u8::try_from(value.len())) {
            image.extend([&[place, of_key], key, &[of_value], value].concat());
        }
    };
    let take = |space, visit: &mut dyn FnMut(&[u8], &[u8])| {
        let scanned = node.store.scan(space, &[], &[], &mut |key, value| {
            visit(key, value);
            ControlFlow::Continue(())
        });
        scanned.expect("the store does not fail");
    };
    let places =
        [(0, keys::meta::CLOCKS), (2, keys::meta::IDENTITY), (3, keys::meta::COLLECTION), (4, keys::meta::ORIGIN)];
    take(Space::Meta, &mut |key, value| {
        if key == keys::meta::DIGEST {
            found.push([&[1], &value[8..]].concat());
        }
        for (place, name) in places {
            key.strip_prefix(name).into_iter().for_each(|rest| put(place, rest, value));
        }
    });
    take(Space::Rows, &mut |key, value| {
        let (_, rest) = keys::split_key(key).expect("a row's key");
        found.push([&[2], key].concat());
        found.push([&[3, rest.len() as u8], rest, value].concat());
    });
    let read = node.store.log(0, &mut |_, record| {
        found.push([&[0], record].concat());
        put(7, &[], record);
        ControlFlow::Continue(())
    });
    read.expect("the store does not fail");
    found.push(image);
    found.extend(deltas());
    found
}

fn deltas() -> [Vec<u8>; 2] {
    let mut deltas = Deltas::default();
    deltas.add(200, u128::MAX);
    deltas.touch(256);
    let mut digest = Digest::default();
    digest.apply(Dot { shard: ShardId(0), origin: Origin(1), seq: 1 }, &deltas);
    let (mut one, mut other) = (Writer::new(), Writer::new());
    deltas.encode(one.u8(1));
    digest.encode(other.u8(1));
    debug_assert!(Record::decode(one.as_bytes()).is_err() && Reader::new(other.as_bytes()).rest().len() > 1);
    [one.into_bytes(), other.into_bytes()]
}

fn bodies() -> Vec<Vec<u8>> {
    let spelled = operations().into_iter().map(|(_, operation)| operation.to_json());
    let booking = json!({ "book": { "booking": "b", "slot": "room", "start": "2024-02-29T10:00:00Z",
        "end": "2024-02-29T11:00:00Z", "by": "ann" } });
    let values: Vec<Value> = spelled.chain([booking]).collect();
    let whole = json!({ "operations": [{ "collection": "c", "key": "k", "op": values[0] }] });
    let plain = [
        r#" { "a" : [ 1 , -0.5e-3 , 18446744073709551615 , -9223372036854775808 ] } "#,
        r#"["\u00e9\ud83d\ude00\\\"\n", "漢", ""]"#,
        "[[[[[[[[]]]]]]]]",
        r#"{"a":1,"a":2}"#,
    ];
    let texts = values.iter().chain([&whole]).map(Value::to_string).chain(plain.map(str::to_owned));
    texts.map(String::into_bytes).collect()
}

/// Each operation alone, and all of them together.
fn transaction_bodies() -> Vec<Vec<u8>> {
    let booking = json!({ "book": { "start": "2024-02-29T10:00:00Z", "end": "2024-02-29T11:00:00Z", "title": "",
        "by": "ann" } });
    let spelled = operations().into_iter().map(|(kind, operation)| (kind, operation.to_json()));
    let one = |(kind, op): (Kind, Value)| json!({ "collection": format!("c~{kind}"), "key": "k/é", "op": op });
    let all: Vec<Value> = spelled.chain([(Kind::CALENDAR, booking)]).map(one).collect();
    let plain = json!({ "collection": "c", "key": "k", "op": { "put": 1 } });
    let bodies = all.chunks(4).map(<[Value]>::to_vec).chain([all.clone(), vec![plain]]);
    bodies.map(|operations| json!({ "operations": operations }).to_string().into_bytes()).collect()
}

fn all_headers() -> Vec<Vec<u8>> {
    let (token, context) = (token().encode("shop"), context().encode("c", "k"));
    let key = session(7);
    let texts = [
        format!("/v1/data/carts~cart/a%2Fb?prefix=a%26b&after=x+y&limit=10\nanabranch-token: {token}, {token}"),
        format!("c/k/250ms\nanabranch-context: {context}\nanabranch-wait: 250ms\nanabranch-fallback: fail"),
        format!("%E6%BC%A2?value=\nidempotency-key: \"{key}/12\"\nanabranch-ack: regions:2"),
        format!("k\nidempotency-key: {key}\nanabranch-ack: follower\nx-request-id: a-b_c.1:2"),
        "2s?prefix=%\nanabranch-wait: 31s\nanabranch-ack: regions:00001\nanabranch-token: A\nanabranch-token: B".into(),
    ];
    texts.map(String::into_bytes).into()
}

fn configs() -> Vec<Vec<u8>> {
    const NODE: &str = "[node]\ncluster = \"shop\"\nregion = \"eu\"\ndata_dir = \"data\"\n";
    const MORE: &str = "name = \"n1\"\nrole = \"leader\"\nmax_clock_skew = \"250ms\"\nlag_limit = \"10s\"\n\
        [listen]\nhttp = \"[::]:80\"\n[http]\ninsecure = true\nallowed_origins = [\"https://example.com\"]\n";
    const PEERS: &str = "[listen]\nquic = \"127.0.0.1:0\"\n[tls]\nca = \"ca.pem\"\ncert = \"eu.pem\"\nkey = \"eu.key\"\n\
        [[peer]]\nregion = \"us\"\naddr = \"us.example.com:7401\"\n[[peer]]\nregion = \"ap\"\nname = \"n3\"\n";
    let texts = [NODE.to_owned(), [NODE, MORE].concat(), [NODE, PEERS].concat(), format!("{NODE}[htpp]\n")];
    texts.into_iter().chain(["[node]\ncluster = 1\n".to_owned()]).map(String::into_bytes).collect()
}

/// Schedules mean something whatever their bytes.
fn schedules(target: &str) -> Vec<Vec<u8>> {
    let mut random = Random::new(hash64("anabranch fuzzing seeds", &[target.as_bytes()]));
    let lengths = [16, 40, 80, 120, 160, 200, 240, 320, 400, 480, 64];
    let mut list: Vec<Vec<u8>> =
        lengths.iter().map(|length| (0..*length).map(|_| random.next() as u8).collect()).collect();
    if target == "resolvers" {
        list.iter_mut().zip(0..).for_each(|(bytes, which): (_, u8)| bytes[0] = which % resolvers::RESOLVERS);
    }
    list
}
