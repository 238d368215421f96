//! E3: clients that sign who they are.

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::server::{CLIENT_GRANT, Tested, granted, member, only_success, refused};
use super::server_jws::{Signer, message, now, part, unique, with, with_secret};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, Reply, cases, ensure,
    wire::{self, Answer},
};

pub(super) const CASES: &[Case] = cases! {
    "SJA-01" [Counterpart, Server] => good_assertions,
    "SJA-02" [Counterpart, Server] => end,
    "SJA-03" [Counterpart, Server] => audience,
    "SJA-04" [Counterpart, Server] => issuer_and_subject,
    "SJA-05" [Counterpart, Server] => id,
    "SJA-06" [Counterpart, Server] => algorithms,
    "SJA-07" [Counterpart, Server] => malformed,
    "SJA-08" [Counterpart, Server] => beginning,
    "SJA-09" [Counterpart, Server] => request,
    "SJA-10" [Counterpart, Server] => published_keys,
    "SJA-11" [Counterpart, Server] => critical,
    "SJA-12" [Counterpart, Server] => other_client_id,
};

const ID: &str = "signer";
const SECRET: &str = "a secret of at least thirty-two bytes";
const TYPE: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);

/// A server that knows the client and its key.
struct Signed {
    tested: Tested,
    signer: Signer,
    issuer: String,
    now: i64,
}

impl Signed {
    async fn start(cx: &Context) -> Result<Self, Failure> {
        let (tested, signer) = (Tested::start(cx).await?, Signer::new()?);
        let client = json!({ "client_id": ID, "jwks": { "keys": [signer.jwk()] } });
        tested.control().post("clients", &client).await?;
        let metadata = &tested.set().metadata;
        let metadata = wire::request(tested.base_url(), "GET", metadata, &[], b"").await?;
        let issuer = member(&granted("a request for metadata", &metadata)?, "issuer")?.to_owned();
        let now = now(&tested).await?;
        Ok(Self {
            tested,
            signer,
            issuer,
            now,
        })
    }

    /// What is always right, each time with another `jti`.
    fn claims(&self) -> Value {
        json!({
            "iss": ID, "sub": ID, "aud": self.issuer, "jti": unique(),
            "iat": self.now, "exp": self.now + 60,
        })
    }

    fn good(&self) -> Result<String, Failure> {
        self.signer.sign(&header(), &self.claims())
    }

    async fn ask(&self, assertion: &str) -> Result<Answer, Failure> {
        let form = [CLIENT_GRANT, TYPE, ("client_assertion", assertion)];
        self.tested.post(&self.tested.set().token, &[], &form).await
    }

    async fn refuses(&self, what: &str, assertion: &str) -> Outcome {
        let codes = ["invalid_client", "invalid_request"];
        refused(what, &self.ask(assertion).await?, &[400, 401], &codes)
    }

    /// Fails for the first of these values of a claim that gets in; null leaves the claim out.
    async fn refuses_each(&self, claim: &str, values: &[Value]) -> Outcome {
        for value in values {
            let claims = with(&self.claims(), claim, value);
            let assertion = self.signer.sign(&header(), &claims)?;
            let what = format!("an assertion with {claim} {value}");
            let answer = self.ask(&assertion).await?;
            refused(&what, &answer, &[400, 401], &["invalid_client"])?;
        }
        // It was not for another reason.
        self.accepts("a good one after them", &self.good()?).await
    }

    async fn accepts(&self, what: &str, assertion: &str) -> Outcome {
        granted(what, &self.ask(assertion).await?).map(|_| ())
    }
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": "JWT" })
}

