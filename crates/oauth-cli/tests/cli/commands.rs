//! Every command, option and exit code, against the demo server and the emulators.

use crate::{
    endpoint::{self, Endpoint},
    program::{Outcome, Running, World},
};

const SECRET: (&str, &str) = ("OAUTH_CLIENT_SECRET", "svc-secret");

fn demo() -> Running {
    Running::start("serve --demo --listen 127.0.0.1:0")
}

fn at(server: &Running, command: &str) -> String {
    let (command, rest) = command.split_once(' ').unwrap_or((command, ""));
    format!(
        "{command} --issuer {} --client-id svc {rest}",
        server.text("issuer")
    )
}

#[test]
fn a_token_is_granted_then_stored_then_fresh() {
    let (server, world) = (demo(), World::new());
    let token = at(&server, "token --scope read --output json");
    let first = world.run_with(&token, &[SECRET]).succeeded();
    assert!(
        first.err.contains("no system keyring"),
        "said once: {}",
        first.err
    );
    let first = first.json();
    assert_eq!(first["from"], "grant");
    assert_eq!(first["provider"], "generic");
    assert!(first["subject"].is_null());
    assert_eq!(first["token_type"], "bearer");
    assert_eq!(first["scopes"], serde_json::json!(["read"]));
    assert_eq!(first["has_refresh_token"], false);
    assert!(first["expires_at"].as_str().unwrap().ends_with('Z'));
    assert!(first["expires_in"].as_u64().unwrap() > 3500);
    assert!(first.get("refresh_token").is_none());

    let second = world.run_with(&token, &[SECRET]).succeeded();
    assert_eq!(second.err, "", "and only once");
    let second = second.json();
    assert_eq!(
        (&second["from"], &second["access_token"]),
        (&"store".into(), &first["access_token"])
    );

    let fresh = world
        .run_with(&format!("{token} --fresh"), &[SECRET])
        .succeeded()
        .json();
    assert_eq!(fresh["from"], "grant");
    assert_ne!(fresh["access_token"], first["access_token"]);

    // From the store even when the server is gone.
    drop(server);
    let stored = world.run_with(&token, &[SECRET]).succeeded().json();
    assert_eq!(stored["access_token"], fresh["access_token"]);
    world
        .run_with(&format!("{token} --fresh --retries 0"), &[SECRET])
        .failed(12);
}

#[test]
fn text_is_the_token_alone_and_header_is_ready_for_curl() {
    let (server, world) = (demo(), World::new());
    let text = world
        .run_with(&at(&server, "token"), &[SECRET])
        .succeeded()
        .out;
    assert_eq!(text.lines().count(), 1);
    let header = world
        .run_with(&at(&server, "token --output header"), &[SECRET])
        .succeeded()
        .out;
    assert_eq!(header, format!("Authorization: Bearer {text}"));

    let api = Endpoint::start(|_| endpoint::json(200, "{}"));
    let piped = format!(
        "curl --silent --fail -H \"$(oauth {} --output header)\" {}",
        at(&server, "token"),
        api.url()
    );
    let folder = crate::program::program();
    let path = format!("{}:/usr/bin:/bin", folder.parent().unwrap().display());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-euc", &piped]).env_clear();
    shell.env("HOME", world.home.path()).env("PATH", path);
    assert_eq!(Outcome::of(&mut shell).succeeded().out, "{}");
    let sent = api.only_request();
    assert_eq!(
        sent.header("authorization"),
        Some(format!("Bearer {}", text.trim()).as_str())
    );

    // Only where there is a token to print; a variable or a profile is for all commands.
    for command in ["validate", "revoke", "tokens list", "providers"] {
        let command = match command {
            "validate" | "revoke" => at(&server, command),
            _ => command.to_owned(),
        };
        world.run(&format!("{command} --output header")).failed(2);
        let variables = [SECRET, ("OAUTH_OUTPUT", "header")];
        world.run_with(&command, &variables).succeeded();
    }
}

