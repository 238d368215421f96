//! A7: what goes over the wire, and what may come.

mod addresses;
mod connections;
mod limits;
mod redirects;
mod requests;
mod tls;

pub(super) use redirects::not_followed;

use std::time::Duration;

use oauth_core::{
    Capability::{ClientCredentials as CanClientCredentials, Discovery},
    Client, Endpoints, GenericProvider, RetryPolicy, Transport,
};

use crate::{
    Case, Context, Failure,
    Need::{AnyGrant, Can},
    Outcome, ScriptedServer, cases,
};

pub(super) const CASES: &[Case] = cases! {
    "TRN-01" [] => addresses::plain_http,
    "TRN-02" [] => addresses::loopback,
    "TRN-03" [] => tls::no_variable,
    "TRN-04" [] => tls::certificates_and_versions,
    "TRN-05" [AnyGrant] => requests::headers,
    "TRN-06" [AnyGrant] => redirects::not_followed,
    "TRN-07" [Can(Discovery)] => addresses::private_networks,
    "TRN-08" [AnyGrant] => limits::time,
    "TRN-09" [AnyGrant] => connections::dropped,
    "TRN-10" [Can(CanClientCredentials)] => requests::retries,
    "TRN-11" [AnyGrant] => requests::cookies,
    "TRN-12" [AnyGrant] => requests::caching,
    "TRN-13" [] => addresses::fragment_or_user,
    "TRN-14" [AnyGrant] => limits::heads,
    "TRN-15" [AnyGrant] => requests::proxies,
    "TRN-16" [AnyGrant] => connections::reused,
};

/// Waits until so many requests have come.
pub(super) async fn arrived(server: &ScriptedServer, count: usize) -> Outcome {
    let come = async {
        while server.received().len() < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), come)
        .await
        .map_err(|_| Failure::new(format!("expected {count} requests within 10 s")))
}

/// The target's client, with its own transport, of a plain provider at `base`: the target's own
/// may not let itself be moved to an https address.
fn client_at(cx: &Context, base: &str, transport: impl Transport) -> Result<Client, Failure> {
    let own = cx.credentials();
    let provider = GenericProvider::new(Endpoints::new(&format!("{base}/token"))?);
    Ok(Client::builder(provider, own.client_id)
        .client_secret(own.client_secret)
        .retry(RetryPolicy::none())
        .transport(transport)
        .build()?)
}
