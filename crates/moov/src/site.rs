//! The one header that tells Moov which of the key pair's domains a call comes from.

use http::{HeaderMap, HeaderValue, header};
use oauth_core::Error;
use url::Url;

/// `Origin` or `Referer`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    Origin(HeaderValue),
    Referer(HeaderValue),
}

impl Site {
    /// Scheme, host and port as a browser writes them (RFC 6454 §6.2); anything after them would
    /// not equal an entry of the key pair's domain list.
    pub(crate) fn origin(text: &str) -> Result<Self, Error> {
        let exact = web_url(text).filter(|url| url.origin().ascii_serialization() == text);
        let value = exact.and_then(|_| HeaderValue::from_str(text).ok()).ok_or_else(|| {
            Error::usage(
                "an Origin is scheme and host in lower case, with the port only if it is not the default one, \
                 without path and trailing slash, such as https://example.com",
            )
        })?;
        Ok(Self::Origin(value))
    }

    /// An absolute URL (RFC 9110 §10.1.3), path and all.
    pub(crate) fn referer(text: &str) -> Result<Self, Error> {
        let fit = web_url(text).filter(|url| url.fragment().is_none());
        let value = fit.and_then(|_| HeaderValue::from_str(text).ok()).ok_or_else(|| {
            Error::usage("a Referer is an absolute http or https URL without fragment and user information")
        })?;
        Ok(Self::Referer(value))
    }

    /// Sends exactly one of the two: Moov prefers `Origin` where both are, whatever was meant.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        let (name, other, value) = match self {
            Self::Origin(value) => (header::ORIGIN, header::REFERER, value),
            Self::Referer(value) => (header::REFERER, header::ORIGIN, value),
        };
        headers.remove(other);
        headers.insert(name, value.clone());
    }
}

fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "https" | "http") && url.has_host();
    (web && url.username().is_empty() && url.password().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_nothing_after_the_host() {
        for good in [
            "https://example.com",
            "http://localhost:3000",
            "https://pay.example.com:8443",
            "http://[::1]:3000",
        ] {
            assert_eq!(
                Site::origin(good).unwrap(),
                Site::Origin(HeaderValue::from_str(good).unwrap()),
                "{good}"
            );
        }
        for bad in [
            "",
            "example.com",
            "https://example.com/",
            "https://example.com/pay",
            "https://example.com?x",
            "https://example.com#x",
            "https://Example.com",
            "https://example.com:443",
            "https://user@example.com",
            "https://example.com\r\nX: y",
            " https://example.com",
            "ftp://example.com",
            "null",
            "*",
            "https://bücher.example",
        ] {
            assert!(Site::origin(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_referer_may_have_a_path() {
        assert!(Site::referer("https://example.com/pay/now?step=2").is_ok());
        for bad in [
            "",
            "/pay",
            "https://example.com/#top",
            "https://user:pw@example.com/",
            "data:text/plain,x",
            "https://example.com/\nx",
        ] {
            assert!(Site::referer(bad).is_err(), "{bad:?}");
        }
    }
}
