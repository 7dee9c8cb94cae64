//! Bytes that rot: each file of a small closed store is damaged, one fault at a time. The store refuses, naming the file, or
//! answers with the right data; it never answers with less, nor with a row that was never there, nor does it panic. Only a
//! damaged last frame of the log is cut off: that looks like the torn write of a crash.
//!
//! `cargo test -p anabranch-store --release --test byte_damage -- --ignored --nocapture` damages more places.

#![cfg(feature = "disk")]

use anabranch_engine::store::{Batch, Read, Space, Store};
use anabranch_store::{DiskStore, Options};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

type Rows = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// What came of a damaged store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Refused at opening, with an error that names the file.
    Refused,
    /// Refused at opening, with an error that does not.
    RefusedUnnamed,
    /// Opened, and reading ended in an error.
    ReadFailed,
    /// Opened, with all data as it was: what was damaged is not needed, or is made anew.
    Right,
    /// Opened without the last batch, whose frame was damaged: that looks like the torn write of a crash.
    Torn,
    /// Opened, with rows missing and none that is wrong.
    Short,
    /// Opening or reading panicked.
    Panicked,
    /// Opened, with other data.
    Wrong,
}

fn options() -> Options {
    Options { memtable_bytes: 4 << 10, min_free_bytes: 0, ..Options::default() }
}

/// What is in a store.
struct Content {
    rows: Rows,
    /// Without the last batch.
    before_last: Rows,
    /// How much of each file was used before the last batch.
    used: BTreeMap<PathBuf, usize>,
}

impl Content {
    /// Whether all that was damaged in that file lies in the last batch's frame.
    fn only_last(&self, file: &Path, bytes: &[u8], damaged: &[u8]) -> bool {
        let first = bytes.iter().zip(damaged).position(|(one, other)| one != other);
        let used = self.used.get(file).copied().unwrap_or_default();
        bytes.len() == damaged.len() && used > 0 && first.is_some_and(|first| first >= used)
    }
}

fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// A store with tables on disk and rows in the log alone.
fn make(dir: &Path) -> Content {
    let mut store = DiskStore::open_with(dir, options()).expect("a store");
    let (mut before_last, mut sizes) = (Rows::new(), BTreeMap::new());
    for n in 0..120_u64 {
        let value = n.to_string().repeat(40).into_bytes();
        let key = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().to_vec();
        let rows = Space::ALL.iter().map(|space| ((*space, key.clone()), Some(value.clone())));
        store.commit(&Batch { log: vec![(n, value.clone())], rows: rows.collect() }).expect("a commit");
        if n == 118 {
            before_last = read(&store).expect("reading");
            let mut list = Vec::new();
            files(&dir.join("store/log"), &mut list);
            let relative = |file: &Path| file.strip_prefix(dir).expect("inside").to_owned();
            sizes = list.iter().map(|file| (relative(file), used(&std::fs::read(file).expect("a file")))).collect();
        }
    }
    Content { rows: read(&store).expect("reading"), before_last, used: sizes }
}

fn read(store: &DiskStore) -> Result<Rows, String> {
    let mut rows = Rows::new();
    for space in Space::ALL {
        let scanned = store.scan(space, &[], &[], &mut |key, value| {
            rows.insert((space as u8, key.to_vec()), value.to_vec());
            ControlFlow::Continue(())
        });
        scanned.map_err(|error| error.to_string())?;
    }
    let logged = store.log(0, &mut |index, record| {
        rows.insert((0, index.to_be_bytes().to_vec()), record.to_vec());
        ControlFlow::Continue(())
    });
    logged.map_err(|error| error.to_string())?;
    Ok(rows)
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target)
        } else {
            {
                std::fs::copy(&path, &target).expect("a copy");
            }
        }
    }
}

