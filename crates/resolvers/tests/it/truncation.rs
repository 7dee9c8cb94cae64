//! Values above the limit are left out, and not built first.

use crate::world::by;
use anabranch_causality::{Hlc, Tag};
use anabranch_resolvers::resolver::VisitRow;
use anabranch_resolvers::{
    Cart, GCounter, KeepAll, Lww, Member, OrSet, PnCounter, ReadFailed, Registry, Resolver, Row, Rows,
};
use serde_json::{Value, json};
use std::cell::Cell;

/// A million rows, which count how many were visited.
struct Million {
    subkey: fn(u64) -> Vec<u8>,
    payload: &'static [u8],
    visited: Cell<u64>,
}

impl Rows for Million {
    fn rows(&self, _: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        for n in 0..1_000_000 {
            self.visited.set(self.visited.get() + 1);
            let tag = Tag { operation: by(1, 1), position: n as u32 };
            let row = Row { subkey: &(self.subkey)(n), tag, stamp: Hlc(1), payload: self.payload };
            if visit(row).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn sum(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Ok(None)
    }
}

#[test]
fn a_value_of_a_million_parts_is_not_built() {
    let set = Million { subkey: |n| Member::Integer(n.into()).to_subkey(), payload: &[], visited: Cell::new(0) };
    let cart = Million { subkey: |n| format!("{n:07}").into_bytes(), payload: &[2], visited: Cell::new(0) };
    for (resolver, rows) in [(&OrSet as &dyn Resolver, &set), (&Cart, &cart)] {
        let outcome = resolver.value(rows, 4_096).expect("reads").expect("a key");
        assert!(outcome.truncated && outcome.value == Value::Null);
        assert!(rows.visited.get() < 2_000, "{} visited {}", resolver.name(), rows.visited.get());
    }
}

/// Some rows and a sum, as they are.
struct Fixed {
    rows: Vec<(&'static [u8], &'static [u8])>,
    sum: Option<Vec<u8>>,
}

impl Rows for Fixed {
    fn rows(&self, _: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        for (position, (subkey, payload)) in self.rows.iter().enumerate() {
            let tag = Tag { operation: by(1, 1), position: position as u32 };
            if visit(Row { subkey, tag, stamp: Hlc(1), payload }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn sum(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Ok(self.sum.clone())
    }
}

#[test]
fn limits_are_exact() {
    let register = || Fixed { rows: vec![(b"", b"\"a\""), (b"", b"\"b\"")], sum: None };
    let set = Fixed { rows: vec![(&[2], b""), (&[5, b'a'], b""), (&[5, b'"'], b"")], sum: None };
    let cart = Fixed { rows: vec![(b"x", &[20]), (b"y", &[1]), (b"z", &[2])], sum: None };
    let sum = || Fixed { rows: Vec::new(), sum: Some(1_234i128.to_le_bytes().to_vec()) };
    let cases: [(&dyn Resolver, Fixed, Value); 6] = [
        (&Lww, register(), json!("b")),
        (&KeepAll, register(), json!(["a", "b"])),
        (&OrSet, set, json!([true, "a", "\""])),
        (&Cart, cart, json!({"x": 10, "z": 1})),
        (&GCounter, sum(), json!(1_234)),
        (&PnCounter, sum(), json!(1_234)),
    ];
    for (resolver, rows, value) in cases {
        let length = value.to_string().len();
        for most in [0, 1, length - 1, length, usize::MAX] {
            let outcome = resolver.value(&rows, most).expect("reads").expect("a key");
            let expected = if most < length { (Value::Null, true) } else { (value.clone(), false) };
            assert_eq!((outcome.value, outcome.truncated), expected, "{} within {most}", resolver.name());
        }
    }
    let empty_cart = Fixed { rows: vec![(b"x", &[1])], sum: None };
    assert!(Cart.value(&empty_cart, 1).expect("reads").expect("a key").truncated);
    assert_eq!(Cart.value(&empty_cart, 2).expect("reads").expect("a key").value, json!({}));
}

#[test]
fn versions_are_listed_also_when_the_value_is_left_out() {
    let rows = Fixed { rows: vec![(b"", b"\"a\""), (b"", b"\"b\"")], sum: None };
    for resolver in [&Lww as &dyn Resolver, &KeepAll] {
        let (whole, cut) = (resolver.value(&rows, 99), resolver.value(&rows, 0));
        let (whole, cut) = (whole.expect("reads").expect("a key"), cut.expect("reads").expect("a key"));
        assert_eq!((whole.versions, whole.conflicts), (cut.versions, cut.conflicts));
    }
}

#[test]
fn rows_that_no_resolver_wrote_are_not_read() {
    let bad: [(&str, Fixed); 6] = [
        ("lww", Fixed { rows: vec![(b"", b"{")], sum: None }),
        ("keep-all", Fixed { rows: vec![(b"", b"")], sum: None }),
        ("or-set", Fixed { rows: vec![(&[9], b"")], sum: None }),
        ("cart", Fixed { rows: vec![(b"x", &[0])], sum: None }),
        ("g-counter", Fixed { rows: Vec::new(), sum: Some(vec![1]) }),
        ("pn-counter", Fixed { rows: Vec::new(), sum: Some(Vec::new()) }),
    ];
    let registry = Registry::builtin();
    for (name, rows) in bad {
        let resolver = registry.by_name(name).expect("a built-in");
        assert_eq!(resolver.value(&rows, 4_096), Err(ReadFailed), "{name}");
    }
}
