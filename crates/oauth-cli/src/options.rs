//! What the token commands share: options, variables and profiles, in this order.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use oauth_core::{ClientAuthMethod, Scopes, store::Subject};
use serde::Deserialize;

use crate::failure::Failure;

/// Where a store is, which may have a password in it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct StoreUrl(String);

impl From<String> for StoreUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreUrl([REDACTED])")
    }
}

impl StoreUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there may be a password in it. PostgreSQL takes one in the query, too.
    pub(crate) fn has_password(&self) -> bool {
        if self.0.starts_with("sqlite:") {
            return false;
        }
        match url::Url::parse(&self.0) {
            Ok(url) => {
                let is_secret = |name: &str| ["password", "sslpassword"].contains(&name);
                url.password().is_some() || url.query_pairs().any(|(name, _)| is_secret(&name))
            }
            // A list of hosts, or characters that should have been escaped.
            Err(_) => self.0.contains('@') || self.0.contains("password="),
        }
    }
}

/// Every field is empty until somebody sets it: so a profile can fill in what is left.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Options {
    /// Which provider; `generic` is any server that keeps to the RFCs, and the default
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) provider: Option<ProviderName>,
    /// The provider somewhere else: an emulator, a proxy, a tenant's own host
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Where the metadata are (RFC 8414, then OpenID Connect)
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The token endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) token_url: Option<String>,
    /// The authorization endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) authorize_url: Option<String>,
    /// The revocation endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) revoke_url: Option<String>,
    /// The introspection endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) introspect_url: Option<String>,
    /// The device authorization endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) device_url: Option<String>,
    /// The userinfo endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) userinfo_url: Option<String>,
    /// How a first token is asked for; `client_credentials` otherwise, `password` with --username
    #[arg(long, value_enum, value_name = "G")]
    pub(crate) grant: Option<GrantName>,
    /// The client's id
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// How the client authenticates; otherwise as the provider says
    #[arg(long, value_enum, value_name = "M")]
    pub(crate) client_auth: Option<ClientAuth>,
    /// A scope to ask for; may come several times
    #[arg(long, value_name = "S")]
    pub(crate) scope: Vec<String>,
    /// Whose token; without it, the client's own
    #[arg(long, value_name = "ID")]
    pub(crate) subject: Option<String>,
    /// The user's name, for `password`
    #[arg(long, value_name = "U")]
    pub(crate) username: Option<String>,
    /// An extra parameter of the token request, K=V; may come several times. With `login` also one
    /// of the authorization request. Nothing secret
    #[arg(long, value_name = "K=V", value_delimiter = '\n')]
    pub(crate) param: Vec<String>,
    /// The `Origin` of every call to Moov, one of the key pair's domains
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,
    /// Where the browser comes back to, on loopback; otherwise a free port of 127.0.0.1
    #[arg(long, value_name = "URL")]
    pub(crate) redirect_uri: Option<String>,
    /// The file with the client's secret, `-` for standard input; also OAUTH_CLIENT_SECRET
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The file with the user's password; also OAUTH_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The file with a refresh token, for `refresh_token`; also OAUTH_REFRESH_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(crate) refresh_token_file: Option<PathBuf>,
    /// The file with a code, for `authorization_code`; also OAUTH_CODE
    #[arg(long, value_name = "FILE")]
    pub(crate) code_file: Option<PathBuf>,
    /// The file with the code's PKCE verifier, if it has one; also OAUTH_CODE_VERIFIER
    #[arg(long, value_name = "FILE")]
    pub(crate) code_verifier_file: Option<PathBuf>,
    /// The file with the assertion, for `jwt_bearer`; also OAUTH_ASSERTION
    #[arg(long, value_name = "FILE")]
    pub(crate) assertion_file: Option<PathBuf>,
    /// The file with the token to exchange, for `token_exchange`; also OAUTH_SUBJECT_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(crate) subject_token_file: Option<PathBuf>,
    /// The file with the token to ask about or to revoke; also OAUTH_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The file with the client's private key, PEM or JWK, for `private-key-jwt`
    #[arg(long, value_name = "FILE")]
    pub(crate) private_key_file: Option<PathBuf>,
    /// Where tokens are kept: sqlite:PATH, postgres://…, redis://…, memory:; the user's data folder
    /// otherwise
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreUrl>,
    /// The keys of the store, `name:base64` one a line; also OAUTH_STORE_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) store_key_file: Option<PathBuf>,
    /// Does not serve from the store
    #[arg(long)]
    pub(crate) fresh: bool,
    /// How the answer is printed; `text` is the token alone
    #[arg(long, value_enum)]
    pub(crate) output: Option<Output>,
    /// Adds the refresh token to the JSON
    #[arg(long)]
    pub(crate) show_refresh_token: bool,
    /// How long the whole command may take: 10s, 500ms, 2m
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<TimeLimit>,
    /// At most so many repeats of a request that may be repeated, 3 otherwise
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u32>,
    /// Which profile holds the rest
    #[arg(long, value_name = "NAME")]
    #[serde(skip)]
    pub(crate) profile: Option<String>,
    /// The file with the profiles; oauth/oauth.toml in the user's configuration folder otherwise
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProviderName {
    Generic,
    Twitch,
    Moov,
    MinistryPlatform,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantName {
    ClientCredentials,
    Password,
    RefreshToken,
    AuthorizationCode,
    #[value(alias = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    #[value(alias = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
    #[value(alias = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientAuth {
    Basic,
    /// Basic, not form-encoded first
    BasicRaw,
    Post,
    None,
    PrivateKeyJwt,
    ClientSecretJwt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Output {
    Text,
    Json,
    /// `Authorization: Bearer …`
    Header,
}

/// A time that is longer than nothing.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TimeLimit(pub(crate) Duration);

impl std::str::FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(time) if time > Duration::ZERO => Ok(Self(time)),
            _ => Err("write a time such as 10s, 500ms or 2m".to_owned()),
        }
    }
}

