//! In place of the cryptography where the feature `jwt` is off: there are no keys, so nothing is
//! signed, and no signature is right.

use std::{convert::Infallible, iter, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value};

use super::SigningAlgorithm;
use crate::ContextError;

type Claims = Map<String, Value>;

/// A private key that signs tokens; there is none without the feature `jwt`.
#[derive(Debug, Clone)]
pub struct SigningKey(Infallible);

impl SigningKey {
    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        match self.0 {}
    }

    pub(crate) fn sign(&self, _: &str, _: &Claims) -> Result<String, ContextError> {
        match self.0 {}
    }
}

/// The keys a server signs with; there are none without the feature `jwt`.
#[derive(Debug, Clone)]
pub struct SigningKeys(Infallible);

impl SigningKeys {
    /// Their public halves (RFC 7517 §5).
    pub fn jwks(&self) -> Value {
        match self.0 {}
    }

    pub(crate) fn current(&self) -> SigningKey {
        match self.0 {}
    }
}

/// The public keys of a client; there are none without the feature `jwt`.
#[derive(Debug, Clone)]
pub struct Jwks(Infallible);

impl Jwks {
    pub(crate) fn published(_: &Value) -> Option<Self> {
        None
    }

    pub(crate) fn candidates(&self, _: Option<&str>) -> iter::Empty<&PublicKey> {
        match self.0 {}
    }
}

/// Without its keys a stored client would pass for a public one.
impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("the feature `jwt` is off"))
    }
}

impl Serialize for Jwks {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match self.0 {}
    }
}

pub(crate) struct PublicKey {
    pub(crate) algorithm: SigningAlgorithm,
    never: Infallible,
}

impl PublicKey {
    pub(crate) fn read(_: &Value) -> Option<Self> {
        None
    }

    pub(crate) fn thumbprint(&self) -> &str {
        match self.never {}
    }
}

pub(crate) struct Jws<'t>(Infallible, PhantomData<&'t str>);

impl<'t> Jws<'t> {
    pub(crate) fn read(_: &'t str) -> Option<Self> {
        None
    }

    pub(crate) fn header(&self, _: &str) -> Option<&Value> {
        match self.0 {}
    }

    pub(crate) fn header_text(&self, _: &str) -> Option<&str> {
        match self.0 {}
    }

    pub(crate) fn alleged(&self, _: &str) -> Option<String> {
        match self.0 {}
    }

    pub(crate) fn verified(&self, _: &PublicKey) -> Option<Claims> {
        match self.0 {}
    }

    pub(crate) fn verified_with_secret(&self, _: &str) -> Option<Claims> {
        match self.0 {}
    }
}
