//! Where a first token comes from: the grant that the options name.

use async_trait::async_trait;
use oauth_core::{
    Client, Error, RefreshToken, TokenSet, grant,
    manager::{TokenSource, exchange},
    secrecy::{ExposeSecret, SecretString},
    store::{Subject, TokenRequest},
};

use crate::{
    device,
    options::{GrantName, Options},
    secrets::Secrets,
};

#[derive(Debug, Clone)]
pub(crate) struct Source {
    grant: Option<GrantName>,
    username: Option<String>,
    redirect_uri: Option<String>,
    secrets: Secrets,
}

impl Source {
    pub(crate) fn new(options: &Options, secrets: &Secrets) -> Self {
        let password = options.username.as_ref().map(|_| GrantName::Password);
        Self {
            grant: options.grant.or(password),
            username: options.username.clone(),
            redirect_uri: options.redirect_uri.clone(),
            secrets: secrets.clone(),
        }
    }

    /// Whether all is there that the grant needs.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.grant {
            None | Some(GrantName::ClientCredentials | GrantName::DeviceCode) => Ok(()),
            Some(GrantName::Password) => self.password().map(drop),
            Some(GrantName::RefreshToken) => self.refresh_token().map(drop),
            Some(GrantName::AuthorizationCode) => self.code().map(drop),
            Some(GrantName::JwtBearer) => self.assertion().map(drop),
            Some(GrantName::TokenExchange) => self.subject_token().map(drop),
        }
    }

    fn password(&self) -> Result<grant::Password, Error> {
        let username = self.username.as_deref().ok_or_else(|| {
            Error::usage("the password grant needs the user's name: give --username")
        })?;
        Ok(grant::Password::new(
            username,
            given(&self.secrets.password, "OAUTH_PASSWORD", "--password-file")?,
        ))
    }

    fn code(&self) -> Result<grant::AuthorizationCode, Error> {
        let code = given(&self.secrets.code, "OAUTH_CODE", "--code-file")?;
        let mut grant = grant::AuthorizationCode::new(code);
        if let Some(uri) = &self.redirect_uri {
            grant = grant.with_redirect_uri(uri);
        }
        if let Some(verifier) = &self.secrets.code_verifier {
            grant = grant.with_code_verifier(verifier.clone());
        }
        Ok(grant)
    }

    fn refresh_token(&self) -> Result<grant::RefreshToken, Error> {
        let token = given(
            &self.secrets.refresh_token,
            "OAUTH_REFRESH_TOKEN",
            "--refresh-token-file",
        )?;
        Ok(grant::RefreshToken::new(RefreshToken::new(
            token.expose_secret(),
        )?))
    }

    fn assertion(&self) -> Result<grant::JwtBearer, Error> {
        let assertion = given(
            &self.secrets.assertion,
            "OAUTH_ASSERTION",
            "--assertion-file",
        )?;
        Ok(grant::JwtBearer::new(assertion))
    }

    fn subject_token(&self) -> Result<grant::TokenExchange, Error> {
        let token = given(
            &self.secrets.subject_token,
            "OAUTH_SUBJECT_TOKEN",
            "--subject-token-file",
        )?;
        let kind = grant::TokenExchange::ACCESS_TOKEN;
        Ok(grant::TokenExchange::new(token, kind))
    }
}

#[async_trait]
impl TokenSource for Source {
    async fn token(
        &self,
        client: &Client,
        subject: &Subject,
        request: &TokenRequest,
    ) -> Result<Option<TokenSet>, Error> {
        let scopes = request.requested_scopes().cloned();
        macro_rules! with_scopes {
            ($grant:expr, $with:ident) => {{
                let grant = $grant;
                match scopes {
                    Some(scopes) => exchange(client, &grant.$with(scopes), request).await,
                    None => exchange(client, &grant, request).await,
                }
            }};
        }
        let token = match self.grant {
            // A user's token is not the client's to ask for.
            None if *subject != Subject::Client || client.is_public() => return Ok(None),
            None | Some(GrantName::ClientCredentials) => {
                with_scopes!(grant::ClientCredentials::new(), with_scopes)
            }
            Some(GrantName::Password) => with_scopes!(self.password()?, with_scopes),
            Some(GrantName::RefreshToken) => with_scopes!(self.refresh_token()?, with_scopes),
            Some(GrantName::AuthorizationCode) => with_scopes!(self.code()?, with_requested_scopes),
            Some(GrantName::DeviceCode) => device::log_in(client, scopes.as_ref()).await,
            Some(GrantName::JwtBearer) => with_scopes!(self.assertion()?, with_scopes),
            Some(GrantName::TokenExchange) => with_scopes!(self.subject_token()?, with_scopes),
        };
        token.map(Some)
    }
}

fn given(
    secret: &Option<SecretString>,
    variable: &str,
    option: &str,
) -> Result<SecretString, Error> {
    secret.clone().ok_or_else(|| {
        Error::usage(format!(
            "this grant needs a secret: set {variable} or give {option}"
        ))
    })
}
