//! The native protocol: requests on streams of QUIC, of clients and of other nodes on behalf of theirs.

mod answer;
mod handle;
mod pending;
mod stream;
mod writes;

use crate::app::App;
use anabranch::Serve;
use std::sync::{Arc, Weak};

/// Answers streams of requests for as long as the server lives. Must be called inside a tokio runtime, which does the work.
pub(crate) fn serve(app: &Arc<App>) -> Serve {
    let (app, runtime): (Weak<App>, _) = (Arc::downgrade(app), tokio::runtime::Handle::current());
    Arc::new(move |asker, sender, receiver| {
        runtime.spawn(stream::run(app.clone(), asker, sender, receiver));
    })
}
