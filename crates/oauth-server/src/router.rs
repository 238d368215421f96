//! All endpoints under their usual paths.

use axum::Router;
use url::Url;

use crate::{Application, AuthorizationServer, GrantType};

impl AuthorizationServer {
    /// An axum router with `/token`, `/introspect`, `/revoke`, `/par`, `/device_authorization` (all
    /// behind the path of the issuer) and the metadata at
    /// `/.well-known/oauth-authorization-server` (in front of it, RFC 8414 §3.1), rendered by
    /// `application`. It belongs at the root of the host. With
    /// [`signing_keys`](crate::AuthorizationServerBuilder::signing_keys) come `/jwks`,
    /// `/userinfo` and `/.well-known/openid-configuration` (behind the path, OpenID Connect
    /// Discovery §4).
    ///
    /// A server with `pages` has those in it, too.
    ///
    /// Served with `into_make_service_with_connect_info::<SocketAddr>()`, failed authentications
    /// are counted by peer address; see [`Source`](crate::Source).
    pub fn into_router<A: Application + Clone>(self, application: A) -> Router {
        let path = Url::parse(self.issuer()).map(|url| url.path().trim_end_matches('/').to_owned());
        let path = path.unwrap_or_default();
        let metadata = format!("/.well-known/oauth-authorization-server{path}");
        let mut router = Router::new()
            .route_service(&metadata, self.metadata_service())
            .route_service(
                &format!("{path}/token"),
                self.token_service(application.clone()),
            )
            .route_service(
                &format!("{path}/revoke"),
                self.revoke_service(application.clone()),
            )
            .route_service(
                &format!("{path}/introspect"),
                self.introspect_service(application.clone()),
            );
        if self.has_openid() {
            let userinfo = self.userinfo_service(application.clone());
            router = router
                .route_service(&format!("{path}/jwks"), self.jwks_service())
                .route_service(&format!("{path}/userinfo"), userinfo)
                .route_service(
                    &format!("{path}/.well-known/openid-configuration"),
                    self.metadata_service(),
                );
        }
        if self.supports(GrantType::AuthorizationCode) {
            let pushed = self.pushed_service(application.clone());
            router = router.route_service(&format!("{path}/par"), pushed);
        }
        if self.supports(GrantType::DeviceCode) {
            let device = self.device_service(application);
            router = router.route_service(&format!("{path}/device_authorization"), device);
        }
        #[cfg(feature = "pages")]
        if let Some(pages) = self.pages_service() {
            for route in crate::pages::ROUTES {
                router = router.route_service(&format!("{path}{route}"), pages.clone());
            }
        }
        router
    }
}
