//! Request parameters in whichever form they travel: query, form or multipart body, JSON object.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;

/// Parameters in the order they came, repeated ones included. It may hold secrets: no `Debug`.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn query<B>(request: &Request<B>) -> Self {
        Self::parse(request.uri().query().unwrap_or_default().as_bytes())
    }

    /// A form or multipart body; nothing for any other content type.
    pub(crate) fn body(request: &Request<Bytes>) -> Self {
        let content_type = content_type(request);
        match media_type(content_type).as_str() {
            "application/x-www-form-urlencoded" => Self::parse(request.body()),
            "multipart/form-data" => Self::multipart(content_type, request.body()),
            _ => Self::default(),
        }
    }

    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The first value of that name; an empty one counts as absent (RFC 6749 §3.2).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let first = self.0.iter().find(|(key, _)| key == name)?;
        Some(first.1.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(key, _)| key != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn set_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(key, _)| key != name);
        self
    }

    pub(crate) fn extend(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.iter())
            .finish()
    }

    /// RFC 7578, as far as curl's `--form` and browsers go: every part is one text value.
    fn multipart(content_type: &str, body: &[u8]) -> Self {
        let Some(boundary) = parameter(content_type, "boundary") else {
            return Self::default();
        };
        let text = String::from_utf8_lossy(body);
        let delimiter = format!("--{boundary}");
        let parts = text.split(delimiter.as_str()).filter_map(|part| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let disposition = head.lines().find(|line| {
                line.to_ascii_lowercase()
                    .starts_with("content-disposition:")
            })?;
            let name = parameter(disposition, "name")?;
            Some((name, value.strip_suffix("\r\n").unwrap_or(value).to_owned()))
        });
        Self(parts.collect())
    }
}

/// Any pairs of names and values, in order.
impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

pub(crate) fn content_type<B>(request: &Request<B>) -> &str {
    header(request, CONTENT_TYPE.as_str()).unwrap_or_default()
}

/// `application/json` of `Application/JSON; charset=utf-8`.
pub(crate) fn media_type(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

pub(crate) fn header<'r, B>(request: &'r Request<B>, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

/// The credentials after an `Authorization` scheme word, whatever the word's case (RFC 9110 §11.1).
pub(crate) fn authorization<'r, B>(request: &'r Request<B>, scheme: &str) -> Option<&'r str> {
    let value = header(request, "authorization")?;
    let (word, credentials) = value.split_once(' ').unwrap_or((value, ""));
    word.eq_ignore_ascii_case(scheme)
        .then(|| credentials.trim())
}

/// Basic credentials as they stand, without the form decoding of RFC 6749 §2.3.1.
pub(crate) fn basic<B>(request: &Request<B>) -> Option<(String, String)> {
    let credentials = BASE64_STANDARD
        .decode(authorization(request, "Basic")?)
        .ok()?;
    let text = String::from_utf8(credentials).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|piece| {
        let (key, value) = piece.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case(name)).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multipart_body_is_read_as_curl_writes_it() {
        let body = "--XyZ\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\ndemo\r\n\
                    --XyZ\r\nContent-Disposition: form-data; name=\"scopes\"\r\n\r\na b\r\n--XyZ--\r\n";
        let request = Request::builder()
            .header("content-type", "multipart/form-data; boundary=XyZ")
            .body(Bytes::from(body))
            .unwrap();
        let params = Params::body(&request);
        assert_eq!(
            params.iter().collect::<Vec<_>>(),
            [("client_id", "demo"), ("scopes", "a b")]
        );
    }

    #[test]
    fn an_empty_value_counts_as_absent() {
        let params = Params::parse(b"scope=&grant_type=x&grant_type=y");
        assert_eq!(params.get("scope"), None);
        assert_eq!(params.get("grant_type"), Some("x"));
    }
}
