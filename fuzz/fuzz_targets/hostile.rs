//! `cargo fuzz run hostile`: see `crates/fuzzing/src/hostile.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| anabranch_fuzzing::hostile::body(bytes));

#[global_allocator]
static COUNTING: anabranch_fuzzing::meter::Counting = anabranch_fuzzing::meter::Counting;
