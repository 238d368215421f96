//! Spans of what takes time, for whoever traces (feature `tracing`): a renewal, the exchange in it,
//! each request on the wire, each call of the store. Their fields are this crate's own words, the
//! provider's name and the issuer; no subject, no scope, no token.

use std::{future::Future, sync::Arc};

use crate::{provider::EndpointKind, store::TokenStore};

#[cfg(feature = "tracing")]
mod store;

/// A flight that renews a token.
#[cfg(feature = "tracing")]
pub(crate) fn renewal<F: Future>(
    issuer: &str,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    use tracing::Instrument;
    // Whoever comes first starts it, and it belongs to all who wait.
    work.instrument(tracing::info_span!(parent: None, "oauth.renewal", issuer))
}

/// The exchange of a grant for a token.
#[cfg(feature = "tracing")]
pub(crate) fn exchange<F: Future>(
    grant_type: &str,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    use tracing::Instrument;
    work.instrument(tracing::debug_span!("oauth.exchange", grant_type))
}

/// One request, and its answer.
#[cfg(feature = "tracing")]
pub(crate) fn request<F: Future>(
    provider: &str,
    endpoint: EndpointKind,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    use tracing::Instrument;
    let endpoint = endpoint.as_str();
    work.instrument(tracing::debug_span!("oauth.request", provider, endpoint))
}

/// A store of which each call is a span.
#[cfg(feature = "tracing")]
pub(crate) fn store(store: Arc<dyn TokenStore>) -> Arc<dyn TokenStore> {
    Arc::new(store::Traced(store))
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn renewal<F: Future>(_: &str, work: F) -> F {
    work
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn exchange<F: Future>(_: &str, work: F) -> F {
    work
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn request<F: Future>(_: &str, _: EndpointKind, work: F) -> F {
    work
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn store(store: Arc<dyn TokenStore>) -> Arc<dyn TokenStore> {
    store
}
