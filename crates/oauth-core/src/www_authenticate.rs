//! `WWW-Authenticate` (RFC 9110 §11.6.1), for the refusals of protected resources (RFC 6750 §3).
//!
//! ```
//! use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
//! use oauth_core::challenges;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="a, b", Bearer error="invalid_token""#));
//! let all = challenges(&headers);
//! assert_eq!(all[1].scheme(), "bearer");
//! assert_eq!(all[1].parameter("error"), Some("invalid_token"));
//! ```

use http::{HeaderMap, header};

use crate::{ErrorCode, OAuthError};

/// One challenge: a scheme and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The value of a parameter; its name is given in lower case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The challenges in `headers`, in order. A header that is malformed gives none: no half-read one.
#[must_use]
pub fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| {
            Parser {
                rest: value.to_str().ok()?,
            }
            .challenges()
        })
        .flatten()
        .collect()
}

impl OAuthError {
    /// The refusal of a protected resource, in the Bearer or DPoP challenge of its answer
    /// (RFC 6750 §3, RFC 9449 §7.1).
    #[must_use]
    pub fn from_challenge(headers: &HeaderMap) -> Option<Self> {
        let all = challenges(headers);
        let (refusal, code) = all
            .iter()
            .filter(|challenge| matches!(&*challenge.scheme, "bearer" | "dpop"))
            .find_map(|challenge| Some((challenge, challenge.parameter("error")?)))?;
        let error = Self::new(ErrorCode::new(code));
        Some(match refusal.parameter("error_description") {
            Some(description) => error.with_description(description),
            None => error,
        })
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn challenges(mut self) -> Option<Vec<Challenge>> {
        let mut all: Vec<Challenge> = Vec::new();
        loop {
            self.skip(|c| c == ' ' || c == '\t' || c == ',');
            if self.rest.is_empty() {
                return Some(all);
            }
            let word = self.token()?;
            let before = self.rest;
            self.skip(|c| c == ' ' || c == '\t');
            if self.eat('=') && !self.rest.starts_with('=') {
                // `name = value`: a parameter of the challenge that was begun.
                self.skip(|c| c == ' ' || c == '\t');
                let value = self.value()?;
                all.last_mut()?
                    .parameters
                    .push((word.to_ascii_lowercase(), value));
            } else {
                self.rest = before;
                all.push(Challenge {
                    scheme: word.to_ascii_lowercase(),
                    parameters: Vec::new(),
                });
                self.token68();
            }
        }
    }

    /// Skips credentials that are no parameters: `Negotiate YII=`.
    fn token68(&mut self) {
        let text = self.rest.trim_start_matches([' ', '\t']);
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (word, after) = text.split_at(end);
        let body = word.trim_end_matches('=');
        let plain = !body.is_empty()
            && body
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        let ends = after.trim_start_matches([' ', '\t']);
        // A word before `=` or before another word is a parameter's name or the next scheme.
        if plain && text.len() < self.rest.len() && (ends.is_empty() || ends.starts_with(',')) {
            self.rest = after;
        }
    }

    fn value(&mut self) -> Option<String> {
        if !self.eat('"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    fn skip(&mut self, while_true: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(while_true);
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Option<Vec<Challenge>> {
        Parser { rest: text }.challenges()
    }

    fn schemes(text: &str) -> Vec<String> {
        parse(text)
            .unwrap_or_default()
            .into_iter()
            .map(|challenge| challenge.scheme)
            .collect()
    }

    #[test]
    fn several_challenges_in_one_header() {
        assert_eq!(
            schemes("Negotiate, Basic realm=x , Bearer"),
            ["negotiate", "basic", "bearer"]
        );
        assert_eq!(
            schemes("Negotiate YII==, Bearer realm=\"a\""),
            ["negotiate", "bearer"]
        );
        let all = parse(
            r#"Digest realm="a \"b\", c", nonce=abc, BEARER Error = "invalid_token" , scope="x y""#,
        )
        .unwrap();
        assert_eq!(all[0].parameter("realm"), Some(r#"a "b", c"#));
        assert_eq!(all[1].parameter("error"), Some("invalid_token"));
        assert_eq!(all[1].parameter("scope"), Some("x y"));
    }

    #[test]
    fn malformed_ones_give_none() {
        for bad in ["=", "Bearer error=\"open", "\"x\"", "Bearer error=\"a\\"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(schemes(""), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn total(text in "[ -~]{0,80}") {
            let _ = parse(&text);
        }
    }
}
