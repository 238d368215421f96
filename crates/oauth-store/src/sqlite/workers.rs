//! The threads that wait for the disk, so that no task has to.
//!
//! One thread writes and some read. Each takes jobs from a bounded queue of its own: who finds it
//! full waits, at most for the time limit. A reader is chosen by how little it has to do. A job whose
//! caller has given up before it was begun is not begun; one that was begun is finished. The threads
//! end when the last handle is gone and the queues are empty.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use oauth_core::store::{StoreError, StoreErrorKind};
use tokio::sync::{mpsc, oneshot};

use super::connection::{Connection, Settings};

/// How many jobs may wait in a queue.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The threads of a store, and the way to them.
pub(super) struct Workers {
    writer: Queue,
    /// Without any, the writer reads, too.
    readers: Vec<Queue>,
    limit: Duration,
}

/// The way to a thread.
struct Queue {
    jobs: mpsc::Sender<Job>,
    /// How many jobs wait for the thread, or are in its hands.
    load: Arc<AtomicUsize>,
}

/// A job's part of a thread's load, until it is done or given up.
struct Part(Arc<AtomicUsize>);

impl Workers {
    /// Starts one thread to write and `readers` to read, and opens the file.
    pub(super) async fn start(
        settings: Settings,
        readers: usize,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        let reader = |_| spawn("oauth-store-read", Connection::new(settings.clone(), true));
        let workers = Self {
            readers: (0..readers).map(reader).collect::<Result<_, _>>()?,
            writer: spawn(
                "oauth-store-write",
                Connection::new(settings.clone(), false),
            )?,
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
        let load = |queue: &&Queue| queue.load.load(Ordering::Relaxed);
        let idlest = self.readers.iter().min_by_key(load);
        self.call(idlest.unwrap_or(&self.writer), act).await
    }

    /// Closes the connections, until they are needed again.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        for queue in self.readers.iter().chain([&self.writer]) {
            self.call(queue, |connection| {
                connection.close();
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn call<T: Send + 'static>(
        &self,
        queue: &Queue,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        queue.load.fetch_add(1, Ordering::Relaxed);
        let part = Part(Arc::clone(&queue.load));
        let job: Job = Box::new(move |connection| {
            let _part = part;
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
            queue.jobs.send(job).await.map_err(|_| stopped())?;
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

impl Drop for Part {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn spawn(name: &str, mut connection: Connection) -> Result<Queue, StoreError> {
    let (jobs, mut received) = mpsc::channel::<Job>(QUEUE);
    let run = move || {
        while let Some(job) = received.blocking_recv() {
            job(&mut connection);
        }
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    let queue = |_| Queue {
        jobs,
        load: Arc::default(),
    };
    thread.map(queue).map_err(|error| {
        StoreError::new(
            StoreErrorKind::Unavailable,
            "no thread for the token store could be started",
        )
        .with_source(error)
    })
}
