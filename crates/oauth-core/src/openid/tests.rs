//! Id tokens, good and bad, against a server's keys that change. The verifier alone is put to the
//! vectors of RFC 7515, which nothing here has signed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{jwk::Jwk, jws::Jws, *};
use crate::{
    AccessToken, Client, Endpoints, Error, ErrorKind, GenericProvider, Limits, RetryPolicy,
    SigningAlgorithm, SigningKey, TokenSet, Transport, TransportError, UserInfo,
    clock::{Clock, ManualClock},
    jose::compact,
};

const ISSUER: &str = "https://id.example.com";

/// A server's keys, and how often they were asked for.
#[derive(Debug, Clone, Default)]
struct Server(Arc<Mutex<(u16, Vec<Value>, usize)>>);

impl Server {
    fn publish(&self, keys: &[Value]) {
        let mut state = self.0.lock().unwrap();
        (state.0, state.1) = (200, keys.to_vec());
    }

    fn fail(&self) {
        self.0.lock().unwrap().0 = 500;
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().2
    }
}

#[async_trait::async_trait]
impl Transport for Server {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        assert_eq!(request.uri(), "https://id.example.com/jwks");
        let mut state = self.0.lock().unwrap();
        state.2 += 1;
        let body = json!({"keys": state.1}).to_string();
        let answer = http::Response::builder().status(state.0).body(body.into());
        Ok(answer.unwrap())
    }
}

struct Fixture {
    server: Server,
    clock: ManualClock,
    client: Client,
    key: SigningKey,
}

fn fixture() -> Fixture {
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    let server = Server::default();
    let endpoints = Endpoints::new("https://id.example.com/token")
        .and_then(|endpoints| endpoints.with_jwks("https://id.example.com/jwks"))
        .unwrap()
        .with_issuer(ISSUER);
    let client = Client::builder(GenericProvider::new(endpoints), "id")
        .transport(server.clone())
        .clock(Arc::new(clock.clone()))
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    let key = SigningKey::generate().unwrap().with_key_id("k1");
    server.publish(&[jwk(&key)]);
    Fixture {
        server,
        clock,
        client,
        key,
    }
}

fn jwk(key: &SigningKey) -> Value {
    let mut members = key.public_jwk();
    members.insert("kid".to_owned(), key.key_id().into());
    members.insert("use".to_owned(), "sig".into());
    Value::Object(members)
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "u", "aud": "id", "iat": 1_000_000, "exp": 1_000_300})
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn sign(key: &SigningKey, header: Value, claims: Value) -> String {
    let object = |value: Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    let algorithm = key.algorithm().as_str();
    compact(algorithm, Some(object(header)), object(claims), |message| {
        key.sign(message)
    })
    .unwrap()
    .expose_secret()
    .to_owned()
}

impl Fixture {
    fn token(&self, claims: Value) -> String {
        sign(&self.key, json!({"kid": "k1", "typ": "JWT"}), claims)
    }

    async fn verify(&self, token: &str, expected: &Expected) -> Result<Claims, Error> {
        let verifier = self.client.id_token_verifier().unwrap();
        verifier.verify(token, expected).await
    }

    async fn refused(&self, token: &str, expected: &Expected, sent: &str) {
        let error = self.verify(token, expected).await.expect_err(sent);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{sent}");
        assert!(!error.to_string().contains(token), "{sent}");
    }
}

