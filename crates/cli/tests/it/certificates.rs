//! `anabranch cert`.

use crate::support::command::run;
use std::os::unix::fs::PermissionsExt;

#[test]
fn an_authority_and_its_nodes_are_made_and_never_overwritten() {
    let scratch = tempfile::tempdir().expect("a directory");
    let certs = scratch.path().join("made/on/the/way");
    let dir = certs.to_str().expect("a path");

    let early = run(&["cert", "issue", "--dir", dir, "--region", "eu"]).with_code(1);
    early.says(&["ca.pem", "anabranch cert init"]);

    run(&["cert", "init", "--dir", dir, "--cluster", "shop"]).with_code(0);
    run(&["cert", "issue", "--dir", dir, "--region", "eu"]).with_code(0);
    let named = run(&["cert", "issue", "--dir", dir, "--region", "eu", "--name", "eu-2"]).with_code(0);
    assert!(named.stdout.contains("anabranch://shop/eu/eu-2"), "{}", named.stdout);

    let mode = |name: &str| std::fs::metadata(certs.join(name)).expect("a file").permissions().mode() & 0o777;
    for key in ["ca.key", "eu.key", "eu-2.key"] {
        assert_eq!(mode(key), 0o600, "{key}");
    }
    let before = std::fs::read(certs.join("eu.key")).expect("a key");
    run(&["cert", "issue", "--dir", dir, "--region", "eu"]).with_code(1).says(&["eu.key", "not overwritten"]);
    run(&["cert", "init", "--dir", dir, "--cluster", "shop"]).with_code(1).says(&["ca.key", "not overwritten"]);
    assert_eq!(std::fs::read(certs.join("eu.key")).expect("a key"), before);

    // A node by the authority's file name would replace it.
    run(&["cert", "issue", "--dir", dir, "--region", "eu", "--name", "ca"]).with_code(1).says(&["not overwritten"]);
}

#[test]
fn bad_names_are_refused_before_anything_is_written() {
    let scratch = tempfile::tempdir().expect("a directory");
    let certs = scratch.path().join("certs");
    let dir = certs.to_str().expect("a path");
    let long = "x".repeat(65);
    for bad in ["", ".", "..", "a/b", "a b", "é", "a\nb", long.as_str()] {
        run(&["cert", "init", "--dir", dir, "--cluster", bad]).with_code(2).says(&["cluster", "nothing was written"]);
        assert!(!certs.exists(), "{bad:?}");
    }
    run(&["cert", "init", "--dir", dir, "--cluster", "shop"]).with_code(0);
    for bad in ["", "..", "../eu", "a b"] {
        run(&["cert", "issue", "--dir", dir, "--region", bad]).with_code(2).says(&["region"]);
        run(&["cert", "issue", "--dir", dir, "--region", "eu", "--name", bad]).with_code(2).says(&["node"]);
    }
    assert_eq!(std::fs::read_dir(&certs).expect("a directory").count(), 2, "ca.pem and ca.key, no more");
}
