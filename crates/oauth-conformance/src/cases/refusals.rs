//! B3 and B4: refusals, under 2xx and under 4xx.

mod codes;
mod status;
mod success;
mod text;

use oauth_core::Capability::{ClientCredentials, RefreshToken};

use super::{bodies, expect, marks};
use crate::{
    Case,
    Need::{Can, StandardErrors},
    cases,
};

pub(super) use status::asks_to_wait;

pub(super) const CASES: &[Case] = cases! {
    "RSP-50" [Can(ClientCredentials)] => success::error_alone,
    "RSP-51" [Can(ClientCredentials)] => success::error_beside_a_token,
    "RSP-52" [Can(ClientCredentials)] => bodies::error_as_a_form,
    "RSP-53" [Can(ClientCredentials)] => success::error_in_another_shape,
    "RSP-55" [Can(ClientCredentials)] => success::other_statuses,
    "RSP-60" [Can(ClientCredentials)] => codes::registered,
    "RSP-61" [Can(ClientCredentials)] => codes::invalid_client,
    "RSP-63" [Can(ClientCredentials)] => codes::under_other_statuses,
    "RSP-64" [Can(ClientCredentials)] => codes::under_a_wrong_label,
    "RSP-65" [Can(ClientCredentials)] => text::cleaned_and_cut,
    "RSP-66" [Can(ClientCredentials), Can(RefreshToken)] => text::masked,
    "RSP-67" [Can(ClientCredentials), StandardErrors] => codes::nearly_registered,
    "RSP-68" [Can(ClientCredentials)] => codes::of_another_type,
    "RSP-69" [Can(ClientCredentials)] => status::without_a_word,
    "RSP-70" [Can(ClientCredentials)] => status::with_a_token,
    "RSP-71" [Can(ClientCredentials)] => status::come_back_later,
    "RSP-72" [Can(ClientCredentials)] => status::too_many_requests,
    "RSP-73" [Can(ClientCredentials)] => status::retry_after_dates,
    "RSP-74" [Can(ClientCredentials)] => status::retry_after_nonsense,
    "RSP-75" [Can(ClientCredentials)] => status::retry_after_capped,
    "RSP-76" [Can(ClientCredentials)] => status::too_many_requests_with_a_code,
};
