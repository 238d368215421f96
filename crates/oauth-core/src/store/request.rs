//! What was asked for: the part of a cache key that is not the owner.

use std::sync::Arc;

use crate::{Error, Scopes, params::check_extra};

/// The scopes and further parameters of a token request. Tokens are found again under the whole of
/// it, compared in full: order and repetition of scopes mean nothing, everything else does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TokenRequest {
    scopes: Option<Scopes>,
    /// Sorted; empty for most.
    params: Option<Arc<[Pair]>>,
}

type Pair = (Box<str>, Box<str>);

impl TokenRequest {
    /// Any scopes: a look-up takes whichever valid token there is, a request leaves `scope` out.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Exactly these scopes and no more. The empty set is not [`TokenRequest::any`].
    #[must_use]
    pub fn scopes(scopes: Scopes) -> Self {
        Self {
            scopes: Some(scopes),
            params: None,
        }
    }

    /// With exactly these scopes; `None` for any.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Option<Scopes>) -> Self {
        self.scopes = scopes;
        self
    }

    /// For a protected resource (RFC 8707 §2), an absolute URI. May come several times.
    #[must_use]
    pub fn resource(self, uri: impl Into<Box<str>>) -> Self {
        self.with("resource".into(), uri.into())
    }

    /// With a parameter of the server's own: `audience`.
    ///
    /// # Errors
    /// A usage error for the name of a protocol parameter.
    pub fn param(
        self,
        name: impl Into<Box<str>>,
        value: impl Into<Box<str>>,
    ) -> Result<Self, Error> {
        let name = name.into();
        check_extra(&name)?;
        Ok(self.with(name, value.into()))
    }

    /// The scopes asked for; `None` for any.
    #[must_use]
    pub fn requested_scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    /// The parameters beside `scope`, in order.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params
            .iter()
            .flat_map(|params| params.iter())
            .map(|(name, value)| (&**name, &**value))
    }

    /// Whether there are no parameters beside `scope`.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.params.is_none()
    }

    fn with(mut self, name: Box<str>, value: Box<str>) -> Self {
        let mut params: Vec<_> = self.params.iter().flat_map(|p| p.iter().cloned()).collect();
        params.push((name, value));
        params.sort_unstable();
        params.dedup();
        self.params = Some(params.into());
        self
    }
}
