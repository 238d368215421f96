//! The threads that wait for the disk, so that no task has to.
//!
//! One thread writes and some read. Each takes jobs from a bounded queue: who finds it full waits,
//! at most for the time limit. A job whose caller has given up before it was begun is not begun; one
//! that was begun is finished. The threads end when the last handle is gone and the queues are empty.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use oauth_core::store::{StoreError, StoreErrorKind};
use tokio::sync::{mpsc, oneshot};

use super::connection::{Connection, Settings};

/// How many jobs may wait in a queue.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;
type Jobs = Arc<Mutex<mpsc::Receiver<Job>>>;

/// The threads of a store, and the way to them.
pub(super) struct Workers {
    writer: mpsc::Sender<Job>,
    readers: mpsc::Sender<Job>,
    limit: Duration,
}

impl Workers {
    /// Starts one thread to write and `readers` to read, and opens the file.
    pub(super) async fn start(
        settings: Settings,
        readers: usize,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        let (writer, jobs) = mpsc::channel(QUEUE);
        spawn(
            "oauth-store-write",
            Arc::new(Mutex::new(jobs)),
            Connection::new(settings.clone(), false),
        )?;
        let (reader, jobs) = mpsc::channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..readers {
            let connection = Connection::new(settings.clone(), true);
            spawn("oauth-store-read", Arc::clone(&jobs), connection)?;
        }
        let workers = Self {
            writer,
            readers: reader,
            limit,
        };
        workers.write(Connection::create).await?;
        Ok(workers)
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call(&self.writer, act).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call(&self.readers, act).await
    }

    async fn call<T: Send + 'static>(
        &self,
        queue: &mpsc::Sender<Job>,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if !answer.is_closed() {
                // Nobody may be waiting any more; the work is done all the same.
                let _ = answer.send(act(connection));
            }
        });
        let stopped = || {
            StoreError::new(
                StoreErrorKind::Unavailable,
                "the token store's thread has ended",
            )
        };
        let done = tokio::time::timeout(self.limit, async {
            queue.send(job).await.map_err(|_| stopped())?;
            answered.await.map_err(|_| stopped())?
        });
        done.await.unwrap_or_else(|_| {
            Err(StoreError::new(
                StoreErrorKind::Unavailable,
                format!("the token store took longer than {:?}", self.limit),
            ))
        })
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

fn spawn(name: &str, jobs: Jobs, mut connection: Connection) -> Result<(), StoreError> {
    let run = move || {
        // The lock is held while waiting: whoever has it takes the next job, the others queue up.
        while let Some(job) = next(&jobs) {
            job(&mut connection);
        }
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(|error| {
        StoreError::new(
            StoreErrorKind::Unavailable,
            "no thread for the token store could be started",
        )
        .with_source(error)
    })
}

fn next(jobs: &Jobs) -> Option<Job> {
    jobs.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .blocking_recv()
}
