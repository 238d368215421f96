//! Two servers over one database.

use oauth_server::{GrantType, Scope};

use crate::suite::{Contexts, each_is_redeemed_once, race_for_a_jti, server};

/// Each race takes long over two connections to one file.
const TRIALS: usize = 10;

pub(crate) async fn run(one: &Contexts, other: &Contexts) {
    let nodes = [server(one), server(other)];
    each_is_redeemed_once(&nodes, TRIALS).await;
    for trial in 0..TRIALS {
        let ids = [&one.jwt_ids, &other.jwt_ids];
        race_for_a_jti(&ids, &format!("jti of two {trial}")).await;
    }
    let scope = Scope::parse("read").unwrap();
    for trial in 0..TRIALS {
        let (here, there) = (&nodes[trial % 2], &nodes[(trial + 1) % 2]);
        let grant = GrantType::AuthorizationCode;
        let issued = here.issue("app", grant, Some("person-1"), &scope);
        let issued = issued.await.unwrap();
        let token = issued.access_token();
        assert!(there.access_token(token).await.unwrap().is_some());
        assert!(here.revoke_token(token).await.unwrap());
        assert!(there.access_token(token).await.unwrap().is_none());
        let refresh = issued.refresh_token().unwrap();
        assert!(there.revoke_token(refresh).await.unwrap());
        assert!(here.refresh_token(refresh).await.unwrap().is_none());
    }
}
