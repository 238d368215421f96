//! E11: tokens that are bound to a key.

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::server::{
    CLIENT_GRANT, Tested, VERIFIER, basic, granted, member, only_success, refused,
};
use super::server_jws::{Signer, hash, message, now, unique, with, with_secret};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
    wire::{self, Answer},
};

pub(super) const CASES: &[Case] = cases! {
    "SCC-08" [Counterpart, Server] => bound_client_token,
    "SRT-13" [Counterpart, Server] => bound_refresh_token,
    "SDP-01" [Counterpart, Server] => good_proof,
    "SDP-02" [Counterpart, Server] => bad_proofs,
    "SDP-03" [Counterpart, Server] => url_forms,
    "SDP-04" [Counterpart, Server] => two_proofs,
    "SDP-05" [Counterpart, Server] => replay,
    "SDP-06" [Counterpart, Server] => age,
    "SDP-07" [Counterpart, Server] => nonces,
    "SDP-08" [Counterpart, Server] => at_a_resource,
    "SDP-09" [Counterpart, Server] => bound_code,
};

const INVALID: &[&str] = &["invalid_dpop_proof"];

/// A server, and a client's key.
struct Bound {
    tested: Tested,
    key: Signer,
    url: String,
    now: i64,
}

impl Bound {
    async fn start(cx: &Context) -> Result<Self, Failure> {
        let tested = Tested::start(cx).await?;
        let url = format!("{}{}", tested.base_url(), tested.set().token);
        let now = now(&tested).await?;
        let key = Signer::new()?;
        Ok(Self {
            tested,
            key,
            url,
            now,
        })
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk() })
    }

    /// What is always right at the token endpoint, each time with another `jti`.
    fn claims(&self) -> Value {
        json!({ "jti": unique(), "htm": "POST", "htu": self.url, "iat": self.now })
    }

    fn good(&self) -> Result<String, Failure> {
        self.key.sign(&self.header(), &self.claims())
    }

    /// A client credentials request with these proofs.
    async fn ask(&self, proofs: &[&str]) -> Result<Answer, Failure> {
        let client = &self.tested.set().confidential;
        let basic = basic(&client.id, &client.secret);
        let mut headers = vec![("Authorization", basic.as_str())];
        headers.extend(proofs.iter().map(|proof| ("DPoP", *proof)));
        let path = &self.tested.set().token;
        self.tested.post(path, &headers, &[CLIENT_GRANT]).await
    }

    async fn refuses(&self, what: &str, proof: &str) -> Outcome {
        refused(what, &self.ask(&[proof]).await?, &[400], INVALID)
    }

    async fn accepts(&self, what: &str, proof: &str) -> Outcome {
        bound(&granted(what, &self.ask(&[proof]).await?)?)
    }

    /// A form of the public client, with a proof of this key.
    async fn public(&self, form: &[(&str, &str)], key: Option<&Signer>) -> Result<Answer, Failure> {
        let form = [form, &[("client_id", self.tested.set().public.id.as_str())]].concat();
        let proof = match key {
            Some(key) => {
                let header = with(&self.header(), "jwk", &key.jwk());
                Some(key.sign(&header, &self.claims())?)
            }
            None => None,
        };
        let headers: Vec<_> = proof.iter().map(|proof| ("DPoP", proof.as_str())).collect();
        self.tested
            .post(&self.tested.set().token, &headers, &form)
            .await
    }

    async fn is_bound(&self, token: &str) -> Outcome {
        let seen = self.tested.introspect(token).await?;
        let jkt = self.key.thumbprint();
        let right = seen["cnf"]["jkt"] == jkt && seen["token_type"] == "DPoP";
        ensure!(
            right,
            "introspected a bound token, expected DPoP and cnf.jkt {jkt}, got {seen}"
        );
        Ok(())
    }
}

fn bound(tokens: &Value) -> Outcome {
    let kind = member(tokens, "token_type")?;
    ensure!(
        kind.eq_ignore_ascii_case("DPoP"),
        "sent a proof, expected token_type DPoP, got {kind}"
    );
    Ok(())
}

async fn bound_client_token(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let tokens = granted(
        "client credentials with a proof",
        &it.ask(&[&it.good()?]).await?,
    )?;
    bound(&tokens)?;
    it.is_bound(member(&tokens, "access_token")?).await
}

