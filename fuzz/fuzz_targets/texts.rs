//! `cargo fuzz run texts`: see `crates/fuzzing/src/texts.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| anabranch_fuzzing::texts::body(bytes));

#[global_allocator]
static COUNTING: anabranch_fuzzing::meter::Counting = anabranch_fuzzing::meter::Counting;
