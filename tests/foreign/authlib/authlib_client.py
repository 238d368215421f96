"""Authlib through what the server offers. Its argument is the issuer. It prints a line for each
thing that went as it should, and ends with an error at the first that did not."""

import html
import re
import sys
from urllib.parse import urljoin

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

ISSUER = sys.argv[1]
CALLBACK = "https://app.example/callback"
SECRET = "the secret of the service"


def passed(what):
    print("ok", what)


def refused(code, call):
    try:
        call()
    except OAuthError as error:
        assert error.error == code, error
        return
    raise AssertionError(f"expected {code}")


def submit(browser, page, **fields):
    """Sends the form of a page, with its hidden fields and these."""
    action = re.search(r'<form[^>]* action="([^"]*)"', page.text).group(1)
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    form = {html.unescape(name): html.unescape(value) for name, value in hidden}
    url = urljoin(ISSUER, html.unescape(action))
    return browser.post(url, data=form | fields, allow_redirects=False)


def authorize(url):
    """The address that the client is called back at."""
    browser = requests.Session()
    moved = submit(browser, browser.get(url), username="ada", password="her pass phrase")
    consent = browser.get(urljoin(ISSUER, moved.headers["location"]))
    answer = submit(browser, consent, decision="allow")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


metadata = requests.get(ISSUER + "/.well-known/openid-configuration").json()
assert metadata["issuer"] == ISSUER
passed("discovery")


def session(method="client_secret_basic", **settings):
    return OAuth2Session(
        "service", SECRET, token_endpoint_auth_method=method, redirect_uri=CALLBACK, **settings
    )


def introspected(token):
    return session().introspect_token(metadata["introspection_endpoint"], token=token).json()


for method in ["client_secret_basic", "client_secret_post"]:
    own = session(method, scope="read")
    token = own.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    assert token["token_type"] == "Bearer" and token["scope"] == "read", token
stranger = OAuth2Session("service", "another secret, which is wrong")
refused(
    "invalid_client",
    lambda: stranger.fetch_token(metadata["token_endpoint"], grant_type="client_credentials"),
)
passed("client_credentials")

seen = introspected(token["access_token"])
assert seen["active"] and seen["client_id"] == "service", seen
passed("introspection")

own.revoke_token(metadata["revocation_endpoint"], token=token["access_token"]).raise_for_status()
assert introspected(token["access_token"]) == {"active": False}
passed("revocation")

person = session(scope="openid profile read", code_challenge_method="S256")
verifier, nonce = generate_token(48), generate_token()
url, state = person.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
token = person.fetch_token(
    metadata["token_endpoint"],
    authorization_response=authorize(url),
    code_verifier=verifier,
    state=state,
)
keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"]).json())
claims = jwt.decode(token["id_token"], keys, ["ES256"]).claims
expected = {"iss": ISSUER, "aud": "service", "sub": "person-1", "nonce": nonce}
assert expected.items() <= claims.items(), claims
info = person.get(metadata["userinfo_endpoint"]).json()
assert info == {"sub": "person-1", "name": "Ada"}, info
passed("code")

first = token["refresh_token"]
second = person.refresh_token(metadata["token_endpoint"], refresh_token=first)
assert second["refresh_token"] != first
for used in [first, second["refresh_token"]]:
    refused(
        "invalid_grant",
        lambda used=used: person.refresh_token(metadata["token_endpoint"], refresh_token=used),
    )
assert not introspected(second["access_token"])["active"]
passed("refresh")