pub(super) async fn bound_refresh_token(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let code = it.tested.code(&it.tested.set().public).await?;
    let form = redemption(&it, &code);
    let tokens = granted(
        "a code with a proof",
        &it.public(&form, Some(&it.key)).await?,
    )?;
    let refresh = member(&tokens, "refresh_token")?;
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let codes = ["invalid_grant", "invalid_dpop_proof"];
    let other = Signer::new()?;
    for (what, key) in [("another key", Some(&other)), ("no proof", None)] {
        refused(what, &it.public(&form, key).await?, &[400], &codes)?;
    }
    let tokens = granted("the right key", &it.public(&form, Some(&it.key)).await?)?;
    bound(&tokens)
}

async fn good_proof(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let code = it.tested.code(&it.tested.set().public).await?;
    let form = redemption(&it, &code);
    let tokens = granted(
        "a code with a proof",
        &it.public(&form, Some(&it.key)).await?,
    )?;
    bound(&tokens)?;
    it.is_bound(member(&tokens, "access_token")?).await
}

async fn bad_proofs(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let (header, other) = (it.header(), Signer::new()?);
    it.refuses("no JWT", "proof").await?;
    let private = with(&it.key.jwk(), "d", &json!("AAAA"));
    let symmetric = json!({ "kty": "oct", "k": "c2VjcmV0" });
    let null = json!(null);
    for (name, value) in [
        ("typ", &null),
        ("typ", &json!("JWT")),
        ("alg", &null),
        ("alg", &json!("ES512")),
        ("alg", &json!("RS256")),
        ("jwk", &null),
        ("jwk", &private),
        ("jwk", &other.jwk()),
    ] {
        let made = it.key.sign(&with(&header, name, value), &it.claims())?;
        it.refuses(&format!("{name} {value}"), &made).await?;
    }
    let none = message(&with(&header, "alg", &json!("none")), &it.claims());
    it.refuses("alg none", &format!("{none}.")).await?;
    let hs256 = with(&with(&header, "alg", &json!("HS256")), "jwk", &symmetric);
    let made = with_secret(&hs256, &it.claims(), b"secret");
    it.refuses("HS256 with a symmetric jwk", &made).await?;
    for (name, value) in [
        ("jti", &null),
        ("htm", &null),
        ("htm", &json!("GET")),
        ("htu", &null),
        ("htu", &json!("https://evil.example/token")),
        ("htu", &json!(format!("{}/x", it.url))),
        ("iat", &null),
        ("iat", &json!("now")),
    ] {
        let made = it.key.sign(&header, &with(&it.claims(), name, value))?;
        it.refuses(&format!("{name} {value}"), &made).await?;
    }
    it.accepts("a good proof after them", &it.good()?).await
}

async fn url_forms(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let upper = it.url.replacen("http://", "HTTP://", 1);
    for url in [
        format!("{}?a=b", it.url),
        format!("{}#part", it.url),
        format!("{}?a=b#part", it.url),
        upper,
    ] {
        let claims = with(&it.claims(), "htu", &json!(url));
        let made = it.key.sign(&it.header(), &claims)?;
        it.accepts(&format!("htu {url}"), &made).await?;
    }
    Ok(())
}

async fn two_proofs(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let answer = it.ask(&[&it.good()?, &it.good()?]).await?;
    refused(
        "two DPoP headers",
        &answer,
        &[400],
        &["invalid_dpop_proof", "invalid_request"],
    )
}

async fn replay(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let again = it.good()?;
    it.accepts("a good proof", &again).await?;
    it.refuses("the same proof again", &again).await?;
    for _ in 0..5 {
        let good = it.good()?;
        let proofs = [good.as_str()];
        let answers = try_join_all((0..20).map(|_| it.ask(&proofs))).await?;
        only_success("a proof", answers)?;
    }
    Ok(())
}

async fn age(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    for off in [-10, 10] {
        let claims = with(&it.claims(), "iat", &json!(it.now + off));
        let made = it.key.sign(&it.header(), &claims)?;
        it.accepts(&format!("iat {off} s off"), &made).await?;
    }
    for off in [-3600, 3600] {
        let claims = with(&it.claims(), "iat", &json!(it.now + off));
        let made = it.key.sign(&it.header(), &claims)?;
        it.refuses(&format!("iat {off} s off"), &made).await?;
    }
    Ok(())
}

