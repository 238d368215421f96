//! The parameters of a request, read strictly (RFC 6749 §3.1, §3.2, appendix B).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use percent_encoding::percent_decode_str;

use crate::{AuthorizationServer, OAuthError};

const FORM: &str = "application/x-www-form-urlencoded";

/// No registered name comes near.
const MAX_NAME: usize = 256;

/// Names and values as they stand in the request, unless they had to be decoded.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Parameters<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    repeated: Vec<Cow<'a, str>>,
}

impl<'a> Parameters<'a> {
    /// Reads `application/x-www-form-urlencoded` text.
    pub(crate) fn decode(text: &'a [u8], max: usize) -> Result<Self, OAuthError> {
        let malformed = || OAuthError::invalid_request("the parameters are malformed");
        let text = std::str::from_utf8(text).map_err(|_| malformed())?;
        if text.bytes().filter(|byte| *byte == b'&').count() >= max {
            return Err(OAuthError::invalid_request("too many parameters"));
        }
        // Nearly all are plain: then there is nothing to decode or to look for in any of them.
        let plain = text
            .bytes()
            .fold(true, |plain, byte| plain & is_plain(byte));
        let mut parameters = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name.len() > MAX_NAME {
                return Err(malformed());
            }
            let decoded = |text| match plain {
                true => Some(Cow::Borrowed(text)),
                false => form_decode(text),
            };
            let name = decoded(name).ok_or_else(malformed)?;
            let value = decoded(value).ok_or_else(malformed)?;
            // A scope is judged by its own grammar, which has an error code of its own.
            let control = |text: &str| !plain && text.bytes().any(|byte| byte.is_ascii_control());
            if control(&name) || (name != "scope" && control(&value)) {
                return Err(malformed());
            }
            let may_repeat = matches!(&*name, "resource" | "audience");
            // There are few: to look through all of them is quicker than to hash each.
            let seen = parameters.pairs.iter().any(|(known, _)| *known == name);
            if seen && !may_repeat {
                parameters.repeated.push(name.clone());
            }
            parameters.pairs.push((name, value));
        }
        // RFC 6749 §3.2: without a value is as if omitted.
        parameters.pairs.retain(|(_, value)| !value.is_empty());
        Ok(parameters)
    }

    /// The value of `name`, never empty; the first one if it is repeated.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.pairs.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| &**value)
    }

    /// Of parameters that were checked before.
    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        let pairs = pairs.into_iter();
        Self {
            pairs: pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            repeated: Vec::new(),
        }
    }

    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        let pairs = self.pairs.into_iter();
        let owned = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
        owned.collect()
    }

    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.pairs.retain(|(name, _)| !names.contains(&&**name));
        self
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let mut changed = self.without(&[name]);
        let pair = (name.to_owned().into(), value.to_owned().into());
        changed.pairs.push(pair);
        changed
    }

    pub(crate) fn is_repeated(&self, name: &str) -> bool {
        self.repeated.iter().any(|repeated| repeated == name)
    }

    pub(crate) fn refuse_repeated(&self) -> Result<(), OAuthError> {
        match self.repeated.is_empty() {
            true => Ok(()),
            false => Err(OAuthError::invalid_request("a parameter is repeated")),
        }
    }
}

impl AuthorizationServer {
    /// The parameters of an endpoint that takes POSTed forms only, and nothing in the URL, where
    /// it would end up in logs.
    pub(crate) fn posted<'a>(
        &self,
        request: &'a Request<Bytes>,
    ) -> Result<Parameters<'a>, OAuthError> {
        if request.method() != Method::POST {
            return Err(OAuthError::method_not_allowed("POST"));
        }
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(OAuthError::invalid_request("parameters belong in the body"));
        }
        let parameters = self.form(request)?;
        parameters.refuse_repeated()?;
        Ok(parameters)
    }

    pub(crate) fn form<'a>(
        &self,
        request: &'a Request<Bytes>,
    ) -> Result<Parameters<'a>, OAuthError> {
        if !is_form(request.headers()) {
            let description = "the content type is not application/x-www-form-urlencoded";
            return Err(OAuthError::invalid_request(description));
        }
        if request.body().len() > self.max_body() {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(OAuthError::unread_body(status, "the body is too large"));
        }
        Parameters::decode(request.body(), self.max_parameters())
    }
}

