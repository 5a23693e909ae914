//! Bounds the memory that one tenant's large requests and unread answers take up.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use claviger_domain::actor::Owner;
use http_body::{Frame, SizeHint};

use crate::fault::Fault;

/// Bytes of large bodies and answers that one tenant may have in flight.
pub(crate) const MOST: usize = 32 << 20;
/// Bodies up to this size are not counted: a connection's buffers are about as large.
pub(crate) const SMALL: usize = 16 << 10;
/// Large answers are handed over in pieces, so that a connection never buffers a whole one beside it.
const PIECE: usize = 16 << 10;

/// The bytes in flight of each tenant.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_owner: Mutex<HashMap<Owner, usize>>,
    /// Of all tenants: while it is 0, which is nearly always, nobody needs the lock.
    total: AtomicUsize,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.by_owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, owner: Owner, from: usize, to: usize, most: usize) -> Result<(), Fault> {
        if from == to {
            return Ok(());
        }
        let mut by_owner = self.lock();
        let count = by_owner.entry(owner).or_default();
        let after = (*count - from).saturating_add(to);
        if to > from && after > most {
            if *count == 0 {
                by_owner.remove(&owner);
            }
            return Err(Fault::TooMuchInFlight { most });
        }
        *count = after;
        if after == 0 {
            by_owner.remove(&owner);
        }
        match to.checked_sub(from) {
            Some(more) => self.total.fetch_add(more, Ordering::Relaxed),
            None => self.total.fetch_sub(from - to, Ordering::Relaxed),
        };
        Ok(())
    }
}

impl InFlight {
    /// Counts `bytes` for `owner` until the returned value is dropped.
    ///
    /// # Errors
    /// [`Fault::TooMuchInFlight`] when the tenant would have more than [`MOST`].
    pub(crate) fn hold(&self, owner: Owner, bytes: usize) -> Result<Held, Fault> {
        let mut held = Held { counts: self.0.clone(), owner, bytes: 0 };
        held.grow_to(bytes)?;
        Ok(held)
    }

    /// As [`hold`](Self::hold), without a limit: for an answer to a call that has been decided.
    pub(crate) fn hold_anyway(&self, owner: Owner, bytes: usize) -> Held {
        let mut held = Held { counts: self.0.clone(), owner, bytes: 0 };
        held.set(bytes);
        held
    }

    /// Checks that the tenant has not reached its limit.
    ///
    /// # Errors
    /// [`Fault::TooMuchInFlight`] when it has.
    pub(crate) fn admits(&self, owner: Owner) -> Result<(), Fault> {
        if self.0.total.load(Ordering::Relaxed) < MOST {
            return Ok(());
        }
        match self.of(owner) >= MOST {
            true => Err(Fault::TooMuchInFlight { most: MOST }),
            false => Ok(()),
        }
    }

    /// The bytes that are counted for `owner`.
    pub(crate) fn of(&self, owner: Owner) -> usize {
        self.0.lock().get(&owner).copied().unwrap_or_default()
    }
}

/// Bytes that are counted for a tenant until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    counts: Arc<Counts>,
    owner: Owner,
    bytes: usize,
}

impl Held {
    /// Counts at least `bytes` from now on.
    ///
    /// # Errors
    /// [`Fault::TooMuchInFlight`]: then as many are counted as before.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Fault> {
        let bytes = bytes.max(self.bytes);
        self.counts.change(self.owner, self.bytes, bytes, MOST)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Counts `bytes` from now on, whatever the limit.
    pub(crate) fn set(&mut self, bytes: usize) {
        if self.counts.change(self.owner, self.bytes, bytes, usize::MAX).is_ok() {
            self.bytes = bytes;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A large answer, which counts as in flight until it has been handed to the connection or is given up.
pub(crate) fn answer(body: Vec<u8>, mut held: Held) -> Response {
    held.set(body.len());
    Response::new(Body::new(Pieces { rest: body.into(), _held: held }))
}

struct Pieces {
    rest: Bytes,
    _held: Held,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.rest.len().min(PIECE);
        Poll::Ready((piece > 0).then(|| Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody;
    use claviger_domain::ids::OrganizationId;
    use http_body_util::BodyExt;
    use uuid::Uuid;

    use super::*;

    fn tenant(n: u128) -> Owner {
        Owner::Organization(OrganizationId::from_uuid(Uuid::from_u128(n)))
    }

    #[test]
    fn one_tenant_reaches_its_limit_and_another_does_not_notice() {
        let in_flight = InFlight::default();
        let mut half = in_flight.hold(tenant(1), MOST / 2).unwrap();
        let rest = in_flight.hold(tenant(1), MOST - MOST / 2).unwrap();
        assert!(in_flight.hold(tenant(1), 1).is_err());
        assert!(in_flight.admits(tenant(1)).is_err());
        assert!(in_flight.admits(tenant(2)).is_ok());
        drop(in_flight.hold(tenant(2), MOST).unwrap());
        drop(rest);
        assert!(in_flight.admits(tenant(1)).is_ok());
        assert!(half.grow_to(MOST + 1).is_err());
        assert_eq!(in_flight.of(tenant(1)), MOST / 2, "as before");
        half.set(3);
        assert_eq!(in_flight.of(tenant(1)), 3);
        drop(half);
        assert!(in_flight.0.lock().is_empty(), "nobody is remembered who holds nothing");
        assert_eq!(in_flight.0.total.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn an_answer_counts_until_it_is_read_or_dropped() {
        let in_flight = InFlight::default();
        let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let held = in_flight.hold(tenant(1), 1).unwrap();
        let response = answer(body.clone(), held);
        assert_eq!(in_flight.of(tenant(1)), 100_000);
        assert_eq!(response.body().size_hint().exact(), Some(100_000));
        let mut unread = response.into_body();
        let first = unread.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((first.len(), in_flight.of(tenant(1))), (PIECE, 100_000));
        drop(unread);
        assert_eq!(in_flight.of(tenant(1)), 0);
        let whole = answer(body.clone(), in_flight.hold(tenant(1), 0).unwrap()).into_body();
        assert_eq!(whole.collect().await.unwrap().to_bytes(), body);
        assert_eq!(in_flight.of(tenant(1)), 0);
    }
}
