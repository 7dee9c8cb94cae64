//! Sessions against remote replicas, over QUIC.
//!
//! A [`Client`] keeps a connection to each replica that it was given, learns how near and how fresh each is, and asks for
//! every call the one that suits. A [`Session`] carries what one user has read and written, so that this user never sees
//! time run backwards, whichever replica answers:
//!
//! ```no_run
//! # async fn example(identity: anabranch_transport::Identity) -> Result<(), Box<dyn std::error::Error>> {
//! use anabranch_client::Client;
//!
//! let client = Client::builder(identity)
//!     .replica(Some("eu-west"), "eu.example.com:7400")
//!     .replica(Some("us-east"), "us.example.com:7400")
//!     .connect()?;
//! let session = client.session();
//! session.write(|tx| tx.g_counter("likes").add("post:1", 1)).await?;
//! let likes = session.get_as::<i64>("likes", "post:1").await?;
//! assert_eq!(likes, Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! The decisions (which replica, when to ask again, when to ask another as well) are `anabranch-session`'s; here they are
//! carried out. [`Channel`] is the stream of requests underneath; nodes use it to pass requests on to each other.

mod builder;
mod call;
mod channel;
mod client;
mod error;
mod link;
mod options;
mod outcome;
mod replica;
mod session;
mod shared;
mod tx;
mod value;
mod with;

pub use anabranch_causality::{Context, Dot, Kind, SessionId, TokenError};
pub use anabranch_protocol::AckLevel as Ack;
pub use anabranch_resolvers::{Member, Operation};
pub use anabranch_session::{Guarantees, Role, SaveError};
pub use anabranch_transport::{Identity, Limits};
pub use builder::Builder;
pub use channel::{CallError, Channel, OpenError};
pub use client::{Client, ReplicaState};
pub use error::{ClientError, ConnectError};
pub use options::Options;
pub use session::Session;
pub use tx::{CartTx, CounterTx, SetTx, Tx};
pub use value::{Entry, Found, Page, Written};
pub use with::With;
