//! Mutually authenticated QUIC between the nodes of a cluster.
//!
//! This crate moves bytes between nodes and knows nothing of what they mean. It has four parts:
//!
//! * **Credentials** ([`CertificateAuthority`], [`NodeCertificate`], [`Identity`]): every cluster
//!   has its own authority, and a node is who its certificate says it is: the certificate holds
//!   the URI `anabranch://CLUSTER/REGION/NODE` ([`PeerName`]). Addresses identify nobody.
//! * **Connections** ([`Endpoint`], [`Connection`]): QUIC with TLS 1.3 only, certificates required
//!   on both sides, no 0-RTT, no session resumption and no migration, so every connection has
//!   verified both certificates. Whoever holds no certificate of the cluster's authority is turned
//!   away during the handshake. A dial succeeds only after the other side has accepted the
//!   dialer's certificate, at the price of one more round trip.
//! * **Frames** ([`FrameSender`], [`FrameReceiver`]): length-prefixed messages on a bidirectional
//!   stream. On the wire a frame is its length as a little-endian `u32`, then that many bytes.
//! * **A simulated WAN** ([`WanLink`]): a relay on loopback which delays, loses, repeats and
//!   reorders datagrams, and can be cut in either direction.
//!
//! Everything a peer can make this crate hold in memory is bounded by [`Limits`].
//!
//! Nothing is installed globally: the cryptography provider (ring) is passed explicitly.

mod accept;
mod certs;
mod connection;
mod dial;
mod endpoint;
mod files;
mod frames;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod identity;
mod limits;
mod name;
mod tls;
mod verify;
mod wan;

pub use accept::AcceptError;
pub use certs::{CertificateAuthority, NodeCertificate};
pub use connection::{CloseReason, Connection, Traffic};
pub use dial::DialError;
pub use endpoint::{BindError, Endpoint};
pub use files::CredentialError;
pub use frames::{FrameReceiver, FrameSender, RecvError, SendError};
pub use identity::Identity;
pub use limits::{Congestion, Limits};
pub use name::{NameError, PeerName};
pub use verify::Refusal;
pub use wan::{Direction, LinkProfile, LinkStats, WanError, WanLink};

#[cfg(test)]
mod tests;
