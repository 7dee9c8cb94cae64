//! What a stranger's certificate reaches before anything is known of the stranger, for the bodies of fuzz targets
//! (`crates/fuzzing`). Compiled in only with the feature `fuzzing`.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::name::{self, NameError, PeerName};
use crate::verify::{DialingVerifier, Refusal, Verdict};

/// The name that a certificate states, whoever made it.
///
/// # Errors
/// [`NameError`]: it is no certificate, or states no name.
pub fn certificate_name(der: &[u8]) -> Result<PeerName, NameError> {
    name::certificate_name(&CertificateDer::from(der))
}

/// Whoever looks at the certificates of nodes that dial in.
#[derive(Debug)]
pub struct Doorkeeper {
    chain: Arc<dyn ClientCertVerifier>,
    cluster: String,
}

impl Doorkeeper {
    /// Lets in who has a certificate of that authority, for that cluster.
    ///
    /// # Panics
    /// When the authority's certificate is none.
    #[must_use]
    pub fn new(authority: &[u8], cluster: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority)).expect("an authority's certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Self { chain: chain.expect("a verifier"), cluster: cluster.to_owned() }
    }

    /// Whom a certificate lets in, at a time in seconds since 1970.
    ///
    /// # Errors
    /// Why nobody, where that is for people; the text that the other side hears, always.
    pub fn admit(&self, der: &[u8], seconds: u64) -> Result<PeerName, (Option<Refusal>, String)> {
        let verdict = Arc::new(Verdict::default());
        let verifier = DialingVerifier::with(self.chain.clone(), &self.cluster, verdict.clone());
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let admitted = verifier.verify_client_cert(&CertificateDer::from(der), &[], now);
        match admitted {
            Ok(_) => Ok(verdict.peer().expect("whoever is let in has a name")),
            Err(error) => Err((verdict.refusal(), error.to_string())),
        }
    }
}
