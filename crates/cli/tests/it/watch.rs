//! `watch`: changes as they come, across the end of its node and its coming again.

use crate::support::cluster::Cluster;
use crate::support::command::{program, run};
use crate::support::eventually;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running `anabranch watch`, and the lines that it has shown.
struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    fn start(arguments: &[&str], url: &str) -> Self {
        let mut command = program();
        command.arg("watch").args(arguments).args(["--url", url]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = keep(child.stdout.take().expect("a pipe"));
        let notes = keep(child.stderr.take().expect("a pipe"));
        Self { child, lines, notes }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    fn notes(&self) -> String {
        self.notes.lock().expect("no panic").join("\n")
    }

    /// The events so far.
    fn events(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn cuts(&self) -> usize {
        self.events().iter().filter(|event| event["event"] == "cut").count()
    }

    /// The last that was told of each key.
    fn told(&self) -> BTreeMap<String, Value> {
        let events = self.events().into_iter().filter(|event| event["event"] == "change");
        events.map(|event| (event["key"].as_str().expect("a key").to_owned(), event["value"].clone())).collect()
    }

    /// Ctrl-C.
    fn interrupt(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("a signal");
        eventually("it ends", Duration::from_secs(5), || self.child.try_wait().expect("waiting").is_some());
        self.child.wait().expect("waiting").code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(pipe: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let kept = Arc::<Mutex<Vec<String>>>::default();
    let into = kept.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            into.lock().expect("no panic").push(line.expect("text"));
        }
    });
    kept
}

#[test]
fn nothing_is_missing_when_the_node_ends_and_comes_again() {
    let mut cluster = Cluster::start(&["eu"]);
    let port = cluster.nodes[0].http;
    cluster.api.create(port, "c", "lww");
    let mut watch = Watch::start(&["c", "-o", "json"], &cluster.url(0));
    eventually("it has connected", PATIENCE, || watch.cuts() > 0);
    let mut written = BTreeMap::new();
    for round in 0..4 {
        for n in 0..40 {
            let key = format!("k{}", (n * 7 + round) % 50);
            cluster.api.put(port, "c", &key, &format!("\"{round}-{n}\""));
            written.insert(key, json!(format!("{round}-{n}")));
            if n == 20 {
                // Once politely, with a reader that never leaves by itself; once not.
                if round == 1 {
                    cluster.stop(0);
                    cluster.start_node(0);
                } else if round == 2 {
                    cluster.kill(0);
                    cluster.start_node(0);
                }
            }
        }
        eventually("all is told", PATIENCE, || watch.told() == written);
    }
    assert_eq!(watch.interrupt(), Some(0), "{}", watch.notes());
    let notes = watch.notes();
    assert_eq!(notes.matches("connected again").count(), 2, "{notes}");
    assert!(notes.contains("to go on at the last cut"), "{notes}");
    // The last cut leads on, and shows nothing that was told.
    let events = watch.events();
    let last = events.iter().rev().find_map(|event| event["token"].as_str()).expect("a cut");
    let later = Watch::start(&["--since", last, "-o", "json"], &cluster.url(0));
    cluster.api.put(port, "c", "new", "1");
    eventually("it is told", PATIENCE, || !later.told().is_empty());
    assert_eq!(later.told(), BTreeMap::from([("new".to_owned(), json!(1))]));
}

#[test]
fn people_see_one_line_for_each_change_of_what_they_asked_for() {
    let cluster = Cluster::start(&["eu"]);
    let port = cluster.nodes[0].http;
    cluster.api.create(port, "c", "lww");
    cluster.api.create(port, "d", "lww");
    let start = cluster.client(0, &["watch", "c", "--since", "!"]).with_code(1);
    start.says(&["bad-token", "400"]);
    run(&["watch", "--url", "http://127.0.0.1:9"]).with_code(1).says(&["is the node running there?"]);
    let mut watch = Watch::start(&["c", "--prefix", "user:"], &cluster.url(0));
    // It begins at some moment: written until that has come.
    eventually("it has begun", PATIENCE, || {
        cluster.api.put(port, "c", "user:1", "{\"a\":\"\\u001b[2J\"}");
        watch.lines().len() > 1
    });
    cluster.api.put(port, "d", "user:2", "1");
    cluster.api.put(port, "c", "other", "1");
    cluster.api.must(port, "DELETE", "/v1/data/c/user:1", None);
    eventually("it is told", PATIENCE, || watch.lines().last().is_some_and(|line| line.contains("deleted")));
    assert_eq!(watch.interrupt(), Some(0));
    let lines = watch.lines();
    assert_eq!(lines[0], "COLLECTION  KEY  VALUE  REGION");
    assert_eq!(lines[1], "c  user:1  {\"a\":\"\\u001b[2J\"}  eu");
    assert_eq!(lines.last().expect("lines"), "c  user:1  deleted  eu");
    assert!(lines[1..].iter().all(|line| line.starts_with("c  user:1  ")), "{lines:?}");
    assert!(watch.notes().contains("to go on from here: --since "), "{}", watch.notes());
}
