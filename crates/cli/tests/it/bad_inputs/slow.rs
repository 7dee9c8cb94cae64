//! Those that take their time, and those that come in masses (rows 10, 13 and 19): each is waited for so long and no longer, all
//! at once at one node, which serves the others meanwhile.

use super::Target;
use super::peer::{Actor, PROTOCOL, code};
use super::request::{connect, head, hear, send};
use super::stranger::{ALPN, Papers, Stranger};
use crate::support::api::Api;
use crate::support::crowd::raise_file_limit;
use crate::support::{eventually, tell};
use anabranch_causality::Origin;
use anabranch_protocol::{Hello, Role};
use anabranch_transport::CloseReason;
use quinn::ConnectionError;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long a request's head, its body, and a reader of changes are waited for.
const HTTP: Duration = Duration::from_secs(10);
/// How long a hello is waited for.
const HELLO: Duration = Duration::from_secs(5);
/// How long a silent connection of QUIC lasts.
const IDLE: Duration = Duration::from_secs(3);
/// What a busy machine may add.
const GRACE: Duration = Duration::from_secs(6);
/// How long others may wait for a read meanwhile.
const OTHERS: Duration = Duration::from_secs(2);
/// How many want to read changes, how many may, and how many of the others try at a time.
const READERS: usize = 10_000;
const PLACES: usize = 256;
const AT_ONCE: usize = 200;

/// One who takes its time, until it is given up.
type Wait<'a> = Box<dyn Fn() + Send + Sync + 'a>;

/// It must be done after that time, and not much later.
#[track_caller]
fn about(what: &str, began: Instant, after: Duration) {
    let took = began.elapsed();
    assert!(took + Duration::from_millis(500) > after && took < after + GRACE, "{what}: {took:?}, not {after:?}");
}

#[test]
fn whoever_takes_too_long_is_given_up_and_others_are_served() {
    let mut target = Target::start(&["us"]);
    let port = target.http();
    let large = format!("\"{}\"", "x".repeat(1_000_000));
    (0..16).for_each(|n| target.cluster.api.put(port, "c", &format!("k{n}"), &large));
    target.settle();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| reads_on(&target.cluster.api, port, &stop));
        let waits: [(&str, Wait<'_>); 9] = [
            ("silent", Box::new(|| silent_connection(port))),
            ("a slow head", Box::new(|| slow_head(port))),
            ("a slow body", Box::new(|| slow_body(port, "content-length: 100", b"a"))),
            ("an endless body", Box::new(|| slow_body(port, "transfer-encoding: chunked", b"3\r\n\"aa\r\n"))),
            ("a reader", Box::new(|| reader_that_takes_nothing(port))),
            ("no stream", Box::new(|| no_stream(&target))),
            ("no hello", Box::new(|| half_a_hello(&target))),
            ("streams", Box::new(|| streams_that_never_begin(&target))),
            ("a wanderer", Box::new(|| wanderer(&target))),
        ];
        let waits: Vec<_> = waits.into_iter().map(|(what, wait)| (what, scope.spawn(wait))).collect();
        let failed: Vec<_> = waits.into_iter().filter_map(|(what, wait)| wait.join().err().map(|_| what)).collect();
        stop.store(true, Ordering::Relaxed);
        let slowest = others.join().expect("others are served");
        assert!(failed.is_empty(), "{failed:?}");
        assert!(slowest < OTHERS, "{slowest:?}");
        tell(&format!("slow inputs: the slowest read of the others took {slowest:?}"));
    });
    target.is_unharmed("those that take their time");
    target.serves_on();
}

/// An honest client reads all the time; says what the longest took.
fn reads_on(api: &Api, port: u16, stop: &AtomicBool) -> Duration {
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        assert!(api.value(port, "c", "good").is_some());
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    slowest
}

fn silent_connection(port: u16) {
    let began = Instant::now();
    assert_eq!(hear(connect(port)).text, "");
    about("nothing after connecting", began, HTTP);
}

