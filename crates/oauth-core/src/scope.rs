//! Scopes (RFC 6749 §3.3): an ordered set of scope tokens that cannot hold a bad one.
//!
//! ```
//! use oauth_core::Scopes;
//!
//! let asked = Scopes::parse("write read read")?;
//! assert_eq!(asked.to_string(), "read write");
//! assert!(Scopes::new(["read"])?.is_subset(&asked));
//! # Ok::<(), oauth_core::Error>(())
//! ```

use std::{fmt, str::FromStr, sync::Arc};

use serde_json::Value;

use crate::Error;

/// A set of scope tokens: sorted, without repetition, cheap to clone, compared as a set.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scopes(Arc<[Box<str>]>);

impl Scopes {
    /// The set of `tokens`.
    ///
    /// # Errors
    /// A usage error when a token is empty or has a character outside RFC 6749 §3.3.
    pub fn new<I>(tokens: I) -> Result<Self, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut set = Vec::new();
        for token in tokens {
            let token = token.as_ref();
            if !is_scope_token(token) {
                return Err(Error::usage(
                    "a scope is empty or has a blank, a quote, a backslash or a character outside ASCII (RFC 6749 section 3.3)",
                ));
            }
            set.push(Box::from(token));
        }
        Ok(Self::from_tokens(set))
    }

    /// The set written as one text, tokens separated by blanks. An empty text is the empty set.
    ///
    /// # Errors
    /// As [`Scopes::new`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::new(text.split(' ').filter(|token| !token.is_empty()))
    }

    /// The empty set: no scope at all, which is not the same as "none asked for".
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::new([]))
    }

    /// How many scope tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `token` is in the set.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.0.binary_search_by(|have| (**have).cmp(token)).is_ok()
    }

    /// Whether every token of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|token| &**token)
    }

    /// Reads the `scope` member of an answer: a text, an array of texts (Twitch), or null.
    /// `Ok(None)` means that the answer says nothing about scopes.
    pub(crate) fn from_answer(value: &Value) -> Result<Option<Self>, Error> {
        let mut tokens = Vec::new();
        let mut read = |text: &str| {
            for token in text.split(' ').filter(|token| !token.is_empty()) {
                if !is_scope_token(token) {
                    return Err(Error::protocol(
                        "member \"scope\" has a character outside RFC 6749 section 3.3",
                    ));
                }
                tokens.push(Box::from(token));
            }
            Ok(())
        };
        match value {
            Value::Null => return Ok(None),
            Value::String(text) => read(text)?,
            Value::Array(items) => {
                for item in items {
                    let text = item.as_str();
                    read(text.ok_or_else(|| {
                        Error::protocol(
                            "member \"scope\" is an array with an item that is not a text",
                        )
                    })?)?;
                }
            }
            _ => {
                return Err(Error::protocol(
                    "member \"scope\" is neither a text nor an array of texts",
                ));
            }
        }
        Ok(Some(Self::from_tokens(tokens)))
    }

    fn from_tokens(mut tokens: Vec<Box<str>>) -> Self {
        tokens.sort_unstable();
        tokens.dedup();
        Self(tokens.into())
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromStr for Scopes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`, RFC 6749 §3.3.
fn is_scope_token(token: &str) -> bool {
    !token.is_empty()
        && token
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_repetition_mean_nothing() {
        assert_eq!(
            Scopes::parse("b a  b").unwrap(),
            Scopes::new(["a", "b"]).unwrap()
        );
    }

    #[test]
    fn a_bad_character_is_refused() {
        for bad in ["", "a b", "a\"b", "a\\b", "ä", "a\nb"] {
            assert!(Scopes::new([bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn answers_say_it_in_four_ways() {
        let two = Some(Scopes::parse("a b").unwrap());
        assert_eq!(Scopes::from_answer(&json!("b  a")).unwrap(), two);
        assert_eq!(Scopes::from_answer(&json!(["a", "b"])).unwrap(), two);
        assert_eq!(Scopes::from_answer(&json!(["a b"])).unwrap(), two);
        assert_eq!(
            Scopes::from_answer(&json!([""])).unwrap(),
            Some(Scopes::empty())
        );
        assert_eq!(Scopes::from_answer(&Value::Null).unwrap(), None);
        for bad in [json!(7), json!({}), json!(["a", 1]), json!("a\tb")] {
            assert!(Scopes::from_answer(&bad).is_err(), "{bad}");
        }
    }
}