#[test]
fn the_vectors_of_rfc_7515_verify() {
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let rsa: Value = serde_json::from_str(include_str!("../jose/tests/rfc7515-a2.json")).unwrap();
    let vectors = [
        (
            json!({"kty": "RSA", "n": rsa["n"], "e": rsa["e"]}),
            format!(
                "eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ),
        ),
        (
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
            format!(
                "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
            ),
        ),
    ];
    let both = [SigningAlgorithm::Rs256, SigningAlgorithm::Es256];
    for (key, token) in &vectors {
        let key = Jwk::from_members(key.as_object().unwrap()).unwrap();
        let claims = Jws::parse(token, &both).unwrap().verify(&key).unwrap();
        assert_eq!(claims["iss"], "joe");
        // One bit of the claims, one of the signature.
        for (from, to) in [(".eyJ", ".eyK"), ("Rw", "Rg"), ("1Q", "1A")] {
            let forged = token.replacen(from, to, 1);
            if forged != *token {
                let verified = Jws::parse(&forged, &both).and_then(|jws| jws.verify(&key));
                assert!(verified.is_err(), "{from}");
            }
        }
        let other = vectors.iter().find(|(_, other)| other != token).unwrap();
        let other = Jwk::from_members(other.0.as_object().unwrap()).unwrap();
        assert!(Jws::parse(token, &both).unwrap().verify(&other).is_err());
    }
}

#[tokio::test]
async fn a_good_id_token_is_read() {
    let this = fixture();
    let token = this.token(with(json!({
        "aud": ["id"], "azp": "id", "nonce": "n", "auth_time": 999_990,
        // RFC 9449 §7.1 shows this token and its whole hash; half of it is at_hash.
        "at_hash": "fUHyO2r2Z3DZ53EsNrWBbw", "email": "u@example.com",
    })));
    let expected = Expected::new()
        .with_nonce("n")
        .with_max_age(Duration::from_secs(60));
    let set = TokenSet::new(
        AccessToken::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU").unwrap(),
        this.clock.now(),
    );
    let extra = Map::from_iter([("id_token".to_owned(), token.into())]);
    let set = set.with_extra(extra);
    let claims = this.client.verify_id_token(&set, &expected).await.unwrap();
    assert_eq!((claims.issuer(), claims.subject()), (ISSUER, "u"));
    assert_eq!(claims.audience().collect::<Vec<_>>(), ["id"]);
    assert_eq!(claims.text("email"), Some("u@example.com"));
    assert_eq!(
        claims.expires_at(),
        Some(this.clock.now() + Duration::from_secs(300))
    );
    assert_eq!(format!("{claims:?}"), "Claims(10 claims)");

    let userinfo = |sub| {
        let claims = json!({"sub": sub, "name": "U", "iss": "evil", "email": "x"});
        UserInfo::from_members(claims.as_object().unwrap().clone()).unwrap()
    };
    let merged = claims.clone().with_userinfo(&userinfo("u")).unwrap();
    assert_eq!(
        (merged.issuer(), merged.text("name"), merged.text("email")),
        (ISSUER, Some("U"), Some("u@example.com"))
    );
    assert!(claims.with_userinfo(&userinfo("v")).is_err());
}

#[tokio::test]
async fn every_wrong_claim_is_refused() {
    let this = fixture();
    for (changes, sent) in [
        (json!({"iss": "https://evil.example"}), "another issuer"),
        (json!({"iss": null}), "no issuer"),
        (
            json!({"iss": "https://id.example.com/"}),
            "nearly the issuer",
        ),
        (json!({"sub": null}), "no subject"),
        (json!({"sub": 7}), "a number as subject"),
        (json!({"aud": "other"}), "another audience"),
        (json!({"aud": []}), "no audience"),
        (json!({"aud": ["id", 7]}), "a number as audience"),
        (
            json!({"aud": ["id", "other"]}),
            "several audiences without azp",
        ),
        (
            json!({"aud": ["id", "other"], "azp": "other"}),
            "issued to the other",
        ),
        (json!({"azp": "other"}), "azp of another"),
        (json!({"exp": null}), "no end"),
        (json!({"exp": 999_940}), "ended"),
        (json!({"exp": "1000300"}), "a text as end"),
        (json!({"iat": null}), "no beginning"),
        (json!({"iat": 1_000_061}), "made in the future"),
        (json!({"nbf": 1_000_061}), "not yet good"),
        (json!({"nbf": "now"}), "a text as nbf"),
        (
            json!({"auth_time": 1_000_061}),
            "authenticated in the future",
        ),
        (json!({"nonce": "n"}), "a nonce that was not sent"),
    ] {
        let token = this.token(with(changes));
        this.refused(&token, &Expected::new(), sent).await;
    }
    let max_age = Expected::new().with_max_age(Duration::from_secs(10));
    for (changes, expected, sent) in [
        (json!({}), max_age.clone(), "no auth_time"),
        (
            json!({"auth_time": 999_929}),
            max_age,
            "authenticated long ago",
        ),
        (json!({}), Expected::new().with_nonce("n"), "no nonce"),
        (
            json!({"nonce": "m"}),
            Expected::new().with_nonce("n"),
            "another nonce",
        ),
        (
            json!({"at_hash": "fUHyO2r2Z3DZ53EsNrWBbw"}),
            Expected::new().with_access_token(AccessToken::new("other").unwrap()),
            "at_hash of another token",
        ),
    ] {
        let token = this.token(with(changes));
        this.refused(&token, &expected, sent).await;
    }
    // At the edge of the skew, and past it with another one.
    for good in [
        json!({"exp": 999_941}),
        json!({"iat": 1_000_060, "nbf": 1_000_060}),
        json!({"aud": ["id", "other"], "azp": "id"}),
    ] {
        let token = this.token(with(good.clone()));
        let result = this.verify(&token, &Expected::new()).await;
        assert!(result.is_ok(), "{good}: {result:?}");
    }
    let strict = this
        .client
        .id_token_verifier()
        .unwrap()
        .with_skew(Duration::ZERO);
    let token = this.token(with(json!({"exp": 1_000_000})));
    assert!(strict.verify(&token, &Expected::new()).await.is_err());
}

#[tokio::test]
async fn a_token_that_is_not_signed_by_an_allowed_key_is_refused() {
    let this = fixture();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(json!({"alg": "none"})), part(claims()));
    this.refused(&none, &Expected::new(), "alg none").await;

    // An HMAC with the public key as its secret: the classic confusion (RFC 8725 §2.1).
    let secret = serde_json::to_vec(&this.key.public_jwk()).unwrap();
    let object = claims().as_object().unwrap().clone();
    let hmac = compact("HS256", None, object, |message| {
        Ok(hmac_sha256::HMAC::mac(message, &secret).to_vec())
    });
    let hmac = hmac.unwrap().expose_secret().to_owned();
    this.refused(&hmac, &Expected::new(), "HS256").await;

    let other = SigningKey::generate().unwrap().with_key_id("k1");
    let forged = sign(&other, json!({"kid": "k1"}), claims());
    this.refused(&forged, &Expected::new(), "another key of that name")
        .await;
    let carried = sign(&other, json!({"jwk": other.public_jwk()}), claims());
    this.refused(&carried, &Expected::new(), "its own key in the header")
        .await;
    for header in [
        json!({"kid": "k1", "crit": ["x"], "x": 1}),
        json!({"kid": "k1", "typ": "dpop+jwt"}),
        json!({"kid": "k1", "typ": "at+jwt"}),
        json!({"kid": 1}),
    ] {
        let token = sign(&this.key, header.clone(), claims());
        this.refused(&token, &Expected::new(), &header.to_string())
            .await;
    }
    let good = this.token(claims());
    for bad in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        &good[1..],
        &good[..good.len() - 1],
        &format!("{good}="),
    ] {
        let error = this.verify(bad, &Expected::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{bad}");
    }
    let parts: Vec<_> = good.split('.').collect();
    let twice = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"none"}"#);
    this.refused(
        &format!("{twice}.{}.{}", parts[1], parts[2]),
        &Expected::new(),
        "alg twice",
    )
    .await;

    let verifier = this.client.id_token_verifier().unwrap();
    let small = verifier.clone().with_max_size(good.len() - 1);
    assert!(
        small.verify(&good, &Expected::new()).await.is_err(),
        "too long"
    );
    let rsa_only = verifier.clone().with_algorithms([SigningAlgorithm::Rs256]);
    assert!(
        rsa_only.verify(&good, &Expected::new()).await.is_err(),
        "ES256"
    );
    assert!(verifier.verify(&good, &Expected::new()).await.is_ok());
}

