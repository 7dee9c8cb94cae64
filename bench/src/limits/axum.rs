//! An axum server whose handlers do nothing: what any request over HTTP costs.

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A server in this process, with a runtime of its own. Ends when dropped.
pub struct Empty {
    addr: SocketAddr,
    _runtime: Runtime,
}

impl Empty {
    /// Answers GET and PUT at `path` with an empty body, when it has read what came.
    pub fn start(path: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let routes = Router::new().route(path, get(|| async {}).put(|_: Bytes| async {}));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let addr = listener.local_addr()?;
        let listener = listener.tap_io(|stream| {
            // A system that refuses is only slower.
            let _ = stream.set_nodelay(true);
        });
        runtime.spawn(async { axum::serve(listener, routes).await });
        Ok(Self { addr, _runtime: runtime })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
