//! What a session carries from call to call, and elsewhere.

use crate::node::{Act, Node};
use crate::support::{always, client, problem, shown, token, value, written};
use anabranch_causality::Token;
use anabranch_client::{ClientError, Guarantees, Options, SaveError};
use anabranch_protocol::{Answer, Ask, Page};
use std::time::Duration;

fn read_at_5_written_at_7() -> Node {
    Node::start("node", 0, |request| match &request.ask {
        Ask::Write { .. } => Act::Answer(token(8), written(7)),
        _ => Act::Answer(token(5), value("1")),
    })
}

#[tokio::test]
async fn each_call_chooses_what_it_waits_for() {
    let node = read_at_5_written_at_7();
    let client = client(&[&node]).await;
    let session = client.session();
    session.get("c", "k").await.expect("an answer");
    session.write(|tx| tx.put("c", "k", &1)).await.expect("written");
    let none = Guarantees::NONE;
    let cases = [
        (none, Token::new()),
        (none.read_your_writes(true), token(7)),
        (none.monotonic_reads(true), token(5)),
        (Guarantees::ALL, token(7)),
    ];
    for (guarantees, expected) in cases {
        let options = Options { guarantees: Some(guarantees), ..Options::default() };
        session.with(options).get("c", "k").await.expect("an answer");
        let asked = node.asked();
        assert_eq!(asked[asked.len() - 1].token, expected, "{guarantees:?}");
    }
    let eventual = client.session().with_guarantees(none);
    eventual.get("c", "k").await.expect("an answer");
    eventual.write(|tx| tx.put("c", "k", &1)).await.expect("written");
    let asked = node.asked();
    assert_eq!(asked[asked.len() - 1].token, Token::new());
    assert_eq!(eventual.guarantees(), none);
}

#[tokio::test]
async fn a_saved_session_goes_on_where_it_was() {
    let node = read_at_5_written_at_7();
    let client = client(&[&node]).await;
    let session = client.session_with(Guarantees::ALL.monotonic_writes(false));
    session.get("c", "k").await.expect("an answer");
    session.write(|tx| tx.put("c", "k", &1)).await.expect("written");
    let saved = session.save();
    let (id, token) = (session.id(), session.token());
    drop(session);
    let session = client.resume(&saved).expect("a session");
    assert_eq!((session.id(), session.counter(), session.token()), (id, 1, token));
    assert!(!session.guarantees().monotonic_writes);
    session.write(|tx| tx.put("c", "k", &2)).await.expect("written");
    assert_eq!(session.counter(), 2);
    assert!(matches!(client.resume("as1.x"), Err(SaveError::Bad(_))));
}

#[tokio::test]
async fn a_token_is_handed_over() {
    let node = read_at_5_written_at_7();
    let client = client(&[&node]).await;
    let (phone, laptop) = (client.session(), client.session());
    phone.write(|tx| tx.put("c", "k", &1)).await.expect("written");
    laptop.join(&phone.token()).expect("a token");
    laptop.get("c", "k").await.expect("an answer");
    let asked = node.asked();
    assert_eq!(asked[asked.len() - 1].token, token(7));
    assert!(laptop.join("garbage").is_err());
}

#[tokio::test]
async fn the_time_to_wait_is_passed_on_and_leaves_time_to_answer() {
    let node = Node::start("node", 0, always(1, value("1")));
    let client = client(&[&node]).await;
    let wait = async |wait, deadline| {
        let session = client.session().wait(wait).deadline(deadline);
        session.get("c", "k").await.expect("an answer");
        let asked = node.asked();
        asked[asked.len() - 1].wait_ms
    };
    assert_eq!(wait(Duration::from_millis(250), Duration::from_secs(5)).await, 250);
    assert!(wait(Duration::from_secs(60), Duration::from_secs(60)).await <= 30_000);
    let short = wait(Duration::from_secs(1), Duration::from_millis(500)).await;
    assert!((250..450).contains(&short), "{short}");
}

#[tokio::test]
async fn pages_values_and_absence_are_read() {
    let node = Node::start("node", 0, |request| {
        let answer = match &request.ask {
            Ask::Get { key, .. } if key == "absent" => Answer::Value { resolver: "lww".into(), shown: None },
            Ask::Get { .. } => value(r#"{"a":1}"#),
            Ask::Scan { limit: 1_000, .. } => {
                let items = vec![("a".into(), shown("1")), ("b".into(), shown("2"))];
                Answer::Page(Page { resolver: "lww".into(), items, next: Some("b".into()) })
            }
            _ => problem("bad-request", ""),
        };
        Act::Answer(token(1), answer)
    });
    let client = client(&[&node]).await;
    let session = client.session();
    assert_eq!(session.get("c", "absent").await, Ok(None));
    let found = session.get("c~register", "k").await.expect("an answer").expect("a value");
    assert!(found.value["a"] == 1 && found.context.is_some());
    let wrong = session.get_as::<String>("c", "k").await.expect_err("an object");
    assert!(matches!(wrong, ClientError::Type { key, .. } if key == "k"));
    let page = session.scan("c", "", None, 5_000).await.expect("a page");
    assert_eq!(page.entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(page.next.as_deref(), Some("b"));
}
