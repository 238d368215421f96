//! Opening a database.

use std::{net::IpAddr, sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use oauth_core::store::{StoreError, StoreErrorKind};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Postgres, failure, roots, schema};
use crate::tls;

/// How a [`Postgres`] is connected.
#[derive(Debug)]
#[must_use]
pub struct PostgresBuilder {
    url: SecretString,
    limit: Duration,
    connections: usize,
    roots: Option<Vec<u8>>,
}

impl PostgresBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            limit: Duration::from_secs(5),
            connections: 16,
            roots: None,
        }
    }

    /// How long a call may take in all: the wait for a connection, connecting, the statement.
    /// 5 seconds unless told otherwise. The server gives a statement up after the same time.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How many connections there may be at once, at least 1; 16 unless told otherwise.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// The certificates, as PEM, that the server's must come from, in place of those of the
    /// operating system: many hosted databases have an authority of their own.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Connects, and makes or migrates the tables. It ends within the time limit for the connection
    /// and as much again for a look at the tables; making them may take ten minutes, the wait for
    /// another process that does included.
    ///
    /// The link is TLS, with the server's certificate and name checked, when the URL says
    /// `sslmode=require`, or says nothing and the server is not on this machine. `sslmode=disable`
    /// sends tokens in clear.
    ///
    /// # Errors
    /// [`StoreErrorKind::Configuration`] for a URL that cannot be understood, and a user who may
    /// not log in or write; [`StoreErrorKind::Unreadable`] for the tables of a later version;
    /// [`StoreErrorKind::Unavailable`] when there is no connection.
    pub async fn connect(self) -> Result<Postgres, StoreError> {
        // The parser's own error may repeat a part of the password.
        let mut config: Config = self.url.expose_secret().parse().map_err(|_| {
            StoreError::new(
                StoreErrorKind::Configuration,
                "the PostgreSQL URL cannot be understood; it is \
                postgres://user:password@host:port/database?sslmode=require, and sslmode is \
                require, which checks the certificate and its name, prefer or disable",
            )
        })?;
        // What the URL says comes last, and so it counts.
        let options = format!(
            "-c statement_timeout={} -c synchronous_commit=on \
            -c default_transaction_isolation=read\\ committed {}",
            self.limit.as_millis().clamp(1, i32::MAX as u128),
            config.get_options().unwrap_or_default()
        );
        config.options(options.trim_end());
        config.connect_timeout(self.limit);
        config.keepalives_idle(Duration::from_secs(60));
        if config.get_application_name().is_none() {
            config.application_name("oauth-store");
        }
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match needs_tls(&config) {
            false => {
                config.ssl_mode(SslMode::Disable);
                Manager::from_config(config, NoTls, recycling)
            }
            true => {
                config.ssl_mode(SslMode::Require);
                tls::provider();
                let client = rustls::ClientConfig::builder()
                    .with_root_certificates(Arc::new(roots::trusted(self.roots.as_deref())?))
                    .with_no_client_auth();
                Manager::from_config(config, MakeRustlsConnect::new(client), recycling)
            }
        };
        let pool = Pool::builder(manager).max_size(self.connections).build();
        let pool = pool.map_err(|error| {
            StoreError::new(
                StoreErrorKind::Configuration,
                "the connections to PostgreSQL cannot be pooled",
            )
            .with_source(error)
        })?;
        let mut connection = timeout(self.limit, pool.get())
            .await
            .map_err(|_| failure::too_slow())?
            .map_err(failure::no_connection)?;
        schema::prepare(&mut connection, self.limit).await?;
        drop(connection);
        Ok(Postgres {
            pool,
            limit: self.limit,
        })
    }
}

fn needs_tls(config: &Config) -> bool {
    match config.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Prefer => {
            // An address says where to connect to, and the host beside it only what it is called.
            let addresses = config.get_hostaddrs();
            match addresses.is_empty() {
                true => !config.get_hosts().iter().all(is_here),
                false => !addresses.iter().all(IpAddr::is_loopback),
            }
        }
        _ => true,
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_this_machine_goes_through_tls() {
        for (url, tls) in [
            ("postgres://localhost/db", false),
            ("postgres://127.0.0.1,[::1]/db", false),
            ("postgres://%2Frun%2Fpostgresql/db", false),
            ("postgres://db.example.com/db", true),
            ("postgres://localhost,db.example.com/db", true),
            ("postgres://localhost/db?hostaddr=192.0.2.1", true),
            ("postgres://db.example.com/db?hostaddr=127.0.0.1", false),
            ("postgres://localhost/db?sslmode=require", true),
            ("postgres://db.example.com/db?sslmode=disable", false),
        ] {
            assert_eq!(needs_tls(&url.parse().unwrap()), tls, "{url}");
        }
    }
}
