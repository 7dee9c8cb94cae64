//! QUIC and TLS as our own transport would never speak them, and certificates that `anabranch cert` would never issue.

use super::Target;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

pub(super) const ALPN: &[u8] = b"anabranch/1";
const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate and its key, both PEM.
pub(super) struct Papers {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Papers {
    /// Those of a node that has some, or of the authority itself.
    pub(super) fn load(certs: &Path, name: &str) -> Self {
        let read = |file: String| std::fs::read_to_string(certs.join(file)).expect("a file");
        Self { certificate: read(format!("{name}.pem")), key: read(format!("{name}.key")) }
    }

    /// Issues what an authority's key can sign: a node's certificate, changed.
    pub(super) fn issue(authority: &Self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name.push(DnType::CommonName, "Anabranch authority of shop");
        let issuer = Issuer::new(issuer, KeyPair::from_pem(&authority.key).expect("a key"));
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "somebody");
        params.subject_alt_names = vec![SanType::DnsName("anabranch.node".try_into().expect("ASCII")), uri(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
        Self { certificate, key: key.serialize_pem() }
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("a certificate")
    }
}

/// The name that a certificate states.
pub(super) fn uri(name: &str) -> SanType {
    SanType::URI(format!("anabranch://{name}").try_into().expect("ASCII"))
}

/// Somebody at the node's door.
pub(super) struct Stranger {
    pub(super) runtime: Runtime,
    pub(super) endpoint: Endpoint,
    config: quinn::ClientConfig,
    target: SocketAddr,
}

impl Stranger {
    /// It trusts the cluster's authority, shows those papers, if any, and speaks these protocols.
    pub(super) fn new(target: &Target, papers: Option<&Papers>, protocols: &[&[u8]]) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let certs = target.cluster.dir().join("certs");
        roots.add(Papers::load(&certs, "ca").certificate()).expect("an authority");
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
        let tls = tls.expect("TLS 1.3").with_root_certificates(roots);
        let mut tls = match papers {
            None => tls.with_no_client_auth(),
            Some(papers) => {
                let key = PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).expect("a key");
                tls.with_client_auth_cert(vec![papers.certificate()], key).expect("papers")
            }
        };
        tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // It would send before the node knows it, and wander, if it were let.
        tls.enable_early_data = true;
        let quic = QuicClientConfig::try_from(tls).expect("settings");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let endpoint = {
            let _inside = runtime.enter();
            Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port")
        };
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target.quic()));
        Self { runtime, endpoint, config: quinn::ClientConfig::new(Arc::new(quic)), target }
    }

    /// Begins to connect, there or elsewhere.
    pub(super) fn begin(&self, elsewhere: Option<SocketAddr>) -> quinn::Connecting {
        let _inside = self.runtime.enter();
        let target = elsewhere.unwrap_or(self.target);
        self.endpoint.connect_with(self.config.clone(), target, "anabranch.node").expect("settings")
    }

    /// Whether the node lets it in, which it says with one byte: a handshake of TLS 1.3 ends before.
    pub(super) fn knocks(&self) -> Result<Connection, ConnectionError> {
        let connecting = self.begin(None);
        let knocking = async {
            let connection = connecting.await?;
            let mut welcome = [0];
            let heard = connection.accept_uni().await?.read_exact(&mut welcome).await;
            assert!(heard.is_ok() && welcome == [1], "{heard:?} {welcome:?}");
            Ok(connection)
        };
        self.within(knocking)
    }

    /// What comes of something, which must be soon.
    #[track_caller]
    pub(super) fn within<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await }).expect("in time")
    }
}
