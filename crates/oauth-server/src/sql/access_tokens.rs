//! Access and refresh tokens.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{SqlStore, Value, count, driver::Step, record, time};
use crate::{
    AccessTokenRecord, AccessTokens, ContextError, GrantId, GrantRecord, RefreshTokenRecord,
    Rotation, TokenHash,
};

#[async_trait]
impl AccessTokens for SqlStore {
    async fn insert(
        &self,
        access: &AccessTokenRecord,
        refresh: Option<&RefreshTokenRecord>,
    ) -> Result<(), ContextError> {
        let mut steps = self.driver.lock(Some(&access.grant.id));
        steps.push(insert_access(access)?);
        if let Some(refresh) = refresh {
            steps.push(insert_refresh(refresh)?);
        }
        self.driver.transact(steps).await.map(drop)
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AccessTokenRecord>, ContextError> {
        let sql = "SELECT record FROM oauth_access_tokens WHERE hash = $1";
        self.one(sql, vec![hash.to_string().into()]).await
    }

    async fn get_refresh(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, ContextError> {
        let sql = "SELECT record FROM oauth_refresh_tokens WHERE hash = $1";
        self.one(sql, vec![hash.to_string().into()]).await
    }

    async fn rotate(
        &self,
        used: &RefreshTokenRecord,
        access: &AccessTokenRecord,
        successor: Option<&RefreshTokenRecord>,
    ) -> Result<Rotation, ContextError> {
        let mut steps = self.driver.lock(Some(&used.grant.id));
        let sql = "UPDATE oauth_refresh_tokens SET record = $2, consumed = $3 \
                   WHERE hash = $1 AND consumed = 0";
        let hash = used.hash.to_string();
        let params = vec![
            hash.clone().into(),
            record(used)?.into(),
            i64::from(used.consumed).into(),
        ];
        steps.push(Step::required(sql, params));
        steps.push(insert_access(access)?);
        if let Some(successor) = successor {
            steps.push(insert_refresh(successor)?);
        }
        if self.driver.transact(steps).await?.is_some() {
            return Ok(Rotation::Done);
        }
        let sql = "SELECT hash FROM oauth_refresh_tokens WHERE hash = $1";
        let left = self.rows(sql, vec![hash.into()]).await?;
        Ok(match left.is_empty() {
            true => Rotation::Gone,
            false => Rotation::Consumed,
        })
    }

    async fn revoke(&self, hash: &TokenHash) -> Result<(), ContextError> {
        let sql = "DELETE FROM oauth_access_tokens WHERE hash = $1";
        self.run(sql, vec![hash.to_string().into()]).await.map(drop)
    }

    async fn revoke_grant(&self, grant: &GrantId, until: SystemTime) -> Result<(), ContextError> {
        let mut steps = self.driver.lock(Some(grant));
        let remember = "INSERT INTO oauth_revoked_grants (grant_id, ends_at) VALUES ($1, $2) \
                        ON CONFLICT (grant_id) DO UPDATE SET ends_at = excluded.ends_at \
                        WHERE oauth_revoked_grants.ends_at < excluded.ends_at";
        let id = || Value::from(grant.to_string());
        steps.push(Step::new(remember, vec![id(), time(until)]));
        for sql in [
            "DELETE FROM oauth_access_tokens WHERE grant_id = $1",
            "DELETE FROM oauth_refresh_tokens WHERE grant_id = $1",
        ] {
            steps.push(Step::new(sql, vec![id()]));
        }
        self.driver.transact(steps).await.map(drop)
    }

    async fn revoke_access_tokens(&self, client_id: Option<&str>) -> Result<usize, ContextError> {
        let sql = "DELETE FROM oauth_access_tokens \
                   WHERE CAST($1 AS TEXT) IS NULL OR client_id = $1";
        Ok(count(self.run(sql, vec![client_id.into()]).await?))
    }

    async fn revoke_grants(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
        until: SystemTime,
    ) -> Result<usize, ContextError> {
        let mut steps = self.driver.lock(None);
        let meant = || vec![client_id.into(), subject.into()];
        for sql in [REMEMBER_OF_ACCESS, REMEMBER_OF_REFRESH] {
            let params = meant().into_iter().chain([time(until)]);
            steps.push(Step::new(sql, params.collect()));
        }
        steps.push(Step::new(DELETE_ACCESS, meant()));
        steps.push(Step::new(DELETE_REFRESH, meant()));
        let changed = self.driver.transact(steps).await?.unwrap_or_default();
        Ok(count(changed.iter().rev().take(2).sum()))
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let mut removed = 0;
        for sql in [
            "DELETE FROM oauth_access_tokens WHERE hash IN \
             (SELECT hash FROM oauth_access_tokens WHERE ends_at <= $1 LIMIT $2)",
            "DELETE FROM oauth_refresh_tokens WHERE hash IN \
             (SELECT hash FROM oauth_refresh_tokens WHERE ends_at <= $1 LIMIT $2)",
            "DELETE FROM oauth_revoked_grants WHERE grant_id IN \
             (SELECT grant_id FROM oauth_revoked_grants WHERE ends_at <= $1 LIMIT $2)",
        ] {
            removed += self.purged(sql, now, limit).await?;
        }
        Ok(removed)
    }
}

macro_rules! of_grants {
    ($begin:literal, $end:literal) => {
        concat!(
            $begin,
            " WHERE (CAST($1 AS TEXT) IS NULL OR client_id = $1) \
             AND (CAST($2 AS TEXT) IS NULL OR subject = $2)",
            $end
        )
    };
}

const REMEMBER_OF_ACCESS: &str = of_grants!(
    "INSERT INTO oauth_revoked_grants (grant_id, ends_at) \
     SELECT DISTINCT grant_id, CAST($3 AS BIGINT) FROM oauth_access_tokens",
    " ON CONFLICT (grant_id) DO UPDATE SET ends_at = excluded.ends_at"
);
const REMEMBER_OF_REFRESH: &str = of_grants!(
    "INSERT INTO oauth_revoked_grants (grant_id, ends_at) \
     SELECT DISTINCT grant_id, CAST($3 AS BIGINT) FROM oauth_refresh_tokens",
    " ON CONFLICT (grant_id) DO UPDATE SET ends_at = excluded.ends_at"
);
const DELETE_ACCESS: &str = of_grants!("DELETE FROM oauth_access_tokens", "");
const DELETE_REFRESH: &str = of_grants!("DELETE FROM oauth_refresh_tokens", "");

/// Tokens of a revoked grant are born dead.
fn insert_access(access: &AccessTokenRecord) -> Result<Step, ContextError> {
    let sql = "INSERT INTO oauth_access_tokens \
               (hash, grant_id, client_id, subject, ends_at, record) \
               SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), \
               CAST($5 AS BIGINT), CAST($6 AS TEXT) \
               WHERE NOT EXISTS (SELECT 1 FROM oauth_revoked_grants WHERE grant_id = $2)";
    let mut params = columns(&access.hash, &access.grant);
    params.extend([time(access.expires_at), record(access)?.into()]);
    Ok(Step::new(sql, params))
}

fn insert_refresh(refresh: &RefreshTokenRecord) -> Result<Step, ContextError> {
    let sql = "INSERT INTO oauth_refresh_tokens \
               (hash, grant_id, client_id, subject, ends_at, record, consumed) \
               SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), \
               CAST($5 AS BIGINT), CAST($6 AS TEXT), 0 \
               WHERE NOT EXISTS (SELECT 1 FROM oauth_revoked_grants WHERE grant_id = $2)";
    let mut params = columns(&refresh.hash, &refresh.grant);
    params.extend([time(refresh.grant_expires_at), record(refresh)?.into()]);
    Ok(Step::new(sql, params))
}

fn columns(hash: &TokenHash, grant: &GrantRecord) -> Vec<Value> {
    vec![
        hash.to_string().into(),
        grant.id.to_string().into(),
        (&*grant.client_id).into(),
        grant.subject.as_deref().into(),
    ]
}
