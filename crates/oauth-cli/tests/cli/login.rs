//! `oauth login`: the browser is a test that follows redirects, as far as a page goes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Stdio},
};

use url::Url;

use crate::program::{Running, World};

/// A login that waits for its user.
pub(crate) struct Login {
    world: World,
    child: Child,
    errors: BufReader<ChildStderr>,
    pub(crate) address: Url,
}

pub(crate) fn login(issuer: &str, more: &str) -> Login {
    let arguments =
        format!("login --issuer {issuer} --client-id pub --no-browser --output json {more}");
    started(&arguments, &[])
}

/// One that has said where to go.
pub(crate) fn started(arguments: &str, variables: &[(&str, &str)]) -> Login {
    let world = World::new();
    let mut child = world
        .command(arguments)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut address = None;
    while address.is_none() {
        let mut line = String::new();
        assert!(errors.read_line(&mut line).unwrap() > 0, "no address");
        address = line.split_whitespace().find_map(|word| {
            let url: Url = word.parse().ok()?;
            (url.scheme() == "http").then_some(url)
        });
    }
    Login {
        world,
        child,
        errors,
        address: address.unwrap(),
    }
}

/// A login on another device: itself, the code, and the address that has the code in it. All that
/// was said is looked at, too.
pub(crate) fn device_login(issuer: &str, more: &str) -> (Login, String, String) {
    device_login_of("pub", &[], issuer, more)
}

/// As [`device_login`], of another client.
pub(crate) fn device_login_of(
    client: &str,
    variables: &[(&str, &str)],
    issuer: &str,
    more: &str,
) -> (Login, String, String) {
    let arguments = format!("login --device --issuer {issuer} --client-id {client} {more}");
    let mut login = started(&arguments, variables);
    let mut shown = String::new();
    let mut after = |start: &str| loop {
        let mut line = String::new();
        assert!(login.errors.read_line(&mut line).unwrap() > 0, "{shown}");
        shown.push_str(&line);
        if let Some(rest) = line.strip_prefix(start) {
            break rest.trim().to_owned();
        }
    };
    let code = after("The code alone: ");
    let complete = after("Or open, code included: ");
    let spaced = code.chars().map(String::from).collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains('┌') && shown.contains(&spaced) && !shown.contains('\u{1b}'),
        "{shown}"
    );
    (login, code, complete)
}

impl Login {
    /// Where the answer goes.
    pub(crate) fn redirect_uri(&self) -> Url {
        let mut pairs = self.address.query_pairs();
        let uri = pairs
            .find(|(name, _)| name == "redirect_uri")
            .unwrap()
            .1
            .into_owned();
        uri.parse().unwrap()
    }

