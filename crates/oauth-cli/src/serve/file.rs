//! A server's set-up in TOML. Secrets are in files of their own, named relative to it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use oauth_core::secrecy::{ExposeSecret, SecretString};
use oauth_server::{
    AuthorizationServer, Client, GrantType, OsRandom, SecretCost, SigningAlgorithm, SigningKey,
    SigningKeys,
    memory::{MemoryClients, MemoryResourceOwners},
};
use serde::Deserialize;

use super::{builder, set_up};
use crate::{failure::Failure, options::TimeLimit, secrets::Input};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// What relative paths start from.
    #[serde(skip)]
    folder: PathBuf,
    pub(super) listen: Option<SocketAddr>,
    issuer: Option<String>,
    grants: Option<Vec<GrantType>>,
    access_token_lifetime: Option<TimeLimit>,
    refresh_token_lifetime: Option<TimeLimit>,
    #[serde(default)]
    jwt_access_tokens: bool,
    /// PEM; without it a new key is made at every start.
    signing_key_file: Option<PathBuf>,
    #[serde(default)]
    clients: Vec<ClientEntry>,
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ClientEntry {
    id: String,
    #[serde(default)]
    public: bool,
    secret_file: Option<PathBuf>,
    secret_hash: Option<String>,
    #[serde(default)]
    grants: Vec<GrantType>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    default_scopes: Vec<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    native: bool,
    #[serde(default)]
    introspect_any: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct User {
    username: String,
    subject: String,
    password_file: PathBuf,
}

pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}")))?;
    // The message alone: the parser's own display quotes the lines.
    let mut file: File = toml::from_str(&text)
        .map_err(|error| Failure::usage(format!("{shown}: {}", error.message())))?;
    file.folder = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(file)
}

impl File {
    pub(super) fn server(&self, base_url: &str) -> Result<AuthorizationServer, Failure> {
        let clients = self.clients.iter().map(|client| self.client(client));
        let clients = clients.collect::<Result<Vec<_>, _>>()?;
        let mut server = builder(self.issuer.as_deref().unwrap_or(base_url))
            .clients(Arc::new(MemoryClients::from_iter(clients)))
            .resource_owners(Arc::new(self.people()?))
            .signing_keys(self.keys()?)
            .jwt_access_tokens(self.jwt_access_tokens);
        if let Some(grants) = &self.grants {
            server = server.grant_types(grants.iter().copied());
        }
        if let Some(TimeLimit(lifetime)) = self.access_token_lifetime {
            server = server.access_token_lifetime(whole_seconds(lifetime));
        }
        if let Some(TimeLimit(lifetime)) = self.refresh_token_lifetime {
            server = server.refresh_token_lifetime(whole_seconds(lifetime));
        }
        server.build().map_err(set_up)
    }

    fn client(&self, entry: &ClientEntry) -> Result<Client, Failure> {
        let named = |failure: Failure| {
            Failure::usage(format!("client {:?}: {}", entry.id, failure.to_text()))
        };
        let mut client = Client::builder(&entry.id)
            .grants(entry.grants.iter().copied())
            .scopes(&entry.scopes)
            .default_scopes(&entry.default_scopes)
            .introspect_any(entry.introspect_any);
        if entry.public {
            client = client.public();
        }
        if entry.native {
            client = client.native();
        }
        for uri in &entry.redirect_uris {
            client = client.redirect_uri(uri);
        }
        if let Some(path) = &entry.secret_file {
            client = client.secret(self.secret(path).map_err(named)?.expose_secret());
        }
        if let Some(hash) = &entry.secret_hash {
            let hash = hash.parse().map_err(|error| named(set_up(error)))?;
            client = client.secret_hash(hash, None);
        }
        client.build().map_err(|error| named(set_up(error)))
    }

    fn people(&self) -> Result<MemoryResourceOwners, Failure> {
        let people = MemoryResourceOwners::new(SecretCost::default()).map_err(set_up)?;
        for user in &self.users {
            let password = self.secret(&user.password_file)?;
            people
                .insert(&user.username, &user.subject, password.expose_secret())
                .map_err(set_up)?;
        }
        Ok(people)
    }

    fn keys(&self) -> Result<SigningKeys, Failure> {
        let key = match &self.signing_key_file {
            Some(path) => SigningKey::from_pem(self.secret(path)?.expose_secret()),
            None => SigningKey::generate(SigningAlgorithm::Es256, &OsRandom),
        };
        key.and_then(|key| SigningKeys::new([key])).map_err(set_up)
    }

    fn secret(&self, path: &Path) -> Result<SecretString, Failure> {
        let path = self.folder.join(path);
        let secret = Input::default().secret(Some(&path), "the server")?;
        secret.ok_or_else(|| Failure::usage("a secret is missing"))
    }
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}
