//! A client from environment variables, named as in the official Go SDK.

use super::ClientBuilder;
use crate::Error;

impl ClientBuilder {
    /// A builder set up from the environment: `MOOV_PUBLIC_KEY` and `MOOV_SECRET_KEY`;
    /// `MOOV_ORIGIN` or `MOOV_REFERER`; and, if they are there, `MOOV_VERSION`, `MOOV_HOST` with
    /// `MOOV_URL_SCHEME` (`https` otherwise).
    ///
    /// # Errors
    /// A usage error when a key is missing or the version is malformed.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let missing = |name: &str| {
            oauth_core::Error::usage(format!("the environment variable {name} is not set"))
        };
        let key = |name: &str| get(name).ok_or_else(|| missing(name));
        let mut builder = Self::new(key("MOOV_PUBLIC_KEY")?, key("MOOV_SECRET_KEY")?.into());
        if let Some(origin) = get("MOOV_ORIGIN") {
            builder = builder.origin(origin);
        }
        if let Some(referer) = get("MOOV_REFERER") {
            builder = builder.referer(referer);
        }
        if let Some(version) = get("MOOV_VERSION") {
            builder = builder.version(version.parse()?);
        }
        if let Some(host) = get("MOOV_HOST") {
            let scheme = get("MOOV_URL_SCHEME");
            builder =
                builder.base_url(format!("{}://{host}", scheme.as_deref().unwrap_or("https")));
        }
        Ok(builder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn build(variables: &[(&str, &str)]) -> Result<crate::Client, Error> {
        let find = |name: &str| variables.iter().find(|(have, _)| *have == name);
        ClientBuilder::from_lookup(|name| find(name).map(|(_, value)| (*value).to_owned()))?.build()
    }

    const KEYS: [(&str, &str); 2] = [("MOOV_PUBLIC_KEY", "public"), ("MOOV_SECRET_KEY", "secret")];

    #[test]
    fn host_and_origin_come_from_the_environment() {
        let more = [
            ("MOOV_ORIGIN", "https://example.com"),
            ("MOOV_HOST", "localhost:9"),
            ("MOOV_URL_SCHEME", "http"),
        ];
        let client = build(&[&KEYS[..], &more].concat()).unwrap();
        assert_eq!(client.core().client_id(), "public");
        assert_eq!(
            client.core().provider().endpoints().token().as_str(),
            "http://localhost:9/oauth2/token"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = build(&KEYS[..1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("MOOV_SECRET_KEY"), "{error}");
        assert!(build(&KEYS).unwrap_err().to_string().contains("Origin"));
        let both = [
            ("MOOV_ORIGIN", "https://a.example"),
            ("MOOV_REFERER", "https://a.example/x"),
        ];
        assert!(build(&[&KEYS[..], &both].concat()).is_err());
        assert!(
            build(
                &[
                    &KEYS[..],
                    &[
                        ("MOOV_ORIGIN", "https://a.example"),
                        ("MOOV_VERSION", "latest")
                    ]
                ]
                .concat()
            )
            .is_err()
        );
    }
}