    /// The exit code, standard output and the rest of standard error.
    pub(crate) fn end(mut self) -> (i32, String, String, World) {
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
pub(crate) fn get(url: &Url) -> String {
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

pub(crate) fn location(answer: &str) -> Url {
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
        wrong.starts_with("HTTP/1.1 400") && wrong.contains("This answer was not used"),
        "{wrong}"
    );

    let back = location(&get(&login.address));
    let page = get(&back);
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("Back to the terminal"),
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

    let loads_nothing = page.contains("content-security-policy: default-src 'none'");
    assert!(loads_nothing && !page.contains("<script"), "{page}");

    let (exit, out, err, world) = login.end();
    assert_eq!(exit, 0, "{err}");
    let notes: Vec<_> = err
        .lines()
        .filter(|line| line.starts_with("note:"))
        .collect();
    assert!(notes.len() == 1 && notes[0].contains("state"), "{notes:?}");
    assert!(!err.contains("PLANTED"), "{err}");
    let address = redirect.socket_addrs(|| None).unwrap();
    let gone = std::net::TcpStream::connect(&*address);
    assert!(gone.is_err(), "it still listens");
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

/// RFC 8252 §8.3: what listens for the answer is not to be reached from elsewhere.
#[test]
fn only_on_loopback() {
    let emulator = Running::start("emulate rfc");
    let world = World::new();
    for redirect_uri in [
        "http://0.0.0.0:0/callback",
        "http://192.168.0.1:0/callback",
        "http://[::]:0/callback",
        "http://app.example:0/callback",
        "https://127.0.0.1:0/callback",
    ] {
        let login = format!(
            "login --issuer {} --client-id pub --no-browser --redirect-uri {redirect_uri}",
            emulator.text("base_url")
        );
        world.run(&login).failed(2);
    }
}

#[test]
fn denied() {
    let emulator = Running::start("emulate rfc");
    emulator.control("POST", "switches", &serde_json::json!({"deny": true}));
    let login = login(emulator.text("base_url"), "");
    let page = get(&location(&get(&login.address)));
    assert!(page.contains("Not signed in"), "{page}");
    let (exit, out, err, world) = login.end();
    assert_eq!((exit, &*out), (10, ""), "{err}");
    assert!(err.contains("access_denied"), "{err}");
    assert_eq!(world.run("tokens list").succeeded().out, "");
}

/// The page does not say that the user has refused when it was the server.
#[test]
fn refused_by_the_server() {
    let emulator = Running::start("emulate rfc");
    let login = login(emulator.text("base_url"), "");
    let state = login
        .address
        .query_pairs()
        .find(|(name, _)| name == "state");
    let state = state.unwrap().1.into_owned();
    let mut back = login.redirect_uri();
    // Without a code it is not complete, and the login goes on.
    back.set_query(Some(&format!("state={state}")));
    assert!(get(&back).contains("This answer was not used"));
    let mut answer = back.query_pairs_mut();
    answer.append_pair("iss", emulator.text("base_url"));
    answer.append_pair("error", "temporarily_unavailable");
    drop(answer);
    let page = get(&back);
    assert!(
        page.contains("The login failed") && !page.contains("not allowed"),
        "{page}"
    );
    let (exit, out, err, _) = login.end();
    assert_eq!((exit, &*out), (10, ""), "{err}");
    assert!(err.contains("note: an answer was not used"), "{err}");
    assert!(err.contains("temporarily_unavailable"), "{err}");
}

/// It stays in the foreground, and waits for the page that it was sent to.
#[test]
fn a_browser_in_the_terminal() {
    let emulator = Running::start("emulate rfc");
    let folder = World::new();
    let page = folder.home.path().join("page");
    let script = format!(
        "#!/bin/sh\nexec /usr/bin/curl --silent --location --output {} \"$1\"\n",
        page.display()
    );
    let browser = folder.file("lynx", &script);
    std::fs::set_permissions(
        &browser,
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    let login = started(
        &format!(
            "login --issuer {} --client-id pub --timeout 30s",
            emulator.text("base_url")
        ),
        &[("BROWSER", browser.to_str().unwrap())],
    );
    let (exit, _, err, _) = login.end();
    assert_eq!(exit, 0, "{err}");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    assert!(page.contains("Back to the terminal"), "{page}");
}

#[test]
fn nobody_comes() {
    let emulator = Running::start("emulate rfc");
    let login = format!(
        "login --issuer {} --client-id pub --no-browser --timeout 2s",
        emulator.text("base_url")
    );
    let alone = World::new().run(&login).failed(12);
    assert!(alone.err.contains("--timeout"), "{}", alone.err);
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
fn the_browser_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let emulator = Running::start("emulate rfc");
    let folder = World::new();
    let opened = folder.home.path().join("opened");
    let script = format!("#!/bin/sh\necho \"$1\" > {}\n", opened.display());
    let browser = folder.file("browser", &script);
    std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o700)).unwrap();
    let login = started(
        &format!(
            "login --issuer {} --client-id pub",
            emulator.text("base_url")
        ),
        &[("BROWSER", browser.to_str().unwrap())],
    );
    get(&location(&get(&login.address)));
    let address = login.address.clone();
    let (exit, out, err, _) = login.end();
    assert_eq!((exit, &*out), (0, ""), "{err}");
    assert!(err.contains("logged in, until "), "{err}");
    let opened = std::fs::read_to_string(opened).unwrap();
    assert_eq!(opened.trim(), address.as_str());
}

#[test]
fn on_another_device() {
    let emulator = Running::start("emulate rfc");
    let (login, code, complete) = device_login(emulator.text("base_url"), "--scope read");
    assert!(login.address.path().ends_with("/device") && complete.contains(&code));
    let approval = serde_json::json!({"user_code": code, "action": "approve"});
    emulator.control("POST", "devices", &approval);
    let (exit, _, err, world) = login.end();
    assert_eq!(exit, 0, "{err}");
    assert!(
        world
            .run("tokens list")
            .succeeded()
            .out
            .contains("refreshable")
    );
}
