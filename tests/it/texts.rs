//! Texts in the library: edits, transactions, and documents that go from one database to another.

use anabranch::{Database, ReadError, Refusal, Rejection, WriteError};

fn open() -> Database {
    Database::builder().names("shop", "eu", "eu").open_in_memory().expect("opens")
}

#[test]
fn edits_by_position_count_characters() {
    let db = open();
    let notes = db.text("notes").expect("texts");
    notes.insert("n", 0, "a🙂c").expect("inserts");
    notes.insert("n", 2, "b\u{301}").expect("inserts");
    notes.delete("n", 0, 1).expect("deletes");
    assert_eq!(notes.get("n"), Ok("🙂b\u{301}c".to_owned()));
    let refused = notes.insert("n", 5, "x");
    let Err(WriteError::Refused(Refusal::Rejected { rejection: Rejection::Rejected(why), .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(why, "cannot insert at 5: the text has 4 characters");
    notes.clear("n").expect("clears");
    assert_eq!(notes.get("n"), Ok(String::new()));
    assert!(db.view().get("notes", "n").expect("reads").is_none(), "an emptied text is no key");
}

#[test]
fn a_transaction_edits_what_it_wrote_or_nothing() {
    let db = open();
    let notes = db.text("notes").expect("texts");
    let likes = db.g_counter("likes").expect("counters");
    let write = |last: u64| {
        db.write(|tx| {
            notes.in_tx(tx).insert("n", 0, "one three")?;
            notes.in_tx(tx).insert("n", 4, "two ")?;
            likes.in_tx(tx).add("n", 1)?;
            notes.in_tx(tx).delete("n", last, 1)
        })
    };
    assert!(write(13).is_err());
    assert_eq!((notes.get("n"), likes.get("n")), (Ok(String::new()), Ok(0)));
    write(12).expect("writes");
    assert_eq!((notes.get("n"), likes.get("n")), (Ok("one two thre".to_owned()), Ok(1)));
}

/// What one database hands out, another takes in, whatever it has; and what comes twice changes nothing.
#[test]
fn documents_go_from_one_database_to_another() {
    let (a, b) = (open(), open());
    let (here, there) = (a.text("notes").expect("texts"), b.text("notes").expect("texts"));
    assert_eq!(here.state("n", None), Ok(None));
    for n in 0..300 {
        here.insert("n", n / 2, "ab").expect("inserts");
    }
    let state = here.state("n", None).expect("a state").expect("something");
    there.apply_update("n", &state).expect("takes");
    there.insert("n", 0, "mine ").expect("inserts");
    here.insert("n", 600, " yours").expect("inserts");
    here.apply_update("n", &there.state("n", None).expect("a state").expect("something")).expect("takes");
    there.apply_update("n", &here.state("n", None).expect("a state").expect("something")).expect("takes");
    let text = here.get("n").expect("a text");
    assert_eq!(there.get("n"), Ok(text.clone()));
    assert!(text.starts_with("mine a") && text.ends_with("b yours") && text.len() == 611, "{text}");
    assert_eq!(here.state("n", Some(&[0xff])), Err(ReadError::BadSince("not a Yjs state vector (version 1)")));
    let counters = a.g_counter("likes").expect("counters");
    counters.add("n", 1).expect("adds");
    assert!(matches!(a.view().export("likes", "n", None), Err(ReadError::NotSupported(_))));
}

/// A leader's edits go on after a restart under another Yjs client: nothing is overwritten by what was there before.
#[test]
fn edits_go_on_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut model = String::new();
    for round in 0..4 {
        let db = Database::open(dir.path().join("data")).expect("opens");
        let notes = db.text("notes").expect("texts");
        assert_eq!(notes.get("n"), Ok(model.clone()));
        for n in 0..50 {
            let at = (n * 7 + round) % (model.len() + 1);
            model.insert(at, char::from(b'a' + (n % 26) as u8));
            notes.insert("n", at as u64, &model[at..=at]).expect("inserts");
        }
        assert_eq!(notes.get("n"), Ok(model.clone()));
        db.close();
    }
}
