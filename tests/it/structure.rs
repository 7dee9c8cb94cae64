//! The structure, as a test: which crate may depend on which, and what the core must not contain.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each may depend on. Dev-dependencies are exempt.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("causality", &[]),
    ("resolvers", &["causality"]),
    ("session", &["causality"]),
    // Requests carry operations.
    ("protocol", &["causality", "resolvers"]),
    ("engine", &["causality", "resolvers", "protocol"]),
    ("store", &["causality", "resolvers", "protocol", "engine"]),
    ("transport", &[]),
    ("anabranch", &["causality", "resolvers", "protocol", "session", "engine", "store", "transport"]),
    ("client", &["causality", "resolvers", "protocol", "session", "transport"]),
    ("server", &["anabranch", "client", "protocol"]),
    ("cli", &["server", "anabranch", "transport"]),
    // Nobody may depend on it: bodies of fuzz targets look at all that takes bytes.
    ("fuzzing", &["causality", "resolvers", "protocol", "session", "engine", "store", "transport", "server"]),
    ("sim", &["causality", "resolvers", "protocol", "session", "engine", "store"]),
];

/// The crates below the driver: pure.
const PURE: [&str; 5] = ["causality", "resolvers", "protocol", "session", "engine"];

/// What pure code must not name.
const IMPURE: [&str; 14] = [
    "HashMap",
    "HashSet",
    "std::time",
    "SystemTime",
    "Instant::now",
    "std::thread",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "tokio",
    "async fn",
    "getrandom",
    "thread_local",
];

const MAX_LINES: usize = 800;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn crate_dir(name: &str) -> PathBuf {
    if name == "anabranch" { root() } else { root().join("crates").join(name) }
}

/// Our crates that a manifest's `[dependencies]` (and its target tables) name.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(crate_dir(name).join("Cargo.toml")).expect("a manifest");
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]") && !line.contains("dev-") && !line.contains("workspace");
        } else if inside && line.starts_with("anabranch") {
            let key = line.split(['.', ' ', '=']).next().expect("a key");
            found.insert(key.strip_prefix("anabranch-").unwrap_or(key).to_owned());
        }
    }
    found
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    for entry in fs::read_dir(root().join("crates")).expect("the crates") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        assert!(allowed.contains_key(name.as_str()), "crate {name} has no place in the structure");
    }
    for (name, allowed) in allowed {
        for dependency in dependencies(name) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
    assert!(dependencies("engine").contains("causality"), "manifests are read");
}

#[test]
fn the_core_is_pure() {
    for name in PURE {
        for path in sources(&crate_dir(name).join("src")) {
            let text = fs::read_to_string(&path).expect("a source");
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in IMPURE {
                    assert!(!code.contains(word), "{}:{}: {word} in the pure core", path.display(), number + 1);
                }
            }
        }
    }
}

#[test]
fn files_stay_small() {
    let folders =
        ["src", "crates", "tests", "examples", "fuzz/fuzz_targets", "bench/src"].map(|folder| root().join(folder));
    for path in folders.iter().filter(|folder| folder.exists()).flat_map(|folder| sources(folder)) {
        let lines = fs::read_to_string(&path).expect("a source").lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines, at most {MAX_LINES}: look for a seam", path.display());
    }
}
