use oauth_server::ErrorCode::{InvalidGrant, InvalidScope, InvalidTarget};
use oauth_server::RefreshRotation;

use crate::support::{app, as_client, assert_refused, form, world, world_with};

#[tokio::test]
async fn rotates_and_revokes_the_family_on_reuse() {
    let world = world();
    let first = world.login().await;
    let second = world.refresh(first.refresh_token().unwrap()).await.unwrap();
    assert_ne!(first.access_token(), second.access_token());
    assert_ne!(first.refresh_token(), second.refresh_token());
    assert_eq!(second.subject(), Some("person-1"));
    assert!(world.is_live(first.access_token()).await);

    // With a fault elsewhere in the request it is still a reuse.
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.refresh_token().unwrap()),
        ("scope", "admin"),
    ];
    let reused = world.token(&fields);
    let reused = assert_refused(reused.await, 400, InvalidGrant);
    for token in [&first, &second] {
        assert!(!world.is_live(token.access_token()).await);
    }
    let dead = world.refresh(second.refresh_token().unwrap()).await;
    assert_eq!(dead.unwrap_err(), reused);
    assert_eq!(world.refresh("unknown").await.unwrap_err(), reused);
    assert_eq!(
        world.refresh(first.access_token()).await.unwrap_err(),
        reused
    );
    assert!(!world.is_live(second.refresh_token().unwrap()).await);
}

#[tokio::test]
async fn another_client_changes_nothing() {
    let world = world();
    let token = world.login().await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.refresh_token().unwrap()),
    ];
    let stranger = world.server.token(&as_client("other", &fields)).await;
    assert_refused(stranger, 400, InvalidGrant);
    let unauthenticated = form(&[fields[0], fields[1], ("client_id", "app")]);
    assert!(world.server.token(&unauthenticated).await.is_err());
    world.token(&fields).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_win_once() {
    for rotation in [RefreshRotation::Rotate, RefreshRotation::OneTime] {
        let world = world();
        let client = app("app").refresh_rotation(rotation);
        world.clients.insert(client.build().unwrap());
        let token = world.login().await.refresh_token().unwrap().to_owned();
        let requests = (0..50).map(|_| {
            let server = world.server.clone();
            let request = as_client(
                "app",
                &[("grant_type", "refresh_token"), ("refresh_token", &token)],
            );
            tokio::spawn(async move { server.token(&request).await })
        });
        let mut won = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            won.extend(request.await.unwrap().ok());
        }
        assert_eq!(won.len(), 1);
        let live = world.is_live(won[0].access_token()).await;
        assert_eq!(live, rotation == RefreshRotation::OneTime);
    }
}

#[tokio::test]
async fn the_scope_shrinks_but_never_grows() {
    let world = world();
    let refresh = |token: &str, scope: &str| {
        let fields = [
            ("refresh_token", token),
            ("scope", scope),
            ("grant_type", "refresh_token"),
        ];
        as_client("app", &fields)
    };
    let token = world.login().await;
    let refused = refresh(token.refresh_token().unwrap(), "read admin");
    assert_refused(world.server.token(&refused).await, 400, InvalidScope);
    let narrow = refresh(token.refresh_token().unwrap(), "read");
    let narrow = world.server.token(&narrow).await.unwrap();
    assert_eq!(narrow.scope().to_string(), "read");
    let wide = world
        .refresh(narrow.refresh_token().unwrap())
        .await
        .unwrap();
    assert_eq!(
        wide.scope().to_string(),
        "read write",
        "the grant is what it was"
    );
}

#[tokio::test]
async fn rotation_does_not_prolong_the_grant() {
    let world = world_with(|it| it.refresh_token_lifetime(std::time::Duration::from_secs(100)));
    let first = world.login().await;
    world.advance(99);
    let second = world.refresh(first.refresh_token().unwrap()).await.unwrap();
    world.advance(1);
    assert_refused(
        world.refresh(second.refresh_token().unwrap()).await,
        400,
        InvalidGrant,
    );
}

#[tokio::test]
async fn a_removed_person_refreshes_nothing() {
    let world = world();
    let token = world.login().await;
    assert!(world.owners.remove("ada"));
    assert_refused(
        world.refresh(token.refresh_token().unwrap()).await,
        400,
        InvalidGrant,
    );
}

#[tokio::test]
async fn other_rotations() {
    let world = world();
    let keep = app("app").refresh_rotation(RefreshRotation::Keep);
    world.clients.insert(keep.build().unwrap());
    let first = world.login().await;
    for _ in 0..3 {
        let again = world.refresh(first.refresh_token().unwrap()).await.unwrap();
        assert_eq!(again.refresh_token(), first.refresh_token());
        assert_ne!(again.access_token(), first.access_token());
    }

    let one_time = app("app").refresh_rotation(RefreshRotation::OneTime);
    world.clients.insert(one_time.build().unwrap());
    let second = world.refresh(first.refresh_token().unwrap()).await.unwrap();
    assert_refused(
        world.refresh(first.refresh_token().unwrap()).await,
        400,
        InvalidGrant,
    );
    assert!(world.is_live(second.access_token()).await);
    world
        .refresh(second.refresh_token().unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_limited_grant_stays_limited() {
    let world = world_with(|it| it.resources(["https://a.example", "https://b.example"]));
    let fields = [
        ("grant_type", "password"),
        ("username", "ada"),
        ("password", "her pass phrase"),
        ("resource", "https://a.example"),
    ];
    let token = world.token(&fields);
    let token = token.await.unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.refresh_token().unwrap()),
        ("resource", "https://b.example"),
    ];
    let refused = world.token(&fields);
    assert_refused(refused.await, 400, InvalidTarget);
    let token = world.refresh(token.refresh_token().unwrap()).await.unwrap();
    let record = world
        .server
        .access_token(token.access_token())
        .await
        .unwrap();
    assert_eq!(record.unwrap().audience(), ["https://a.example"]);
}
