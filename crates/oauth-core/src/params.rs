//! The parameters of a request: names once, secrets marked.

use std::borrow::Cow;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::Error;

/// The parameters of a request to an endpoint, in order. A name that comes twice is an error when
/// the request is built, save `resource` and `audience` (RFC 6749 §3.2, RFC 8707 §2).
///
/// ```
/// use oauth_core::Params;
///
/// let mut params = Params::new();
/// params.push("grant_type", "client_credentials");
/// params.push_secret("client_secret", &"a&b=c".into());
/// assert_eq!(params.to_form()?, "grant_type=client_credentials&client_secret=a%26b%3Dc");
/// # Ok::<(), oauth_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(Cow<'static, str>, Parameter)>);

#[derive(Debug, Clone)]
enum Parameter {
    Public(String),
    Secret(SecretString),
}

impl Params {
    /// No parameters yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter that may be shown.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.0.push((name.into(), Parameter::Public(value.into())));
    }

    /// Adds a parameter that may not be shown anywhere.
    pub fn push_secret(&mut self, name: impl Into<Cow<'static, str>>, value: &SecretString) {
        self.0.push((name.into(), Parameter::Secret(value.clone())));
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Gives a parameter another name, for a server that does.
    pub fn rename(&mut self, from: &str, to: &str) {
        for (name, _) in &mut self.0 {
            if name == from {
                *name = Cow::Owned(to.to_owned());
            }
        }
    }

    /// Takes a parameter away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(have, _)| have != name);
    }

    /// Whether there is a parameter of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(have, _)| have == name)
    }

    /// The value of a parameter, in clear.
    #[must_use]
    pub fn expose(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.expose())
    }

    /// The parameters as `application/x-www-form-urlencoded` (RFC 6749 appendix B). The buffer is
    /// wiped when it is dropped.
    ///
    /// # Errors
    /// A usage error when a name comes twice.
    pub fn to_form(&self) -> Result<Bytes, Error> {
        self.check(&REPEATABLE)?;
        // Room for the worst case, so that the buffer never moves and leaves a copy behind.
        let room = self
            .0
            .iter()
            .map(|(name, value)| 2 + 3 * (name.len() + value.expose().len()))
            .sum();
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(room));
        for (name, value) in &self.0 {
            form.append_pair(name, value.expose());
        }
        Ok(Bytes::from_owner(Zeroizing::new(
            form.finish().into_bytes(),
        )))
    }

    /// The parameters as a JSON object of texts, in order.
    ///
    /// # Errors
    /// A usage error when a name comes twice, `resource` and `audience` too: an object has no room
    /// for that.
    pub fn to_json(&self) -> Result<Bytes, Error> {
        self.check(&[])?;
        let mut text = Zeroizing::new(vec![b'{']);
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            // Writing a text as JSON into memory cannot fail.
            serde_json::to_writer(&mut *text, name).ok();
            text.push(b':');
            serde_json::to_writer(&mut *text, value.expose()).ok();
        }
        text.push(b'}');
        Ok(Bytes::from_owner(text))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(have, _)| have == name)
            .map(|(_, value)| value.expose())
    }

    pub(crate) fn contains_value(&self, text: &str) -> bool {
        self.0.iter().any(|(_, value)| value.expose() == text)
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        self.0.iter().filter_map(|(_, value)| match value {
            Parameter::Secret(secret) => Some(secret),
            Parameter::Public(_) => None,
        })
    }

    /// Names and values that may be shown, for a front-channel URL. A secret among them is an
    /// error: nothing secret goes into a URL.
    pub(crate) fn front_channel(&self) -> Result<impl Iterator<Item = (&str, &str)>, Error> {
        self.check(&REPEATABLE)?;
        if self.secrets().next().is_some() {
            return Err(Error::usage(
                "a secret was offered for a URL; it would be in every log on the way",
            ));
        }
        Ok(self.0.iter().map(|(name, value)| (&**name, value.expose())))
    }

    fn check(&self, repeatable: &[&str]) -> Result<(), Error> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !repeatable.contains(&&**name)
                && self.0[..index].iter().any(|(before, _)| before == name)
            {
                return Err(Error::usage(
                    "a request parameter is given twice; give each once (RFC 6749 section 3.2)",
                ));
            }
        }
        Ok(())
    }
}

impl Parameter {
    fn expose(&self) -> &str {
        match self {
            Self::Public(text) => text,
            Self::Secret(text) => text.expose_secret(),
        }
    }
}

/// What may come several times (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// Names that grants and client authentication own: an extra parameter may not take one, or it
/// would change what is asked without anyone seeing it.
const OWNED: [&str; 19] = [
    "actor_token",
    "assertion",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "grant_type",
    "password",
    "redirect_uri",
    "refresh_token",
    "request_uri",
    "scope",
    "subject_token",
    "subject_token_type",
    "token",
    "username",
];

/// Refuses an extra parameter that takes the name of a protocol parameter.
pub(crate) fn check_extra(name: &str) -> Result<(), Error> {
    if OWNED.contains(&name) {
        return Err(Error::usage(
            "an extra parameter has the name of a protocol parameter; set that one where it belongs",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_survives_the_form(pairs in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..6)) {
            let mut params = Params::new();
            for (name, value) in &pairs {
                params.push_secret(name.clone(), &value.clone().into());
            }
            let form = params.to_form().unwrap();
            let back: std::collections::BTreeMap<_, _> = form_urlencoded::parse(&form).into_owned().collect();
            prop_assert_eq!(&back, &pairs);
            let json: std::collections::BTreeMap<String, String> = serde_json::from_slice(&params.to_json().unwrap()).unwrap();
            prop_assert_eq!(&json, &pairs);
        }
    }

    #[test]
    fn a_name_twice_is_refused_save_resource() {
        let mut params = Params::new();
        params.push("resource", "a");
        params.push("resource", "b");
        assert!(params.to_form().is_ok());
        assert!(params.to_json().is_err());
        params.push("scope", "a");
        params.push("scope", "a");
        assert!(params.to_form().is_err());
        assert!(params.to_json().is_err());
    }
}
