//! Data directories that a node must not open (rows 26 and 27): it says which and why, ends, and changes nothing. Put right again,
//! the same directory opens with all that it held. Damage to single files of a store, byte by byte: store/tests/byte_damage.rs.

use super::Target;
use super::config::serve;
use crate::support::command::{Ended, finish, program};
use crate::support::directories::copy;
use crate::support::tell;
use anabranch_engine::keys::meta;
use anabranch_engine::store::{Batch, Read, Space, Store};
use anabranch_store::DiskStore;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A node that was stopped, its data, and a copy of it.
struct Victim {
    target: Target,
    data: PathBuf,
    good: PathBuf,
}

/// Names, links and bytes of all that is below.
type Content = BTreeMap<PathBuf, Vec<u8>>;

fn content(dir: &Path) -> Content {
    let mut all = Content::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_symlink() {
            let to = fs::read_link(&path).expect("a link");
            all.insert(path, to.into_os_string().into_encoded_bytes());
        } else if path.is_dir() {
            all.extend(content(&path));
            all.insert(path, Vec::new());
        } else {
            let bytes = fs::read(&path).expect("a file");
            all.insert(path, bytes);
        }
    }
    all
}

impl Victim {
    fn new() -> Self {
        let mut target = Target::start(&[]);
        let (api, port) = (target.cluster.api.clone(), target.http());
        for n in 0..20 {
            api.operate(port, "likes", "post", r#"{"add":1}"#);
            api.put(port, "c", &format!("k{n}"), "1");
        }
        target.settle();
        target.cluster.stop(0);
        let (data, good) = (target.cluster.nodes[0].data.clone(), target.cluster.dir().join("good"));
        copy(&data, &good);
        Self { target, data, good }
    }

    /// The node must not start, must say these things and name the directory, and must leave it as it is.
    #[track_caller]
    fn refused(&self, what: &str, parts: &[&str]) -> Ended {
        let before = content(&self.data);
        let ended = serve(&self.target.cluster.nodes[0].config);
        assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
        let ended = ended.says(parts).says(&["data/eu", "state:", "next:"]);
        let after = content(&self.data);
        let names = |content: &Content| content.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{what}");
        let changed: Vec<_> =
            before.iter().filter(|(name, bytes)| after[*name] != **bytes).map(|(name, _)| name).collect();
        assert!(changed.is_empty(), "{what} changed {changed:?}");
        assert!(!ended.stderr.contains("panicked"), "{what}: {ended:?}");
        ended
    }

    /// Puts the copy back.
    fn restore(&self) {
        if self.data.is_symlink() || self.data.is_file() {
            fs::remove_file(&self.data).expect("removing");
        } else {
            fs::remove_dir_all(&self.data).expect("removing");
        }
        copy(&self.good, &self.data);
    }

    /// One damage: refused, and nothing lost by that.
    #[track_caller]
    fn damaged(&self, what: &str, parts: &[&str], damage: impl FnOnce(&Path)) {
        damage(&self.data);
        self.refused(what, parts);
        self.restore();
    }

    /// With the damage undone in place it opens as it was.
    fn opens_as_it_was(mut self) {
        self.target.cluster.start_node(0);
        self.target.is_unharmed("put right again");
        self.target.serves_on();
    }
}

#[test]
fn directories_that_are_not_ours_or_not_whole_are_left_alone() {
    let victim = Victim::new();
    let marker = |bytes: &'static [u8]| move |data: &Path| fs::write(data.join("ANABRANCH"), bytes).expect("writing");
    victim.damaged("an empty marker", &["ANABRANCH", "not the marker"], marker(b""));
    victim.damaged("half a marker", &["ANABRANCH"], marker(b"anabranch data direc"));
    victim.damaged("random bytes", &["ANABRANCH", "not the marker"], marker(&[0x9e, 0x37, 0xff, 0, 0x0a]));
    victim.damaged("another program's", &["ANABRANCH", "not the marker"], marker(b"SQLite format 3\0"));
    victim.damaged("a newer format", &["format 3", "up to 2"], marker(b"anabranch data directory, format 3\n"));
    victim.damaged("an older format", &["format 1", "no more"], marker(b"anabranch data directory, format 1\n"));
    victim.damaged("no marker", &["store"], |data| fs::remove_file(data.join("ANABRANCH")).expect("removing"));
    victim.damaged("a marker that is a directory", &["ANABRANCH", "no regular file"], |data| {
        fs::remove_file(data.join("ANABRANCH")).expect("removing");
        fs::create_dir(data.join("ANABRANCH")).expect("a directory");
    });
    victim.damaged("somebody else's file", &["thesis.doc"], |data| {
        fs::write(data.join("thesis.doc"), "three years of work").expect("writing");
    });
    victim.damaged("somebody else's directory", &["thesis.doc"], |data| {
        fs::remove_dir_all(data).expect("removing");
        fs::create_dir(data).expect("a directory");
        fs::write(data.join("thesis.doc"), "three years of work").expect("writing");
    });
    // A link may lead to anybody's files, and elsewhere tomorrow.
    let aside = victim.target.cluster.dir().join("aside");
    for (name, why) in [("ANABRANCH", "no regular file"), ("lock", "symbolic link"), ("store", "symbolic link")] {
        victim.damaged(&format!("{name} is a link"), &[name, why], |data| {
            fs::rename(data.join(name), &aside).expect("renaming");
            symlink(&aside, data.join(name)).expect("a link");
        });
        drop(fs::remove_file(&aside).or_else(|_| fs::remove_dir_all(&aside)));
    }
    for name in ["lock", "store"] {
        victim.damaged(&format!("{name} is of another kind"), &[name], |data| {
            let (path, was_file) = (data.join(name), data.join(name).is_file());
            drop(fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)));
            if was_file { fs::create_dir(path).expect("a directory") } else { fs::write(path, "").expect("a file") }
        });
    }
    fs::rename(&victim.data, &aside).expect("renaming");
    symlink(&aside, &victim.data).expect("a link");
    victim.refused("the directory is a link", &["symbolic link"]);
    victim.restore();
    fs::remove_dir_all(&victim.data).expect("removing");
    fs::write(&victim.data, "a file").expect("a file");
    serve(&victim.target.cluster.nodes[0].config).with_code(1).says(&["data/eu", "a directory is needed"]);
    victim.restore();
    victim.opens_as_it_was();
}

