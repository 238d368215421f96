// node-oidc-provider with all that the generic client meets; its argument is the port. Logging in
// and consenting are its own development pages, which take any name and any password.

import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const machine = (client_id, token_endpoint_auth_method) => ({
  client_id,
  token_endpoint_auth_method,
  client_secret: 'the secret of the service',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    machine('basic', 'client_secret_basic'),
    machine('post', 'client_secret_post'),
    {
      client_id: 'web',
      client_secret: 'the secret of the site',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://app.example/callback'],
    },
    {
      client_id: 'television',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: ['openid', 'offline_access', 'read'],
  cookies: { keys: ['for a server that lives for seconds'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
});
provider.listen(port, '127.0.0.1');
