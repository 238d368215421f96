//! The cases, a file per group of the catalogue.

mod assertions;
mod authorize;
mod bodies;
mod client_authentication;
mod device;
mod dpop;
mod endpoints;
mod expect;
mod faults;
mod grants;
mod hygiene;
mod jwt;
mod manager;
mod marks;
mod network;
mod parameters;
mod profile;
mod pushed;
mod refresh;
mod refusals;
mod server;
mod server_assertion;
mod server_at_rest;
mod server_authorize;
mod server_browser;
mod server_client_authentication;
mod server_client_credentials;
mod server_code;
mod server_device;
mod server_dpop;
mod server_endings;
mod server_guessing;
mod server_introspection;
mod server_jws;
mod server_limits;
mod server_metadata;
mod server_origin;
mod server_pages;
mod server_pushed;
mod server_refresh;
mod server_resource;
mod server_revocation;
mod server_round_trip;
mod server_token;
mod server_token_answer;
mod server_trouble;
mod threats;
mod token_answer;
mod transport;

use crate::Case;

/// Every case that any provider can be put to.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        authorize::CASES,
        grants::CASES,
        device::CASES,
        assertions::CASES,
        pushed::CASES,
        dpop::CASES,
        parameters::CASES,
        client_authentication::CASES,
        transport::CASES,
        token_answer::CASES,
        bodies::CASES,
        refusals::CASES,
        network::CASES,
        endpoints::CASES,
        refresh::CASES,
        server_token::CASES,
        server_token_answer::CASES,
        server_at_rest::CASES,
        server_origin::CASES,
        server_trouble::CASES,
        server_limits::CASES,
        server_client_authentication::CASES,
        server_guessing::CASES,
        server_client_credentials::CASES,
        server_refresh::CASES,
        server_authorize::CASES,
        server_code::CASES,
        server_introspection::CASES,
        server_revocation::CASES,
        server_device::CASES,
        server_assertion::CASES,
        server_dpop::CASES,
        server_resource::CASES,
        server_metadata::CASES,
        hygiene::CASES,
        threats::CASES,
        server_round_trip::CASES,
        server_endings::CASES,
        server_pages::CASES,
        server_pushed::CASES,
        &manager::cases(),
    ]
    .concat()
}
