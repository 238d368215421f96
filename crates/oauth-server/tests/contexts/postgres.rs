//! PostgreSQL: a server that the test starts and stops.

use crate::{TRIALS, nodes, of, postgres_server::Server, suite};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres() {
    let server = Server::start();
    let first = server.open().await;
    let (one, other) = tokio::join!(server.open(), server.open());
    drop(first);
    let (one, other) = (of(one).await, of(other).await);
    nodes::run(&one, &other).await;
    drop(one);
    suite::run(&other, TRIALS).await;
}
