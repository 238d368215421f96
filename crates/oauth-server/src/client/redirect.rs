//! Which redirect URIs may be registered, and when two are the same.

use url::{Host, Url};

/// An absolute URI without fragment (RFC 6749 §3.1.2) that no browser runs as a script, and that
/// shows no code to the network (RFC 9700 §2.6).
pub(super) fn may_be_registered(uri: &str) -> bool {
    let graphic = uri.bytes().all(|byte| byte.is_ascii_graphic());
    graphic
        && Url::parse(uri).is_ok_and(|url| {
            url.fragment().is_none()
                && !matches!(url.scheme(), "javascript" | "data" | "vbscript" | "file")
                && (url.scheme() != "http" || is_loopback(&url))
        })
}

/// What is sent there in clear text stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// RFC 8252 §7.3: a native application learns its loopback port only when it runs.
pub(super) fn same_but_port(registered: &str, asked: &str) -> bool {
    let without_port = |uri: &'_ str| -> Option<(&'static str, usize)> {
        let host = ["http://127.0.0.1", "http://[::1]"]
            .into_iter()
            .find(|host| uri.starts_with(*host))?;
        let rest = &uri[host.len()..];
        let port = rest.strip_prefix(':').map_or(0, |port| {
            1 + port.bytes().take_while(u8::is_ascii_digit).count()
        });
        let end = host.len() + port;
        // Without this, `http://127.0.0.1.example` would pass as a loopback address.
        let ends = matches!(uri.as_bytes().get(end), None | Some(b'/' | b'?'));
        let valid = port == 0 || uri[host.len() + 1..end].parse::<u16>().is_ok();
        (ends && valid).then_some((host, end))
    };
    match (without_port(registered), without_port(asked)) {
        (Some((host, end)), Some((asked_host, asked_end))) => {
            host == asked_host && registered[end..] == asked[asked_end..]
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_may_differ() {
        let registered = "http://127.0.0.1/callback";
        for same in ["http://127.0.0.1:4711/callback", registered] {
            assert!(same_but_port(registered, same), "{same}");
        }
        for other in [
            "http://127.0.0.1:4711/callback/",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1.example/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://localhost:4711/callback",
            "http://[::1]:4711/callback",
            "https://127.0.0.1:4711/callback",
        ] {
            assert!(!same_but_port(registered, other), "{other}");
        }
        assert!(same_but_port("http://[::1]:1/a?b", "http://[::1]:2/a?b"));
    }

    #[test]
    fn scripts_fragments_and_relative_uris_are_refused() {
        for bad in [
            "/cb",
            "https://a.example/#x",
            "javascript:alert(1)",
            "",
            "https://a.example/a b",
            "http://a.example/cb",
            "HTTP://127.0.0.1.example/cb",
        ] {
            assert!(!may_be_registered(bad), "{bad}");
        }
        for good in [
            "https://a.example/cb?x=1",
            "com.example.app:/cb",
            "http://localhost",
            "http://127.0.0.1:3000/cb",
            "http://[::1]/cb",
        ] {
            assert!(may_be_registered(good), "{good}");
        }
    }
}
