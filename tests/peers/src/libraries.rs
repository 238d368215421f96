//! One way to ask every library for the current token.

mod azure;
mod gcp;
mod google;
mod huskarl;
mod ours;
mod yup;

use std::{fmt::Debug, future::Future};

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use reqwest::RequestBuilder;

use crate::endpoint::Endpoint;
pub use azure::Azure;
pub use gcp::Gcp;
pub use google::{Google, GoogleTagged};
pub use huskarl::Huskarl;
pub use ours::{Ours, client};
pub use yup::Yup;

/// A library that keeps an access token and renews it.
pub trait Library: Send + Sync + Sized + 'static {
    /// The library and the call that is measured.
    const NAME: &'static str;
    /// What the library's own call gives, or what its user has to make of it for a request.
    type Header: Attach;
    /// What the call gives instead.
    type Error: Debug;

    /// Set up against `endpoint`, as its documentation says.
    fn new(endpoint: &Endpoint) -> impl Future<Output = Self> + Send;

    /// The current token as a header. Where the library's own call gives one, its future is handed on
    /// as it is: one more around it would be measured, too.
    fn header(&self) -> impl Future<Output = Result<Self::Header, Self::Error>> + Send;
}

/// What can be put into a request.
pub trait Attach: Send {
    fn attach(self, request: RequestBuilder) -> RequestBuilder;
}

impl Attach for HeaderMap {
    fn attach(self, request: RequestBuilder) -> RequestBuilder {
        request.headers(self)
    }
}

impl Attach for HeaderValue {
    fn attach(self, request: RequestBuilder) -> RequestBuilder {
        request.header(AUTHORIZATION, self)
    }
}

/// What a user of a library that gives strings writes.
pub(crate) fn bearer(token: &str) -> HeaderValue {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).expect("the endpoint's tokens are ASCII");
    value.set_sensitive(true);
    value
}
