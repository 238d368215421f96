//! What is good for one use: authorization codes, device codes, pushed requests, signed JWTs.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{SqlStore, Value, read, record, room::Pending, time};
use crate::{
    AuthorizationCodeRecord, AuthorizationCodes, ContextError, DeviceCodeRecord, DeviceCodes,
    GrantId, JwtIds, PushedRequestRecord, PushedRequests, TokenHash,
    memory::{BATCH, REMEMBERED, pushed_requests::size},
};

#[async_trait]
impl AuthorizationCodes for SqlStore {
    async fn insert(
        &self,
        code: AuthorizationCodeRecord,
        now: SystemTime,
    ) -> Result<(), ContextError> {
        AuthorizationCodes::purge(self, now, BATCH).await?;
        let sql = "INSERT INTO oauth_codes \
                   (hash, grant_id, client_id, subject, ends_at, record, consumed, dead) \
                   VALUES ($1, $2, $3, $4, $5, $6, 0, 0)";
        let params = vec![
            code.hash.to_string().into(),
            code.grant.id.to_string().into(),
            code.client_id().into(),
            code.subject().into(),
            time(code.expires_at + REMEMBERED),
            record(&code)?.into(),
        ];
        self.run(sql, params).await.map(drop)
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AuthorizationCodeRecord>, ContextError> {
        let sql = "SELECT record, consumed, dead FROM oauth_codes WHERE hash = $1";
        let rows = self.rows(sql, vec![hash.to_string().into()]).await?;
        let Some([Value::Text(text), consumed, dead]) = rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        let mut code: AuthorizationCodeRecord = read(text)?;
        code.consumed = *consumed != Value::Int(0);
        if *dead != Value::Int(0) {
            code.expires_at = SystemTime::UNIX_EPOCH;
        }
        Ok(Some(code))
    }

    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError> {
        let sql = "UPDATE oauth_codes SET consumed = 1 \
                   WHERE hash = $1 AND consumed = 0 AND dead = 0";
        if self.run(sql, vec![hash.to_string().into()]).await? > 0 {
            return Ok(true);
        }
        // It came back: no release brings it to life again.
        let sql = "UPDATE oauth_codes SET dead = 1 WHERE hash = $1 AND dead = 0";
        self.run(sql, vec![hash.to_string().into()]).await?;
        Ok(false)
    }

    async fn release(&self, hash: &TokenHash) -> Result<(), ContextError> {
        let sql = "UPDATE oauth_codes SET consumed = 0 WHERE hash = $1 AND dead = 0";
        self.run(sql, vec![hash.to_string().into()]).await.map(drop)
    }

    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        let end = "UPDATE oauth_codes SET dead = 1 \
                   WHERE (CAST($1 AS TEXT) IS NULL OR client_id = $1) \
                   AND (CAST($2 AS TEXT) IS NULL OR subject = $2)";
        let named = "SELECT grant_id FROM oauth_codes \
                     WHERE (CAST($1 AS TEXT) IS NULL OR client_id = $1) \
                     AND (CAST($2 AS TEXT) IS NULL OR subject = $2)";
        let meant = || vec![client_id.into(), subject.into()];
        self.run(end, meant()).await?;
        let rows = self.rows(named, meant()).await?;
        let ids = rows.into_iter().filter_map(|row| row.into_iter().next());
        ids.map(|id| match id {
            Value::Text(id) => GrantId::try_from(id).map_err(ContextError::new),
            _ => Err(ContextError::new("the id of a grant is no text")),
        })
        .collect()
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let sql = "DELETE FROM oauth_codes WHERE hash IN \
                   (SELECT hash FROM oauth_codes WHERE ends_at <= $1 LIMIT $2)";
        self.purged(sql, now, limit).await
    }
}

#[async_trait]
impl DeviceCodes for SqlStore {
    async fn insert(&self, code: DeviceCodeRecord, now: SystemTime) -> Result<bool, ContextError> {
        DeviceCodes::purge(self, now, BATCH).await?;
        if !self
            .has_room(Pending::DeviceCodes, code.client_id(), 1)
            .await?
        {
            return Err(ContextError::new("the client has too many device codes"));
        }
        let sql = "INSERT INTO oauth_device_codes \
                   (hash, user_code, client_id, subject, size, ends_at, record) \
                   VALUES ($1, $2, $3, $4, 1, $5, $6) ON CONFLICT DO NOTHING";
        let params = vec![
            code.hash.to_string().into(),
            code.user_code_hash.to_string().into(),
            code.client_id().into(),
            code.subject().into(),
            time(code.expires_at + REMEMBERED),
            record(&code)?.into(),
        ];
        Ok(self.run(sql, params).await? > 0)
    }

