//! The device code grant at the token endpoint (RFC 8628 §3.4, §3.5).

use std::time::{Duration, SystemTime};

use super::{GrantType, TokenRequest};
use crate::{
    AuthorizationServer, ContextError, DeviceCodeRecord, DeviceStatus, ErrorCode, OAuthError,
    TokenHash, TokenResponse,
};

pub(super) async fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { server, client, .. } = request;
    let code = request.required("device_code", "device_code is missing")?;
    let hash = TokenHash::of(code);
    let now = server.now();
    let mut verdict = Poll::Unknown;
    let mut record = None;
    let found = server
        .device_codes()
        .update(&hash, &mut |stored| {
            if stored.client_id() == client.id() {
                verdict = poll(stored, now);
                record = Some(stored.clone());
            }
        })
        .await?;
    let Some(record) = record.filter(|_| found) else {
        return Err(unknown());
    };
    match verdict {
        Poll::Issue => {
            if let Some(subject) = record.subject()
                && !server.resource_owner_is_active(subject).await?
            {
                return Err(unknown());
            }
            let wishes = request.wishes(record.audience())?;
            let (approved, used) = (DeviceStatus::Approved, DeviceStatus::Used);
            if !turn(server, &hash, approved, used).await? {
                return Err(replayed(server, &hash, &record).await?);
            }
            let grant_type = GrantType::DeviceCode;
            let tokens = server.issue_tokens(client, grant_type, record.grant, &wishes);
            let tokens = tokens.await;
            // Nothing was stored, so the retry that is advised must find the code as it was.
            if tokens.is_err()
                && let Err(error) = turn(server, &hash, used, approved).await
            {
                tracing::warn!(%error, "a code for which nothing was issued stays used");
            }
            tokens
        }
        Poll::Used => Err(replayed(server, &hash, &record).await?),
        Poll::Unknown => Err(unknown()),
        Poll::Refused(code, description) => Err(OAuthError::new(code, description)),
    }
}

/// The hash of a user code as a person may type it.
pub(crate) fn user_code_hash(user_code: &str) -> TokenHash {
    let letters = user_code
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-');
    TokenHash::of(&letters.collect::<String>().to_uppercase())
}

enum Poll {
    Issue,
    Used,
    Unknown,
    Refused(ErrorCode, &'static str),
}

fn poll(record: &mut DeviceCodeRecord, now: SystemTime) -> Poll {
    if record.status == DeviceStatus::Used {
        return Poll::Used;
    }
    if record.expires_at <= now {
        return Poll::Refused(ErrorCode::ExpiredToken, "the device code has expired");
    }
    match record.status {
        DeviceStatus::Approved => Poll::Issue,
        DeviceStatus::Denied => Poll::Refused(ErrorCode::AccessDenied, "the person refused"),
        DeviceStatus::Pending | DeviceStatus::Used => {
            let early = record.polled_at.replace(now).is_some_and(|polled_at| {
                let waited = now.duration_since(polled_at).unwrap_or_default();
                waited < record.interval
            });
            if early {
                record.interval += Duration::from_secs(5);
                return Poll::Refused(ErrorCode::SlowDown, "the device asks too often");
            }
            Poll::Refused(ErrorCode::AuthorizationPending, "nobody has decided yet")
        }
    }
}

/// Of any number of calls at once exactly one gets true.
async fn turn(
    server: &AuthorizationServer,
    hash: &TokenHash,
    from: DeviceStatus,
    to: DeviceStatus,
) -> Result<bool, ContextError> {
    let mut turned = false;
    let mut change = |record: &mut DeviceCodeRecord| {
        turned = record.status == from;
        if turned {
            record.status = to;
        }
    };
    server.device_codes().update(hash, &mut change).await?;
    Ok(turned)
}

async fn replayed(
    server: &AuthorizationServer,
    hash: &TokenHash,
    record: &DeviceCodeRecord,
) -> Result<OAuthError, ContextError> {
    tracing::warn!(client_id = record.client_id(), "a device code came back");
    // So that whoever came first cannot make it approved again.
    let mut end = |record: &mut DeviceCodeRecord| record.expires_at = SystemTime::UNIX_EPOCH;
    server.device_codes().update(hash, &mut end).await?;
    server.revoke_grant(&record.grant.id).await?;
    Ok(unknown())
}

fn unknown() -> OAuthError {
    OAuthError::invalid_grant("the device code is unknown, used, or of another client")
}
