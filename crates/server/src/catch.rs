//! A panic while answering one request is that request's failure only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The request's task panicked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;

/// A future whose panics are answers.
pub(crate) struct Catch<F> {
    inner: Pin<Box<F>>,
}

impl<F: Future> Catch<F> {
    pub(crate) fn new(inner: F) -> Self {
        Self { inner: Box::pin(inner) }
    }
}

impl<F: Future> Future for Catch<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // After a panic the inner future is dropped without being polled again: no broken state is seen.
        let polled = catch_unwind(AssertUnwindSafe(|| self.inner.as_mut().poll(context)));
        match polled {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panics_are_caught_values_pass() {
        assert!(matches!(Catch::new(async { 7 }).await, Ok(7)));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("a test's panic")
        };
        assert!(Catch::new(panics).await.is_err());
    }
}
