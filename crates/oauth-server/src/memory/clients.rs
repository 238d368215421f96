//! Clients in memory.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;

use crate::{Client, Clients, ContextError, guard::lock};

/// Clients in memory.
#[derive(Debug, Default)]
pub struct MemoryClients(Mutex<BTreeMap<String, Client>>);

impl MemoryClients {
    /// No clients yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a client, or replaces the one with its id.
    pub fn insert(&self, client: Client) {
        lock(&self.0).insert(client.id().to_owned(), client);
    }

    /// Removes a client; its tokens are inactive from now on.
    pub fn remove(&self, client_id: &str) -> Option<Client> {
        lock(&self.0).remove(client_id)
    }

    /// What is stored.
    pub fn dump(&self) -> serde_json::Value {
        lock(&self.0).values().map(Client::dump).collect()
    }
}

impl FromIterator<Client> for MemoryClients {
    fn from_iter<I: IntoIterator<Item = Client>>(clients: I) -> Self {
        let clients = clients.into_iter();
        let by_id = clients.map(|client| (client.id().to_owned(), client));
        Self(Mutex::new(by_id.collect()))
    }
}

#[async_trait]
impl Clients for MemoryClients {
    async fn get(&self, client_id: &str) -> Result<Option<Client>, ContextError> {
        Ok(lock(&self.0).get(client_id).cloned())
    }
}
