//! All that is kept for one owner.

use std::{fmt, time::SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{StoreError, StoreErrorKind, TokenRequest};
use crate::{
    Scopes, Token, TokenSet,
    members::{Unknown, object},
    token::stored::{Flaw, StoredToken, StoredTokenRef},
};

/// What a record's text starts with; a reader refuses a later one.
const VERSION: u32 = 1;

/// The token sets of one owner, and what is known of the user.
#[derive(Clone, Default, PartialEq)]
pub struct Record {
    tokens: Vec<Issued>,
    claims: Map<String, Value>,
    unknown: Unknown,
}

/// A token set, and the request that it answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Issued {
    /// What was asked for.
    pub request: TokenRequest,
    /// What was granted.
    pub token: TokenSet,
    unknown: Unknown,
}

impl Issued {
    /// The answer to `request`.
    #[must_use]
    pub fn new(request: TokenRequest, token: TokenSet) -> Self {
        Self {
            request,
            token,
            unknown: Unknown::default(),
        }
    }
}

impl Record {
    /// A record of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The record with the answer to `request`, in place of an earlier one.
    #[must_use]
    pub fn with(mut self, request: TokenRequest, token: TokenSet) -> Self {
        match self.tokens.iter_mut().find(|have| have.request == request) {
            Some(have) => have.token = token,
            None => self.tokens.push(Issued::new(request, token)),
        }
        self
    }

    /// The record without the token sets for which `keep` says no.
    #[must_use]
    pub fn retain(mut self, keep: impl FnMut(&Issued) -> bool) -> Self {
        self.tokens.retain(keep);
        self
    }

    /// The record with what is known of the user.
    #[must_use]
    pub fn with_claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// The token sets.
    #[must_use]
    pub fn tokens(&self) -> &[Issued] {
        &self.tokens
    }

    pub(crate) fn tokens_mut(&mut self) -> &mut Vec<Issued> {
        &mut self.tokens
    }

    /// What is known of the user: the members `id_token` and `userinfo`, each with the claims that
    /// came from there.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.claims.is_empty()
    }

    /// When the first access token that can be refreshed ends.
    #[must_use]
    pub fn refresh_at(&self) -> Option<SystemTime> {
        let refreshable = self.tokens.iter().map(|issued| &issued.token);
        refreshable
            .filter(|token| token.refresh_token().is_some())
            .filter_map(Token::expires_at)
            .min()
    }

    /// When the last thing in it ends; `None` when something never does.
    #[must_use]
    pub fn dead_at(&self) -> Option<SystemTime> {
        let mut dead = SystemTime::UNIX_EPOCH;
        for Issued { token, .. } in &self.tokens {
            let end = match token.refresh_token() {
                Some(_) => token.refresh_expires_at()?.max(token.expires_at()?),
                None => token.expires_at()?,
            };
            dead = dead.max(end);
        }
        Some(dead)
    }

    /// The record as JSON, secrets in clear, for a store that keeps it safe. Times are whole
    /// seconds.
    #[must_use]
    pub fn to_json(&self) -> SecretString {
        let document = RecordRef {
            version: VERSION,
            tokens: self.tokens.iter().map(IssuedRef::of).collect(),
            claims: &self.claims,
            unknown: &self.unknown,
        };
        // Only texts, numbers and JSON values: there is nothing that could fail to serialize.
        crate::wiped::json(&document)
    }

    /// The record that [`Record::to_json`] wrote.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unreadable`] when the text is something else, or of a later version.
    pub fn from_json(text: &SecretString) -> Result<Self, StoreError> {
        let unreadable = |message| StoreError::new(StoreErrorKind::Unreadable, message);
        // The parser's own error may repeat what it stumbled over, so it is left out.
        let document: RecordOwned = serde_json::from_str(text.expose_secret())
            .map_err(|_| unreadable("a record in the store is damaged; restore it from a backup, or remove it and authorize again"))?;
        let later = "a record in the store was written by a later version of this library; use that version";
        if document.version > VERSION {
            return Err(unreadable(later));
        }
        Ok(Self {
            tokens: document.tokens.0.map_err(|flaw| unreadable(match flaw {
                Flaw::Later => later,
                Flaw::Unfit(_) => "a record in the store holds a token that no request could carry; remove it and authorize again",
            }))?,
            claims: document.claims,
            unknown: document.unknown,
        })
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("tokens", &self.tokens)
            .field("claims", &format_args!("{}", self.claims.len()))
            .finish()
    }
}

#[derive(Serialize)]
struct RecordRef<'a> {
    version: u32,
    tokens: Vec<IssuedRef<'a>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    claims: &'a Map<String, Value>,
    #[serde(flatten)]
    unknown: &'a Unknown,
}

object! {
    struct RecordOwned {
        version: u32,
        tokens: Tokens,
        claims: Map<String, Value> = Map::new(),
    }
}

/// The token sets of a record, or what is wrong with one of them.
struct Tokens(Result<Vec<Issued>, Flaw>);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(array: D) -> Result<Self, D::Error> {
        struct Items;

        impl<'de> Visitor<'de> for Items {
            type Value = Tokens;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tokens, A::Error> {
                // Most records have one.
                let mut tokens = Ok(Vec::with_capacity(1));
                while let Some(item) = items.next_element::<IssuedOwned>()? {
                    if let Ok(list) = &mut tokens {
                        match item.read() {
                            Ok(issued) => list.push(issued),
                            Err(flaw) => tokens = Err(flaw),
                        }
                    }
                }
                Ok(Tokens(tokens))
            }
        }

        array.deserialize_seq(Items)
    }
}

#[derive(Serialize)]
struct IssuedRef<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<(&'a str, &'a str)>,
    token: StoredTokenRef<'a>,
    #[serde(flatten)]
    unknown: &'a Unknown,
}

object! {
    struct IssuedOwned {
        scopes: Option<Vec<String>> = None,
        params: Vec<(String, String)> = Vec::new(),
        token: StoredToken,
    }
}

impl<'a> IssuedRef<'a> {
    fn of(issued: &'a Issued) -> Self {
        Self {
            scopes: issued
                .request
                .requested_scopes()
                .map(|scopes| scopes.iter().collect()),
            params: issued.request.params().collect(),
            token: StoredTokenRef::of(&issued.token),
            unknown: &issued.unknown,
        }
    }
}

impl IssuedOwned {
    fn read(self) -> Result<Issued, Flaw> {
        let mut request = match self.scopes {
            Some(scopes) => TokenRequest::scopes(Scopes::new(scopes)?),
            None => TokenRequest::any(),
        };
        for (name, value) in self.params {
            request = match name.as_str() {
                "resource" => request.resource(value),
                _ => request.param(name, value)?,
            };
        }
        Ok(Issued {
            request,
            token: self.token.read()?,
            unknown: self.unknown,
        })
    }
}

#[cfg(test)]
mod tests;