#[test]
fn secrets_come_from_variables_files_and_standard_input() {
    let (server, world) = (demo(), World::new());
    let file = world.file("secret", "svc-secret\n");
    let with_file = at(
        &server,
        &format!(
            "token --store memory: --client-secret-file {}",
            file.display()
        ),
    );
    world.run(&with_file).succeeded();
    // The option comes before the variable.
    world
        .run_with(&with_file, &[("OAUTH_CLIENT_SECRET", "wrong")])
        .succeeded();

    let mut piped = world.command(&at(&server, "token --store memory: --client-secret-file -"));
    let mut child = piped
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"svc-secret\n").unwrap();
    assert!(child.wait().unwrap().success());

    let refused = world
        .run(&at(&server, "token --client-secret PLANTED --output json"))
        .failed(2);
    assert!(!refused.err.contains("PLANTED"), "{}", refused.err);
    let twice = at(&server, "token --client-secret-file - --password-file -");
    world.run(&twice).failed(2);
    for store in [
        "postgres://u:PLANTED@h/d",
        "postgres://u@h/d?password=PLANTED",
        "postgres://h/d?user=u&p%61ssword=PLANTED",
        "postgres://h/d?sslpassword=PLANTED",
        "postgres://u:PLANTED@h:5432,i:5433/d",
        "postgres://h:5432,i:5433/d?password=PLANTED",
        "redis://:PLANTED@h",
    ] {
        for command in [
            "token --client-id a --token-url https://a.invalid/t",
            "tokens list",
        ] {
            let refused = world.run(&format!("{command} --store {store}")).failed(2);
            assert!(
                !refused.err.contains("PLANTED") && refused.err.contains("OAUTH_STORE instead"),
                "{store} {}",
                refused.err
            );
        }
    }
}

#[test]
fn every_option_has_a_variable_and_profiles_hold_the_rest() {
    let (server, world) = (demo(), World::new());
    let issuer = server.text("issuer");
    let variables = [
        SECRET,
        ("OAUTH_ISSUER", issuer),
        ("OAUTH_CLIENT_ID", "svc"),
        ("OAUTH_SCOPE", "read write"),
        ("OAUTH_OUTPUT", "json"),
        ("OAUTH_STORE", "memory:"),
    ];
    let token = world.run_with("token", &variables).succeeded().json();
    assert_eq!(token["scopes"], serde_json::json!(["read", "write"]));

    let secret = world.file("secret", "svc-secret");
    let profiles = format!(
        "[svc]\nissuer = {issuer:?}\nclient-id = \"svc\"\nclient-secret-file = {:?}\nscope = [\"read\"]\n",
        secret.display().to_string()
    );
    let config = world.file("oauth.toml", &profiles);
    let token = format!(
        "token --config {} --profile svc --store memory: --output json",
        config.display()
    );
    assert_eq!(
        world.run(&token).succeeded().json()["scopes"],
        serde_json::json!(["read"])
    );
    // Option, then variable, then profile.
    let scope = [("OAUTH_SCOPE", "write")];
    assert_eq!(
        world.run_with(&token, &scope).succeeded().json()["scopes"],
        serde_json::json!(["write"])
    );
    let admin = world
        .run_with(&format!("{token} --scope admin"), &scope)
        .succeeded()
        .json();
    assert_eq!(admin["scopes"], serde_json::json!(["admin"]));
    world
        .run_with(&token, &[("OAUTH_CLIENT_SECRET", "wrong")])
        .failed(10);
    world
        .run(&token.replace("--profile svc", "--profile nobody"))
        .failed(2);
    // Errors, too, are as the profile says.
    world.file(
        "oauth.toml",
        "[svc]\noutput = \"json\"\ntoken-url = \"http://127.0.0.1:1\"\n",
    );
    let text_else = format!("token --config {} --profile svc", config.display());
    let refused = world.run(&text_else).failed(2);
    assert_eq!(refused.error()["kind"], "usage");
    let text = world
        .run(&format!("{text_else} --output text"))
        .failed(2)
        .err;
    assert!(text.starts_with("error: "), "{text}");
    world.file("oauth.toml", "[svc]\nclient-secret = \"PLANTED\"\n");
    let refused = world.run(&token).failed(2);
    assert!(
        refused.err.contains("client-secret") && !refused.err.contains("PLANTED"),
        "{}",
        refused.err
    );
}

