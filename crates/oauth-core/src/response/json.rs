//! JSON objects (RFC 8259), read strictly: one object, UTF-8, no member twice, nothing after it.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::not_an_answer;
use crate::Error;

/// The JSON object in an answer's body, for what a provider reads by itself.
///
/// Strict: UTF-8, one object, none of its members twice, nothing after it (RFC 8259 §4). A second
/// member of a name could hide the first.
///
/// ```
/// use oauth_core::json_object;
///
/// let answer = |body: &'static str| http::Response::new(bytes::Bytes::from(body));
/// assert_eq!(json_object(&answer(r#"{"message":"no"}"#))?["message"], "no");
/// assert!(json_object(&answer(r#"{"message":"no","message":"yes"}"#)).is_err());
/// # Ok::<(), oauth_core::Error>(())
/// ```
///
/// # Errors
/// A protocol error that says nothing of the body but its media type and size: the messages of
/// a JSON parser quote what they find.
pub fn json_object(response: &http::Response<Bytes>) -> Result<Map<String, Value>, Error> {
    let body = response.body();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match object(body) {
        Ok(members) => Ok(members),
        Err(error) if error.is_data() && error.to_string().starts_with(TWICE) => {
            Err(Error::protocol("the answer has a member twice"))
        }
        Err(_) => Err(not_an_answer(response)),
    }
}

/// The JSON object that is the whole of `text`, as strictly.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_slice::<Object>(text).map(|Object(members)| members)
}

/// The pairs of a form body as members, all texts; `None` when it is no form or has a name twice.
pub(crate) fn form_object(response: &http::Response<Bytes>) -> Option<Map<String, Value>> {
    let body = std::str::from_utf8(response.body()).ok()?;
    let plain = body
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'{' | b'"'));
    if !plain || !body.contains('=') {
        return None;
    }
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(body.as_bytes()) {
        if members
            .insert(name.into_owned(), Value::String(value.into_owned()))
            .is_some()
        {
            return None;
        }
    }
    Some(members)
}

const TWICE: &str = "member twice";

/// A JSON object whose members each come once: a second `error` could hide the first.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(de::Error::custom(TWICE));
                    }
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}
