//! Where the shared store is: a file, or a server that is started for one test.

use tempfile::TempDir;
use test_servers::{PostgresServer, RedisServer};

pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres(PostgresServer),
    Redis(RedisServer),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(PostgresServer::start().unwrap())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(RedisServer::start().unwrap())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}/tokens.db", folder.path().display()),
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
        }
    }

    /// Waits until the server is done with all it was told: what a process has sent before it was
    /// killed is carried out when it has ended. A file knows no such process.
    pub(crate) async fn quiet(&self) {
        while !self.is_quiet() {
            tokio::task::yield_now().await;
        }
    }

    fn is_quiet(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(server) => {
                let clients = "SELECT count(*) FROM pg_stat_activity \
                    WHERE application_name = 'oauth-store'";
                server.sql(clients).unwrap() == "0"
            }
            // The one that asks is one.
            Self::Redis(server) => {
                server.command(&["CLIENT", "LIST"]).unwrap().lines().count() == 1
            }
        }
    }
}