async fn nonces(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let id = &it.tested.set().confidential.id;
    let wanted = json!({ "client_id": id, "require_dpop_nonce": true });
    it.tested.control().post("clients", &wanted).await?;
    let made = |nonce: Option<&str>, now: i64| {
        let claims = with(&it.claims(), "iat", &json!(now));
        it.key
            .sign(&it.header(), &with(&claims, "nonce", &json!(nonce)))
    };
    let challenged = async |what: &str, proof: &str| {
        let answer = it.ask(&[proof]).await?;
        refused(what, &answer, &[400], &["use_dpop_nonce"])?;
        let nonce = answer.header("dpop-nonce").map(str::to_owned);
        nonce.ok_or_else(|| Failure::new(format!("sent {what}, expected DPoP-Nonce, got none")))
    };
    let nonce = challenged("no nonce", &made(None, it.now)?).await?;
    it.accepts("the nonce", &made(Some(&nonce), it.now)?)
        .await?;
    for forged in [
        "forged".to_owned(),
        nonce.chars().rev().collect(),
        nonce[1..].to_owned(),
    ] {
        challenged("a forged nonce", &made(Some(&forged), it.now)?).await?;
    }
    it.tested.control().advance(3600).await?;
    let later = it.now + 3600;
    let fresh = challenged("an old nonce", &made(Some(&nonce), later)?).await?;
    it.accepts("the fresh nonce", &made(Some(&fresh), later)?)
        .await
}

async fn at_a_resource(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let code = it.tested.control().code(json!({
        "client_id": it.tested.set().public.id, "redirect_uri": it.tested.set().redirect_uri,
        "scope": "openid", "code_challenge": super::server::CHALLENGE,
        "code_challenge_method": "S256",
    }));
    let code = code.await?;
    let form = redemption(&it, &code);
    let tokens = granted(
        "a code with a proof",
        &it.public(&form, Some(&it.key)).await?,
    )?;
    let token = member(&tokens, "access_token")?;
    let (base, path) = (it.tested.base_url(), &it.tested.set().userinfo);
    let claims = |ath: Value| {
        let claims = json!({
            "jti": unique(), "htm": "GET", "htu": format!("{base}{path}"), "iat": it.now,
        });
        with(&claims, "ath", &ath)
    };
    let ask = async |scheme: &str, proof: Option<String>| {
        let authorization = format!("{scheme} {token}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        headers.extend(proof.iter().map(|proof| ("DPoP", proof.as_str())));
        wire::request(base, "GET", path, &headers, b"").await
    };
    let (right, other) = (json!(hash(token)), Signer::new()?);
    let others = with(&it.header(), "jwk", &other.jwk());
    for (what, scheme, proof) in [
        ("a bound token as Bearer", "Bearer", None),
        ("no proof", "DPoP", None),
        (
            "another key",
            "DPoP",
            Some(other.sign(&others, &claims(right.clone()))?),
        ),
        (
            "no ath",
            "DPoP",
            Some(it.key.sign(&it.header(), &claims(json!(null)))?),
        ),
        (
            "another ath",
            "DPoP",
            Some(it.key.sign(&it.header(), &claims(json!(hash("x"))))?),
        ),
    ] {
        let answer = ask(scheme, proof).await?;
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        ensure!(
            answer.status() == 401 && challenge.contains("error="),
            "sent {what}, expected 401 with a challenge, got {} {challenge:?}",
            answer.status()
        );
    }
    let good = it.key.sign(&it.header(), &claims(right))?;
    granted("a good proof after them", &ask("DPoP", Some(good)).await?).map(|_| ())
}

async fn bound_code(cx: Context) -> Outcome {
    let it = Bound::start(&cx).await?;
    let set = it.tested.set();
    let code = it.tested.control().code(json!({
        "client_id": set.public.id, "redirect_uri": set.redirect_uri,
        "dpop_jkt": it.key.thumbprint(), "code_challenge": super::server::CHALLENGE,
        "code_challenge_method": "S256",
    }));
    let code = code.await?;
    let (form, other) = (redemption(&it, &code), Signer::new()?);
    for (what, key) in [("another key", Some(&other)), ("no proof", None)] {
        let answer = it.public(&form, key).await?;
        refused(
            what,
            &answer,
            &[400],
            &["invalid_grant", "invalid_dpop_proof"],
        )?;
    }
    bound(&granted(
        "the right key",
        &it.public(&form, Some(&it.key)).await?,
    )?)
}

fn redemption<'a>(it: &'a Bound, code: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &it.tested.set().redirect_uri),
        ("code_verifier", VERIFIER),
    ]
}
