//! How many connections there may be: in all, and for one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rates::network;

/// Connections of each network that has any.
type Taken = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The places that connections take.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    taken: Taken,
    per_address: usize,
}

/// A connection's place; free again when dropped.
pub(crate) struct Place {
    _share: Option<Share>,
    _one_of_all: OwnedSemaphorePermit,
}

impl Place {
    /// The place of a connection on which many come.
    pub(crate) fn of_proxy(permit: OwnedSemaphorePermit) -> Self {
        Self { _share: None, _one_of_all: permit }
    }
}

/// One of those that an address may have; free again when dropped.
pub(crate) struct Share {
    network: IpAddr,
    taken: Taken,
}

impl Places {
    /// Places for `all` connections, `per_address` of one address.
    pub(crate) fn new(all: usize, per_address: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), taken: Taken::default(), per_address }
    }

    /// Waits until there is a place for another connection. Those who come meanwhile wait in the system's queue, where
    /// they use up no descriptor.
    pub(crate) async fn free(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.all).acquire_owned().await {
            Ok(permit) => permit,
            // Nobody closes this semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives the place to an address, unless it has all that one may have.
    pub(crate) fn take(&self, permit: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        self.share(address).map(|share| Place { _share: Some(share), _one_of_all: permit })
    }

    /// One of those that an address may have, unless it has all.
    pub(crate) fn share(&self, address: IpAddr) -> Option<Share> {
        let network = network(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(network).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(Share { network, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            // Addresses that have left must not pile up.
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn one_network_has_its_places_and_others_have_theirs() {
        let places = Places::new(10, 2);
        let first = places.take(places.free().await, address("2001:db8:1:2::1"));
        let second = places.take(places.free().await, address("2001:db8:1:2::2"));
        assert!(first.is_some() && second.is_some());
        assert!(places.take(places.free().await, address("2001:db8:1:2::3")).is_none());
        assert!(places.take(places.free().await, address("2001:db8:1:3::1")).is_some());
        drop(first);
        assert!(places.take(places.free().await, address("2001:db8:1:2::3")).is_some());
        drop(second);
        assert!(places.taken.lock().unwrap().is_empty(), "who has left is forgotten");
    }

    #[tokio::test]
    async fn when_all_places_are_taken_the_next_waits_for_one() {
        let places = Places::new(1, 1);
        let only = places.take(places.free().await, address("10.0.0.1")).unwrap();
        let mut next = Box::pin(places.free());
        assert!(futures::poll!(next.as_mut()).is_pending());
        drop(only);
        assert!(futures::poll!(next.as_mut()).is_ready());
    }
}
