//! Clients that sign who they are, instead of sending a secret (RFC 7521 §4.2, RFC 7523 §2.2).

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value};

use crate::{
    AuthorizationServer, Client, ClientAuthenticationMethod, Jwks, OAuthError, Source, TokenHash,
    client::MAX_CLIENT_ID, issue::later, jose::Jws, parameters::Parameters, throttle::Attempt,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How much the client's clock may be ahead, in seconds.
const LEEWAY: f64 = 10.0;

/// How long an assertion may be good: each has to be remembered for so long.
const MAX_LIFE: Duration = Duration::from_secs(600);

impl AuthorizationServer {
    pub(crate) async fn authenticate_by_assertion(
        &self,
        request: &Request<Bytes>,
        parameters: &Parameters<'_>,
    ) -> Result<Client, OAuthError> {
        let assertion = parameters.get("client_assertion");
        let kind = parameters.get("client_assertion_type");
        let (Some(assertion), Some(TYPE)) = (assertion, kind) else {
            let description = "client_assertion or its type is missing, or the type is not known";
            return Err(OAuthError::invalid_request(description));
        };
        let refused = || OAuthError::invalid_client(true);
        let jws = Jws::read(assertion).ok_or_else(refused)?;
        let id = jws.alleged("sub").ok_or_else(refused)?;
        let other_id = parameters.get("client_id").is_some_and(|asked| asked != id);
        if other_id || id.len() > MAX_CLIENT_ID {
            return Err(refused());
        }
        let attempt = Attempt::new("client", &id, Source::of(request));
        self.check_throttle(&attempt)?;
        let client = self.client(&id).await?;
        let keys = match &client {
            Some(client) => self.keys_for(client, &jws).await,
            None => None,
        };
        let claims = client.as_ref();
        let claims = claims.and_then(|client| verified(client, keys.as_ref(), &jws));
        let jti = claims.and_then(|claims| self.acceptable(&claims, &id));
        let (Some(client), Some(jti)) = (client, jti) else {
            self.attempt_failed(&attempt);
            return Err(refused());
        };
        let now = self.now();
        let jti = TokenHash::of(&format!("client assertion\0{id}\0{jti}"));
        let until = later(now, MAX_LIFE)?;
        match self.jwt_ids().consume(&id, &jti, until, now).await? {
            true => {
                self.attempt_succeeded(&attempt);
                Ok(client)
            }
            false => Err(refused()),
        }
    }

    async fn keys_for(&self, client: &Client, jws: &Jws<'_>) -> Option<Jwks> {
        let signed = jws.header_text("alg").is_some_and(|alg| alg != "HS256");
        match signed && client.allows_method(ClientAuthenticationMethod::PrivateKeyJwt) {
            true => self.keys_of(client, jws.header_text("kid")).await,
            false => None,
        }
    }

    /// RFC 7523 §3. The `jti`, if everything else is right.
    fn acceptable(&self, claims: &Map<String, Value>, id: &str) -> Option<String> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let now = self.now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        let time = |name: &str| {
            claims
                .get(name)
                .map(|time| time.as_f64().unwrap_or(f64::NAN))
        };
        let begun = |name: &str| time(name).is_none_or(|time| time <= now + LEEWAY);

        let own = text("iss") == Some(id) && text("sub") == Some(id);
        // Whatever else is in a list might be somebody who would use the assertion here.
        let audience = text("aud")?;
        let meant = audience == self.issuer()
            || (self.token_endpoint_audience() && audience == self.endpoint("/token"));
        let exp = time("exp")?;
        let lives = now < exp && exp <= now + MAX_LIFE.as_secs_f64();
        let jti = text("jti").filter(|jti| !jti.is_empty())?;
        (own && meant && lives && begun("nbf") && begun("iat")).then(|| jti.to_owned())
    }
}

/// The claims, if a key or the secret of this client signed them with an algorithm it may use.
fn verified(client: &Client, keys: Option<&Jwks>, jws: &Jws<'_>) -> Option<Map<String, Value>> {
    if jws.header_text("alg")? == "HS256" {
        let allowed = client.allows_method(ClientAuthenticationMethod::ClientSecretJwt);
        let secret = client.assertion_secret().filter(|_| allowed)?;
        return jws.verified_with_secret(secret);
    }
    keys?
        .candidates(jws.header_text("kid"))
        .filter(|key| client.allows_assertion_algorithm(key.algorithm))
        .find_map(|key| jws.verified(key))
}
