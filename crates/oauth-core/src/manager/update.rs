//! What a flight does to a record, as a function of the record: when another process has written
//! meanwhile, it is applied again to what is stored now.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::background::GRACE;
use crate::{
    AccessToken, RefreshToken, Token, TokenSet,
    store::{Issued, Record, TokenRequest},
};

#[derive(Debug, Clone)]
pub(crate) enum Update {
    /// A token that no refresh token brought.
    Granted {
        request: TokenRequest,
        token: TokenSet,
    },
    /// A new login: one token in the place of all there were.
    Replaced {
        request: TokenRequest,
        token: TokenSet,
    },
    /// `spent` of the token set for `base` brought `token` for `request`.
    Refreshed {
        base: TokenRequest,
        /// The access token that came with `spent`.
        before: AccessToken,
        spent: RefreshToken,
        request: TokenRequest,
        token: TokenSet,
    },
    /// An answer that was none otherwise brought a new refresh token for `spent`.
    Rotated {
        spent: RefreshToken,
        refresh_token: RefreshToken,
    },
    /// `spent` is dead; what it gave may live on to its end.
    Buried {
        spent: RefreshToken,
        now: SystemTime,
    },
    /// An access token is dead before its time.
    Invalidated { access_token: AccessToken },
    /// The server has said when an access token ends that came without an end.
    Ends {
        access_token: AccessToken,
        expires_at: SystemTime,
    },
    /// An access token is not wanted any more, and what could renew it.
    Deleted { access_token: AccessToken },
    /// What `source` says of the user.
    Claims {
        source: &'static str,
        claims: Map<String, Value>,
    },
}

impl Update {
    /// The record after it; `None` when there is nothing left to do, because somebody else has
    /// replaced what it is about.
    pub(crate) fn apply(&self, mut record: Record) -> Option<Record> {
        match self {
            Self::Granted { request, token } => {
                let record = without_dead(record, token.issued_at());
                Some(record.with(request.clone(), token.clone()))
            }
            Self::Replaced { request, token } => {
                let record = record.retain(|_| false);
                Some(record.with(request.clone(), token.clone()))
            }
            Self::Refreshed {
                base,
                before,
                spent,
                request,
                token,
            } => {
                // Whoever sent `spent` a second time was refused and has dropped it: the answer to
                // the first is still the newest.
                let buried = |have: &Issued| {
                    have.token.refresh_token().is_none() && have.token.access_token() == before
                };
                let have = record
                    .tokens_mut()
                    .iter_mut()
                    .find(|have| have.request == *base && (spends(have, spent) || buried(have)))?;
                if request == base {
                    have.token = inherit(token.clone(), &have.token);
                    return Some(without_dead(record, token.issued_at()));
                }
                // The refresh token keeps its full scope (RFC 6749 §6) and stays where it was.
                have.token = have
                    .token
                    .clone()
                    .with_refresh_token(token.refresh_token().cloned());
                let narrowed = token.clone().with_refresh_token(None);
                let record = without_dead(record, token.issued_at());
                Some(record.with(request.clone(), narrowed))
            }
            Self::Rotated {
                spent,
                refresh_token,
            } => {
                let have = record
                    .tokens_mut()
                    .iter_mut()
                    .find(|have| spends(have, spent))?;
                have.token = have
                    .token
                    .clone()
                    .with_refresh_token(Some(refresh_token.clone()));
                Some(record)
            }
            Self::Buried { spent, now } => {
                let mut found = false;
                for have in record.tokens_mut() {
                    if spends(have, spent) {
                        have.token = have.token.clone().with_refresh_token(None);
                        found = true;
                    }
                }
                let alive = |have: &Issued| {
                    have.token.refresh_token().is_some() || !have.token.is_expired(*now)
                };
                found.then(|| record.retain(alive))
            }
            Self::Invalidated { access_token } => {
                let have = record
                    .tokens_mut()
                    .iter_mut()
                    .find(|have| *have.token.access_token() == *access_token)?;
                have.token = have
                    .token
                    .clone()
                    .with_expires_at(Some(SystemTime::UNIX_EPOCH));
                Some(record)
            }
            Self::Ends {
                access_token,
                expires_at,
            } => {
                let have = record.tokens_mut().iter_mut().find(|have| {
                    *have.token.access_token() == *access_token && have.token.expires_at().is_none()
                })?;
                have.token = have.token.clone().with_expires_at(Some(*expires_at));
                Some(record)
            }
            Self::Deleted { access_token } => {
                let before = record.tokens().len();
                let record = record.retain(|have| *have.token.access_token() != *access_token);
                if record.tokens().len() == before {
                    return None;
                }
                Some(match record.tokens() {
                    // With the last token goes what is known of the user.
                    [] => record.with_claims(Map::new()),
                    _ => record,
                })
            }
            Self::Claims { .. } if record.tokens().is_empty() => None,
            Self::Claims { source, claims } => {
                let mut known = record.claims().clone();
                known.insert((*source).to_owned(), claims.clone().into());
                Some(record.with_claims(known))
            }
        }
    }

