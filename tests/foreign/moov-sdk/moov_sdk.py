"""Moov's own SDK through what the emulator offers. Its arguments are the server's URL, the public
and the secret key. It prints a line for each check, passed or failed."""

import sys
import time

from moovio_sdk import Moov
from moovio_sdk.models import components, errors

URL, PUBLIC_KEY, SECRET_KEY = sys.argv[1:]
ORIGIN = {"Origin": "https://example.com"}
SCOPE = "/accounts.read /ping.read"
KEYS = {"client_id": PUBLIC_KEY, "client_secret": SECRET_KEY}

security = components.Security(username=PUBLIC_KEY, password=SECRET_KEY)
with_keys = Moov(server_url=URL, security=security)
without_keys = Moov(server_url=URL)


def ask(moov=without_keys, headers=ORIGIN, **parameters):
    """A token by client credentials."""
    grant_type = components.GrantType.CLIENT_CREDENTIALS
    answer = moov.authentication.create_access_token(
        grant_type=grant_type, http_headers=headers, **parameters
    )
    return answer.result


def refresh(token):
    answer = without_keys.authentication.create_access_token(
        grant_type=components.GrantType.REFRESH_TOKEN,
        refresh_token=token,
        http_headers=ORIGIN,
        **KEYS,
    )
    return answer.result


def ping(token):
    """A call of the API with an access token, whose answer has no body."""
    authorization = {"Authorization": f"Bearer {token.access_token}"}
    return without_keys.ping.ping(http_headers=ORIGIN | authorization)


def refused(kind, status, call):
    try:
        call()
    except kind as error:
        assert error.status_code == status, f"expected {status}, got {error.status_code}"
        return error
    raise AssertionError(f"expected {kind.__name__}, got success")


def is_token(token):
    assert token.token_type == components.TokenType.BEARER
    assert token.scope == SCOPE, token.scope
    assert token.access_token != token.refresh_token
    # A point of time, as the SDK documents it.
    assert 0 < token.expires_in - time.time() < 86_400, token.expires_in


def client_credentials_in_the_body():
    is_token(ask(scope=SCOPE, **KEYS))


def client_credentials_by_basic():
    is_token(ask(with_keys, scope=SCOPE))


def client_credentials_by_both():
    is_token(ask(with_keys, scope=SCOPE, **KEYS))


def a_wrong_secret_is_refused():
    wrong = {"client_id": PUBLIC_KEY, "client_secret": "another secret"}
    refused(errors.APIError, 401, lambda: ask(scope=SCOPE, **wrong))


def a_wrong_scope_is_refused():
    for scope in [None, "accounts.read"]:
        error = refused(
            errors.AuthTokenRequestError, 422, lambda: ask(scope=scope, **KEYS)
        )
        assert error.data.scope, error


def an_unlisted_origin_is_refused():
    origin = {"Origin": "https://elsewhere.example"}
    for headers in [None, origin]:
        refused(errors.APIError, 403, lambda: ask(headers=headers, scope=SCOPE, **KEYS))


def a_token_opens_the_api():
    ping(ask(scope=SCOPE, **KEYS))
    refused(errors.APIError, 403, lambda: ping(ask(scope="/accounts.read", **KEYS)))


def the_keys_open_the_api():
    with_keys.ping.ping()
    assert with_keys.accounts.list().result == []


def a_refresh_rotates():
    first = ask(scope=SCOPE, **KEYS)
    second = refresh(first.refresh_token)
    is_token(second)
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    ping(second)
    error = refused(
        errors.AuthTokenRequestError, 422, lambda: refresh(first.refresh_token)
    )
    assert error.data.refresh_token, error


def a_revoked_token_is_dead():
    token = ask(scope=SCOPE, **KEYS)
    ping(token)
    hint = components.TokenTypeHint
    with_keys.authentication.revoke_access_token(
        token=token.access_token, token_type_hint=hint.ACCESS_TOKEN
    )
    refused(errors.APIError, 401, lambda: ping(token))
    without_keys.authentication.revoke_access_token(
        token=token.refresh_token, token_type_hint=hint.REFRESH_TOKEN, **KEYS
    )
    refused(
        errors.AuthTokenRequestError, 422, lambda: refresh(token.refresh_token)
    )


CHECKS = [
    client_credentials_in_the_body,
    client_credentials_by_basic,
    client_credentials_by_both,
    a_wrong_secret_is_refused,
    a_wrong_scope_is_refused,
    an_unlisted_origin_is_refused,
    a_token_opens_the_api,
    the_keys_open_the_api,
    a_refresh_rotates,
    a_revoked_token_is_dead,
]

for check in CHECKS:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print("passed", name)
    except Exception as error:  # Whatever it is, the others are tried too.
        why = " ".join(f"{type(error).__name__} {error}".split())
        print("failed", f"{name}: {why}")
