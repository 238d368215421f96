//! B2: what a body may be, how large, and what an error may say of it.

mod framing;
mod json;
mod media_type;
mod secrecy;

use oauth_core::Capability::RefreshToken;

use super::{expect, marks, profile};
use crate::{
    Case, Context,
    Need::{AnyGrant, Can, JsonAnswers},
    Reply, cases,
};
pub(super) use media_type::error_as_a_form;

pub(super) const CASES: &[Case] = cases! {
    "RSP-30" [AnyGrant] => json::no_object,
    "RSP-31" [AnyGrant] => framing::cut,
    "RSP-32" [AnyGrant] => json::more_than_an_object,
    "RSP-33" [AnyGrant] => json::other_encodings,
    "RSP-34" [AnyGrant] => json::duplicates,
    "RSP-35" [AnyGrant] => json::deep,
    "RSP-36" [AnyGrant] => json::wide,
    "RSP-37" [AnyGrant] => framing::too_large,
    "RSP-38" [AnyGrant] => framing::codings,
    "RSP-39" [AnyGrant] => json::other_spellings,
    "RSP-40" [AnyGrant] => media_type::json_in_any_spelling,
    "RSP-41" [AnyGrant] => media_type::json_under_another_name,
    "RSP-42" [AnyGrant, JsonAnswers] => media_type::form,
    "RSP-43" [AnyGrant] => media_type::no_json,
    "RSP-44" [AnyGrant, Can(RefreshToken)] => secrecy::of_the_body,
    "RSP-45" [AnyGrant] => secrecy::of_a_member,
};

/// The target's token answer as text.
fn answer(cx: &Context) -> String {
    cx.target()
        .token_answer("conformance-access-token")
        .to_string()
}

/// A JSON answer of these bytes, status 200.
fn json_body(body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(200)
        .header("Content-Type", "application/json")
        .body(body)
}
