// openid-client through what the server offers. Its argument is the issuer. It prints a line for
// each thing that went as it should, and ends with an error at the first that did not.

import assert from 'node:assert/strict';
import * as client from 'openid-client';

const issuer = new URL(process.argv[2]);
const CALLBACK = 'https://app.example/callback';
const NATIVE_CALLBACK = 'http://127.0.0.1/callback';
const PERSON = { username: 'ada', password: 'her pass phrase' };

const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];
const discover = (id, metadata, auth, algorithm) =>
  client.discovery(issuer, id, metadata, auth, { execute, algorithm });
const passed = (what) => console.log(`ok ${what}`);
const refused = (promise, code) =>
  assert.rejects(promise, (error) => error.error === code || assert.fail(error));

// A browser without scripts: it keeps cookies, and sends the forms that it was shown.
class Browser {
  cookies = new Map();

  async send(url, init = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...init.headers, cookie },
    });
    for (const set of response.headers.getSetCookie()) {
      const [, name, value] = set.match(/^([^=]+)=([^;]*)/);
      this.cookies.set(name, value);
    }
    return response;
  }

  async submit(page, fields) {
    const html = await page.text();
    const plain = (text) =>
      text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    const body = new URLSearchParams(fields);
    for (const [, name, value] of html.matchAll(
      /<input type="hidden" name="([^"]*)" value="([^"]*)"/g,
    )) {
      body.set(plain(name), plain(value));
    }
    const action = html.match(/<form[^>]* action="([^"]*)"/);
    assert.ok(action, html);
    return this.send(new URL(plain(action[1]), issuer), { method: 'POST', body });
  }

  follow(response) {
    assert.equal(response.status, 303);
    return this.send(new URL(response.headers.get('location'), issuer));
  }

  // The address that the client is called back at.
  async authorize(url) {
    const moved = await this.submit(await this.send(url), PERSON);
    const answer = await this.submit(await this.follow(moved), { decision: 'allow' });
    assert.equal(answer.status, 303);
    return new URL(answer.headers.get('location'));
  }
}

const service = await discover(
  'service',
  { client_secret: 'the secret of the service' },
  client.ClientSecretBasic('the secret of the service'),
);
assert.equal(service.serverMetadata().issuer, process.argv[2]);
const oauth = await discover('service', 'the secret of the service', undefined, 'oauth2');
assert.equal(oauth.serverMetadata().token_endpoint, service.serverMetadata().token_endpoint);
passed('discovery');

{
  const issued = await client.clientCredentialsGrant(service, { scope: 'read' });
  assert.equal(issued.token_type, 'bearer');
  assert.equal(issued.scope, 'read');
  assert.ok(issued.expiresIn() > 3500);
  const posted = await client.clientCredentialsGrant(oauth);
  assert.notEqual(posted.access_token, issued.access_token);
  const signing = await discover('signing', {}, client.ClientSecretJwt('a secret for an HMAC of 256 bits'));
  await client.clientCredentialsGrant(signing);
  const wrong = await discover('service', 'another secret, which is wrong');
  await refused(client.clientCredentialsGrant(wrong), 'invalid_client');
  passed('client_credentials');

  const seen = await client.tokenIntrospection(service, issued.access_token);
  assert.equal(seen.active, true);
  assert.equal(seen.client_id, 'service');
  assert.equal(seen.scope, 'read');
  passed('introspection');

  await client.tokenRevocation(service, issued.access_token);
  const gone = await client.tokenIntrospection(service, issued.access_token);
  assert.deepEqual(gone, { active: false });
  passed('revocation');
}

// A code with PKCE; `build` makes the address, `options` may carry a DPoP handle.
async function authorized(config, redirect_uri, build, options) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
  const url = await build(
    config,
    {
      redirect_uri,
      scope: 'openid profile read',
      state: expectedState,
      nonce: expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    },
    options,
  );
  const callback = await new Browser().authorize(url);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  return client.authorizationCodeGrant(config, callback, checks, undefined, options);
}

{
  const issued = await authorized(service, CALLBACK, client.buildAuthorizationUrl);
  assert.equal(issued.claims().sub, 'person-1');
  const info = await client.fetchUserInfo(service, issued.access_token, 'person-1');
  assert.equal(info.name, 'Ada');
  passed('code');

  const second = await client.refreshTokenGrant(service, issued.refresh_token);
  assert.notEqual(second.refresh_token, issued.refresh_token);
  assert.equal(second.claims().sub, 'person-1');
  await refused(client.refreshTokenGrant(service, issued.refresh_token), 'invalid_grant');
  await refused(client.refreshTokenGrant(service, second.refresh_token), 'invalid_grant');
  const gone = await client.tokenIntrospection(service, second.access_token);
  assert.equal(gone.active, false);
  passed('refresh');
}

{
  const native = await discover('native', {}, client.None());
  const DPoP = client.getDPoPHandle(native, await client.randomDPoPKeyPair());
  const options = { DPoP };
  const build = client.buildAuthorizationUrlWithPAR;
  const issued = await authorized(native, NATIVE_CALLBACK, build, options);
  assert.equal(issued.token_type, 'dpop');
  const info = await client.fetchUserInfo(native, issued.access_token, 'person-1', options);
  assert.equal(info.sub, 'person-1');
  const thief = { DPoP: client.getDPoPHandle(native, await client.randomDPoPKeyPair()) };
  const token = issued.refresh_token;
  await refused(client.refreshTokenGrant(native, token, {}, thief), 'invalid_grant');
  await client.refreshTokenGrant(native, token, {}, options);
  passed('pushed and bound');

  const started = await client.initiateDeviceAuthorization(native, { scope: 'openid' });
  const browser = new Browser();
  const login = await browser.send(started.verification_uri_complete);
  const entered = await browser.follow(await browser.submit(login, PERSON));
  const asked = await browser.submit(entered, { user_code: started.user_code });
  const done = await browser.submit(asked, { decision: 'allow' });
  assert.equal(done.status, 200);
  const connected = await client.pollDeviceAuthorizationGrant(native, started);
  assert.equal(connected.claims().sub, 'person-1');
  passed('device');
}
