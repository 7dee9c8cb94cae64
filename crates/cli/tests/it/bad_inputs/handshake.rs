//! Who gets in at the port of peers, and as what (rows 1, 2, 6 and 11).

use super::Target;
use super::peer::{Actor, NOT_A_PEER, PROTOCOL, REPLACED, code, like};
use super::stranger::{ALPN, Papers, Stranger, uri};
use crate::support::cluster::Cluster;
use crate::support::command::run;
use anabranch_causality::Origin;
use anabranch_protocol::{Hello, Message, Role};
use anabranch_transport::{CloseReason, Identity};
use quinn::ConnectionError;
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

const US: Origin = Origin(0x0dd);
/// How many strangers come at once, and how much memory they may cost.
const FLOOD: usize = 2_000;
const GROWTH: u64 = 64 << 20;

fn ca(target: &Target) -> Papers {
    Papers::load(&target.cluster.dir().join("certs"), "ca")
}

/// An honest peer gets in, and what it sends is applied.
#[track_caller]
fn lets_us_in(target: &mut Target, seq: u64) {
    let us = Actor::new(target, "us");
    let mut link = us.join(US);
    link.transactions(&[like(US, seq)]);
    link.acknowledged(US, seq);
    target.settle();
}

#[test]
fn whoever_has_no_certificate_of_the_cluster_is_not_let_in() {
    let mut target = Target::start(&["us"]);
    let (ca, other) = (ca(&target), target.cluster.dir().join("other"));
    let dir = other.to_str().expect("a path");
    run(&["cert", "init", "--dir", dir, "--cluster", "shop"]).with_code(0);
    run(&["cert", "issue", "--dir", dir, "--region", "us"]).with_code(0);
    let sound = |change: fn(&mut rcgen::CertificateParams)| Papers::issue(&ca, "shop/us/us", change);
    let strangers = [
        ("no certificate", None),
        ("another authority of the same name", Some(Papers::load(&other, "us"))),
        ("expired", Some(sound(|params| params.not_after = date_time_ymd(2020, 1, 1)))),
        ("not valid yet", Some(sound(|params| params.not_before = date_time_ymd(2999, 1, 1)))),
        (
            "for servers only",
            Some(sound(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])),
        ),
        ("without a name", Some(sound(|params| params.subject_alt_names.truncate(1)))),
        ("with two names", Some(sound(|params| params.subject_alt_names.push(uri("shop/us/eu"))))),
        ("with half a name", Some(Papers::issue(&ca, "shop/us", |_| ()))),
        ("of another cluster", Some(Papers::issue(&ca, "bank/us/us", |_| ()))),
        ("the authority's own", Some(Papers { certificate: ca.certificate.clone(), key: ca.key.clone() })),
    ];
    for (what, papers) in strangers {
        let refused = Stranger::new(&target, papers.as_ref(), &[ALPN]).knocks();
        assert!(matches!(refused, Err(ConnectionError::ConnectionClosed(_))), "{what}: {refused:?}");
        target.is_unharmed(what);
    }
    let us = sound(|_| ());
    for protocols in [&[&b"h3"[..]][..], &[b"anabranch/2", b"anabranch"], &[]] {
        let refused = Stranger::new(&target, Some(&us), protocols).knocks();
        assert!(refused.is_err(), "{protocols:?}: {refused:?}");
    }
    target.is_unharmed("another protocol");
    target.logs("a connection was refused");
    // However many knock, they do not fill the log.
    let stranger = Stranger::new(&target, None, &[ALPN]);
    let lines = |target: &Target| target.log().matches("a connection was refused").count();
    let (before, began) = (lines(&target), std::time::Instant::now());
    (0..100).for_each(|_| assert!(stranger.knocks().is_err()));
    let most = 2 + began.elapsed().as_secs() as usize;
    assert!(lines(&target) - before <= most, "{} lines, not {most}", lines(&target) - before);
    assert!(Stranger::new(&target, Some(&us), &[b"h3", ALPN]).knocks().is_ok(), "one of them is ours");
    lets_us_in(&mut target, 1);
    target.is_unharmed("all of them");
    target.serves_on();
}

