//! What each option makes of a request, and what becomes of the answer.

use serde_json::{Value, json};

use crate::{
    endpoint::{self, Endpoint, Request},
    program::{Outcome, Running, World},
};

/// RFC 7515 appendix A.3.1.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
/// Of RFC 6749's characters those that a form changes.
const SECRET: (&str, &str) = ("OAUTH_CLIENT_SECRET", "s:e c%+");

fn granting() -> Endpoint {
    Endpoint::granting(json!({"access_token": "access", "token_type": "bearer"}))
}

fn ask(endpoint: &Endpoint, more: &str, variables: &[(&str, &str)]) -> Outcome {
    let arguments = format!(
        "token --token-url {}/token --client-id a --store memory: --output json {more}",
        endpoint.url()
    );
    World::new().run_with(&arguments, variables)
}

#[test]
fn each_way_to_authenticate() {
    let endpoint = granting();
    let sent = |more: &str, variables: &[(&str, &str)]| {
        ask(&endpoint, more, variables).succeeded();
        endpoint.only_request()
    };
    // RFC 6749 §2.3.1: both parts are form-encoded first, unless the server wants them raw.
    for (method, credentials) in [
        ("basic", "Basic YTpzJTNBZStjJTI1JTJC"),
        ("basic-raw", "Basic YTpzOmUgYyUr"),
    ] {
        let request = sent(&format!("--client-auth {method}"), &[SECRET]);
        assert_eq!(request.header("authorization"), Some(credentials));
        assert_eq!(request.member("client_secret"), None);
    }
    let request = sent("--client-auth post", &[SECRET]);
    assert_eq!(request.member("client_id").as_deref(), Some("a"));
    assert_eq!(request.member("client_secret").as_deref(), Some(SECRET.1));
    assert_eq!(request.header("authorization"), None);

    // The secret that is there all the same does not leave.
    let refresh = ("OAUTH_REFRESH_TOKEN", "r");
    let request = sent(
        "--client-auth none --grant refresh_token",
        &[SECRET, refresh],
    );
    assert_eq!(request.member("client_id").as_deref(), Some("a"));
    assert_eq!(request.member("client_secret"), None);
    assert_eq!(request.header("authorization"), None);

    let world = World::new();
    let key = world.file("key.jwk", KEY);
    let key = ("OAUTH_PRIVATE_KEY_FILE", key.to_str().unwrap());
    let long = (
        "OAUTH_CLIENT_SECRET",
        "a secret of at least 32 bytes, as HS256 wants it",
    );
    for (method, variable) in [("private-key-jwt", key), ("client-secret-jwt", long)] {
        let request = sent(&format!("--client-auth {method}"), &[variable]);
        // RFC 7523 §2.2.
        assert_eq!(
            request.member("client_assertion_type").as_deref(),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            "{method}"
        );
        let assertion = request.member("client_assertion").unwrap();
        assert_eq!(assertion.split('.').count(), 3, "{assertion}");
        assert_eq!(request.member("client_secret"), None);
    }
}

