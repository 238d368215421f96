//! The current token as a header, cached and fresh: what every request of a service pays.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{self, Runtime},
    sync::Barrier,
};

use crate::{
    contest::{Contestant, Count, Effort, interleave, nanoseconds_each, rate},
    endpoint::Endpoint,
    floors::{Floor, Swapped},
    libraries::{Azure, Gcp, Google, GoogleTagged, Huskarl, Library, Ours, Yup},
};

/// Runs `$go::<L>` for every library and floor.
macro_rules! everyone {
    ($go:ident($($argument:expr),*)) => {
        vec![
            $go::<Floor>($($argument),*),
            $go::<Swapped>($($argument),*),
            $go::<Ours>($($argument),*),
            $go::<Huskarl>($($argument),*),
            $go::<Google>($($argument),*),
            $go::<GoogleTagged>($($argument),*),
            $go::<Yup>($($argument),*),
            $go::<Gcp>($($argument),*),
            $go::<Azure>($($argument),*),
        ]
    };
}

/// One task asks again and again.
pub fn one_task(effort: Effort) {
    let endpoint = Endpoint::start();
    let contestants = everyone!(alone(&endpoint, effort.pick(200_000, 50_000)));
    interleave(
        &[("cached header, 1 task", "ns")],
        effort.pick(15, 5),
        contestants,
    );
}

/// 64 tasks on 2 threads share it.
pub fn many_tasks(effort: Effort) {
    let endpoint = Endpoint::start();
    let contestants = everyone!(crowd(&endpoint, effort.pick(10_000, 4_000)));
    interleave(
        &[("cached header, 64 tasks, 2 threads", "Mop/s")],
        effort.pick(15, 5),
        contestants,
    );
}

/// What one call allocates.
pub fn allocations(count: Count) {
    let endpoint = Endpoint::start();
    let figures = [
        ("cached header, allocations", "allocations"),
        ("cached header, bytes allocated", "bytes"),
    ];
    interleave(&figures, 3, everyone!(counted(&endpoint, count)));
}

fn counted<L: Library>(endpoint: &Endpoint, count: Count) -> Contestant {
    const CALLS: usize = 1_000;
    let (runtime, library) = ready::<L>(runtime::Builder::new_current_thread(), endpoint);
    Contestant::new(L::NAME, move || {
        let (allocations, bytes) = count(&mut || runtime.block_on(ask(&*library, CALLS)));
        vec![
            allocations as f64 / CALLS as f64,
            bytes as f64 / CALLS as f64,
        ]
    })
}

fn alone<L: Library>(endpoint: &Endpoint, calls: usize) -> Contestant {
    let (runtime, library) = ready::<L>(runtime::Builder::new_current_thread(), endpoint);
    Contestant::new(L::NAME, move || {
        let started = Instant::now();
        runtime.block_on(ask(&*library, calls));
        vec![nanoseconds_each(started.elapsed(), calls)]
    })
}

fn crowd<L: Library>(endpoint: &Endpoint, calls: usize) -> Contestant {
    const TASKS: usize = 64;
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(2);
    let (runtime, library) = ready::<L>(builder, endpoint);
    Contestant::new(L::NAME, move || {
        let start = Arc::new(Barrier::new(TASKS + 1));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (library, start) = (Arc::clone(&library), Arc::clone(&start));
                runtime.spawn(async move {
                    start.wait().await;
                    ask(&*library, calls).await;
                })
            })
            .collect();
        let started = runtime.block_on(async {
            // Before the tasks may go: this thread may be the last one to hear of it.
            let started = Instant::now();
            start.wait().await;
            for task in tasks {
                task.await.expect("no task fails");
            }
            started
        });
        vec![rate(started, TASKS * calls, 1e6)]
    })
}

async fn ask<L: Library>(library: &L, calls: usize) {
    for _ in 0..calls {
        black_box(library.header().await.expect("a token"));
    }
}

/// A library that has its token, on a runtime that it keeps.
fn ready<L: Library>(mut builder: runtime::Builder, endpoint: &Endpoint) -> (Runtime, Arc<L>) {
    let runtime = builder.enable_all().build().expect("a runtime");
    let library = runtime.block_on(async {
        let library = L::new(endpoint).await;
        library.header().await.expect("a token");
        // A library that renews in the background gets the time to settle.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Arc::new(library)
    });
    (runtime, library)
}