#[test]
fn a_certificate_alone_makes_nobody_a_peer() {
    let mut target = Target::start(&["us"]);
    let app = Actor::new(&target, "app");
    let with = |name: &str| {
        let papers = Papers::issue(&ca(&target), name, |_| ());
        let ca = ca(&target).certificate;
        let identity = Identity::from_pem(ca.as_bytes(), papers.certificate.as_bytes(), papers.key.as_bytes());
        Actor::with(&target, identity.expect("an identity"))
    };
    let (moved, second, twin) = (with("shop/mars/us"), with("shop/eu/us"), with("shop/eu/eu"));
    let mut roles = vec![("a leader of the region that has one", &second, Role::Leader)];
    for role in [Role::Leader, Role::Follower] {
        roles.push(("a client", &app, role));
        roles.push(("a peer of another region", &moved, role));
        roles.push(("the node's own name", &twin, role));
    }
    for (what, actor, role) in roles {
        let opened = actor.open(&actor.dial(), &actor.hello(role, US).encode());
        let reason = opened.map_or_else(|reason| code(&reason), |link| link.closed());
        assert!(reason.0 == NOT_A_PEER && !reason.1.is_empty(), "{what} as {role:?}: {reason:?}");
        target.is_unharmed(what);
    }
    // Nobody is who the hello says, or nothing at all.
    let us = Actor::new(&target, "us");
    let honest = us.hello(Role::Leader, US);
    let sound = honest.encode();
    let (mut version, mut role) = (sound.clone(), sound.clone());
    version[8] = 9;
    role[sound.len() - 9] = 9;
    for (what, hello) in [
        ("another cluster", Hello { cluster: "bank".into(), ..honest.clone() }.encode()),
        ("another region", Hello { region: "eu".into(), ..honest.clone() }.encode()),
        ("another node", Hello { node: "eu".into(), ..honest.clone() }.encode()),
        ("a long name", Hello { node: "u".repeat(65), ..honest.clone() }.encode()),
        ("another version", version),
        ("another role", role),
        ("half a hello", sound[..sound.len() - 1].to_vec()),
        ("more than a hello", [&sound[..], &[0]].concat()),
        ("a message", Message::Transactions(vec![like(US, 1).encode()]).encode()),
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ] {
        let opened = us.open(&us.dial(), &hello);
        let reason = opened.map_or_else(|reason| code(&reason), |link| link.closed());
        assert!(reason.0 == PROTOCOL && !reason.1.is_empty(), "{what}: {reason:?}");
        target.is_unharmed(what);
    }
    let link = us.join(US);
    let second = us.open(&link.connection, &sound);
    let reason = second.map_or_else(|reason| code(&reason), |link| link.closed());
    assert_eq!(reason.0, PROTOCOL, "a second stream of replication: {reason:?}");
    target.is_unharmed("hellos");
    lets_us_in(&mut target, 1);
    target.serves_on();
}

#[test]
fn frames_that_are_none_end_their_connection() {
    let mut target = Target::start(&["us"]);
    let papers = Papers::load(&target.cluster.dir().join("certs"), "us");
    let stranger = Stranger::new(&target, Some(&papers), &[ALPN]);
    let hello = Actor::new(&target, "us").hello(Role::Leader, US).encode();
    let frame = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
    for (what, bytes, ends) in [
        ("4 GiB announced", u32::MAX.to_le_bytes().to_vec(), false),
        ("4 MiB and a byte announced", ((4u32 << 20) + 1).to_le_bytes().to_vec(), false),
        ("an empty frame", vec![0; 4], false),
        ("the end in the middle of a length", vec![9, 0], true),
        ("the end in the middle of a frame", vec![9, 0, 0, 0, 1], true),
    ] {
        let connection = stranger.knocks().expect("it is let in");
        let closed = stranger.within(async {
            let (mut sender, _receiver) = connection.open_bi().await.expect("a stream");
            sender.write_all(&[frame(&hello), bytes].concat()).await.expect("sent");
            if ends {
                sender.finish().expect("ended");
            }
            connection.closed().await
        });
        let (code, reason) = code(&CloseReason::from(closed));
        assert!(code == PROTOCOL && !reason.is_empty(), "{what}: closed with {code}, {reason:?}");
        target.is_unharmed(what);
    }
    lets_us_in(&mut target, 1);
    target.serves_on();
}

