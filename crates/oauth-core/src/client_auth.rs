//! How a client says who it is (RFC 6749 §2.3). One method, chosen, never probed: a second try
//! would burn a one-time code and set off brute-force guards.

#[cfg(feature = "jwt-assertion")]
mod assertion;

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{Error, Params};
#[cfg(feature = "jwt-assertion")]
pub(crate) use assertion::{AssertionKey, ClientAssertion};

/// A client authentication method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// HTTP Basic, id and secret form-encoded first: RFC 6749 §2.3.1 (`client_secret_basic`).
    Basic,
    /// HTTP Basic with id and secret as they are (RFC 7617), for servers that skip the encoding.
    BasicRaw,
    /// Id and secret in the body: RFC 6749 §2.3.1 (`client_secret_post`).
    Post,
    /// The id alone, in the body: a public client (RFC 6749 §3.2.1, `none`).
    None,
    /// A certificate, and the id in the body: RFC 8705 §2 (`tls_client_auth`,
    /// `self_signed_tls_client_auth`). The transport shows the certificate: give the client one
    /// that has it, such as `ReqwestTransport::from_builder` with reqwest's `identity`.
    Tls,
    /// A JWT that the client signs with its key: RFC 7523 §2.2 (`private_key_jwt`).
    #[cfg(feature = "jwt-assertion")]
    PrivateKeyJwt,
    /// A JWT with an HMAC by the client's secret: RFC 7523 §2.2 (`client_secret_jwt`).
    #[cfg(feature = "jwt-assertion")]
    ClientSecretJwt,
}

/// A client's identity for one request: its id, its method, its secret.
///
/// ```
/// use oauth_core::{ClientAuthMethod, ClientAuthentication};
///
/// let client = ClientAuthentication::new("id", ClientAuthMethod::Post, Some("secret".into()))?;
/// assert!(!format!("{client:?}").contains("secret\""));
/// # Ok::<(), oauth_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientAuthentication(Arc<Identity>);

#[derive(Debug)]
struct Identity {
    client_id: String,
    method: ClientAuthMethod,
    secret: Option<SecretString>,
    /// What goes into every request, for the methods that use it.
    header: Option<HeaderValue>,
    #[cfg(feature = "jwt-assertion")]
    assertion: Option<Arc<ClientAssertion>>,
}

impl ClientAuthentication {
    /// The client `client_id`. Without a secret the method is [`ClientAuthMethod::None`], or
    /// [`ClientAuthMethod::Tls`] if that is given. The methods with a JWT need a clock and more:
    /// [`ClientBuilder`](crate::ClientBuilder) makes them.
    ///
    /// # Errors
    /// A usage error when the id is empty, when there is a secret with a method that has none,
    /// when the method needs a JWT, when an id with a colon is to go into
    /// [`ClientAuthMethod::BasicRaw`], or when id and secret cannot go into a header.
    pub fn new(
        client_id: impl Into<String>,
        method: ClientAuthMethod,
        secret: Option<SecretString>,
    ) -> Result<Self, Error> {
        let client_id = client_id.into();
        #[cfg(feature = "jwt-assertion")]
        if matches!(
            method,
            ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::ClientSecretJwt
        ) {
            return Err(Error::usage(
                "a client that authenticates with a JWT needs its key or its secret; give it to the client's builder",
            ));
        }
        let method = if secret.is_some() || method == ClientAuthMethod::Tls {
            method
        } else {
            ClientAuthMethod::None
        };
        if client_id.is_empty() {
            return Err(Error::usage("the client id is empty"));
        }
        if secret.is_some() && method == ClientAuthMethod::Tls {
            return Err(Error::usage(
                "there is a client secret but the method is a certificate; drop one of them",
            ));
        }
        if secret.is_some() && method == ClientAuthMethod::None {
            return Err(Error::usage(
                "there is a client secret but the method is none, for public clients; drop one of them",
            ));
        }
        if method == ClientAuthMethod::BasicRaw && client_id.contains(':') {
            return Err(Error::usage(
                "a client id with a colon cannot go into plain Basic (RFC 7617 section 2)",
            ));
        }
        let plain = secret.as_ref().map(ExposeSecret::expose_secret);
        let header = match (method, plain) {
            (ClientAuthMethod::Basic, Some(plain)) => {
                Some(basic(&encode(&client_id), &encode(plain))?)
            }
            (ClientAuthMethod::BasicRaw, Some(plain)) => Some(basic(&client_id, plain)?),
            _ => None,
        };
        Ok(Self(Arc::new(Identity {
            client_id,
            method,
            secret,
            header,
            #[cfg(feature = "jwt-assertion")]
            assertion: None,
        })))
    }

