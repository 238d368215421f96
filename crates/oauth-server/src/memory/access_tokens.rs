//! Access and refresh tokens in memory.

use std::{collections::BTreeSet, sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::{
    arena::{Arena, Slot},
    expiring::Expiring,
    kept_token::KeptToken,
    places::Places,
};
use crate::{
    AccessTokenRecord, AccessTokens, ContextError, GrantId, RefreshTokenRecord, Rotation,
    TokenHash, guard::lock,
};

#[derive(Debug, Default)]
struct Tokens {
    kept: Arena<KeptToken>,
    by_hash: Places,
    /// The newest token of each grant, of either kind, which knows the one before it.
    newest: Places,
    access_ends: BTreeSet<(SystemTime, Slot)>,
    refresh_ends: BTreeSet<(SystemTime, Slot)>,
    revoked: Expiring<GrantId, ()>,
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
        let kept = || tokens.kept.iter().map(|(_, token)| token);
        let access: Vec<_> = kept().filter_map(KeptToken::access_record).collect();
        let refresh: Vec<_> = kept().filter_map(KeptToken::refresh_record).collect();
        serde_json::json!({ "access_tokens": access, "refresh_tokens": refresh })
    }
}

impl Tokens {
    fn insert(&mut self, access: &AccessTokenRecord, refresh: Option<&RefreshTokenRecord>) {
        if self.revoked.get(&access.grant.id).is_some() {
            return;
        }
        self.keep(KeptToken::access(access));
        if let Some(refresh) = refresh {
            self.keep(KeptToken::refresh(refresh));
        }
    }

    fn keep(&mut self, token: KeptToken) {
        let (hash, grant, end) = (token.hash, token.grant, token.end());
        let is_access = token.is_access();
        let replaced = self.find(is_access, &hash);
        let slot = self.kept.insert(token);
        self.ends(is_access).insert((end, slot));
        self.by_hash.insert(number(hash.as_bytes()), slot);
        let older = self.newest(&grant);
        self.link(older, Some(slot));
        self.put_first(&grant, older, Some(slot));
        if let Some(replaced) = replaced {
            self.remove(replaced);
        }
    }

    fn ends(&mut self, is_access: bool) -> &mut BTreeSet<(SystemTime, Slot)> {
        match is_access {
            true => &mut self.access_ends,
            false => &mut self.refresh_ends,
        }
    }

    fn find(&self, is_access: bool, hash: &TokenHash) -> Option<Slot> {
        let is_it = |token: &KeptToken| token.is_access() == is_access && token.hash == *hash;
        let is_it = |slot| self.kept.get(slot).is_some_and(is_it);
        self.by_hash.find(number(hash.as_bytes()), is_it)
    }

    fn newest(&self, grant: &GrantId) -> Option<Slot> {
        let is_it = |slot| self.kept.get(slot).is_some_and(|it| it.grant == *grant);
        self.newest.find(of_grant(grant), is_it)
    }

    /// Makes another token the newest of a grant.
    fn put_first(&mut self, grant: &GrantId, before: Option<Slot>, now: Option<Slot>) {
        if let Some(before) = before {
            self.newest.remove(of_grant(grant), before);
        }
        if let Some(now) = now {
            self.newest.insert(of_grant(grant), now);
        }
    }

    /// Makes two tokens of a grant neighbours.
    fn link(&mut self, older: Option<Slot>, newer: Option<Slot>) {
        if let Some(token) = older.and_then(|slot| self.kept.get_mut(slot)) {
            token.newer = newer;
        }
        if let Some(token) = newer.and_then(|slot| self.kept.get_mut(slot)) {
            token.older = older;
        }
    }

    fn remove(&mut self, slot: Slot) -> bool {
        let Some(token) = self.kept.remove(slot) else {
            return false;
        };
        self.ends(token.is_access()).remove(&(token.end(), slot));
        self.by_hash.remove(number(token.hash.as_bytes()), slot);
        if token.newer.is_none() {
            self.put_first(&token.grant, Some(slot), token.older);
        }
        self.link(token.older, token.newer);
        true
    }

    fn remove_all(&mut self, slots: &[Slot]) -> usize {
        slots.iter().filter(|slot| self.remove(**slot)).count()
    }

    fn access(&self, hash: &TokenHash) -> Option<AccessTokenRecord> {
        let slot = self.find(true, hash)?;
        self.kept.get(slot)?.access_record()
    }

