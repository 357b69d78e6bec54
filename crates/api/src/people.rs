//! People, as others may find them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks who has an address. In a body, so that no log of paths has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// Their address.
    pub email: String,
}
