//! Nodes of one cluster, each the leader of a region of its own.

use super::Node;
use super::talk::{Answer, Ask};
use anabranch::transport::CertificateAuthority;
use anyhow::bail;
use std::path::{Path, PathBuf};

/// What the nodes of a cluster share.
pub struct Cluster {
    authority: CertificateAuthority,
    dir: PathBuf,
}

impl Cluster {
    /// A cluster whose nodes have their databases in that folder.
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { authority: CertificateAuthority::create("bench")?, dir: dir.to_owned() })
    }

    /// A process that has opened the database of that name, and listens.
    pub fn start(&self, name: &str) -> anyhow::Result<Node> {
        let issued = self.authority.issue(name, name)?;
        let mut node = Node::spawn(name)?;
        let started = node.ask(&Ask::Start {
            name: name.to_owned(),
            dir: self.dir.join(name),
            authority: self.authority.cert_pem().to_owned(),
            certificate: issued.cert_pem.clone(),
            key: issued.key_pem.to_string(),
        })?;
        let Answer::Listening { addr } = started else { bail!("node {name}: {started:?}") };
        node.addr = addr;
        Ok(node)
    }

    /// So many nodes, each connected to each.
    pub fn mesh(&self, count: usize) -> anyhow::Result<Vec<Node>> {
        let mut nodes = Vec::new();
        for number in 0..count {
            nodes.push(self.start(&format!("n{number}"))?);
        }
        for later in 1..count {
            let (former, rest) = nodes.split_at_mut(later);
            for node in former {
                connect(node, &mut rest[0])?;
            }
        }
        Ok(nodes)
    }
}

/// Connects two nodes. The one with the smaller name dials, as it would if both did.
pub fn connect(one: &mut Node, other: &mut Node) -> anyhow::Result<()> {
    other.ask(&Ask::Peer { node: one.name.clone(), addr: None })?;
    one.ask(&Ask::Peer { node: other.name.clone(), addr: Some(other.addr.clone()) })?;
    one.ask(&Ask::Connected { node: other.name.clone() })?;
    other.ask(&Ask::Connected { node: one.name.clone() })?;
    Ok(())
}
