//! What every 32-byte secret has in common: drawn or read back, zeroed on drop, printed as its name only.

/// Gives a newtype over `Zeroizing<[u8; 32]>` its constructors, its accessor and a `Debug` that tells nothing.
macro_rules! secret {
    ($name:ident) => {
        impl $name {
            /// Draws a fresh one.
            pub fn generate(rng: &mut dyn rand_core::CryptoRng) -> Self {
                let mut bytes = zeroize::Zeroizing::new([0; 32]);
                rng.fill_bytes(bytes.as_mut_slice());
                Self(bytes)
            }

            /// Reads one back from storage.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(zeroize::Zeroizing::new(bytes))
            }

            /// The bytes: for a key store and for nothing else.
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        $crate::secret::redacted!($name);
    };
}

/// A `Debug` that prints the name and no byte.
macro_rules! redacted {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

pub(crate) use {redacted, secret};
