//! A client at an authorization server (RFC 6749 §2), with a short number for this process.

use std::{
    cell::LazyCell,
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
};

use super::{room::make_room, source::TokenSource, table::Key};
use crate::{
    Client,
    store::{Owner, Subject},
};

#[derive(Debug)]
pub(crate) struct Registration {
    id: u32,
    name: Arc<Name>,
    client: Client,
    source: Arc<dyn TokenSource>,
}

/// What a client is told apart by.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Name {
    /// The issuer identifier, or the token endpoint where a server has none.
    issuer: Arc<str>,
    client_id: Arc<str>,
}

/// The registrations of a manager: of a client and an issuer one at a time.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    by_name: HashMap<Arc<Name>, Arc<Registration>>,
    by_id: HashMap<u32, Weak<Registration>>,
    next: u32,
}

impl Registration {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn source(&self) -> &dyn TokenSource {
        &*self.source
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.name.issuer
    }

    pub(crate) fn owner(&self, subject: &Subject) -> Owner {
        Owner::new(
            Arc::clone(&self.name.issuer),
            Arc::clone(&self.name.client_id),
            subject.clone(),
        )
    }

    /// Whether somebody beside [`Registrations`] has it, or an older one of the same name.
    fn is_in_use(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1 || Arc::strong_count(&self.name) > 2
    }
}

impl Registrations {
    /// The registration of `client`; the same client at the same issuer is one. Where there has to
    /// be room, those go that nobody uses any more and that are not among the ids of `holds_tokens`:
    /// the names of clients may come from an application's callers.
    pub(crate) fn add(
        &mut self,
        client: Client,
        source: Arc<dyn TokenSource>,
        holds_tokens: impl FnOnce() -> HashSet<u32>,
    ) -> Arc<Registration> {
        let name = Name::of(&client);
        let same = self.by_name.get_key_value(&name);
        let (name, id) = match same {
            // A newer secret, or another source, for what is kept already.
            Some((name, have)) => (Arc::clone(name), have.id),
            None => {
                self.make_room(holds_tokens);
                (Arc::new(name), self.free_id())
            }
        };
        let registration = Arc::new(Registration {
            id,
            name: Arc::clone(&name),
            client,
            source,
        });
        self.by_id.insert(id, Arc::downgrade(&registration));
        self.by_name.insert(name, Arc::clone(&registration));
        registration
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Registration>> {
        self.by_id.get(&key.registration).and_then(Weak::upgrade)
    }

    /// The key of `owner`, if its client is here.
    pub(crate) fn key(&self, owner: &Owner) -> Option<Key> {
        let name = Name {
            issuer: owner.issuer().into(),
            client_id: owner.client_id().into(),
        };
        self.by_name.get(&name).map(|have| Key {
            registration: have.id,
            subject: owner.subject().clone(),
        })
    }

    fn make_room(&mut self, holds_tokens: impl FnOnce() -> HashSet<u32>) {
        let held = LazyCell::new(holds_tokens);
        make_room(&mut self.by_name, |_, have| {
            have.is_in_use() || held.contains(&have.id)
        });
        if self.by_id.len() > self.by_name.len() {
            self.by_id.retain(|_, have| have.strong_count() > 0);
            self.by_id.shrink_to(self.by_id.len() * 2);
        }
    }

    fn free_id(&mut self) -> u32 {
        // The last one means none.
        while self.next == u32::MAX || self.by_id.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        // Not again at once: what is known of the one before may still be on its way out.
        self.next = self.next.wrapping_add(1);
        id
    }
}

impl Name {
    fn of(client: &Client) -> Self {
        let endpoints = client.provider().endpoints();
        let issuer = endpoints.issuer().unwrap_or(endpoints.token().as_str());
        Self {
            issuer: issuer.into(),
            client_id: client.client_id().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClientCredentialsSource, TokenManager};
    use crate::{
        AccessToken, Client, Endpoints, GenericProvider, TokenSet, clock::Clock, store::Subject,
    };

    fn manager() -> TokenManager {
        let endpoints = Endpoints::new("https://id.example.com/token").expect("an https URL");
        let client = Client::builder(GenericProvider::new(endpoints), "id").build();
        TokenManager::new(client.expect("all it needs"))
    }

    fn sibling(tokens: &TokenManager, id: impl Into<String>) -> TokenManager {
        let client = tokens.client().sibling(id).build().expect("all it needs");
        tokens.with_client_and_source(client, ClientCredentialsSource)
    }

    #[tokio::test]
    async fn clients_that_nobody_uses_leave_nothing_behind_but_their_tokens() {
        let tokens = manager();
        let now = crate::clock::SystemClock::new().now();
        let token = TokenSet::new(AccessToken::new("kept").expect("plain ASCII"), now);
        let with_token = sibling(&tokens, "with a token");
        let registered = with_token.register(&Subject::Client, token).await;
        registered.expect("no store that could fail");
        let kept = with_token.registration.id();
        drop(with_token);
        let in_use = sibling(&tokens, "in use");
        // Another secret: who has the older registration still is the same client.
        drop(sibling(&tokens, "in use"));
        let mut ids = std::collections::HashSet::new();
        for id in 0..100_000_u32 {
            ids.insert(sibling(&tokens, id.to_string()).registration.id());
        }
        assert_eq!(ids.len(), 100_000, "an id is not given again at once");
        {
            let all = tokens.shared.registrations.read().expect("nobody panicked");
            assert!(all.by_name.capacity() < 1000, "{}", all.by_name.capacity());
            assert!(all.by_id.capacity() < 1000, "{}", all.by_id.capacity());
        }
        let again = sibling(&tokens, "in use").registration.id();
        assert_eq!(again, in_use.registration.id());
        let again = sibling(&tokens, "with a token");
        assert_eq!(again.registration.id(), kept);
        let token = again.get(&Subject::Client, None).await;
        assert_eq!(token.expect("it never ends").expose_secret(), "kept");
        assert!(!ids.contains(&tokens.registration.id()));
    }
}
