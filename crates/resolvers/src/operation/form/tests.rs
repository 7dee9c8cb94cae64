use super::*;
use crate::{Booking, ConflictId, Keep, Member, Resolution, Span};

fn parse(kind: Kind, text: &str) -> Result<Operation, OperationError> {
    Operation::from_json(kind, serde_json::from_str(text).expect("json"))
}

fn item(item: &str, quantity: i64) -> Operation {
    Operation::AddItem { item: item.into(), quantity }
}

#[test]
fn every_form_is_read_and_comes_back() {
    let members = vec![Member::String("a".into()), Member::Integer(-1), Member::Bool(true)];
    let moment = |text: &str| text.parse().expect("a moment");
    let span = Span { start: moment("2026-03-01T09:00:00Z"), end: moment("2026-03-01T10:00:00Z") };
    let cases = [
        (Kind::REGISTER, r#"{"put":null}"#, Operation::Put(Value::Null)),
        (Kind::REGISTER, r#"{"put":{"a":[1.5]}}"#, Operation::Put(json!({"a": [1.5]}))),
        (Kind::REGISTER, r#"{"delete":true}"#, Operation::Delete),
        (Kind::G_COUNTER, r#"{"add":0}"#, Operation::Add(0)),
        // Refused by the resolver, not by the form.
        (Kind::G_COUNTER, r#"{"add":-1}"#, Operation::Add(-1)),
        (Kind::PN_COUNTER, r#"{"add":-9223372036854775808}"#, Operation::Add(i64::MIN)),
        (Kind::OR_SET, r#"{"add":["a",-1,true]}"#, Operation::AddMembers(members.clone())),
        (Kind::OR_SET, r#"{"remove":["a",-1,true]}"#, Operation::RemoveMembers(members)),
        (Kind::OR_SET, r#"{"delete":true}"#, Operation::Delete),
        (
            Kind::MAP,
            r#"{"set":{"b":[1],"a":null}}"#,
            Operation::SetFields([("a".into(), Value::Null), ("b".into(), json!([1]))].into()),
        ),
        (Kind::MAP, r#"{"remove":["b","a"]}"#, Operation::RemoveFields(vec!["b".into(), "a".into()])),
        (Kind::MAP, r#"{"delete":true}"#, Operation::Delete),
        (Kind::CART, r#"{"add":{"item":"x","quantity":-2}}"#, item("x", -2)),
        (Kind::CART, r#"{"remove":{"item":"x"}}"#, Operation::RemoveItem { item: "x".into() }),
        (Kind::CART, r#"{"clear":true}"#, Operation::Clear),
        (Kind::CART, r#"{"delete":true}"#, Operation::Delete),
        (
            Kind::CALENDAR,
            r#"{"book":{"booking":"b","start":"2026-03-01T10:00:00+01:00","end":"2026-03-01T10:00:00Z","title":"t","by":"p"}}"#,
            Operation::Book(Booking { booking: Some("b".into()), span, title: "t".into(), by: "p".into() }),
        ),
        (
            Kind::CALENDAR,
            r#"{"cancel":{"booking":"b","by":"p"}}"#,
            Operation::Cancel { booking: "b".into(), by: "p".into() },
        ),
        (
            Kind::CALENDAR,
            r#"{"move":{"booking":"b","start":"2026-03-01T09:00:00Z","end":"2026-03-01T10:00:00Z","by":"p"}}"#,
            Operation::Move { booking: "b".into(), span, by: "p".into() },
        ),
        (
            Kind::CALENDAR,
            r#"{"resolve":{"conflict":"30313233343536373839616263646566","keep":["b"],"by":"p","note":"n"}}"#,
            Operation::Resolve(Resolution {
                conflict: ConflictId(*b"0123456789abcdef"),
                keep: Keep::Options(vec!["b".into()]),
                by: Some("p".into()),
                note: Some("n".into()),
            }),
        ),
        (Kind::TEXT, r#"{"insert":{"at":1,"text":"x"}}"#, Operation::InsertText { at: 1, text: "x".into() }),
        (Kind::TEXT, r#"{"delete":{"at":1,"length":2}}"#, Operation::DeleteText { at: 1, length: 2 }),
        (Kind::TEXT, r#"{"delete":true}"#, Operation::Delete),
        (Kind::TEXT, r#"{"yjs":"AAA="}"#, Operation::Yjs(vec![0, 0])),
    ];
    for (kind, text, operation) in cases {
        assert_eq!(parse(kind, text), Ok(operation.clone()), "{text}");
        assert_eq!(Operation::from_json(kind, operation.to_json()), Ok(operation), "{text}");
    }
}

#[test]
fn what_is_malformed_says_what_was_expected() {
    const CART_ADD: &str = r#"add expects {"item":string,"quantity":n}"#;
    let cases = [
        (Kind::REGISTER, "5", "an operation is an object with one key, not a number"),
        (Kind::REGISTER, "[]", "an operation is an object with one key, not a list"),
        (Kind::REGISTER, "{}", "an operation is an object with one key, not 0"),
        (Kind::REGISTER, r#"{"put":1,"delete":true}"#, "an operation is an object with one key, not 2"),
        (Kind::REGISTER, r#"{"delete":false}"#, "delete expects true"),
        (Kind::CART, r#"{"clear":1}"#, "clear expects true"),
        (
            Kind::G_COUNTER,
            r#"{"add":1.0}"#,
            "add expects an integer from -9223372036854775808 to 9223372036854775807, not 1.0",
        ),
        (
            Kind::PN_COUNTER,
            r#"{"add":9223372036854775808}"#,
            "add expects an integer from -9223372036854775808 to 9223372036854775807, not 9223372036854775808",
        ),
        (Kind::PN_COUNTER, r#"{"add":"1"}"#, "add expects an integer, not a string"),
        (Kind::OR_SET, r#"{"add":"a"}"#, "add expects a list of members, not a string"),
        (Kind::OR_SET, r#"{"add":[]}"#, "add expects at least one member"),
        (Kind::OR_SET, r#"{"remove":[]}"#, "remove expects at least one member"),
        (Kind::OR_SET, r#"{"remove":[null]}"#, "members are strings, integers or booleans, not null"),
        (Kind::OR_SET, r#"{"add":[0.5]}"#, "a member that is a number must be an integer of 64 bits, not 0.5"),
        (Kind::MAP, r#"{"set":{}}"#, "set takes 1 to 1000 fields, not 0"),
        (Kind::MAP, r#"{"set":[1]}"#, "set expects {field:value}, not a list"),
        (Kind::MAP, r#"{"set":{"":1}}"#, "a field's name must have 1 to 512 bytes, not 0"),
        (Kind::MAP, r#"{"remove":{"a":1}}"#, "remove expects a list of fields, not an object"),
        (Kind::MAP, r#"{"remove":[1]}"#, "a field's name is a string, not a number"),
        (Kind::CART, r#"{"add":["x"]}"#, &format!("{CART_ADD}, not a list")),
        (Kind::CART, r#"{"add":{"quantity":1}}"#, &format!("{CART_ADD}: item is missing")),
        (Kind::CART, r#"{"add":{"item":"x"}}"#, &format!("{CART_ADD}: quantity is missing")),
        (Kind::CART, r#"{"add":{"item":"x","quantity":1,"size":2}}"#, &format!("{CART_ADD}: size is not known")),
        (Kind::CART, r#"{"add":{"item":1,"quantity":1}}"#, "item expects a string, not a number"),
        (Kind::CART, r#"{"add":{"item":"x","quantity":0}}"#, "quantity must not be 0"),
        (Kind::CART, r#"{"add":{"item":"","quantity":1}}"#, "item must have 1 to 512 bytes, not 0"),
        (Kind::CART, r#"{"remove":"x"}"#, r#"remove expects {"item":string}, not a string"#),
        (Kind::CART, r#"{"remove":{"item":"x","y\n":1}}"#, r#"remove expects {"item":string}: "y\n" is not known"#),
    ];
    for (kind, text, expected) in cases {
        assert_eq!(parse(kind, text), Err(OperationError::Malformed(expected.into())), "{kind} {text}");
    }
}

#[test]
fn other_kinds_operations_are_not_supported() {
    let cases = [
        (Kind::G_COUNTER, r#"{"delete":true}"#, r#"delete is not supported by g-counter; it takes {"add":n}"#),
        (Kind::PN_COUNTER, r#"{"put":1}"#, r#"put is not supported by pn-counter; it takes {"add":n}"#),
        (
            Kind::REGISTER,
            r#"{"add":1}"#,
            r#"add is not supported by register; it takes {"put":value} and {"delete":true}"#,
        ),
        (
            Kind::OR_SET,
            r#"{"clear":true}"#,
            r#"clear is not supported by or-set; it takes {"add":[members]}, {"remove":[members]} and {"delete":true}"#,
        ),
        (
            Kind::CART,
            r#"{"put":{}}"#,
            concat!(
                r#"put is not supported by cart; it takes {"add":{"item":string,"quantity":n}}, "#,
                r#"{"remove":{"item":string}}, {"clear":true} and {"delete":true}"#
            ),
        ),
        (
            Kind::MAP,
            r#"{"put":{}}"#,
            r#"put is not supported by map; it takes {"set":{field:value}}, {"remove":[fields]} and {"delete":true}"#,
        ),
        (Kind(99), r#"{"insert":{}}"#, "insert is not supported by kind-99; this build has no operations for it"),
        (Kind::G_COUNTER, r#"{"a b":1}"#, r#""a b" is not supported by g-counter; it takes {"add":n}"#),
    ];
    for (kind, text, expected) in cases {
        assert_eq!(parse(kind, text), Err(OperationError::NotSupported(expected.into())), "{kind} {text}");
    }
}

#[test]
fn limits_are_exact() {
    let members = |count: usize| json!({ "add": (0..count).collect::<Vec<_>>() });
    assert!(Operation::from_json(Kind::OR_SET, members(1_000)).is_ok());
    let refused = Operation::from_json(Kind::OR_SET, members(1_001)).expect_err("too many");
    assert_eq!(refused.to_string(), "add takes at most 1000 members, not 1001");

    let named = |length: usize| json!({ "remove": { "item": "x".repeat(length) } });
    assert!(Operation::from_json(Kind::CART, named(512)).is_ok());
    let refused = Operation::from_json(Kind::CART, named(513)).expect_err("too long");
    assert_eq!(refused.to_string(), "item must have 1 to 512 bytes, not 513");

    let value = |length: usize| json!({ "put": "x".repeat(length - 2) });
    assert!(Operation::from_json(Kind::REGISTER, value(1 << 20)).is_ok());
    let refused = Operation::from_json(Kind::REGISTER, value((1 << 20) + 1)).expect_err("too large");
    assert_eq!(refused.to_string(), "the value is above 1048576 bytes of JSON");

    let nested = |depth: usize| json!({ "put": (0..depth).fold(json!(1), |inner, _| json!([inner])) });
    assert!(Operation::from_json(Kind::REGISTER, nested(64)).is_ok());
    let refused = Operation::from_json(Kind::REGISTER, nested(65)).expect_err("too deep");
    assert_eq!(refused.to_string(), "the value is nested more than 64 deep");
}

/// Errors are answers: what is in them is short, however long what was sent is.
#[test]
fn a_position_that_is_none_is_named_not_repeated() {
    let insert = |at: Value| json!({ "insert": { "at": at, "text": "a" } });
    for (at, shown) in [(json!("x".repeat(5_000)), "a string"), (json!([[]]), "a list"), (json!(-1), "-1")] {
        let refused = Operation::from_json(Kind::TEXT, insert(at)).expect_err("no position");
        assert_eq!(refused.to_string(), format!("at expects an integer of at least 0, not {shown}"));
    }
}
