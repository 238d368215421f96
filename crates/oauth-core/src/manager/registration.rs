//! A client at an authorization server (RFC 6749 §2), with a short number for this process.

use std::sync::Arc;

use super::{source::TokenSource, table::Key};
use crate::{
    Client,
    store::{Owner, Subject},
};

#[derive(Debug)]
pub(crate) struct Registration {
    id: u32,
    issuer: Arc<str>,
    client_id: Arc<str>,
    client: Client,
    source: Arc<dyn TokenSource>,
}

impl Registration {
    pub(crate) fn new(id: u32, client: Client, source: Arc<dyn TokenSource>) -> Self {
        let (issuer, client_id) = names(&client);
        Self {
            id,
            issuer,
            client_id,
            client,
            source,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn source(&self) -> &dyn TokenSource {
        &*self.source
    }

    pub(crate) fn owner(&self, subject: &Subject) -> Owner {
        Owner::new(
            Arc::clone(&self.issuer),
            Arc::clone(&self.client_id),
            subject.clone(),
        )
    }

    /// The key of `owner`, if it is one of this registration's.
    pub(crate) fn key(&self, owner: &Owner) -> Option<Key> {
        self.is(owner.issuer(), owner.client_id()).then(|| Key {
            registration: self.id,
            subject: owner.subject().clone(),
        })
    }

    pub(crate) fn is(&self, issuer: &str, client_id: &str) -> bool {
        *self.issuer == *issuer && *self.client_id == *client_id
    }
}

/// The issuer identifier, or the token endpoint where a server has none; and the client's id.
pub(crate) fn names(client: &Client) -> (Arc<str>, Arc<str>) {
    let endpoints = client.provider().endpoints();
    let issuer = endpoints.issuer().unwrap_or(endpoints.token().as_str());
    (issuer.into(), client.client_id().into())
}
