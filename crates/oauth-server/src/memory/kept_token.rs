//! A token as it lies in memory: packed, because there may be a million of them.

use std::{sync::Arc, time::SystemTime};

use super::arena::Slot;
use crate::{
    AccessTokenRecord, GrantId, GrantRecord, RefreshTokenRecord, Scope, TokenHash, record::is_of,
};

#[derive(Debug)]
pub(super) struct KeptToken {
    pub(super) hash: TokenHash,
    pub(super) grant: GrantId,
    token: Token,
    /// The tokens of the same grant that were stored after it and before it.
    pub(super) newer: Option<Slot>,
    pub(super) older: Option<Slot>,
}

#[derive(Debug)]
enum Token {
    Access(Access),
    /// There are fewer of them.
    Refresh(Box<RefreshTokenRecord>),
}

#[derive(Debug)]
struct Access {
    client_id: Arc<str>,
    scope: Scope,
    issued_at: SystemTime,
    expires_at: SystemTime,
    rest: Option<Box<Rest>>,
}

/// What a token has that is not simply a client's own.
#[derive(Debug, Clone, Default, PartialEq)]
struct Rest {
    subject: Option<String>,
    audience: Vec<String>,
    auth_time: Option<SystemTime>,
    jkt: Option<String>,
}

impl KeptToken {
    pub(super) fn access(record: &AccessTokenRecord) -> Self {
        let AccessTokenRecord {
            hash,
            grant,
            issued_at,
            expires_at,
            jkt,
        } = record;
        let rest = Rest {
            subject: grant.subject.clone(),
            audience: grant.audience.clone(),
            auth_time: grant.auth_time,
            jkt: jkt.clone(),
        };
        let token = Token::Access(Access {
            client_id: Arc::clone(&grant.client_id),
            scope: grant.scope.clone(),
            issued_at: *issued_at,
            expires_at: *expires_at,
            rest: (rest != Rest::default()).then(|| Box::new(rest)),
        });
        Self::new(*hash, grant.id, token)
    }

    pub(super) fn refresh(record: &RefreshTokenRecord) -> Self {
        let token = Token::Refresh(Box::new(record.clone()));
        Self::new(record.hash, record.grant.id, token)
    }

    fn new(hash: TokenHash, grant: GrantId, token: Token) -> Self {
        Self {
            hash,
            grant,
            token,
            newer: None,
            older: None,
        }
    }

    /// From when on nobody needs it: a refresh token's return matters as long as its grant lives.
    pub(super) fn end(&self) -> SystemTime {
        match &self.token {
            Token::Access(access) => access.expires_at,
            Token::Refresh(record) => record.grant_expires_at,
        }
    }

    pub(super) fn is_access(&self) -> bool {
        matches!(self.token, Token::Access(_))
    }

    pub(super) fn access_record(&self) -> Option<AccessTokenRecord> {
        let Token::Access(access) = &self.token else {
            return None;
        };
        let Rest {
            subject,
            audience,
            auth_time,
            jkt,
        } = access.rest.as_deref().cloned().unwrap_or_default();
        Some(AccessTokenRecord {
            hash: self.hash,
            grant: GrantRecord {
                id: self.grant,
                client_id: Arc::clone(&access.client_id),
                subject,
                scope: access.scope.clone(),
                audience,
                auth_time,
            },
            issued_at: access.issued_at,
            expires_at: access.expires_at,
            jkt,
        })
    }

    pub(super) fn refresh_record(&self) -> Option<&RefreshTokenRecord> {
        match &self.token {
            Token::Refresh(record) => Some(record),
            Token::Access(_) => None,
        }
    }

    pub(super) fn refresh_record_mut(&mut self) -> Option<&mut RefreshTokenRecord> {
        match &mut self.token {
            Token::Refresh(record) => Some(record),
            Token::Access(_) => None,
        }
    }

    /// Whether it is this client's (or any's) and this person's (or anybody's).
    pub(super) fn is_of(&self, client_id: Option<&str>, subject: Option<&str>) -> bool {
        match &self.token {
            Token::Refresh(record) => record.grant.is_of(client_id, subject),
            Token::Access(access) => {
                let person = access.rest.as_ref().and_then(|it| it.subject.as_deref());
                is_of((&access.client_id, person), client_id, subject)
            }
        }
    }
}
