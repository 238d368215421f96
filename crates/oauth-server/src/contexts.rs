//! What the server needs from the application's storage.
//!
//! Each context has an implementation in [`memory`](crate::memory). What must not happen twice
//! (redeeming a code, rotating a refresh token) is one atomic call, so that a database can make
//! it one transaction.

use std::{fmt, time::SystemTime};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::{
    AccessTokenRecord, AuthorizationCodeRecord, Client, ContextError, DeviceCodeRecord, GrantId,
    PushedRequestRecord, RefreshTokenRecord, Scope, ScopeRecord, TokenHash,
};

/// The registered clients.
#[async_trait]
pub trait Clients: fmt::Debug + Send + Sync {
    /// The client with this id.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn get(&self, client_id: &str) -> Result<Option<Client>, ContextError>;
}

/// What became of a refresh token that was to be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// The new tokens are stored; if a successor came with them, the old one is consumed.
    Done,
    /// It had been consumed before; nothing was stored.
    Consumed,
    /// It is not there any more; nothing was stored.
    Gone,
}

/// Access and refresh tokens.
#[async_trait]
pub trait AccessTokens: fmt::Debug + Send + Sync {
    /// Stores both in one transaction. Tokens of a revoked grant are born dead: they are not
    /// stored, and that is no error.
    ///
    /// # Errors
    ///
    /// When the store cannot answer; then nothing was stored.
    async fn insert(
        &self,
        access: &AccessTokenRecord,
        refresh: Option<&RefreshTokenRecord>,
    ) -> Result<(), ContextError>;

    /// The access token with this hash, expired or not.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn get(&self, hash: &TokenHash) -> Result<Option<AccessTokenRecord>, ContextError>;

    /// The refresh token with this hash, expired and consumed ones included.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn get_refresh(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, ContextError>;

    /// Exchanges a refresh token in one transaction: checks that it is there and not consumed,
    /// puts `used` in its place, and stores `access` and, if there is one, `successor`. With a
    /// successor `used` is consumed; of any number of such calls at once exactly one is `Done`.
    ///
    /// # Errors
    ///
    /// When the store cannot answer; then nothing was changed.
    async fn rotate(
        &self,
        used: &RefreshTokenRecord,
        access: &AccessTokenRecord,
        successor: Option<&RefreshTokenRecord>,
    ) -> Result<Rotation, ContextError>;

    /// Removes one access token.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn revoke(&self, hash: &TokenHash) -> Result<(), ContextError>;

    /// Removes every token of a grant, and remembers until `until` that the grant is revoked, so
    /// that what is being issued from it at this moment is dead, too.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn revoke_grant(&self, grant: &GrantId, until: SystemTime) -> Result<(), ContextError>;

    /// Removes access tokens of this client, or of all clients; refresh tokens stay. Says how
    /// many they were.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn revoke_access_tokens(&self, client_id: Option<&str>) -> Result<usize, ContextError>;

    /// Removes access and refresh tokens of this client (or all) and this subject (or all), and
    /// remembers until `until` that their grants are revoked. Says how many tokens they were.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn revoke_grants(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
        until: SystemTime,
    ) -> Result<usize, ContextError>;

    /// Removes at most `limit` records of each kind that ended by `now`, refresh tokens when
    /// their grant has, and says how many they were. Called at a server's first issuance and at every eighth after it, so a store that
    /// cleans up by itself needs not implement it.
    ///
    /// # Errors
    ///
    /// When the store cannot answer; the failure is logged and tried again eight issuances later.
    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let _ = (now, limit);
        Ok(0)
    }
}

/// Authorization codes.
#[async_trait]
pub trait AuthorizationCodes: fmt::Debug + Send + Sync {
    /// Stores a new code, and may remove some that ended long before `now`: a consumed code is
    /// kept at least ten minutes past its end.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn insert(
        &self,
        record: AuthorizationCodeRecord,
        now: SystemTime,
    ) -> Result<(), ContextError>;

    /// The code with this hash, expired and consumed ones included.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn get(&self, hash: &TokenHash) -> Result<Option<AuthorizationCodeRecord>, ContextError>;

    /// Marks a code as consumed; false if it was already, or is unknown. Of any number of calls
    /// at once exactly one gets true.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError>;

    /// Takes back a `consume`, after which the tokens could not be stored, so that the client's
    /// next attempt finds the code as it was; a code that came back in between (`consume` gave
    /// false) stays dead. A store that leaves it consumed is safe, but its
    /// clients have to ask their people again after such a failure.
    ///
    /// # Errors
    ///
    /// When the store cannot answer; the failure is logged and the code stays consumed.
    async fn release(&self, hash: &TokenHash) -> Result<(), ContextError> {
        let _ = hash;
        Ok(())
    }

    /// Ends all codes of this client (or all) and this person (or all) that were not redeemed,
    /// and names the grants of those that were, too: one that is being redeemed has no token yet
    /// that could be revoked. None by default; then a code that a person consented to before a
    /// revocation is good after it.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        let _ = (client_id, subject);
        Ok(Vec::new())
    }

    /// Removes at most `limit` codes that ended ten minutes before `now` or earlier, and says how
    /// many they were.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let _ = (now, limit);
        Ok(0)
    }
}

