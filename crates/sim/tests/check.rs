//! `anabranch-sim check`, as a process.

use anabranch_sim::histories::{Action, Event, Guarantees, Log, Outcome};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn event(id: u64, session: &str, guarantees: Guarantees, action: Action) -> Event {
    Event {
        id,
        session: session.to_owned(),
        node: Some("eu".to_owned()),
        guarantees,
        invoke_us: 10 * id,
        end_us: 10 * id + 5,
        result: Outcome::Ok,
        action,
        token_in: None,
        token_out: None,
    }
}

fn write(id: u64, guarantees: Guarantees) -> Event {
    let action = Action::Write { write: 7, keys: vec!["a".to_owned()], dot: None, sequenced_at: None, attempts: 1 };
    event(id, "s", guarantees, action)
}

fn read(id: u64, guarantees: Guarantees) -> Event {
    event(id, "s", guarantees, Action::Read { seen: [("a".to_owned(), vec![])].into() })
}

/// A file of the test's own.
fn file(name: &str, events: &[Event]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let log = Log::create(&path, None).expect("a file");
    events.iter().for_each(|event| log.append(event).expect("written"));
    log.finish().expect("written");
    path
}

fn check(words: &[&Path]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_anabranch-sim")).arg("check").args(words).output();
    let Output { status, stdout, stderr } = output.expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

#[test]
fn parts_are_one_history_and_violations_are_told() {
    let (one, other) = (file("one", &[write(1, Guarantees::ALL)]), file("other", &[read(2, Guarantees::ALL)]));
    assert_eq!(check(&[&one]).0, 0);
    let (code, told, counts) = check(&[&one, &other]);
    assert_eq!(code, 1);
    assert!(told.starts_with("read your writes: read 2 (session s at eu, "), "{told}");
    assert!(counts.contains("1  read your writes") && counts.contains("0  sanity"), "{counts}");
}

#[test]
fn eventual_sessions_are_judged_on_request() {
    let eventual = file("eventual", &[write(1, Guarantees::NONE), read(2, Guarantees::NONE)]);
    assert_eq!(check(&[&eventual]).0, 0);
    let (code, told, _) = check(&[Path::new("--as-if-eventual"), &eventual]);
    assert_eq!(code, 1);
    assert!(told.contains("read your writes: "), "{told}");
}

#[test]
fn what_is_no_history_is_an_error() {
    let broken = file("broken", &[]);
    std::fs::write(&broken, "{}\n").expect("written");
    for words in [vec![], vec![broken.as_path()], vec![Path::new("/nowhere")], vec![Path::new("--unknown")]] {
        let (code, told, error) = check(&words);
        assert_eq!((code, told.as_str()), (2, ""), "{words:?}");
        assert!(!error.is_empty());
    }
}
