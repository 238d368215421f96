//! `oauth tokens`: the store itself. No server is asked.

use std::time::SystemTime;

use oauth_core::{
    Token,
    store::{Issued, Owner, TokenStore},
};
use serde_json::{Value, json};

use crate::{
    arguments::{Selection, StoreOptions, TokensCommand},
    failure::Failure,
    inspect::plain,
    options::{self, Options, Output},
    output::{print_json, time, type_name},
    session::Running,
    storage,
    terminal::{print, say},
};

/// How many owners are read at a time.
const BATCH: usize = 100;
const MASK: &str = "***";

pub(crate) async fn run(command: TokensCommand, running: &Running) -> Result<(), Failure> {
    match command {
        TokensCommand::List(selection) => list(&selection, running).await,
        TokensCommand::Show {
            selection,
            show_secrets,
        } => show(&selection, show_secrets, running).await,
        TokensCommand::Delete(selection) => delete(&selection, running).await,
        TokensCommand::Clear(options) => clear(&options, running).await,
        TokensCommand::RotateKey(options) => rotate_key(&options, running).await,
    }
}

async fn list(selection: &Selection, running: &Running) -> Result<(), Failure> {
    let found = find(selection, running).await?;
    if selection.store.is_json() {
        let all = found
            .iter()
            .map(|(owner, issued)| described(owner, issued, false));
        return print_json(&all.collect::<Vec<_>>());
    }
    let now = SystemTime::now();
    for (owner, issued) in &found {
        let token = &issued.token;
        let end = match token.expires_at() {
            Some(end) if end <= now => "ended".to_owned(),
            Some(end) => time(end).unwrap_or_else(|| "no end".to_owned()),
            None => "no end".to_owned(),
        };
        let subject = owner.subject().user_id().unwrap_or("(client)");
        let line = format!(
            "{}\t{}\t{subject}\t{}\t{end}\t{}",
            owner.issuer(),
            owner.client_id(),
            token.scopes(),
            if token.refresh_token().is_some() {
                "refreshable"
            } else {
                ""
            }
        );
        print(plain_cells(&line).trim_end())?;
    }
    Ok(())
}

async fn show(selection: &Selection, show_secrets: bool, running: &Running) -> Result<(), Failure> {
    let found = find(selection, running).await?;
    if found.is_empty() {
        return Err(Failure::usage(
            "the store has no such token; see `oauth tokens list`",
        ));
    }
    let all = found
        .iter()
        .map(|(owner, issued)| described(owner, issued, show_secrets));
    if selection.store.is_json() {
        return print_json(&all.collect::<Vec<_>>());
    }
    for (index, token) in all.enumerate() {
        if index > 0 {
            print("")?;
        }
        for (name, value) in token.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), plain);
            print(&format!("{name}: {text}"))?;
        }
    }
    Ok(())
}

async fn delete(selection: &Selection, running: &Running) -> Result<(), Failure> {
    if selection.is_everything() {
        return Err(Failure::usage(
            "say whose tokens: --issuer, --client-id or --subject; `oauth tokens clear` deletes all",
        ));
    }
    let store = selection.store.open(running).await?;
    let mut deleted = 0;
    for owner in owners(&*store).await? {
        if selection.takes(&owner) {
            deleted += u64::from(store.remove(&owner).await?);
        }
    }
    told(&selection.store, "deleted", deleted)
}

async fn clear(options: &StoreOptions, running: &Running) -> Result<(), Failure> {
    let deleted = options.open(running).await?.clear().await?;
    told(options, "deleted", deleted)
}

async fn rotate_key(options: &StoreOptions, running: &Running) -> Result<(), Failure> {
    let rotated = storage::rotate_key(
        options.store.as_ref(),
        options.store_key_file.as_deref(),
        running,
    )
    .await?;
    if !rotated.unreadable.is_empty() {
        return Err(Failure::store(format!(
            "{} owners' tokens open with no key and were left as they are; the old keys are kept",
            rotated.unreadable.len()
        )));
    }
    if rotated.damaged > 0 {
        return Err(Failure::store(format!(
            "{} rows name no owner that can be read, and are sealed as they were: remove them",
            rotated.damaged
        )));
    }
    told(options, "sealed", rotated.sealed)
}

