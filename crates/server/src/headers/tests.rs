use super::*;
use anabranch::{Origin, ShardId};
use axum::http::HeaderValue;

const SESSION: &str = "019293a4-b5c6-7d7e-8f80-010203040506";

fn with(name: HeaderName, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name.clone(), HeaderValue::from_str(value).expect("a header"));
    }
    headers
}

fn of(origin: u64, seq: u64) -> Token {
    Token::of(ShardId(0), [(Origin(origin), seq)].into_iter().collect())
}

#[test]
fn tokens_are_joined_however_they_come() {
    let [a, b, c] = [of(1, 5), of(2, 3), of(1, 9)].map(|token| token.encode("shop"));
    let mut expected = of(1, 9);
    expected.join(&of(2, 3));
    let joined = token(&with(TOKEN, &[&format!("{a}, {b}"), &c]), "shop").expect("tokens");
    assert_eq!(joined, expected);
    assert_eq!(token(&HeaderMap::new(), "shop").expect("none"), Token::new());
    let code = |values: &[&str]| token(&with(TOKEN, values), "shop").expect_err("bad").code();
    assert_eq!(code(&["x"]), Code::BadToken);
    assert_eq!(code(&[&format!("{a},")]), Code::BadToken);
    assert_eq!(code(&[&a, &of(1, 1).encode("bank")]), Code::WrongClusterToken);
}

#[test]
fn waits_have_a_limit() {
    assert_eq!(wait(&HeaderMap::new()).expect("default"), DEFAULT_WAIT);
    assert_eq!(wait(&with(WAIT, &["30s"])).expect("most"), MOST_WAIT);
    for bad in [&["31s"][..], &["1"], &["x"], &["1s", "1s"]] {
        assert_eq!(wait(&with(WAIT, bad)).expect_err("bad").code(), Code::BadRequest, "{bad:?}");
    }
}

#[test]
fn acknowledgements_have_four_forms() {
    let read = |text| ack(&with(ACK, &[text])).map_err(|problem| problem.code());
    assert_eq!(ack(&HeaderMap::new()).expect("the default"), AckLevel::Local);
    assert_eq!(read("local"), Ok(AckLevel::Local));
    assert_eq!(read("follower"), Ok(AckLevel::Follower));
    assert_eq!(read("regions:3"), Ok(AckLevel::Regions(3)));
    assert_eq!(read("all"), Ok(AckLevel::All));
    for bad in ["", "regions:", "regions:-1", "regions:+1", "regions:99999999999", "Local"] {
        assert_eq!(read(bad), Err(Code::BadRequest), "{bad}");
    }
}

#[test]
fn idempotency_keys_have_three_forms() {
    let read = |text: &str| idempotency_key(&with(IDEMPOTENCY_KEY, &[text])).map_err(|problem| problem.code());
    let session: SessionId = SESSION.parse().expect("an id");
    assert_eq!(read(&format!("{SESSION}/42")), Ok(Some((session, 42))));
    assert_eq!(read(SESSION), Ok(Some((session, 1))));
    assert_eq!(read(&format!("\"{SESSION}\"")), Ok(Some((session, 1))));
    let bad = ["", "1", "/1", "019293a4-b5c6-4d7e-8f80-010203040506/1", "\"\"", "x/y/z"];
    let counters = ["0", "", "-1", "+1", "01", "1/2", "18446744073709551616"].map(|n| format!("{SESSION}/{n}"));
    for bad in bad.into_iter().chain(counters.iter().map(String::as_str)) {
        assert_eq!(read(bad), Err(Code::BadIdempotencyKey), "{bad}");
    }
}

#[test]
fn request_ids_are_taken_when_sane() {
    assert_eq!(request_id(&with(REQUEST_ID, &["abc-1"])), "abc-1");
    for odd in ["", "a b", "<x>", &"x".repeat(129)] {
        assert_eq!(request_id(&with(REQUEST_ID, &[odd])).len(), 36, "{odd}");
    }
}

#[test]
fn new_request_ids_are_uuids_of_version_7_that_never_come_again() {
    let ids = || (0..1_000).map(|_| new_id()).collect::<Vec<_>>();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(ids)).collect();
    let all: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().expect("ids")).collect();
    for id in &all {
        let uuid: Uuid = id.parse().expect("a UUID");
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
        assert_eq!(uuid.to_string(), *id);
    }
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
}