    /// Whether `record` has what came after it, so that writing it late would bring the old back. A
    /// refresh token that has been replaced since is seen by [`Update::apply`] itself.
    pub(crate) fn is_outdated(&self, record: &Record) -> bool {
        let (request, token, before) = match self {
            Self::Granted { request, token } | Self::Replaced { request, token } => {
                (request, token, None)
            }
            Self::Refreshed {
                before,
                request,
                token,
                ..
            } if !self.brings_refresh_token() => (request, token, Some(before)),
            _ => return false,
        };
        let newer = |have: &Issued| {
            let (theirs, ours) = (have.token.issued_at(), token.issued_at());
            // What is stored is in whole seconds.
            let meanwhile = before.is_some_and(|before| have.token.access_token() != before)
                && seconds(theirs) == seconds(ours);
            have.request == *request
                && have.token.access_token() != token.access_token()
                && (theirs > ours || meanwhile)
        };
        record.tokens().iter().any(newer)
    }

    /// Whether it has a refresh token that was in no record before.
    pub(crate) fn brings_refresh_token(&self) -> bool {
        match self {
            Self::Refreshed { spent, token, .. } => {
                token.refresh_token().is_some_and(|now| now != spent)
            }
            _ => self.carries_refresh_token(),
        }
    }

    /// Whether losing it would lose a refresh token that the server has given out.
    pub(crate) fn carries_refresh_token(&self) -> bool {
        match self {
            Self::Granted { token, .. }
            | Self::Replaced { token, .. }
            | Self::Refreshed { token, .. } => token.refresh_token().is_some(),
            Self::Rotated { .. } => true,
            _ => false,
        }
    }
}

/// A record that is written for years does not keep what every scope and resource ever brought.
/// Only what is added takes something away, so that no look is needed where nothing grows.
fn without_dead(record: Record, now: SystemTime) -> Record {
    record.retain(|Issued { token, .. }| {
        let spendable = token.refresh_token().is_some()
            && token.refresh_expires_at().is_none_or(|end| now < end);
        let over = |end| now.duration_since(end).is_ok_and(|since| since >= GRACE);
        spendable || !token.expires_at().is_some_and(over)
    })
}

fn spends(have: &Issued, spent: &RefreshToken) -> bool {
    have.token.refresh_token() == Some(spent)
}

/// A refresh token that was not replaced still ends when it was to.
fn inherit(token: TokenSet, before: &TokenSet) -> TokenSet {
    let same = token.refresh_token() == before.refresh_token();
    match before.refresh_expires_at() {
        Some(end) if same && token.refresh_expires_at().is_none() => {
            let left = end.duration_since(token.issued_at()).unwrap_or_default();
            let mut extra = token.extra().clone();
            extra.insert(
                "refresh_token_expires_in".to_owned(),
                left.as_secs().max(1).into(),
            );
            token.with_extra(extra)
        }
        _ => token,
    }
}

/// Since the epoch; what is stored of a time.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
