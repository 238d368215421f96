//! What Moov says when it refuses, in terms of OAuth: a 400 has a text in `error`, a 422 has a
//! message for each field of the request and no `error` at all.

use bytes::Bytes;
use http::StatusCode;
use oauth_core::{EndpointKind, ErrorCode, OAuthError, json_object};
use serde_json::{Map, Value};

/// The longest message of a field that is kept, in characters.
const KEPT: usize = 256;

/// The fields of a 422 as the refusal of a token or revocation request. Messages go where nothing
/// prints them, for they may repeat what was sent; names are shown.
pub(crate) fn unprocessable(
    endpoint: EndpointKind,
    response: &http::Response<Bytes>,
) -> Option<OAuthError> {
    if response.status() != StatusCode::UNPROCESSABLE_ENTITY {
        return None;
    }
    let members = json_object(response).ok()?;
    if members.is_empty() || members.contains_key("error") {
        return None;
    }
    let mut fields = Map::new();
    for (name, value) in members {
        flatten(name, value, &mut fields);
    }
    let code = match endpoint {
        EndpointKind::Token if fields.contains_key("refresh_token") => ErrorCode::InvalidGrant,
        EndpointKind::Token if fields.contains_key("scope") => ErrorCode::InvalidScope,
        _ => ErrorCode::InvalidRequest,
    };
    let names = fields
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    Some(
        OAuthError::new(code)
            .with_description(&format!("refused fields: {names}"))
            .with_extra(fields),
    )
}

/// Whether a request was refused for what it says, not for who sent it or when.
pub(crate) fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// `{"a": {"b": "message"}}` as `a.b: message`.
fn flatten(path: String, value: Value, fields: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            members
                .into_iter()
                .for_each(|(name, value)| flatten(format!("{path}.{name}"), value, fields));
        }
        Value::Array(items) => {
            items
                .into_iter()
                .enumerate()
                .for_each(|(index, value)| flatten(format!("{path}.{index}"), value, fields));
        }
        Value::Null => {}
        Value::String(text) => {
            let text = text
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(KEPT)
                .collect();
            fields.insert(path, Value::String(text));
        }
        Value::Bool(_) | Value::Number(_) => {
            fields.insert(path, Value::String(value.to_string()));
        }
    }
}
