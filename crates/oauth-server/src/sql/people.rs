//! Clients, scopes, and people with their passwords.

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Map;

use super::{SqlStore, Value, driver::Step, read, record};
use crate::{
    BuildError, Client, Clients, ContextError, ResourceOwners, Scope, ScopeRecord, Scopes,
    SecretHash,
};

#[async_trait]
impl Clients for SqlStore {
    async fn get(&self, client_id: &str) -> Result<Option<Client>, ContextError> {
        let sql = "SELECT record FROM oauth_clients WHERE id = $1";
        self.one(sql, vec![client_id.into()]).await
    }
}

#[async_trait]
impl Scopes for SqlStore {
    async fn all(&self) -> Result<Vec<ScopeRecord>, ContextError> {
        let sql = "SELECT record FROM oauth_scopes ORDER BY name";
        let rows = self.rows(sql, Vec::new()).await?;
        let texts = rows.iter().filter_map(|row| match row.as_slice() {
            [Value::Text(text)] => Some(text),
            _ => None,
        });
        texts.map(|text| read(text)).collect()
    }
}

impl SqlStore {
    /// Adds a person, or replaces the one with this user name. The password is hashed on a
    /// blocking thread.
    ///
    /// # Errors
    ///
    /// When the password is empty or longer than 512 bytes, or the database cannot answer.
    pub async fn insert_resource_owner(
        &self,
        username: &str,
        subject: &str,
        password: &SecretString,
    ) -> Result<(), BuildError> {
        use secrecy::ExposeSecret;
        let (password, cost) = (password.clone(), self.cost);
        let hash =
            tokio::task::spawn_blocking(move || SecretHash::chosen(password.expose_secret(), cost));
        let stopped = |error| ContextError::new("hashing failed").with_source(error);
        let hash = hash.await.map_err(stopped)??;
        let insert = "INSERT INTO oauth_resource_owners (username, subject, password) \
                      VALUES ($1, $2, $3) ON CONFLICT (username) \
                      DO UPDATE SET subject = excluded.subject, password = excluded.password";
        let back = "DELETE FROM oauth_removed_subjects WHERE subject = $1";
        let params = vec![username.into(), subject.into(), hash.to_string().into()];
        let steps = vec![
            Step::new(insert, params),
            Step::new(back, vec![subject.into()]),
        ];
        self.driver.transact(steps).await?;
        Ok(())
    }

    /// What the userinfo endpoint tells about a subject, as far as the scope goes.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn set_claims(
        &self,
        subject: &str,
        claims: &Map<String, serde_json::Value>,
    ) -> Result<(), ContextError> {
        let sql = "INSERT INTO oauth_claims (subject, claims) VALUES ($1, $2) \
                   ON CONFLICT (subject) DO UPDATE SET claims = excluded.claims";
        let params = vec![subject.into(), record(claims)?.into()];
        self.run(sql, params).await.map(drop)
    }

    /// Removes a person and what is told about them; their grants cannot be refreshed any more.
    /// False if there is none. That they were removed is remembered for good, in a row with nothing
    /// but the subject: after any end of it, a grant that is kept elsewhere could outlive it.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn remove_resource_owner(&self, username: &str) -> Result<bool, ContextError> {
        let remember = "INSERT INTO oauth_removed_subjects (subject) \
                        SELECT subject FROM oauth_resource_owners WHERE username = $1 \
                        ON CONFLICT (subject) DO NOTHING";
        let forget = "DELETE FROM oauth_claims WHERE subject IN \
                      (SELECT subject FROM oauth_resource_owners WHERE username = $1)";
        let remove = "DELETE FROM oauth_resource_owners WHERE username = $1";
        let steps = vec![
            Step::new(forget, vec![username.into()]),
            Step::new(remember, vec![username.into()]),
            Step::required(remove, vec![username.into()]),
        ];
        Ok(self.driver.transact(steps).await?.is_some())
    }
}

#[async_trait]
impl ResourceOwners for SqlStore {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<String>, ContextError> {
        let sql = "SELECT subject, password FROM oauth_resource_owners WHERE username = $1";
        let rows = self.rows(sql, vec![username.into()]).await?;
        let (subject, hash) = match rows.first().map(Vec::as_slice) {
            Some([Value::Text(subject), Value::Text(hash)]) => {
                let hash = hash.parse::<SecretHash>();
                let hash = hash.map_err(|_| ContextError::new("a stored hash cannot be read"))?;
                (Some(subject.clone()), Some(hash))
            }
            _ => (None, None),
        };
        let fits = self
            .verifier
            .verify_password(password, hash.as_ref())
            .await?;
        Ok(subject.filter(|_| fits))
    }

    async fn is_active(&self, subject: &str) -> Result<bool, ContextError> {
        let sql = "SELECT subject FROM oauth_removed_subjects WHERE subject = $1";
        Ok(self.rows(sql, vec![subject.into()]).await?.is_empty())
    }

    async fn claims(
        &self,
        subject: &str,
        _: &Scope,
    ) -> Result<Map<String, serde_json::Value>, ContextError> {
        let sql = "SELECT claims FROM oauth_claims WHERE subject = $1";
        Ok(self
            .one(sql, vec![subject.into()])
            .await?
            .unwrap_or_default())
    }
}
