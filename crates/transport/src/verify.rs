//! Checking the other side's certificate inside the TLS handshake.
//!
//! rustls's own verifiers check chain, time, purpose and the proof of the private key. On top of
//! them stand two rules of the cluster: the certificate states a name in the same cluster, and a
//! dialer may insist on one node. Each handshake has its own verifier, which keeps the exact reason
//! of a refusal: TLS would pass on only a code.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};

use crate::identity::Identity;
use crate::name::{self, PeerName};

/// Why the certificate shown by the other side was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The certificate is not one of this cluster's authority, or is expired, not yet valid, or
    /// not meant for nodes.
    #[error(
        "its certificate, which claims to be {claim}, is not accepted by the authority of cluster \
         {cluster}: {reason}"
    )]
    Untrusted {
        /// The name stated in the certificate; unproven.
        claim: String,
        /// The own cluster.
        cluster: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The authority issued the certificate, yet it states no node name.
    #[error("its certificate is from this cluster's authority but names no node: {reason}")]
    Unnamed {
        /// What is wrong with the name.
        reason: String,
    },
    /// The authority issued the certificate for another cluster.
    #[error("it is {found}, a node of another cluster than {expected}")]
    OtherCluster {
        /// The own cluster.
        expected: String,
        /// Who it is.
        found: Box<PeerName>,
    },
    /// It is a node of the cluster, but not the one dialed.
    #[error("it is {found}, not node {expected}")]
    OtherNode {
        /// The node which should have answered.
        expected: String,
        /// Who answered.
        found: Box<PeerName>,
    },
}

/// What the handshake found out about the other side.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    peer: OnceLock<PeerName>,
    refusal: Mutex<Option<Refusal>>,
}

impl Verdict {
    /// The verified name, once the handshake is complete.
    pub(crate) fn peer(&self) -> Option<PeerName> {
        self.peer.get().cloned()
    }

    /// Why this side refused, if it did.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rules of the cluster, shared by both directions.
#[derive(Debug)]
struct Rules {
    cluster: String,
    node: Option<String>,
    verdict: Arc<Verdict>,
}

impl Rules {
    fn judge<T>(&self, certificate: &CertificateDer<'_>, chain: Result<T, Error>) -> Result<T, Error> {
        let judged = chain
            .map_err(|error| self.untrusted(certificate, &error))
            .and_then(|accepted| Ok((accepted, self.name(certificate)?)));
        match judged {
            Ok((accepted, name)) => {
                // Only the first set counts; a handshake shows one certificate.
                let _ = self.verdict.peer.set(name);
                Ok(accepted)
            }
            Err(refusal) => {
                let mut slot = self.verdict.lock();
                *slot = Some(refusal.clone());
                drop(slot);
                // QUIC passes this error's text on to the other side.
                Err(Error::Other(OtherError(Arc::new(refusal))))
            }
        }
    }

    fn name(&self, certificate: &CertificateDer<'_>) -> Result<PeerName, Refusal> {
        let found = name::certificate_name(certificate).map_err(|e| Refusal::Unnamed { reason: e.to_string() })?;
        if found.cluster != self.cluster {
            return Err(Refusal::OtherCluster { expected: self.cluster.clone(), found: found.into() });
        }
        match &self.node {
            Some(expected) if *expected != found.node => {
                Err(Refusal::OtherNode { expected: expected.clone(), found: found.into() })
            }
            _ => Ok(found),
        }
    }

    fn untrusted(&self, certificate: &CertificateDer<'_>, error: &Error) -> Refusal {
        let claim = match name::certificate_name(certificate) {
            Ok(name) => name.to_string(),
            Err(_) => "nobody readable".to_owned(),
        };
        let reason = explained(error);
        Refusal::Untrusted { claim, cluster: self.cluster.clone(), reason }
    }
}

/// What is wrong with a certificate, in words: rustls mostly gives the names of its variants.
pub(crate) fn explained(error: &Error) -> String {
    let Error::InvalidCertificate(reason) = error else {
        return error.to_string();
    };
    match reason {
        // The latter is what comes of another authority for a cluster of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "another authority issued it".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            let seconds = time.as_secs().saturating_sub(not_after.as_secs());
            format!("it expired {} ago: have a new one issued", span(seconds))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let seconds = not_before.as_secs().saturating_sub(time.as_secs());
            format!("it becomes valid only in {}: check the clocks of both nodes", span(seconds))
        }
        CertificateError::Other(other) => other.to_string(),
        other => other.to_string(),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{seconds} s"),
        7_200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Verifies the node which was dialed.
#[derive(Debug)]
pub(crate) struct DialedVerifier {
    chain: Arc<WebPkiServerVerifier>,
    rules: Rules,
}

impl DialedVerifier {
    pub(crate) fn new(identity: &Identity, node: Option<&str>, verdict: Arc<Verdict>) -> Self {
        Self {
            chain: identity.dialed.clone(),
            rules: Rules { cluster: identity.name().cluster.clone(), node: node.map(str::to_owned), verdict },
        }
    }
}

impl ServerCertVerifier for DialedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        self.rules.judge(end_entity, chain)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Verifies a node which dials in.
#[derive(Debug)]
pub(crate) struct DialingVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    rules: Rules,
}

impl DialingVerifier {
    pub(crate) fn new(identity: &Identity, verdict: Arc<Verdict>) -> Self {
        Self::with(identity.dialing.clone(), &identity.name().cluster, verdict)
    }

    /// With an authority's verifier, for a cluster.
    pub(crate) fn with(chain: Arc<dyn ClientCertVerifier>, cluster: &str, verdict: Arc<Verdict>) -> Self {
        Self { chain, rules: Rules { cluster: cluster.to_owned(), node: None, verdict } }
    }
}

impl ClientCertVerifier for DialingVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = self.chain.verify_client_cert(end_entity, intermediates, now);
        self.rules.judge(end_entity, chain)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
