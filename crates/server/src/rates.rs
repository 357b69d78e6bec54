//! How often somebody may ask: a bucket for each device, and one for each address without a valid token.

use std::{net::IpAddr, num::NonZeroU32};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use segue_api::Code;
use segue_domain::{
    UserId,
    limits::{ANONYMOUS_REQUESTS_PART, REQUESTS_PER_LEASE},
};

use crate::{
    failure::Failure,
    principal::{Credential, Principal},
};

/// Buckets in memory. They measure the machine's monotonic time: a rate is about the machine, not about the records.
pub struct Rates {
    per_minute: u32,
    credentials: DefaultKeyedRateLimiter<(UserId, [u8; 16])>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    leases: DefaultKeyedRateLimiter<IpAddr>,
}

impl Rates {
    /// Buckets of `per_minute` requests for a device.
    pub fn new(per_minute: u32) -> Self {
        let quota = |requests| Quota::per_minute(NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN));
        Self {
            per_minute,
            credentials: RateLimiter::keyed(quota(per_minute)),
            addresses: RateLimiter::keyed(quota(per_minute / ANONYMOUS_REQUESTS_PART)),
            leases: RateLimiter::keyed(quota(per_minute / ANONYMOUS_REQUESTS_PART / REQUESTS_PER_LEASE)),
        }
    }

    /// Counts a request, or says when to come back.
    pub fn count(&self, principal: Option<&Principal>, address: IpAddr) -> Result<(), Failure> {
        let (full, most) = match principal {
            Some(principal) => (self.credentials.check_key(&key(principal)).err(), self.per_minute),
            None => (self.addresses.check_key(&network(address)).err(), self.per_minute / ANONYMOUS_REQUESTS_PART),
        };
        let Some(full) = full else { return Ok(()) };
        let wait = full.wait_time_from(DefaultClock::default().now());
        Err(Failure::later(Code::RateLimited, format!("More than {most} requests a minute."), wait.as_secs() + 1))
    }

    /// Counts an attempt to take a lease by a stranger: whoever tries nameplates by chance gets few of them.
    pub fn count_lease(&self, principal: Option<&Principal>, address: IpAddr) -> Result<(), Failure> {
        let refused = match principal {
            Some(_) => None,
            None => self.leases.check_key(&network(address)).err(),
        };
        let Some(full) = refused else { return Ok(()) };
        let wait = full.wait_time_from(DefaultClock::default().now());
        let most = self.per_minute / ANONYMOUS_REQUESTS_PART / REQUESTS_PER_LEASE;
        Err(Failure::later(Code::RateLimited, format!("More than {most} codes a minute."), wait.as_secs() + 1))
    }

    /// Forgets buckets that are full again, so that they do not pile up.
    pub fn forget_idle(&self) {
        self.credentials.retain_recent();
        self.addresses.retain_recent();
        self.leases.retain_recent();
    }
}

/// A device's bucket or a token's. Their random ids do not meet.
fn key(principal: &Principal) -> (UserId, [u8; 16]) {
    let id = match &principal.credential {
        Credential::Device { id, .. } => *id.as_bytes(),
        Credential::Token { id, .. } => *id.as_bytes(),
    };
    (principal.user, id)
}

/// Whoever has one IPv6 address has 2^64 of them: the network counts as one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_by_its_network() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("10.1.2.3"), "10.1.2.3");
        assert_eq!(network("::ffff:10.1.2.3"), "10.1.2.3");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn one_address_does_not_use_up_what_another_has() {
        let rates = Rates::new(10);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(rates.count(None, one).is_ok() && rates.count(None, one).is_ok());
        assert!(rates.count(None, one).is_err());
        assert!(rates.count(None, other).is_ok());
    }
}
