//! The cluster's certificate authority and the certificates it issues to nodes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::files::{self, CredentialError};
use crate::identity::{Identity, Source, parse_certificate};
use crate::name::{self, PeerName};

/// The DNS name in every node certificate, asked for by every dialer: it says "some node". Which
/// node it is stands in the URI, and what address it has does not matter.
pub(crate) const TLS_NAME: &str = "anabranch.node";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long before its making a certificate is valid: clocks differ.
const CLOCK_SLACK: Duration = DAY;
const AUTHORITY_VALID: Duration = Duration::from_secs(20 * 365 * 24 * 60 * 60);
const NODE_VALID: Duration = Duration::from_secs(5 * 365 * 24 * 60 * 60);

/// A cluster's certificate authority: whoever holds its key decides who is a node.
pub struct CertificateAuthority {
    cluster: String,
    cert_pem: String,
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and private key of one node, as PEM text.
#[derive(Clone)]
pub struct NodeCertificate {
    /// The name the certificate states.
    pub name: PeerName,
    /// The certificate.
    pub cert_pem: String,
    /// The private key (PKCS#8). Keep it secret.
    pub key_pem: String,
}

impl CertificateAuthority {
    /// Makes the authority of a new cluster, valid for 20 years.
    ///
    /// # Errors
    /// If the cluster's name is not allowed or no key can be generated.
    pub fn create(cluster: &str) -> Result<Self, CredentialError> {
        let cluster = name::checked("cluster", cluster)?;
        let key = KeyPair::generate()?;
        let mut params = authority_params(&cluster)?;
        set_validity(&mut params, SystemTime::now(), AUTHORITY_VALID);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            cluster,
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Takes up an authority from its certificate and key, both PEM.
    ///
    /// # Errors
    /// If either is no such thing, or if they do not belong together.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, CredentialError> {
        let cert = Source::new("the authority's certificate", cert_pem.as_bytes());
        let key = Source::new("the authority's key", key_pem.as_bytes());
        Self::from_sources(&cert, &key)
    }

    /// Loads `ca.pem` and `ca.key` from `dir`.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and if a file cannot be read or others may read the key;
    /// all name the file.
    pub fn load(dir: &Path) -> Result<Self, CredentialError> {
        let cert_path = dir.join("ca.pem");
        let key_path = dir.join("ca.key");
        let cert = files::read_public(&cert_path)?;
        let key = files::read_private(&key_path)?;
        let cert = Source::new(cert_path.display(), &cert);
        let key = Source::new(key_path.display(), &key);
        Self::from_sources(&cert, &key)
    }

    fn from_sources(cert: &Source<'_>, key: &Source<'_>) -> Result<Self, CredentialError> {
        let certificate = parse_certificate(cert)?;
        let cluster = name::certificate_uri(&certificate)
            .and_then(|uri| name::authority_cluster(&uri))
            .map_err(|e| cert.malformed(format!("it is not a cluster's authority: {e}")))?;
        let key_pem = key.text()?.to_owned();
        let key_pair = KeyPair::from_pem(&key_pem).map_err(|e| key.malformed(e))?;
        let authority = Self {
            issuer: Issuer::new(authority_params(&cluster)?, key_pair),
            cluster,
            cert_pem: cert.text()?.to_owned(),
            key_pem,
        };
        authority.prove(cert, key)?;
        Ok(authority)
    }

    /// Issues a certificate and verifies it: that fails exactly if key and certificate differ.
    fn prove(&self, cert: &Source<'_>, key: &Source<'_>) -> Result<(), CredentialError> {
        let probe = self.issue("probe", "probe")?;
        let proof = Identity::from_pem(self.cert_pem.as_bytes(), probe.cert_pem.as_bytes(), probe.key_pem.as_bytes());
        proof
            .map(drop)
            .map_err(|_| CredentialError::KeyMismatch { certificate: cert.what.clone(), key: key.what.clone() })
    }

    /// The cluster this is the authority of.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The authority's certificate as PEM text; every node needs it.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The authority's private key (PKCS#8) as PEM text. No node needs it: keep it secret.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Issues a certificate with a fresh key to a node, valid for five years from a day ago.
    ///
    /// # Errors
    /// If a name is not allowed or no key can be generated.
    pub fn issue(&self, region: &str, node: &str) -> Result<NodeCertificate, CredentialError> {
        self.issue_valid(region, node, SystemTime::now(), NODE_VALID)
    }

    pub(crate) fn issue_valid(
        &self,
        region: &str,
        node: &str,
        from: SystemTime,
        length: Duration,
    ) -> Result<NodeCertificate, CredentialError> {
        let name = PeerName::new(&self.cluster, region, node)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&name.node);
        params.subject_alt_names = vec![
            SanType::DnsName(Ia5String::try_from(TLS_NAME)?),
            SanType::URI(Ia5String::try_from(name.to_string())?),
        ];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, from, length);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(NodeCertificate { name, cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// The same authority, issuing under another cluster's name.
    #[cfg(test)]
    pub(crate) fn renamed(&self, cluster: &str) -> Self {
        let mut renamed = Self::from_pem(&self.cert_pem, &self.key_pem).unwrap();
        renamed.cluster = cluster.to_owned();
        renamed
    }

    /// Writes `ca.pem` and `ca.key` (mode 0600) into `dir`, making `dir` if it is missing; returns
    /// their paths in that order.
    ///
    /// # Errors
    /// If either file exists (both are then left alone) or cannot be written.
    pub fn write_ca(&self, dir: &Path) -> Result<(PathBuf, PathBuf), CredentialError> {
        files::write_pair(dir, "ca", &self.cert_pem, &self.key_pem)
    }
}

impl NodeCertificate {
    /// Writes `NODE.pem` and `NODE.key` (mode 0600) into `dir`, making `dir` if it is missing;
    /// returns their paths in that order.
    ///
    /// # Errors
    /// If either file exists (both are then left alone) or cannot be written.
    pub fn write_node(&self, dir: &Path) -> Result<(PathBuf, PathBuf), CredentialError> {
        // The name is a public field: it must not lead out of the directory.
        let stem = name::checked("node", &self.name.node)?;
        files::write_pair(dir, &stem, &self.cert_pem, &self.key_pem)
    }
}

// Neither shows its private key.
impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCertificate").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the authority's certificate says, apart from its validity. An authority read from a file
/// is rebuilt by this, so that a change here makes older authorities unusable.
fn authority_params(cluster: &str) -> Result<CertificateParams, CredentialError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("Anabranch authority of {cluster}"));
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(name::authority_uri(cluster))?)];
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, from: SystemTime, length: Duration) {
    let since_epoch = from.duration_since(SystemTime::UNIX_EPOCH);
    let start = Duration::from_secs(since_epoch.unwrap_or_default().as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + start.saturating_sub(CLOCK_SLACK);
    params.not_after = epoch + start + length;
}
