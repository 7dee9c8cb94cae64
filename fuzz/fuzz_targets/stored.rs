//! `cargo fuzz run stored`: see `crates/fuzzing/src/stored.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| anabranch_fuzzing::stored::body(bytes));

#[global_allocator]
static COUNTING: anabranch_fuzzing::meter::Counting = anabranch_fuzzing::meter::Counting;
