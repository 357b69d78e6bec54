//! Who asks.

use segue_domain::{DeviceId, Plan, Scope, TokenId, UserId};

/// A person, and by what they ask.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The person.
    pub user: UserId,
    /// By what they ask.
    pub credential: Credential,
    /// Whether the person may vouch and administer.
    pub owner: bool,
    /// Whether the person's address is known to be theirs.
    pub email_verified: bool,
    /// The person's own plan; the server's when there is none.
    pub plan: Option<Plan>,
    /// Number of the newest event of the person's devices.
    pub device_events: i64,
}

/// What a person asks by.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A device that has joined.
    Device {
        /// Which.
        id: DeviceId,
        /// Its public key.
        key: [u8; 32],
    },
    /// A personal access token.
    Token {
        /// Which.
        id: TokenId,
        /// What it may be used for.
        scopes: Vec<Scope>,
    },
}

impl Principal {
    /// The public key that this principal signs with; tokens sign nothing.
    pub fn device_key(&self) -> Option<[u8; 32]> {
        if let Credential::Device { key, .. } = self.credential { Some(key) } else { None }
    }

    /// The device that asks; no token is one.
    pub fn device_id(&self) -> Option<DeviceId> {
        if let Credential::Device { id, .. } = self.credential { Some(id) } else { None }
    }

    /// Who acts, as the audit log says it.
    pub fn actor(&self) -> Actor {
        let kind = if let Credential::Token { .. } = self.credential { "token" } else { "user" };
        Actor { user: self.user, kind }
    }
}

/// Who caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub user: UserId,
    /// `user`, or `token` when a personal access token of theirs did it.
    pub kind: &'static str,
}
