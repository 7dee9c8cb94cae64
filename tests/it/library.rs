//! The library alone: no server, no network.

use anabranch::{Database, OpenError, Refusal, WriteError};
use anabranch_engine::store::StoreErrorKind;

fn scratch() -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Database::open(dir.path().join("data")).expect("a database");
    (dir, db)
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let (_dir, db) = scratch();
    let (likes, sums) = (db.g_counter("likes").expect("likes"), db.pn_counter("sums").expect("sums"));
    sums.add("k", i64::MAX).expect("a write");
    let before = db.status().expect("a status").digest;
    let refused = db.write(|tx| {
        likes.in_tx(tx).add("p", 1)?;
        sums.in_tx(tx).add("k", 1)
    });
    assert!(matches!(refused, Err(WriteError::Refused(Refusal::Rejected { operation: 1, .. }))), "{refused:?}");
    assert_eq!(likes.get("p"), Ok(0));
    assert_eq!(db.status().expect("a status").digest, before, "a refused write changes nothing");
}

#[test]
fn operations_of_a_transaction_see_what_the_former_left() {
    let (_dir, db) = scratch();
    let names = db.lww::<String>("names").expect("names");
    let tags = db.or_set("tags").expect("tags");
    db.write(|tx| {
        names.in_tx(tx).put("k", &"first".to_owned())?;
        names.in_tx(tx).put("k", &"second".to_owned())?;
        tags.in_tx(tx).add("k", "x")?;
        tags.in_tx(tx).remove("k", "x")
    })
    .expect("a write");
    assert_eq!(names.get("k"), Ok(Some("second".to_owned())));
    assert_eq!(tags.get("k"), Ok(vec![]));
    assert_eq!(db.view().explain("names", "k").expect("explained").versions.len(), 1);
}

#[test]
fn a_set_of_more_members_than_one_transaction_may_name_is_cleared_whole() {
    let (_dir, db) = scratch();
    let tags = db.or_set("tags").expect("tags");
    for chunk in (0..12_000i64).collect::<Vec<_>>().chunks(1_000) {
        db.write(|tx| chunk.iter().try_for_each(|n| tags.in_tx(tx).add("k", *n))).expect("a write");
    }
    assert_eq!(tags.get("k").expect("members").len(), 12_000);
    tags.clear("k").expect("a write");
    assert_eq!(tags.get("k"), Ok(vec![]));
}

#[test]
fn asking_for_the_status_makes_no_batch_smaller() {
    let (_dir, db) = scratch();
    let write = |done: Box<dyn FnOnce() + Send>| {
        let (collection, kind, key) = ("likes".to_owned(), anabranch::Kind::G_COUNTER, "p".to_owned());
        let operation = anabranch::Operation::Add(1);
        let change = anabranch::Change::Operate { collection, kind, key, operation, context: None };
        db.submit(anabranch::Write { changes: vec![change], key: None }, move |_| done());
    };
    // Its answer holds the writer up, while writes and questions arrive in turns.
    let (go_on, waiting) = std::sync::mpsc::channel::<()>();
    write(Box::new(move || waiting.recv().expect("a sign")));
    let commits = || db.metrics().commits.load(std::sync::atomic::Ordering::Relaxed);
    let before = commits();
    let mut questions = Vec::new();
    for _ in 0..50 {
        write(Box::new(|| {}));
        let mut question = Box::pin(db.status_async());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(question.as_mut().poll(&mut context).is_pending());
        questions.push(question);
    }
    go_on.send(()).expect("the writer waits");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let told = questions.into_iter().map(|question| runtime.block_on(question).expect("a status"));
    assert_eq!(told.last().expect("the last").log_transactions, 51, "it knows what was asked for before it");
    assert!(commits() - before <= 3, "{} commits for 51 writes that waited together", commits() - before);
}

#[test]
fn a_collection_has_one_kind() {
    let (_dir, db) = scratch();
    db.cart("things").expect("carts").add("k", "x", 1).expect("a write");
    let refused = db.or_set("things").expect("a handle").add("k", "x");
    assert!(matches!(refused, Err(WriteError::Refused(Refusal::ResolverMismatch { .. }))), "{refused:?}");
    assert!(db.pn_counter("../x").is_err());
    assert!(db.pn_counter("_system").is_err());
}

#[test]
fn a_resolver_can_change_and_nothing_is_lost() {
    let (_dir, db) = scratch();
    let names = db.lww::<String>("names").expect("names");
    names.put("k", &"a".to_owned()).expect("a write");
    let seen_nothing = anabranch::Context::default();
    names.put_seen("k", &"b".to_owned(), seen_nothing).expect("a write");
    assert_eq!(names.get("k"), Ok(Some("b".to_owned())));
    let all = db.keep_all::<String>("names").expect("the same, all kept").get_all("k").expect("values");
    assert_eq!(all.value, ["a", "b"]);
    db.keep_all::<String>("names").expect("names").put_seen("k", &"c".to_owned(), all.context).expect("a write");
    assert_eq!(db.keep_all::<String>("names").expect("names").get_all("k").expect("values").value, ["c"]);
}

