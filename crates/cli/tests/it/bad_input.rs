//! What a node refuses to start with, and what that does to the others: nothing.

use crate::support::cluster::Cluster;
use crate::support::command::{Ended, finish, program, run};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// Runs a node that should not start.
fn serve(config: &Path) -> Ended {
    let mut command = program();
    command.args(["serve", "--config"]).arg(config);
    finish(command)
}

#[test]
fn a_configuration_is_refused_before_the_data_is_touched() {
    let cluster = Cluster::prepare(&["eu"]);
    let good = cluster.config(0);
    let config = cluster.nodes[0].config.clone();
    let file = config.to_str().expect("a path");
    let refused = |text: &str, parts: &[&str]| {
        std::fs::write(&config, text).expect("writing");
        serve(&config).with_code(2).says(parts);
        assert!(!cluster.nodes[0].data.exists(), "{text}");
    };
    refused(&good.replace("region =", "regin ="), &[&format!("{file}:3"), "regin", "region"]);
    refused(&good.replace("quic =", "quik ="), &[&format!("{file}:7"), "quik", "quic"]);
    refused(&good.replace("[tls]", "[tsl]"), &[file, "tsl", "tls"]);
    refused(&good.replace("cluster = \"shop\"\n", ""), &[file, "cluster"]);
    refused(&good.replace("\"shop\"", "7"), &[&format!("{file}:2"), "cluster"]);
    refused(&good.replace("http = \"127.0.0.1:", "http = \"127.0.0.1:9"), &[file, "http"]);
    refused(&good.replace("127.0.0.1", "0.0.0.0"), &["insecure"]);
    refused("", &[file]);
    refused("[node\n", &[&format!("{file}:1")]);
    serve(&cluster.dir().join("nowhere.toml")).with_code(2).says(&["nowhere.toml"]);
}

#[test]
fn keys_that_others_can_read_and_missing_certificates_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::prepare(&["eu"]);
    let key = cluster.dir().join("certs/eu.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("permissions");
    let open = serve(&cluster.nodes[0].config).says(&["eu.key", "0644", "chmod 600"]);
    assert!(matches!(open.code, Some(1 | 2)), "{open:?}");
    std::fs::remove_file(&key).expect("removing");
    let missing = serve(&cluster.nodes[0].config).says(&["eu.key"]);
    assert!(matches!(missing.code, Some(1 | 2)), "{missing:?}");
}

#[test]
fn occupied_ports_and_directories_are_named() {
    let mut cluster = Cluster::prepare(&["eu", "us"]);
    let (http, quic) = (cluster.nodes[1].http, cluster.nodes[1].quic);
    let config = cluster.nodes[1].config.clone();

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, http)).expect("a port");
    serve(&config).with_code(1).says(&[&format!("127.0.0.1:{http}"), "in use"]);
    drop(taken);
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, quic)).expect("a port");
    serve(&config).with_code(1).says(&[&format!("127.0.0.1:{quic}"), "in use"]);
    drop(taken);

    cluster.start_node(0);
    let other = cluster.dir().join("other.toml");
    let same_data = cluster.config(0).replace(&format!(":{}\"", cluster.nodes[0].http), &format!(":{http}\""));
    let same_data = same_data.replacen(&format!(":{}\"", cluster.nodes[0].quic), &format!(":{quic}\""), 1);
    std::fs::write(&other, same_data).expect("writing");
    serve(&other).with_code(1).says(&["data/eu", "in use"]);
    cluster.stop(0);
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let cluster = Cluster::prepare(&["eu"]);
    let data = &cluster.nodes[0].data;
    std::fs::create_dir_all(data).expect("a directory");
    std::fs::write(data.join("thesis.doc"), "three years of work").expect("a file");
    serve(&cluster.nodes[0].config).with_code(1).says(&["data/eu", "thesis.doc"]);
    let left: Vec<_> = std::fs::read_dir(data).expect("a directory").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn certificates_that_do_not_fit_are_refused_at_home() {
    let mut cluster = Cluster::prepare(&["eu", "us"]);
    cluster.start_node(0);
    cluster.stop(0);
    let good = cluster.config(0);
    // The certificate of another node, and so of another region.
    std::fs::write(&cluster.nodes[0].config, good.replace("certs/eu.", "certs/us.")).expect("writing");
    let other = serve(&cluster.nodes[0].config).says(&["us", "eu"]);
    assert!(matches!(other.code, Some(1 | 2)), "{other:?}");
    // A certificate that our own authority did not issue.
    let foreign = cluster.dir().join("foreign");
    let dir = foreign.to_str().expect("a path");
    run(&["cert", "init", "--dir", dir, "--cluster", "shop"]).with_code(0);
    run(&["cert", "issue", "--dir", dir, "--region", "eu"]).with_code(0);
    std::fs::write(&cluster.nodes[0].config, good.replace("certs/eu.", "foreign/eu.")).expect("writing");
    let stranger = serve(&cluster.nodes[0].config).says(&["foreign/eu.pem", "certs/ca.pem"]);
    assert!(matches!(stranger.code, Some(1 | 2)), "{stranger:?}");
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
