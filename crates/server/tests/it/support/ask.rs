//! Native requests in short, and what their answers say.

use anabranch::{Change, Kind, Operation, Origin, ShardId, Token, Write};
use anabranch_protocol::{AckLevel, Answer, Ask, Page, Reply, Request, Shown, Written};
use serde_json::Value;

/// A request that waits a second for what it needs.
pub(crate) fn request(ask: Ask) -> Request {
    Request { id: 0, token: Token::new(), wait_ms: 1_000, forward: true, max_lag_ms: None, ask }
}

pub(crate) fn put(key: &str, value: Value) -> Change {
    operate("c", Kind::REGISTER, key, Operation::Put(value))
}

pub(crate) fn operate(collection: &str, kind: Kind, key: &str, operation: Operation) -> Change {
    Change::Operate { collection: collection.into(), kind, key: key.into(), operation, context: None }
}

pub(crate) fn write(changes: Vec<Change>) -> Ask {
    Ask::Write { write: Write { changes, key: None }, ack: AckLevel::Local, show: true }
}

pub(crate) fn get(collection: &str, key: &str) -> Ask {
    Ask::Get { collection: collection.into(), key: key.into() }
}

pub(crate) fn scan(prefix: &str, after: Option<&str>, limit: u32) -> Ask {
    Ask::Scan { collection: "c".into(), prefix: prefix.into(), after: after.map(str::to_owned), limit }
}

pub(crate) fn written(reply: &Reply) -> Written {
    let Answer::Written(written) = &reply.answer else { panic!("not written: {reply:?}") };
    written.clone()
}

pub(crate) fn value(reply: &Reply) -> Option<Shown> {
    let Answer::Value { shown, .. } = &reply.answer else { panic!("no value: {reply:?}") };
    shown.clone()
}

pub(crate) fn page(reply: Reply) -> Page {
    let Answer::Page(page) = reply.answer else { panic!("no page: {reply:?}") };
    page
}

/// A transaction that no node has.
pub(crate) const FAR: (Origin, u64) = (Origin(0xabcd), 7);

/// Its token.
pub(crate) fn far() -> Token {
    Token::of(ShardId(0), [FAR].into_iter().collect())
}

/// The problem that a reply is, checked; with its further members.
pub(crate) fn problem(reply: &Reply, code: &str) -> Value {
    let Answer::Problem(problem) = &reply.answer else { panic!("no problem: {reply:?}") };
    assert_eq!(problem.code, code, "{problem:?}");
    assert!(!problem.detail.is_empty());
    if problem.more.is_empty() { Value::Null } else { serde_json::from_str(&problem.more).expect("JSON") }
}
