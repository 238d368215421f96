//! C1 and D1: the token manager over the target's client.

mod answers;
mod clock;
mod endings;
mod expiry;
mod introspection;
mod keys;
mod life;
mod middleware;
mod patience;
pub(super) mod rotation;
mod scopes;
mod setting;
mod shutdown;
mod single_flight;
mod stampede;
mod store;
mod store_failures;
mod turns;
mod unasked;

pub(super) use endings::survives;
pub(super) use middleware::only_where_it_belongs;
pub(super) use patience::credentials_in_a_loop;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    [
        rotation::CASES,
        endings::CASES,
        single_flight::CASES,
        turns::CASES,
        stampede::CASES,
        expiry::CASES,
        keys::CASES,
        scopes::CASES,
        life::CASES,
        introspection::CASES,
        answers::CASES,
        unasked::CASES,
        middleware::CASES,
        store_failures::CASES,
        shutdown::CASES,
        patience::CASES,
    ]
    .concat()
}