#[test]
fn a_data_directory_has_one_owner_at_a_time_and_for_ever() {
    let (dir, db) = scratch();
    let kind = |opened: Result<Database, OpenError>| match opened {
        Err(OpenError::Store(error)) => error.kind,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    };
    let path = dir.path().join("data");
    assert_eq!(kind(Database::open(&path)), StoreErrorKind::InUse);
    db.close();
    drop(db);
    let named = Database::builder().names("shop", "eu", "eu-1").open(&path).expect("claimed");
    named.close();
    drop(named);
    assert_eq!(kind(Database::builder().names("shop", "us", "us-1").open(&path)), StoreErrorKind::Foreign);
    let again = Database::open(&path).expect("opened under the name it has");
    assert_eq!(again.names().node, "eu-1");
    std::fs::write(dir.path().join("file"), "x").expect("a file");
    assert_eq!(kind(Database::open(dir.path())), StoreErrorKind::Foreign);
}

#[test]
fn closed_databases_say_so() {
    let (_dir, db) = scratch();
    let likes = db.g_counter("likes").expect("likes");
    likes.add("p", 1).expect("a write");
    db.close();
    assert_eq!(likes.add("p", 1), Err(WriteError::Closed));
    assert!(likes.get("p").is_err());
    assert!(db.status().is_none());
}

/// `cargo test --release --test it -- --ignored million`: alone in its process, for it looks at the process's memory.
#[test]
#[ignore = "long, and measures the memory of the whole process"]
fn a_million_keys_stay_under_256_mib() {
    let (dir, db) = scratch();
    let counters = db.pn_counter("c").expect("c");
    for chunk in (0..1_000_000u32).collect::<Vec<_>>().chunks(1_000) {
        db.write(|tx| chunk.iter().try_for_each(|n| counters.in_tx(tx).add(&format!("key-{n:09}"), 1)))
            .expect("a write");
    }
    assert!(resident_mib() < 256, "{} MiB after writing", resident_mib());
    db.close();
    drop((counters, db));
    let db = Database::open(dir.path().join("data")).expect("a database");
    let mut after = None;
    let mut count = 0;
    loop {
        let page = db.view().scan("c", "", after.as_deref(), 1_000).expect("a page");
        count += page.entries.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(count, 1_000_000);
    assert!(resident_mib() < 256, "{} MiB after opening and scanning", resident_mib());
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

#[test]
fn what_no_replica_could_read_gets_no_dot() {
    let (_dir, db) = scratch();
    let before = db.status().expect("a status").log_transactions;
    let operate = |name: &str| {
        db.write(|tx| {
            tx.operate(name, anabranch::Kind::PN_COUNTER, "k", anabranch::Operation::Add(1), None);
            Ok(())
        })
    };
    for bad in ["a/b", "_resolvers", "", &"x".repeat(129)] {
        assert!(matches!(operate(bad), Err(WriteError::Refused(Refusal::Rejected { .. }))), "{bad}");
    }
    let change = || {
        let operation = anabranch::Operation::Add(1);
        let (collection, key, kind) = ("c".to_owned(), "k".to_owned(), anabranch::Kind::PN_COUNTER);
        anabranch::Change::Operate { collection, kind, key, operation, context: None }
    };
    let not_v7 = anabranch::SessionId([0; 16]);
    let refused = db.apply(anabranch::Write { changes: vec![change()], key: Some((not_v7, 1)) });
    assert!(matches!(refused, Err(WriteError::Refused(Refusal::BadIdempotencyKey(_)))), "{refused:?}");
    let declare = |n: usize| anabranch::Change::Declare {
        collection: format!("c{n}"),
        kind: anabranch::Kind::REGISTER,
        resolver: "lww".to_owned(),
    };
    let many = anabranch::Write { changes: (0..600).map(declare).collect(), key: None };
    assert!(matches!(db.apply(many), Err(WriteError::Refused(Refusal::TooLarge(_)))));
    assert_eq!(db.status().expect("a status").log_transactions, before);
}

#[test]
fn a_database_can_be_opened_again_as_soon_as_its_handles_are_dropped() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = crate::support::Cluster::new("shop");
    for _ in 0..5 {
        let node = cluster.join(Database::open(dir.path().join("a")).expect("a database"), "a");
        drop(node);
    }
}
