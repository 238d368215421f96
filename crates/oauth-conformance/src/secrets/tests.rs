//! A planted secret is found in each form, and a clean text has none.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use super::{finder::percent, *};

const PLANTED: &str = "s3cr\"t/Wert+ä=zu~lang";

fn found(text: &str) -> Vec<Form> {
    let secrets = Secrets::default();
    secrets.add(PLANTED);
    secrets.find(text).iter().map(|leak| leak.form).collect()
}

#[test]
fn it_is_found_in_each_form_wherever_it_stands() {
    let hex: String = PLANTED.bytes().map(|byte| format!("{byte:02X}")).collect();
    let form: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("a", PLANTED)
        .finish();
    for (form, text) in [
        (Form::Plain, PLANTED.to_owned()),
        (Form::Plain, Value::from(PLANTED).to_string()),
        (Form::Plain, PLANTED.replace('"', "&#34;")),
        (Form::Hex, hex.to_lowercase()),
        (Form::Hex, hex),
        (Form::Percent, percent(PLANTED)),
        (
            Form::Percent,
            percent(PLANTED)
                .replace("%C3%A4", "%c3%a4")
                .replace("%2F", "%2f")
                .replace("%2B", "%2b")
                .replace("%3D", "%3d"),
        ),
        (Form::Percent, form),
        (Form::List, format!("{:?}", PLANTED.as_bytes())),
        (
            Form::List,
            format!("{:?}", PLANTED.as_bytes()).replace(", ", ","),
        ),
    ] {
        assert_eq!(found(&format!("before\n{text}\nafter")), [form], "{text}");
    }
    for before in ["", "i", "id", "id:", "client"] {
        for after in ["", ":", "::", ":::"] {
            let text = format!("{before}{PLANTED}{after}");
            assert_eq!(
                found(&BASE64_STANDARD.encode(&text)),
                [Form::Base64],
                "{text}"
            );
            assert_eq!(
                found(&BASE64_URL_SAFE.encode(&text)),
                [Form::Base64],
                "{text}"
            );
        }
    }
}

#[test]
fn a_find_says_where_and_not_what() {
    let secrets = Secrets::default();
    secrets.add(PLANTED);
    let text = format!("one\ntwo\nx{PLANTED} {PLANTED}\n");
    let leaks = secrets.find(&text);
    assert_eq!(leaks.len(), 2);
    assert_eq!(leaks[0].line, 3);
    let said = format!("{leaks:?} {} {secrets:?}", leaks[0]);
    assert!(found(&said).is_empty(), "{said}");
}

#[test]
fn a_masked_text_has_nothing_left_of_them() {
    let secrets = Secrets::default();
    secrets.add("token-one");
    secrets.add("token-one-and-more");
    let text = "a token-one-and-more, é token-one.";
    let masked = secrets.finder().masked(text);
    assert_eq!(masked, "a [secret], é [secret].");
}

#[tokio::test]
async fn what_goes_by_hand_is_seen_on_both_sides() {
    let server = crate::ScriptedServer::start([crate::Reply::new(302)
        .header("Location", "/callback?code=code-that-came")
        .header("Set-Cookie", "sid=cookie-that-came")
        .body("access_token=token-that-came")])
    .await
    .unwrap();
    let secrets = Secrets::default();
    let headers = [("Cookie", "sid=cookie-that-went")];
    let target = "/authorize?request_uri=urn:that-went";
    let sent = crate::wire::request(server.base_url(), "GET", target, &headers, b"");
    CURRENT.scope(secrets.clone(), sent).await.unwrap();
    assert_eq!(secrets.len(), 5);
    for secret in [
        "code-that-came",
        "cookie-that-came",
        "token-that-came",
        "cookie-that-went",
        "urn:that-went",
    ] {
        assert_eq!(secrets.find(secret).len(), 1, "{secret}");
    }
}

#[test]
fn nothing_is_found_where_nothing_is() {
    assert!(found("").is_empty());
    assert!(found(&PLANTED[..PLANTED.len() - 1]).is_empty());
    let secrets = Secrets::default();
    secrets.add("https://id.example.com/callback");
    secrets.public("https://id.example.com/callback");
    secrets.add("short");
    secrets.add(&"a".repeat(1 << 20));
    secrets.add(&"ab=".repeat(1000));
    secrets.add("authorization");
    assert!(secrets.is_empty(), "a word of the catalogue is no secret");
    for word in ["short", "authorization", "aaaaaaaaaaaaaaa"] {
        assert!(!Secrets::can_find(word), "{word}");
    }
    assert!(Secrets::can_find(PLANTED));
}

#[test]
fn secrets_are_taken_from_bodies_and_headers() {
    let secrets = Secrets::default();
    secrets.add_body(br#"{"access_token":"json-token-1","scope":"no-secret-at-all","deep":[{"refresh_token":"json-token-2"}]}"#);
    secrets.add_body(b"grant_type=authorization_code&code=form%2Bcode%2F1&state=no-secret-either");
    secrets.add_authorization("Bearer header-token");
    secrets.add_authorization(&format!(
        "Basic {}",
        BASE64_STANDARD.encode("id:pass%2Bword-1")
    ));
    secrets.add_header("Cookie", "a=cookie-one; b=cookie-two");
    secrets.add_header("set-cookie", "a=cookie-three; Path=/not-a-secret");
    secrets.add_header("DPoP", "proof.of.possession");
    secrets.add_header(
        "location",
        "/callback?code=code-in-a-query&state=no-secret-1",
    );
    secrets.add_address("https://id.example.com/cb#access_token=token-in-a-fragment");
    secrets.add_header("content-type", "application/no-secret");
    for (text, hit) in [
        ("cookie-one", true),
        ("cookie-two", true),
        ("cookie-three", true),
        ("proof.of.possession", true),
        ("code-in-a-query", true),
        ("token-in-a-fragment", true),
        ("/not-a-secret", false),
        ("no-secret-1", false),
        ("application/no-secret", false),
        ("json-token-1", true),
        ("json-token-2", true),
        ("form+code/1", true),
        ("header-token", true),
        ("pass+word-1", true),
        ("no-secret-at-all", false),
        ("no-secret-either", false),
    ] {
        assert_eq!(!secrets.find(text).is_empty(), hit, "{text}");
    }
}
