//! What nobody can be faster than: the parts that any answer to "the current token, as a header"
//! is made of, put together by hand.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use http::HeaderValue;

use crate::{
    endpoint::Endpoint,
    libraries::{Library, bearer},
};

/// One clock read and one clone of the header.
pub struct Floor(HeaderValue);

impl Library for Floor {
    const NAME: &'static str = "floor: clock read + header clone";
    type Header = HeaderValue;
    type Error = Infallible;

    async fn new(_: &Endpoint) -> Self {
        Self(bearer(&"t".repeat(30)))
    }

    async fn header(&self) -> Result<HeaderValue, Infallible> {
        std::hint::black_box(Instant::now());
        Ok(self.0.clone())
    }
}

/// The least that can also be replaced: arc-swap, expiry check, clone of the header.
pub struct Swapped(ArcSwap<(HeaderValue, Instant)>);

impl Library for Swapped {
    const NAME: &'static str = "by hand: arc-swap, expiry, header clone";
    type Header = HeaderValue;
    type Error = Infallible;

    async fn new(_: &Endpoint) -> Self {
        let expires = Instant::now() + Duration::from_secs(3600);
        Self(ArcSwap::from_pointee((bearer(&"t".repeat(30)), expires)))
    }

    async fn header(&self) -> Result<HeaderValue, Infallible> {
        let current = self.0.load();
        assert!(
            Instant::now() < current.1,
            "the run takes less than an hour"
        );
        Ok(current.0.clone())
    }
}