#[test]
fn each_way_to_authenticate() {
    let (server, world) = (demo(), World::new());
    for method in ["basic", "basic-raw", "post"] {
        let token = at(
            &server,
            &format!("token --store memory: --client-auth {method}"),
        );
        world.run_with(&token, &[SECRET]).succeeded();
    }
    let token = at(&server, "token --store memory: --output json --client-auth");
    let none = world
        .run_with(
            &format!("{token} none --grant client_credentials"),
            &[SECRET],
        )
        .failed(2);
    assert_eq!(none.error()["kind"], "usage");
    world
        .run_with(&format!("{token} private-key-jwt"), &[SECRET])
        .failed(2);
    world.run(&format!("{token} client-secret-jwt")).failed(2);
}

#[test]
fn each_grant() {
    let emulator = Running::start("emulate rfc");
    let world = World::new();
    let base = format!(
        "--issuer {} --client-id svc --store memory: --output json --show-refresh-token",
        emulator.text("base_url")
    );
    let run = |arguments: &str, secret: (&str, &str)| {
        world.run_with(&format!("token {base} {arguments}"), &[SECRET, secret])
    };

    let password = run(
        "--grant password --username demo",
        ("OAUTH_PASSWORD", "demo"),
    )
    .succeeded()
    .json();
    assert_eq!(password["has_refresh_token"], true);
    let refresh = password["refresh_token"].as_str().unwrap();
    run("--grant refresh_token", ("OAUTH_REFRESH_TOKEN", refresh)).succeeded();
    // Rotated: the old one is dead.
    let dead = run("--grant refresh_token", ("OAUTH_REFRESH_TOKEN", refresh)).failed(10);
    assert_eq!(
        (&dead.error()["code"], &dead.error()["recovery"]),
        (&"invalid_grant".into(), &"reauthorize".into())
    );

    // RFC 7636, appendix B.
    let wanted = serde_json::json!({
        "client_id": "svc",
        "redirect_uri": "https://example.com/callback",
        "scope": "read",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    });
    let verifier = world.file("verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let code = emulator.control("POST", "codes", &wanted);
    let code = code["code"].as_str().unwrap_or_else(|| panic!("{code}"));
    let by_code = format!(
        "--grant authorization_code --redirect-uri https://example.com/callback --code-verifier-file {}",
        verifier.display()
    );
    run(&by_code, ("OAUTH_CODE", code)).succeeded();
    let used = run(&by_code, ("OAUTH_CODE", code)).failed(10);
    assert_eq!(used.error()["code"], "invalid_grant");

    for grant in [
        "password --username demo",
        "refresh_token",
        "authorization_code",
        "jwt_bearer",
        "token_exchange",
    ] {
        let missing = run(&format!("--grant {grant}"), ("OAUTH_UNUSED", "")).failed(2);
        assert!(
            missing.error()["description"]
                .as_str()
                .unwrap()
                .contains("OAUTH_"),
            "{}",
            missing.err
        );
    }
    run("--grant nonsense", ("OAUTH_UNUSED", "")).failed(2);
}

#[test]
fn what_the_server_says_of_a_token() {
    let (server, world) = (demo(), World::new());
    let run = |command: &str, variables: &[(&str, &str)]| {
        world.run_with(&at(&server, command), variables)
    };
    let missing = run("introspect --output json", &[SECRET]).failed(2);
    assert_eq!(missing.error()["recovery"], "reauthorize");

    let token = run(
        "token --scope openid",
        &[
            SECRET,
            ("OAUTH_PASSWORD", "demo"),
            ("OAUTH_USERNAME", "demo"),
        ],
    );
    let token = token.succeeded().out;
    let said = run("introspect --output json", &[SECRET])
        .succeeded()
        .json();
    assert_eq!(
        (&said["active"], &said["client_id"]),
        (&true.into(), &"svc".into())
    );
    assert_eq!(
        run("validate --output json", &[SECRET]).succeeded().json()["valid"],
        true
    );
    assert_eq!(
        run("userinfo --output json", &[SECRET]).succeeded().json()["sub"],
        "demo-user"
    );

    let given = ("OAUTH_TOKEN", token.trim());
    let rs = format!(
        "introspect --issuer {} --client-id rs --output json",
        server.text("issuer")
    );
    let said = world
        .run_with(&rs, &[("OAUTH_CLIENT_SECRET", "rs-secret"), given])
        .succeeded()
        .json();
    assert_eq!(said["active"], true);

    let kept = run("revoke --keep --output json", &[SECRET]).succeeded();
    assert_eq!(kept.json(), serde_json::json!({"revoked": 1}));
    let said = run("introspect --output json", &[SECRET])
        .succeeded()
        .json();
    assert_eq!(said, serde_json::json!({"active": false}), "kept, and dead");
    let dead = run("validate --output json", &[SECRET]).failed(10);
    assert_eq!(dead.error()["code"], "invalid_token");
    run("revoke", &[SECRET]).succeeded();
    assert_eq!(world.run("tokens list").succeeded().out, "");
    run("revoke", &[SECRET]).failed(2);
}

#[test]
fn each_provider() {
    let world = World::new();
    let secret = [
        ("OAUTH_CLIENT_SECRET", "demo-secret"),
        ("OAUTH_PASSWORD", "demo"),
    ];
    let cases = [
        ("twitch", "", true),
        (
            "moov",
            "--origin https://example.com --scope /accounts.read",
            false,
        ),
        ("ministry-platform", "--username demo", true),
    ];
    for (name, more, has_validation) in cases {
        let emulator = Running::start(&format!("emulate {name}"));
        let base = format!(
            "--provider {name} --base-url {} --client-id demo {more}",
            emulator.text("base_url")
        );
        let token = world
            .run_with(&format!("token {base} --output json"), &secret)
            .succeeded()
            .json();
        assert_eq!(
            (&token["provider"], &token["from"]),
            (&name.into(), &"grant".into())
        );
        let stored = world
            .run_with(&format!("token {base} --output json"), &secret)
            .succeeded()
            .json();
        assert_eq!(stored["from"], "store", "{name}");
        let said = world.run_with(&format!("validate {base} --output json"), &secret);
        if has_validation {
            assert_eq!(said.succeeded().json()["valid"], true, "{name}");
        } else {
            assert_eq!(said.failed(2).error()["kind"], "usage", "{name}");
        }
        world
            .run_with(&format!("revoke {base}"), &secret)
            .succeeded();
    }
    world.run("token --provider moov --client-id a").failed(2);
    world
        .run("token --provider ministry-platform --client-id a")
        .failed(2);
    world
        .run("token --provider twitch --client-id a --token-url https://a.invalid/t")
        .failed(2);
}

#[test]
fn bad_input_is_told_before_anything_is_sent() {
    let world = World::new();
    let base = "--token-url https://a.invalid/token --client-id a --output json";
    for arguments in [
        "token --output json".to_owned(),
        "token --client-id a --output json".to_owned(),
        format!("token {base} --scope \u{e9}"),
        format!("token {base} --param novalue"),
        format!("token {base} --param client_id=b"),
        format!("token {base} --timeout soon"),
        format!("token {base} --timeout 0s"),
        format!("token {base} --retries many"),
        format!("token {base} --store ftp://a"),
        format!("token {base} --store postgres://a/b"),
        format!("token {base} --client-secret-file /nowhere/at/all"),
        format!("token {base} --provider nobody"),
        format!("token {base} --issuer not-a-url://"),
        format!("login {base}"),
        format!(
            "login {base} --authorize-url https://a.invalid/a --redirect-uri http://example.com/c"
        ),
        "tokens delete --output json".to_owned(),
    ] {
        let refused = world.run(&arguments).failed(2);
        assert_eq!(refused.error()["kind"], "usage", "{arguments}");
    }
    for url in [
        "--token-url http://example.com/t",
        "--issuer http://example.com",
    ] {
        let refused = world
            .run(&format!("token {url} --client-id a --output json"))
            .failed(12);
        assert_eq!(refused.error()["kind"], "transport");
    }
    let text = world.run("token --client-id a").failed(2);
    assert!(
        text.err.starts_with("error: ") && !text.err.contains('\u{1b}'),
        "{:?}",
        text.err
    );
}

#[test]
fn what_needs_no_server() {
    let world = World::new();
    let all = world.run("providers --output json").succeeded().json();
    let names: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["provider"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["generic", "twitch", "moov", "ministry-platform"]);
    assert_eq!(
        all[1]["endpoints"]["token"],
        "https://id.twitch.tv/oauth2/token"
    );
    assert!(world.run("providers").succeeded().out.contains("{host}"));
    assert!(world.run("--version").succeeded().out.starts_with("oauth "));
    world.run("").failed(2);
}
