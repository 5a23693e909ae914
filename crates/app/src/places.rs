//! Bounds on what one tenant may have under way at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use claviger_domain::ids::OrganizationId;

type Taken = Mutex<HashMap<Option<OrganizationId>, usize>>;

/// Concurrency limiter for each tenant. It never waits.
#[derive(Debug)]
pub(crate) struct Places {
    per_tenant: usize,
    taken: Arc<Taken>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    tenant: Option<OrganizationId>,
    taken: Arc<Taken>,
}

impl Places {
    pub(crate) fn new(per_tenant: usize) -> Self {
        Self { per_tenant, taken: Arc::default() }
    }

    /// A place for `tenant` (`None`: the operator); `None` when it holds as many as it may.
    pub(crate) fn take(&self, tenant: Option<OrganizationId>) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(tenant).or_default();
        if *count >= self.per_tenant {
            return None;
        }
        *count += 1;
        Some(Place { tenant, taken: self.taken.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_its_places_and_gets_them_back() {
        let places = Places::new(2);
        let first = places.take(None);
        let second = places.take(None);
        assert!(first.is_some() && second.is_some() && places.take(None).is_none());
        let other = Some(OrganizationId::from_uuid(uuid::Uuid::from_u128(1)));
        assert!(places.take(other).is_some());
        drop(first);
        assert!(places.take(None).is_some());
        drop(second);
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is kept of those that hold none");
    }
}
