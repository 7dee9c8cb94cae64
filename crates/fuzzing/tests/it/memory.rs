//! The meter bites: without it the bounds of decoders would hold whatever they do.

use anabranch_fuzzing::meter::{self, Bound};

#[test]
fn what_is_held_at_once_is_counted() {
    let (_, held) = meter::measure(|| {
        drop(vec![0u8; 10_000]);
        vec![0u8; 70_000].len() + vec![0u8; 1].len()
    });
    assert!((70_000..70_200).contains(&held), "{held}");
    let ((), nothing) = meter::measure(|| {});
    assert_eq!(nothing, 0);
}

#[test]
#[should_panic(expected = "were held for an input of 10")]
fn a_decoder_that_trusts_a_length_is_caught() {
    let bound = Bound { times: 100, plus: 1_000 };
    meter::within(bound, 10, || Vec::<u8>::with_capacity(1 << 20).capacity());
}
