//! Whether a server is set up so that it keeps what it acknowledged.

use oauth_core::store::{StoreError, StoreErrorKind};

use super::{keys::Keys, link::Link};

/// The version of what is where, and of what the scripts do with it.
const SCHEMA: u64 = 1;

/// Refuses a server that would lose records, or cannot be written.
pub(super) async fn check(link: &Link, may_evict: bool) -> Result<(), StoreError> {
    let refuse = |message| Err(StoreError::new(StoreErrorKind::Configuration, message));
    let info: String = match link.ask(&redis::cmd("INFO")).await {
        Ok(info) => info,
        // Who may not log in at all may not ask this either, and learns it here.
        Err(error) if error.kind() == StoreErrorKind::Configuration => {
            link.ask::<redis::Value>(&redis::cmd("PING")).await?;
            String::new()
        }
        Err(error) => return Err(error),
    };
    if field(&info, "cluster_enabled") == Some("1") {
        return refuse(
            "this Redis server is part of a cluster; name one that stands alone or with replicas",
        );
    }
    if field(&info, "role") == Some("slave") {
        return refuse("this Redis server is a replica; name the primary");
    }
    match policy(link, &info).await? {
        Some(policy) if policy == "noeviction" || may_evict => {}
        Some(_) => {
            return refuse(
                "this Redis server throws keys away when its memory is full; set its \
                maxmemory-policy to noeviction, or allow eviction in so many words",
            );
        }
        None => tracing::warn!(
            "this Redis user may ask neither CONFIG GET nor INFO: make sure that the server's \
            maxmemory-policy is noeviction"
        ),
    }
    Ok(())
}

/// Refuses the keys of a later version of this library; those without a version become ours.
pub(super) async fn recognize(link: &Link, keys: &Keys) -> Result<(), StoreError> {
    let mut ask = redis::cmd("GET");
    ask.arg(&keys.schema);
    let mut found: Option<u64> = link.ask(&ask).await?;
    if found.is_none() {
        // Asked first: a server that is full can be read all the same.
        let mut note = redis::cmd("SET");
        note.arg(&keys.schema).arg(SCHEMA).arg("NX");
        link.ask::<redis::Value>(&note).await?;
        found = link.ask(&ask).await?;
    }
    match found {
        Some(later) if later > SCHEMA => Err(StoreError::new(
            StoreErrorKind::Unreadable,
            "the keys in Redis are of a later version of this library; use that version, or a \
            prefix of their own",
        )),
        _ => Ok(()),
    }
}

/// Hosted servers forbid CONFIG and tell the same with INFO.
async fn policy(link: &Link, info: &str) -> Result<Option<String>, StoreError> {
    if let Some(policy) = field(info, "maxmemory_policy") {
        return Ok(Some(policy.to_owned()));
    }
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("maxmemory-policy");
    match link.ask::<Vec<String>>(&command).await {
        Ok(answer) => Ok(answer.into_iter().nth(1)),
        Err(error) if error.kind() == StoreErrorKind::Unavailable && is_down(link).await => {
            Err(error)
        }
        Err(_) => Ok(None),
    }
}

/// Whether it is the server that does not answer, and not the command that it does not know.
async fn is_down(link: &Link) -> bool {
    link.ask::<redis::Value>(&redis::cmd("PING")).await.is_err()
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = info.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(key, _)| *key == name)?;
    Some(value.trim_end())
}
