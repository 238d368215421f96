//! The userinfo endpoint (OpenID Connect Core §5.3).

use bytes::Bytes;
use http::{Method, Request};

use crate::{
    AuthorizationServer, ErrorCode, OAuthError, ProtectedResource, Scope, UserinfoResponse,
    signed::OPENID,
};

/// OpenID Connect Core §5.4: which scope opens which claims.
const CLAIMS: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

impl AuthorizationServer {
    /// Tells a client about the person behind its access token: the subject, and what
    /// [`ResourceOwners::claims`](crate::ResourceOwners::claims) says, as far as the scope goes.
    ///
    /// # Errors
    ///
    /// Those of [`authorize_access`](Self::authorize_access) with the scope `openid`.
    pub async fn userinfo(&self, request: &Request<Bytes>) -> Result<UserinfoResponse, OAuthError> {
        if !matches!(*request.method(), Method::GET | Method::POST) {
            return Err(OAuthError::method_not_allowed("GET, POST"));
        }
        let openid = Scope::parse(OPENID).unwrap_or_default();
        let resource = ProtectedResource::new(self.endpoint("/userinfo")).scope(openid);
        let record = self.authorize_access(request, &resource).await?;
        self.guarded(async {
            let nobody = || OAuthError::new(ErrorCode::InvalidToken, "nobody is behind the token");
            let subject = record.subject().ok_or_else(nobody)?;
            if !self.resource_owner_is_active(subject).await? {
                return Err(nobody());
            }
            let mut claims = self
                .resource_owners()
                .claims(subject, record.scope())
                .await?;
            claims.retain(|claim, _| is_open(claim, record.scope()));
            claims.insert("sub".to_owned(), subject.into());
            Ok(UserinfoResponse { claims })
        })
        .await
    }
}

/// A claim that is not in the table is the application's own.
fn is_open(claim: &str, scope: &Scope) -> bool {
    let guard = CLAIMS.iter().find(|(_, claims)| claims.contains(&claim));
    guard.is_none_or(|(needed, _)| scope.contains(needed))
}
