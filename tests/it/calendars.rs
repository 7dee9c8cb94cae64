//! Calendars in the library.

use crate::support::{Cluster, equal, eventually, mesh};
use anabranch::collections::{BookingStatus, Calendar};
use anabranch::resolvers::calendar::Happened;
use anabranch::resolvers::{Booking, ConflictId, Span};
use anabranch::{Database, Refusal, Rejection, WriteError};

fn span(start: u32, end: u32) -> Span {
    let moment = |hour: u32| format!("2026-03-02T{hour:02}:00:00Z").parse().expect("a moment");
    Span { start: moment(start), end: moment(end) }
}

fn booking(id: Option<&str>, start: u32, end: u32) -> Booking {
    let (booking, title, by) = (id.map(str::to_owned), "Standup".to_owned(), "Ann".to_owned());
    Booking { booking, span: span(start, end), title, by }
}

fn rejection<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Rejection {
    match result {
        Err(WriteError::Refused(Refusal::Rejected { rejection, .. })) => rejection,
        other => panic!("{other:?}"),
    }
}

fn listed(rooms: &Calendar) -> Vec<(String, BookingStatus)> {
    let bookings = rooms.bookings("r").expect("bookings");
    bookings.into_iter().map(|booked| (booked.booking, booked.status)).collect()
}

#[test]
fn bookings_are_made_moved_and_cancelled() {
    let db = Database::builder().open_in_memory().expect("a database");
    let rooms = db.calendar("rooms").expect("a collection");
    assert_eq!((rooms.bookings("r"), rooms.history("r"), rooms.conflicts("r")), (Ok(vec![]), Ok(vec![]), Ok(vec![])));
    let named = rooms.book("r", booking(Some("a"), 9, 10)).expect("a write");
    let generated = rooms.book("r", booking(None, 10, 11)).expect("a write");
    assert_eq!(named, "a");
    assert_eq!(listed(&rooms), [(named, BookingStatus::Confirmed), (generated.clone(), BookingStatus::Confirmed)]);
    let taken = rejection(rooms.move_to("r", "a", span(10, 12), "Ann"));
    assert!(matches!(taken, Rejection::SlotTaken { bookings, .. } if bookings == [generated.clone()]));
    rooms.move_to("r", "a", span(8, 9), "Bob").expect("a write");
    rooms.cancel("r", &generated, "Bob").expect("a write");
    rooms.cancel("r", &generated, "Bob").expect("once more");
    assert_eq!(listed(&rooms)[1].1, BookingStatus::Cancelled);
    let booked = rooms.bookings("r").expect("bookings").remove(0);
    assert_eq!((booked.span, booked.title.as_str(), booked.by.as_str()), (span(8, 9), "Standup", "Ann"));
    assert_eq!(rooms.history("r").expect("history").len(), 5);
    let gone = rejection(rooms.resolve("r", ConflictId([1; 16]), &["a"], "Dee", None));
    assert!(matches!(gone, Rejection::NoSuchConflict(_)), "{gone:?}");
}

#[test]
fn a_transaction_moves_one_booking_out_of_the_way_of_another() {
    let db = Database::builder().open_in_memory().expect("a database");
    let rooms = db.calendar("rooms").expect("a collection");
    rooms.book("r", booking(Some("a"), 9, 10)).expect("a write");
    db.write(|tx| {
        rooms.in_tx(tx).move_to("r", "a", span(11, 12), "Ann")?;
        rooms.in_tx(tx).book("r", booking(Some("b"), 9, 11))?;
        rooms.in_tx(tx).book("r", booking(None, 12, 13))
    })
    .expect("a transaction");
    assert_eq!(listed(&rooms).len(), 3);
    let refused = rejection(db.write(|tx| {
        rooms.in_tx(tx).cancel("r", "b", "Ann")?;
        rooms.in_tx(tx).book("r", booking(None, 10, 12))
    }));
    assert!(matches!(refused, Rejection::SlotTaken { bookings, .. } if bookings == ["a"]));
    assert_eq!(listed(&rooms)[0], ("b".to_owned(), BookingStatus::Confirmed), "all or nothing");
}

#[test]
fn two_databases_book_one_room_offline_and_a_person_decides() {
    let open = |name: &str| Database::builder().names("shop", name, name).open_in_memory().expect("a database");
    let (eu, us) = (open("eu"), open("us"));
    let (in_eu, in_us) = (eu.calendar("rooms").expect("rooms"), us.calendar("rooms").expect("rooms"));
    in_eu.book("r", booking(Some("a"), 9, 11)).expect("a write");
    in_us.book("r", booking(Some("b"), 10, 12)).expect("a write");
    let cluster = Cluster::new("shop");
    let (eu, us) = (cluster.join(eu, "eu"), cluster.join(us, "us"));
    mesh(&[("eu", &eu), ("us", &us)]);
    eventually("equal", || equal(&[&eu.db, &us.db]));
    assert_eq!(
        listed(&in_eu),
        [("a".to_owned(), BookingStatus::Contested), ("b".to_owned(), BookingStatus::Contested)]
    );
    let conflicts = in_us.conflicts("r").expect("conflicts");
    assert_eq!(Ok(&conflicts), in_eu.conflicts("r").as_ref());
    in_us.resolve("r", conflicts[0].id, &["b"], "Dee", Some("they asked first")).expect("a write");
    eventually("equal again", || equal(&[&eu.db, &us.db]));
    assert_eq!(listed(&in_eu), [("a".to_owned(), BookingStatus::Bumped), ("b".to_owned(), BookingStatus::Confirmed)]);
    let history = in_eu.history("r").expect("history");
    assert_eq!(history, in_us.history("r").expect("history"));
    let last = &history[2];
    assert_eq!(last.by.as_deref(), Some("Dee"));
    assert!(matches!(&last.what, Happened::Resolved { note, bumped, .. }
        if note.as_deref() == Some("they asked first") && bumped == &["a"]));
}
