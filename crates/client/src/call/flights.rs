//! The attempts of a call that are under way: one, or two when a late read is asked of another replica as well.

use crate::channel::{CallError, Channel};
use anabranch_protocol::Reply;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

type Attempt = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;

/// One attempt.
pub(super) struct Flight {
    replica: String,
    channel: Option<Channel>,
    begun: Instant,
    attempt: Attempt,
}

/// What came of one.
pub(super) struct Landed {
    pub(super) replica: String,
    pub(super) channel: Option<Channel>,
    pub(super) took: Duration,
    pub(super) result: Result<Reply, CallError>,
}

impl Flight {
    /// Asks what `request` encodes, until `give_up`.
    pub(super) fn start(replica: String, channel: Option<Channel>, request: Vec<u8>, give_up: Instant) -> Self {
        let over = channel.clone();
        let attempt = async move {
            match over {
                Some(channel) => channel.call_encoded(request, give_up).await,
                None => Err(CallError::NotSent),
            }
        };
        Self { replica, channel, begun: Instant::now(), attempt: Box::pin(attempt) }
    }
}

#[derive(Default)]
pub(super) struct Flights {
    flights: Vec<Flight>,
}

impl Flights {
    pub(super) fn push(&mut self, flight: Flight) {
        self.flights.push(flight);
    }

    /// The first that lands. Never returns while none is under way. Cancel safe.
    pub(super) async fn next(&mut self) -> Landed {
        let flights = &mut self.flights;
        let (index, result) = poll_fn(|context| {
            for (index, flight) in flights.iter_mut().enumerate() {
                if let Poll::Ready(result) = flight.attempt.as_mut().poll(context) {
                    return Poll::Ready((index, result));
                }
            }
            Poll::Pending
        })
        .await;
        let Flight { replica, channel, begun, .. } = flights.swap_remove(index);
        Landed { replica, channel, took: begun.elapsed(), result }
    }

    /// The replicas that have not answered yet, and for how long.
    pub(super) fn under_way(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.flights.iter().map(|flight| (flight.replica.as_str(), flight.begun.elapsed()))
    }
}
