//! A whole server for people: login, consent, devices. It goes through a login like a browser
//! would, shows what came of it and ends; with `--serve` it goes on, and prints what to open:
//!
//! ```text
//! cargo run -p oauth-server --features pages --example pages -- --serve
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::{collections::BTreeMap, error::Error, net::SocketAddr, sync::Arc};

use oauth_server::{
    AuthorizationServer, Client, GrantType, RfcApplication, ScopeRecord, SecretCost,
    memory::{MemoryClients, MemoryResourceOwners, MemoryScopes},
    pages::PageSettings,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const CALLBACK: &str = "http://127.0.0.1/callback";

/// The challenge of RFC 7636, appendix B, whose verifier is in [`main`].
const AUTHORIZE: &str = "/authorize?response_type=code&client_id=calendar&scope=calendar\
     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

fn server(issuer: String) -> Result<AuthorizationServer, Box<dyn Error>> {
    let people = MemoryResourceOwners::new(SecretCost::DEFAULT)?;
    people.insert("ada", "person-1", "her pass phrase")?;
    let calendar = Client::builder("calendar")
        .name("Ada's calendar")
        .public()
        .native()
        .redirect_uri(CALLBACK)
        .grants([GrantType::AuthorizationCode, GrantType::DeviceCode])
        .scopes(["calendar"])
        .build()?;
    let scope = ScopeRecord::new("calendar", "see and change your calendar")?;
    Ok(AuthorizationServer::builder(issuer)
        .clients(Arc::new(MemoryClients::from_iter([calendar])))
        .resource_owners(Arc::new(people))
        .scopes(Arc::new(MemoryScopes::from_iter([scope])))
        .pages(PageSettings::new())
        .build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let on = std::env::args().any(|argument| argument == "--serve");
    let listener = TcpListener::bind(("127.0.0.1", if on { 4002 } else { 0 })).await?;
    let address = listener.local_addr()?;
    let router = server(format!("http://{address}"))?.into_router(RfcApplication);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });
    if on {
        println!("Open http://{address}{AUTHORIZE}\nand sign in as ada with: her pass phrase");
        serving.await??;
        return Ok(());
    }

    let mut browser = Browser {
        address,
        cookies: BTreeMap::new(),
    };
    let login = browser.get(AUTHORIZE).await?;
    println!("{}", title(&login));
    let moved = browser
        .submit(&login, "username=ada&password=her+pass+phrase")
        .await?;
    let consent = browser
        .get(header(&moved, "location").ok_or("no location")?)
        .await?;
    println!("{}", title(&consent));
    let granted = browser.submit(&consent, "decision=allow").await?;
    let location = header(&granted, "location").ok_or("no location")?;
    let code = location.split("code=").nth(1).ok_or("no code")?;
    let code = code.split('&').next().unwrap_or_default();
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let fields = format!(
        "grant_type=authorization_code&client_id=calendar&code={code}&code_verifier={verifier}"
    );
    println!("{}", browser.post("/token", &fields).await?);
    Ok(())
}

/// As much of a browser as a login takes.
struct Browser {
    address: SocketAddr,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn get(&mut self, path: &str) -> std::io::Result<String> {
        self.send("GET", path, "").await
    }

    async fn post(&mut self, path: &str, fields: &str) -> std::io::Result<String> {
        self.send("POST", path, fields).await
    }

    /// Sends the form of `page`, its hidden fields and these.
    async fn submit(&mut self, page: &str, fields: &str) -> std::io::Result<String> {
        let action = attribute(page, "<form", "action").unwrap_or_default();
        self.post(action, &filled(page, fields)).await
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {cookies}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let set = answer
            .lines()
            .filter_map(|line| line.strip_prefix("set-cookie: "));
        let pairs = set.filter_map(|line| line.split(';').next()?.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.cookies.extend(pairs);
        Ok(answer)
    }
}

fn filled(page: &str, fields: &str) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for input in page.split("<input type=\"hidden\"").skip(1) {
        let (name, value) = (attribute(input, "", "name"), attribute(input, "", "value"));
        let value = value.unwrap_or_default().replace("&#38;", "&");
        body.append_pair(name.unwrap_or_default(), &value);
    }
    format!("{}&{fields}", body.finish())
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let prefix = format!("{name}: ");
    answer.lines().find_map(|line| line.strip_prefix(&prefix))
}

fn title(page: &str) -> &str {
    let rest = page.split("<title>").nth(1).unwrap_or_default();
    rest.split("</title>").next().unwrap_or_default()
}

fn attribute<'a>(html: &'a str, tag: &str, name: &str) -> Option<&'a str> {
    let (_, rest) = html.split_once(tag)?;
    let (_, rest) = rest.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0)
}
