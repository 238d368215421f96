//! 32 at a time on one thread, against a server on another: what the client costs is what counts.

use std::{sync::Arc, time::Instant};

use tokio::{
    runtime::{self, Runtime},
    task::JoinSet,
};

use crate::contest::{Contestant, rate};

const AT_A_TIME: usize = 32;

/// A contestant that does `job` so often in each round, in thousands a second.
pub fn contestant<J, F>(who: &'static str, runtime: Runtime, times: usize, job: J) -> Contestant
where
    J: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let job = Arc::new(job);
    Contestant::new(who, move || {
        let started = Instant::now();
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..AT_A_TIME {
                let job = Arc::clone(&job);
                tasks.spawn(async move {
                    for _ in 0..times / AT_A_TIME {
                        job().await;
                    }
                });
            }
            tasks.join_all().await;
        });
        vec![rate(started, times, 1e3)]
    })
}

/// The runtime a contestant keeps.
pub fn runtime() -> Runtime {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
