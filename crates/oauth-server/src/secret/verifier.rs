//! Verifies secrets on blocking threads.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::{CHOSEN_SECRETS, MAX_SECRET, SecretCost, SecretHash};
use crate::{BuildError, ContextError};

/// So many secrets wait for their turn, which takes half a minute at the default cost on two cores:
/// nobody waits longer for an answer.
const MAX_WAITING: usize = 1024;

/// Verifies secrets on blocking threads, a few at a time, so that a flood of them can take
/// neither all memory nor the async threads; while 1 024 wait, more are refused. Its clones share
/// that limit.
///
/// An application's own [`ResourceOwners`](crate::ResourceOwners) checks passwords with it:
///
/// ```
/// use oauth_server::{SecretCost, SecretHash, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::new(SecretCost::LOW)?;
/// let stored = SecretHash::chosen("her pass phrase", SecretCost::LOW)?;
/// assert!(verifier.verify_password(&"her pass phrase".into(), Some(&stored)).await?);
/// // Nobody of that name, for the same work:
/// assert!(!verifier.verify_password(&"her pass phrase".into(), None).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    permits: Arc<Semaphore>,
    /// For those who wait or hash.
    places: Arc<Semaphore>,
    dummy: SecretHash,
    /// For every argon2id hash that was computed, how many permits were free meanwhile: work that
    /// no answer shows.
    #[cfg(test)]
    hashed: Arc<std::sync::Mutex<Vec<usize>>>,
}

impl Verifier {
    /// For an unknown name it computes a hash at `cost`, which is best that of the known ones.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn new(cost: SecretCost) -> Result<Self, BuildError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            permits: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(threads + MAX_WAITING)),
            dummy: SecretHash::chosen("nobody knows this", cost)?,
            #[cfg(test)]
            hashed: Arc::default(),
        })
    }

    /// Whether `password` fits the stored `hash`; none for an unknown person, which takes as
    /// long. A password longer than 512 bytes fits nothing.
    ///
    /// # Errors
    ///
    /// When too many wait already, or the hashing thread fails, as it does while the runtime shuts
    /// down.
    pub async fn verify_password(
        &self,
        password: &SecretString,
        hash: Option<&SecretHash>,
    ) -> Result<bool, ContextError> {
        if password.expose_secret().len() > MAX_SECRET {
            return Ok(false);
        }
        let password = password.expose_secret();
        self.compare(password, hash.into_iter(), 1).await
    }

    /// Whether `secret` fits one of a client's `hashes`. A secret that is not a generated one
    /// always costs the same number of argon2id hashes, so that the time tells neither whether
    /// there was anything to compare it with nor how much.
    pub(crate) fn verify<'a>(
        &self,
        secret: &str,
        hashes: impl Iterator<Item = &'a SecretHash> + Clone,
    ) -> impl Future<Output = Result<bool, ContextError>> + Send {
        self.compare(secret, hashes, CHOSEN_SECRETS)
    }

    /// What is fast is compared at once, so that nobody who waits holds the hashes.
    fn compare<'a>(
        &self,
        secret: &str,
        hashes: impl Iterator<Item = &'a SecretHash> + Clone,
        cost: usize,
    ) -> impl Future<Output = Result<bool, ContextError>> + Send {
        let is_slow = |hash: &&SecretHash| matches!(hash, SecretHash::Argon2id(_));
        let mut fast = hashes.clone().filter(|hash| !is_slow(hash));
        let fits = fast.any(|hash| hash.verify(secret));
        let slow = (!fits).then(|| {
            let slow = hashes.filter(is_slow).cloned().collect();
            Box::pin(self.compare_slowly(secret.into(), slow, cost))
        });
        async move {
            match slow {
                None => Ok(true),
                Some(slow) => slow.await,
            }
        }
    }

    async fn compare_slowly(
        &self,
        secret: SecretString,
        mut slow: Vec<SecretHash>,
        cost: usize,
    ) -> Result<bool, ContextError> {
        let real = slow.len();
        slow.resize(cost.max(real), self.dummy.clone());
        let place = self.places.try_acquire();
        let _place = place.map_err(|_| ContextError::new("too many secrets wait to be hashed"))?;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|error| ContextError::new("closed").with_source(error))?;
        #[cfg(test)]
        let verifier = self.clone();
        let verified = tokio::task::spawn_blocking(move || {
            // Held in the thread: a caller that goes away does not free the slot before the
            // work is done.
            let _permit = permit;
            // All of them, whichever fits.
            let fits = slow.iter().map(|hash| {
                #[cfg(test)]
                verifier.count();
                hash.verify(secret.expose_secret())
            });
            let fits: Vec<_> = fits.collect();
            fits.iter().take(real).any(|fits| *fits)
        })
        .await
        .map_err(|error| ContextError::new("hashing failed").with_source(error))?;
        Ok(verified)
    }
}