#[test]
fn a_peer_has_one_connection_and_each_begins_with_a_whole_handshake() {
    let mut target = Target::start(&["us"]);
    let us = Actor::new(&target, "us");
    let first = us.join(US);
    // Not yet another: it has not said who it is.
    let silent = us.dial();
    assert_eq!(first.connection.close_reason(), None);
    let mut second = us.open(&silent, &us.hello(Role::Leader, Origin(0x0de)).encode()).expect("a hello");
    assert_eq!(first.closed().0, REPLACED);
    second.heard();
    let papers = Papers::load(&target.cluster.dir().join("certs"), "us");
    let stranger = Stranger::new(&target, Some(&papers), &[ALPN]);
    drop(stranger.knocks().expect("it is let in"));
    assert!(
        stranger.begin(None).into_0rtt().is_err(),
        "nothing was handed out that a second connection could begin with"
    );
    target.is_unharmed("twice");
    target.serves_on();
}

#[test]
fn thousands_of_strangers_at_addresses_of_their_own_keep_no_peer_out() {
    let mut target = Target::start(&["us"]);
    let papers = Papers::load(&target.cluster.dir().join("certs"), "us");
    let stranger = Stranger::new(&target, Some(&papers), &[ALPN]);
    // What they begin with is real, and lands here first.
    let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    sink.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut initials = BTreeMap::new();
    let mut datagram = [0; 2_048];
    while initials.len() < FLOOD {
        let _begun: Vec<_> = (0..50).map(|_| stranger.begin(sink.local_addr().ok())).collect();
        for _ in 0..50 {
            let (length, _) = sink.recv_from(&mut datagram).expect("it begins");
            // The id of the connection that it would like.
            initials.insert(datagram[6..26].to_vec(), datagram[..length].to_vec());
        }
    }
    let before = target.cluster.process(0).resident_bytes();
    for (number, initial) in initials.values().enumerate() {
        let from = Ipv4Addr::new(127, 9, (number >> 8) as u8, number as u8);
        let socket = UdpSocket::bind((from, 0)).expect("an address on loopback");
        socket.send_to(initial, (Ipv4Addr::LOCALHOST, target.quic())).expect("sent");
    }
    lets_us_in(&mut target, 1);
    let growth = target.cluster.process(0).resident_bytes().saturating_sub(before);
    assert!(growth < GROWTH, "{} MiB", growth >> 20);
    target.is_unharmed("a flood");
    target.serves_on();
}

#[test]
fn another_cluster_at_the_door_changes_nothing() {
    stranger_at_the_door("bank");
}

#[test]
fn another_authority_of_the_same_name_changes_nothing() {
    stranger_at_the_door("shop");
}

/// A node with the certificates of another cluster, or of an authority that only bears the same name, dials in and is
/// dialled: it gets nothing, gives nothing, and the others go on.
fn stranger_at_the_door(cluster_name: &str) {
    let mut cluster = Cluster::prepare(&["eu", "us", "evil"]);
    let (eu, us, evil) = (cluster.nodes[0].http, cluster.nodes[1].http, cluster.nodes[2].http);
    cluster.start_node(0);
    cluster.start_node(1);
    cluster.api.create(eu, "likes", "g-counter");
    cluster.api.operate(eu, "likes", "post", r#"{"add":1}"#);
    let pair = [cluster.url(0), cluster.url(1)];
    let verify = || run(&["verify", "--url", &pair[0], "--url", &pair[1], "--timeout", "5s"]);
    verify().with_code(0);
    let before = (cluster.api.holds(eu), cluster.api.holds(us));

    let dir = cluster.dir().join("stranger");
    let dir = dir.to_str().expect("a path");
    run(&["cert", "init", "--dir", dir, "--cluster", cluster_name]).with_code(0);
    run(&["cert", "issue", "--dir", dir, "--region", "evil"]).with_code(0);
    let config = cluster.config(2).replace("certs/", "stranger/");
    let config = config.replace("cluster = \"shop\"", &format!("cluster = \"{cluster_name}\""));
    std::fs::write(&cluster.nodes[2].config, config).expect("writing");
    cluster.start_node(2);
    cluster.api.create(evil, "likes", "g-counter");
    cluster.api.operate(evil, "likes", "post", r#"{"add":1000}"#);
    std::thread::sleep(Duration::from_secs(2));

    assert_eq!((cluster.api.holds(eu), cluster.api.holds(us)), before, "{cluster_name}");
    verify().with_code(0);
    let log = std::fs::read_to_string(cluster.nodes[2].config.with_extension("log")).expect("a log");
    assert!(log.contains("cannot be reached"), "the stranger is told why:\n{log}");
    (0..3).for_each(|at| cluster.stop(at));
}
