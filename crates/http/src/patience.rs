//! Waiting, but not for ever.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// The work's outcome, if it is there when it is looked at for the first or the second time.
pub(crate) async fn at_once<T>(mut work: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    let mut has_waited = false;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if has_waited => Poll::Ready(None),
        Poll::Pending => {
            has_waited = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// As `tokio::time::timeout`, for work that is nearly always done when it is looked at a second time, which is when a
/// body that came with its head has been read: no timer is set before.
pub(crate) async fn within<T>(
    patience: Duration,
    mut work: Pin<&mut (impl Future<Output = T> + ?Sized)>,
) -> Option<T> {
    match at_once(work.as_mut()).await {
        Some(done) => Some(done),
        None => tokio::time::timeout(patience, work).await.ok(),
    }
}
