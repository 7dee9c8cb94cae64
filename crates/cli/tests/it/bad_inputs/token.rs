//! Tokens that are none, of elsewhere, and of what never was (rows 20 to 22). Tokens that only wait in vain: hanging.rs, too.

use super::Target;
use super::peer::origin_of;
use super::request::{Heard, send};
use crate::support::random::Random;
use crate::support::stalls::Stalls;
use anabranch_causality::{Origin, ShardId, Token, VersionVector};
use serde_json::json;
use std::time::{Duration, Instant};

const PATH: &str = "/v1/data/c/good";
const WAIT: Duration = Duration::from_millis(100);
/// How much longer than that a busy machine may take.
const GRACE: Duration = Duration::from_millis(1_500);

/// Reads with that token, writes with it, and asks for changes since it: the three places where one is taken.
fn everywhere(target: &Target, token: &[u8]) -> [Heard; 3] {
    let headers = [("anabranch-token", token), ("anabranch-wait", b"100ms")];
    let read = send(target.http(), "GET", PATH, &headers, b"");
    let written = send(target.http(), "PUT", PATH, &headers, b"\"bad\"");
    let since = [("last-event-id", token), ("anabranch-wait", b"100ms")];
    [read, written, send(target.http(), "GET", "/v1/changes", &since, b"")]
}

fn of(shard: u16, entries: impl IntoIterator<Item = (u64, u64)>) -> Token {
    let vector: VersionVector = entries.into_iter().map(|(origin, seq)| (Origin(origin), seq)).collect();
    Token::of(ShardId(shard), vector)
}

fn random_text(random: &mut Random, length: u64) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..length).map(|_| char::from(ALPHABET[random.below(64) as usize])).collect()
}

#[test]
fn what_is_no_token_of_this_cluster_is_told_at_once() {
    let mut target = Target::start(&[]);
    let good = send(target.http(), "GET", PATH, &[], b"");
    let good = good.text.lines().find_map(|line| line.strip_prefix("anabranch-token: ")).expect("a token").to_owned();
    let began = Instant::now();
    let mut random = Random::new(20);
    let mut bad: Vec<String> = (1..60).map(|length| random_text(&mut random, length)).collect();
    bad.extend((1..good.len()).map(|end| good[..end].to_owned()));
    bad.extend(["all there is".into(), format!("{good}="), format!("{good}A"), good[1..].into(), good.repeat(2)]);
    bad.extend([format!("{good},x"), format!("{good} {good}"), "A".repeat(8_193)]);
    // More origins than a token has room for, and a number that no transaction has.
    bad.push(of(0, (1..700).map(|n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n))).encode("shop"));
    bad.push(of(0, [(7, u64::MAX)]).encode("shop"));
    for bad in &bad {
        for heard in everywhere(&target, bad.as_bytes()) {
            heard.is(400, "bad-token", bad);
        }
    }
    for heard in everywhere(&target, of(0, [(1, 1)]).encode("bank").as_bytes()) {
        heard.is(409, "wrong-cluster-token", "of bank");
    }
    target.is_unharmed("what is no token");
    for at in 0..8 * good.len() {
        let mut flipped = good.clone().into_bytes();
        flipped[at / 8] ^= 1 << (at % 8);
        let heard = send(target.http(), "GET", PATH, &[("anabranch-token", &flipped)], b"");
        // What no header may contain is refused before anybody looks for a token.
        let is_text = matches!(flipped[at / 8], b'\t' | b' '..=0x7e | 0x80..);
        assert_eq!(heard.status, 400, "bit {at} of {good}: {heard:?}");
        assert_eq!(heard.problem()["code"] == json!("bad-token"), is_text, "bit {at} of {good}: {heard:?}");
    }
    // Each would have waited for a second.
    assert!(began.elapsed() < Duration::from_secs(bad.len() as u64), "{:?}", began.elapsed());
    target.is_unharmed("flipped bits");
    target.serves_on();
}

#[test]
fn what_never_was_is_waited_for_so_long_and_no_longer() {
    let mut target = Target::start(&[]);
    let own = origin_of(&target.cluster, 0);
    let stalls = Stalls::watch();
    for (what, token) in [
        ("far ahead of us", of(0, [(own.0, 1_000_000_000)])),
        ("as far as can be", of(0, [(own.0, u64::MAX - 1)])),
        ("an origin that nobody knows", of(0, [(0xdead_beef, 1)])),
        ("five hundred of them", of(0, (1..=500).map(|n| (n, 1)))),
    ] {
        let began = Instant::now();
        for heard in everywhere(&target, token.encode("shop").as_bytes()) {
            heard.is(504, "token-not-reached", what);
        }
        let took = began.elapsed();
        assert!(took >= 3 * WAIT && took < 3 * (WAIT + GRACE) + 6 * stalls.worst(), "{what}: {took:?}");
        target.is_unharmed(what);
    }
    // A shard that is not here cannot come: nobody waits for it.
    let began = Instant::now();
    let elsewhere = of(9, [(1, 1)]).encode("shop");
    let headers = [("anabranch-token", elsewhere.as_bytes()), ("anabranch-wait", b"20s")];
    send(target.http(), "GET", PATH, &headers, b"").is(504, "token-not-reached", "another shard");
    assert!(began.elapsed() < GRACE + 2 * stalls.worst(), "{:?}", began.elapsed());
    // A token is no leave to do anything: who has one hears the same as who has none.
    let token = of(0, [(own.0, 1)]).encode("shop");
    for (path, status, code) in [
        ("/v1/data/_resolvers/c", 400, "bad-request"),
        ("/v1/data/none/k", 404, "no-such-collection"),
        ("/v1/nothing", 404, "not-found"),
    ] {
        for headers in [&[][..], &[("anabranch-token", token.as_bytes())]] {
            send(target.http(), "GET", path, headers, b"").is(status, code, path);
        }
    }
    target.is_unharmed("tokens");
    target.serves_on();
}
