//! The folders of `fuzz` and the bodies agree.

use crate::DRIVEN;
use crate::drive::{files, folder};
use anabranch_fuzzing::{TARGETS, seeds};
use std::fs;

/// All corpora together stay this small.
const MOST_BYTES: usize = 1 << 20;

#[test]
fn every_body_has_its_target_and_its_test() {
    let names = TARGETS.map(|(name, _)| name);
    assert_eq!(DRIVEN, names);
    let targets: Vec<String> = files(&folder("fuzz_targets")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(targets, names.map(|name| format!("{name}.rs")));
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("a manifest");
    for name in names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
        let text = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).expect("a target");
        assert!(text.contains(&format!("anabranch_fuzzing::{name}::body")), "{name} runs another body");
    }
}

/// `ANABRANCH_FUZZ_SEEDS=write` writes them; what else is in the folders stays.
#[test]
fn the_corpora_begin_with_what_the_code_encodes() {
    let mut bytes = 0;
    for (target, inputs) in seeds::all() {
        let place = folder("corpus").join(target);
        for (number, input) in inputs.iter().enumerate() {
            let file = place.join(format!("seed-{number:02}"));
            if std::env::var("ANABRANCH_FUZZ_SEEDS").is_ok_and(|what| what == "write") {
                fs::create_dir_all(&place).expect("a folder");
                fs::write(&file, input).expect("a file");
            }
            let found = fs::read(&file).unwrap_or_default();
            let again = "ANABRANCH_FUZZ_SEEDS=write cargo test -p anabranch-fuzzing corpora";
            assert!(&found == input, "{} is not what is encoded now; again: {again}", file.display());
        }
        bytes += files(&place).iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of corpora");
}

/// Seeds that are refused at once would lead nowhere.
#[test]
fn seeds_are_accepted_where_they_should_be() {
    let (seeds, file) = (seeds::all(), std::path::Path::new("/etc/anabranch/node.toml"));
    let config = |bytes: &Vec<u8>| {
        let text = std::str::from_utf8(bytes).expect("text");
        anabranch_server::Config::parse(text, file, &anabranch_server::Overrides::new()).is_ok()
    };
    assert!(seeds["config"][..2].iter().all(config));
    assert!(seeds["transaction"].iter().all(|bytes| anabranch_causality::Transaction::decode(bytes).is_ok()));
    assert!(seeds["message"].iter().all(|bytes| anabranch_protocol::Message::decode(bytes).is_ok()));
    assert!(seeds["request"][..7].iter().all(|bytes| anabranch_protocol::Request::decode(bytes).is_ok()));
    assert!(seeds["reply"][..7].iter().all(|bytes| anabranch_protocol::Reply::decode(7, bytes).is_ok()));
    let register = |_: &str| anabranch_causality::Kind::REGISTER;
    let body = |bytes: &[u8]| anabranch_server::fuzzing::transaction(bytes, register);
    assert!(body(seeds["transactions"].last().expect("a seed")).is_ok());
    let json = |bytes: &&Vec<u8>| anabranch_server::fuzzing::json(bytes, 32).is_ok();
    assert_eq!(seeds["json"].iter().filter(|bytes| !json(bytes)).count(), 1, "a key twice");
}
