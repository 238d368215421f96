//! node-oidc-provider, a certified server, met by the generic client of oauth-core.

mod faults;

use std::{fmt::Display, sync::Arc};

use oauth_conformance::{Seed, WatchedTransport};
use oauth_core::{
    AccessToken, Client, ClientAuthMethod, DeviceAuthorization, Error, ErrorCode, GenericProvider,
    RefreshToken, Scopes, ServerMetadata, Token, TokenSet, grant, secrecy::SecretString,
};
use test_servers::foreign::NodeOidcProvider;
use url::Url;

use super::{Checks, browser::Browser};

/// As in `tests/foreign/node-oidc-provider/server.mjs`.
const SERVICE_SECRET: &str = "the secret of the service";
const SITE_SECRET: &str = "the secret of the site";
const CALLBACK: &str = "https://app.example/callback";
/// Any name and any password will do.
const PERSON: [(&str, &str); 2] = [("login", "ada"), ("password", "her pass phrase")];

pub(super) async fn check(checks: &mut Checks, seed: Seed) -> Result<(), String> {
    let server = tokio::task::block_in_place(NodeOidcProvider::start)?;
    for secret in [SERVICE_SECRET, SITE_SECRET, PERSON[1].1] {
        checks.secrets().add(secret);
    }
    let transport = checks.transport()?;
    let provider = match discovery(server.issuer(), transport.clone()).await {
        Ok(provider) => provider,
        Err(why) => {
            // Without its endpoints there is nobody to ask.
            checks.add("discovery", Err(why));
            return Ok(());
        }
    };
    checks.add("discovery", Ok(true));
    let peer = Peer {
        provider,
        transport,
    };
    let basic = ClientAuthMethod::Basic;
    let post = ClientAuthMethod::Post;
    checks.add(
        "client_credentials, basic",
        peer.service("basic", basic).await,
    );
    checks.add("client_credentials, post", peer.service("post", post).await);
    checks.add("a wrong secret is refused", peer.wrong_secret().await);
    checks.add("introspection", peer.introspection().await);
    checks.add("revocation", peer.revocation().await);
    let code = peer.code().await;
    checks.add(
        "code with PKCE",
        code.as_ref().map(|_| true).map_err(Clone::clone),
    );
    checks.add(
        "a wrong code verifier is refused",
        peer.wrong_verifier().await,
    );
    checks.add(
        "refresh with rotation",
        match &code {
            Ok(token) => peer.refresh(token).await,
            Err(_) => Err("there is no refresh token without a code".to_owned()),
        },
    );
    checks.add("device", peer.device().await);
    faults::check(checks, &peer, server.issuer(), seed).await;
    Ok(())
}

async fn discovery(
    issuer: &str,
    transport: WatchedTransport,
) -> Result<Arc<GenericProvider>, String> {
    let metadata = ServerMetadata::discover(issuer, Arc::new(transport))
        .await
        .map_err(text)?;
    let provider = GenericProvider::from_metadata(&metadata).map_err(text)?;
    let endpoints = metadata.endpoints().map_err(text)?;
    let all = [
        endpoints.authorization(),
        endpoints.device_authorization(),
        endpoints.introspection(),
        endpoints.revocation(),
    ];
    ensure(
        all.iter().all(Option::is_some),
        "an endpoint is not in the metadata",
    )?;
    ensure(metadata.issuer() == issuer, "the issuer is another")?;
    Ok(Arc::new(provider))
}

struct Peer {
    provider: Arc<GenericProvider>,
    transport: WatchedTransport,
}

impl Peer {
    fn client(&self, id: &str, secret: &str, method: ClientAuthMethod) -> Result<Client, String> {
        let builder = Client::builder_for(self.provider.clone(), id)
            .client_authentication(method)
            .transport(self.transport.clone());
        let builder = match method {
            ClientAuthMethod::None => builder,
            _ => builder.client_secret(secret),
        };
        builder.build().map_err(text)
    }

    fn basic(&self) -> Result<Client, String> {
        self.client("basic", SERVICE_SECRET, ClientAuthMethod::Basic)
    }

    fn site(&self) -> Result<Client, String> {
        self.client("web", SITE_SECRET, ClientAuthMethod::Basic)
    }

    async fn service(&self, id: &str, method: ClientAuthMethod) -> Result<bool, String> {
        let client = self.client(id, SERVICE_SECRET, method)?;
        let grant = grant::ClientCredentials::new().with_scopes(scopes("read")?);
        let token = client.exchange(&grant).await.map_err(text)?;
        ensure(*token.scopes() == scopes("read")?, "the scopes are others")?;
        ensure(token.expires_at().is_some(), "the token has no end")?;
        ensure(
            token.refresh_token().is_none(),
            "there is a refresh token (RFC 6749 section 4.4.3)",
        )
    }

    async fn wrong_secret(&self) -> Result<bool, String> {
        let client = self.client("basic", "another secret", ClientAuthMethod::Basic)?;
        let refused = client.exchange(&grant::ClientCredentials::new()).await;
        is(refused, &ErrorCode::InvalidClient)
    }

    async fn introspection(&self) -> Result<bool, String> {
        let client = self.basic()?;
        let grant = grant::ClientCredentials::new().with_scopes(scopes("read")?);
        let token = client.exchange(&grant).await.map_err(text)?;
        let seen = client.introspect(&secret(token.access_token()), None).await;
        let seen = seen.map_err(text)?;
        ensure(seen.is_active(), "a fresh token is not active")?;
        ensure(seen.client_id() == Some("basic"), "the client is another")?;
        ensure(
            seen.scopes() == Some(scopes("read")?),
            "the scopes are others",
        )?;
        ensure(seen.expires_at().is_some(), "the token has no end")?;
        let nobodys = "no token of this server".to_owned().into();
        let seen = client.introspect(&nobodys, None).await.map_err(text)?;
        ensure(!seen.is_active(), "a token that never was is active")
    }

