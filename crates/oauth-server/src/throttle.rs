//! Slows down whoever guesses secrets, without shutting out whoever knows them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Mutex, OnceLock},
    time::{Duration, SystemTime},
};

use axum::extract::ConnectInfo;
use http::Request;

use crate::{AuthorizationServer, Client, OAuthError, TokenHash, guard::lock};

/// Where a request came from. The embedding application puts it into the request's extensions,
/// because only it knows which proxies to believe. Where it does not, axum's
/// `ConnectInfo<SocketAddr>` is taken: behind a proxy that is the proxy's address, and all that come
/// through it share one limit. Without either nothing is throttled, since a stranger could then shut
/// out a client by guessing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(pub IpAddr);

/// More guessing at once than this makes the server forget the oldest.
const MAX_COUNTERS: usize = 10_000;

/// So many times more failures are let through from one source than for one name there: many
/// people and clients may share an address.
const NAMES: u32 = 10;

/// So many times more dead tokens than a resource server may ask about are no accident.
const SCANS: u32 = 10;

/// Who is guessed at, by hash, or anybody; and from where.
type Key = (Option<TokenHash>, Source);

/// Who guesses, wherever from: no network has this address.
const ANYWHERE: Source = Source(IpAddr::V6(Ipv6Addr::LOCALHOST));

