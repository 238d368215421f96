//! The threads that wait for the disk, so that no task has to.
//!
//! One thread writes and some read. Each takes jobs from a bounded queue of its own: who finds it
//! full waits, at most for the time limit. A reader is chosen by how little it has to do. A job whose
//! caller has given up before it was begun is not begun; one that was begun is finished. The threads
//! end when the last handle is gone and the queues are empty.
//!
//! To wake who waits for an answer costs more than to look up a row. A thread that finds several such
//! jobs in its queue does them all before it answers: the runtime is woken once, and has several tasks
//! to go on with.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use oauth_core::store::{StoreError, StoreErrorKind};
use tokio::sync::{mpsc, oneshot};

use super::connection::{Connection, Settings};

/// How many jobs may wait in a queue.
const QUEUE: usize = 1024;

/// How many jobs a thread takes from its queue at once.
const TAKEN_AT_ONCE: usize = 16;

/// How long an answer waits for others, at most. A row that is in memory takes a hundredth of it, one
/// that the disk has to look for may take long.
const HELD: Duration = Duration::from_millis(1);

/// How long brief jobs take the file to be at its path still: to find that out takes about as long as to
/// look up a row, and what a row was a millisecond ago it may be anyhow by the time that it is used.
const FOUND: Duration = Duration::from_millis(1);

/// What a thread is to do.
trait Job: Send {
    /// Whether it takes so little time that answers may wait for it.
    fn is_brief(&self) -> bool;

    /// Does it, unless nobody waits for it any more.
    fn run(&mut self, connection: &mut Connection);

    /// Says what came of it.
    fn answer(self: Box<Self>);
}

/// A job, and who waits for what comes of it.
struct Call<A, T> {
    is_brief: bool,
    act: Option<A>,
    done: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    part: Option<Part>,
}

/// The threads of a store, and the way to them.
pub(super) struct Workers {
    writer: Queue,
    /// Without any, the writer reads, too.
    readers: Vec<Queue>,
    limit: Duration,
}

/// The way to a thread.
struct Queue {
    jobs: mpsc::Sender<Box<dyn Job>>,
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
        self.call(&self.writer, false, act).await
    }

    /// As [`Workers::read`], for no more than one row.
    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call(self.idlest(), true, act).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call(self.idlest(), false, act).await
    }

    /// The reader that has the least to do.
    fn idlest(&self) -> &Queue {
        let load = |queue: &&Queue| queue.load.load(Ordering::Relaxed);
        let idlest = self.readers.iter().min_by_key(load);
        idlest.unwrap_or(&self.writer)
    }

    /// Closes the connections, until they are needed again.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        for queue in self.readers.iter().chain([&self.writer]) {
            self.call(queue, false, |connection| {
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
        is_brief: bool,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        queue.load.fetch_add(1, Ordering::Relaxed);
        let job = Box::new(Call {
            is_brief,
            act: Some(act),
            done: None,
            answer,
            part: Some(Part(Arc::clone(&queue.load))),
        });
        let stopped = || {
            StoreError::new(
                StoreErrorKind::Unavailable,
                "the token store's thread has ended",
            )
        };
        // Pinned here: a future that is moved into the timeout is copied and kept twice.
        let done = pin!(async {
            queue.jobs.send(job).await.map_err(|_| stopped())?;
            answered.await.map_err(|_| stopped())?
        });
        tokio::time::timeout(self.limit, done)
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::new(
                    StoreErrorKind::Unavailable,
                    format!("the token store took longer than {:?}", self.limit),
                ))
            })
    }
}

impl<A, T> Job for Call<A, T>
where
    A: FnOnce(&mut Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn is_brief(&self) -> bool {
        self.is_brief
    }

    fn run(&mut self, connection: &mut Connection) {
        if !self.answer.is_closed() {
            self.done = self.act.take().map(|act| act(connection));
        }
        // Before anybody is woken: with the next job they would find this thread busy with what is
        // done, and wake another.
        self.part = None;
    }

    fn answer(self: Box<Self>) {
        if let Some(done) = self.done {
            // Nobody may be waiting any more; the work is done all the same.
            let _ = self.answer.send(done);
        }
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
    let (jobs, mut received) = mpsc::channel(QUEUE);
    let run = move || {
        let mut taken: Vec<Box<dyn Job>> = Vec::with_capacity(TAKEN_AT_ONCE);
        let mut done = Vec::with_capacity(TAKEN_AT_ONCE);
        while received.blocking_recv_many(&mut taken, TAKEN_AT_ONCE) > 0 {
            let mut since = Instant::now();
            connection.look_after(FOUND, since);
            let mut jobs = taken.drain(..);
            while let Some(mut job) = jobs.next() {
                if job.is_brief() {
                    job.run(&mut connection);
                    done.push(job);
                    // The last job is answered right away in any case, and most come alone.
                    if jobs.len() > 0 && since.elapsed() > HELD {
                        done.drain(..).for_each(<dyn Job>::answer);
                        since = Instant::now();
                    }
                } else {
                    done.drain(..).for_each(<dyn Job>::answer);
                    connection.look_again();
                    job.run(&mut connection);
                    job.answer();
                }
            }
            done.drain(..).for_each(<dyn Job>::answer);
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

#[cfg(test)]
mod tests;