    async fn revocation(&self) -> Result<bool, String> {
        let client = self.basic()?;
        let token = client.exchange(&grant::ClientCredentials::new()).await;
        let token = token.map_err(text)?;
        self.active(&client, token.access_token(), true).await?;
        client.revoke(token.access_token()).await.map_err(text)?;
        self.active(&client, token.access_token(), false).await?;
        // What is revoked already is as good as revoked (RFC 7009 section 2.2).
        client.revoke(token.access_token()).await.map_err(text)?;
        Ok(true)
    }

    async fn active(
        &self,
        client: &Client,
        token: &AccessToken,
        active: bool,
    ) -> Result<bool, String> {
        let seen = client
            .introspect(&secret(token), None)
            .await
            .map_err(text)?;
        let word = if active { "not " } else { "still " };
        ensure(
            seen.is_active() == active,
            &format!("the token is {word}active"),
        )
    }

    /// A code, through the server's own pages.
    async fn authorized(&self) -> Result<(Client, grant::AuthorizationCode), String> {
        let client = self.site()?;
        let request = client.authorization_request(CALLBACK);
        // OpenID Connect Core section 11 wants the prompt for a refresh token.
        let request = request
            .scopes(scopes("openid offline_access")?)
            .param("prompt", "consent");
        let (url, mut pending) = request.build().map_err(text)?;
        let mut browser = Browser::new(self.transport.clone());
        let login = browser.open(url).await?.page()?;
        let consent = browser.submit(&login, &PERSON).await?.page()?;
        let callback = browser.submit(&consent, &[]).await?.callback()?;
        let code = pending.accept(&callback).map_err(text)?;
        Ok((client, code))
    }

    async fn code(&self) -> Result<TokenSet, String> {
        let (client, code) = self.authorized().await?;
        let token = client.exchange(&code).await.map_err(text)?;
        self.active(&client, token.access_token(), true).await?;
        ensure(token.refresh_token().is_some(), "there is no refresh token")?;
        ensure(token.id_token().is_some(), "there is no id token")?;
        Ok(token)
    }

    async fn wrong_verifier(&self) -> Result<bool, String> {
        let (client, code) = self.authorized().await?;
        let another = "another-verifier-of-the-forty-three-characters".to_owned();
        let refused = client.exchange(&code.with_code_verifier(another)).await;
        is(refused, &ErrorCode::InvalidGrant)
    }

    async fn refresh(&self, first: &TokenSet) -> Result<bool, String> {
        let client = self.site()?;
        let refresh = |token: &TokenSet| grant::RefreshToken::of(token).map_err(text);
        let second = client.exchange(&refresh(first)?).await.map_err(text)?;
        let rotated = second.refresh_token().map(RefreshToken::expose_secret)
            != first.refresh_token().map(RefreshToken::expose_secret);
        ensure(
            rotated && second.refresh_token().is_some(),
            "the refresh token is the same",
        )?;
        self.active(&client, second.access_token(), true).await?;
        // The old one is of no use, and its use ends what came of it (RFC 9700 section 4.14.2).
        let reused = client.exchange(&refresh(first)?).await;
        is(reused, &ErrorCode::InvalidGrant)?;
        let ended = client.exchange(&refresh(&second)?).await;
        is(ended, &ErrorCode::InvalidGrant)?;
        self.active(&client, second.access_token(), false).await
    }

    async fn device(&self) -> Result<bool, String> {
        let (client, device) = self.asked_by_a_device().await?;
        let poll = grant::DeviceCode::new(device.device_code().clone());
        is(
            client.exchange(&poll).await,
            &ErrorCode::AuthorizationPending,
        )?;
        self.connect(&device).await?;
        let token = client.poll_device(&device).await.map_err(text)?;
        let asker = self.basic()?;
        self.active(&asker, token.access_token(), true).await
    }

    async fn asked_by_a_device(&self) -> Result<(Client, DeviceAuthorization), String> {
        let client = self.client("television", "", ClientAuthMethod::None)?;
        let wanted = scopes("openid")?;
        let device = client.device_authorization(Some(&wanted)).await;
        Ok((client, device.map_err(text)?))
    }

    /// The user connects it, on the server's own pages.
    async fn connect(&self, device: &DeviceAuthorization) -> Result<bool, String> {
        let mut browser = Browser::new(self.transport.clone());
        let url = Url::parse(device.verification_uri()).map_err(text)?;
        let page = browser.open(url).await?.page()?;
        let code = [("user_code", device.user_code())];
        let mut page = browser.submit(&page, &code).await?.page()?;
        for fields in [&[][..], &PERSON, &[]] {
            page = browser.submit(&page, fields).await?.page()?;
        }
        ensure(page.says("Sign-in Success"), "the device is not connected")
    }
}

/// Whether the server refused with this.
fn is(answer: Result<TokenSet, Error>, code: &ErrorCode) -> Result<bool, String> {
    match answer {
        Err(error) if error.code() == Some(code) => Ok(true),
        Err(error) => Err(format!("expected {code}, got {error}")),
        Ok(_) => Err(format!("expected {code}, got a token")),
    }
}

fn ensure(fact: bool, otherwise: &str) -> Result<bool, String> {
    fact.then_some(true).ok_or_else(|| otherwise.to_owned())
}

fn scopes(list: &str) -> Result<Scopes, String> {
    Scopes::parse(list).map_err(text)
}

fn secret(token: &AccessToken) -> SecretString {
    token.expose_secret().to_owned().into()
}

fn text(error: impl Display) -> String {
    error.to_string()
}
