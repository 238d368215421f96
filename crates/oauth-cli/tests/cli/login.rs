//! `oauth login`: the browser is a test that follows redirects, as far as a page goes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
};

use url::Url;

use crate::{
    commands::post,
    program::{Running, World},
};

struct Login {
    world: World,
    child: Child,
    errors: BufReader<std::process::ChildStderr>,
    address: Url,
}

fn login(issuer: &str, more: &str) -> Login {
    let world = World::new();
    let mut child = world
        .command(&format!(
            "login --issuer {issuer} --client-id pub --no-browser --output json {more}"
        ))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.trim().starts_with("http") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "no address");
    }
    let address = line.trim().parse().unwrap();
    Login {
        world,
        child,
        errors,
        address,
    }
}

impl Login {
    /// Where the answer goes.
    fn redirect_uri(&self) -> Url {
        let mut pairs = self.address.query_pairs();
        let uri = pairs
            .find(|(name, _)| name == "redirect_uri")
            .unwrap()
            .1
            .into_owned();
        uri.parse().unwrap()
    }

    /// The exit code, standard output and the rest of standard error.
    fn end(mut self) -> (i32, String, String, World) {
        let (mut out, mut err) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        self.errors.read_to_string(&mut err).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, out, err, self.world)
    }
}

/// The whole answer.
fn get(url: &Url) -> String {
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(&host).unwrap();
    let path = &url[url::Position::BeforePath..];
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn location(answer: &str) -> Url {
    let line = answer
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("location: "));
    line.unwrap_or_else(|| panic!("{answer}"))["location: ".len()..]
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn in_the_browser() {
    let emulator = Running::start("emulate rfc");
    let login = login(
        emulator.text("base_url"),
        "--scope read --scope openid --subject ada",
    );
    let query: std::collections::HashMap<_, _> = login.address.query_pairs().into_owned().collect();
    assert_eq!(
        (&*query["response_type"], &*query["code_challenge_method"]),
        ("code", "S256")
    );
    assert!(query["state"].len() >= 43 && query["nonce"].len() >= 43);
    let redirect = login.redirect_uri();
    assert_eq!(
        (redirect.host_str(), redirect.path()),
        (Some("127.0.0.1"), "/callback")
    );

    // Others change nothing: a page for the icon, an answer to somebody else's login.
    let mut other = redirect.clone();
    other.set_path("/favicon.ico");
    assert!(get(&other).starts_with("HTTP/1.1 404"));
    other = redirect.clone();
    other.set_query(Some("code=PLANTED&state=PLANTED"));
    let wrong = get(&other);
    assert!(
        wrong.starts_with("HTTP/1.1 400") && wrong.contains("another login"),
        "{wrong}"
    );

    let back = location(&get(&login.address));
    let page = get(&back);
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("Signed in"),
        "{page}"
    );
    assert!(
        page.to_ascii_lowercase()
            .contains("cache-control: no-store"),
        "{page}"
    );
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    assert!(
        !page.contains(&code) && !wrong.contains("PLANTED"),
        "a page repeats what came"
    );

    let (exit, out, err, world) = login.end();
    assert_eq!(exit, 0, "{err}");
    let token: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&token["subject"], &token["from"]),
        (&"ada".into(), &"grant".into())
    );
    let again = format!(
        "token --issuer {} --client-id pub --subject ada --output json",
        emulator.text("base_url")
    );
    let stored = world.run(&again).succeeded().json();
    assert_eq!(
        (&stored["access_token"], &stored["from"]),
        (&token["access_token"], &"store".into())
    );
}

#[test]
fn denied() {
    let emulator = Running::start("emulate rfc");
    post(emulator.text("control_url"), "switches", r#"{"deny":true}"#);
    let login = login(emulator.text("base_url"), "");
    let page = get(&location(&get(&login.address)));
    assert!(page.contains("Not signed in"), "{page}");
    let (exit, out, err, world) = login.end();
    assert_eq!((exit, &*out), (10, ""), "{err}");
    assert!(err.contains("access_denied"), "{err}");
    assert_eq!(world.run("tokens list").succeeded().out, "");
}

#[test]
fn nobody_comes() {
    let emulator = Running::start("emulate rfc");
    let (exit, _, err, _) = login(emulator.text("base_url"), "--timeout 300ms").end();
    assert_eq!(exit, 12, "{err}");
}

#[test]
fn interrupted() {
    let emulator = Running::start("emulate rfc");
    let login = login(emulator.text("base_url"), "");
    crate::program::signalled(&login.child, "-INT");
    let (exit, out, err, world) = login.end();
    assert_eq!((exit, &*out), (130, ""), "{err}");
    assert_eq!(
        world.run("tokens list").succeeded().out,
        "",
        "the store is whole"
    );
}

#[test]
fn on_another_device() {
    let emulator = Running::start("emulate rfc");
    let world = World::new();
    let mut child = world
        .command(&format!(
            "login --device --issuer {} --client-id pub --scope read",
            emulator.text("base_url")
        ))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut shown = String::new();
    let code = loop {
        let mut line = String::new();
        assert!(errors.read_line(&mut line).unwrap() > 0, "{shown}");
        shown.push_str(&line);
        if let Some(code) = line.strip_prefix("The code alone: ") {
            break code.trim().to_owned();
        }
    };
    assert!(
        shown.contains("http://") && shown.contains('┌') && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let approval = serde_json::json!({"user_code": code, "action": "approve"});
    post(
        emulator.text("control_url"),
        "devices",
        &approval.to_string(),
    );
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    assert!(
        world
            .run("tokens list")
            .succeeded()
            .out
            .contains("refreshable")
    );
}
