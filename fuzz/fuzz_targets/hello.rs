//! `cargo fuzz run hello`: see `crates/fuzzing/src/hello.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| anabranch_fuzzing::hello::body(bytes));

#[global_allocator]
static COUNTING: anabranch_fuzzing::meter::Counting = anabranch_fuzzing::meter::Counting;
