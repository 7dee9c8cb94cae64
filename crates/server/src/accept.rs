//! Connections: how many, how long, and how they end.

use crate::app::{App, HttpConfig};
use crate::changes::{HangUp, Readers};
use crate::error::ServerError;
use crate::forward::Links;
use crate::last_token::LastToken;
use crate::metrics::Metrics;
use crate::reads::Reads;
use crate::{routes, serve};
use anabranch::{Database, Network};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// The most bytes in the head of a request: room for a context and several tokens.
const MAX_HEAD: usize = 64 << 10;
/// How long to wait after the system could not accept a connection (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection too many is told. It has no request yet, so the answer names none.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nconnection: close\r\n\
    content-type: application/problem+json\r\n\r\n\
    {\"code\":\"too-many-requests\",\"detail\":\"too many connections\",\"status\":429,\
    \"title\":\"Too many requests are waiting\",\"type\":\"/problems/too-many-requests\"}";

/// An HTTP server that runs until it is stopped or dropped.
pub struct HttpServer {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    drain: Duration,
}

impl HttpServer {
    /// The address that it listens at.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts no more, lets requests under way finish for a while, then closes all connections.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // The task drains for as long as it may, and a little for what it does besides.
        let most = self.drain + Duration::from_millis(500);
        if tokio::time::timeout(most, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a database over HTTP: the API, metrics, health. Must be called inside a tokio runtime.
///
/// # Errors
/// [`ServerError`] when the listener is not on loopback and [`HttpConfig::insecure`] does not allow that.
pub fn serve_http(
    database: Database,
    network: Option<Arc<Network>>,
    listener: TcpListener,
    config: HttpConfig,
) -> Result<HttpServer, ServerError> {
    let addr = listener.local_addr().map_err(|source| ServerError::Listen { addr: "HTTP".to_owned(), source })?;
    check_exposure(addr, &config)?;
    let (stop, stopped) = watch::channel(false);
    let app = Arc::new(App {
        conflicts: Arc::default(),
        readers: Readers::new(&config, stopped.clone()),
        links: Links::default(),
        reads: Reads::default(),
        last_token: LastToken::default(),
        metrics: Metrics::new(&database),
        database,
        network,
        started: Instant::now(),
        loopback: addr.ip().is_loopback().then(|| addr.ip()),
        config,
    });
    if let Some(network) = &app.network {
        network.answer(crate::native::serve(&app));
    }
    let drain = app.config.drain_timeout;
    let task = tokio::spawn(accept(app, listener, stopped));
    Ok(HttpServer { addr, stop, task, drain })
}

/// Without credentials, whoever reaches the port may read and write everything.
pub(crate) fn check_exposure(addr: SocketAddr, config: &HttpConfig) -> Result<(), ServerError> {
    if addr.ip().is_loopback() || config.insecure { Ok(()) } else { Err(ServerError::Exposed(addr)) }
}

async fn accept(app: Arc<App>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let router = routes::router(app.clone());
    let places = Arc::new(Semaphore::new(app.config.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = told(&mut stopped) => break,
        };
        match (accepted, places.clone().try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                connections.spawn(connection(app.clone(), router.clone(), stream, place, stopped.clone()));
            }
            (Ok((stream, _)), Err(_)) => refuse(&stream),
            (Err(error), _) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(app.config.drain_timeout, drained).await.is_err() {
        tracing::info!(connections = connections.len(), "requests still under way are cut off");
    }
}

/// Done when the server is to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // A server that is gone is stopped, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Says no without waiting for anything.
fn refuse(stream: &TcpStream) {
    // A client that does not read it is refused all the same.
    let _ = stream.try_write(TOO_MANY);
}

async fn connection(
    app: Arc<App>,
    router: Router,
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and awaited; a system that refuses is only slower.
    let _ = stream.set_nodelay(true);
    let hang_up = HangUp::default();
    let service = {
        let (app, hang_up) = (app.clone(), hang_up.clone());
        service_fn(move |mut request: Request<Incoming>| {
            let (app, router) = (app.clone(), router.clone());
            request.extensions_mut().insert(hang_up.clone());
            async move { Ok::<_, Infallible>(serve::serve(app, router, request.map(Body::new)).await) }
        })
    };
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(app.config.header_timeout).max_buf_size(MAX_HEAD);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = hang_up.0.notified() => return,
        () = told(&mut stopped) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