/// Whether the form encoding leaves it as it is, and it is no control character.
fn is_plain(byte: u8) -> bool {
    !matches!(byte, b'%' | b'+') && !byte.is_ascii_control()
}

/// Undoes the form encoding, and takes nothing that is not one.
pub(crate) fn form_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(text.into());
    }
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let whole = bytes.iter().enumerate().all(|(index, byte)| {
        *byte != b'%' || (is_hex(bytes.get(index + 1)) && is_hex(bytes.get(index + 2)))
    });
    if !whole {
        return None;
    }
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    Some(decoded.into_owned().into())
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    if value == FORM {
        return true;
    }
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_form = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case(FORM));
    let mut charsets = parts.filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"'))
    });
    is_form && charsets.all(|charset| charset.eq_ignore_ascii_case("utf-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_form() {
        let parameters = Parameters::decode(b"a=1%2B+%C3%A4&b=&c&&d=x=y", 10).unwrap();
        assert_eq!(parameters.get("a"), Some("1+ \u{e4}"));
        assert_eq!(parameters.get("b"), None);
        assert_eq!(parameters.get("c"), None);
        assert_eq!(parameters.get("d"), Some("x=y"));
    }

    #[test]
    fn refuses_what_is_no_form() {
        for bad in [
            "a=%", "a=%4", "a=%zz", "a=%ff", "a=%00", "a=%0a", "a=\u{1}", "%0a=1", "a=%%41",
        ] {
            let error = Parameters::decode(bad.as_bytes(), 10).unwrap_err();
            assert_eq!(error.error(), "invalid_request", "{bad:?}");
        }
        assert!(Parameters::decode(b"a=\xff", 10).is_err());
        assert!(Parameters::decode("n".repeat(10_000).as_bytes(), 10).is_err());
        assert!(Parameters::decode("a&".repeat(10_000).as_bytes(), 10).is_err());
        assert!(
            Parameters::decode(b"scope=a%0Ab", 10).is_ok(),
            "left to the scope"
        );
    }

    #[test]
    fn sees_repetitions() {
        for repeated in ["a=1&a=1", "a=1&a=2", "a=&a=1", "a&a"] {
            let parameters = Parameters::decode(repeated.as_bytes(), 10).unwrap();
            assert!(parameters.is_repeated("a"), "{repeated}");
            assert!(parameters.refuse_repeated().is_err());
        }
        let resources = Parameters::decode(b"resource=a&resource=b", 10).unwrap();
        assert!(resources.refuse_repeated().is_ok());
        assert_eq!(resources.all("resource").count(), 2);
    }

    #[test]
    fn knows_the_content_type_of_a_form() {
        let is_form = |values: &[&str]| {
            let values = values
                .iter()
                .map(|value| (CONTENT_TYPE, value.parse().unwrap()));
            super::is_form(
                &values.fold(HeaderMap::new(), |mut headers, (name, value)| {
                    headers.append(name, value);
                    headers
                }),
            )
        };
        assert!(is_form(&["application/x-www-form-urlencoded"]));
        assert!(is_form(&[
            "Application/X-WWW-Form-URLencoded ; Charset=\"utf-8\""
        ]));
        assert!(!is_form(&[]));
        assert!(!is_form(&["application/json"]));
        assert!(!is_form(&[
            "application/x-www-form-urlencoded; charset=latin1"
        ]));
        assert!(!is_form(&["application/x-www-form-urlencodedx"]));
    }
}
