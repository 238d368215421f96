//! `oauth providers`: what is known of each.

use ministry_platform::MinistryPlatform;
use moov::Moov;
use oauth_core::{Capability, Endpoints, GenericProvider, Provider};
use serde_json::{Map, Value, json};
use twitch::Twitch;

use crate::{arguments, failure::Failure, options::Output, output::print_json, terminal::print};

/// Stands for a church's own host, which nobody can have (RFC 2606).
const HOST: &str = "host.invalid";

const GRANTS: &[(Capability, &str)] = &[
    (Capability::ClientCredentials, "client_credentials"),
    (Capability::Password, "password"),
    (Capability::AuthorizationCode, "authorization_code"),
    (Capability::RefreshToken, "refresh_token"),
    (Capability::DeviceCode, "device_code"),
    (Capability::JwtBearer, "jwt_bearer"),
    (Capability::TokenExchange, "token_exchange"),
];

pub(crate) fn run(arguments: &arguments::Providers) -> Result<(), Failure> {
    let platform =
        MinistryPlatform::new(HOST).map_err(|error| Failure::usage(error.to_string()))?;
    let all = [
        generic()?,
        described(&Twitch::new()),
        described(&Moov::new()),
        described(&platform),
    ];
    if arguments.output == Some(Output::Json) {
        return print_json(&all);
    }
    all.iter().try_for_each(show)
}

fn described(provider: &dyn Provider) -> Value {
    let can = provider.capabilities();
    let grants = GRANTS
        .iter()
        .filter(|(capability, _)| can.contains(*capability));
    let others = can
        .iter()
        .filter(|one| GRANTS.iter().all(|(grant, _)| grant != one));
    let endpoints = provider.endpoints();
    let named = [
        ("token", Some(endpoints.token())),
        ("authorize", endpoints.authorization()),
        ("revoke", endpoints.revocation()),
        ("introspect", endpoints.introspection()),
        ("device", endpoints.device_authorization()),
        ("userinfo", endpoints.userinfo()),
    ];
    let url = |url: &str| Value::from(url.replace(HOST, "{host}"));
    let endpoints: Map<_, _> = named
        .into_iter()
        .filter_map(|(name, at)| Some((name.to_owned(), url(at?.as_str()))))
        .collect();
    json!({
        "provider": provider.name(),
        "grants": grants.map(|(_, name)| *name).collect::<Vec<_>>(),
        "endpoints": endpoints,
        "capabilities": others.map(Capability::as_str).collect::<Vec<_>>(),
    })
}

/// A server that nothing is known of before it is named: what one can do that has every endpoint.
fn generic() -> Result<Value, Failure> {
    let at = format!("https://{HOST}");
    let endpoints = Endpoints::new(&at)?
        .with_authorization(&at)?
        .with_revocation(&at)?
        .with_introspection(&at)?
        .with_device_authorization(&at)?
        .with_userinfo(&at)?
        .with_pushed_authorization(&at)?;
    let provider = GenericProvider::new(endpoints);
    let can = provider.capabilities().with(Capability::Discovery);
    let mut all = described(&provider.with_capabilities(can));
    all["endpoints"] = json!({});
    Ok(all)
}

fn show(provider: &Value) -> Result<(), Failure> {
    let list = |name: &str| {
        let items = provider[name].as_array().into_iter().flatten();
        items
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    };
    print(provider["provider"].as_str().unwrap_or_default())?;
    print(&format!("  grants: {}", list("grants")))?;
    print(&format!("  capabilities: {}", list("capabilities")))?;
    let endpoints = provider["endpoints"].as_object().into_iter().flatten();
    for (name, url) in endpoints {
        print(&format!("  {name}: {}", url.as_str().unwrap_or_default()))?;
    }
    Ok(())
}
