//! The hot path: the current token as a ready header, for one clock reading and one clone.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use super::{
    ManagedToken,
    kept::Kept,
    registration::Registration,
    shared::{FlightKey, Shared},
    timeline::Moment,
};
use crate::{AccessToken, Error};

/// A handle to the token of one subject and request. Cheap to clone; it always gives the current
/// token, whoever has renewed it.
#[derive(Clone)]
pub struct TokenHandle {
    shared: Arc<Shared>,
    registration: Arc<Registration>,
    hot: Arc<Hot>,
}

/// The token of a request, ready to be sent.
#[derive(Debug)]
pub(crate) struct Hot {
    key: FlightKey,
    current: ArcSwapOption<Ready>,
}

struct Ready {
    kept: Arc<Kept>,
    authorization: Option<HeaderValue>,
    /// What the provider wants beside it.
    others: Vec<(HeaderName, HeaderValue)>,
    /// From then on the slow way is taken.
    look: Moment,
}

/// While a renewal runs in the background, how often a handle looks whether it has landed or
/// another is to be tried, in nanoseconds.
const PAUSE: Moment = 1_000_000_000;

impl Hot {
    pub(crate) fn new(key: FlightKey) -> Self {
        Self {
            key,
            current: ArcSwapOption::empty(),
        }
    }

    pub(crate) fn key(&self) -> &FlightKey {
        &self.key
    }

    /// The next one to come looks again.
    pub(crate) fn cool(&self) {
        self.current.store(None);
    }
}

impl TokenHandle {
    pub(super) fn new(
        shared: &Arc<Shared>,
        registration: &Arc<Registration>,
        key: &FlightKey,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            registration: Arc::clone(registration),
            hot: shared.hot(key),
        }
    }

    /// The value of the `Authorization` header, as the provider wants it, marked sensitive.
    ///
    /// # Errors
    /// As [`TokenManager::get`](super::TokenManager::get); a usage error when the provider puts
    /// tokens elsewhere, use [`TokenHandle::authorize`] then.
    #[inline]
    pub fn header(&self) -> impl Future<Output = Result<HeaderValue, Error>> + Send + '_ {
        Header {
            handle: self,
            slow: None,
        }
    }

    async fn slow_header(&self) -> Result<HeaderValue, Error> {
        let ready = self.look_up().await?;
        ready.authorization.clone().ok_or_else(|| {
            Error::usage("this provider does not use the Authorization header; let the handle authorize the request")
        })
    }

    /// The header, when the token is fresh; never waits.
    #[inline]
    #[must_use]
    pub fn try_header(&self) -> Option<HeaderValue> {
        // The header is cloned before the clock is read, and the guard held until the header is where it
        // is wanted: a move right behind a clone, or behind another move, waits for it to be written,
        // which takes longer than the clone does. `Header::poll` does the same.
        let current = self.hot.current.load();
        if let Some(ready) = current.as_ref()
            && let Some(header) = ready.authorization.clone()
            && self.shared.timeline.now() < ready.look
        {
            return Some(header);
        }
        None
    }

    /// The current token.
    ///
    /// # Errors
    /// As [`TokenManager::get`](super::TokenManager::get).
    pub async fn token(&self) -> Result<ManagedToken, Error> {
        let ready = self.ready().await?;
        Ok(ManagedToken(Arc::clone(&ready.kept)))
    }

    /// Puts the token into the headers of an API call, as the provider wants it, and tells which
    /// one it was.
    ///
    /// # Errors
    /// As [`TokenManager::get`](super::TokenManager::get); the headers are then as they were.
    pub async fn authorize(&self, headers: &mut HeaderMap) -> Result<ManagedToken, Error> {
        let ready = self.ready().await?;
        if let Some(value) = &ready.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        for (name, value) in &ready.others {
            headers.insert(name.clone(), value.clone());
        }
        Ok(ManagedToken(Arc::clone(&ready.kept)))
    }

    /// Another token than `rejected`, which an API has called dead (RFC 6750 §3.1). When it is not
    /// the current one any more, the current one; else one renewal for everybody who comes with it.
    ///
    /// # Errors
    /// When there is no other.
    pub async fn renew(&self, rejected: &AccessToken) -> Result<ManagedToken, Error> {
        let key = &self.hot.key;
        let manager = super::TokenManager {
            shared: Arc::clone(&self.shared),
            registration: Arc::clone(&self.registration),
        };
        let kept = manager
            .renew(&key.owner.subject, key.request.clone(), Some(rejected))
            .await?;
        Ok(ManagedToken(kept))
    }

    /// The client whose tokens these are.
    #[must_use]
    pub fn client(&self) -> &crate::Client {
        self.registration.client()
    }

    async fn ready(&self) -> Result<Arc<Ready>, Error> {
        match self.current() {
            Some(ready) => Ok(ready),
            // The state of a look-up is large, and nearly every call does without.
            None => Box::pin(self.look_up()).await,
        }
    }

    fn current(&self) -> Option<Arc<Ready>> {
        let ready = self.hot.current.load_full()?;
        (self.shared.timeline.now() < ready.look).then_some(ready)
    }

    async fn look_up(&self) -> Result<Arc<Ready>, Error> {
        let kept = self
            .shared
            .usable(&self.registration, &self.hot.key)
            .await?;
        // Of all who waited for one flight, the first makes its token ready. Another token that is
        // ready may be one that is about to be taken back.
        match self.current().filter(|have| Arc::ptr_eq(&have.kept, &kept)) {
            Some(ready) => Ok(ready),
            None => self.warm(kept),
        }
    }

    fn warm(&self, kept: Arc<Kept>) -> Result<Arc<Ready>, Error> {
        ManagedToken(Arc::clone(&kept)).bearer()?;
        let mut headers = HeaderMap::new();
        let client = self.registration.client();
        client
            .provider()
            .authorize_request(&kept.access_token(), &mut headers)?;
        let mut authorization = headers.remove(AUTHORIZATION);
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let others = headers
            .drain()
            .filter_map(|(name, value)| Some((name?, value)));
        let now = self.shared.timeline.now();
        let advisory = self.shared.advisory_at(&kept);
        let mandatory = self.shared.mandatory_at(&kept);
        let ready = Arc::new(Ready {
            kept: Arc::clone(&kept),
            authorization,
            others: others.collect(),
            look: match now < advisory {
                true => advisory,
                false => now.saturating_add(PAUSE).min(mandatory),
            },
        });
        self.hot.current.store(Some(Arc::clone(&ready)));
        // Somebody may have published between the look-up and the store: then that one counts, be
        // it the same token that has been called dead meanwhile.
        let newest = self.shared.find(&self.hot.key);
        let same = |newest: &Kept| newest.access() == kept.access() && newest.end() >= kept.end();
        if !newest.is_some_and(|newest| same(&newest)) {
            self.hot.cool();
        }
        Ok(ready)
    }
}

