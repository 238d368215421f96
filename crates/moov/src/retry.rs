//! When a call is sent again, in the official SDKs' terms.

use std::time::Duration;

use oauth_core::{Jitter, RetryPolicy};

/// What is sent again, for a client or for one call. As in Moov's own SDKs nothing is, unless it
/// is asked for.
///
/// What a refresh token was sent with is not sent again after an answer or a time-out: Moov may
/// have rotated the token.
///
/// ```
/// use std::time::Duration;
/// use moov::{BackoffStrategy, RetryConfig};
///
/// let retries = RetryConfig::backoff(BackoffStrategy::default().with_max_elapsed_time(Duration::from_secs(30)))
///     .with_retry_connection_errors(true);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RetryConfig {
    strategy: Strategy,
    retry_connection_errors: bool,
    status_codes_override: Option<Vec<u16>>,
}

/// Whether anything is sent again.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// One request, one answer.
    #[default]
    None,
    /// Again after growing waits.
    Backoff(BackoffStrategy),
}

impl RetryConfig {
    /// The statuses that are tried again unless they are overridden.
    pub const STATUS_CODES: [u16; 5] = [429, 500, 502, 503, 504];

    /// One request, one answer: the default.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Again after growing waits, on [`RetryConfig::STATUS_CODES`].
    #[must_use]
    pub fn backoff(strategy: BackoffStrategy) -> Self {
        Self {
            strategy: Strategy::Backoff(strategy),
            ..Self::default()
        }
    }

    /// Sets whether a connection that could not be made is tried again; otherwise not.
    #[must_use]
    pub fn with_retry_connection_errors(mut self, retry: bool) -> Self {
        self.retry_connection_errors = retry;
        self
    }

    /// Sets which statuses are tried again instead of [`RetryConfig::STATUS_CODES`].
    #[must_use]
    pub fn with_status_codes_override(mut self, codes: impl IntoIterator<Item = u16>) -> Self {
        self.status_codes_override = Some(codes.into_iter().collect());
        self
    }

    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }
}

impl From<&RetryConfig> for RetryPolicy {
    fn from(config: &RetryConfig) -> Self {
        let Strategy::Backoff(backoff) = &config.strategy else {
            return Self::none();
        };
        let statuses = config
            .status_codes_override
            .as_deref()
            .unwrap_or(&RetryConfig::STATUS_CODES);
        Self::default()
            .with_max_retries(u32::MAX)
            .with_initial_delay(backoff.initial_interval)
            .with_max_delay(backoff.max_interval)
            .with_factor(backoff.exponent)
            .with_jitter(Jitter::Added(backoff.jitter))
            .with_max_elapsed(backoff.max_elapsed_time)
            .with_statuses(statuses.iter().copied())
            .with_connect_errors(config.retry_connection_errors)
    }
}

/// How waits grow: before retry *n* (from 0) `initial_interval · exponent^n` plus up to `jitter`,
/// at most `max_interval`. What the server asks for comes first, if it is no longer than that; a
/// longer wish ends the tries, and the error carries it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffStrategy {
    initial_interval: Duration,
    max_interval: Duration,
    exponent: f64,
    max_elapsed_time: Duration,
    jitter: Duration,
}

impl Default for BackoffStrategy {
    /// The official SDKs' numbers: 500 ms, at most 60 s, exponent 1.5, an hour in all, up to a
    /// second of jitter.
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_millis(500),
            max_interval: Duration::from_secs(60),
            exponent: 1.5,
            max_elapsed_time: Duration::from_secs(3600),
            jitter: Duration::from_secs(1),
        }
    }
}

impl BackoffStrategy {
    /// Sets the wait before the first retry.
    #[must_use]
    pub fn with_initial_interval(mut self, interval: Duration) -> Self {
        self.initial_interval = interval;
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub fn with_max_interval(mut self, interval: Duration) -> Self {
        self.max_interval = interval;
        self
    }

    /// Sets what the wait is multiplied with each time.
    #[must_use]
    pub fn with_exponent(mut self, exponent: f64) -> Self {
        self.exponent = exponent;
        self
    }

    /// Sets after how long no further try is begun.
    #[must_use]
    pub fn with_max_elapsed_time(mut self, time: Duration) -> Self {
        self.max_elapsed_time = time;
        self
    }

    /// Sets how much may be added to a wait at random, in milliseconds.
    #[must_use]
    pub fn with_jitter_ms(mut self, jitter: u64) -> Self {
        self.jitter = Duration::from_millis(jitter);
        self
    }
}
