//! A request to an endpoint before it has a shape: what the provider's hook turns into bytes.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use super::{EndpointKind, EndpointUrl};
use crate::{ClientAuthentication, Error, Params, Scopes};

/// A request to an endpoint: its parameters, and the client that makes it.
#[derive(Debug)]
pub struct EndpointRequest<'a> {
    endpoint: EndpointKind,
    url: &'a EndpointUrl,
    client: ClientAuthentication,
    params: Params,
    headers: HeaderMap,
    scopes: Option<&'a Scopes>,
    authenticated: bool,
}

impl<'a> EndpointRequest<'a> {
    pub(crate) fn new(
        endpoint: EndpointKind,
        url: &'a EndpointUrl,
        client: ClientAuthentication,
        params: Params,
    ) -> Self {
        Self {
            endpoint,
            url,
            client,
            params,
            headers: HeaderMap::new(),
            scopes: None,
            authenticated: false,
        }
    }

    pub(crate) fn with_scopes(mut self, scopes: Option<&'a Scopes>) -> Self {
        self.scopes = scopes;
        self
    }

    /// The scopes that the grant asks for or asked for before, at the token endpoint: also those
    /// that are not among its parameters, for a server that wants them again.
    #[must_use]
    pub fn scopes(&self) -> Option<&'a Scopes> {
        self.scopes
    }

    /// Which endpoint it goes to.
    #[must_use]
    pub fn endpoint(&self) -> EndpointKind {
        self.endpoint
    }

    /// The client that makes it.
    #[must_use]
    pub fn client(&self) -> &ClientAuthentication {
        &self.client
    }

    /// Makes it the request of another client, or of the same one in another way.
    pub fn set_client(&mut self, client: ClientAuthentication) {
        self.client = client;
    }

    /// The parameters, without the client's.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The parameters, to change.
    pub fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }

    /// Headers to send beside the usual ones.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// Puts the client into the request now instead of at the end, for a server whose own clients
    /// write their credentials before other parameters.
    ///
    /// # Errors
    /// A usage error when the client cannot go into a header.
    pub fn authenticate(&mut self) -> Result<(), Error> {
        self.authenticated = true;
        self.client.apply(&mut self.params, &mut self.headers)
    }

    /// The request as a form (RFC 6749 §3.2): every parameter in the body, none in the URL.
    ///
    /// # Errors
    /// A usage error when a parameter comes twice or the client cannot go into a header.
    pub fn into_form(self) -> Result<http::Request<Bytes>, Error> {
        self.build("application/x-www-form-urlencoded", Params::to_form)
    }

    /// The request as a JSON object of texts.
    ///
    /// # Errors
    /// As [`EndpointRequest::into_form`].
    pub fn into_json(self) -> Result<http::Request<Bytes>, Error> {
        self.build("application/json", Params::to_json)
    }

    fn build(
        mut self,
        content_type: &'static str,
        encode: impl FnOnce(&Params) -> Result<Bytes, Error>,
    ) -> Result<http::Request<Bytes>, Error> {
        if !self.authenticated {
            self.authenticate()?;
        }
        let mut request = http::Request::new(encode(&self.params)?);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.as_uri().clone();
        // Parsed once: whoever sends it needs the same URL again.
        request.extensions_mut().insert(self.url.clone());
        let headers = request.headers_mut();
        *headers = self.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(request)
    }
}