    /// The client `client_id`, which shows a JWT of `assertion`.
    #[cfg(feature = "jwt-assertion")]
    pub(crate) fn with_assertion(
        client_id: String,
        secret: Option<SecretString>,
        assertion: ClientAssertion,
    ) -> Result<Self, Error> {
        let method = assertion.method();
        let public = Self::new(client_id, ClientAuthMethod::None, None)?;
        Ok(Self(Arc::new(Identity {
            client_id: public.client_id().to_owned(),
            method,
            secret,
            header: None,
            assertion: Some(Arc::new(assertion)),
        })))
    }

    /// Whether it does not authenticate at all (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0.method == ClientAuthMethod::None
    }

    /// Whether what it shows could be used at another server, should it be sent there.
    pub(crate) fn is_for_one_server(&self) -> bool {
        #[cfg(feature = "jwt-assertion")]
        return self.0.assertion.is_some();
        #[cfg(not(feature = "jwt-assertion"))]
        false
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> ClientAuthMethod {
        self.0.method
    }

    /// The secret, of a confidential client.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretString> {
        self.0.secret.as_ref()
    }

    /// What no error may show, should a server repeat a request: the secret, and it as Basic.
    pub(crate) fn secrets(&self) -> Vec<SecretString> {
        let Some(secret) = &self.0.secret else {
            return Vec::new();
        };
        let (id, plain) = (&self.0.client_id, secret.expose_secret());
        vec![
            secret.clone(),
            credentials(id, plain).as_str().into(),
            credentials(&encode(id), &encode(plain)).as_str().into(),
        ]
    }

    /// The same client without its secret: for an endpoint that wants the id alone.
    #[must_use]
    pub fn public(&self) -> Self {
        Self(Arc::new(Identity {
            client_id: self.0.client_id.clone(),
            method: ClientAuthMethod::None,
            secret: None,
            header: None,
            #[cfg(feature = "jwt-assertion")]
            assertion: None,
        }))
    }

    /// Puts the client into a request: into its headers or its parameters, never both.
    ///
    /// # Errors
    /// A usage error when no JWT can be signed.
    pub fn apply(&self, params: &mut Params, headers: &mut HeaderMap) -> Result<(), Error> {
        #[cfg(feature = "jwt-assertion")]
        if let Some(assertion) = &self.0.assertion {
            return assertion.apply(&self.0.client_id, self.0.secret.as_ref(), params);
        }
        let this = &*self.0;
        match (&this.header, this.method, &this.secret) {
            (Some(value), ..) => {
                headers.insert(header::AUTHORIZATION, value.clone());
            }
            (None, ClientAuthMethod::Post, Some(secret)) => {
                params.push("client_id", &this.client_id);
                params.push_secret("client_secret", secret);
            }
            _ => params.push("client_id", &this.client_id),
        }
        Ok(())
    }
}

fn encode(text: &str) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

/// The credentials of HTTP Basic (RFC 7617 §2).
fn credentials(id: &str, secret: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{id}:{secret}"));
    Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()))
}

fn basic(id: &str, secret: &str) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(format!("Basic {}", &*credentials(id, secret)));
    crate::wiped::header(text)
        .map_err(|_| Error::usage("client id and secret cannot go into a header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(method: ClientAuthMethod, id: &str, secret: &str) -> String {
        let client = ClientAuthentication::new(id, method, Some(secret.into())).unwrap();
        let (mut params, mut headers) = (Params::new(), HeaderMap::new());
        client.apply(&mut params, &mut headers).unwrap();
        assert!(!params.contains("client_id"), "one method only");
        let value = &headers[header::AUTHORIZATION];
        assert!(value.is_sensitive());
        String::from_utf8(BASE64_STANDARD.decode(&value.as_bytes()[6..]).unwrap()).unwrap()
    }

    #[test]
    fn basic_is_form_encoded_first_and_raw_is_not() {
        assert_eq!(
            header_of(ClientAuthMethod::Basic, "an:identifier", " %&+"),
            "an%3Aidentifier:+%25%26%2B"
        );
        assert_eq!(
            header_of(ClientAuthMethod::BasicRaw, "id", " %&+"),
            "id: %&+"
        );
    }

    #[test]
    fn no_secret_means_public() {
        let client = ClientAuthentication::new("id", ClientAuthMethod::Basic, None).unwrap();
        assert_eq!(client.method(), ClientAuthMethod::None);
    }

    #[test]
    fn every_form_of_the_secret_is_known() {
        let secret = Some("+%".into());
        let client = ClientAuthentication::new("a b", ClientAuthMethod::Post, secret).unwrap();
        let forms = client.secrets();
        let forms: Vec<_> = forms.iter().map(ExposeSecret::expose_secret).collect();
        let base64 = |pair: &str| BASE64_STANDARD.encode(pair);
        assert_eq!(forms, ["+%", &base64("a b:+%"), &base64("a+b:%2B%25")]);
    }
}
