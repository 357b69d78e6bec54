//! OWK, the owner key: locks bundle keys for their own holder.

use zeroize::Zeroizing;

use crate::secret::secret;

/// The symmetric key of one epoch that own-wraps are made with (see [`crate::wrap`]).
#[derive(Clone)]
pub struct OwnerKey(Zeroizing<[u8; 32]>);

secret!(OwnerKey);
