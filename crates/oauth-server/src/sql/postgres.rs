//! PostgreSQL, through a pool of connections.

use std::error::Error;

use async_trait::async_trait;
use bytes::BytesMut;
use deadpool_postgres::Pool;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::driver::{Driver, Step, Value};
use crate::{ContextError, GrantId, TokenHash};

/// The lock that stands for all grants.
const ALL: i64 = 0x6f61_7574_6800;

pub(super) struct Postgres {
    pool: Pool,
}

impl Postgres {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

#[async_trait]
impl Driver for Postgres {
    async fn transact(&self, steps: Vec<Step>) -> Result<Option<Vec<u64>>, ContextError> {
        let mut client = self.pool.get().await.map_err(failed)?;
        if let [step] = steps.as_slice() {
            let statement = client.prepare_cached(step.sql).await.map_err(failed)?;
            let rows = client.execute_raw(&statement, &step.params).await;
            let rows = rows.map_err(failed)?;
            return Ok((rows > 0 || !step.required).then(|| vec![rows]));
        }
        // Dropped without a commit, it is rolled back.
        let transaction = client.transaction().await.map_err(failed)?;
        let mut changed = Vec::with_capacity(steps.len());
        for step in &steps {
            let statement = transaction.prepare_cached(step.sql).await.map_err(failed)?;
            let rows = transaction.execute_raw(&statement, &step.params).await;
            let rows = rows.map_err(failed)?;
            if step.required && rows == 0 {
                transaction.rollback().await.map_err(failed)?;
                return Ok(None);
            }
            changed.push(rows);
        }
        transaction.commit().await.map_err(failed)?;
        Ok(Some(changed))
    }

    async fn rows(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, ContextError> {
        let client = self.pool.get().await.map_err(failed)?;
        let statement = client.prepare_cached(sql).await.map_err(failed)?;
        let params: Vec<_> = params.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
        let rows = client.query(&statement, &params).await.map_err(failed)?;
        let values = rows.iter().map(|row| {
            let columns = 0..row.len();
            columns
                .map(|column| row.try_get(column))
                .collect::<Result<_, _>>()
        });
        values.collect::<Result<_, _>>().map_err(failed)
    }

    /// A row that is not there yet cannot be locked; so what is issued and what is revoked at
    /// the same time take turns by the id of the grant.
    fn lock(&self, grant: Option<&GrantId>) -> Vec<Step> {
        let exclusive = "SELECT pg_advisory_xact_lock(CAST($1 AS BIGINT))";
        let shared = "SELECT pg_advisory_xact_lock_shared(CAST($1 AS BIGINT))";
        let Some(grant) = grant else {
            return vec![Step::new(exclusive, vec![ALL.into()])];
        };
        let [a, b, c, d, e, f, g, h, ..] = *TokenHash::of(&grant.to_string()).as_bytes();
        let one = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
        vec![
            Step::new(shared, vec![ALL.into()]),
            Step::new(exclusive, vec![one.into()]),
        ]
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(kind, out),
            Self::Int(number) => number.to_sql(kind, out),
            Self::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(kind: &Type) -> bool {
        <i64 as ToSql>::accepts(kind) || <String as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Int),
            _ => String::from_sql(kind, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        <Self as ToSql>::accepts(kind)
    }
}

fn failed(error: impl Error + Send + Sync + 'static) -> ContextError {
    ContextError::new("PostgreSQL failed").with_source(error)
}