impl Source {
    /// Where `request` came from, if its extensions say so: its `Source`, or else the peer of axum's
    /// `ConnectInfo`, an IPv4 address as such even where the socket writes it as one of IPv6. What an
    /// application itself wants to know, it asks here, too.
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let extensions = request.extensions();
        if let Some(source) = extensions.get() {
            return Some(*source);
        }
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(Self(peer.ip().to_canonical()))
    }

    /// Whoever has one address of an IPv6 network has all of it: 64 bits of it name the network.
    /// An IPv4 address that is written as one of IPv6 is not in one network with all others.
    fn network(self) -> Self {
        match self.0.to_canonical() {
            address @ IpAddr::V4(_) => Self(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

/// Who is being guessed, and from where.
pub(crate) struct Attempt<'a> {
    kind: &'static str,
    name: &'a str,
    /// None: not to be counted.
    source: Option<Source>,
    /// Of kind and name. As long as nobody fails, nobody asks for it.
    hash: OnceLock<TokenHash>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(kind: &'static str, name: &'a str, source: Option<Source>) -> Self {
        Self {
            kind,
            name,
            source: source.map(Source::network),
            hash: OnceLock::new(),
        }
    }

    /// By somebody who is known by `name`, whom nobody else can shut out by guessing.
    pub(crate) fn by(kind: &'static str, name: &'a str) -> Self {
        Self {
            source: Some(ANYWHERE),
            ..Self::new(kind, name, None)
        }
    }

    fn key(&self) -> Option<Key> {
        let hash = || TokenHash::of(&format!("{}\0{}", self.kind, self.name));
        self.source
            .map(|source| (Some(*self.hash.get_or_init(hash)), source))
    }

    /// The counters of the name and of the source, and how many times the limit each allows.
    fn keys(&self) -> impl Iterator<Item = (Key, u32)> {
        let source = self.source.filter(|source| *source != ANYWHERE);
        let source = source.map(|source| ((None, source), NAMES));
        self.key().map(|key| (key, 1)).into_iter().chain(source)
    }
}

#[derive(Debug)]
pub(crate) struct Throttle {
    failures: u32,
    window: Duration,
    /// How often, since when.
    counters: Mutex<HashMap<Key, (u32, SystemTime)>>,
}

impl Throttle {
    pub(crate) fn new(failures: u32, window: Duration) -> Self {
        Self {
            failures,
            window,
            counters: Mutex::default(),
        }
    }

    /// How long to wait, if it was too often.
    fn wait(&self, attempt: &Attempt<'_>, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
        let counters = lock(&self.counters);
        if counters.is_empty() {
            return None;
        }
        let now = now();
        let wait = |(key, times)| self.over(&counters, &key, times, now);
        attempt.keys().filter_map(wait).max()
    }

    /// The same for the name alone, after `times` as many.
    fn wait_of_name(
        &self,
        attempt: &Attempt<'_>,
        times: u32,
        now: impl FnOnce() -> SystemTime,
    ) -> Option<Duration> {
        let counters = lock(&self.counters);
        if counters.is_empty() {
            return None;
        }
        self.over(&counters, &attempt.key()?, times, now())
    }

    fn over(
        &self,
        counters: &HashMap<Key, (u32, SystemTime)>,
        key: &Key,
        times: u32,
        now: SystemTime,
    ) -> Option<Duration> {
        let (count, since) = counters.get(key)?;
        let end = *since + self.window;
        let wait = end.duration_since(now).ok().filter(|wait| !wait.is_zero());
        wait.filter(|_| *count >= self.failures.saturating_mul(times))
    }

    fn failed(&self, attempt: &Attempt<'_>, now: SystemTime) {
        for (key, _) in attempt.keys() {
            self.count(key, now);
        }
    }

    fn count(&self, key: Key, now: SystemTime) {
        let mut counters = lock(&self.counters);
        let over = |since: &SystemTime| *since + self.window <= now;
        if counters.len() >= MAX_COUNTERS && !counters.contains_key(&key) {
            counters.retain(|_, (_, since)| !over(since));
            let oldest = counters.iter().min_by_key(|(_, (_, since))| *since);
            let oldest = oldest.map(|(key, _)| *key);
            if let Some(oldest) = oldest.filter(|_| counters.len() >= MAX_COUNTERS) {
                counters.remove(&oldest);
            }
        }
        let (count, since) = counters.entry(key).or_insert((0, now));
        if over(since) {
            (*count, *since) = (0, now);
        }
        *count = count.saturating_add(1);
    }

    /// The counter of the source stays: with one secret of their own, somebody could go on
    /// guessing those of others.
    fn succeeded(&self, attempt: &Attempt<'_>) {
        let mut counters = lock(&self.counters);
        if !counters.is_empty()
            && let Some(key) = attempt.key()
        {
            counters.remove(&key);
        }
    }
}

/// The check is made before a secret is hashed and again after it: of many guesses at once, only
/// as many as are allowed learn anything.
impl AuthorizationServer {
    pub(crate) fn check_throttle(&self, attempt: &Attempt<'_>) -> Result<(), OAuthError> {
        may_go_on(self.throttle().wait(attempt, || self.now()))
    }

    /// Counts an introspection that found nothing. Whoever brings a resource server many dead tokens
    /// does not keep it from learning about live ones.
    pub(crate) fn introspection_missed(&self, client_id: &str) -> Result<(), OAuthError> {
        let attempt = Attempt::by("introspect", client_id);
        let throttle = self.introspection_throttle();
        let wait = throttle.wait_of_name(&attempt, 1, || self.now());
        throttle.failed(&attempt, self.now());
        may_go_on(wait)
    }

    /// Whether it looks as if the client tried out tokens; then it learns of no hit.
    pub(crate) fn check_introspection(&self, client_id: &str) -> Result<(), OAuthError> {
        let attempt = Attempt::by("introspect", client_id);
        let throttle = self.introspection_throttle();
        may_go_on(throttle.wait_of_name(&attempt, SCANS, || self.now()))
    }

    /// Counts what is to be stored for a public client: anybody may ask for it in its name, and
    /// could use up all that the client may have. `times` as many are let through.
    pub(crate) fn check_public(
        &self,
        kind: &'static str,
        times: u32,
        client: &Client,
        source: Option<Source>,
    ) -> Result<(), OAuthError> {
        if !client.is_public() || source.is_none() {
            return Ok(());
        }
        let attempt = Attempt::new(kind, client.id(), source);
        let (throttle, now) = (self.public_throttle(), self.now());
        may_go_on(throttle.wait_of_name(&attempt, times, || now))?;
        if let Some(key) = attempt.key() {
            throttle.count(key, now);
        }
        Ok(())
    }

    pub(crate) fn attempt_failed(&self, attempt: &Attempt<'_>) {
        self.throttle().failed(attempt, self.now());
    }

    pub(crate) fn attempt_succeeded(&self, attempt: &Attempt<'_>) {
        self.throttle().succeeded(attempt);
    }
}

fn may_go_on(wait: Option<Duration>) -> Result<(), OAuthError> {
    wait.map_or(Ok(()), |wait| Err(OAuthError::too_many_attempts(wait)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_is_set_counts_before_the_peer() {
        let mut request = Request::new(());
        assert_eq!(Source::of(&request), None);
        let peer: SocketAddr = "[::ffff:192.0.2.1]:4000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let peer = Source([192, 0, 2, 1].into());
        assert_eq!(Source::of(&request), Some(peer));
        let set = Source([198, 51, 100, 7].into());
        request.extensions_mut().insert(set);
        assert_eq!(Source::of(&request), Some(set));
    }

    #[test]
    fn counters_are_bounded_and_end() {
        let throttle = Throttle::new(2, Duration::from_secs(60));
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fn from(name: &str) -> Attempt<'_> {
            Attempt::new("client", name, Some(Source([127, 0, 0, 1].into())))
        }
        throttle.failed(&from("a"), at(0));
        assert_eq!(throttle.wait(&from("a"), || at(0)), None);
        throttle.failed(&from("a"), at(10));
        assert_eq!(
            throttle.wait(&from("a"), || at(20)),
            Some(Duration::from_secs(40))
        );
        assert_eq!(throttle.wait(&from("b"), || at(20)), None);
        assert_eq!(throttle.wait(&from("a"), || at(60)), None);
        for index in 0..MAX_COUNTERS + 10 {
            throttle.failed(&from(&index.to_string()), at(61));
        }
        assert_eq!(lock(&throttle.counters).len(), MAX_COUNTERS);
    }

    #[test]
    fn a_network_is_one_source() {
        let throttle = Throttle::new(1, Duration::from_secs(60));
        let now = SystemTime::UNIX_EPOCH;
        let from =
            |address: &str| Attempt::new("client", "a", Some(Source(address.parse().unwrap())));
        throttle.failed(&from("2001:db8::1"), now);
        assert!(throttle.wait(&from("2001:db8::ffff:2"), || now).is_some());
        assert!(throttle.wait(&from("2001:db8:0:1::1"), || now).is_none());
        throttle.failed(&from("::ffff:192.0.2.1"), now);
        assert!(throttle.wait(&from("192.0.2.1"), || now).is_some());
        assert!(throttle.wait(&from("::ffff:192.0.2.2"), || now).is_none());
        throttle.failed(&Attempt::by("client", "a"), now);
        assert!(
            throttle.wait(&from("::1"), || now).is_none(),
            "nobody's fault"
        );
    }

    #[test]
    fn a_source_that_tries_many_names_waits_for_all_of_them() {
        let throttle = Throttle::new(2, Duration::from_secs(60));
        fn from(name: &str, host: u8) -> Attempt<'_> {
            Attempt::new("client", name, Some(Source([127, 0, 0, host].into())))
        }
        let wait = |name, host| throttle.wait(&from(name, host), || SystemTime::UNIX_EPOCH);
        for index in 0..20 {
            assert_eq!(wait("new", 1), None, "{index}");
            throttle.failed(&from(&index.to_string(), 1), SystemTime::UNIX_EPOCH);
            throttle.succeeded(&from("own", 1));
        }
        assert_eq!(wait("new", 1), Some(Duration::from_secs(60)));
        assert_eq!(wait("new", 2), None, "another source");
    }
}