/// Says how many.
fn told(options: &StoreOptions, what: &str, how_many: u64) -> Result<(), Failure> {
    if options.is_json() {
        return print_json(&json!({ what: how_many }));
    }
    say(&format!("{what} {how_many}"));
    Ok(())
}

async fn find(selection: &Selection, running: &Running) -> Result<Vec<(Owner, Issued)>, Failure> {
    let store = selection.store.open(running).await?;
    let mut found = Vec::new();
    for owner in owners(&*store).await? {
        if !selection.takes(&owner) {
            continue;
        }
        if let Some(stored) = store.load(&owner).await? {
            let tokens = stored.record.tokens().iter().cloned();
            found.extend(tokens.map(|issued| (owner.clone(), issued)));
        }
    }
    Ok(found)
}

async fn owners(store: &dyn TokenStore) -> Result<Vec<Owner>, Failure> {
    let mut all: Vec<Owner> = Vec::new();
    loop {
        let next = store.owners(all.last(), BATCH).await?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}

fn described(owner: &Owner, issued: &Issued, show_secrets: bool) -> Value {
    let token = &issued.token;
    let shown = |secret: &str| {
        if show_secrets {
            secret.to_owned()
        } else {
            MASK.to_owned()
        }
    };
    json!({
        "issuer": owner.issuer(),
        "client_id": owner.client_id(),
        "subject": owner.subject().user_id(),
        "access_token": shown(token.access_token().expose_secret()),
        "refresh_token": token.refresh_token().map(|refresh| shown(refresh.expose_secret())),
        "token_type": type_name(token.token_type()),
        "scopes": token.scopes().iter().collect::<Vec<_>>(),
        "issued_at": time(token.issued_at()),
        "expires_at": token.expires_at().and_then(time),
        "refresh_expires_at": token.refresh_expires_at().and_then(time),
    })
}

fn plain_cells(line: &str) -> String {
    line.split('\t').map(plain).collect::<Vec<_>>().join("\t")
}

impl TokensCommand {
    pub(crate) fn apply_profile(&mut self) -> Result<(), Failure> {
        match self {
            Self::List(selection) | Self::Delete(selection) | Self::Show { selection, .. } => {
                selection.apply_profile()
            }
            Self::Clear(store) | Self::RotateKey(store) => store.apply_profile().map(drop),
        }
    }

    pub(crate) fn store(&self) -> &StoreOptions {
        match self {
            Self::List(selection) | Self::Delete(selection) | Self::Show { selection, .. } => {
                &selection.store
            }
            Self::Clear(store) | Self::RotateKey(store) => store,
        }
    }
}

impl StoreOptions {
    /// Takes what the profile says of the store, and gives all that it says.
    fn apply_profile(&mut self) -> Result<Options, Failure> {
        let mut rest = options::profile(self.profile.as_deref(), self.config.as_deref())?;
        self.store = self.store.take().or(rest.store.take());
        self.output = self.output.or(rest.output);
        // A secret's variable comes before the profile's file.
        if std::env::var_os("OAUTH_STORE_KEY").is_none() {
            let key_file = rest.store_key_file.take();
            self.store_key_file = self.store_key_file.take().or(key_file);
        }
        Ok(rest)
    }

    async fn open(&self, running: &Running) -> Result<std::sync::Arc<dyn TokenStore>, Failure> {
        storage::open(self.store.as_ref(), self.store_key_file.as_deref(), running).await
    }

    pub(crate) fn is_json(&self) -> bool {
        self.output == Some(Output::Json)
    }
}

impl Selection {
    fn apply_profile(&mut self) -> Result<(), Failure> {
        let rest = self.store.apply_profile()?;
        self.issuer = self.issuer.take().or(rest.issuer);
        self.client_id = self.client_id.take().or(rest.client_id);
        self.subject = self.subject.take().or(rest.subject);
        Ok(())
    }

    fn is_everything(&self) -> bool {
        self.issuer.is_none() && self.client_id.is_none() && self.subject.is_none()
    }

    fn takes(&self, owner: &Owner) -> bool {
        let is = |wanted: &Option<String>, have: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| have == Some(wanted))
        };
        is(&self.issuer, Some(owner.issuer()))
            && is(&self.client_id, Some(owner.client_id()))
            && is(&self.subject, owner.subject().user_id())
    }
}
