//! Calls of the API with a token that is there, and renewed once when the server refuses it.

use bytes::Bytes;

use crate::{
    Authentication, Error,
    authentication::{Identity, Refusal},
};

/// The API of Ministry Platform, called as one identity. Cheap to clone.
///
/// ```no_run
/// # async fn call(authentication: ministry_platform::Authentication) -> Result<(), ministry_platform::Error> {
/// use ministry_platform::{Filter, TableName, tables::Query};
///
/// let api = authentication.api();
/// let query = Query::new().filter(Filter::eq("Contact_ID", 2_186_211)?);
/// let records = api.get_records(&TableName::new("Contacts")?, &query).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Api {
    authentication: Authentication,
    identity: Identity,
}

impl Api {
    pub(crate) fn new(authentication: Authentication, identity: Identity) -> Self {
        Self {
            authentication,
            identity,
        }
    }

    /// Sends a request with the identity's token and gives the answer, a 2xx. Its URI is a path
    /// under the base URL (`/tables/Contacts`) or a whole URL that lies there.
    ///
    /// Tokens of Ministry Platform can die before their end. When the server refuses one (401, or
    /// a `Message` that says so under any status), it is dropped, another one is fetched and the
    /// request is sent once more, never twice. When the server refuses that one too, no call
    /// fetches another for half a minute.
    ///
    /// # Errors
    /// Those of [`Authentication::authenticate`] or [`Authentication::authenticate_client`] when
    /// there is no token to send, and then nothing is sent; [`ErrorKind::Usage`] when the URI lies
    /// elsewhere; [`ErrorKind::Query`] when the server cannot run the query;
    /// [`ErrorKind::Refused`] and the others for what the server answers.
    ///
    /// [`ErrorKind::Usage`]: crate::ErrorKind::Usage
    /// [`ErrorKind::Query`]: crate::ErrorKind::Query
    /// [`ErrorKind::Refused`]: crate::ErrorKind::Refused
    pub async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Error> {
        let (authentication, identity) = (&self.authentication, &self.identity);
        let request = authentication.resolve(request)?;
        let token = authentication.token(identity).await?.access_token();
        let answer = authentication.call(request.clone(), &token).await;
        if !is_dead(&answer) || authentication.was_refused_anew(&token) {
            return Ok(answer?);
        }
        authentication.drop_token(identity, &token).await?;
        let token = authentication.token(identity).await?.access_token();
        let answer = authentication.call(request, &token).await;
        if is_dead(&answer) {
            authentication.refused_anew(&token);
        }
        Ok(answer?)
    }
}

fn is_dead<T>(answer: &Result<T, Refusal>) -> bool {
    matches!(answer, Err(Refusal::DeadToken(_)))
}