#[test]
fn a_directory_that_can_only_be_read_is_named() {
    let victim = Victim::new();
    let config = &victim.target.cluster.nodes[0].config;
    // Root may write wherever the file system lets it: only the mount can say no.
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(&victim.data);
    let probe = finish({
        let mut probe = Command::new("unshare");
        probe.args(["--mount", "sh", "-c", script, "sh"]).arg(&victim.data).arg("true");
        probe
    });
    if probe.code != Some(0) {
        return tell("bad inputs: NOT TESTED: a directory that can only be read, which needs root, unshare and mount");
    }
    command.arg(program().get_program()).args(["serve", "--config"]).arg(config);
    let before = content(&victim.data);
    finish(command).with_code(1).says(&["data/eu", "Read-only file system"]);
    assert_eq!(content(&victim.data), before);
    victim.opens_as_it_was();
}

#[test]
fn files_of_a_store_that_are_none_are_refused() {
    let victim = Victim::new();
    let overwrite = |file: &'static str, bytes: &'static [u8]| {
        move |data: &Path| fs::write(data.join("store").join(file), bytes).expect("writing")
    };
    for (what, bytes) in
        [("zero-length", &b""[..]), ("random", &[0x9e, 0x37, 0xff, 0]), ("another's", b"SQLite format 3\0")]
    {
        victim.damaged(&format!("a segment: {what}"), &["00000000.seg"], overwrite("log/00000000.seg", bytes));
        victim.damaged(&format!("current: {what}"), &["data/eu/store"], overwrite("rows/current", bytes));
    }
    victim.damaged("a log that is damaged in the middle", &["00000000.seg", "is damaged at byte"], |data| {
        let name = data.join("store/log/00000000.seg");
        let mut bytes = fs::read(&name).expect("a segment");
        let used = bytes.iter().rposition(|byte| *byte != 0).expect("something is written");
        bytes[used / 2] ^= 1;
        fs::write(name, bytes).expect("writing");
    });
    victim.opens_as_it_was();
}

