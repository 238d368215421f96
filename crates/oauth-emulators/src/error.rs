//! Why an emulator does not start, or not do what it is told.

use std::io;
use std::net::SocketAddr;

use oauth_server::BuildError;

/// An emulator could not be started, or could not do what it was told.
#[derive(Debug, thiserror::Error)]
#[error("the emulator cannot do that")]
pub struct Error {
    #[source]
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("the address cannot be listened on")]
    Listen(#[source] io::Error),
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    #[error("it cannot be set up as asked")]
    Configuration(#[source] BuildError),
    #[error("the script is wrong: {0}")]
    Script(String),
}

impl Error {
    pub(crate) fn not_loopback(address: SocketAddr) -> Self {
        Self {
            cause: Cause::NotLoopback(address),
        }
    }

    pub(crate) fn script(reason: String) -> Self {
        Self {
            cause: Cause::Script(reason),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self {
            cause: Cause::Listen(error),
        }
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        Self {
            cause: Cause::Configuration(error),
        }
    }
}
