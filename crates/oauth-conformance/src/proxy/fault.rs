//! What can happen to an exchange on its way.

use oauth_core::{ErrorKind, TransportErrorKind};

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What happens to an exchange on its way.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[$doc])* $variant,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, as reports and `--fault` have it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

faults! {
    /// The connection is refused.
    Refuse = "refuse",
    /// The request is read, then the connection is reset (RFC 9293 §3.5.2).
    ResetBeforeHeaders = "reset-before-headers",
    /// The head of the server's answer, then a reset.
    ResetAfterHeaders = "reset-after-headers",
    /// The head and a part of the body, then the connection is closed.
    CutBody = "cut-body",
    /// The request is read; nothing comes, and the connection stays open.
    Stall = "stall",
    /// The head and a part of the body; no more comes, and the connection stays open.
    StallInBody = "stall-in-body",
    /// The body a byte at a time, without an end.
    Drip = "drip",
    /// `Content-Length` promises more than comes.
    LongLength = "long-length",
    /// `Content-Length` promises less than comes.
    ShortLength = "short-length",
    /// The answer comes twice on the same connection.
    Duplicate = "duplicate",
    /// The server has carried the request out; its answer stays behind.
    Delay = "delay",
    /// A redirect (RFC 9110 §15.4) to another path of the proxy's, in place of the answer.
    Redirect = "redirect",
    /// Interim answers (RFC 9110 §15.2) before the answer: `100 Continue`, some `103 Early Hints`.
    Informational = "informational",
    /// A small body that decodes to 4 MiB, coded with gzip that nobody offered to read.
    GzipBomb = "gzip-bomb",
    /// Over TLS, a body that ends with the connection, cut without `close_notify` (RFC 8446 §6.1).
    TlsClose = "tls-close",
}

impl Fault {
    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }

    /// Whether the server carries the request out: what it was asked to use up may be used up.
    #[must_use]
    pub fn commits(self) -> bool {
        !matches!(
            self,
            Self::Refuse | Self::ResetBeforeHeaders | Self::Stall | Self::Redirect | Self::GzipBomb
        )
    }

    /// In which class of error it ends at a client of oauth-core that reads the answer; `None` where
    /// the client must not notice.
    #[must_use]
    pub fn ends_in(self) -> Option<(ErrorKind, Option<TransportErrorKind>)> {
        let transport = |kind| Some((ErrorKind::Transport, Some(kind)));
        match self {
            Self::Refuse => transport(TransportErrorKind::Connect),
            Self::ResetBeforeHeaders
            | Self::ResetAfterHeaders
            | Self::CutBody
            | Self::LongLength
            | Self::TlsClose => transport(TransportErrorKind::Interrupted),
            Self::Stall | Self::StallInBody | Self::Drip | Self::Delay => {
                transport(TransportErrorKind::Timeout)
            }
            Self::ShortLength | Self::Redirect | Self::GzipBomb => {
                Some((ErrorKind::Protocol, None))
            }
            Self::Duplicate | Self::Informational => None,
        }
    }

    /// Whether only the client's time limit ends it.
    #[must_use]
    pub fn times_out(self) -> bool {
        matches!(
            self,
            Self::Stall | Self::StallInBody | Self::Drip | Self::Delay
        )
    }
}