/// What a file may become: a bit flipped, the end gone, a piece of it somewhere else, zeros, nothing.
fn damages(bytes: &[u8], places: usize) -> Vec<(String, Vec<u8>)> {
    let used = used(bytes);
    let mut list = vec![("emptied".to_owned(), Vec::new())];
    for place in 0..places.min(used) {
        let at = place * used / places.min(used);
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (place % 8);
        list.push((format!("a bit flipped at {at}"), flipped));
    }
    for part in 1..4 {
        list.push((format!("cut at {}", used * part / 4), bytes[..used * part / 4].to_vec()));
    }
    let piece = 512.min(used / 3);
    if piece > 0 {
        let mut swapped = bytes.to_vec();
        let (first, second) = swapped.split_at_mut(used - piece);
        first[..piece].swap_with_slice(&mut second[..piece]);
        list.push(("first and last piece exchanged".to_owned(), swapped));
        let mut zeroed = bytes.to_vec();
        zeroed[used / 2..][..piece].fill(0);
        list.push((format!("zeros at {}", used / 2), zeroed));
    }
    list.retain(|(_, damaged)| damaged != bytes);
    list
}

fn outcome(dir: &Path, file: &Path, content: &Content, only_last: bool) -> (Outcome, String) {
    let rows = &content.rows;
    let tried = catch_unwind(AssertUnwindSafe(|| match DiskStore::open_with(dir, options()) {
        Ok(store) => read(&store).map_err(|error| (Outcome::ReadFailed, error)),
        Err(error) => {
            let named = error.what.contains(&file.display().to_string());
            Err((if named { Outcome::Refused } else { Outcome::RefusedUnnamed }, error.to_string()))
        }
    }));
    match tried {
        Ok(Ok(found)) if found == *rows => (Outcome::Right, String::new()),
        Ok(Ok(found)) if only_last && found == content.before_last => (Outcome::Torn, String::new()),
        Ok(Ok(found)) if found.iter().all(|(key, value)| rows.get(key) == Some(value)) => {
            (Outcome::Short, format!("{} rows of {}", found.len(), rows.len()))
        }
        Ok(Ok(found)) => (Outcome::Wrong, format!("{} rows of {}", found.len(), rows.len())),
        Ok(Err(refused)) => refused,
        Err(_) => (Outcome::Panicked, "a panic".into()),
    }
}

/// What kind of file it is, for the table.
fn kind(file: &Path) -> String {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        _ if name.ends_with(".seg") => "segment of the log".into(),
        _ if parent == "tables" => "table".into(),
        _ if name.starts_with('v') && name[1..].parse::<u64>().is_ok() => "list of tables".into(),
        _ => name.into(),
    }
}

#[expect(clippy::print_stderr, reason = "the table for whoever runs it with --nocapture")]
fn damage(places: usize, of_kind: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let original = dir.path().join("original");
    let content = make(&original);
    let mut list = Vec::new();
    files(&original, &mut list);
    let (mut table, mut taken) = (BTreeMap::new(), BTreeMap::new());
    for file in list {
        let seen: &mut usize = taken.entry(kind(&file)).or_default();
        *seen += 1;
        if *seen > of_kind {
            continue;
        }
        let relative = file.strip_prefix(&original).expect("inside");
        let bytes = std::fs::read(&file).expect("a file");
        for (what, damaged) in damages(&bytes, places) {
            let only_last = content.only_last(relative, &bytes, &damaged);
            let victim = dir.path().join("victim");
            copy(&original, &victim);
            std::fs::write(victim.join(relative), damaged).expect("writing");
            let (outcome, why) = outcome(&victim, relative, &content, only_last);
            std::fs::remove_dir_all(&victim).expect("removing");
            let entry =
                table.entry((kind(relative), outcome)).or_insert((0, format!("{}, {what}: {why}", relative.display())));
            entry.0 += 1;
        }
    }
    for ((kind, outcome), (count, example)) in &table {
        eprintln!("{kind}: {outcome:?} {count} times, as {example}");
    }
    let is_bad = |outcome| matches!(outcome, Outcome::Short | Outcome::Wrong | Outcome::Panicked);
    let bad: Vec<_> = table.iter().filter(|((_, outcome), _)| is_bad(*outcome)).collect();
    assert!(bad.is_empty(), "wrong data served: {bad:?}");
    assert!(table.keys().any(|(_, outcome)| *outcome == Outcome::Refused), "nothing was refused: nothing is proved");
}

#[test]
fn damaged_files_are_refused_or_do_no_harm() {
    damage(6, 2);
}

#[test]
#[ignore = "minutes: the long form"]
fn many_damaged_files_are_refused_or_do_no_harm() {
    damage(100, 6);
}
