//! Which server the options mean.

use std::sync::Arc;

use ministry_platform::MinistryPlatform;
use moov::Moov;
use oauth_core::{
    EndpointUrl, Endpoints, Error, GenericProvider, Provider, Recovery, ServerMetadata, Transport,
};
use twitch::Twitch;

use crate::{
    failure::{Failure, Kind},
    options::{Options, ProviderName},
};

/// A provider, and Twitch once more as itself, which can do more than any other.
pub(crate) enum Chosen {
    Twitch(Box<Twitch>),
    Other(Arc<dyn Provider>),
}

impl Options {
    pub(crate) fn provider(&self) -> ProviderName {
        self.provider.unwrap_or(ProviderName::Generic)
    }

    /// Where the metadata of a plain server are.
    pub(crate) fn discovered_issuer(&self) -> Option<&str> {
        let at = self.issuer.as_deref().or(self.base_url.as_deref());
        at.filter(|_| self.provider() == ProviderName::Generic && self.token_url.is_none())
    }
}

/// Refuses every URL that cannot be used, before anything is sent.
pub(crate) fn check_urls(options: &Options) -> Result<(), Failure> {
    let urls = [
        &options.base_url,
        &options.issuer,
        &options.token_url,
        &options.authorize_url,
        &options.revoke_url,
        &options.introspect_url,
        &options.device_url,
        &options.userinfo_url,
    ];
    // Ministry Platform takes a bare host, too.
    let urls = urls.into_iter().flatten().filter(|url| url.contains("://"));
    urls.map(String::as_str).try_for_each(check_url)
}

fn check_url(text: &str) -> Result<(), Failure> {
    let Err(error) = EndpointUrl::parse(text) else {
        return Ok(());
    };
    let plain = url::Url::parse(text).is_ok_and(|url| {
        url.scheme() == "http" && url.username().is_empty() && url.fragment().is_none()
    });
    if plain {
        return Err(Failure::new(
            Kind::Transport,
            error.to_string(),
            Recovery::FixConfiguration,
        ));
    }
    Err(error.into())
}

/// The provider, with its metadata fetched where it takes that.
pub(crate) async fn choose(
    options: &Options,
    transport: &Arc<dyn Transport>,
) -> Result<Chosen, Failure> {
    let base_url = options.base_url.as_deref();
    if options.provider() != ProviderName::Generic && names_endpoints(options) {
        return Err(Failure::usage(
            "this provider's endpoints are known; leave --issuer and --…-url out, or use --base-url or --provider generic",
        ));
    }
    Ok(match options.provider() {
        ProviderName::Twitch => Chosen::Twitch(Box::new(match base_url {
            Some(url) => Twitch::at(url)?,
            None => Twitch::new(),
        })),
        ProviderName::Moov => {
            let moov = match base_url {
                Some(url) => Moov::at(url)?,
                None => Moov::new(),
            };
            let origin = options.origin.as_deref().ok_or_else(|| {
                Failure::usage("Moov wants an Origin: give one of the key pair's domains with --origin https://…")
            })?;
            Chosen::Other(Arc::new(moov.with_origin(origin)?))
        }
        ProviderName::MinistryPlatform => {
            let url = base_url.ok_or_else(|| {
                Failure::usage("say where the Ministry Platform is: --base-url my.church.org")
            })?;
            let platform =
                MinistryPlatform::new(url).map_err(|error| Failure::usage(error.to_string()))?;
            Chosen::Other(Arc::new(platform))
        }
        ProviderName::Generic => Chosen::Other(Arc::new(generic(options, transport).await?)),
    })
}

fn names_endpoints(options: &Options) -> bool {
    options.issuer.is_some() || options.token_url.is_some() || names_others(options)
}

fn names_others(options: &Options) -> bool {
    let others = [
        &options.authorize_url,
        &options.revoke_url,
        &options.introspect_url,
        &options.device_url,
        &options.userinfo_url,
    ];
    others.into_iter().any(Option::is_some)
}

async fn generic(
    options: &Options,
    transport: &Arc<dyn Transport>,
) -> Result<GenericProvider, Failure> {
    if let Some(token) = &options.token_url {
        let mut endpoints = with_named(options, Endpoints::new(token)?)?;
        if let Some(issuer) = &options.issuer {
            endpoints = endpoints.with_issuer(issuer);
        }
        return Ok(GenericProvider::new(endpoints));
    }
    let issuer = options.discovered_issuer().ok_or_else(|| {
        Failure::usage("say which server: --issuer URL, --token-url URL, or --provider NAME")
    })?;
    let metadata = ServerMetadata::discover(issuer, Arc::clone(transport)).await?;
    let described = GenericProvider::from_metadata(&metadata)?;
    if !names_others(options) {
        return Ok(described);
    }
    let endpoints = with_named(options, metadata.endpoints()?)?;
    Ok(GenericProvider::new(endpoints)
        .with_client_authentication(described.client_authentication()))
}

/// What is known of a server that is not asked: whose tokens the store has.
pub(crate) fn unasked(issuer: &str) -> Result<GenericProvider, Error> {
    Ok(GenericProvider::new(
        Endpoints::new(issuer)?.with_issuer(issuer),
    ))
}

fn with_named(options: &Options, endpoints: Endpoints) -> Result<Endpoints, Error> {
    let mut endpoints = endpoints;
    if let Some(url) = &options.authorize_url {
        endpoints = endpoints.with_authorization(url)?;
    }
    if let Some(url) = &options.revoke_url {
        endpoints = endpoints.with_revocation(url)?;
    }
    if let Some(url) = &options.introspect_url {
        endpoints = endpoints.with_introspection(url)?;
    }
    if let Some(url) = &options.device_url {
        endpoints = endpoints.with_device_authorization(url)?;
    }
    if let Some(url) = &options.userinfo_url {
        endpoints = endpoints.with_userinfo(url)?;
    }
    Ok(endpoints)
}