#[test]
fn scopes_parameters_and_whose_token() {
    let endpoint = granting();
    ask(
        &endpoint,
        "--scope read --scope write --param audience=x --param a=b=c",
        &[SECRET],
    )
    .succeeded();
    let request = endpoint.only_request();
    for (name, value) in [
        ("grant_type", "client_credentials"),
        ("scope", "read write"),
        ("audience", "x"),
        ("a", "b=c"),
    ] {
        assert_eq!(request.member(name).as_deref(), Some(value), "{name}");
    }
    let hers = ask(
        &endpoint,
        "--subject ada --username her",
        &[SECRET, ("OAUTH_PASSWORD", "word")],
    );
    assert_eq!(hers.succeeded().json()["subject"], "ada");
    let request = endpoint.only_request();
    for (name, value) in [
        ("grant_type", "password"),
        ("username", "her"),
        ("password", "word"),
    ] {
        assert_eq!(request.member(name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn secrets_of_each_grant_from_files() {
    // RFC 8693 §2.2.1 wants the last member; the others don't mind.
    let endpoint = Endpoint::granting(json!({
        "access_token": "access", "token_type": "bearer",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }));
    let world = World::new();
    let file = |name: &str| {
        world
            .file(name, &format!("the {name}\n"))
            .display()
            .to_string()
    };
    let cases = [
        (
            format!("--username u --password-file {}", file("password")),
            vec![("password", "the password")],
        ),
        (
            format!(
                "--grant refresh_token --refresh-token-file {}",
                file("refresh")
            ),
            vec![("refresh_token", "the refresh")],
        ),
        (
            format!(
                "--grant authorization_code --redirect-uri https://example.com/c --code-file {} --code-verifier-file {}",
                file("code"),
                world.file("verifier", &"v".repeat(43)).display()
            ),
            vec![
                ("code", "the code"),
                ("redirect_uri", "https://example.com/c"),
                (
                    "code_verifier",
                    "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv",
                ),
            ],
        ),
        (
            format!(
                "--grant jwt_bearer --assertion-file {}",
                world.file("assertion", "e30.e30.c2ln\n").display()
            ),
            vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", "e30.e30.c2ln"),
            ],
        ),
        (
            format!(
                "--grant token_exchange --subject-token-file {}",
                file("subject")
            ),
            vec![
                (
                    "grant_type",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ),
                ("subject_token", "the subject"),
                (
                    "subject_token_type",
                    "urn:ietf:params:oauth:token-type:access_token",
                ),
            ],
        ),
    ];
    for (more, members) in cases {
        ask(&endpoint, &more, &[SECRET]).succeeded();
        let request = endpoint.only_request();
        for (name, value) in members {
            assert_eq!(request.member(name).as_deref(), Some(value), "{more}");
        }
    }
    let introspect = format!(
        "introspect --token-url {0}/t --introspect-url {0}/i --client-id a --store memory: --token-file {1}",
        endpoint.url(),
        file("token")
    );
    // The endpoint's answer is none to this question.
    world.run_with(&introspect, &[SECRET]).failed(11);
    let request = endpoint.only_request();
    assert_eq!(request.member("token").as_deref(), Some("the token"));
}

#[test]
fn each_endpoint_by_its_name() {
    let endpoint = Endpoint::start(|request| {
        let body = match request.path() {
            "/device" => {
                r#"{"device_code":"d","user_code":"BCDF","verification_uri":"http://127.0.0.1/v","expires_in":600,"interval":1}"#
            }
            "/token" => r#"{"access_token":"access","token_type":"bearer","expires_in":3600}"#,
            "/introspect" => r#"{"active":true,"client_id":"b"}"#,
            "/userinfo" => r#"{"sub":"ada"}"#,
            _ => "",
        };
        endpoint::json(200, body)
    });
    let world = World::new();
    let url = endpoint.url();
    let all = format!(
        "--token-url {url}/token --authorize-url {url}/authorize --revoke-url {url}/revoke --introspect-url {url}/introspect --device-url {url}/device --userinfo-url {url}/userinfo --client-id a"
    );
    let run = |command: &str| {
        world
            .run_with(&format!("{command} {all}"), &[SECRET])
            .succeeded()
    };
    let paths = || {
        let requests = endpoint.take();
        let paths = requests.iter().map(Request::path);
        paths.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(run("token").out, "access\n");
    assert_eq!(paths(), ["/token"]);
    assert_eq!(run("introspect --output json").json()["client_id"], "b");
    assert_eq!(run("validate --output json").json()["valid"], true);
    assert_eq!(paths(), ["/introspect", "/introspect"]);
    assert_eq!(run("userinfo --output json").json(), json!({"sub": "ada"}));
    assert_eq!(paths(), ["/userinfo"]);
    run("revoke");
    assert_eq!(paths(), ["/revoke"]);
    let granted = run("token --grant device_code --output json");
    assert_eq!(granted.json()["from"], "grant");
    assert!(granted.err.contains("BCDF"), "{}", granted.err);
    run("login --device");
    assert_eq!(paths(), ["/device", "/token", "/device", "/token"]);
    let login = crate::login::started(&format!("login --no-browser {all}"), &[SECRET]);
    assert!(
        login
            .address
            .as_str()
            .starts_with(&format!("{url}/authorize?"))
    );
}

#[test]
fn metadata_as_of_openid_connect_and_another_base() {
    let endpoint = Endpoint::start(|request| {
        let base = format!("http://{}", request.header("host").unwrap());
        match request.path() {
            "/.well-known/openid-configuration" => {
                let metadata = json!({
                    "issuer": base,
                    "authorization_endpoint": format!("{base}/a"),
                    "token_endpoint": format!("{base}/t"),
                    "jwks_uri": format!("{base}/j"),
                    "response_types_supported": ["code"],
                });
                endpoint::json(200, &metadata.to_string())
            }
            "/t" => endpoint::json(200, r#"{"access_token":"access","token_type":"bearer"}"#),
            _ => endpoint::json(404, ""),
        }
    });
    for option in ["issuer", "base-url"] {
        let token = format!(
            "token --{option} {} --client-id a --store memory:",
            endpoint.url()
        );
        let token = World::new().run_with(&token, &[SECRET]).succeeded();
        assert_eq!(token.out, "access\n");
        let requests = endpoint.take();
        let paths: Vec<_> = requests.iter().map(Request::path).collect();
        assert_eq!(
            paths,
            [
                "/.well-known/oauth-authorization-server",
                "/.well-known/openid-configuration",
                "/t"
            ]
        );
    }
}

#[test]
fn repeats_are_counted_and_the_wait_is_told() {
    let endpoint = Endpoint::start(|_| endpoint::with_header(503, "retry-after: 0", ""));
    for (more, requests) in [("", 4), ("--retries 0", 1), ("--retries 2", 3)] {
        let failed = ask(&endpoint, more, &[SECRET]).failed(13);
        assert_eq!(failed.error()["kind"], "server");
        assert_eq!(endpoint.take().len(), requests, "{more:?}");
    }
    let endpoint = Endpoint::start(|_| endpoint::with_header(429, "retry-after: 7", ""));
    let failed = ask(&endpoint, "--retries 0", &[SECRET]).failed(13).error();
    assert_eq!(
        (
            &failed["retry_after"],
            &failed["recovery"],
            &failed["status"]
        ),
        (&7.into(), &"retry".into(), &429.into())
    );
}

#[test]
fn the_time_limit_of_the_whole_command() {
    let endpoint = Endpoint::start(|_| {
        std::thread::sleep(std::time::Duration::from_secs(60));
        Vec::new()
    });
    let failed = ask(&endpoint, "--timeout 300ms", &[SECRET]).failed(12);
    assert_eq!(failed.error()["kind"], "transport");
}

#[test]
fn an_error_has_these_members() {
    let endpoint = Endpoint::start(|_| {
        let body = r#"{"error":"invalid_grant","error_description":"It has ended."}"#;
        endpoint::json(400, body)
    });
    let refresh = ("OAUTH_REFRESH_TOKEN", "r");
    let failed = ask(&endpoint, "--grant refresh_token", &[SECRET, refresh]).failed(10);
    assert_eq!(
        failed.error(),
        json!({
            "kind": "oauth", "code": "invalid_grant", "status": 400,
            "description": "It has ended.", "recovery": "reauthorize", "retry_after": null,
        })
    );
    assert_eq!(failed.err.lines().count(), 1, "{}", failed.err);
}

#[test]
fn a_token_has_these_members() {
    let endpoint = Endpoint::granting(json!({
        "access_token": "access", "token_type": "Bearer", "scope": "b a", "refresh_token": "r",
    }));
    let mut token = json!({
        "provider": "generic", "subject": null, "access_token": "access", "token_type": "bearer",
        "scopes": ["a", "b"], "expires_at": null, "expires_in": null, "has_refresh_token": true,
        "from": "grant",
    });
    assert_eq!(ask(&endpoint, "", &[SECRET]).succeeded().json(), token);
    token["refresh_token"] = "r".into();
    let shown = ask(&endpoint, "--show-refresh-token", &[SECRET]);
    assert_eq!(shown.succeeded().json(), token);
}

#[test]
fn every_option_has_a_variable_and_may_be_in_a_profile() {
    fn look(command: &clap::Command, seen: &mut Vec<String>) {
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            let variable = format!("OAUTH_{}", long.to_uppercase().replace('-', "_"));
            let has = arg.get_env().and_then(std::ffi::OsStr::to_str);
            assert_eq!(has, Some(&*variable), "{}", command.get_name());
            seen.push(long.to_owned());
        }
        for inner in command.get_subcommands() {
            look(inner, seen);
        }
    }
    let command = oauth_cli::command();
    let mut seen = Vec::new();
    look(&command, &mut seen);
    for promised in [
        "provider",
        "base-url",
        "issuer",
        "token-url",
        "authorize-url",
        "revoke-url",
        "introspect-url",
        "device-url",
        "userinfo-url",
        "grant",
        "client-id",
        "client-auth",
        "scope",
        "subject",
        "username",
        "param",
        "store",
        "fresh",
        "output",
        "timeout",
        "retries",
        "client-secret-file",
        "password-file",
        "refresh-token-file",
        "code-file",
        "token-file",
        "private-key-file",
        "profile",
        "show-refresh-token",
        "show-secrets",
        "device",
        "keep",
        "demo",
        "listen",
    ] {
        assert!(seen.iter().any(|name| name == promised), "{promised}");
    }
    // A flag's variable, too.
    let endpoint = granting();
    let shown = ask(
        &endpoint,
        "",
        &[SECRET, ("OAUTH_FRESH", "true"), ("OAUTH_RETRIES", "0")],
    );
    shown.succeeded();

    let token = command.find_subcommand("token").unwrap();
    let world = World::new();
    for arg in token.get_arguments() {
        let long = arg.get_long().unwrap();
        if ["profile", "config"].contains(&long) {
            continue;
        }
        // Where they are looked for unless --config says otherwise.
        let folder = world.home.path().join(".config/oauth");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("oauth.toml"), format!("[p]\n{long} = {{}}\n")).unwrap();
        let refused = world.run("token --profile p").failed(2);
        let wrong_type = refused.err.contains("profile [p]") && !refused.err.contains("unknown");
        assert!(wrong_type, "{long}: {}", refused.err);
    }
}

#[test]
fn the_demo_is_as_promised() {
    let (server, world) = (
        Running::start("serve --demo --listen 127.0.0.1:0"),
        World::new(),
    );
    for name in [
        "token",
        "authorize",
        "introspect",
        "revoke",
        "device",
        "jwks",
        "metadata",
    ] {
        let url = server.info["endpoints"][name].as_str().unwrap();
        assert!(url.starts_with(server.text("issuer")), "{name}");
    }
    let issuer = server.text("issuer");
    let svc = format!("token --issuer {issuer} --client-id svc --store memory: --output json");
    let secret = ("OAUTH_CLIENT_SECRET", "svc-secret");
    for method in ["basic", "post"] {
        let scopes = "--scope read --scope write --scope admin";
        let token = world.run_with(&format!("{svc} --client-auth {method} {scopes}"), &[secret]);
        assert_eq!(
            token.succeeded().json()["scopes"],
            json!(["admin", "read", "write"])
        );
    }
    let demo = [secret, ("OAUTH_PASSWORD", "demo")];
    let user = "--username demo --scope openid --scope offline_access --show-refresh-token";
    let hers = world
        .run_with(&format!("{svc} {user}"), &demo)
        .succeeded()
        .json();
    let refresh = (
        "OAUTH_REFRESH_TOKEN",
        hers["refresh_token"].as_str().unwrap(),
    );
    world
        .run_with(&format!("{svc} --grant refresh_token"), &[secret, refresh])
        .succeeded();
    // A public client gets nothing without a user.
    let public = svc.replace(
        "--client-id svc",
        "--client-id pub --grant client_credentials",
    );
    assert!([2, 10].contains(&world.run(&public).code));

    // A code is for svc, too; only this one does not exist.
    let by_code = "--grant authorization_code --redirect-uri http://127.0.0.1/callback";
    let code = ("OAUTH_CODE", "none");
    let refused = world.run_with(&format!("{svc} {by_code}"), &[secret, code]);
    assert_eq!(refused.failed(10).error()["code"], "invalid_grant");
    // A resource server asks about tokens, and gets nobody's.
    let rs = svc.replace("--client-id svc", "--client-id rs");
    let demo = [
        ("OAUTH_CLIENT_SECRET", "rs-secret"),
        ("OAUTH_PASSWORD", "demo"),
        ("OAUTH_CODE", "none"),
    ];
    for grant in [
        "--username demo",
        by_code,
        "--grant device_code --timeout 9s",
    ] {
        let refused = world.run_with(&format!("{rs} {grant}"), &demo).failed(10);
        assert_eq!(refused.error()["code"], "unauthorized_client", "{grant}");
    }
}

#[test]
fn an_emulator_is_controlled() {
    let emulator = Running::start("emulate rfc");
    assert_eq!(
        emulator.text("control_url"),
        format!("{}/_control/", emulator.text("base_url"))
    );
    for name in ["token", "authorize", "revoke"] {
        assert!(
            emulator.info["endpoints"][name].is_string(),
            "{}",
            emulator.info
        );
    }
    let world = World::new();
    let run = |command: &str| {
        let issuer = emulator.text("base_url");
        let arguments =
            format!("{command} --issuer {issuer} --client-id demo --retries 0 --output json");
        world.run_with(&arguments, &[("OAUTH_CLIENT_SECRET", "demo-secret")])
    };
    let requests = || {
        emulator
            .control("GET", "requests", &Value::Null)
            .to_string()
    };
    assert_eq!(run("token").succeeded().json()["from"], "grant");
    let asked = requests();
    assert!(
        asked.contains("client_credentials") && !asked.contains("demo-secret"),
        "{asked}"
    );
    run("validate").succeeded();
    emulator.control("POST", "clock", &json!({"advance_seconds": 1_000_000}));
    run("validate").failed(10);
    emulator.control("DELETE", "state", &Value::Null);
    assert!(!requests().contains("client_credentials"));
    let fault = json!({"path": "/token", "status": 503, "body": "", "times": 1});
    emulator.control("POST", "faults", &fault);
    run("token --fresh").failed(13);
    run("token --fresh").succeeded();
}
