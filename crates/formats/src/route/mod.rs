//! Routes: how replies are made, said without a secret, and whether another device can make them so too (SPEC D4).

mod check;
mod host;
mod words;

use serde::{Deserialize, Serialize};

use crate::active_view::{NAME_MAX, cut_optional, json_len};

pub use crate::claude_code::{Variables, describe, find_local};
pub use check::{Local, ModelHere, RouteCheck, check};
pub use host::HostKind;
pub use words::failed_generation;

/// Most ways to be let in that a route names.
pub const NEEDS_MAX: usize = 8;

/// How a device makes replies. Says nothing that would let anybody in: no key, and no address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Over what.
    pub kind: RouteKind,
    /// Who lets one in: `anthropic`, `bedrock`, `vertex`, `foundry`, `gateway`, or `None` for a server of the person's own.
    pub provider: Option<String>,
    /// The model of the last answer.
    pub model: Option<String>,
    /// Any one of these is needed.
    pub needs: Vec<Need>,
    /// From where it can be used.
    pub reach: Reach,
    /// How many tokens fit into its context, if that is known.
    pub context_tokens: Option<u64>,
}

/// Over what replies are made. Words of a newer Segue are read as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// Somebody who passes requests on to models: a cloud platform or a gateway.
    Cloud,
    /// The maker of the model.
    Direct,
    /// A server in the person's own network, or on the device itself.
    Local,
    /// Another device of the person.
    Tunnel,
    /// Not known.
    #[serde(other)]
    Unknown,
}

/// What lets one in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A key.
    ApiKey,
    /// A sign-in to the provider.
    Login,
    /// Credentials of a cloud platform.
    CloudCredentials,
    /// Not known.
    #[serde(other)]
    Unknown,
}

/// From where a route can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// From anywhere.
    Any,
    /// From the source alone.
    SameDevice,
    /// From the source's network.
    SameLan,
    /// Not known.
    #[serde(other)]
    Unknown,
}

impl Route {
    /// A route of which nothing is known.
    pub fn unknown() -> Self {
        let (provider, model, context_tokens) = (None, None, None);
        Self { kind: RouteKind::Unknown, provider, model, needs: Vec::new(), reach: Reach::Unknown, context_tokens }
    }

    /// Cut to what an active view holds.
    pub(crate) fn cut(mut self) -> Self {
        cut_optional(&mut self.provider, NAME_MAX);
        cut_optional(&mut self.model, NAME_MAX);
        self
    }

    pub(crate) fn is_bounded(&self) -> bool {
        let name = |name: &Option<String>| name.as_deref().is_none_or(|name| json_len(name) <= NAME_MAX);
        name(&self.provider) && name(&self.model) && self.needs.len() <= NEEDS_MAX
    }
}
