//! With what is signed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::BuildError;

/// A signature algorithm with a public key (RFC 7518 §3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// `ES256`: ECDSA on P-256
    #[serde(rename = "ES256")]
    Es256,
    /// `RS256`: RSASSA-PKCS1-v1_5, keys of 2048 bits and more
    #[serde(rename = "RS256")]
    Rs256,
    /// `EdDSA`, on Ed25519
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SigningAlgorithm {
    pub(crate) const ALL: [Self; 3] = [Self::Es256, Self::Rs256, Self::EdDsa];

    /// The value of `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }

    #[cfg(feature = "jwt")]
    pub(super) fn backend(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// The inverse of its `Display`.
impl FromStr for SigningAlgorithm {
    type Err = BuildError;

    fn from_str(name: &str) -> Result<Self, BuildError> {
        let named = Self::ALL.into_iter().find(|it| it.as_str() == name);
        named.ok_or(BuildError::Setting("a signing algorithm"))
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
