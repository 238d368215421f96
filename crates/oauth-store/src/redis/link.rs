//! The link to the server: one connection for all, made anew when it breaks.

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use oauth_core::store::{StoreError, StoreErrorKind};
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::timeout;

use super::{failure, scripts::Named};

/// A connection and the time a command may take on it.
pub(super) struct Link {
    client: Client,
    limit: Duration,
    /// The connection, and how many there were before it.
    connection: Mutex<(u64, ConnectionManager)>,
}

impl Link {
    pub(super) fn new(client: Client, limit: Duration) -> Result<Self, StoreError> {
        let connection = connect(&client, limit).map_err(|error| failure::refused(&error))?;
        Ok(Self {
            client,
            limit,
            connection: Mutex::new((0, connection)),
        })
    }

    /// Runs a script, and sends its text when the server does not know it: new, or restarted.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Named,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<T, StoreError> {
        let count = keys.len().to_string();
        let command = |verb, script: &str| {
            let first = [script.as_bytes(), count.as_bytes()];
            let all = first.iter().chain(keys).chain(arguments);
            command(verb, all.copied())
        };
        match self.send(&command("EVALSHA", &script.hash)).await? {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.ask(&command("EVAL", script.text)).await
            }
            answer => read(answer),
        }
    }

    /// Sends a command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        read(self.send(command).await?)
    }

    async fn send(&self, command: &Cmd) -> Result<Result<redis::Value, RedisError>, StoreError> {
        let (count, mut connection) = self.connection();
        // Pinned here: a future that is moved into the timeout is copied and kept twice.
        let answer = pin!(async {
            match command.query_async(&mut connection).await {
                // Nothing was sent: the link was down the last time somebody looked, and this
                // has made it look again.
                Err(error) if error.is_connection_refusal() => {
                    command.query_async(&mut connection).await
                }
                answer => answer,
            }
        });
        match timeout(self.limit, answer).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.replace(count);
                Err(failure::too_slow())
            }
        }
    }

    fn connection(&self) -> (u64, ConnectionManager) {
        let connection = self.connection.lock();
        connection.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nobody tells the manager of a link that is cut and says nothing. Those who wait on the old
    /// connection keep it until they are done.
    fn replace(&self, count: u64) {
        let connection = self.connection.lock();
        let mut connection = connection.unwrap_or_else(PoisonError::into_inner);
        if connection.0 == count
            && let Ok(new) = connect(&self.client, self.limit)
        {
            *connection = (count + 1, new);
        }
    }
}

/// A command, with room for all of it: one that grows is copied each time it does.
pub(super) fn command<'a>(verb: &str, arguments: impl Iterator<Item = &'a [u8]> + Clone) -> Cmd {
    let length: usize = arguments.clone().map(<[u8]>::len).sum();
    let mut command = Cmd::with_capacity(1 + arguments.clone().count(), verb.len() + length);
    command.arg(verb);
    arguments.for_each(|argument| {
        command.arg(argument);
    });
    command
}

/// Connects when first asked. One attempt each time: who retries is the caller's to say.
fn connect(client: &Client, limit: Duration) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(limit))
        .set_response_timeout(None);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

fn read<T: FromRedisValue>(answer: Result<redis::Value, RedisError>) -> Result<T, StoreError> {
    let answer = answer.map_err(|error| failure::refused(&error))?;
    redis::from_redis_value(answer).map_err(|_| {
        StoreError::new(
            StoreErrorKind::Unreadable,
            "Redis holds something else where the store's keys are; give the store a prefix of its own",
        )
    })
}
