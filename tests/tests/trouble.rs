//! A token manager whose store is in trouble: callers get their tokens, no refresh token is lost,
//! and nothing has to be started again.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "trouble/disk.rs"]
mod disk;
#[path = "trouble/setting.rs"]
mod setting;

use oauth_core::{ErrorKind, manager::Event, store::Subject};

use setting::{Kind, Setting};

/// Nobody can ask the store: it counts as empty, unless that would send a user to log in.
async fn a_store_that_is_down_at_a_read_is_a_miss(kind: Kind) {
    let setting = Setting::start(kind).await;
    let first = setting.manager().await;
    setting.log_in(&first).await;
    let second = setting.manager().await;
    let server = setting.server();
    server.stop();

    // Memory needs no store.
    assert_eq!(setting.get(&first).await.unwrap(), setting.first_token());
    // The client's own token is asked for: the miss costs a request and nothing else.
    let app = setting.ask(&second, &Subject::Client).await.unwrap();
    // What a user's refresh token is cannot be known: that is no reason to log in again.
    let error = setting.get(&second).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert!(
        error.is_transient() && !error.needs_reauthorization(),
        "{error}"
    );

    server.restart();
    setting
        .until(async || setting.get(&second).await.ok())
        .await;
    assert_eq!(setting.get(&second).await.unwrap(), setting.first_token());
    // The token of before is written when it can be.
    let stored = setting
        .until(async || setting.stored_access(&Subject::Client).await)
        .await;
    assert_eq!(stored, app);
}

/// What stands in the way of a save: the server goes after it has given the lease.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Stopped,
    Killed,
    Hangs,
    CutBefore,
    CutAfter,
}

async fn a_rotated_token_that_cannot_be_saved_is_kept_and_written_again(
    kind: Kind,
    trouble: Trouble,
) {
    let setting = Setting::start(kind).await;
    let tokens = setting.manager().await;
    setting.log_in(&tokens).await;
    // The statements are known to the server, so that the next thing sent is the record.
    setting.renew(&tokens).await.unwrap();
    let before = setting.stored_refresh().await;
    let mut events = tokens.events();

    let server = setting.server();
    setting.after_the_next_answer({
        let server = server.clone();
        move || match trouble {
            Trouble::Stopped => server.stop(),
            Trouble::Killed => server.kill(),
            Trouble::Hangs => server.freeze(),
            Trouble::CutBefore => server.cut_next(false),
            Trouble::CutAfter => server.cut_next(true),
        }
    });
    let token = setting.renew(&tokens).await.expect("the caller's token");
    assert_eq!(setting.get(&tokens).await.unwrap(), token);
    let failed = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        Event::SaveFailed { error, .. } => Some(error),
        _ => None,
    });
    let error = failed.unwrap_or_else(|| panic!("{trouble:?}: nobody was told"));
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert!(error.is_transient(), "{error}");

    match trouble {
        Trouble::Stopped | Trouble::Killed => {
            // It is handed out and renewed all the same: memory is ahead of the store.
            setting.renew(&tokens).await.expect("the next token");
            server.restart();
        }
        Trouble::Hangs => server.thaw(),
        Trouble::CutBefore | Trouble::CutAfter => {}
    }
    let saved = setting
        .until(async || {
            let stored = setting.stored_refresh_if_any().await?;
            (stored != before && setting.is_good(&stored).await).then_some(stored)
        })
        .await;
    // Another manager goes on from there, as a process that starts now would.
    let other = setting.manager().await;
    setting.get(&other).await.expect("it can be read");
    setting.renew(&other).await.expect("it can be spent");
    assert_ne!(setting.stored_refresh().await, saved);
}

macro_rules! on {
    ($module:ident, $kind:expr) => {
        mod $module {
            use super::{Kind, Trouble};

            #[tokio::test(flavor = "multi_thread")]
            async fn a_store_that_is_down_at_a_read_is_a_miss() {
                super::a_store_that_is_down_at_a_read_is_a_miss($kind).await;
            }

            on!(@saves $kind, stopped Stopped, killed Killed, hanging Hangs, cut CutBefore,
                cut_off_from_its_answer CutAfter);
        }
    };
    (@saves $kind:expr, $($name:ident $trouble:ident),+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            super::a_rotated_token_that_cannot_be_saved_is_kept_and_written_again(
                $kind,
                Trouble::$trouble,
            )
            .await;
        })+
    };
}

on!(postgres, Kind::Postgres);
on!(redis, Kind::Redis);
