//! `cargo fuzz run json`: see `crates/fuzzing/src/json.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| anabranch_fuzzing::json::body(bytes));

#[global_allocator]
static COUNTING: anabranch_fuzzing::meter::Counting = anabranch_fuzzing::meter::Counting;
