//! Scopes are paths with a verb; `{accountID}` in them is to be replaced before they are sent.

/// Whether every one of the blank-separated scopes has the form of one.
pub(super) fn are_scopes(text: &str) -> bool {
    let mut scopes = text.split_ascii_whitespace().peekable();
    scopes.peek().is_some() && scopes.all(is_scope)
}

fn is_scope(scope: &str) -> bool {
    let Some((path, verb)) = scope.rsplit_once('.') else {
        return false;
    };
    let word = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !text.is_empty() && text.chars().all(allowed)
    };
    let known_verb = matches!(verb, "read" | "write" | "read-secure" | "disconnect");
    let segments: Vec<_> = path.split('/').collect();
    let known_path = match segments[..] {
        ["", name] => word(name),
        ["", "accounts", account, name] => word(account) && word(name),
        _ => false,
    };
    known_path && known_verb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_verbs_are_scopes() {
        assert!(are_scopes("/ping.read /accounts.write"));
        assert!(are_scopes(
            "/accounts/2f93df7b-97e2-4a26-9d60-ad6ed4b4aeb4/issued-cards.read-secure"
        ));
        for bad in [
            "",
            " ",
            "accounts.read",
            "/accounts",
            "/accounts/{accountID}/cards.read",
            "/a.run",
        ] {
            assert!(!are_scopes(bad), "{bad}");
        }
    }
}
