use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{GrantRecord, Scope};

const GRANT: GrantId = GrantId([7; 18]);
const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const END: Duration = Duration::from_secs(60);

fn grant() -> GrantRecord {
    GrantRecord {
        id: GRANT,
        client_id: "client".into(),
        subject: None,
        scope: Scope::default(),
        audience: Vec::new(),
        auth_time: None,
    }
}

fn access(token: &str) -> AccessTokenRecord {
    AccessTokenRecord {
        hash: TokenHash::of(token),
        grant: grant(),
        issued_at: NOW,
        expires_at: NOW + END,
        jkt: None,
    }
}

fn refresh(token: &str) -> RefreshTokenRecord {
    RefreshTokenRecord {
        hash: TokenHash::of(token),
        grant: grant(),
        issued_at: NOW,
        expires_at: NOW + END,
        grant_expires_at: NOW + END,
        consumed: false,
        jkt: None,
        successor: None,
    }
}

#[tokio::test]
async fn what_comes_after_a_revocation_is_born_dead() {
    let tokens = MemoryAccessTokens::new();
    let insert = async |token| tokens.insert(&access(token), None).await.unwrap();
    insert("before").await;
    tokens.revoke_grant(&GRANT, NOW + END).await.unwrap();
    insert("after").await;
    for token in ["before", "after"] {
        let record = tokens.get(&TokenHash::of(token)).await.unwrap();
        assert!(record.is_none(), "{token}");
    }
}

/// A code that is redeemed twice at once: the second use may end the grant before the first
/// has stored its tokens, and no token of it is there yet to remove.
#[tokio::test]
async fn a_grant_stays_revoked_as_long_as_it_is_remembered() {
    let tokens = MemoryAccessTokens::new();
    let stored = async |token| {
        let (access, refresh) = (access(token), refresh(token));
        tokens.insert(&access, Some(&refresh)).await.unwrap();
        let hash = TokenHash::of(token);
        let refresh = tokens.get_refresh(&hash).await.unwrap().is_some();
        (tokens.get(&hash).await.unwrap().is_some(), refresh)
    };
    tokens.revoke_grant(&GRANT, NOW + END).await.unwrap();
    assert_eq!(stored("at once").await, (false, false));
    let almost = NOW + END - Duration::from_nanos(1);
    tokens.purge(almost, 30).await.unwrap();
    assert_eq!(stored("later").await, (false, false), "not forgotten early");
    tokens.purge(NOW + END, 30).await.unwrap();
    assert_eq!(
        lock(&tokens.0).revoked.iter().count(),
        0,
        "nor kept for ever"
    );
    assert_eq!(stored("control").await, (true, true));
}

#[tokio::test]
async fn a_family_revoked_by_its_person_stays_dead() {
    let tokens = MemoryAccessTokens::new();
    let insert = async |token| {
        let (access, refresh) = (access(token), refresh(token));
        tokens.insert(&access, Some(&refresh)).await.unwrap();
    };
    insert("before").await;
    let end = NOW + END;
    let revoke = |client| tokens.revoke_grants(Some(client), None, end);
    assert_eq!(revoke("another").await.unwrap(), 0);
    assert_eq!(revoke("client").await.unwrap(), 2);
    insert("after").await;
    for token in ["before", "after"] {
        let hash = TokenHash::of(token);
        assert!(tokens.get(&hash).await.unwrap().is_none(), "{token}");
        assert!(tokens.get_refresh(&hash).await.unwrap().is_none());
    }
    tokens.purge(end, 30).await.unwrap();
    assert_eq!(lock(&tokens.0).revoked.iter().count(), 0);
}

#[tokio::test]
async fn a_successor_consumes_once() {
    let tokens = MemoryAccessTokens::new();
    let first = refresh("first");
    tokens.insert(&access("a"), Some(&first)).await.unwrap();
    let rotate = async |access_token, successor: Option<&str>| {
        let successor = successor.map(refresh);
        let used = RefreshTokenRecord {
            consumed: successor.is_some(),
            ..first.clone()
        };
        let access = access(access_token);
        let rotated = tokens.rotate(&used, &access, successor.as_ref());
        rotated.await.unwrap()
    };
    assert_eq!(rotate("b", None).await, Rotation::Done);
    assert_eq!(rotate("c", Some("second")).await, Rotation::Done);
    assert_eq!(rotate("d", Some("third")).await, Rotation::Consumed);
    let gone = tokens.get(&TokenHash::of("d")).await.unwrap();
    assert!(gone.is_none(), "nothing is stored for a consumed token");
}

