//! 10,000 callers find the token expired, and the endpoint takes 50 ms.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime, task::JoinSet, time::sleep};

use crate::{
    contest::{Contestant, Effort, interleave_cold},
    endpoint::Endpoint,
    libraries::{Azure, Gcp, Google, Huskarl, Library, Ours, Yup},
};

const CALLERS: usize = 10_000;
const DELAY: Duration = Duration::from_millis(50);

pub fn run(effort: Effort) {
    let figures = [
        ("stampede, token requests", "requests"),
        ("stampede, until all are served", "ms"),
    ];
    let contestants = vec![
        contestant::<Ours>(),
        contestant::<Huskarl>(),
        contestant::<Yup>(),
        contestant::<Gcp>(),
        contestant::<Azure>(),
        // Looks again every 10 s: a round takes that long.
        contestant::<Google>().at_most(1),
    ];
    interleave_cold(&figures, effort.pick(12, 2), contestants);
}

fn contestant<L: Library>() -> Contestant {
    Contestant::new(L::NAME, || {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let values = runtime.block_on(stampede::<L>());
        runtime.shutdown_background();
        values
    })
}

async fn stampede<L: Library>() -> Vec<f64> {
    let endpoint = Endpoint::start();
    endpoint.lifetime(1);
    let library = Arc::new(L::new(&endpoint).await);
    library.header().await.expect("a token");
    sleep(Duration::from_millis(1_200)).await;

    endpoint.lifetime(3_600);
    endpoint.take(DELAY);
    endpoint.reset();
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let library = Arc::clone(&library);
        callers.spawn(async move {
            library.header().await.expect("a token");
        });
    }
    callers.join_all().await;
    let taken = started.elapsed();
    vec![endpoint.requests() as f64, taken.as_secs_f64() * 1e3]
}
