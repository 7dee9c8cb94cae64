//! What a node holds to prove who it is and to check who others are.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

use crate::files::{self, CredentialError};
use crate::name::{self, PeerName};
use crate::verify;

/// A node's credentials: the cluster's authority, its own certificate and private key, and the
/// name its certificate states.
pub struct Identity {
    name: PeerName,
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) own: Arc<CertifiedKey>,
    pub(crate) dialed: Arc<WebPkiServerVerifier>,
    pub(crate) dialing: Arc<dyn ClientCertVerifier>,
}

impl Identity {
    /// Takes up an identity from PEM: the authority's certificate, the node's certificate, the
    /// node's private key.
    ///
    /// # Errors
    /// If one of them is malformed, if key and certificate do not belong together, or if other
    /// nodes of the cluster would refuse the certificate (other authority, expired, no name).
    pub fn from_pem(ca_pem: &[u8], cert_pem: &[u8], key_pem: &[u8]) -> Result<Self, CredentialError> {
        Self::from_sources(
            &Source::new("the authority's certificate", ca_pem),
            &Source::new("the node's certificate", cert_pem),
            &Source::new("the node's key", key_pem),
        )
    }

    /// Loads an identity from three PEM files.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and if a file cannot be read or others than its owner may
    /// read the key; all name the file.
    pub fn load(ca: &Path, cert: &Path, key: &Path) -> Result<Self, CredentialError> {
        let ca_pem = files::read_public(ca)?;
        let cert_pem = files::read_public(cert)?;
        let key_pem = files::read_private(key)?;
        Self::from_sources(
            &Source::new(ca.display(), &ca_pem),
            &Source::new(cert.display(), &cert_pem),
            &Source::new(key.display(), &key_pem),
        )
    }

    /// The name this node bears.
    pub fn name(&self) -> &PeerName {
        &self.name
    }

    fn from_sources(ca: &Source<'_>, cert: &Source<'_>, key: &Source<'_>) -> Result<Self, CredentialError> {
        let identity = Self::unproven(ca, cert, key)?;
        let verdict =
            identity.dialing.verify_client_cert(&identity.own.cert[0], &identity.own.cert[1..], UnixTime::now());
        match verdict {
            Ok(_) => Ok(identity),
            Err(error) => Err(CredentialError::NotAccepted {
                certificate: cert.what.clone(),
                name: identity.name.to_string(),
                authority: ca.what.clone(),
                reason: verify::explained(&error),
            }),
        }
    }

    /// An identity which others may refuse.
    pub(crate) fn unproven(ca: &Source<'_>, cert: &Source<'_>, key: &Source<'_>) -> Result<Self, CredentialError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(parse_certificate(ca)?).map_err(|e| ca.malformed(e))?;
        let roots = Arc::new(roots);

        let certificate = parse_certificate(cert)?;
        let name = name::certificate_name(&certificate).map_err(|e| cert.malformed(e))?;
        let private = PrivateKeyDer::from_pem_slice(key.pem).map_err(|e| key.malformed(e))?;
        let own = CertifiedKey::from_der(vec![certificate], private, &provider).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                CredentialError::KeyMismatch { certificate: cert.what.clone(), key: key.what.clone() }
            }
            other => key.malformed(other),
        })?;
        let dialed = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
        let dialing = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build();
        Ok(Self {
            name,
            own: Arc::new(own),
            dialed: dialed.map_err(|e| ca.malformed(e))?,
            dialing: dialing.map_err(|e| ca.malformed(e))?,
            provider,
        })
    }
}

// The private key is not shown.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).finish_non_exhaustive()
    }
}

/// PEM text and what to call it in errors: its path if it has one.
pub(crate) struct Source<'a> {
    pub(crate) what: String,
    pem: &'a [u8],
}

impl<'a> Source<'a> {
    pub(crate) fn new(what: impl fmt::Display, pem: &'a [u8]) -> Self {
        Self { what: what.to_string(), pem }
    }

    pub(crate) fn text(&self) -> Result<&'a str, CredentialError> {
        std::str::from_utf8(self.pem).map_err(|e| self.malformed(e))
    }

    pub(crate) fn malformed(&self, reason: impl fmt::Display) -> CredentialError {
        CredentialError::Malformed { what: self.what.clone(), reason: reason.to_string() }
    }
}

/// The one certificate in a PEM text.
pub(crate) fn parse_certificate(source: &Source<'_>) -> Result<CertificateDer<'static>, CredentialError> {
    let mut found = CertificateDer::pem_slice_iter(source.pem);
    let first = match found.next() {
        Some(certificate) => certificate.map_err(|e| source.malformed(e))?,
        None => return Err(source.malformed("it contains no PEM certificate")),
    };
    match found.next() {
        None => Ok(first),
        Some(_) => Err(source.malformed("it contains more than one certificate")),
    }
}
