use super::*;
use crate::ids::{Dot, Origin, SessionId, ShardId};
use crate::transaction::{Add, Effect, Fold, Supersede, Transaction};
use crate::{Hlc, Kind, Lineage};
use proptest::prelude::*;

fn packed(list: &[Vec<u8>]) -> Vec<u8> {
    let (mut packer, mut writer) = (Packer::default(), Writer::new());
    list.iter().for_each(|one| packer.pack(one, &mut writer));
    writer.into_bytes()
}

fn unpacked(bytes: &[u8], count: usize) -> Result<Vec<Vec<u8>>, DecodeError> {
    let (mut reader, mut unpacker) = (Reader::new(bytes), Unpacker::default());
    let list = (0..count).map(|_| unpacker.unpack(&mut reader)).collect::<Result<_, _>>()?;
    reader.finish("list").map(|()| list)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn leader(origin: u64, counter: u64, position: u32) -> Tag {
    Tag { operation: OperationId { actor: Actor::Leader(Origin(origin)), counter, hash: 0 }, position }
}

fn session() -> OperationId {
    let session = SessionId(*b"\x01\x92\x93\xa4\xb5\xc6\x7d\x7e\x8f\x80\x01\x02\x03\x04\x05\x06");
    OperationId { actor: Actor::Session(session), counter: 7, hash: 0x1122 }
}

fn transaction(seq: u64, hlc: u64, effects: Vec<Effect>) -> Transaction {
    let dot = Dot { shard: ShardId(0), origin: Origin(0xabcd), seq };
    let operation = OperationId { actor: Actor::Leader(dot.origin), counter: seq, hash: 0 };
    let lineage = (seq == 1).then(|| Lineage { node: "eu-1".into(), region: "eu".into(), previous: None });
    Transaction { dot, hlc: Hlc(hlc), operation, dependencies: Default::default(), lineage, effects }
}

fn put(key: &str, subkey: &[u8], tag: Option<Tag>, payload: &[u8]) -> Effect {
    let mut effect = Effect::new("cart", Kind::REGISTER, key);
    let subkey = subkey.to_vec();
    effect.supersedes.extend(tag.map(|tag| Supersede { subkey: subkey.clone(), tags: vec![tag] }));
    effect.adds.push(Add { position: 0, subkey, payload: payload.to_vec() });
    effect
}

/// Each form once, and what follows the last and what does not.
fn samples() -> Vec<Transaction> {
    let mut taken = put("k", b"s", Some(leader(5, 9, 2)), b"");
    taken.adds.clear();
    let mut folded = Effect::new("sum", Kind::PN_COUNTER, "k");
    folded.folds.push(Fold { subkey: Vec::new(), payload: vec![2] });
    let mut odd = put("k", b"s", Some(leader(0xabcd, 3, 1)), b"p");
    odd.folds.push(Fold { subkey: b"f".to_vec(), payload: vec![4] });
    let mut of_session =
        transaction(8, 104, vec![put("k", b"", Some(Tag { operation: session(), position: 0 }), b"q")]);
    of_session.operation = session();
    of_session.dependencies.raise(Origin(5), 9);
    vec![
        transaction(1, 100, vec![put("a", b"", None, b"1")]),
        transaction(2, 101, vec![put("a", b"", Some(leader(0xabcd, 1, 0)), b"2")]),
        transaction(3, 90, vec![put("m", b"f", None, b"3"), taken, Effect::new("cart", Kind::REGISTER, "")]),
        transaction(4, 91, vec![put("m", b"f", Some(leader(5, 8, 0)), b"4"), folded]),
        transaction(6, 92, vec![odd]),
        transaction(7, 93, Vec::new()),
        of_session,
    ]
}

fn sample_bytes() -> Vec<Vec<u8>> {
    let mut list: Vec<Vec<u8>> = samples().iter().map(Transaction::encode).collect();
    list.insert(3, b"no transaction".to_vec());
    list
}

#[test]
fn what_was_packed_comes_back_to_the_byte() {
    let list = sample_bytes();
    assert_eq!(unpacked(&packed(&list), list.len()), Ok(list));
}

#[test]
fn the_shortest_effects_come_back() {
    let mut folded = Effect::new("cart", Kind::REGISTER, "");
    folded.folds.push(Fold { subkey: Vec::new(), payload: Vec::new() });
    let effects = vec![put("", b"", None, b""), folded];
    let list = vec![
        transaction(2, 100, vec![put("a", b"", None, b"1")]).encode(),
        // Of no use to anybody; packed all the same.
        transaction(3, 101, effects).encode(),
    ];
    let bytes = packed(&list);
    assert_eq!(hex(&bytes[packed(&list[..1]).len()..]), "2404020000800000");
    assert_eq!(unpacked(&bytes, 2), Ok(list));
}

#[test]
fn golden_bytes() {
    let expected: Vec<String> = GOLDEN.iter().map(|part| (*part).to_owned()).collect();
    let list = sample_bytes();
    let mut found = Vec::new();
    for end in 1..=list.len() {
        let before: usize = found.iter().map(|part: &String| part.len()).sum();
        found.push(hex(&packed(&list[..end]))[before..].to_owned());
    }
    assert_eq!(found, expected);
}

const GOLDEN: [&str; 8] = [
    "3300cdab00000000000001c8010465752d310265750004636172740101610131",
    "400161020132",
    "a5041703016d01660133e0016b01730000050000000000000009020000000000",
    "080e6e6f207472616e73616374696f6e",
    "c40402016d01660108000134900373756d03016b0102",
    "1200cdab00000000000006046361727401016b0101730100cdab00000000000003010100017301700101660104",
    "040400",
    "450314019293a4b5c67d7e8f8001020304050607221100000000000001050000000000000009016b0001019293a4b5c67d7e8f80010203040506072211000000000000000171",
];

#[test]
fn a_write_that_follows_the_last_costs_six_bytes_beside_key_and_value() {
    let (key, value) = ("k".repeat(32), [b'v'; 100]);
    let mut list = vec![transaction(300_000, 100, vec![put(&key, b"", None, &value)]).encode()];
    let first = packed(&list).len();
    list.push(transaction(300_001, 101, vec![put(&key, b"", Some(leader(0xabcd, 200_000, 0)), &value)]).encode());
    assert_eq!(packed(&list).len() - first, 32 + 100 + 6);
}

#[test]
fn every_truncation_is_refused() {
    let list = sample_bytes();
    let bytes = packed(&list);
    for end in 0..bytes.len() {
        assert!(unpacked(&bytes[..end], list.len()).is_err(), "{end} of {} bytes", bytes.len());
    }
}

#[test]
fn what_could_be_said_shorter_is_refused() {
    let list: Vec<Vec<u8>> = samples()[..2].iter().map(Transaction::encode).collect();
    let raw = [vec![RAW, list[0].len() as u8], list[0].clone()].concat();
    assert_eq!(unpacked(&raw, 1), Err(DecodeError::Invalid("packed transaction")));
    let first = packed(&list[..1]);
    let with = |rest: &[u8]| unpacked(&[first.as_slice(), rest].concat(), 2);
    let put = PUT_FORM << FORM;
    assert!(with(&[put, 1, b'a', 1, b'2']).is_ok());
    let dot = [0, 0xcd, 0xab, 0, 0, 0, 0, 0, 0];
    assert!(with(&[&[put | DOT], &dot[..], &[2, 1, b'a', 1, b'2']].concat()).is_err(), "the dot that follows");
    assert!(with(&[&[put | DOT], &dot[..], &[3, 1, b'a', 1, b'2']].concat()).is_ok());
    assert!(with(&[put | STAMP, 0, 1, b'a', 1, b'2']).is_err(), "the stamp that follows");
    assert!(with(&[put | MORE, 0, 1, b'a', 1, b'2']).is_err(), "no more");
    assert!(with(&[put | MORE, COUNT, 1, 1, b'a', 1, b'2']).is_err(), "one effect");
    assert!(with(&[put | NAME, 4, b'c', b'a', b'r', b't', 1, 1, b'a', 1, b'2']).is_err(), "the last collection");
    assert!(with(&[0, 1, b'a', 0, 1, 0, 0, 1, b'2', 0]).is_err(), "a row, as a list");
    assert!(with(&[put | RAW, 1, b'a', 1, b'2']).is_err(), "both packed and not");
}

const PUT_FORM: u8 = 1;

proptest! {
    #[test]
    fn damaged_bytes_never_panic_and_what_is_accepted_has_one_form(at in 0usize..1_000, byte: u8, cut in 0usize..4) {
        let list = sample_bytes();
        let mut bytes = packed(&list);
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut);
        if let Ok(found) = unpacked(&bytes, list.len()) {
            prop_assert_eq!(packed(&found), bytes);
        }
    }

    #[test]
    fn damaged_transactions_come_back_to_the_byte(which in 0usize..8, at in 0usize..200, byte: u8) {
        let mut list = sample_bytes();
        let length = list[which].len();
        list[which][at % length] = byte;
        prop_assert_eq!(unpacked(&packed(&list), list.len()), Ok(list));
    }
}
