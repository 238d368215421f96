//! Login sessions.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{SqlStore, record, time};
use crate::{
    ContextError, TokenHash,
    memory::BATCH,
    pages::{SessionRecord, Sessions},
};

#[async_trait]
impl Sessions for SqlStore {
    async fn insert(&self, session: SessionRecord, now: SystemTime) -> Result<(), ContextError> {
        Sessions::purge(self, now, BATCH).await?;
        let sql = "INSERT INTO oauth_sessions (hash, ends_at, record) VALUES ($1, $2, $3)";
        let end = time(session.expires_at);
        let params = vec![
            session.hash.to_string().into(),
            end,
            record(&session)?.into(),
        ];
        self.run(sql, params).await.map(drop)
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<SessionRecord>, ContextError> {
        let sql = "SELECT record FROM oauth_sessions WHERE hash = $1";
        self.one(sql, vec![hash.to_string().into()]).await
    }

    async fn update(
        &self,
        hash: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut SessionRecord) + Send),
    ) -> Result<bool, ContextError> {
        let look = "SELECT record FROM oauth_sessions WHERE hash = $1";
        let write = "UPDATE oauth_sessions SET record = $2 WHERE hash = $1 AND record = $3";
        self.change((look, write), hash, change, |_| Vec::new())
            .await
    }

    async fn remove(&self, hash: &TokenHash) -> Result<(), ContextError> {
        let sql = "DELETE FROM oauth_sessions WHERE hash = $1";
        self.run(sql, vec![hash.to_string().into()]).await.map(drop)
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let sql = "DELETE FROM oauth_sessions WHERE hash IN \
                   (SELECT hash FROM oauth_sessions WHERE ends_at <= $1 LIMIT $2)";
        self.purged(sql, now, limit).await
    }
}