/// Commits something to the store of a node that is stopped.
fn alter(data: &Path, change: impl FnOnce(&DiskStore, &mut Batch)) {
    let mut store = DiskStore::open(data).expect("a store");
    let mut batch = Batch::default();
    change(&store, &mut batch);
    store.commit(&batch).expect("a commit");
}

/// From a log's records to one, and its place.
type Change = fn(&[Vec<u8>]) -> (usize, Vec<u8>);

/// The log's records.
fn log(store: &DiskStore) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let visit = &mut |_, record: &[u8]| {
        records.push(record.to_vec());
        ControlFlow::Continue(())
    };
    store.log(0, visit).expect("a log");
    records
}

/// Makes the store anew with the same rows and another log.
fn with_another_log(data: &Path, change: Change) {
    let store = DiskStore::open(data).expect("a store");
    let (mut batch, mut log) = (Batch::default(), log(&store));
    for space in Space::ALL {
        let visit = &mut |key: &[u8], value: &[u8]| {
            batch.rows.insert((space, key.to_vec()), Some(value.to_vec()));
            ControlFlow::Continue(())
        };
        store.scan(space, &[], &[], visit).expect("rows");
    }
    drop(store);
    let (index, record) = change(&log);
    if index < log.len() {
        log[index] = record
    } else {
        log.push(record)
    }
    batch.log = (0..).zip(log).collect();
    fs::remove_dir_all(data.join("store")).expect("removing");
    DiskStore::open(data).expect("a store").commit(&batch).expect("a commit");
}

/// A row of few, changed.
fn meta_row(store: &DiskStore, batch: &mut Batch, key: &[u8], change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
    let row = store.get(Space::Meta, key).expect("reading").expect("a row");
    batch.rows.insert((Space::Meta, key.to_vec()), change(row));
}

#[test]
fn a_store_that_contradicts_itself_is_not_opened() {
    let victim = Victim::new();
    let clocks = |change: fn(Vec<u8>) -> Option<Vec<u8>>| {
        move |data: &Path| alter(data, |store, batch| meta_row(store, batch, meta::CLOCKS, change))
    };
    // The row of the clocks ends with the number of the only origin.
    let behind = clocks(|mut row| {
        *row.last_mut()? -= 1;
        Some(row)
    });
    let ahead = clocks(|mut row| {
        *row.last_mut()? += 1;
        Some(row)
    });
    victim.damaged("the vector is behind the log", &["version vector"], behind);
    victim.damaged("the vector is ahead of the log", &["version vector"], ahead);
    victim.damaged("no clocks", &["the log ends at"], clocks(|_| None));
    victim.damaged(
        "clocks of a newer build",
        &["clocks", "version 9"],
        clocks(|mut row| {
            row[0] = 9;
            Some(row)
        }),
    );
    victim.damaged("half the clocks", &["clocks"], clocks(|row| Some(row[..row.len() / 2].to_vec())));
    let record = |change: Change| move |data: &Path| with_another_log(data, change);
    victim.damaged("a dot twice", &["twice"], record(|log| (log.len() - 1, log[log.len() - 2].clone())));
    victim.damaged(
        "a dot twice in the midst",
        &["twice"],
        record(|log| (log.len() / 2, log[log.len() / 2 - 1].clone())),
    );
    victim.damaged("more log than the clocks know", &["the log has"], record(|log| (log.len(), log[0].clone())));
    victim.damaged("a record that is none", &["log record"], record(|log| (log.len() - 1, vec![9; 40])));
    victim.damaged("another node's", &["shop/us/us", "shop/eu/eu"], |data| {
        alter(data, |store, batch| meta_row(store, batch, meta::IDENTITY, |_| Some(b"shop\nus\nus".to_vec())));
    });
    victim.opens_as_it_was();
}
