//! Two and three databases, real QUIC between them.

use crate::support::{Cluster, equal, eventually, mesh};
use anabranch::Database;

#[test]
fn two_databases_come_to_the_same_state() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::open(dir.path().join(name)).expect("a database");
    let a = cluster.join(open("a"), "a");
    let b = cluster.join(open("b"), "b");
    let (likes_a, likes_b) = (a.db.pn_counter("likes").expect("likes"), b.db.pn_counter("likes").expect("likes"));
    let (names_a, names_b) = (a.db.lww::<String>("names").expect("names"), b.db.lww::<String>("names").expect("names"));
    likes_a.add("p", 3).expect("a write");
    names_a.put("k", &"from a".to_owned()).expect("a write");
    likes_b.add("p", -1).expect("a write");
    names_b.put("k", &"from b".to_owned()).expect("a write");
    mesh(&[("a", &a), ("b", &b)]);
    eventually("both are equal", || equal(&[&a.db, &b.db]) && likes_a.get("p") == Ok(2));
    assert_eq!(names_a.get("k").expect("a value"), names_b.get("k").expect("a value"));
    likes_a.add("p", 10).expect("a write");
    eventually("the other sees it", || likes_b.get("p") == Ok(12));
}

#[test]
fn a_closed_database_holds_what_it_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    for round in 0..3 {
        let db = Database::open(&path).expect("a database");
        let likes = db.pn_counter("likes").expect("likes");
        assert_eq!(likes.get("p"), Ok(round * 100));
        for _ in 0..100 {
            likes.add("p", 1).expect("a write");
        }
        if round == 1 { db.crash() } else { db.close() }
    }
}
