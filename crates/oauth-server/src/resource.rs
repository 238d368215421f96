//! Resource indicators (RFC 8707).

use crate::{AuthorizationServer, ErrorCode, OAuthError, parameters::Parameters};

impl AuthorizationServer {
    /// The one resource that the tokens are to be limited to. A grant that is limited already can
    /// only be used for that resource.
    pub(crate) fn requested_audience(
        &self,
        parameters: &Parameters,
        granted: Option<String>,
    ) -> Result<Option<String>, OAuthError> {
        let mut asked = parameters.all("resource");
        let (first, second) = (asked.next(), asked.next());
        match (first, second, &granted) {
            (None, ..) => Ok(granted),
            (Some(asked), None, Some(granted)) if asked == granted => Ok(Some(asked.to_owned())),
            (Some(asked), None, None) if self.has_resource(asked) => Ok(Some(asked.to_owned())),
            _ => Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "resource is not one known resource of this grant",
            )),
        }
    }
}
