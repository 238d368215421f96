//! B3 and B4: refusals, under 2xx and under 4xx.

mod codes;
mod status;
mod success;
mod text;

use oauth_core::Capability::RefreshToken;

use super::{bodies, expect, marks};
use crate::{
    Case,
    Need::{AnyGrant, Can, JsonAnswers, StandardErrors},
    cases,
};

pub(super) use status::asks_to_wait;

pub(super) const CASES: &[Case] = cases! {
    "RSP-50" [AnyGrant] => success::error_alone,
    "RSP-51" [AnyGrant] => success::error_beside_a_token,
    "RSP-52" [AnyGrant, JsonAnswers] => bodies::error_as_a_form,
    "RSP-53" [AnyGrant] => success::error_in_another_shape,
    "RSP-55" [AnyGrant] => success::other_statuses,
    "RSP-60" [AnyGrant] => codes::registered,
    "RSP-61" [AnyGrant] => codes::invalid_client,
    "RSP-63" [AnyGrant] => codes::under_other_statuses,
    "RSP-64" [AnyGrant] => codes::under_a_wrong_label,
    "RSP-65" [AnyGrant] => text::cleaned_and_cut,
    "RSP-66" [AnyGrant, Can(RefreshToken)] => text::masked,
    "RSP-67" [AnyGrant, StandardErrors] => codes::nearly_registered,
    "RSP-68" [AnyGrant] => codes::of_another_type,
    "RSP-69" [AnyGrant] => status::without_a_word,
    "RSP-70" [AnyGrant] => status::with_a_token,
    "RSP-71" [AnyGrant] => status::come_back_later,
    "RSP-72" [AnyGrant] => status::too_many_requests,
    "RSP-73" [AnyGrant] => status::retry_after_dates,
    "RSP-74" [AnyGrant] => status::retry_after_nonsense,
    "RSP-75" [AnyGrant] => status::retry_after_capped,
    "RSP-76" [AnyGrant] => status::too_many_requests_with_a_code,
};