/// Sends pieces of something, one a second, until it is done or the node has enough; what the node says to it.
fn drip(port: u16, first: &[u8], pieces: impl Iterator<Item = Vec<u8>> + Send) -> super::request::Heard {
    let stream = connect(port);
    let mut writer = stream.try_clone().expect("a handle");
    let enough = Arc::new(AtomicBool::new(false));
    writer.write_all(first).expect("sent");
    std::thread::scope(|scope| {
        let told = enough.clone();
        scope.spawn(move || {
            for piece in pieces {
                std::thread::sleep(Duration::from_secs(1));
                if told.load(Ordering::Relaxed) || writer.write_all(&piece).is_err() {
                    return;
                }
            }
        });
        let heard = hear(stream);
        enough.store(true, Ordering::Relaxed);
        heard
    })
}

fn slow_head(port: u16) {
    let began = Instant::now();
    let heard = drip(port, b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ", std::iter::repeat_n(b"a".to_vec(), 60));
    assert!(matches!(heard.status, 0 | 408), "{heard:?}");
    about("a head of one byte a second", began, HTTP);
}

fn slow_body(port: u16, header: &str, piece: &[u8]) {
    let began = Instant::now();
    let first = [&head("PUT", "/v1/data/c/good", &[])[..], header.as_bytes(), b"\r\n\r\n"].concat();
    let heard = drip(port, &first, std::iter::repeat_n(piece.to_vec(), 60));
    heard.is(400, "bad-request", header);
    about(header, began, HTTP);
}

/// It asks for 16 MB of changes and takes nothing: the node waits, tells it that it lagged, and hangs up.
fn reader_that_takes_nothing(port: u16) {
    let stream = connect(port);
    set_socket_recv_buffer_size(&stream, 4_096).expect("a small buffer");
    let beginning = anabranch_causality::Token::new().encode("shop");
    let path = format!("/v1/changes?since={beginning}");
    let request = [&head("GET", &path, &[])[..], b"\r\n"].concat();
    (&stream).write_all(&request).expect("sent");
    let began = Instant::now();
    // Only the node's hanging up makes that an error.
    eventually("it is hung up on", 2 * HTTP + GRACE, || {
        std::thread::sleep(Duration::from_millis(200));
        (&stream).write_all(b"x").is_err()
    });
    about("a reader that takes nothing", began, 2 * HTTP);
}

fn no_stream(target: &Target) {
    let us = Actor::new(target, "us");
    let (connection, began) = (us.dial(), Instant::now());
    let closed = us.runtime().block_on(connection.closed());
    assert_eq!(code(&closed).0, PROTOCOL, "{closed:?}");
    about("a connection without a stream", began, HELLO);
}

/// Papers of a client of its own, so that nobody is replaced.
fn stranger(target: &Target, name: &str) -> (Stranger, Vec<u8>) {
    drop(target.cluster.identity(name));
    let papers = Papers::load(&target.cluster.dir().join("certs"), name);
    let (cluster, region, node) = ("shop".into(), "home".into(), name.into());
    let hello = Hello { cluster, region, node, role: Role::Client, origin: Origin(0) }.encode();
    let frame = [&(hello.len() as u32).to_le_bytes()[..], &hello].concat();
    (Stranger::new(target, Some(&papers), &[ALPN]), frame)
}

fn half_a_hello(target: &Target) {
    let (stranger, hello) = stranger(target, "half");
    let connection = stranger.knocks().expect("it is let in");
    let began = Instant::now();
    let closed = stranger.within(async {
        let (mut sender, _receiver) = connection.open_bi().await.expect("a stream");
        sender.write_all(&hello[..hello.len() - 1]).await.expect("sent");
        connection.closed().await
    });
    assert_eq!(code(&CloseReason::from(closed)).0, PROTOCOL);
    about("half a hello", began, HELLO);
}

/// A client with as many streams as it may have, none of which says a word: it gets no more, and they are given up.
fn streams_that_never_begin(target: &Target) {
    let (stranger, hello) = stranger(target, "many");
    let connection = stranger.knocks().expect("it is let in");
    stranger.within(async {
        let (mut first, _answers) = connection.open_bi().await.expect("a stream");
        first.write_all(&hello).await.expect("sent");
        let began = Instant::now();
        let mut streams = Vec::new();
        while let Ok(opened) = tokio::time::timeout(Duration::from_millis(500), connection.open_bi()).await {
            let (mut sender, receiver) = opened.expect("the connection lasts");
            // Half a length: without a byte there would be no stream.
            sender.write_all(&[1, 0]).await.expect("sent");
            streams.push((sender, receiver));
        }
        assert_eq!(streams.len(), 15, "with the first, 16");
        // The other direction: nobody ever takes what comes there.
        let mut one_way = connection.open_uni().await.expect("a stream");
        let fed = tokio::time::timeout(Duration::from_secs(2), one_way.write_all(&vec![0; 64 << 20])).await;
        assert!(fed.is_err(), "64 MiB were taken");
        for (sender, _) in &streams {
            // It is told that nobody listens any more.
            assert!(sender.stopped().await.expect("the connection lasts").is_some());
        }
        about("streams that never begin", began, HELLO);
        streams.clear();
        assert!(connection.open_bi().await.is_ok(), "places come back");
    });
}

/// It goes on from another address, which no member does: nobody listens to it there.
fn wanderer(target: &Target) {
    let (stranger, _) = stranger(target, "wanderer");
    let connection = stranger.knocks().expect("it is let in");
    let began = Instant::now();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let closed = stranger.within(async {
        stranger.endpoint.rebind(socket).expect("another address");
        let _unheard = connection.open_bi().await;
        connection.closed().await
    });
    assert!(matches!(closed, ConnectionError::TimedOut | ConnectionError::Reset), "{closed:?}");
    about("a wanderer", began, IDLE);
}

#[test]
fn ten_thousand_want_to_read_changes_and_so_many_may() {
    raise_file_limit();
    let mut target = Target::start(&[]);
    let port = target.http();
    let before = target.cluster.process(0).resident_bytes();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (readers, refused) = runtime.block_on(async {
        let (mut asking, mut readers, mut refused) = (JoinSet::new(), Vec::new(), 0);
        for number in 0..READERS {
            asking.spawn(ask_for_changes(port));
            while asking.len() >= AT_ONCE || (number + 1 == READERS && !asking.is_empty()) {
                match asking.join_next().await.expect("one").expect("an answer") {
                    Ok(reader) => readers.push(reader),
                    Err(answer) => {
                        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
                        assert!(answer.contains("retry-after: 1") && answer.contains("too-many-requests"), "{answer}");
                        refused += 1;
                    }
                }
            }
        }
        (readers, refused)
    });
    assert_eq!((readers.len(), refused), (PLACES, READERS - PLACES));
    let growth = target.cluster.process(0).resident_bytes().saturating_sub(before);
    assert!(growth < 128 << 20, "{} MiB", growth >> 20);
    target.is_unharmed("ten thousand readers");
    drop(readers);
    runtime.shutdown_timeout(Duration::from_secs(1));
    eventually("places come back", Duration::from_secs(10), || one_more_reader(port).starts_with("HTTP/1.1 200 "));
    assert_eq!(send(port, "GET", "/health", &[], b"").status, 200);
    target.serves_on();
}

/// The connection of one who may read, or what it was told.
async fn ask_for_changes(port: u16) -> Result<TcpStream, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(b"GET /v1/changes HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let mut answer = vec![0; 4_096];
    let length = tokio::time::timeout(2 * HTTP, stream.read(&mut answer)).await.expect("in time").expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    if answer.starts_with("HTTP/1.1 200 ") { Ok(stream) } else { Err(answer) }
}

/// What one more reader is told first.
fn one_more_reader(port: u16) -> String {
    let mut stream = connect(port);
    stream.write_all(b"GET /v1/changes HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}
