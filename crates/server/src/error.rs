//! Why a node does not start, or does not stop well.

use crate::config::ConfigError;
use anabranch::resolvers::NameTaken;
use anabranch::transport::CredentialError;
use anabranch::{NetworkError, OpenError};
use std::net::SocketAddr;

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration cannot be used. Nothing was touched.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificates cannot be used. Nothing was touched.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The certificate is another node's. Nothing was touched.
    #[error("the certificate is for {certificate}, the configuration for {configured} (cluster/region/node)")]
    WrongCertificate {
        /// Whom the certificate is for.
        certificate: String,
        /// Whom the configuration is for.
        configured: String,
    },
    /// A resolver of one's own has a name that is taken. Nothing was touched.
    #[error(transparent)]
    Resolver(#[from] NameTaken),
    /// HTTP elsewhere than on loopback, without leave.
    #[error(
        "HTTP at {0} could be reached from elsewhere, and nobody is asked for credentials yet: listen on loopback, or \
         say [http] insecure = true if the network itself keeps strangers out"
    )]
    Exposed(SocketAddr),
    /// The HTTP address cannot be listened at.
    #[error("cannot listen at {addr}: {source}")]
    Listen {
        /// The address.
        addr: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The data directory cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The node cannot take part in its cluster.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The store failed while the node ran.
    #[error("the store failed: the log says why; acknowledged writes are safe, start the node again")]
    StoreFailed,
    /// The operating system refused something.
    #[error("{0}")]
    System(String),
}