#[tokio::test]
async fn nothing_is_left_when_all_has_ended() {
    let tokens = MemoryAccessTokens::new();
    for index in 0..40 {
        let (a, r) = (access(&format!("a{index}")), refresh(&format!("r{index}")));
        tokens.insert(&a, Some(&r)).await.unwrap();
    }
    assert_eq!(tokens.purge(NOW + END, 30).await.unwrap(), 60);
    assert_eq!(lock(&tokens.0).kept.iter().count(), 20, "in batches");
    assert_eq!(tokens.purge(NOW + END, 30).await.unwrap(), 20);
    lock(&tokens.0).holds_nothing();
}

impl Tokens {
    fn holds_nothing(&self) {
        assert_eq!(self.kept.iter().count() + self.kept.capacity(), 0);
        assert_eq!(self.by_hash.len() + self.newest.len(), 0);
        assert_eq!(self.access_ends.len() + self.refresh_ends.len(), 0);
    }
}

/// What is asked of the tokens of a few grants, in any order.
#[derive(Debug, Clone)]
enum Step {
    Insert(u8, u8, bool),
    Rotate(u8, u8, bool),
    Revoke(u8),
    RevokeGrant(u8),
    RevokeTheirs(bool, Option<u8>),
    Purge(u8, usize),
}

/// A token as the model knows it: whether it gives access, its number, its grant, its end.
type Known = (bool, u8, u8, u8);

fn step() -> impl Strategy<Value = Step> {
    let (token, grant) = (0..12_u8, 0..4_u8);
    prop_oneof![
        4 => (token.clone(), grant.clone(), any::<bool>()).prop_map(|(t, g, r)| Step::Insert(t, g, r)),
        2 => (token.clone(), token.clone(), any::<bool>()).prop_map(|(t, u, r)| Step::Rotate(t, u, r)),
        1 => token.prop_map(Step::Revoke),
        1 => grant.clone().prop_map(Step::RevokeGrant),
        1 => (any::<bool>(), prop::option::of(grant)).prop_map(|(a, g)| Step::RevokeTheirs(a, g)),
        1 => (0..16_u8, 0..4_usize).prop_map(|(end, limit)| Step::Purge(end, limit)),
    ]
}

fn at(second: u8) -> SystemTime {
    NOW + Duration::from_secs(second.into())
}

/// A token's number is its end, too; a grant's is its person's.
fn of_grant(grant: u8) -> GrantRecord {
    GrantRecord {
        id: GrantId([grant; 18]),
        subject: Some(grant.to_string()),
        ..self::grant()
    }
}

fn access_of(number: u8, grant: u8) -> AccessTokenRecord {
    AccessTokenRecord {
        grant: of_grant(grant),
        expires_at: at(number),
        ..access(&number.to_string())
    }
}

fn refresh_of(number: u8, grant: u8) -> RefreshTokenRecord {
    RefreshTokenRecord {
        grant: of_grant(grant),
        grant_expires_at: at(number),
        ..refresh(&number.to_string())
    }
}

proptest! {
    #[test]
    fn holds_what_a_list_would(steps in prop::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(follow(steps))?;
    }
}