impl TryFrom<String> for TimeLimit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ClientAuth> for ClientAuthMethod {
    fn from(method: ClientAuth) -> Self {
        match method {
            ClientAuth::Basic => Self::Basic,
            ClientAuth::BasicRaw => Self::BasicRaw,
            ClientAuth::Post => Self::Post,
            ClientAuth::None => Self::None,
            ClientAuth::PrivateKeyJwt => Self::PrivateKeyJwt,
            ClientAuth::ClientSecretJwt => Self::ClientSecretJwt,
        }
    }
}

impl Options {
    /// Takes what the profile says of everything that is not set yet.
    pub(crate) fn apply_profile(&mut self) -> Result<(), Failure> {
        let rest = profile(self.profile.as_deref(), self.config.as_deref())?;
        self.fill(rest);
        Ok(())
    }

    fn fill(&mut self, rest: Self) {
        macro_rules! fill {
            ($($field:ident)*) => {$(
                if self.$field.is_none() {
                    self.$field = rest.$field;
                }
            )*};
        }
        // A secret's variable comes before the profile's file.
        macro_rules! fill_secret {
            ($($field:ident $variable:literal)*) => {$(
                if self.$field.is_none() && std::env::var_os($variable).is_none() {
                    self.$field = rest.$field;
                }
            )*};
        }
        fill!(provider base_url issuer token_url authorize_url revoke_url introspect_url device_url);
        fill!(userinfo_url grant client_id client_auth subject username origin redirect_uri store);
        fill!(private_key_file output timeout retries);
        fill_secret!(client_secret_file "OAUTH_CLIENT_SECRET" password_file "OAUTH_PASSWORD");
        fill_secret!(refresh_token_file "OAUTH_REFRESH_TOKEN" code_file "OAUTH_CODE");
        fill_secret!(code_verifier_file "OAUTH_CODE_VERIFIER" assertion_file "OAUTH_ASSERTION");
        fill_secret!(subject_token_file "OAUTH_SUBJECT_TOKEN" token_file "OAUTH_TOKEN");
        fill_secret!(store_key_file "OAUTH_STORE_KEY");
        if self.scope.is_empty() {
            self.scope = rest.scope;
        }
        if self.param.is_empty() {
            self.param = rest.param;
        }
        self.fresh |= rest.fresh;
        self.show_refresh_token |= rest.show_refresh_token;
    }

    pub(crate) fn subject(&self) -> Subject {
        match &self.subject {
            Some(id) => Subject::user(id.as_str()),
            None => Subject::Client,
        }
    }

    /// Every scope that was named; `None` without any.
    pub(crate) fn scopes(&self) -> Result<Option<Scopes>, Failure> {
        if self.scope.is_empty() {
            return Ok(None);
        }
        Ok(Some(Scopes::parse(&self.scope.join(" "))?))
    }

    pub(crate) fn params(&self) -> Result<Vec<(&str, &str)>, Failure> {
        let split = |pair: &str| pair.find('=').filter(|end| *end > 0);
        let pairs = self.param.iter().map(|pair| {
            let end = split(pair).ok_or_else(|| {
                Failure::usage("an extra parameter is not K=V: write --param name=value")
            })?;
            Ok((&pair[..end], &pair[end + 1..]))
        });
        pairs.collect()
    }

    pub(crate) fn output(&self) -> Output {
        self.output.unwrap_or(Output::Text)
    }
}

fn default_config() -> Result<PathBuf, Failure> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy()
        .map_err(|_| Failure::usage("there is no home folder; name the profiles with --config"))?;
    Ok(folders.config_dir().join("oauth").join("oauth.toml"))
}

/// What the profile of this name holds: nothing where none is named.
pub(crate) fn profile(name: Option<&str>, config: Option<&Path>) -> Result<Options, Failure> {
    let Some(name) = name else {
        return Ok(Options::default());
    };
    let path = match config {
        Some(path) => path.to_owned(),
        None => default_config()?,
    };
    let shown = path.display();
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::usage(format!("the profiles in {shown} cannot be read: {error}"))
    })?;
    // The message alone: the parser's own display quotes the lines.
    let mut file: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Failure::usage(format!("{shown}: {}", error.message()))
    })?;
    let table = file
        .remove(name)
        .ok_or_else(|| Failure::usage(format!("{shown} has no profile [{name}]")))?;
    table.try_into().map_err(|error: toml::de::Error| {
        Failure::usage(format!("{shown}, profile [{name}]: {}", error.message()))
    })
}
