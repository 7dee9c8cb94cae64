use super::*;
use crate::{ConflictId, Keep};
use proptest::prelude::*;
use serde_json::{Value, json};

fn bytes(operation: &Operation) -> Vec<u8> {
    let mut writer = Writer::new();
    operation.encode(&mut writer);
    writer.into_bytes()
}

fn read(bytes: &[u8]) -> Result<Operation, DecodeError> {
    let mut reader = Reader::new(bytes);
    let operation = Operation::decode(&mut reader)?;
    reader.finish("operation")?;
    Ok(operation)
}

#[test]
fn golden_bytes() {
    let members = vec![Member::String("a".into()), Member::Bool(true), Member::Integer(-1)];
    let fields = [("b".to_owned(), json!(1)), ("a".to_owned(), json!(null))].into();
    let span = Span {
        start: "1970-01-01T00:00:00.001Z".parse().expect("time"),
        end: "1970-01-01T00:00:00.002Z".parse().expect("time"),
    };
    let book = Booking { booking: Some("b".into()), span, title: "t".into(), by: "p".into() };
    let conflict = ConflictId(*b"0123456789abcdef");
    let keep = Resolution { conflict, keep: Keep::Options(vec!["o".into()]), by: Some("p".into()), note: None };
    let value = Resolution { conflict, keep: Keep::Value(json!(1)), by: None, note: Some("n".into()) };
    let cases: [(Operation, &[u8]); 18] = [
        (Operation::Put(json!({"b": 1, "a": null})), b"\x01\x01\x10{\"a\":null,\"b\":1}"),
        (Operation::Delete, b"\x01\x02"),
        (Operation::Add(-3), b"\x01\x03\x05"),
        (Operation::AddMembers(members), b"\x01\x04\x03\x02\x05a\x01\x02\x09\x03\xff\xff\xff\xff\xff\xff\xff\xff"),
        (Operation::RemoveMembers(vec![Member::Bool(false)]), b"\x01\x05\x01\x01\x01"),
        (Operation::AddItem { item: "sku".into(), quantity: 150 }, b"\x01\x06\x03sku\xac\x02"),
        (Operation::RemoveItem { item: "sku".into() }, b"\x01\x07\x03sku"),
        (Operation::Clear, b"\x01\x08"),
        (Operation::SetFields(fields), b"\x01\x09\x02\x01a\x04null\x01b\x011"),
        (Operation::RemoveFields(vec!["b".into(), "a".into()]), b"\x01\x0a\x02\x01b\x01a"),
        (Operation::Book(book), b"\x01\x0b\x01b\x02\x04\x01t\x01p"),
        (Operation::Cancel { booking: "b".into(), by: "p".into() }, b"\x01\x0c\x01b\x01p"),
        (Operation::Move { booking: "b".into(), span, by: "p".into() }, b"\x01\x0d\x01b\x02\x04\x01p"),
        (Operation::Resolve(keep), b"\x01\x0e0123456789abcdef\x00\x01\x01o\x01p\x00"),
        (Operation::Resolve(value), b"\x01\x0e0123456789abcdef\x01\x011\x00\x01n"),
        (Operation::InsertText { at: 3, text: "x".into() }, b"\x01\x0f\x03\x01x"),
        (Operation::DeleteText { at: 3, length: 1 }, b"\x01\x10\x03\x01"),
        (Operation::Yjs(vec![0, 0]), b"\x01\x11\x02\x00\x00"),
    ];
    for (operation, expected) in cases {
        assert_eq!(bytes(&operation), expected, "{operation:?}");
        assert_eq!(read(expected), Ok(operation));
    }
}

#[test]
fn hostile_bytes_are_refused() {
    let long_item = [&b"\x01\x07\x81\x04"[..], &[b'x'; 513]].concat();
    let cases: [(&[u8], DecodeError); 19] = [
        (b"", DecodeError::Short("version")),
        (b"\x02\x02", DecodeError::Version { what: "operation", version: 2 }),
        (b"\x01\x00", DecodeError::Invalid("operation")),
        (b"\x01\x12", DecodeError::Invalid("operation")),
        (b"\x01\x09\x00", DecodeError::Invalid("operation")),
        (b"\x01\x09\x02\x01b\x011\x01a\x011", DecodeError::Invalid("order of fields")),
        (b"\x01\x09\x02\x01a\x011\x01a\x011", DecodeError::Invalid("order of fields")),
        (b"\x01\x09\x01\x00\x011", DecodeError::Invalid("operation")),
        (b"\x01\x0a\xff\x7f", DecodeError::TooLarge("fields")),
        (b"\x01\x02\x00", DecodeError::Trailing("operation")),
        (b"\x01\x01\x02 1", DecodeError::Invalid("value")),
        (b"\x01\x01\x01x", DecodeError::Invalid("value")),
        (b"\x01\x01\xff\xff\xff\x7f", DecodeError::TooLarge("value")),
        (b"\x01\x04\x00", DecodeError::Invalid("operation")),
        (b"\x01\x04\xff\x7f", DecodeError::TooLarge("members")),
        (b"\x01\x04\xe8\x07\x01\x01", DecodeError::Short("members")),
        (b"\x01\x06\x01x\x00", DecodeError::Invalid("operation")),
        (b"\x01\x07\x00", DecodeError::Invalid("operation")),
        (&long_item, DecodeError::TooLarge("item")),
    ];
    for (bytes, error) in cases {
        assert_eq!(read(bytes), Err(error), "{bytes:?}");
    }
    let deep = [b'['; 100].iter().chain(&[b']'; 100]).copied().collect::<Vec<_>>();
    let mut writer = Writer::new();
    writer.u8(1).u8(1).bytes(&deep);
    assert_eq!(read(writer.as_bytes()), Err(DecodeError::Invalid("operation")));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let member = prop_oneof![
        any::<bool>().prop_map(Member::Bool),
        any::<i64>().prop_map(|n| Member::Integer(n.into())),
        any::<u64>().prop_map(|n| Member::Integer(n.into())),
        ".{0,20}".prop_map(Member::String),
    ];
    let members = prop::collection::vec(member, 1..5);
    let item = ".{1,20}";
    let quantity = any::<i64>().prop_filter("not 0", |quantity| *quantity != 0);
    prop_oneof![
        any_value().prop_map(Operation::Put),
        Just(Operation::Delete),
        any::<i64>().prop_map(Operation::Add),
        members.clone().prop_map(Operation::AddMembers),
        members.prop_map(Operation::RemoveMembers),
        (item, quantity).prop_map(|(item, quantity)| Operation::AddItem { item, quantity }),
        item.prop_map(|item| Operation::RemoveItem { item }),
        Just(Operation::Clear),
    ]
}

proptest! {
    #[test]
    fn operations_come_back(operation in any_operation()) {
        prop_assert_eq!(read(&bytes(&operation)), Ok(operation));
    }

    #[test]
    fn what_is_read_is_canonical(noise in prop::collection::vec(any::<u8>(), 0..40), number in 1u8..9) {
        let input = [&[VERSION, number][..], &noise].concat();
        if let Ok(operation) = read(&input) {
            prop_assert_eq!(bytes(&operation), input);
        }
    }
}
