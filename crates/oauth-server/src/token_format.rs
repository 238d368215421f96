//! How tokens and codes look.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{ContextError, Random};

/// What a generated string is going to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
    /// An authorization code (RFC 6749 §4.1.2).
    AuthorizationCode,
    /// A device code (RFC 8628 §3.2).
    DeviceCode,
    /// What is in the URI of a pushed authorization request (RFC 9126 §2.2).
    RequestUri,
    /// The code a person types (RFC 8628 §6.1). Case, blanks and dashes are ignored on entry.
    UserCode,
}

/// Makes the strings that are handed out as tokens and codes.
///
/// An implementation keeps at least 128 bits of randomness (RFC 6749 §10.10) in everything but a
/// user code, and uses only characters that need no escape in a URL.
///
/// ```
/// use oauth_server::{Alphanumeric, ContextError, Random, TokenFormat, TokenKind};
///
/// #[derive(Debug)]
/// struct Prefixed;
///
/// impl TokenFormat for Prefixed {
///     fn generate(&self, kind: TokenKind, random: &dyn Random) -> Result<String, ContextError> {
///         let token = Alphanumeric::new(30).generate(kind, random)?;
///         Ok(match kind {
///             TokenKind::AccessToken => format!("at_{token}"),
///             _ => token,
///         })
///     }
/// }
/// # let token = Prefixed.generate(TokenKind::AccessToken, &oauth_server::OsRandom).unwrap();
/// # assert!(token.starts_with("at_") && token.len() == 33);
/// ```
pub trait TokenFormat: fmt::Debug + Send + Sync {
    /// Makes a new string of this kind.
    ///
    /// # Errors
    ///
    /// When `random` fails.
    fn generate(&self, kind: TokenKind, random: &dyn Random) -> Result<String, ContextError>;
}

/// 256 random bits in the URL-safe base64 alphabet, 43 characters; the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct UrlSafe;

impl TokenFormat for UrlSafe {
    fn generate(&self, kind: TokenKind, random: &dyn Random) -> Result<String, ContextError> {
        if kind == TokenKind::UserCode {
            return user_code(random);
        }
        let mut bytes = [0; 32];
        random.fill(&mut bytes)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Lower-case letters and digits.
#[derive(Debug, Clone, Copy)]
pub struct Alphanumeric {
    length: usize,
}

impl Alphanumeric {
    /// Strings of `length` characters, but at least 25: fewer hold less than 128 bits.
    pub fn new(length: usize) -> Self {
        Self {
            length: length.max(25),
        }
    }
}

impl TokenFormat for Alphanumeric {
    fn generate(&self, kind: TokenKind, random: &dyn Random) -> Result<String, ContextError> {
        match kind {
            TokenKind::UserCode => user_code(random),
            _ => pick(b"abcdefghijklmnopqrstuvwxyz0123456789", self.length, random),
        }
    }
}

/// RFC 8628 §6.1: twenty letters without vowels spell no words; eight of them hold 34 bits.
fn user_code(random: &dyn Random) -> Result<String, ContextError> {
    let mut code = pick(b"BCDFGHJKLMNPQRSTVWXZ", 8, random)?;
    code.insert(4, '-');
    Ok(code)
}

fn pick(alphabet: &[u8], length: usize, random: &dyn Random) -> Result<String, ContextError> {
    // Bytes above the largest multiple of the alphabet's size would favour its first letters.
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        random.fill(&mut bytes)?;
        let letters = bytes
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < fair)
            .map(|byte| char::from(alphabet[byte % alphabet.len()]));
        text.extend(letters.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    #[test]
    fn tokens_are_url_safe_and_distinct() {
        for kind in [TokenKind::AccessToken, TokenKind::DeviceCode] {
            let one = UrlSafe.generate(kind, &OsRandom).unwrap();
            let other = UrlSafe.generate(kind, &OsRandom).unwrap();
            assert_ne!(one, other);
            assert_eq!(one.len(), 43);
            assert!(
                one.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            );
        }
    }

    #[test]
    fn alphanumeric_keeps_128_bits() {
        let token = |length| {
            Alphanumeric::new(length)
                .generate(TokenKind::AccessToken, &OsRandom)
                .unwrap()
        };
        assert_eq!(token(30).len(), 30);
        assert_eq!(token(8).len(), 25);
        assert!(
            token(30)
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
    }

    #[test]
    fn user_codes_have_no_vowels() {
        let code = UrlSafe.generate(TokenKind::UserCode, &OsRandom).unwrap();
        assert_eq!(code.len(), 9);
        assert_eq!(code.as_bytes()[4], b'-');
        assert!(!code.contains(['A', 'E', 'I', 'O', 'U', 'Y']), "{code}");
    }
}
