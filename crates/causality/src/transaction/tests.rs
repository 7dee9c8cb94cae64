use super::*;
use crate::ids::SessionId;
use proptest::prelude::*;

fn sample() -> Transaction {
    let session = SessionId(*b"\x01\x92\x93\xa4\xb5\xc6\x7d\x7e\x8f\x80\x01\x02\x03\x04\x05\x06");
    let operation = OperationId { actor: Actor::Session(session), counter: 7, hash: 0x1122 };
    let mut effect = Effect::new("carts", Kind::CART, "user:1");
    effect.supersedes.push(Supersede { subkey: b"sku".to_vec(), tags: vec![Tag { operation, position: 3 }] });
    effect.adds.push(Add { position: 0, subkey: b"sku".to_vec(), payload: vec![4] });
    effect.folds.push(Fold { subkey: vec![], payload: vec![2] });
    Transaction {
        dot: Dot { shard: ShardId(0), origin: Origin(0xabcd), seq: 1 },
        hlc: Hlc(0x0102_0304_0506_0708),
        operation,
        dependencies: [(Origin(5), 9)].into_iter().collect(),
        lineage: Some(Lineage { node: "eu-1".into(), region: "eu".into(), previous: Some((Origin(4), 2)) }),
        effects: vec![effect, Effect::new("likes", Kind::G_COUNTER, "")],
    }
}

#[test]
fn transactions_come_back() {
    let bytes = sample().encode();
    assert_eq!(Transaction::decode(&bytes), Ok(sample()));
    assert_eq!(Transaction::peek(&bytes), Ok(sample().dot));
}

#[test]
fn golden_bytes() {
    let hex: String = sample().encode().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}
const GOLDEN: &str = "0100cdab00000000000001080706050403020101019293a4b5c67d7e8f80010203040506072211000000000000010500000000000000090465752d3102657501040000000000000002020563617274730606757365723a310103736b750101019293a4b5c67d7e8f8001020304050607221100000000000003010003736b75010401000102056c696b65730200000000";

#[test]
fn every_truncation_is_refused_and_nothing_may_follow() {
    let bytes = sample().encode();
    for end in 0..bytes.len() {
        assert!(Transaction::decode(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
    }
    let longer = [bytes, vec![0]].concat();
    assert_eq!(Transaction::decode(&longer), Err(DecodeError::Trailing("transaction")));
}

#[test]
fn a_transaction_that_depends_on_its_own_origin_is_refused() {
    let mut transaction = sample();
    transaction.dependencies.raise(transaction.dot.origin, 1);
    assert_eq!(Transaction::decode(&transaction.encode()), Err(DecodeError::Invalid("dependencies")));
}

#[test]
fn positions_must_rise() {
    let mut transaction = sample();
    let add = transaction.effects[0].adds[0].clone();
    transaction.effects[0].adds.push(add);
    assert_eq!(Transaction::decode(&transaction.encode()), Err(DecodeError::Invalid("order of positions")));
}

#[test]
fn an_unknown_version_says_which() {
    let mut bytes = sample().encode();
    bytes[0] = 9;
    assert_eq!(Transaction::decode(&bytes), Err(DecodeError::Version { what: "transaction", version: 9 }));
    assert_eq!(Transaction::peek(&bytes), Ok(sample().dot), "whose it is can be told all the same");
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic_and_what_decodes_is_canonical(at in 0usize..200, byte: u8, cut in 0usize..200) {
        let mut bytes = sample().encode();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % 3);
        if let Ok(transaction) = Transaction::decode(&bytes) {
            prop_assert_eq!(transaction.encode(), bytes);
        }
    }
}
