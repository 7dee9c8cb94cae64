//! TLS settings for both sides of a connection, one set per handshake.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, ServerConfig, TransportConfig};
use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;

use crate::identity::Identity;
use crate::limits::Limits;
use crate::verify::{DialedVerifier, DialingVerifier, Verdict};

/// The application protocol; a peer which speaks another one is turned away.
const ALPN: &[u8] = b"anabranch/1";

/// Settings to dial with. `node` is who must answer.
pub(crate) fn dial(
    identity: &Identity,
    transport: Arc<TransportConfig>,
    node: Option<&str>,
    verdict: Arc<Verdict>,
) -> Result<ClientConfig, String> {
    let own = Arc::new(SingleCertAndKey::from(identity.own.clone()));
    let verifier = Arc::new(DialedVerifier::new(identity, node, verdict));
    let mut tls = rustls::ClientConfig::builder_with_provider(identity.provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(own);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_early_data = false;
    let quic = QuicClientConfig::try_from(tls).map_err(|e| e.to_string())?;
    let mut config = ClientConfig::new(Arc::new(quic));
    config.transport_config(transport);
    Ok(config)
}

/// The TLS part of the settings to answer one handshake with.
pub(crate) fn answer(identity: &Identity, verdict: Arc<Verdict>) -> Result<Arc<QuicServerConfig>, String> {
    let own = Arc::new(SingleCertAndKey::from(identity.own.clone()));
    let verifier = Arc::new(DialingVerifier::new(identity, verdict));
    let mut tls = rustls::ServerConfig::builder_with_provider(identity.provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| e.to_string())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(own);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.max_early_data_size = 0;
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    let quic = QuicServerConfig::try_from(tls).map_err(|e| e.to_string())?;
    Ok(Arc::new(quic))
}

/// Settings for an endpoint; each handshake replaces the TLS part by its own [`answer`].
pub(crate) fn listen(
    identity: &Identity,
    limits: &Limits,
    transport: Arc<TransportConfig>,
) -> Result<ServerConfig, String> {
    // How much quinn keeps of handshakes it has not yet been told to answer; that takes microseconds.
    const WAITING_BYTES: u64 = 16 * 1024;
    const WAITING_BYTES_TOTAL: u64 = 4 * 1024 * 1024;
    let mut config = ServerConfig::with_crypto(answer(identity, Arc::default())?);
    config
        .transport_config(transport)
        .migration(false)
        .max_incoming(limits.max_handshakes)
        .incoming_buffer_size(WAITING_BYTES)
        .incoming_buffer_size_total(WAITING_BYTES_TOTAL);
    Ok(config)
}
