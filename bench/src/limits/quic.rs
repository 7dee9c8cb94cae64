//! QUIC by itself: quinn on loopback with its own defaults, both ends in this process, each on two threads of its own.

use anyhow::Context as _;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const NAME: &str = "bench";

/// Pieces of so many bytes per second, each written by itself, until the other end has read the last.
pub fn pieces(bytes: usize, length: Duration) -> anyhow::Result<f64> {
    let Ends { near, far, dialled, accepted } = ends()?;
    let receiving = far.spawn(async move {
        let mut stream = accepted.accept_uni().await?;
        let mut read = 0u64;
        while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
            read += chunk.bytes.len() as u64;
        }
        anyhow::Ok(read)
    });
    let (start, piece) = (Instant::now(), vec![0x5a; bytes]);
    near.block_on(async {
        let mut stream = dialled.open_uni().await?;
        while start.elapsed() < length {
            stream.write_all(&piece).await?;
        }
        stream.finish()?;
        anyhow::Ok(())
    })?;
    let read = near.block_on(receiving)??;
    Ok(read as f64 / bytes as f64 / start.elapsed().as_secs_f64())
}

/// The median time for so many bytes to go there and come back on an open stream, over that many times.
pub fn round_trip(bytes: usize, times: u64) -> anyhow::Result<Duration> {
    let Ends { near, far, dialled, accepted } = ends()?;
    far.spawn(async move {
        let (mut answers, mut asks) = accepted.accept_bi().await?;
        let mut buffer = vec![0; bytes];
        while asks.read_exact(&mut buffer).await.is_ok() {
            answers.write_all(&buffer).await?;
        }
        anyhow::Ok(())
    });
    near.block_on(async {
        let (mut asks, mut answers) = dialled.open_bi().await?;
        let mut buffer = vec![0x5a; bytes];
        let mut taken = Vec::new();
        for _ in 0..times {
            let start = Instant::now();
            asks.write_all(&buffer).await?;
            answers.read_exact(&mut buffer).await?;
            taken.push(start.elapsed());
        }
        taken.sort_unstable();
        taken.get(taken.len() / 2).copied().context("no round trip was made")
    })
}

/// Two connected ends.
struct Ends {
    near: Runtime,
    far: Runtime,
    dialled: Connection,
    accepted: Connection,
}

fn ends() -> anyhow::Result<Ends> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let (near, far) = (runtime()?, runtime()?);
    let issued = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
    let certificate = issued.cert.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());

    let server = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let server = server.with_no_client_auth().with_single_cert(vec![certificate.clone()], key)?;
    let server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate)?;
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client)?));

    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listening = far.block_on(async { Endpoint::server(server, any) })?;
    let target = listening.local_addr()?;
    let accepting = far.spawn(async move {
        let incoming = listening.accept().await.context("the endpoint was closed")?;
        anyhow::Ok(incoming.await?)
    });
    let dialled = near.block_on(async {
        let dialling = Endpoint::client(any)?;
        anyhow::Ok(dialling.connect_with(client, target, NAME)?.await?)
    })?;
    let accepted = near.block_on(accepting)??;
    Ok(Ends { near, far, dialled, accepted })
}