/// The future of a header. The state of the slow way is large, and making room for it would cost
/// more than the fast way takes.
struct Header<'a> {
    handle: &'a TokenHandle,
    slow: Option<SlowHeader<'a>>,
}

type SlowHeader<'a> = Pin<Box<dyn Future<Output = Result<HeaderValue, Error>> + Send + 'a>>;

impl Future for Header<'_> {
    type Output = Result<HeaderValue, Error>;

    // Not to be inlined: what awaits it can be then, and moves the header once less.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.slow.is_none() {
            // `try_header`, made in the place where it is wanted: moved out of an `Option` it would
            // take a sixth longer.
            let current = self.handle.hot.current.load();
            if let Some(ready) = current.as_ref()
                && let Some(header) = ready.authorization.clone()
                && self.handle.shared.timeline.now() < ready.look
            {
                return Poll::Ready(Ok(header));
            }
        }
        self.poll_slow(context)
    }
}

impl Header<'_> {
    #[cold]
    fn poll_slow(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<HeaderValue, Error>> {
        let handle = self.handle;
        let slow = self
            .slow
            .get_or_insert_with(|| Box::pin(handle.slow_header()));
        slow.as_mut().poll(context)
    }
}

impl fmt::Debug for TokenHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenHandle")
            .field("client", self.registration.client())
            .field("subject", &self.hot.key.owner.subject)
            .field("request", &self.hot.key.request)
            .finish()
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Client, Endpoints, GenericProvider, TokenManager, TokenSet, clock::Clock, store::Subject,
    };

    fn manager() -> TokenManager {
        let endpoints = Endpoints::new("https://id.example.com/token").expect("an https URL");
        let client = Client::builder(GenericProvider::new(endpoints), "id").build();
        TokenManager::new(client.expect("all it needs"))
    }

    fn token(access: &str) -> TokenSet {
        let now = crate::clock::SystemClock::new().now();
        TokenSet::new(AccessToken::new(access).expect("plain ASCII"), now)
            .with_expires_at(Some(now + Duration::from_secs(3600)))
    }

    #[tokio::test]
    async fn a_token_that_is_invalidated_while_its_header_is_made_is_not_kept_ready() {
        let tokens = manager();
        let user = Subject::user("42");
        let registered = tokens.register(&user, token("access")).await;
        let kept = registered.expect("no store that could fail").0;
        let handle = tokens.source(&user, Some(&crate::Scopes::empty()));
        assert!(handle.header().await.is_ok() && handle.try_header().is_some());
        let told = tokens.invalidate(&user, &kept.access_token()).await;
        told.expect("no store that could fail");
        handle.warm(kept).expect("what was found before");
        assert_eq!(handle.try_header(), None);
    }

    #[tokio::test]
    async fn what_a_look_up_has_found_counts_and_not_what_is_ready_beside_it() {
        let tokens = manager();
        let (user, other) = (Subject::user("42"), Subject::user("43"));
        let registered = tokens.register(&user, token("found")).await;
        registered.expect("no store that could fail");
        let registered = tokens.register(&other, token("taken back")).await;
        let taken_back = registered.expect("no store that could fail").0;
        let handle = tokens.source(&user, Some(&crate::Scopes::empty()));
        handle.hot.current.store(Some(Arc::new(Ready {
            kept: taken_back,
            authorization: Some(HeaderValue::from_static("Bearer taken back")),
            others: Vec::new(),
            look: Moment::MAX,
        })));
        let header = handle.slow_header().await;
        assert_eq!(header.expect("a token"), "Bearer found");
    }
}
