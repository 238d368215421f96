use std::{sync::Arc, time::Duration};

use oauth_server::{Alphanumeric, GrantType};

use crate::support::{app, world};

#[tokio::test]
async fn format_and_lifetimes_of_a_client() {
    let world = world();
    let client = app("app")
        .token_format(Arc::new(Alphanumeric::new(30)))
        .access_token_lifetime(Duration::from_secs(100))
        .access_token_lifetime_for(GrantType::ClientCredentials, Duration::from_secs(200))
        .refresh_token_lifetime(Duration::from_secs(300))
        .client_credentials_refresh_token(true);
    world.clients.insert(client.build().unwrap());

    let own = world
        .token(&[("grant_type", "client_credentials")])
        .await
        .unwrap();
    assert_eq!((own.expires_in(), own.access_token().len()), (200, 30));
    let refreshed = world.refresh(own.refresh_token().unwrap()).await.unwrap();
    assert_eq!((refreshed.expires_in(), refreshed.subject()), (100, None));

    let person = world.login().await;
    assert_eq!(person.expires_in(), 100);
    world.advance(300);
    assert!(
        world
            .refresh(person.refresh_token().unwrap())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn no_refresh_token_without_its_grant() {
    let world = world();
    let client = app("app").grants([GrantType::Password]).any_scope();
    world.clients.insert(client.build().unwrap());
    let token = world.login().await;
    assert_eq!(token.refresh_token(), None);
}
