//! Who a node is: cluster, region and node name, written as one URI in its certificate.

use std::fmt;

use rustls::pki_types::CertificateDer;

const SCHEME: &str = "anabranch://";
const LONGEST: usize = 64;

/// The full name of a node, as its certificate states it: `anabranch://CLUSTER/REGION/NODE`.
///
/// Each part has 1 to 64 characters out of `A-Z a-z 0-9 _ . -` and is neither `.` nor `..`;
/// [`PeerName::new`] checks that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerName {
    /// The cluster whose data the node holds; nodes of different clusters never connect.
    pub cluster: String,
    /// The region the node stands in.
    pub region: String,
    /// The node itself, unique in its cluster.
    pub node: String,
}

impl PeerName {
    /// Makes a name out of three parts.
    ///
    /// # Errors
    /// [`NameError`] names the part which breaks the rules above.
    pub fn new(cluster: &str, region: &str, node: &str) -> Result<Self, NameError> {
        Ok(Self {
            cluster: checked("cluster", cluster)?,
            region: checked("region", region)?,
            node: checked("node", node)?,
        })
    }

    /// Parses `anabranch://CLUSTER/REGION/NODE`.
    ///
    /// # Errors
    /// [`NameError`] if the text is anything else.
    pub fn parse(uri: &str) -> Result<Self, NameError> {
        let malformed = || NameError::Uri(shortened(uri));
        let rest = uri.strip_prefix(SCHEME).ok_or_else(malformed)?;
        let mut parts = rest.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(cluster), Some(region), Some(node), None) => Self::new(cluster, region, node),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}/{}", self.cluster, self.region, self.node)
    }
}

/// A cluster, region or node name breaks the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// One part of a name is not allowed.
    #[error(
        "the {part} name {name:?} is not allowed: use 1 to 64 characters out of A-Z a-z 0-9 _ . - \
         (and neither \".\" nor \"..\")"
    )]
    Part {
        /// Which part: `cluster`, `region` or `node`.
        part: &'static str,
        /// The offending name, shortened if long.
        name: String,
    },
    /// A URI is not of the form `anabranch://CLUSTER/REGION/NODE`.
    #[error("{0:?} is not a node name: expected anabranch://CLUSTER/REGION/NODE")]
    Uri(String),
    /// A certificate does not state exactly one name.
    #[error("the certificate states no usable name: {0}")]
    Certificate(String),
}

/// Checks one part of a name.
pub(crate) fn checked(part: &'static str, name: &str) -> Result<String, NameError> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
    let sound = (1..=LONGEST).contains(&name.len()) && name.bytes().all(allowed) && name != "." && name != "..";
    if sound { Ok(name.to_owned()) } else { Err(NameError::Part { part, name: shortened(name) }) }
}

/// The URI which a cluster's authority bears.
pub(crate) fn authority_uri(cluster: &str) -> String {
    format!("{SCHEME}{cluster}")
}

/// The cluster whose authority bears this URI.
pub(crate) fn authority_cluster(uri: &str) -> Result<String, NameError> {
    let cluster = uri.strip_prefix(SCHEME).ok_or_else(|| NameError::Uri(shortened(uri)))?;
    checked("cluster", cluster)
}

/// The one URI in a certificate's subject alternative names.
///
/// The parser is the very one which verifies the certificate, so the two cannot read it
/// differently. The answer is worth as much as the certificate: nothing is verified here.
pub(crate) fn certificate_uri(certificate: &CertificateDer<'_>) -> Result<String, NameError> {
    let broken = |e: webpki::Error| NameError::Certificate(e.to_string());
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(broken)?;
    let mut names = parsed.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(uri), None) => Ok(uri.to_owned()),
        (None, _) => Err(NameError::Certificate("it contains no URI".into())),
        (Some(_), Some(_)) => Err(NameError::Certificate("it contains more than one URI".into())),
    }
}

/// The node name a certificate states.
pub(crate) fn certificate_name(certificate: &CertificateDer<'_>) -> Result<PeerName, NameError> {
    PeerName::parse(&certificate_uri(certificate)?)
}

/// Keeps a stranger's text from flooding an error message.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 200;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(SHOWN).collect();
    short.push('…');
    short
}
