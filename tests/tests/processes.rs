//! Several processes on one store: one of them renews, none loses a refresh token, whoever is
//! killed or stopped on the way.
//!
//! The processes are this test's own program, started again: see [`child`].

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "processes/child.rs"]
mod child;
#[path = "processes/points.rs"]
mod points;
#[path = "processes/world.rs"]
mod world;

use points::Point;
use world::World;

/// Four processes, one user whose token has expired, and a refresh token that can be used once.
async fn one_request_for_four(world: &World) {
    world.expire().await;
    let mut children = Vec::new();
    for _ in 0..4 {
        children.push(world.child(None).await);
    }
    let before = world.refreshes();
    for child in &mut children {
        child.send("get").await;
    }
    let mut tokens = Vec::new();
    for child in &mut children {
        tokens.push(child.answer().await.unwrap());
    }
    assert_eq!(world.refreshes() - before, 1, "requests for one token");
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "not all have the same token");
    assert!(world.is_good(&world.stored().await).await);
}

/// Kills a process `count` times while it renews, at each point in turn and between them.
async fn kills(world: &World, count: usize) {
    let mut lost = 0;
    for round in 0..count {
        world.expire().await;
        let before = world.stored().await;
        let place = Point::ALL.get(round % (Point::ALL.len() + 1)).copied();
        let mut child = world.child(place).await;
        child.send("get").await;
        // Without a place: after as many lines as it comes to, and then a little later.
        let lines = round / 7 % 6;
        child.until(place, lines).await;
        for _ in 0..(round * 7919) % 1000 {
            tokio::task::yield_now().await;
        }
        let said = child.kill().await;
        let passed = |point: Point| said.iter().any(|line| line == &point.line());

        // A store opened anew reads all there is.
        let stored = world.stored().await;
        let good = world.is_good(&stored).await;
        let round = format!("round {round}, killed at {place:?} after {said:?}");
        if passed(Point::Saved) {
            assert!(good && stored != before, "{round}: what was saved is gone");
        } else if !passed(Point::Request) {
            assert!(
                good && stored == before,
                "{round}: nothing was asked for yet"
            );
        } else if !good {
            assert!(stored == before, "{round}: a stranger's refresh token");
        }
        if let Some(Point::Request | Point::Saved) = place {
            assert!(good, "{round}: it need not have been lost");
        }

        let requests = world.refreshes();
        let mut next = world.child(None).await;
        next.send("get").await;
        let answer = next.answer().await;
        if good {
            assert!(answer.is_ok(), "{round}: {answer:?}");
            let requests = world.refreshes() - requests;
            let needed = usize::from(stored == before);
            assert_eq!(requests, needed, "{round}: requests of the next process");
        } else {
            // The server has given a successor that nobody has: no store can bring it back.
            let error = answer.unwrap_err();
            assert!(error.contains("was stopped"), "{round}: said only {error}");
            lost += 1;
            world.log_in().await;
        }
        next.kill().await;
    }
    assert!(
        lost > 0,
        "no kill came between answer and save: this proves too little"
    );
}

/// A process that is stopped with an answer in its hands, until its lease is over.
async fn a_late_save_is_refused(world: &World) {
    world.expire().await;
    let mut late = world.child(Some(Point::Save)).await;
    late.send("get").await;
    late.until(Some(Point::Save), 0).await;
    late.signal("STOP").await;
    late.send("go").await;

    let mut other = world.child(None).await;
    other.send("get").await;
    let token = other.answer().await.unwrap();
    let stored = world.stored().await;

    late.signal("CONT").await;
    let its_own = late.answer().await.unwrap();
    let said = late.kill().await;
    assert!(said.contains(&"refused Fenced".to_owned()), "{said:?}");
    // Both were granted; what is stored is one of them, and can be used.
    assert!(world.is_good(&stored).await);
    assert!(world.is_good(&world.stored().await).await);
    assert_ne!(token, its_own);
}

/// How often a process is killed: `OAUTH_TEST_KILLS`, or 50 times.
fn how_often() -> usize {
    let set = std::env::var("OAUTH_TEST_KILLS").ok();
    set.map_or(50, |count| count.parse().unwrap())
}

fn sqlite() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/tokens.db", folder.path().display());
    (folder, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_one_request_for_four() {
    let (_folder, url) = sqlite();
    one_request_for_four(&World::once(&url).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_kills() {
    let (_folder, url) = sqlite();
    kills(&World::once(&url).await, how_often()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_late_save_is_refused() {
    let (_folder, url) = sqlite();
    a_late_save_is_refused(&World::again(&url).await).await;
}