#[tokio::test]
async fn a_key_that_is_for_something_else_is_not_used() {
    for (name, value) in [
        ("use", json!("enc")),
        ("alg", json!("RS256")),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!("verify")),
        ("kty", json!("oct")),
        ("crv", json!("P-384")),
    ] {
        let this = fixture();
        let mut key = jwk(&this.key);
        key[name] = value.clone();
        this.server.publish(&[key]);
        let sent = format!("{name}: {value}");
        this.refused(&this.token(claims()), &Expected::new(), &sent)
            .await;
    }
    // Without a name of the key there must be one key only.
    let this = fixture();
    let unnamed = sign(&this.key, json!({}), claims());
    assert!(this.verify(&unnamed, &Expected::new()).await.is_ok());
    let this = fixture();
    let second = SigningKey::generate().unwrap().with_key_id("k2");
    this.server.publish(&[jwk(&this.key), jwk(&second)]);
    let unnamed = sign(&this.key, json!({}), claims());
    this.refused(&unnamed, &Expected::new(), "no kid, two keys")
        .await;
}

#[tokio::test]
async fn keys_are_kept_and_fetched_again_for_a_new_one_but_not_often() {
    let this = fixture();
    let (token, expected) = (this.token(claims()), Expected::new());
    for _ in 0..3 {
        this.verify(&token, &expected).await.unwrap();
    }
    assert_eq!(this.server.asked(), 1);

    let second = SigningKey::generate().unwrap().with_key_id("k2");
    let new = sign(
        &second,
        json!({"kid": "k2"}),
        with(json!({"exp": 2_000_000})),
    );
    this.refused(&new, &expected, "unknown, and asked just now")
        .await;
    assert_eq!(this.server.asked(), 1);
    this.clock.advance(Duration::from_secs(60));
    this.server.publish(&[jwk(&second)]);
    this.verify(&new, &expected).await.unwrap();
    assert_eq!(this.server.asked(), 2);
    this.refused(&token, &expected, "a key that was withdrawn")
        .await;
    assert_eq!(this.server.asked(), 2);

    // Old keys serve while the server cannot be asked, for a day.
    this.server.fail();
    this.clock.advance(Duration::from_secs(3600));
    this.verify(&new, &expected).await.unwrap();
    this.verify(&new, &expected).await.unwrap();
    assert_eq!(this.server.asked(), 3);
    this.clock.advance(Duration::from_secs(86_400));
    let error = this.verify(&new, &expected).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(error.endpoint(), Some(crate::EndpointKind::Jwks));
}

#[tokio::test]
async fn a_refreshed_id_token_is_of_the_same_user() {
    let this = fixture();
    let nonce = Expected::new().with_nonce("n");
    let first = this.token(with(json!({"nonce": "n", "auth_time": 999_000})));
    let first = this.verify(&first, &nonce).await.unwrap();
    let expected = Expected::refreshed(&first);
    for good in [
        json!({}),
        json!({"nonce": "n"}),
        json!({"auth_time": 999_000}),
    ] {
        let token = this.token(with(good.clone()));
        let result = this.verify(&token, &expected).await;
        assert!(result.is_ok(), "{good}: {result:?}");
    }
    for (changes, sent) in [
        (json!({"sub": "v"}), "another user"),
        (json!({"iss": "https://evil.example"}), "another issuer"),
        (json!({"nonce": "m"}), "another nonce"),
        (json!({"auth_time": 999_001}), "another authentication"),
        (json!({"azp": "id"}), "azp that was not there"),
        (json!({"aud": ["id", "x"], "azp": "id"}), "another audience"),
    ] {
        let token = this.token(with(changes));
        this.refused(&token, &expected, sent).await;
    }
}
