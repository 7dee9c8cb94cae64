use super::*;
use anabranch_causality::{Actor, OperationId, Origin};

const CONFLICT: ConflictId = ConflictId(*b"0123456789abcdef");

fn span() -> Span {
    let moment = |text: &str| text.parse().expect("a moment");
    Span { start: moment("2026-03-01T09:00:00Z"), end: moment("2026-03-01T10:00:00Z") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn places() -> Vec<(Place, &'static str)> {
    let place = |what, by: &str| Place { what, by: optional(by) };
    let operation = OperationId { actor: Actor::Leader(Origin(7)), counter: 2, hash: 0 };
    let claim = Some(Tag { operation, position: 3 });
    vec![
        (place(What::Booked(span()), "Ann"), "010180fa818a956780b4b98d956703416e6e"),
        (place(What::Moved(span()), "Ann"), "010280fa818a956780b4b98d956703416e6e"),
        (place(What::Cancelled, "Ann"), "010303416e6e"),
        (
            place(What::Kept { span: span(), claim, conflict: CONFLICT }, "Ann"),
            "01043031323334353637383961626364656680fa818a956780b4b98d956701000700000000000000020303416e6e",
        ),
        (
            place(What::Kept { span: span(), claim: None, conflict: CONFLICT }, ""),
            "01043031323334353637383961626364656680fa818a956780b4b98d95670000",
        ),
        (place(What::Bumped { conflict: CONFLICT }, ""), "01053031323334353637383961626364656600"),
        (place(What::StaysCancelled { conflict: CONFLICT }, "Ann"), "01063031323334353637383961626364656603416e6e"),
    ]
}

fn claim() -> Claim {
    Claim { span: span(), title: "Standup".into(), by: "Ann".into() }
}

fn decision() -> Decision {
    Decision {
        by: optional("Ann"),
        note: optional("first come"),
        kept: vec![KeptOption { option: "a".into(), booking: "a".into(), span: span() }],
        bumped: vec!["b".into()],
        cancelled: vec!["c".into()],
    }
}

#[test]
fn golden_bytes() {
    for (place, golden) in places() {
        assert_eq!(hex(&place.encode()), golden, "{place:?}");
        assert_eq!(Place::decode(&place.encode()), Ok(place));
    }
    assert_eq!(hex(&claim().encode()), "0180fa818a956780b4b98d9567075374616e64757003416e6e");
    assert_eq!(Claim::decode(&claim().encode()), Ok(claim()));
    assert_eq!(
        hex(&decision().encode()),
        "0103416e6e0a666972737420636f6d65010161016180fa818a956780b4b98d9567010162010163"
    );
    assert_eq!(Decision::decode(&decision().encode()), Ok(decision()));
    let subkeys = [
        (Subkey::Place("ü"), "01c3bc"),
        (Subkey::Claim("a"), "0261"),
        (Subkey::Change("a"), "0361"),
        (Subkey::Resolution(CONFLICT), "0430313233343536373839616263646566"),
    ];
    for (subkey, golden) in subkeys {
        assert_eq!(hex(&subkey.to_bytes()), golden);
        assert_eq!(Subkey::from_bytes(&subkey.to_bytes()), Some(subkey));
    }
}

#[test]
fn what_is_no_row_is_refused() {
    for subkey in [&b""[..], b"\x01", b"\x05a", b"\x01a@b", b"\x01\xff", b"\x02a\n", b"\x04short", b"\x00a"] {
        assert_eq!(Subkey::from_bytes(subkey), None, "{subkey:?}");
    }
    assert_eq!(Subkey::from_bytes(&[&[1], &[b'x'; 129][..]].concat()), None);
    for (place, _) in places() {
        let bytes = place.encode();
        for end in 0..bytes.len() {
            assert!(Place::decode(&bytes[..end]).is_err(), "{place:?} {end}");
        }
        assert!(Place::decode(&[&bytes[..], b"x"].concat()).is_err());
        assert_eq!(Place::decode_change(&bytes).is_ok(), matches!(place.what, What::Moved(_) | What::Cancelled));
    }
    for end in 0..claim().encode().len() {
        assert!(Claim::decode(&claim().encode()[..end]).is_err());
    }
    for end in 0..decision().encode().len() {
        assert!(Decision::decode(&decision().encode()[..end]).is_err());
    }
    let nobody = Place { what: What::Cancelled, by: None };
    assert_eq!(Place::decode(&nobody.encode()), Err(DecodeError::Invalid("by")));
    let backwards = Span { start: span().end, end: span().start };
    let place = Place { what: What::Moved(backwards), by: optional("Ann") };
    assert_eq!(Place::decode(&place.encode()), Err(DecodeError::Invalid("span")));
    let later = [&[2], &claim().encode()[1..]].concat();
    assert_eq!(Claim::decode(&later), Err(DecodeError::Version { what: "calendar row", version: 2 }));
}
