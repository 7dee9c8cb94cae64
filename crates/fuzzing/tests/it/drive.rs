//! Runs a body on files and on mutations of them.

#![allow(clippy::print_stderr)] // How much was tried, and where an input is kept, is for people.

use anabranch_fuzzing::mutator::Mutator;
use anabranch_fuzzing::{Body, TARGETS};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// More mutations than this are not worth an ordinary test's time.
const MOST: u64 = 300_000;

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

/// The files of a folder, in the order of their names; none when there is no folder.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file")))
        .collect();
    files.sort();
    files
}

pub(crate) fn body_of(target: &str) -> Body {
    TARGETS.iter().find(|(name, _)| *name == target).expect("a target").1
}

/// For how long to mutate, and how often at most. `ANABRANCH_FUZZ_SECONDS` makes it longer.
fn patience() -> (Duration, u64) {
    match std::env::var("ANABRANCH_FUZZ_SECONDS") {
        Ok(text) => (Duration::from_secs(text.parse().expect("seconds")), u64::MAX),
        Err(_) => (Duration::from_secs(1), MOST),
    }
}

pub(crate) fn exercise(target: &str) {
    let body = body_of(target);
    let (corpus, crashes) = (files(&folder("corpus").join(target)), files(&folder("crashes").join(target)));
    assert!(!corpus.is_empty(), "{target} has no corpus");
    let known: Vec<Vec<u8>> = corpus.into_iter().chain(crashes).map(|(_, bytes)| bytes).collect();
    known.iter().for_each(|bytes| run(target, body, bytes));
    let (long, most) = patience();
    let (begun, mut done) = (Instant::now(), 0);
    let mut mutator = Mutator::new(&known, 1);
    while done < most && begun.elapsed() < long {
        run(target, body, &mutator.make());
        done += 1;
    }
    let (ms, count) = (begun.elapsed().as_millis(), known.len());
    eprintln!("{target}: {done} mutations of {count} inputs in {ms} ms");
    assert!(done > 0);
}

/// Runs a body; what it does not take is kept where cargo-fuzz keeps it.
fn run(target: &str, body: Body, bytes: &[u8]) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(bytes))) else { return };
    let place = folder("artifacts").join(target);
    let name = place.join(format!("crash-{:016x}", anabranch_causality::hash64("crash", &[bytes])));
    let kept = fs::create_dir_all(&place).and_then(|()| fs::write(&name, bytes));
    match kept {
        Ok(()) => eprintln!("the input is kept as {}", name.display()),
        Err(error) => eprintln!("the input could not be kept ({error}): {bytes:02x?}"),
    }
    resume_unwind(panic);
}