async fn good_assertions(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let tokens = granted(
        "a good private_key_jwt",
        &signed.ask(&signed.good()?).await?,
    )?;
    let seen = signed
        .tested
        .introspect(member(&tokens, "access_token")?)
        .await?;
    ensure!(
        seen["client_id"] == ID,
        "signed as {ID}, expected its token, got one of {}",
        seen["client_id"]
    );
    let client = json!({ "client_id": "keyed", "assertion_secret": SECRET });
    signed.tested.control().post("clients", &client).await?;
    let claims = with(&signed.claims(), "iss", &json!("keyed"));
    let claims = with(&claims, "sub", &json!("keyed"));
    let header = json!({ "alg": "HS256" });
    let good = with_secret(&header, &claims, SECRET.as_bytes());
    signed.accepts("a good client_secret_jwt", &good).await?;
    let claims = with(&claims, "jti", &json!(unique()));
    let wrong = with_secret(&header, &claims, b"another secret of thirty-two bytes");
    signed
        .refuses("an assertion with another secret", &wrong)
        .await
}

async fn end(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let now = signed.now;
    let values = [
        json!(null),
        json!(now - 1),
        json!(now + 86_400),
        json!("soon"),
        json!(0),
    ];
    signed.refuses_each("exp", &values).await
}

pub(super) async fn audience(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let base = signed.tested.base_url();
    let values = [
        json!(null),
        json!("https://other.example"),
        json!([signed.issuer, "https://other.example"]),
        json!(format!("{base}{}", signed.tested.set().token)),
        json!(format!("{base}{}", signed.tested.set().introspection)),
        json!(format!("{}/", signed.issuer)),
    ];
    signed.refuses_each("aud", &values).await
}

async fn issuer_and_subject(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let other = json!(signed.tested.set().confidential.id);
    for claim in ["iss", "sub"] {
        let values = [json!(null), other.clone(), json!(7), json!("")];
        signed.refuses_each(claim, &values).await?;
    }
    Ok(())
}

async fn id(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    signed
        .refuses_each("jti", &[json!(null), json!(""), json!(7)])
        .await?;
    let again = signed.good()?;
    signed.accepts("a good assertion", &again).await?;
    signed.refuses("the same assertion again", &again).await?;
    for _ in 0..5 {
        let good = signed.good()?;
        let answers = try_join_all((0..20).map(|_| signed.ask(&good))).await?;
        only_success("an assertion", answers)?;
    }
    Ok(())
}

async fn algorithms(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let none = message(&json!({ "alg": "none" }), &signed.claims());
    signed.refuses("alg none", &format!("{none}.")).await?;
    let symmetric = json!({ "alg": "HS256" });
    let jwk = signed.signer.jwk();
    for secret in [jwk.to_string(), member(&jwk, "x")?.to_owned()] {
        let made = with_secret(&symmetric, &signed.claims(), secret.as_bytes());
        signed
            .refuses("HS256 with the public key as its secret", &made)
            .await?;
    }
    for alg in ["RS256", "ES384", "HS256", "es256"] {
        let made = signed
            .signer
            .sign(&json!({ "alg": alg }), &signed.claims())?;
        signed
            .refuses(&format!("ES256 under the name {alg}"), &made)
            .await?;
    }
    signed
        .accepts("a good one after them", &signed.good()?)
        .await?;
    let held = json!({ "client_id": ID, "assertion_algorithms": ["RS256"] });
    signed.tested.control().post("clients", &held).await?;
    let what = "an algorithm that is not registered for the client";
    signed.refuses(what, &signed.good()?).await
}

async fn malformed(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let good = signed.good()?;
    let parts: Vec<_> = good.split('.').collect();
    let [head, payload, signature] = parts[..] else {
        return Err(Failure::new("an assertion of the suite has no three parts"));
    };
    let others = Signer::new()?.sign(&header(), &signed.claims())?;
    let (null, text) = (part(&json!(null)), part(&json!("text")));
    for (what, bad) in [
        ("another key's signature", others),
        ("no signature", format!("{head}.{payload}.")),
        ("a cut signature", good[..good.len() - 4].to_owned()),
        ("two parts", format!("{head}.{payload}")),
        ("four parts", format!("{good}.{signature}")),
        ("padding", format!("{good}==")),
        (
            "a head that is null",
            format!("{null}.{payload}.{signature}"),
        ),
        (
            "a payload that is text",
            format!("{head}.{text}.{signature}"),
        ),
        (
            "a signed list",
            signed.signer.sign(&header(), &json!([ID]))?,
        ),
        (
            "a signed null",
            signed.signer.sign(&header(), &json!(null))?,
        ),
        ("points alone", "..".to_owned()),
        ("no base64", "!.!.!".to_owned()),
    ] {
        signed.refuses(what, &bad).await?;
    }
    signed.accepts("a good one after them", &good).await
}

