//! Configurations, certificates and places that a node refuses to start with (row 24): before it touches the data, with the
//! file, the line and the field.

use super::Target;
use crate::support::cluster::Cluster;
use crate::support::command::{Ended, finish, program, run};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs a node that should not start.
pub(super) fn serve(config: &Path) -> Ended {
    let mut command = program();
    command.args(["serve", "--config"]).arg(config);
    finish(command)
}

/// Cases in which a node must not start, and must not make its data directory.
struct Refusals {
    cluster: Cluster,
    good: String,
}

impl Refusals {
    fn new() -> Self {
        let cluster = Cluster::prepare(&["eu", "us"]);
        let good = cluster.config(0);
        Self { cluster, good }
    }

    fn file(&self) -> &Path {
        &self.cluster.nodes[0].config
    }

    /// With this text, it is refused on that line, if any, and says all these things.
    #[track_caller]
    fn refused(&self, text: impl AsRef<[u8]>, line: Option<usize>, parts: &[&str]) {
        std::fs::write(self.file(), text.as_ref()).expect("writing");
        let place = self.file().display().to_string() + &line.map_or_else(String::new, |line| format!(":{line}: "));
        self.as_it_is(&[&[place.as_str()], parts].concat());
    }

    #[track_caller]
    fn as_it_is(&self, parts: &[&str]) {
        let ended = serve(self.file()).with_code(2).says(parts).says(&["nothing was touched"]);
        assert!(!self.cluster.nodes[0].data.exists(), "{ended:?}");
        assert!(!(ended.stdout + &ended.stderr).contains("PRIVATE"), "a key is shown");
    }

    /// The good text, with something else in the place of something.
    fn with(&self, old: &str, new: &str) -> String {
        assert!(self.good.contains(old), "{old} in\n{}", self.good);
        self.good.replacen(old, new, 1)
    }

    /// The line of the good text that begins so.
    fn line(&self, begins: &str) -> Option<usize> {
        let found = self.good.lines().position(|line| line.starts_with(begins));
        Some(1 + found.unwrap_or_else(|| panic!("{begins} in\n{}", self.good)))
    }
}

#[test]
fn a_configuration_is_refused_before_the_data_is_touched() {
    let it = Refusals::new();
    let (quic, http) = (it.line("quic"), it.line("http"));
    it.refused(it.with("region =", "regin ="), it.line("region"), &["regin", "region"]);
    it.refused(it.with("quic =", "quik ="), quic, &["quik", "quic"]);
    it.refused(it.with("[tls]", "[tsl]"), it.line("[tls]"), &["tsl", "tls"]);
    it.refused(it.with("cluster = \"shop\"\n", ""), it.line("[node]"), &["cluster"]);
    it.refused(it.with("\"shop\"", "7"), it.line("cluster"), &["cluster"]);
    it.refused(it.with("\"shop\"", "\"sh/op\""), it.line("cluster"), &["node.cluster"]);
    it.refused(it.with("data_dir = \"data/eu\"", "data_dir = \"\""), it.line("data_dir"), &["node.data_dir"]);
    it.refused(it.with("http = \"127.0.0.1:", "http = \"127.0.0.1:9"), http, &["listen.http", "65535"]);
    it.refused(it.with("quic = \"127.0.0.1:", "quic = \"127.0.0.1:7"), quic, &["listen.quic", "65535"]);
    it.refused(it.with("quic = \"127.0.0.1:", "quic = \"localhost:"), quic, &["listen.quic", "IP:PORT"]);
    let peer = |port: u32| format!("addr = \"127.0.0.1:{port}\"");
    let dialled = peer(it.cluster.nodes[1].quic.into());
    it.refused(it.with(&dialled, &peer(0)), it.line("addr"), &["peer.addr", "\"0\""]);
    it.refused(it.with(&dialled, &peer(70_000)), it.line("addr"), &["peer.addr", "70000"]);
    let again = it.good.clone() + "\n[[peer]]\nregion = \"ap\"\nname = \"us\"\n";
    it.refused(&again, Some(it.good.lines().count() + 4), &["peer.name", "twice"]);
    it.refused(it.with("region = \"us\"", "region = \"eu\""), None, &["peer.name", "this node itself"]);
    it.refused(it.with("http = \"127.0.0.1", "http = \"0.0.0.0"), http, &["listen.http", "insecure"]);
}

