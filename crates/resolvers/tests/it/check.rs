//! What `check` lets in.

use crate::world::{by, tag};
use anabranch_causality::{Add, Effect, Fold, Kind, Supersede};
use anabranch_resolvers::{Malformed, Registry};

/// An effect with these rows, changes, and one superseded tag under each of these subkeys.
fn effect(kind: Kind, adds: &[(&[u8], &[u8])], folds: &[(&[u8], &[u8])], supersedes: &[&[u8]]) -> Effect {
    let add = |(position, (subkey, payload)): (usize, &(&[u8], &[u8]))| Add {
        position: position as u32,
        subkey: subkey.to_vec(),
        payload: payload.to_vec(),
    };
    let fold = |(subkey, payload): &(&[u8], &[u8])| Fold { subkey: subkey.to_vec(), payload: payload.to_vec() };
    let supersede = |subkey: &&[u8]| Supersede { subkey: subkey.to_vec(), tags: vec![tag(by(1, 1))] };
    Effect {
        adds: adds.iter().enumerate().map(add).collect(),
        folds: folds.iter().map(fold).collect(),
        supersedes: supersedes.iter().map(supersede).collect(),
        ..Effect::new("c", kind, "k")
    }
}

#[test]
fn sound_effects_pass() {
    let registry = Registry::builtin();
    let sound = [
        ("lww", effect(Kind::REGISTER, &[(b"", b"{\"a\":[1.5]}")], &[], &[b""])),
        ("keep-all", effect(Kind::REGISTER, &[(b"", b"null")], &[], &[])),
        ("g-counter", effect(Kind::G_COUNTER, &[], &[(b"", &[0]), (b"", &[2])], &[])),
        ("pn-counter", effect(Kind::PN_COUNTER, &[], &[(b"", &[1])], &[])),
        ("or-set", effect(Kind::OR_SET, &[(&[1], b""), (&[5], b"")], &[], &[&[2], &[5, b'x']])),
        ("cart", effect(Kind::CART, &[(b"x", &[1])], &[], &[b"y"])),
    ];
    for (name, effect) in sound {
        let resolver = registry.by_name(name).expect("a built-in");
        assert_eq!(resolver.check(&effect), Ok(()), "{name}");
        assert_eq!(resolver.check(&Effect::new("c", effect.kind, "")), Ok(()), "{name}: makes the collection exist");
        assert!(resolver.check(&Effect::new("c", Kind::TEXT, "k")).is_err(), "{name}: another kind");
    }
}

#[test]
fn malformed_effects_are_named() {
    let registry = Registry::builtin();
    let long = [b'x'; 513];
    let cases = [
        ("lww", effect(Kind::REGISTER, &[(b"s", b"1")], &[], &[]), "a register has no subkeys"),
        ("lww", effect(Kind::REGISTER, &[], &[], &[b"s"]), "a register has no subkeys"),
        ("lww", effect(Kind::REGISTER, &[(b"", b"{")], &[], &[]), "a register's version is JSON"),
        ("keep-all", effect(Kind::REGISTER, &[(b"", b"1e999")], &[], &[]), "a register's version is JSON"),
        ("keep-all", effect(Kind::REGISTER, &[], &[(b"", b"")], &[]), "a register keeps no sums"),
        ("lww", effect(Kind::CART, &[], &[], &[]), "not a register's effect"),
        ("g-counter", effect(Kind::G_COUNTER, &[(b"", b"")], &[], &[]), "a counter has no rows"),
        ("g-counter", effect(Kind::G_COUNTER, &[], &[], &[b""]), "a counter has no rows"),
        ("g-counter", effect(Kind::G_COUNTER, &[], &[(b"s", &[2])], &[]), "a counter has no subkeys"),
        ("g-counter", effect(Kind::G_COUNTER, &[], &[(b"", &[1])], &[]), "a g-counter cannot go down"),
        ("g-counter", effect(Kind::PN_COUNTER, &[], &[], &[]), "not this counter's effect"),
        ("pn-counter", effect(Kind::PN_COUNTER, &[], &[(b"", &[0x80, 0])], &[]), "a change is a signed varint"),
        ("pn-counter", effect(Kind::PN_COUNTER, &[], &[(b"", &[1, 1])], &[]), "a change is a signed varint"),
        ("or-set", effect(Kind::OR_SET, &[(&[9], b"")], &[], &[]), "a set's subkey is a member"),
        ("or-set", effect(Kind::OR_SET, &[], &[], &[b""]), "a set's subkey is a member"),
        ("or-set", effect(Kind::OR_SET, &[(&[1], b"x")], &[], &[]), "a set's rows hold nothing"),
        ("or-set", effect(Kind::OR_SET, &[], &[(&[1], b"")], &[]), "a set keeps no sums"),
        ("or-set", effect(Kind::MAP, &[], &[], &[]), "not a set's effect"),
        ("cart", effect(Kind::CART, &[(b"", &[2])], &[], &[]), "a cart's subkey is an item"),
        ("cart", effect(Kind::CART, &[(&long, &[2])], &[], &[]), "a cart's subkey is an item"),
        ("cart", effect(Kind::CART, &[(&[0xff], &[2])], &[], &[]), "a cart's subkey is an item"),
        ("cart", effect(Kind::CART, &[(b"x", &[0])], &[], &[]), "a cart's row holds a quantity"),
        ("cart", effect(Kind::CART, &[(b"x", b"")], &[], &[]), "a cart's row holds a quantity"),
        ("cart", effect(Kind::CART, &[], &[(b"x", &[2])], &[]), "a cart keeps no sums"),
        ("cart", effect(Kind::OR_SET, &[], &[], &[]), "not a cart's effect"),
    ];
    for (name, effect, text) in cases {
        let resolver = registry.by_name(name).expect("a built-in");
        assert_eq!(resolver.check(&effect), Err(Malformed(text)), "{name}");
    }
}