#[cfg(test)]
impl Verifier {
    fn count(&self) {
        let free = self.permits.available_permits();
        crate::guard::lock(&self.hashed).push(free);
    }

    /// How many argon2id hashes were computed since the last call.
    pub(crate) fn hashed(&self) -> usize {
        std::mem::take(&mut *crate::guard::lock(&self.hashed)).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneratedSecret, guard::lock};

    #[tokio::test]
    async fn only_the_right_secret_fits() {
        let verifier = Verifier::new(SecretCost::LOW).unwrap();
        let generated = GeneratedSecret::generate().unwrap();
        let hashes = [
            SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap(),
            SecretHash::generated(&generated).unwrap(),
        ];
        for (secret, fits) in [
            ("chosen secret", true),
            (generated.expose(), true),
            ("chosen secreT", false),
            ("nobody knows this", false),
        ] {
            let fitting = verifier.verify(secret, hashes.iter()).await;
            assert_eq!(fitting.unwrap(), fits, "{secret}");
        }
        let dummy = verifier.verify("nobody knows this", [].iter()).await;
        assert!(!dummy.unwrap(), "the dummy hash opens no door");
    }

    #[tokio::test]
    async fn every_attempt_costs_two_hashes() {
        let verifier = Verifier::new(SecretCost::LOW).unwrap();
        let chosen = SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap();
        let generated = SecretHash::generated(&GeneratedSecret::generate().unwrap()).unwrap();
        for (name, hashes) in [
            ("nothing to compare with", vec![]),
            ("a chosen secret", vec![chosen.clone()]),
            ("two chosen secrets", vec![chosen.clone(), chosen]),
            ("a generated secret", vec![generated]),
        ] {
            for secret in ["wrong", "chosen secret"] {
                let fits = verifier.verify(secret, hashes.iter()).await;
                let fitting = secret == "chosen secret" && name.contains("chosen");
                assert_eq!(fits.unwrap(), fitting, "{name}");
                assert_eq!(verifier.hashed(), 2, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn an_unknown_person_costs_what_a_known_one_does() {
        let verifier = Verifier::new(SecretCost::LOW).unwrap();
        let chosen = SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap();
        let long = "x".repeat(MAX_SECRET + 1);
        for (password, hash, outcome) in [
            ("chosen secret", Some(&chosen), (true, 1)),
            ("wrong", Some(&chosen), (false, 1)),
            ("nobody knows this", None, (false, 1)),
            (&long, Some(&chosen), (false, 0)),
        ] {
            let fits = verifier.verify_password(&password.into(), hash).await;
            assert_eq!((fits.unwrap(), verifier.hashed()), outcome);
        }
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let mut verifier = Verifier::new(SecretCost::LOW).unwrap();
        verifier.permits = Arc::new(Semaphore::new(0));
        verifier.places = Arc::new(Semaphore::new(2));
        let password = "wrong".into();
        let first = verifier.verify_password(&password, None);
        let second = verifier.verify_password(&password, None);
        let third = async {
            // It is refused at once; should it wait, so would this test for ever.
            let most = std::time::Duration::from_secs(10);
            let refused = verifier.verify_password(&password, None);
            let refused = tokio::time::timeout(most, refused).await.unwrap();
            verifier.permits.add_permits(1);
            refused
        };
        let (first, second, third) = tokio::join!(first, second, third);
        assert!(!first.unwrap() && !second.unwrap());
        let refused = third.unwrap_err().to_string();
        assert_eq!(refused, "too many secrets wait to be hashed");
        assert!(!verifier.verify_password(&password, None).await.unwrap());
    }

    #[tokio::test]
    async fn no_hash_is_computed_without_a_permit() {
        let mut verifier = Verifier::new(SecretCost::LOW).unwrap();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(verifier.permits.available_permits(), threads);
        verifier.permits = Arc::new(Semaphore::new(1));
        let mut flood = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let verifier = verifier.clone();
            flood.spawn(async move { verifier.verify("wrong", [].iter()).await.unwrap() });
        }
        assert_eq!(flood.join_all().await, [false; 64]);
        // Whoever hashes holds the only permit.
        assert_eq!(*lock(&verifier.hashed), [0; 128]);
        assert_eq!(verifier.permits.available_permits(), 1);
    }
}
