/**
 * A certified OpenID provider (npm's oidc-provider) for tests/api/test_oidc_certified.py: everybody may sign in there.
 * Arguments: its own address, its port, our page of return, our page after signing out, where its logout tokens go.
 */
import OpenIdProvider from 'oidc-provider';

const [issuer, port, back, left, logout] = process.argv.slice(2);
const provider = new OpenIdProvider(issuer, {
  clients: [
    {
      client_id: 'tyndau',
      client_secret: 'a-secret-of-the-client',
      redirect_uris: [back],
      post_logout_redirect_uris: [left],
      backchannel_logout_uri: logout,
      backchannel_logout_session_required: true,
    },
  ],
  claims: { openid: ['sub', 'sid'], profile: ['name', 'preferred_username', 'roles'] },
  conformIdTokenClaims: false,
  features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: true } },
  // It tells addresses of this machine nothing unless it is told to: here all of us are on loopback.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, preferred_username: `name-of-${id}`, roles: ['court-judge'] }),
  }),
  pkce: { required: () => true },
});
provider.on('server_error', (_, error) => console.error(error));
provider.on('backchannel.error', (_, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
