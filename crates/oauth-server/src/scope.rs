//! Scopes: parsed once, then they cannot hold a bad value.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

/// A set of scope tokens (RFC 6749 §3.3), in the order of the alphabet. Cheap to clone: every token
/// has one.
///
/// ```
/// use oauth_server::Scope;
///
/// let scope = Scope::parse("write read read")?;
/// assert_eq!(scope.to_string(), "read write");
/// assert!(scope.contains("read"));
/// assert!(Scope::parse("line\nbreak").is_err());
/// # Ok::<(), oauth_server::InvalidScope>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(Arc<[Box<str>]>);

impl Scope {
    /// Reads a blank-separated list; the empty string is the empty scope.
    ///
    /// # Errors
    ///
    /// When a character is outside the grammar of RFC 6749 §3.3.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |byte: u8| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !text.bytes().all(allowed) {
            return Err(InvalidScope);
        }
        let tokens = text.split(' ').filter(|token| !token.is_empty());
        Ok(Self::of(tokens))
    }

    /// Reads the scope of a request, which is to the letter of RFC 6749 §3.3: at least one token,
    /// and one blank between two.
    pub(crate) fn requested(text: &str) -> Result<Self, InvalidScope> {
        match text.split(' ').any(str::is_empty) {
            true => Err(InvalidScope),
            false => Self::parse(text),
        }
    }

    /// Whether no scope is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `token` is in it.
    pub fn contains(&self, token: &str) -> bool {
        self.0.binary_search_by(|it| (**it).cmp(token)).is_ok()
    }

    /// Whether everything in it is in `other`, too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// What is in it and satisfies `keep`.
    pub(crate) fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self::of(self.iter().filter(|token| keep(token)))
    }

    /// Of tokens that were checked before.
    pub(crate) fn of<'a>(tokens: impl Iterator<Item = &'a str>) -> Self {
        let tokens: BTreeSet<_> = tokens.collect();
        Self(tokens.into_iter().map(Box::from).collect())
    }

    /// Its tokens in the order of the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|token| &**token)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.0.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{token}")?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            // Most have one: nothing to put together.
            [only] => serializer.serialize_str(only),
            _ => serializer.collect_str(self),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// A scope with a character that RFC 6749 §3.3 does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a character outside the grammar of scopes")]
pub struct InvalidScope;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_held() {
        for bad in ["a\nb", "a\"b", "a\\b", "ä", "a\tb", "\u{7f}"] {
            assert_eq!(Scope::parse(bad), Err(InvalidScope), "{bad:?}");
        }
        let url = "http://www.thinkministry.com/dataplatform/scopes/all openid";
        assert_eq!(Scope::parse(url).unwrap().iter().count(), 2);
    }

    #[test]
    fn requests_are_read_to_the_letter() {
        for bad in ["", " ", " a", "a ", "a  b", "a\tb"] {
            assert_eq!(Scope::requested(bad), Err(InvalidScope), "{bad:?}");
        }
        assert_eq!(Scope::requested("b a a").unwrap().to_string(), "a b");
    }

    #[test]
    fn blanks_and_doubles_vanish() {
        assert!(Scope::parse("").unwrap().is_empty());
        assert!(Scope::parse("  ").unwrap().is_empty());
        assert_eq!(Scope::parse(" b  a b").unwrap().to_string(), "a b");
    }
}
