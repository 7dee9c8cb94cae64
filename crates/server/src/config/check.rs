//! From what the file says to what it means.

use super::raw::{self, Raw, Text, line_of};
use super::{Config, ConfigError, Overrides, TlsFiles};
use crate::duration;
use anabranch::PeerConfig;
use anabranch::transport::PeerName;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_QUIC: &str = "127.0.0.1:7401";
const DEFAULT_HTTP: &str = "127.0.0.1:7501";

/// A file being checked.
pub(super) struct Checking<'a> {
    pub(super) text: &'a str,
    pub(super) file: &'a Path,
}

impl Checking<'_> {
    pub(super) fn config(&self, raw: Raw, overrides: &Overrides) -> Result<Config, ConfigError> {
        let node = &raw.node;
        let leader = self.leader(node)?;
        let name = node.name.as_ref().unwrap_or(&node.region);
        self.names(&node.cluster, &node.region, name)?;
        let peers = self.peers(&raw.peer, name.get_ref())?;
        let tls = raw.tls.as_ref().map(|tls| self.tls(tls)).transpose()?;
        let quic = self.quic(&raw, tls.is_some(), overrides)?;
        let http = self.address("listen.http", raw.listen.http.as_ref(), overrides.get("ANABRANCH_HTTP"))?;
        self.exposure(http, &raw, overrides.contains_key("ANABRANCH_HTTP"))?;
        Ok(Config {
            cluster: node.cluster.get_ref().clone(),
            region: node.region.get_ref().clone(),
            name: name.get_ref().clone(),
            leader: leader.map(|leader| self.known_leader(leader, &peers)).transpose()?,
            data_dir: self.data_dir(&node.data_dir, overrides)?,
            max_clock_skew: self.duration("node.max_clock_skew", node.max_clock_skew.as_ref())?,
            lag_limit: self.duration("node.lag_limit", node.lag_limit.as_ref())?.unwrap_or(crate::lag::DEFAULT_LIMIT),
            http: http.unwrap_or(self.parse_address(None, "listen.http", DEFAULT_HTTP)?),
            quic,
            tls,
            peers,
            insecure: raw.http.insecure,
            allowed_origins: self.origins(&raw.http.allowed_origins)?,
        })
    }

    fn fail<T>(&self, at: Option<&Text>, field: &str, problem: impl Into<String>) -> Result<T, ConfigError> {
        let line = at.map(|text| line_of(self.text, text.span().start));
        let (file, field) = (self.file.to_owned(), Some(field.to_owned()));
        Err(ConfigError { file, line, field, problem: problem.into() })
    }

    /// The node that takes a follower's writes; `None` for a leader.
    fn leader<'a>(&self, node: &'a raw::Node) -> Result<Option<&'a Text>, ConfigError> {
        match (node.role.as_ref().map(|role| (role, role.get_ref().as_str())), &node.leader) {
            (None | Some((_, "leader")), None) => Ok(None),
            (None | Some((_, "leader")), Some(leader)) => {
                self.fail(Some(leader), "node.leader", "only a follower has a leader: set role = \"follower\"")
            }
            (Some((_, "follower")), Some(leader)) => Ok(Some(leader)),
            (Some((role, "follower")), None) => {
                self.fail(Some(role), "node.role", "a follower needs leader = \"the node that takes its writes\"")
            }
            (Some((role, other)), _) => {
                self.fail(Some(role), "node.role", format!("{other:?} is no role: use \"leader\" or \"follower\""))
            }
        }
    }

    fn known_leader(&self, leader: &Text, peers: &[PeerConfig]) -> Result<String, ConfigError> {
        match peers.iter().any(|peer| peer.node.as_ref() == Some(leader.get_ref())) {
            true => Ok(leader.get_ref().clone()),
            false => {
                let problem = format!("{:?} is not among the peers: add a [[peer]] for it", leader.get_ref());
                self.fail(Some(leader), "node.leader", problem)
            }
        }
    }

    fn names(&self, cluster: &Text, region: &Text, name: &Text) -> Result<(), ConfigError> {
        for (field, text) in [("node.cluster", cluster), ("node.region", region), ("node.name", name)] {
            self.name(field, text)?;
        }
        Ok(())
    }

    /// The rule of certificates, which state these names.
    fn name(&self, field: &str, text: &Text) -> Result<(), ConfigError> {
        match PeerName::new(text.get_ref(), text.get_ref(), text.get_ref()) {
            Ok(_) => Ok(()),
            Err(_) => {
                let rule = "use 1 to 64 characters out of A-Z a-z 0-9 _ . - (and neither \".\" nor \"..\")";
                self.fail(Some(text), field, rule)
            }
        }
    }

    fn peers(&self, peers: &[raw::Peer], own: &str) -> Result<Vec<PeerConfig>, ConfigError> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut configs = Vec::new();
        for peer in peers {
            self.name("peer.region", &peer.region)?;
            let name = peer.name.as_ref().unwrap_or(&peer.region);
            self.name("peer.name", name)?;
            if name.get_ref() == own {
                return self.fail(
                    Some(name),
                    "peer.name",
                    format!("{own:?} is this node itself: list only the others"),
                );
            }
            let line = line_of(self.text, name.span().start);
            if let Some(first) = seen.insert(name.get_ref(), line) {
                let problem = format!("{:?} is listed twice, first on line {first}", name.get_ref());
                return self.fail(Some(name), "peer.name", problem);
            }
            configs.push(PeerConfig {
                node: Some(name.get_ref().clone()),
                region: Some(peer.region.get_ref().clone()),
                addr: peer.addr.as_ref().map(|addr| self.peer_address(addr)).transpose()?,
            });
        }
        Ok(configs)
    }

    /// `host:port`; the host may be a name.
    fn peer_address(&self, addr: &Text) -> Result<String, ConfigError> {
        let text = addr.get_ref();
        let host_and_port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let Some((_, port)) = host_and_port else {
            return self.fail(Some(addr), "peer.addr", format!("{text:?} is not of the form host:port"));
        };
        match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(text.clone()),
            _ => self.fail(Some(addr), "peer.addr", format!("{port:?} is no port: use 1 to 65535")),
        }
    }

    fn tls(&self, tls: &raw::Tls) -> Result<TlsFiles, ConfigError> {
        let file = |field, text: &Text| {
            let path = self.relative(text.get_ref());
            match path.is_file() {
                true => Ok(path),
                false => self.fail(Some(text), field, format!("there is no file {}", path.display())),
            }
        };
        Ok(TlsFiles {
            ca: file("tls.ca", &tls.ca)?,
            cert: file("tls.cert", &tls.cert)?,
            key: file("tls.key", &tls.key)?,
        })
    }

    fn quic(&self, raw: &Raw, has_tls: bool, overrides: &Overrides) -> Result<Option<SocketAddr>, ConfigError> {
        let set = self.address("listen.quic", raw.listen.quic.as_ref(), overrides.get("ANABRANCH_QUIC"))?;
        let wanted = set.is_some() || !raw.peer.is_empty();
        match (has_tls, set) {
            (true, None) => self.parse_address(None, "listen.quic", DEFAULT_QUIC).map(Some),
            (true, set) => Ok(set),
            (false, _) if wanted => {
                let problem = "is missing: peers know each other by certificates, so ca, cert and key are needed";
                self.fail(None, "tls", problem)
            }
            (false, _) => Ok(None),
        }
    }

    fn address(
        &self,
        field: &str,
        text: Option<&Text>,
        over: Option<&String>,
    ) -> Result<Option<SocketAddr>, ConfigError> {
        match (over, text) {
            (Some(over), _) => self.parse_address(None, field, over).map(Some),
            (None, Some(text)) => self.parse_address(Some(text), field, text.get_ref()).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The same is asked again of what is listened at: here with the line that says it.
    fn exposure(&self, http: Option<SocketAddr>, raw: &Raw, is_override: bool) -> Result<(), ConfigError> {
        match http.filter(|http| !http.ip().is_loopback() && !raw.http.insecure) {
            None => Ok(()),
            Some(http) => {
                let at = raw.listen.http.as_ref().filter(|_| !is_override);
                self.fail(at, "listen.http", crate::ServerError::Exposed(http).to_string())
            }
        }
    }

    fn parse_address(&self, at: Option<&Text>, field: &str, text: &str) -> Result<SocketAddr, ConfigError> {
        if let Ok(addr) = text.parse() {
            return Ok(addr);
        }
        let port = text.rsplit_once(':').map(|(_, port)| port);
        let problem = match port {
            Some(port) if port.parse::<u16>().is_err() => format!("{port:?} is no port: use 0 (any free one) to 65535"),
            _ => format!("{text:?} is no address: use IP:PORT, such as 127.0.0.1:7501 or [::1]:7501"),
        };
        self.fail(at, field, problem)
    }

    fn data_dir(&self, text: &Text, overrides: &Overrides) -> Result<PathBuf, ConfigError> {
        match overrides.get("ANABRANCH_DATA_DIR") {
            Some(over) if over.is_empty() => self.fail(None, "node.data_dir", "ANABRANCH_DATA_DIR is empty"),
            Some(over) => Ok(PathBuf::from(over)),
            None if text.get_ref().is_empty() => self.fail(Some(text), "node.data_dir", "is empty"),
            None => Ok(self.relative(text.get_ref())),
        }
    }

    fn duration(&self, field: &str, text: Option<&Text>) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = text else { return Ok(None) };
        match duration::parse(text.get_ref()) {
            Some(duration) if !duration.is_zero() => Ok(Some(duration)),
            _ => self.fail(Some(text), field, "is a duration above 0, such as \"500ms\" or \"2s\""),
        }
    }

    /// Browsers send origins without a path, in lower case: what is written otherwise would never match.
    fn origins(&self, origins: &[Text]) -> Result<Vec<String>, ConfigError> {
        for origin in origins {
            let text = origin.get_ref();
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            let is_origin = host.is_some_and(|host| {
                !host.is_empty()
                    && !host.contains(['/', '*', ' '])
                    && !host.bytes().any(|byte| byte.is_ascii_uppercase())
            });
            if !is_origin {
                let problem =
                    format!("{text:?} is no web origin: use https://host or https://host:port, in lower case");
                return self.fail(Some(origin), "http.allowed_origins", problem);
            }
        }
        Ok(origins.iter().map(|origin| origin.get_ref().clone()).collect())
    }

    fn relative(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}