    async fn find(&self, user_code: &TokenHash) -> Result<Option<DeviceCodeRecord>, ContextError> {
        let sql = "SELECT record FROM oauth_device_codes WHERE user_code = $1";
        self.one(sql, vec![user_code.to_string().into()]).await
    }

    async fn update(
        &self,
        device_code: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut DeviceCodeRecord) + Send),
    ) -> Result<bool, ContextError> {
        let look = "SELECT record FROM oauth_device_codes WHERE hash = $1";
        // Whose it is, is only known since the person's decision.
        let write = "UPDATE oauth_device_codes SET record = $2, subject = $4 \
                     WHERE hash = $1 AND record = $3";
        let subject = |code: &DeviceCodeRecord| vec![code.subject().into()];
        self.change((look, write), device_code, change, subject)
            .await
    }

    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        let sql = match subject {
            Some(_) => {
                "SELECT record FROM oauth_device_codes \
                 WHERE subject = $2 AND (CAST($1 AS TEXT) IS NULL OR client_id = $1)"
            }
            None => {
                "SELECT record FROM oauth_device_codes \
                 WHERE (CAST($1 AS TEXT) IS NULL OR client_id = $1) AND CAST($2 AS TEXT) IS NULL"
            }
        };
        let meant = vec![client_id.into(), subject.into()];
        let mut ended = Vec::new();
        for row in self.rows(sql, meant).await? {
            let Some(Value::Text(text)) = row.first() else {
                continue;
            };
            let code: DeviceCodeRecord = read(text)?;
            self.update(&code.hash, &mut |code| code.revoke()).await?;
            ended.push(code.grant.id);
        }
        Ok(ended)
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let sql = "DELETE FROM oauth_device_codes WHERE hash IN \
                   (SELECT hash FROM oauth_device_codes WHERE ends_at <= $1 LIMIT $2)";
        self.purged(sql, now, limit).await
    }
}

#[async_trait]
impl PushedRequests for SqlStore {
    async fn insert(
        &self,
        request: PushedRequestRecord,
        now: SystemTime,
    ) -> Result<(), ContextError> {
        PushedRequests::purge(self, now, BATCH).await?;
        let size = size(&request);
        let fits = self.has_room(Pending::PushedRequests, &request.client_id, size);
        if !fits.await? {
            return Err(ContextError::new("the client pushed too many requests"));
        }
        let sql = "INSERT INTO oauth_pushed_requests \
                   (hash, client_id, size, ends_at, record, consumed) \
                   VALUES ($1, $2, $3, $4, $5, 0)";
        let params = vec![
            request.hash.to_string().into(),
            request.client_id.as_str().into(),
            i64::try_from(size).unwrap_or(i64::MAX).into(),
            time(request.expires_at),
            record(&request)?.into(),
        ];
        self.run(sql, params).await.map(drop)
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<PushedRequestRecord>, ContextError> {
        let sql = "SELECT record, consumed FROM oauth_pushed_requests WHERE hash = $1";
        let rows = self.rows(sql, vec![hash.to_string().into()]).await?;
        let Some([Value::Text(text), consumed]) = rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        let mut request: PushedRequestRecord = read(text)?;
        request.consumed = *consumed != Value::Int(0);
        Ok(Some(request))
    }

    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError> {
        let sql = "UPDATE oauth_pushed_requests SET consumed = 1 WHERE hash = $1 AND consumed = 0";
        Ok(self.run(sql, vec![hash.to_string().into()]).await? > 0)
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let sql = "DELETE FROM oauth_pushed_requests WHERE hash IN \
                   (SELECT hash FROM oauth_pushed_requests WHERE ends_at <= $1 LIMIT $2)";
        self.purged(sql, now, limit).await
    }
}

#[async_trait]
impl JwtIds for SqlStore {
    async fn consume(
        &self,
        client_id: &str,
        id: &TokenHash,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<bool, ContextError> {
        JwtIds::purge(self, now, BATCH).await?;
        if !self.has_room(Pending::JwtIds, client_id, 1).await? {
            return Err(ContextError::new("too many JWTs of one client are in use"));
        }
        let sql = "INSERT INTO oauth_jwt_ids (id, client_id, size, ends_at) VALUES ($1, $4, 1, $2) \
                   ON CONFLICT (id) DO UPDATE SET ends_at = excluded.ends_at \
                   WHERE oauth_jwt_ids.ends_at <= $3";
        let params = vec![
            id.to_string().into(),
            time(until),
            time(now),
            client_id.into(),
        ];
        Ok(self.run(sql, params).await? > 0)
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let sql = "DELETE FROM oauth_jwt_ids WHERE id IN \
                   (SELECT id FROM oauth_jwt_ids WHERE ends_at <= $1 LIMIT $2)";
        self.purged(sql, now, limit).await
    }
}