    fn refresh(&self, hash: &TokenHash) -> Option<&RefreshTokenRecord> {
        let slot = self.find(false, hash)?;
        self.kept.get(slot)?.refresh_record()
    }

    fn refresh_mut(&mut self, hash: &TokenHash) -> Option<(Slot, &mut RefreshTokenRecord)> {
        let slot = self.find(false, hash)?;
        let token = self.kept.get_mut(slot)?;
        Some((slot, token.refresh_record_mut()?))
    }
}

/// Where to look for a hash: one of what this server drew at random is as good as any that could be
/// made of it, and nobody can choose one that is stored.
fn number(bytes: &[u8]) -> u64 {
    let first = bytes.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(first)
}

/// Where to look for a grant. They are counted, each server's from another number on.
fn of_grant(grant: &GrantId) -> u64 {
    let (count, server) = grant.0.split_at(8);
    number(count).wrapping_add(number(server))
}

#[async_trait]
impl AccessTokens for MemoryAccessTokens {
    async fn insert(
        &self,
        access: &AccessTokenRecord,
        refresh: Option<&RefreshTokenRecord>,
    ) -> Result<(), ContextError> {
        lock(&self.0).insert(access, refresh);
        Ok(())
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AccessTokenRecord>, ContextError> {
        Ok(lock(&self.0).access(hash))
    }

    async fn get_refresh(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, ContextError> {
        Ok(lock(&self.0).refresh(hash).cloned())
    }

    async fn rotate(
        &self,
        used: &RefreshTokenRecord,
        access: &AccessTokenRecord,
        successor: Option<&RefreshTokenRecord>,
    ) -> Result<Rotation, ContextError> {
        let mut tokens = lock(&self.0);
        match tokens.refresh_mut(&used.hash) {
            None => return Ok(Rotation::Gone),
            Some((_, record)) if record.consumed => return Ok(Rotation::Consumed),
            Some((slot, record)) => {
                let end = used.grant_expires_at;
                let before = std::mem::replace(record, used.clone()).grant_expires_at;
                tokens.refresh_ends.remove(&(before, slot));
                tokens.refresh_ends.insert((end, slot));
            }
        }
        tokens.insert(access, successor);
        Ok(Rotation::Done)
    }

    async fn revoke(&self, hash: &TokenHash) -> Result<(), ContextError> {
        let mut tokens = lock(&self.0);
        if let Some(slot) = tokens.find(true, hash) {
            tokens.remove(slot);
        }
        Ok(())
    }

    async fn revoke_grant(&self, grant: &GrantId, until: SystemTime) -> Result<(), ContextError> {
        let mut tokens = lock(&self.0);
        tokens.revoked.insert(*grant, until, ());
        let mut next = tokens.newest(grant);
        while let Some(slot) = next {
            next = tokens.kept.get(slot).and_then(|token| token.older);
            tokens.remove(slot);
        }
        Ok(())
    }

    async fn revoke_access_tokens(&self, client_id: Option<&str>) -> Result<usize, ContextError> {
        let mut tokens = lock(&self.0);
        let theirs = tokens
            .kept
            .iter()
            .filter(|(_, token)| token.is_access() && token.is_of(client_id, None));
        let theirs: Vec<_> = theirs.map(|(slot, _)| slot).collect();
        Ok(tokens.remove_all(&theirs))
    }

    async fn revoke_grants(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
        until: SystemTime,
    ) -> Result<usize, ContextError> {
        let mut tokens = lock(&self.0);
        let theirs = tokens.kept.iter();
        let theirs = theirs.filter(|(_, token)| token.is_of(client_id, subject));
        let (slots, grants): (Vec<_>, Vec<_>) =
            theirs.map(|(slot, token)| (slot, token.grant)).unzip();
        for grant in grants {
            tokens.revoked.insert(grant, until, ());
        }
        Ok(tokens.remove_all(&slots))
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let mut tokens = lock(&self.0);
        let mut removed = tokens.revoked.purge(now, limit).len();
        for is_access in [true, false] {
            let ended = tokens.ends(is_access).iter();
            let ended = ended.take_while(|(end, _)| *end <= now).take(limit);
            let ended: Vec<_> = ended.map(|(_, slot)| *slot).collect();
            removed += tokens.remove_all(&ended);
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests;
