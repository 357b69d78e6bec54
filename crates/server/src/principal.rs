//! Who asks.

use segue_domain::{DeviceId, Plan, UserId};

/// A device of a person, shown by its token.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The person.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// The device's public key.
    pub device_key: [u8; 32],
    /// Whether the person may vouch and administer.
    pub owner: bool,
    /// Whether the person's address is known to be theirs.
    pub email_verified: bool,
    /// The person's own plan; the server's when there is none.
    pub plan: Option<Plan>,
}
