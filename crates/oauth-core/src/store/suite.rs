//! The cases that every [`TokenStore`] passes, for the tests of one.
//!
//! ```
//! use std::sync::Arc;
//! use oauth_core::store::{MemoryStore, StoreError, TokenStore, suite};
//!
//! #[derive(Debug)]
//! struct Memory;
//!
//! #[async_trait::async_trait]
//! impl suite::Harness for Memory {
//!     async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
//!         Ok(Arc::new(MemoryStore::new()))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_time().build()?.block_on(async {
//! suite::run(Arc::new(Memory)).await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What damaged rows and older schemas do is for a store's own tests: only it can make them.

mod contents;
mod leases;
mod names;
mod scale;
mod versions;

use std::{
    fmt::{self, Debug},
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

use super::{Owner, Record, StoreError, Subject, TokenRequest, TokenStore};
use crate::{AccessToken, RefreshToken, TokenSet};

/// Where the cases get their stores from, and how they make time pass.
#[async_trait]
pub trait Harness: Debug + Send + Sync + 'static {
    /// A new, empty store.
    ///
    /// # Errors
    /// When there is none to be had; the case fails.
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError>;

    /// Lets `time` pass for the leases of the stores: really, unless they run on a clock that the
    /// harness moves.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Sets the wall clock of the stores, which no lease may notice. A harness that cannot move
    /// it leaves it: the case then says no more than others do.
    fn jump(&self, _to: SystemTime) {}
}

/// One thing that a store must do. It fails by panicking, as a test does.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    run: for<'a> fn(&'a dyn Harness) -> Running<'a>,
}

type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Case {
    /// Its name, in the form of a test's.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it, in a runtime with several threads and a timer.
    ///
    /// # Panics
    /// When the store does not do what it must.
    pub async fn run(&self, harness: &dyn Harness) {
        (self.run)(harness).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// Runs every case, also after one has failed.
///
/// # Panics
/// At the end, with the names of those that failed.
pub async fn run(harness: Arc<dyn Harness>) {
    let mut failed = Vec::new();
    for case in cases() {
        let harness = Arc::clone(&harness);
        // A task of its own, so that its panic ends the case and not the suite.
        let task = tokio::spawn(async move { case.run(&*harness).await });
        if task.await.is_err() {
            failed.push(case.name());
        }
    }
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}

macro_rules! table {
    ($($module:ident: $($name:ident),+;)+) => {
        vec![$($(Case {
            name: stringify!($name),
            run: |harness| Box::pin($module::$name(harness)),
        },)+)+]
    };
}

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    table! {
        contents:
            a_record_comes_back_as_it_was,
            any_text_and_a_token_of_64_kib_come_back,
            unknown_members_survive,
            what_is_removed_is_gone,
            a_dropped_save_leaves_a_whole_record;
        versions:
            a_save_replaces_the_version_it_names_and_no_other,
            no_update_of_many_at_once_is_lost,
            one_of_many_first_saves_wins,
            a_version_never_comes_back;
        leases:
            one_of_many_gets_a_lease,
            a_lease_given_back_or_run_out_can_be_had_again,
            an_abandoned_lease_is_known_until_it_was_seen_to,
            a_save_needs_the_newest_lease,
            a_lease_that_ran_out_unused_still_saves,
            a_late_release_takes_nothing_away,
            leases_of_any_length_are_taken,
            leases_do_not_notice_the_wall_clock;
        names:
            owners_with_odd_names_never_meet,
            leases_with_odd_names_never_meet;
        scale:
            due_is_in_order_and_strictly_before,
            times_far_away_are_kept_apart,
            purge_takes_the_dead_and_no_more_than_it_may,
            ten_thousand_owners;
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn user(id: &str) -> Owner {
    Owner::new("https://id.example.com", "client", Subject::user(id))
}

/// A record whose access token ends then; with a refresh token, it is due at that time.
fn record(access: &str, ends: Option<u64>, refresh: bool) -> Record {
    let refresh = refresh.then(|| RefreshToken::new(format!("refresh-{access}")));
    let token = TokenSet::new(AccessToken::new(access).expect("a token's text"), at(0))
        .with_expires_at(ends.map(at))
        .with_refresh_token(refresh.transpose().expect("a token's text"));
    Record::new().with(TokenRequest::any(), token)
}

async fn new_store(harness: &dyn Harness) -> Arc<dyn TokenStore> {
    harness.store().await.expect("an empty store")
}

/// What is stored for `owner`; there must be something.
async fn read(store: &dyn TokenStore, owner: &Owner) -> super::Stored {
    let stored = store.load(owner).await.expect("the store answers");
    stored.expect("a record of this owner")
}

#[cfg(test)]
mod tests;
