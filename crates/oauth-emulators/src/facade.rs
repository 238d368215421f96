//! What each provider puts in front of the authorization server.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use oauth_server::BuildError;

use crate::Client;
use crate::authority::{Authority, Setup};
use crate::ministry_platform::MinistryPlatform;
use crate::moov::Moov;
use crate::rfc::Rfc;
use crate::twitch::Twitch;

/// A provider as its clients see it.
#[async_trait]
pub(crate) trait Facade: Send + Sync {
    async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes>;

    fn authority(&self) -> &Authority;

    fn put_client(&self, change: Client) -> Result<(), BuildError> {
        self.authority().put_client(change)
    }

    /// From now on a new key signs; of the others, so many stay published, the youngest first.
    /// Gives the id of the new one.
    fn rotate_key(&self, algorithm: &str, keep: usize) -> Result<String, BuildError> {
        let _ = (algorithm, keep);
        // This provider signs nothing.
        Err(BuildError::Key)
    }
}

/// Which provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Twitch,
    Moov,
    MinistryPlatform,
    Rfc,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Twitch => "twitch",
            Self::Moov => "moov",
            Self::MinistryPlatform => "ministry-platform",
            Self::Rfc => "rfc",
        }
    }

    /// Names and paths.
    pub(crate) fn endpoints(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Twitch => crate::twitch::ENDPOINTS,
            Self::Moov => crate::moov::ENDPOINTS,
            Self::MinistryPlatform => crate::ministry_platform::ENDPOINTS,
            Self::Rfc => crate::rfc::ENDPOINTS,
        }
    }

    pub(crate) fn build(self, setup: &Setup) -> Result<Box<dyn Facade>, BuildError> {
        Ok(match self {
            Self::Twitch => Box::new(Twitch::new(setup)?),
            Self::Moov => Box::new(Moov::new(setup)?),
            Self::MinistryPlatform => Box::new(MinistryPlatform::new(setup)?),
            Self::Rfc => Box::new(Rfc::new(setup)?),
        })
    }
}
