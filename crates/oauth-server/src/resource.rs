//! Resource indicators (RFC 8707).

use std::collections::BTreeSet;

use url::Url;

use crate::{AuthorizationServer, Client, ErrorCode, OAuthError, parameters::Parameters};

impl AuthorizationServer {
    /// The resources that a grant is to be limited to: any number that the client may use.
    pub(crate) fn requested_resources(
        &self,
        client: &Client,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<String>, OAuthError> {
        let asked: BTreeSet<_> = parameters.all("resource").collect();
        match asked.iter().all(|asked| self.may_use(client, asked)) {
            true => Ok(asked.into_iter().map(str::to_owned).collect()),
            false => Err(invalid_target()),
        }
    }

    /// The resources of one access token: the one that is asked for, or all that were granted. A
    /// grant that is limited can only be used for what it is limited to (RFC 8707 §2.2).
    pub(crate) fn requested_audience(
        &self,
        client: &Client,
        parameters: &Parameters<'_>,
        granted: &[String],
    ) -> Result<Vec<String>, OAuthError> {
        let mut asked = parameters.all("resource");
        match (asked.next(), asked.next()) {
            (None, _) => Ok(granted.to_vec()),
            (Some(asked), None)
                if self.may_use(client, asked)
                    && (granted.is_empty() || granted.iter().any(|it| it == asked)) =>
            {
                Ok(vec![asked.to_owned()])
            }
            _ => Err(invalid_target()),
        }
    }

    fn may_use(&self, client: &Client, resource: &str) -> bool {
        self.has_resource(resource) && client.allows_resource(resource)
    }
}

/// An absolute URI without fragment (RFC 8707 §2).
pub(crate) fn is_resource(resource: &str) -> bool {
    Url::parse(resource).is_ok_and(|url| url.fragment().is_none())
}

fn invalid_target() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidTarget,
        "resource is not one known resource of this client and grant",
    )
}
