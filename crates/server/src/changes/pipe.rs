//! A way for pieces of an answer, one at a time: whoever makes them waits until the last was taken.

use bytes::Bytes;
use hyper::body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// Why a piece was not put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nobody takes any more.
    Gone,
    /// The last piece was not taken in time.
    Slow,
}

/// The end where pieces go in; without it the answer is over.
pub(crate) struct Inlet(Arc<Pipe>);

/// The end where they come out: the body of an answer.
pub(crate) struct Outlet(Arc<Pipe>);

#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
    /// Told when a piece was taken, or nobody takes any more.
    taken: Notify,
}

#[derive(Default)]
struct State {
    piece: Option<Bytes>,
    over: bool,
    gone: bool,
    waker: Option<Waker>,
}

pub(crate) fn pipe() -> (Inlet, Outlet) {
    let pipe = Arc::<Pipe>::default();
    (Inlet(pipe.clone()), Outlet(pipe))
}

impl Pipe {
    /// A panic of another thread leaves it whole: each change to it is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inlet {
    /// Puts a piece in once the last was taken.
    pub(crate) async fn put(&self, piece: Bytes) -> Result<(), Refused> {
        self.taken().await?;
        self.replace(piece);
        Ok(())
    }

    /// Puts a piece in instead of the last, if that was not taken.
    pub(crate) fn replace(&self, piece: Bytes) {
        let mut state = self.0.lock();
        state.piece = Some(piece);
        wake(state);
    }

    /// Returns when there is no piece in it.
    pub(crate) async fn taken(&self) -> Result<(), Refused> {
        loop {
            {
                let state = self.0.lock();
                if state.gone {
                    return Err(Refused::Gone);
                }
                if state.piece.is_none() {
                    return Ok(());
                }
            }
            // There is one who waits: what it was told in between is kept for it.
            self.0.taken.notified().await;
        }
    }

    /// Returns when nobody takes any more.
    pub(crate) async fn gone(&self) {
        while !self.0.lock().gone {
            self.0.taken.notified().await;
        }
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.over = true;
        wake(state);
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.gone, state.piece) = (true, None);
        drop(state);
        self.0.taken.notify_one();
    }
}

impl Body for Outlet {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = self.0.lock();
        if let Some(piece) = state.piece.take() {
            drop(state);
            self.0.taken.notify_one();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if state.over {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::time::Duration;

    #[tokio::test]
    async fn pieces_come_out_in_order_and_then_the_end() {
        let (inlet, mut outlet) = pipe();
        let putting = tokio::spawn(async move {
            for n in 0..100u8 {
                inlet.put(vec![n].into()).await.expect("taken");
            }
        });
        for n in 0..100u8 {
            let frame = outlet.frame().await.expect("a frame").expect("infallible");
            assert_eq!(frame.into_data().expect("data"), vec![n]);
        }
        putting.await.expect("done");
        assert!(outlet.frame().await.is_none());
    }

    #[tokio::test]
    async fn one_piece_waits_and_can_be_replaced() {
        let (inlet, mut outlet) = pipe();
        inlet.put("a".into()).await.expect("room");
        assert!(tokio::time::timeout(Duration::from_millis(20), inlet.put("b".into())).await.is_err(), "not taken");
        inlet.replace("lagged".into());
        drop(inlet);
        let frame = outlet.frame().await.expect("a frame").expect("infallible");
        assert_eq!(frame.into_data().expect("data"), "lagged");
        assert!(outlet.frame().await.is_none());
    }

    #[tokio::test]
    async fn who_goes_is_noticed() {
        let (inlet, outlet) = pipe();
        inlet.put("a".into()).await.expect("room");
        drop(outlet);
        inlet.gone().await;
        assert_eq!(inlet.put("b".into()).await, Err(Refused::Gone));
    }
}
