//! What an authorization server can do, as a set.

use std::fmt;

macro_rules! capabilities {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// One thing that an authorization server can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Capability {
            $($(#[$doc])* $variant,)*
        }

        impl Capability {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, as reports print it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

capabilities! {
    /// The client credentials grant (RFC 6749 §4.4).
    ClientCredentials = "client_credentials",
    /// The resource owner password credentials grant (RFC 6749 §4.3).
    Password = "password",
    /// The authorization code grant (RFC 6749 §4.1).
    AuthorizationCode = "authorization_code",
    /// PKCE with S256 (RFC 7636).
    Pkce = "pkce",
    /// The refresh token grant (RFC 6749 §6).
    RefreshToken = "refresh_token",
    /// The device authorization grant (RFC 8628).
    DeviceCode = "device_code",
    /// Public clients (RFC 6749 §2.1) at the token endpoint.
    PublicClients = "public_clients",
    /// Token revocation (RFC 7009).
    Revocation = "revocation",
    /// Token introspection (RFC 7662).
    Introspection = "introspection",
    /// The userinfo endpoint (OpenID Connect Core §5.3).
    UserInfo = "userinfo",
    /// Metadata (RFC 8414 or OpenID Connect Discovery) that names the token endpoint.
    Discovery = "discovery",
    /// A refresh may ask for fewer scopes (RFC 6749 §6).
    ScopeOnRefresh = "scope_on_refresh",
    /// Scopes are asked for at the token endpoint (RFC 6749 §4.4.2).
    ScopeAtToken = "scope_at_token",
    /// The JWT bearer grant (RFC 7523 §2.1).
    JwtBearer = "jwt_bearer",
    /// The token exchange grant (RFC 8693).
    TokenExchange = "token_exchange",
    /// Pushed authorization requests (RFC 9126).
    PushedAuthorization = "pushed_authorization",
    /// Tokens bound to a key (RFC 9449), signed with ES256.
    Dpop = "dpop",
}

/// A set of capabilities.
///
/// ```
/// use oauth_core::{Capabilities, Capability};
///
/// let can = Capabilities::of([Capability::RefreshToken, Capability::Pkce]);
/// assert!(can.contains(Capability::Pkce) && !can.contains(Capability::Password));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u32);

impl Capabilities {
    /// The set of these.
    #[must_use]
    pub fn of(capabilities: impl IntoIterator<Item = Capability>) -> Self {
        capabilities.into_iter().fold(Self::default(), Self::with)
    }

    /// The set with one more.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u32)
    }

    /// The set without one.
    #[must_use]
    pub fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability as u32))
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u32 != 0
    }

    /// What is in the set.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL
            .iter()
            .copied()
            .filter(move |capability| self.contains(*capability))
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(Capability::as_str))
            .finish()
    }
}
