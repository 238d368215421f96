//! SQLite, on a thread of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{self, TrySendError},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::{Connection, ToSql, TransactionBehavior, params_from_iter, types};
use tokio::sync::oneshot;

use super::driver::{Driver, Step, Value};
use crate::{ContextError, GrantId};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// More than wait for the disk for a second or so: beyond that, whoever asks is to come back later
/// instead of taking memory.
const MAX_WAITING: usize = 1024;

/// The way to the thread that owns the connection. The thread ends when this does.
#[derive(Debug)]
pub(super) struct Sqlite {
    jobs: mpsc::SyncSender<Job>,
}

impl Sqlite {
    pub(super) async fn open(path: PathBuf) -> Result<Self, ContextError> {
        let (jobs, work) = mpsc::sync_channel::<Job>(MAX_WAITING);
        let (opened, opening) = oneshot::channel();
        let thread = thread::Builder::new().name("oauth-server sqlite".to_owned());
        let run = move || {
            let mut connection = match connect(&path) {
                Ok(connection) => connection,
                Err(error) => return drop(opened.send(Err(error))),
            };
            // Nobody may wait for it any more; then the channel is closed, too.
            let _ = opened.send(Ok(()));
            for job in work {
                job(&mut connection);
            }
        };
        let started = thread.spawn(run);
        started.map_err(|error| ContextError::new("no thread for SQLite").with_source(error))?;
        opening.await.map_err(|_| stopped())??;
        Ok(Self { jobs })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ContextError> {
        let (done, outcome) = oneshot::channel();
        let job = Box::new(move |connection: &mut Connection| {
            // Done all the same if the caller went away.
            let _ = done.send(job(connection));
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => ContextError::new("too many requests wait for SQLite"),
            TrySendError::Disconnected(_) => stopped(),
        })?;
        outcome.await.map_err(|_| stopped())?.map_err(failed)
    }
}

fn connect(path: &Path) -> Result<Connection, ContextError> {
    own(path)
        .map_err(|error| ContextError::new("the SQLite file cannot be used").with_source(error))?;
    set_up(path).map_err(failed)
}

/// Makes the file, which is the owner's alone. SQLite gives those beside it, its log, the same
/// rights.
#[cfg(unix)]
fn own(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    let mut options = fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match fs::metadata(path)?.mode() & 0o077 {
                0 => Ok(()),
                _ => Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "it may be read or written by others; take that right away (chmod 600)",
                )),
            }
        }
        made => made.map(drop),
    }
}

/// Elsewhere rights are inherited from the folder, which is the owner's to protect.
#[cfg(not(unix))]
fn own(_: &Path) -> io::Result<()> {
    Ok(())
}

fn set_up(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    // Other processes may hold the file for a moment.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // Not even a power failure may bring a used code back.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

#[async_trait]
impl Driver for Sqlite {
    async fn transact(&self, steps: Vec<Step>) -> Result<Option<Vec<u64>>, ContextError> {
        self.run(move |connection| {
            // Reading first and writing later could meet another process's change in between.
            let behavior = TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behavior)?;
            let mut changed = Vec::with_capacity(steps.len());
            for step in &steps {
                let mut statement = transaction.prepare_cached(&numbered(step.sql))?;
                let rows = statement.execute(params_from_iter(&step.params))?;
                if step.required && rows == 0 {
                    return Ok(None);
                }
                changed.push(rows as u64);
            }
            transaction.commit()?;
            Ok(Some(changed))
        })
        .await
    }

    async fn rows(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, ContextError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(&numbered(sql))?;
            let width = statement.column_count();
            let rows = statement.query_map(params_from_iter(&params), |row| {
                (0..width).map(|column| row.get(column)).collect()
            })?;
            rows.collect()
        })
        .await
    }

    fn lock(&self, _: Option<&GrantId>) -> Vec<Step> {
        Vec::new()
    }
}

/// `$1` is a name to SQLite, `?1` the first parameter.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<types::ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Int(number) => number.to_sql(),
            Self::Null => Ok(types::ToSqlOutput::Owned(types::Value::Null)),
        }
    }
}

impl types::FromSql for Value {
    fn column_result(value: types::ValueRef<'_>) -> types::FromSqlResult<Self> {
        match value {
            types::ValueRef::Null => Ok(Self::Null),
            types::ValueRef::Integer(number) => Ok(Self::Int(number)),
            _ => value.as_str().map(Self::from),
        }
    }
}

fn failed(error: rusqlite::Error) -> ContextError {
    ContextError::new("SQLite failed").with_source(error)
}

fn stopped() -> ContextError {
    ContextError::new("the SQLite thread has stopped")
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Future, poll_fn},
        task::Poll,
    };

    use super::*;

    #[tokio::test]
    async fn only_so_many_wait() {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(folder.path().join("oauth.db")).await.unwrap();
        let (begun, begins) = oneshot::channel();
        let (release, released) = mpsc::channel();
        let slow = Box::new(move |_: &mut Connection| {
            begun.send(()).unwrap();
            released.recv().unwrap();
        });
        sqlite.jobs.send(slow).unwrap();
        begins.await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING {
            let mut one = Box::pin(sqlite.run(|_| Ok(())));
            let done = poll_fn(|context| Poll::Ready(one.as_mut().poll(context).is_ready()));
            assert!(!done.await);
            waiting.push(one);
        }
        let refused = sqlite.run(|_| Ok(())).await.unwrap_err();
        assert_eq!(refused.to_string(), "too many requests wait for SQLite");
        release.send(()).unwrap();
        for one in waiting {
            one.await.unwrap();
        }
        sqlite.run(|_| Ok(())).await.unwrap();
    }
}
