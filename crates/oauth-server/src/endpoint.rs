//! The endpoints: a request in, a typed outcome out, no web framework in between.

pub(crate) mod authorize;
mod device;
mod introspect;
mod par;
mod revoke;
mod token;
mod userinfo;
