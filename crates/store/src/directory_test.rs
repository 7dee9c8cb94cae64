use std::collections::BTreeMap;

use super::*;

/// Names and contents of the files in a directory.
fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default()))
        .collect()
}

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Opening fails with this kind, tells all of `words`, and changes nothing.
#[track_caller]
fn refuses(dir: &Path, kind: StoreErrorKind, words: &[&str]) {
    let before = content(dir);
    let error = DataDir::open(dir).unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    for word in words.iter().chain([&dir.to_str().unwrap()]) {
        assert!(error.what.contains(word), "{word:?} in {error}");
    }
    assert_eq!(content(dir), before);
}

#[test]
fn creates_what_is_missing() {
    let temp = temp();
    let path = temp.path().join("a/b/data");
    let dir = DataDir::open(&path).unwrap();
    assert_eq!(fs::read_to_string(path.join("ANABRANCH")).unwrap(), "anabranch data directory, format 2\n");
    assert_eq!((dir.path(), dir.store()), (&*path, path.join("store")));
    #[cfg(unix)]
    for made in ["a", "a/b", "a/b/data"] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(temp.path().join(made)).unwrap().permissions().mode() & 0o777, 0o700);
    }
    drop(dir);
    DataDir::open(&path).unwrap();
}

#[test]
fn is_open_only_once() {
    let temp = temp();
    let first = DataDir::open(temp.path()).unwrap();
    refuses(temp.path(), StoreErrorKind::InUse, &[]);
    drop(first);
    DataDir::open(temp.path()).unwrap();
}

#[test]
fn leaves_foreign_directories_alone() {
    let temp = temp();
    fs::write(temp.path().join("zebra"), b"z").unwrap();
    fs::write(temp.path().join("photo.jpg"), b"p").unwrap();
    refuses(temp.path(), StoreErrorKind::Foreign, &["photo.jpg"]);
    fs::write(temp.path().join("lock"), b"").unwrap();
    refuses(temp.path(), StoreErrorKind::Foreign, &["photo.jpg"]);
}

#[test]
fn a_store_without_a_marker_is_foreign() {
    let temp = temp();
    fs::create_dir(temp.path().join("store")).unwrap();
    refuses(temp.path(), StoreErrorKind::Foreign, &["store"]);
}

#[test]
fn names_a_stranger_among_ours() {
    let temp = temp();
    drop(DataDir::open(temp.path()).unwrap());
    fs::write(temp.path().join("notes.txt"), b"n").unwrap();
    refuses(temp.path(), StoreErrorKind::Foreign, &["notes.txt"]);
    fs::remove_file(temp.path().join("notes.txt")).unwrap();
    DataDir::open(temp.path()).unwrap();
}

#[test]
fn judges_markers() {
    let cases: [(&[u8], StoreErrorKind, &[&str]); 9] = [
        (b"anabranch data directory, format 3\n", StoreErrorKind::NewerFormat, &["format 3", "up to 2"]),
        (b"anabranch data directory, format 1\n", StoreErrorKind::Foreign, &["format 1", "no more"]),
        (b"anabranch data directory, format 0\n", StoreErrorKind::Corrupt, &["ANABRANCH"]),
        (b"anabranch data directory, format 2", StoreErrorKind::Corrupt, &["ANABRANCH"]),
        (b"anabranch data directory, format +2\n", StoreErrorKind::Corrupt, &["ANABRANCH"]),
        (b"anabranch data directory, format 2\n\n", StoreErrorKind::Corrupt, &["ANABRANCH"]),
        (b"anabranch data directory, format \n", StoreErrorKind::Corrupt, &["ANABRANCH"]),
        (b"", StoreErrorKind::Foreign, &["ANABRANCH"]),
        (&[0xff; 10_000], StoreErrorKind::Foreign, &["ANABRANCH"]),
    ];
    for (marker, kind, words) in cases {
        let temp = temp();
        fs::write(temp.path().join("ANABRANCH"), marker).unwrap();
        refuses(temp.path(), kind, words);
    }
    let temp = temp();
    fs::create_dir(temp.path().join("ANABRANCH")).unwrap();
    refuses(temp.path(), StoreErrorKind::Foreign, &["ANABRANCH"]);
}

#[cfg(unix)]
#[test]
fn links_are_refused() {
    use std::os::unix::fs::symlink;
    let (temp, aside) = (temp(), temp());
    let data = temp.path().join("data");
    drop(DataDir::open(&data).unwrap());
    fs::create_dir(data.join("store")).unwrap();
    for name in ["lock", "store"] {
        fs::rename(data.join(name), aside.path().join(name)).unwrap();
        symlink(aside.path().join(name), data.join(name)).unwrap();
        refuses(&data, StoreErrorKind::Foreign, &[name, "symbolic link"]);
        fs::remove_file(data.join(name)).unwrap();
        fs::rename(aside.path().join(name), data.join(name)).unwrap();
    }
    let link = temp.path().join("link");
    symlink(&data, &link).unwrap();
    refuses(&link, StoreErrorKind::Foreign, &["symbolic link"]);
    assert_eq!(DataDir::open(&link.join("")).unwrap_err().kind, StoreErrorKind::Foreign);
    symlink(temp.path().join("nowhere"), temp.path().join("dangling")).unwrap();
    let error = DataDir::open(&temp.path().join("dangling")).unwrap_err();
    assert!(error.kind == StoreErrorKind::Foreign && !temp.path().join("nowhere").exists(), "{error}");
    DataDir::open(&data).unwrap();
}

#[test]
fn a_file_where_a_directory_belongs_is_refused() {
    let temp = temp();
    drop(DataDir::open(temp.path()).unwrap());
    fs::write(temp.path().join("store"), b"x").unwrap();
    refuses(temp.path(), StoreErrorKind::Foreign, &["store", "a directory is needed"]);
}

#[test]
fn a_file_is_no_directory() {
    let temp = temp();
    let file = temp.path().join("file");
    fs::write(&file, b"x").unwrap();
    let error = DataDir::open(&file).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Foreign);
    assert!(error.what.contains("file, a directory is needed"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn goes_on_after_a_crash_during_creation() {
    for leftovers in [&[][..], &["lock"], &["ANABRANCH.new"], &["lock", "ANABRANCH.new"]] {
        let temp = temp();
        for name in leftovers {
            fs::write(temp.path().join(name), b"anabranch da").unwrap();
        }
        DataDir::open(temp.path()).unwrap();
        assert_eq!(content(temp.path()).keys().collect::<Vec<_>>(), ["ANABRANCH", "lock"]);
    }
}
