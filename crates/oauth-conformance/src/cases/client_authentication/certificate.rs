//! Clients that authenticate with a certificate (RFC 8705 §2).

use std::sync::Arc;

use oauth_core::{
    ClientAuthMethod, GenericProvider, Provider, ServerMetadata, grant::ClientCredentials,
};
use serde_json::json;

use crate::{Context, Outcome, Reply, ensure};

/// A certificate is the transport's business; what is seen in a request is who shows it, and where.
pub(super) async fn in_the_body_and_at_the_aliases(cx: Context) -> Outcome {
    let plain = cx.scripted([cx.token_reply("t")]).await?;
    let mutual = cx.scripted([cx.token_reply("t")]).await?;
    let issuer = plain.base_url();
    let mut metadata = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "token_endpoint_auth_methods_supported": ["tls_client_auth"],
        "mtls_endpoint_aliases": {"token_endpoint": format!("{}/token", mutual.base_url())},
    });
    for aliases in [true, false] {
        if !aliases {
            metadata["mtls_endpoint_aliases"] = json!(null);
        }
        let server = cx.scripted([Reply::json(200, &metadata)]).await?;
        let read = ServerMetadata::discover_as(server.base_url(), issuer, Arc::new(cx.transport()))
            .await?;
        let provider = GenericProvider::from_metadata_mtls(&read)?;
        let revocation = provider_revocation(&provider);
        ensure!(
            revocation.as_deref() == Some(&format!("{issuer}/revoke")),
            "named an alias for one endpoint, expected the other to stay, got {revocation:?}"
        );
        let client = cx.builder_for(Arc::new(provider), "a-client").build()?;
        ensure!(
            !client.is_public(),
            "chose a certificate, expected a client that authenticates, got a public one"
        );
        client.exchange(&ClientCredentials::new()).await?;
        let (asked, other) = if aliases {
            (&mutual, &plain)
        } else {
            (&plain, &mutual)
        };
        let request = asked.last()?;
        let id = request.param("client_id");
        ensure!(
            id.as_deref() == Some("a-client"),
            "chose a certificate, expected client_id in the body, got {id:?}"
        );
        ensure!(
            request.header("authorization").is_none() && request.param("client_secret").is_none(),
            "chose a certificate, expected no other way to authenticate"
        );
        let elsewhere = other.received().len();
        ensure!(
            elsewhere == usize::from(!aliases),
            "aliases named: {aliases}, expected requests there alone, got {elsewhere} at the other address"
        );
    }
    let provider = cx.target().provider("http://127.0.0.1:9")?;
    let both = cx
        .builder_for(provider, "a-client")
        .client_secret("s")
        .client_authentication(ClientAuthMethod::Tls)
        .build();
    ensure!(
        both.is_err(),
        "gave a secret with a certificate, expected an error, got {both:?}"
    );
    Ok(())
}

fn provider_revocation(provider: &dyn Provider) -> Option<String> {
    let url = provider.endpoints().revocation();
    url.map(|url| url.as_str().to_owned())
}