#[test]
fn what_is_no_configuration_is_not_read_to_its_end() {
    let it = Refusals::new();
    it.refused("", None, &["is empty"]);
    it.refused("[node\n", Some(1), &[]);
    it.refused(b"\xff\xfe\0[node]", None, &["UTF-8"]);
    it.refused(it.with("[node]", "[node]\nx = \"\0\""), Some(2), &[]);
    it.refused("[".repeat(100_000), Some(1), &[]);
    it.refused("a.".repeat(100_000) + "a = 1", None, &[]);
    it.refused(format!("x = {}", "[".repeat(200_000)), Some(1), &[]);
    let large = |bytes: u64| {
        let file = std::fs::File::create(it.file()).expect("a file");
        file.set_len(bytes).expect("a file full of zeros");
        it.as_it_is(&[&it.file().display().to_string(), "at most"]);
    };
    large(10 << 20);
    large(10 << 30);
    std::fs::remove_file(it.file()).expect("removing");
    it.as_it_is(&["eu.toml", "cannot be read"]);
    std::fs::create_dir(it.file()).expect("a directory");
    it.as_it_is(&["eu.toml", "not a file"]);
}

#[test]
fn keys_and_certificates_that_do_not_fit_are_refused() {
    let it = Refusals::new();
    let certs = it.cluster.dir().join("certs");
    let mode = |mode| {
        std::fs::set_permissions(certs.join("eu.key"), std::fs::Permissions::from_mode(mode)).expect("permissions");
    };
    for open in [0o644, 0o640, 0o604] {
        mode(open);
        it.as_it_is(&["eu.key", &format!("{open:04o}"), "chmod 600"]);
    }
    mode(0o600);
    // The certificate of another node, and so of another region.
    let tls = |file: &str| it.with("certs/eu.pem", file);
    let other = it.good.replace("certs/eu.", "certs/us.");
    std::fs::write(it.file(), other).expect("writing");
    it.as_it_is(&["us", "eu"]);
    // One that our own authority did not issue.
    let foreign = it.cluster.dir().join("foreign");
    let dir = foreign.to_str().expect("a path");
    run(&["cert", "init", "--dir", dir, "--cluster", "shop"]).with_code(0);
    run(&["cert", "issue", "--dir", dir, "--region", "eu"]).with_code(0);
    std::fs::write(it.file(), it.good.replace("certs/eu.", "foreign/eu.")).expect("writing");
    it.as_it_is(&["foreign/eu.pem", "certs/ca.pem", "another authority"]);
    std::fs::write(it.file(), tls("foreign/eu.pem")).expect("writing");
    it.as_it_is(&["foreign/eu.pem", "certs/eu.key", "does not belong"]);
    // No certificate at all.
    for (name, text) in [("empty", ""), ("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n"), ("both", "key")] {
        let key = std::fs::read_to_string(certs.join("eu.key")).expect("a key");
        std::fs::write(certs.join(name), text.replace("key", &key)).expect("writing");
        std::fs::write(it.file(), tls(&format!("certs/{name}"))).expect("writing");
        it.as_it_is(&[&format!("certs/{name}")]);
    }
    std::fs::File::create(certs.join("huge")).and_then(|file| file.set_len(10 << 30)).expect("a file full of zeros");
    std::fs::write(it.file(), tls("certs/huge")).expect("writing");
    it.as_it_is(&["certs/huge", "longer"]);
    it.refused(tls("certs/none.pem"), it.line("cert "), &["tls.cert", "certs/none.pem"]);
    std::fs::remove_file(certs.join("eu.key")).expect("removing");
    it.refused(&it.good, it.line("key"), &["tls.key", "eu.key"]);
}

#[test]
fn occupied_ports_and_directories_are_named_and_who_has_them_goes_on() {
    let mut target = Target::start(&["us"]);
    let cluster = &target.cluster;
    let (http, quic, config) = (cluster.nodes[1].http, cluster.nodes[1].quic, &cluster.nodes[1].config);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, http)).expect("a port");
    serve(config).with_code(1).says(&[&format!("127.0.0.1:{http}"), "in use"]);
    drop(taken);
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, quic)).expect("a port");
    serve(config).with_code(1).says(&[&format!("127.0.0.1:{quic}"), "in use"]);
    drop(taken);

    // A second process on the data of one that runs, with its very configuration but for the ports.
    let other = cluster.dir().join("other.toml");
    let own = |port: u16| format!(":{port}\"");
    let same_data = cluster.config(0).replacen(&own(target.http()), &own(http), 1);
    std::fs::write(&other, same_data.replacen(&own(target.quic()), &own(quic), 1)).expect("writing");
    serve(&other).with_code(1).says(&["data/eu", "in use"]);
    target.is_unharmed("a second process on its data");
    target.serves_on();
}