/// Takes each step with the tokens and with a plain list, and compares.
async fn follow(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let tokens = MemoryAccessTokens::new();
    let mut list: Vec<Known> = Vec::new();
    let mut consumed = HashSet::new();
    let put = |list: &mut Vec<Known>, new: Known| {
        list.retain(|known| (known.0, known.1) != (new.0, new.1));
        list.push(new);
    };
    for step in steps {
        // What was revoked is forgotten at once: that it is remembered is shown elsewhere.
        let forget = || lock(&tokens.0).revoked.purge(NOW, usize::MAX);
        match step {
            Step::Insert(number, grant, with_refresh) => {
                let refresh = with_refresh.then(|| refresh_of(number, grant));
                let access = access_of(number, grant);
                tokens.insert(&access, refresh.as_ref()).await.unwrap();
                put(&mut list, (true, number, grant, number));
                if with_refresh {
                    put(&mut list, (false, number, grant, number));
                    consumed.remove(&number);
                }
            }
            Step::Rotate(number, next, consumes) => {
                let known = list.iter().find(|known| !known.0 && known.1 == number);
                let known = known.copied();
                let grant = known.map_or(0, |known| known.2);
                // One that is kept may be given another end.
                let end = number + u8::from(!consumes);
                let used = RefreshTokenRecord {
                    consumed: consumes,
                    grant_expires_at: at(end),
                    ..refresh_of(number, grant)
                };
                let successor = consumes.then(|| refresh_of(next, grant));
                let access = access_of(next, grant);
                let rotated = tokens.rotate(&used, &access, successor.as_ref());
                let expected = match known {
                    None => Rotation::Gone,
                    Some(_) if consumed.contains(&number) => Rotation::Consumed,
                    Some(_) => Rotation::Done,
                };
                prop_assert_eq!(rotated.await.unwrap(), expected);
                if expected == Rotation::Done {
                    put(&mut list, (false, number, grant, end));
                    put(&mut list, (true, next, grant, next));
                    if consumes {
                        consumed.insert(number);
                        put(&mut list, (false, next, grant, next));
                        consumed.remove(&next);
                    }
                }
            }
            Step::Revoke(number) => {
                let hash = TokenHash::of(&number.to_string());
                tokens.revoke(&hash).await.unwrap();
                list.retain(|known| (known.0, known.1) != (true, number));
            }
            Step::RevokeGrant(grant) => {
                let id = GrantId([grant; 18]);
                tokens.revoke_grant(&id, NOW).await.unwrap();
                forget();
                list.retain(|known| known.2 != grant);
            }
            Step::RevokeTheirs(access_only, grant) => {
                let subject = grant.map(|grant| grant.to_string());
                let before = list.len();
                let revoked = if access_only {
                    list.retain(|known| !known.0);
                    tokens.revoke_access_tokens(Some("client")).await
                } else {
                    list.retain(|known| grant.is_some_and(|grant| known.2 != grant));
                    tokens.revoke_grants(None, subject.as_deref(), NOW).await
                };
                forget();
                prop_assert_eq!(revoked.unwrap(), before - list.len());
            }
            Step::Purge(end, limit) => {
                let ended = |list: &[Known], is_access| {
                    let ended = list.iter().filter(|it| it.0 == is_access && it.3 <= end);
                    ended.count()
                };
                let before = [true, false].map(|is_access| ended(&list, is_access));
                let purged = tokens.purge(at(end), limit).await.unwrap();
                prop_assert_eq!(
                    purged,
                    before.iter().map(|kind| kind.min(&limit)).sum::<usize>()
                );
                // Which of those that end at the same time go first is left open.
                list.retain(|known| holds(&tokens, *known));
                let left = [true, false].map(|is_access| ended(&list, is_access));
                prop_assert_eq!(left, before.map(|kind| kind.saturating_sub(limit)));
            }
        }
        prop_assert_eq!(lock(&tokens.0).kept.iter().count(), list.len());
        for known in &list {
            prop_assert!(holds(&tokens, *known), "{:?}", known);
        }
    }
    tokens.purge(at(u8::MAX), usize::MAX).await.unwrap();
    lock(&tokens.0).holds_nothing();
    Ok(())
}

fn holds(tokens: &MemoryAccessTokens, (is_access, number, grant, end): Known) -> bool {
    let tokens = lock(&tokens.0);
    let hash = TokenHash::of(&number.to_string());
    let token = tokens.find(is_access, &hash);
    let token = token.and_then(|slot| tokens.kept.get(slot));
    token.is_some_and(|it| it.grant == GrantId([grant; 18]) && it.end() == at(end))
}
