//! The token manager for programs without an async runtime.
//!
//! ```
//! use oauth_core::{Client, Endpoints, GenericProvider, blocking, store::Subject};
//!
//! # #[cfg(feature = "rustls")]
//! fn call() -> Result<(), oauth_core::Error> {
//!     let provider = GenericProvider::new(Endpoints::new("https://id.example.com/token")?);
//!     let client = Client::builder(provider, "client-id").client_secret("secret").build()?;
//!     let tokens = blocking::TokenManager::new(client)?;
//!     let header = tokens.get(&Subject::Client, None)?.header()?;
//!     Ok(())
//! }
//! ```

use std::{future::Future, sync::Arc, time::Duration};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    Client, Error, Scopes, TokenSet,
    manager::{self, ManagedToken, TokenManagerBuilder},
    store::Subject,
};

/// A [`TokenManager`](crate::TokenManager) that waits in place. Cheap to clone. Renewals run on a
/// thread of its own, which ends with the last clone.
#[derive(Debug, Clone)]
pub struct TokenManager {
    manager: manager::TokenManager,
    runtime: Arc<Thread>,
}

#[derive(Debug)]
struct Thread(Option<Runtime>);

impl TokenManager {
    /// A manager that keeps the tokens of `client` in memory.
    ///
    /// # Errors
    /// A usage error when the system gives no thread.
    pub fn new(client: Client) -> Result<Self, Error> {
        Self::build(manager::TokenManager::builder(client))
    }

    /// The manager that `builder` describes.
    ///
    /// # Errors
    /// As [`TokenManager::new`].
    pub fn build(builder: TokenManagerBuilder) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("oauth-tokens")
            .enable_all()
            .build()
            .map_err(|_| {
                Error::usage("the operating system gave no thread for the token manager")
            })?;
        Ok(Self {
            manager: builder.build(),
            runtime: Arc::new(Thread(Some(runtime))),
        })
    }

    /// A valid token: see [`TokenManager::get`](crate::TokenManager::get).
    ///
    /// # Errors
    /// As there; a usage error when called inside an async runtime, whose thread it would block.
    pub fn get(&self, subject: &Subject, scopes: Option<&Scopes>) -> Result<ManagedToken, Error> {
        self.wait(self.manager.get(subject, scopes))
    }

    /// Another token than `rejected`: see [`Selection::renew_rejected`](crate::manager::Selection::renew_rejected).
    ///
    /// # Errors
    /// As [`TokenManager::get`].
    pub fn renew(
        &self,
        subject: &Subject,
        scopes: Option<&Scopes>,
        rejected: &ManagedToken,
    ) -> Result<ManagedToken, Error> {
        let rejected = rejected.access_token();
        let mut selection = self.manager.select(subject);
        if let Some(scopes) = scopes {
            selection = selection.scopes(scopes.clone());
        }
        self.wait(selection.renew_rejected(&rejected))
    }

    /// Keeps a token that was obtained elsewhere: see
    /// [`TokenManager::register`](crate::TokenManager::register).
    ///
    /// # Errors
    /// As there, and as [`TokenManager::get`].
    pub fn register(&self, subject: &Subject, token: TokenSet) -> Result<ManagedToken, Error> {
        self.wait(self.manager.register(subject, token))
    }

    /// Waits until nothing is under way and everything is stored: see
    /// [`TokenManager::shutdown`](crate::TokenManager::shutdown). The thread ends with the last
    /// clone and takes with it what it was about to store.
    ///
    /// # Errors
    /// A usage error inside an async runtime.
    pub fn shutdown(&self, limit: Duration) -> Result<usize, Error> {
        self.wait(async { Ok(self.manager.shutdown(limit).await) })
    }

    /// Waits for any future of the manager, or of its client.
    ///
    /// # Errors
    /// As the future; a usage error inside an async runtime.
    pub fn wait<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if Handle::try_current().is_ok() {
            return Err(Error::usage(
                "the blocking face was called inside an async runtime; use the async one there",
            ));
        }
        match &self.runtime.0 {
            Some(runtime) => runtime.block_on(future),
            None => Err(Error::lost()),
        }
    }

    /// The async manager underneath.
    #[must_use]
    pub fn manager(&self) -> &manager::TokenManager {
        &self.manager
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Waiting for the thread would panic inside an async runtime, and nothing is left to wait for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