async fn beginning(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let now = signed.now;
    for claim in ["nbf", "iat"] {
        let soon = with(&signed.claims(), claim, &json!(now + 8));
        let soon = signed.signer.sign(&header(), &soon)?;
        signed.accepts(&format!("{claim} 8 s ahead"), &soon).await?;
    }
    signed.refuses_each("nbf", &[json!(now + 120)]).await?;
    signed.refuses_each("iat", &[json!(now + 86_400)]).await
}

async fn request(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let good = signed.good()?;
    let assertion = ("client_assertion", good.as_str());
    let path = &signed.tested.set().token;
    for (what, form) in [
        ("no client_assertion_type", vec![assertion]),
        ("no client_assertion", vec![TYPE]),
        (
            "another type",
            vec![assertion, ("client_assertion_type", "jwt-bearer")],
        ),
        (
            "a secret, too",
            vec![assertion, TYPE, ("client_id", ID), ("client_secret", "s")],
        ),
    ] {
        let form = [form.as_slice(), &[CLIENT_GRANT]].concat();
        let answer = signed.tested.post(path, &[], &form).await?;
        refused(what, &answer, &[400], &["invalid_request"])?;
    }
    signed.accepts("a good one after them", &good).await
}

async fn critical(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    for critical in [json!(["exp"]), json!(["unknown"]), json!([]), json!("exp")] {
        let header = with(&with(&header(), "crit", &critical), "exp", &json!(1));
        let made = signed.signer.sign(&header, &signed.claims())?;
        signed.refuses(&format!("crit {critical}"), &made).await?;
    }
    signed
        .accepts("a good one after them", &signed.good()?)
        .await
}

async fn other_client_id(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let good = signed.good()?;
    let form = [CLIENT_GRANT, TYPE, ("client_assertion", good.as_str())];
    let (path, codes) = (
        &signed.tested.set().token,
        ["invalid_client", "invalid_request"],
    );
    let other = [
        form.as_slice(),
        &[("client_id", &signed.tested.set().confidential.id)],
    ]
    .concat();
    let answer = signed.tested.post(path, &[], &other).await?;
    refused("another client_id", &answer, &[400, 401], &codes)?;
    let same = [form.as_slice(), &[("client_id", ID)]].concat();
    granted(
        "the same client_id",
        &signed.tested.post(path, &[], &same).await?,
    )
    .map(|_| ())
}

/// Another client, whose keys are wherever `jwks_uri` says.
async fn publishing(signed: &Signed, id: &str, jwks_uri: &str) -> Result<(), Failure> {
    let client = json!({ "client_id": id, "jwks_uri": jwks_uri });
    let put = signed.tested.control().post("clients", &client).await;
    put.map(|_| ())
}

/// A good assertion of this client with a key of this id.
fn assertion(signed: &Signed, id: &str, kid: &str, at: i64) -> Result<String, Failure> {
    let header = with(&header(), "kid", &json!(kid));
    let claims = json!({
        "iss": id, "sub": id, "aud": signed.issuer, "jti": unique(), "iat": at, "exp": at + 60,
    });
    signed.signer.sign(&header, &claims)
}