/// Device codes.
#[async_trait]
pub trait DeviceCodes: fmt::Debug + Send + Sync {
    /// Stores a new code, and may remove some that ended long before `now`. False if a live
    /// code has the same user code.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn insert(&self, record: DeviceCodeRecord, now: SystemTime)
    -> Result<bool, ContextError>;

    /// The code with this user code.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn find(&self, user_code: &TokenHash) -> Result<Option<DeviceCodeRecord>, ContextError>;

    /// Runs `change` on the record with this device code and stores the outcome, with nobody
    /// else in between; false if there is none. A store that retries a transaction may run
    /// `change` more than once, on a fresh record each time.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn update(
        &self,
        device_code: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut DeviceCodeRecord) + Send),
    ) -> Result<bool, ContextError>;

    /// Ends all device codes of this client (or all) and this person (or all) that were not redeemed,
    /// and names the grants of those that were, too: one that is being redeemed has no token yet
    /// that could be revoked. None by default; then a device code that a person consented to before a
    /// revocation is good after it.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        let _ = (client_id, subject);
        Ok(Vec::new())
    }

    /// Removes at most `limit` codes that ended ten minutes before `now` or earlier, and says how
    /// many they were.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let _ = (now, limit);
        Ok(0)
    }
}

/// Pushed authorization requests (RFC 9126).
#[async_trait]
pub trait PushedRequests: fmt::Debug + Send + Sync {
    /// Stores a new request, and may remove some that ended by `now`.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn insert(
        &self,
        record: PushedRequestRecord,
        now: SystemTime,
    ) -> Result<(), ContextError>;

    /// The request with this hash, expired and consumed ones included.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn get(&self, hash: &TokenHash) -> Result<Option<PushedRequestRecord>, ContextError>;

    /// Marks a request as consumed; false if it was already, or is unknown. Of any number of
    /// calls at once exactly one gets true.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError>;

    /// Removes at most `limit` requests that ended by `now`, and says how many they were.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let _ = (now, limit);
        Ok(0)
    }
}

/// The scopes that exist. A server without this context knows only what each client may ask for.
#[async_trait]
pub trait Scopes: fmt::Debug + Send + Sync {
    /// All of them. Asked at every request with a scope, so a store that is far away caches it.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn all(&self) -> Result<Vec<ScopeRecord>, ContextError>;
}

/// The `jti` of JWTs that must not be used twice: client assertions (RFC 7523 §3) and DPoP proofs
/// (RFC 9449 §11.1).
#[async_trait]
pub trait JwtIds: fmt::Debug + Send + Sync {
    /// Remembers an id until `until`; false if it is remembered already. Of any number of calls
    /// at once with the same id exactly one gets true. What ended by `now` may be forgotten.
    /// Ids are different for different clients; `client_id` is for stores that hold each client
    /// to a limit.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn consume(
        &self,
        client_id: &str,
        id: &TokenHash,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<bool, ContextError>;

    /// Removes at most `limit` ids that ended by `now`, and says how many they were.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let _ = (now, limit);
        Ok(0)
    }
}

/// The people whose passwords the password grant takes (RFC 6749 §4.3), and what is told about
/// them.
#[async_trait]
pub trait ResourceOwners: fmt::Debug + Send + Sync {
    /// The subject behind these credentials, or none. An implementation takes the same time
    /// whether the user is unknown or the password is wrong; a [`Verifier`](crate::Verifier)
    /// does.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<String>, ContextError>;

    /// Whether tokens may still be issued or refreshed for this subject.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn is_active(&self, subject: &str) -> Result<bool, ContextError> {
        let _ = subject;
        Ok(true)
    }

    /// What the userinfo endpoint tells about this subject to a client with this scope (OpenID
    /// Connect Core §5.1), besides `sub`; nothing by default. Standard claims that the scope does
    /// not open (§5.4) are left out of the answer whether or not they are in here.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn claims(
        &self,
        subject: &str,
        scope: &Scope,
    ) -> Result<Map<String, Value>, ContextError> {
        let _ = (subject, scope);
        Ok(Map::new())
    }
}
