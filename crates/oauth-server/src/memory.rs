//! Contexts in memory: for tests, demonstrations, and servers whose tokens need not outlive them.
//!
//! Whatever a context does to a record happens under one lock, which is never held across an
//! await. `dump` shows what is stored, so that a test can prove that it is hashes only.

mod access_tokens;
mod arena;
mod authorization_codes;
mod clients;
pub(crate) mod device_codes;
mod expiring;
pub(crate) mod jwt_ids;
mod kept_token;
mod places;
pub(crate) mod pushed_requests;
mod resource_owners;
mod scopes;
mod shards;

pub use access_tokens::MemoryAccessTokens;
pub use authorization_codes::MemoryAuthorizationCodes;
pub use clients::MemoryClients;
pub use device_codes::MemoryDeviceCodes;
#[cfg(feature = "pages")]
pub(crate) use expiring::Expiring;
pub use jwt_ids::MemoryJwtIds;
pub use pushed_requests::MemoryPushedRequests;
pub use resource_owners::MemoryResourceOwners;
pub use scopes::MemoryScopes;

/// How long codes are remembered past their end, so that a replay is still recognised.
pub(crate) const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(600);

/// How many ended records one issuance clears away: more than it adds, and quickly done.
pub(crate) const BATCH: usize = 16;