async fn published_keys(cx: Context) -> Outcome {
    let signed = Signed::start(&cx).await?;
    let set = |kid: &str| {
        let jwk = with(&signed.signer.jwk(), "kid", &json!(kid));
        let other =
            json!({ "kty": "RSA", "use": "enc", "kid": "encrypts", "n": "AQAB", "e": "AQAB" });
        Reply::json(200, &json!({ "keys": [other, jwk] }))
    };
    // Fetched when they are needed, once for many; again for an unknown one, once per cool-down.
    let keys = cx.scripted([set("first"), set("second")]).await?;
    publishing(&signed, "publisher", &format!("{}/jwks", keys.base_url())).await?;
    let mut at = signed.now;
    let ask =
        async |kid: &str, at: i64| signed.ask(&assertion(&signed, "publisher", kid, at)?).await;
    let many = try_join_all((0..20).map(|_| ask("first", at))).await?;
    for answer in &many {
        granted("an assertion with a published key", answer)?;
    }
    let asked = |wanted: usize, sent: &str| {
        let got = keys.received().len();
        ensure!(
            got == wanted,
            "sent {sent}, expected {wanted} requests for the keys, got {got}"
        );
        Ok(())
    };
    asked(1, "20 assertions at once")?;
    for _ in 0..20 {
        let answer = ask("second", at).await?;
        refused("an unknown key", &answer, &[400, 401], &["invalid_client"])?;
    }
    asked(1, "20 with an unknown key within the cool-down")?;
    signed.tested.control().advance(61).await?;
    at += 61;
    granted("a key that is new there", &ask("second", at).await?)?;
    asked(2, "one with a new key after it")?;
    for _ in 0..5 {
        let answer = ask("unknown", at).await?;
        refused("an unknown key", &answer, &[400, 401], &["invalid_client"])?;
    }
    asked(2, "5 more with an unknown key")?;
    bad_key_sets(&cx, &signed, at, set("first")).await?;
    keys_inside_a_network(&signed, at).await
}

/// Too much, too slow, elsewhere, nonsense: not one of them gets in, or hangs, or tells that there
/// is such a client.
async fn bad_key_sets(cx: &Context, signed: &Signed, at: i64, good: Reply) -> Outcome {
    let target = cx.scripted([good]).await?;
    let moved = format!("{}/jwks", target.base_url());
    for (index, (sent, reply)) in [
        ("keys without end", Reply::new(200).body("{").endless()),
        ("no answer", Reply::silence()),
        (
            "keys that moved",
            Reply::new(302).header("location", &moved),
        ),
        ("no JSON", Reply::new(200).body("keys")),
        ("no keys", Reply::json(200, &json!({ "keys": [] }))),
        ("an error", Reply::json(500, &json!({}))),
    ]
    .into_iter()
    .enumerate()
    {
        let keys = cx.scripted([reply]).await?;
        let id = format!("publisher-{index}");
        publishing(signed, &id, &format!("{}/jwks", keys.base_url())).await?;
        let answer = signed.ask(&assertion(signed, &id, "first", at)?).await?;
        refused(sent, &answer, &[400, 401], &["invalid_client"])?;
    }
    let followed = target.received().len();
    ensure!(
        followed == 0,
        "moved the keys, expected no redirect followed, got {followed}"
    );
    Ok(())
}

/// Refused when they are registered, or never asked: an answer comes at once, though nobody is
/// there.
async fn keys_inside_a_network(signed: &Signed, at: i64) -> Outcome {
    for (index, uri) in [
        "https://10.0.0.1/jwks",
        "https://192.168.0.1/jwks",
        "https://169.254.169.254/latest/meta-data",
        "https://[fc00::1]/jwks",
        "https://[::ffff:10.0.0.1]/jwks",
        "https://0x0a000001/jwks",
        "http://10.0.0.1/jwks",
        "http://public.example/jwks",
        "file:///etc/passwd",
        "https://user:pw@public.example/jwks",
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("inside-{index}");
        if publishing(signed, &id, uri).await.is_err() {
            continue;
        }
        let answer = signed.ask(&assertion(signed, &id, "first", at)?).await?;
        refused(uri, &answer, &[400, 401], &["invalid_client"])?;
    }
    Ok(())
}
