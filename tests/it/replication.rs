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

#[test]
fn an_app_that_worked_offline_syncs_with_a_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let server = cluster.join(Database::open(dir.path().join("server")).expect("a database"), "server");
    let app = Database::open(dir.path().join("app")).expect("a database that belongs to nobody yet");
    let likes = app.pn_counter("likes").expect("likes");
    likes.add("offline", 3).expect("a write");
    server.db.pn_counter("likes").expect("likes").add("online", 4).expect("a write");
    server.network.add_peer(anabranch::PeerConfig { node: Some("app".to_owned()), ..Default::default() });
    let addr = server.network.local_addr().to_string();
    let sync = app.sync(&addr, cluster.identity("app")).bind(crate::support::any_port()).start().expect("syncing");
    assert_eq!(app.names().node, "app", "it belongs to the node of its certificate from now on");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let caught_up = async { tokio::time::timeout(std::time::Duration::from_secs(10), sync.caught_up()).await };
    runtime.block_on(caught_up).expect("in time").expect("caught up");
    assert_eq!(likes.get("online"), Ok(4));
    assert_eq!(server.db.pn_counter("likes").expect("likes").get("offline"), Ok(3));
}

#[test]
fn an_app_that_has_lost_its_server_knows_that_what_it_shows_grows_old() {
    let cluster = Cluster::new("shop");
    let server = cluster.join(Database::builder().open_in_memory().expect("a database"), "server");
    server.network.add_peer(anabranch::PeerConfig { node: Some("app".to_owned()), ..Default::default() });
    let app = Database::builder().open_in_memory().expect("a database");
    let addr = server.network.local_addr().to_string();
    let _sync = app.sync(&addr, cluster.identity("app")).bind(crate::support::any_port()).start().expect("syncing");
    let behind = || app.status().expect("a status").behind_ms;
    let peers = || app.status().expect("a status").peers;
    eventually("it is as fresh as its server", || !peers().is_empty() && behind().is_some_and(|behind| behind < 1_000));
    drop(server);
    eventually("the connection is given up", || peers().iter().all(|peer| !peer.connected));
    eventually("what it shows grows old", || behind().is_some_and(|behind| behind > 1_000));
    assert!(peers().iter().any(|peer| peer.name == "server" && peer.lag_ms > 1_000));
}
