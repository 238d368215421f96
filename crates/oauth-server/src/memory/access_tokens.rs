//! Access and refresh tokens in memory.

use std::{
    collections::{HashSet, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    sync::Mutex,
    time::SystemTime,
};

use async_trait::async_trait;

use super::{expiring::Expiring, shards::Shards};
use crate::{
    AccessTokenRecord, AccessTokens, ContextError, GrantId, RefreshTokenRecord, Rotation,
    TokenHash, guard::lock,
};

#[derive(Debug, Default)]
struct Tokens {
    access: Expiring<TokenHash, AccessTokenRecord, AsItIs>,
    refresh: Expiring<TokenHash, RefreshTokenRecord, AsItIs>,
    /// The tokens of each grant, of both kinds.
    members: Shards<GrantId, Members, AsItIs>,
    revoked: Expiring<GrantId, (), AsItIs>,
}

/// A hash of what this server drew at random is as good as any that could be made of it, and a
/// grant's number needs no more than to be spread: nobody can choose one that is stored.
#[derive(Debug, Default)]
struct FirstBytes(u64);

/// Odd, so that two numbers never become one: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

type AsItIs = BuildHasherDefault<FirstBytes>;

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_be_bytes(*first).wrapping_mul(SPREAD);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Most grants have one token, for which a set would be large.
#[derive(Debug)]
enum Members {
    One(TokenHash),
    Many(Hashes),
}

type Hashes = HashSet<TokenHash, AsItIs>;

impl Members {
    fn insert(&mut self, hash: TokenHash) {
        match self {
            Self::One(one) => *self = Self::Many([*one, hash].into_iter().collect()),
            Self::Many(many) => drop(many.insert(hash)),
        }
    }

    /// Whether none is left.
    fn remove(&mut self, hash: &TokenHash) -> bool {
        match self {
            Self::One(one) => one == hash,
            Self::Many(many) => many.remove(hash) && many.is_empty(),
        }
    }

    fn into_set(self) -> Hashes {
        match self {
            Self::One(one) => [one].into_iter().collect(),
            Self::Many(many) => many,
        }
    }
}

/// Access and refresh tokens in memory.
#[derive(Debug, Default)]
pub struct MemoryAccessTokens(Mutex<Tokens>);

impl MemoryAccessTokens {
    /// No tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is stored.
    pub fn dump(&self) -> serde_json::Value {
        let tokens = lock(&self.0);
        let access: Vec<_> = tokens.access.iter().map(|(_, record)| record).collect();
        let refresh: Vec<_> = tokens.refresh.iter().map(|(_, record)| record).collect();
        serde_json::json!({ "access_tokens": access, "refresh_tokens": refresh })
    }
}

impl Tokens {
    fn insert(&mut self, access: AccessTokenRecord, refresh: Option<RefreshTokenRecord>) {
        if self.revoked.get(&access.grant.id).is_some() {
            return;
        }
        let hashes = [Some(access.hash), refresh.as_ref().map(|it| it.hash)];
        for hash in hashes.into_iter().flatten() {
            match self.members.entry(access.grant.id) {
                Entry::Vacant(vacant) => drop(vacant.insert(Members::One(hash))),
                Entry::Occupied(mut members) => members.get_mut().insert(hash),
            }
        }
        self.access.insert(access.hash, access.expires_at, access);
        if let Some(refresh) = refresh {
            self.refresh
                .insert(refresh.hash, refresh.grant_expires_at, refresh);
        }
    }

    fn forget(&mut self, grant: &GrantId, hash: &TokenHash) {
        let members = self.members.get_mut(grant);
        if members.is_some_and(|members| members.remove(hash)) {
            self.members.remove(grant);
        }
    }

    fn remove_access(&mut self, hash: &TokenHash) -> bool {
        let removed = self.access.remove(hash);
        removed
            .map(|record| self.forget(&record.grant.id, hash))
            .is_some()
    }

    fn remove_refresh(&mut self, hash: &TokenHash) -> bool {
        let removed = self.refresh.remove(hash);
        removed
            .map(|record| self.forget(&record.grant.id, hash))
            .is_some()
    }
}

#[async_trait]
impl AccessTokens for MemoryAccessTokens {
    async fn insert(
        &self,
        access: AccessTokenRecord,
        refresh: Option<RefreshTokenRecord>,
    ) -> Result<(), ContextError> {
        lock(&self.0).insert(access, refresh);
        Ok(())
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AccessTokenRecord>, ContextError> {
        Ok(lock(&self.0).access.get(hash).cloned())
    }

    async fn get_refresh(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, ContextError> {
        Ok(lock(&self.0).refresh.get(hash).cloned())
    }

    async fn rotate(
        &self,
        used: RefreshTokenRecord,
        access: AccessTokenRecord,
        successor: Option<RefreshTokenRecord>,
    ) -> Result<Rotation, ContextError> {
        let mut tokens = lock(&self.0);
        match tokens.refresh.get_mut(&used.hash) {
            None => return Ok(Rotation::Gone),
            Some(record) if record.consumed => return Ok(Rotation::Consumed),
            Some(record) => *record = used,
        }
        tokens.insert(access, successor);
        Ok(Rotation::Done)
    }

    async fn revoke(&self, hash: &TokenHash) -> Result<(), ContextError> {
        lock(&self.0).remove_access(hash);
        Ok(())
    }

    async fn revoke_grant(&self, grant: &GrantId, until: SystemTime) -> Result<(), ContextError> {
        let mut tokens = lock(&self.0);
        tokens.revoked.insert(*grant, until, ());
        let members = tokens.members.remove(grant).map(Members::into_set);
        for hash in members.unwrap_or_default() {
            tokens.access.remove(&hash);
            tokens.refresh.remove(&hash);
        }
        Ok(())
    }

    async fn revoke_access_tokens(&self, client_id: Option<&str>) -> Result<usize, ContextError> {
        let mut tokens = lock(&self.0);
        let theirs = tokens.access.iter().filter(|(_, record)| {
            client_id.is_none_or(|client_id| record.client_id() == client_id)
        });
        let theirs: Vec<_> = theirs.map(|(hash, _)| *hash).collect();
        Ok(theirs
            .iter()
            .filter(|hash| tokens.remove_access(hash))
            .count())
    }

    async fn revoke_grants(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
        until: SystemTime,
    ) -> Result<usize, ContextError> {
        let mut tokens = lock(&self.0);
        let access = tokens.access.iter().map(|(hash, r)| (hash, &r.grant));
        let refresh = tokens.refresh.iter().map(|(hash, r)| (hash, &r.grant));
        let theirs = access
            .chain(refresh)
            .filter(|(_, grant)| grant.is_of(client_id, subject));
        let theirs: Vec<_> = theirs.map(|(hash, grant)| (*hash, grant.id)).collect();
        for (_, grant) in &theirs {
            tokens.revoked.insert(*grant, until, ());
        }
        let removed =
            |(hash, _): &&(TokenHash, _)| tokens.remove_access(hash) || tokens.remove_refresh(hash);
        Ok(theirs.iter().filter(removed).count())
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let mut tokens = lock(&self.0);
        let access = tokens.access.purge(now, limit);
        for ended in &access {
            tokens.forget(&ended.grant.id, &ended.hash);
        }
        let refresh = tokens.refresh.purge(now, limit);
        for ended in &refresh {
            tokens.forget(&ended.grant.id, &ended.hash);
        }
        Ok(access.len() + refresh.len() + tokens.revoked.purge(now, limit).len())
    }
}

#[cfg(test)]
mod tests {
    use std::{hash::BuildHasher, time::Duration};

    use super::*;
    use crate::{GrantRecord, Scope};

    const GRANT: GrantId = GrantId([7; 18]);
    const NOW: SystemTime = SystemTime::UNIX_EPOCH;
    const END: Duration = Duration::from_secs(60);

    fn grant() -> GrantRecord {
        GrantRecord {
            id: GRANT,
            client_id: "client".into(),
            subject: None,
            scope: Scope::default(),
            audience: Vec::new(),
            auth_time: None,
        }
    }

    fn access(token: &str) -> AccessTokenRecord {
        AccessTokenRecord {
            hash: TokenHash::of(token),
            grant: grant(),
            issued_at: NOW,
            expires_at: NOW + END,
            jkt: None,
        }
    }

    fn refresh(token: &str) -> RefreshTokenRecord {
        RefreshTokenRecord {
            hash: TokenHash::of(token),
            grant: grant(),
            issued_at: NOW,
            expires_at: NOW + END,
            grant_expires_at: NOW + END,
            consumed: false,
            jkt: None,
            successor: None,
        }
    }

    #[test]
    fn grants_that_are_counted_are_spread_evenly() {
        let mut members = Shards::<GrantId, u64, AsItIs>::default();
        let hasher = AsItIs::default();
        let mut slots = HashSet::new();
        for number in 0..6400_u64 {
            let mut id = [7; 18];
            id[..8].copy_from_slice(&number.to_be_bytes());
            slots.insert(hasher.hash_one(GrantId(id)) % 8192);
            members.insert(GrantId(id), number);
        }
        assert!(slots.len() > 6000, "{}", slots.len());
        assert!(members.sizes().all(|size| (50..200).contains(&size)));
    }

    #[tokio::test]
    async fn what_comes_after_a_revocation_is_born_dead() {
        let tokens = MemoryAccessTokens::new();
        let insert = async |token| tokens.insert(access(token), None).await.unwrap();
        insert("before").await;
        tokens.revoke_grant(&GRANT, NOW + END).await.unwrap();
        insert("after").await;
        for token in ["before", "after"] {
            let record = tokens.get(&TokenHash::of(token)).await.unwrap();
            assert!(record.is_none(), "{token}");
        }
    }

    /// A code that is redeemed twice at once: the second use may end the grant before the first
    /// has stored its tokens, and no token of it is there yet to remove.
    #[tokio::test]
    async fn a_grant_stays_revoked_as_long_as_it_is_remembered() {
        let tokens = MemoryAccessTokens::new();
        let stored = async |token| {
            let both = tokens.insert(access(token), Some(refresh(token)));
            both.await.unwrap();
            let hash = TokenHash::of(token);
            let refresh = tokens.get_refresh(&hash).await.unwrap().is_some();
            (tokens.get(&hash).await.unwrap().is_some(), refresh)
        };
        tokens.revoke_grant(&GRANT, NOW + END).await.unwrap();
        assert_eq!(stored("at once").await, (false, false));
        let almost = NOW + END - Duration::from_nanos(1);
        tokens.purge(almost, 30).await.unwrap();
        assert_eq!(stored("later").await, (false, false), "not forgotten early");
        tokens.purge(NOW + END, 30).await.unwrap();
        assert_eq!(
            lock(&tokens.0).revoked.iter().count(),
            0,
            "nor kept for ever"
        );
        assert_eq!(stored("control").await, (true, true));
    }

    #[tokio::test]
    async fn a_family_revoked_by_its_person_stays_dead() {
        let tokens = MemoryAccessTokens::new();
        let insert = async |token| {
            let both = tokens.insert(access(token), Some(refresh(token)));
            both.await.unwrap();
        };
        insert("before").await;
        let end = NOW + END;
        let revoke = |client| tokens.revoke_grants(Some(client), None, end);
        assert_eq!(revoke("another").await.unwrap(), 0);
        assert_eq!(revoke("client").await.unwrap(), 2);
        insert("after").await;
        for token in ["before", "after"] {
            let hash = TokenHash::of(token);
            assert!(tokens.get(&hash).await.unwrap().is_none(), "{token}");
            assert!(tokens.get_refresh(&hash).await.unwrap().is_none());
        }
        tokens.purge(end, 30).await.unwrap();
        assert_eq!(lock(&tokens.0).revoked.iter().count(), 0);
    }

    #[tokio::test]
    async fn a_successor_consumes_once() {
        let tokens = MemoryAccessTokens::new();
        let first = refresh("first");
        tokens
            .insert(access("a"), Some(first.clone()))
            .await
            .unwrap();
        let rotate = async |access_token, successor: Option<&str>| {
            let successor = successor.map(refresh);
            let used = RefreshTokenRecord {
                consumed: successor.is_some(),
                ..first.clone()
            };
            let rotated = tokens.rotate(used, access(access_token), successor);
            rotated.await.unwrap()
        };
        assert_eq!(rotate("b", None).await, Rotation::Done);
        assert_eq!(rotate("c", Some("second")).await, Rotation::Done);
        assert_eq!(rotate("d", Some("third")).await, Rotation::Consumed);
        let gone = tokens.get(&TokenHash::of("d")).await.unwrap();
        assert!(gone.is_none(), "nothing is stored for a consumed token");
    }

    #[tokio::test]
    async fn nothing_is_left_when_all_has_ended() {
        let tokens = MemoryAccessTokens::new();
        for index in 0..40 {
            let (a, r) = (access(&format!("a{index}")), refresh(&format!("r{index}")));
            tokens.insert(a, Some(r)).await.unwrap();
        }
        tokens.purge(NOW + END, 30).await.unwrap();
        assert_eq!(lock(&tokens.0).access.iter().count(), 10, "in batches");
        tokens.purge(NOW + END, 30).await.unwrap();
        let tokens = lock(&tokens.0);
        assert_eq!(
            tokens.access.iter().count() + tokens.refresh.iter().count(),
            0
        );
        assert_eq!(tokens.members.iter().count(), 0);
    }
}
