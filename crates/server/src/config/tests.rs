use super::*;

const NODE: &str = "[node]\ncluster = \"shop\"\nregion = \"eu\"\ndata_dir = \"data\"\n";

fn parse(text: &str) -> Result<Config, String> {
    let file = Path::new("/etc/anabranch/eu.toml");
    Config::parse(text, file, &Overrides::new()).map_err(|error| error.to_string())
}

#[test]
fn a_small_file_is_enough_for_a_node_that_stands_alone() {
    let config = parse(NODE).expect("a config");
    assert_eq!((config.name.as_str(), config.quic, config.tls.is_none()), ("eu", None, true));
    assert_eq!(config.data_dir, Path::new("/etc/anabranch/data"));
    assert_eq!(config.http.to_string(), "127.0.0.1:7501");
}

#[test]
fn a_whole_file_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    for file in ["ca.pem", "eu.pem", "eu.key"] {
        std::fs::write(dir.path().join(file), "").expect("a file");
    }
    let text = format!(
        "{NODE}name = \"n1\"\nrole = \"leader\"\nmax_clock_skew = \"250ms\"\n[listen]\nquic = \"127.0.0.1:0\"\n\
         http = \"[::1]:80\"\n[tls]\nca = \"ca.pem\"\ncert = \"eu.pem\"\nkey = \"eu.key\"\n\
         [[peer]]\nregion = \"us\"\naddr = \"us.example.com:7401\"\n[[peer]]\nregion = \"ap\"\nname = \"n3\"\n\
         [http]\ninsecure = true\nallowed_origins = [\"https://example.com\"]\n"
    );
    let config = Config::parse(&text, &dir.path().join("eu.toml"), &Overrides::new()).expect("a config");
    assert_eq!(config.peers.len(), 2);
    assert_eq!(config.peers[0].node.as_deref(), Some("us"));
    assert_eq!(config.peers[1].addr, None);
    assert_eq!(config.max_clock_skew, Some(Duration::from_millis(250)));
    assert_eq!(config.tls.expect("files").ca, dir.path().join("ca.pem"));
    assert!(config.insecure && config.quic.is_some());
}

#[test]
fn a_follower_names_its_leader() {
    let dir = tempfile::tempdir().expect("a directory");
    for file in ["ca.pem", "eu2.pem", "eu2.key"] {
        std::fs::write(dir.path().join(file), "").expect("a file");
    }
    let text = format!(
        "{NODE}name = \"eu2\"\nrole = \"follower\"\nleader = \"eu\"\nlag_limit = \"3s\"\n\
         [tls]\nca = \"ca.pem\"\ncert = \"eu2.pem\"\nkey = \"eu2.key\"\n\
         [[peer]]\nregion = \"eu\"\naddr = \"127.0.0.1:7401\"\n"
    );
    let config = Config::parse(&text, &dir.path().join("eu2.toml"), &Overrides::new()).expect("a config");
    assert_eq!(config.leader.as_deref(), Some("eu"));
    assert_eq!(config.lag_limit, Duration::from_secs(3));
    assert_eq!(config.peers[0].node.as_deref(), Some("eu"));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (more, expected) in [
        ("clutser = \"x\"\n", "eu.toml:5: unknown key `clutser`: did you mean `cluster`?"),
        ("role = \"follower\"\n", "eu.toml:5: node.role: a follower needs leader"),
        ("role = \"follower\"\nleader = \"us\"\n", "eu.toml:6: node.leader: \"us\" is not among the peers"),
        ("lag_limit = \"0s\"\n", "eu.toml:5: node.lag_limit: is a duration"),
        ("role = \"king\"\n", "eu.toml:5: node.role: \"king\" is no role"),
        ("leader = \"x\"\n", "eu.toml:5: node.leader: only a follower"),
        ("name = \"a/b\"\n", "eu.toml:5: node.name: use 1 to 64"),
        ("max_clock_skew = \"1\"\n", "eu.toml:5: node.max_clock_skew: is a duration"),
        ("[listen]\nhttp = \"127.0.0.1:70000\"\n", "eu.toml:6: listen.http: \"70000\" is no port"),
        ("[listen]\nhttp = \"nowhere\"\n", "eu.toml:6: listen.http: \"nowhere\" is no address"),
        ("[listen]\nqiuc = \"127.0.0.1:1\"\n", "eu.toml:6: unknown key `qiuc`: did you mean `quic`?"),
        ("[listen]\nquic = \"127.0.0.1:1\"\n", "eu.toml: tls: is missing"),
        ("[tls]\nca = \"ca\"\ncert = \"c\"\nkey = \"k\"\n", "eu.toml:6: tls.ca: there is no file /etc/anabranch/ca"),
        ("[[peer]]\nregion = \"us\"\n[[peer]]\nregion = \"us\"\n", "eu.toml:8: peer.name: \"us\" is listed twice"),
        ("[[peer]]\nregion = \"us\"\nname = \"eu\"\n", "eu.toml:7: peer.name: \"eu\" is this node itself"),
        ("[[peer]]\nregion = \"us\"\naddr = \"us:0\"\n", "eu.toml:7: peer.addr: \"0\" is no port"),
        ("[[peer]]\nregion = \"us\"\naddr = \"us\"\n", "eu.toml:7: peer.addr: \"us\" is not of the form"),
        ("[http]\nallowed_origins = [\"https://x/\"]\n", "eu.toml:6: http.allowed_origins: \"https://x/\""),
        ("[node]\n", "eu.toml:5: "),
        ("cluster = \"again\"\n", "eu.toml:5: "),
        ("port = ", "eu.toml:5: "),
        ("[extra]\n", "eu.toml:5: unknown key `extra`: known here are"),
    ] {
        let error = parse(&format!("{NODE}{more}")).expect_err(more);
        assert!(error.contains(expected), "{more}\n{error}");
    }
    assert!(parse(" \n").expect_err("empty").contains("is empty"));
    assert!(parse("[node]\ncluster = \"x\"\n").expect_err("incomplete").contains("missing field `region`"));
    assert!(parse("[listen]\n").expect_err("incomplete").contains("missing field `node`"));
}

#[test]
fn files_that_cannot_be_configs_are_refused_unread() {
    let dir = tempfile::tempdir().expect("a directory");
    let load = |path: &Path| Config::load(path, &Overrides::new()).expect_err("no config").to_string();
    assert!(load(&dir.path().join("none.toml")).contains("cannot be read"));
    assert!(load(dir.path()).contains("is not a file"));
    let huge = dir.path().join("huge.toml");
    std::fs::File::create(&huge).and_then(|file| file.set_len(10 << 30)).expect("a sparse file");
    assert!(load(&huge).contains("at most"));
    let binary = dir.path().join("binary.toml");
    std::fs::write(&binary, b"\xff\xfe").expect("a file");
    assert!(load(&binary).contains("UTF-8"));
}

#[test]
fn overrides_go_over_the_file() {
    let set = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let file = Path::new("/etc/anabranch/eu.toml");
    let overrides: Overrides =
        set(&[("ANABRANCH_DATA_DIR", "elsewhere"), ("ANABRANCH_HTTP", "127.0.0.1:9"), ("ANABRANCH_URL", "ignored")]);
    let config = Config::parse(NODE, file, &overrides).expect("a config");
    assert_eq!((config.data_dir.as_path(), config.http.port()), (Path::new("elsewhere"), 9));
    let bad: Overrides = set(&[("ANABRANCH_HTTP", "nine")]);
    assert!(Config::parse(NODE, file, &bad).is_err());
}
