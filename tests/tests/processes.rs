//! Several processes on one store: one of them renews, none loses a refresh token, whoever is
//! killed or stopped on the way.
//!
//! The processes are this test's own program, started again: see [`child`].

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[path = "processes/child.rs"]
mod child;
#[path = "processes/place.rs"]
mod place;
#[path = "processes/points.rs"]
mod points;
#[path = "processes/world.rs"]
mod world;

use std::time::Duration;

use place::Place;
use points::{Point, WAITS};
use world::World;

/// Four processes, one user whose token has expired, and a refresh token that can be used once.
async fn one_request_for_four(world: &World) {
    world.expire().await;
    let before = world.refreshes();
    // The first has the lease until the others have found it taken.
    let mut children = vec![world.child_with(Some(Point::Request), PATIENT).await];
    children[0].send("get").await;
    children[0].until(Some(Point::Request), 0).await;
    for _ in 0..3 {
        let mut child = world.child_with(None, PATIENT).await;
        child.send("get").await;
        child.says(WAITS).await;
        children.push(child);
    }
    children[0].send("go").await;
    let mut tokens = Vec::new();
    for child in &mut children {
        tokens.push(child.answer().await.unwrap());
    }
    assert_eq!(world.refreshes() - before, 1, "requests for one token");
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "not all have the same token");
    assert!(world.is_good(&world.stored().await).await);
}

/// Kills a process `count` times while it renews: every second time at one of the points, in turn,
/// and otherwise wherever it happens to be.
async fn kills(world: &World, count: usize) {
    let seed = seed();
    println!("OAUTH_TEST_SEED={seed}");
    let mut random = Random(seed);
    let mut lost = 0;
    for round in 0..count {
        world.expire().await;
        let before = world.stored().await;
        let place = match round % 2 {
            0 => Some(Point::ALL[round / 2 % Point::ALL.len()]),
            _ => None,
        };
        let mut child = world.child(place).await;
        child.send("get").await;
        // Without a place: after as many lines as it comes to, and then a little later.
        child.until(place, random.below(6)).await;
        for _ in 0..random.below(2000) {
            tokio::task::yield_now().await;
        }
        let said = child.kill().await;
        let passed = |point: Point| said.iter().any(|line| line == &point.line());

        // A store opened anew reads all there is.
        world.quiet().await;
        let stored = world.stored().await;
        let round = format!("seed {seed}, round {round}, killed at {place:?} after {said:?}");
        let may_be_lost = match place {
            Some(Point::Request | Point::Saved) => false,
            _ => passed(Point::Request) && !passed(Point::Saved),
        };
        if passed(Point::Saved) {
            assert!(stored != before, "{round}: what was saved is gone");
        } else if !passed(Point::Request) {
            assert!(stored == before, "{round}: nothing was asked for yet");
        }

        let requests = world.refreshes();
        let mut next = world.child(None).await;
        next.send("get").await;
        match next.answer().await {
            Ok(_) => {
                let requests = world.refreshes() - requests;
                let needed = usize::from(stored == before);
                assert_eq!(requests, needed, "{round}: requests of the next process");
                assert!(world.is_good(&world.stored().await).await, "{round}");
            }
            Err(error) => {
                // The server has given a successor that nobody has: no store can bring it back.
                assert!(may_be_lost, "{round}: it need not have been lost: {error}");
                assert!(
                    !world.is_good(&before).await,
                    "{round}: still good: {error}"
                );
                assert!(
                    error.contains("interrupted") && error.contains("was stopped"),
                    "{round}: said only {error}"
                );
                lost += 1;
                world.log_in().await;
            }
        }
        next.kill().await;
    }
    assert!(
        lost > 0,
        "no kill came between answer and save: this proves too little"
    );
    println!("{count} kills, {lost} of them after the answer and before the save");
}

/// A process dies with an answer in its hands, and the next one meets a server that has no time.
async fn what_was_lost_is_still_said_after_other_trouble(world: &World) {
    world.expire().await;
    let mut child = world.child(Some(Point::Answer)).await;
    child.send("get").await;
    child.until(Some(Point::Answer), 0).await;
    child.kill().await;

    world.next_request_fails();
    let mut second = world.child(None).await;
    second.send("get").await;
    let error = second.answer().await.unwrap_err();
    assert!(error.contains("(status 503)"), "{error}");
    let mut third = world.child(None).await;
    third.send("get").await;
    let error = third.answer().await.unwrap_err();
    assert!(error.starts_with("interrupted: "), "{error}");
}

/// A process that is stopped with an answer in its hands, until its lease is over.
async fn a_late_save_is_refused(world: &World) {
    world.expire().await;
    let mut late = world.child(Some(Point::Save)).await;
    late.send("get").await;
    late.until(Some(Point::Save), 0).await;
    late.signal("STOP").await;

    let mut other = world.child(None).await;
    other.send("get").await;
    let token = other.answer().await.unwrap();
    let stored = world.stored().await;

    // Only now: a busy machine may take its time to stop a process, which would save in that time.
    late.send("go").await;
    late.signal("CONT").await;
    let its_own = late.answer().await.unwrap();
    let said = late.kill().await;
    assert!(said.contains(&"refused Fenced".to_owned()), "{said:?}");
    // Both were granted; the later one is stored, can be used, and is what both hand out.
    assert!(world.is_good(&stored).await);
    assert_eq!(world.stored().await, stored);
    assert_eq!(world.stored_access().await, token);
    assert_eq!(its_own, token);
}

/// Longer than the processes of a test take to start.
const PATIENT: Duration = Duration::from_secs(120);

/// Numbers that come again with their seed (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end).unwrap()
    }
}

/// `OAUTH_TEST_SEED`, or another each time.
fn seed() -> u64 {
    use oauth_core::random::{OsRandom, Random as _};

    let set = std::env::var("OAUTH_TEST_SEED").ok();
    set.map_or_else(
        || {
            let mut seed = [0; 8];
            OsRandom.fill(&mut seed).unwrap();
            u64::from_ne_bytes(seed) | 1
        },
        |seed| seed.parse().unwrap(),
    )
}

/// How often a process is killed: `OAUTH_TEST_KILLS`, or 50 times.
fn how_often() -> usize {
    let set = std::env::var("OAUTH_TEST_KILLS").ok();
    set.map_or(50, |count| count.parse().unwrap())
}

/// The tests of one place, each on a store of its own.
macro_rules! on {
    ($place:ident) => {
        mod $place {
            use super::{Place, World};

            #[tokio::test(flavor = "multi_thread")]
            async fn one_request_for_four() {
                super::one_request_for_four(&World::once(Place::$place()).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn kills() {
                super::kills(&World::once(Place::$place()).await, super::how_often()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_was_lost_is_still_said_after_other_trouble() {
                let world = World::once(Place::$place()).await;
                super::what_was_lost_is_still_said_after_other_trouble(&world).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_late_save_is_refused() {
                super::a_late_save_is_refused(&World::again(Place::$place()).await).await;
            }
        }
    };
}

on!(sqlite);
on!(postgres);
on!(redis);
