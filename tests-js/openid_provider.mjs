// An OpenID provider of the test's own, at the paths of a Keycloak realm: it knows one client and is strict about it.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Starts a provider whose people are `person`, until somebody else sits down at it. */
export async function startOpenidProvider({ clientId = 'test-client', secret = 'test-secret' } = {}) {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = crypto.randomUUID();
  const codes = new Map();
  const tokens = new Map();
  const seen = { authorize: [], token: [] };
  const provider = { clientId, secret, seen, person: undefined, failing: false };

  const idToken = (claims, { expiresIn = 300 } = {}) => {
    const now = Math.floor(Date.now() / 1000);
    const input = `${b64({ alg: 'RS256', typ: 'JWT', kid })}.${b64({ iss: provider.url, aud: clientId, iat: now, exp: now + expiresIn, ...claims })}`;
    return `${input}.${crypto.sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
  };

  const authorize = (query) => {
    seen.authorize.push(Object.fromEntries(query));
    assert.equal(query.get('client_id'), clientId);
    assert.equal(query.get('response_type'), 'code');
    const back = (parameters) => {
      const url = new URL(query.get('redirect_uri'));
      for (const [name, value] of Object.entries({ ...parameters, state: query.get('state') })) url.searchParams.set(name, value);
      return url.href;
    };
    const code = crypto.randomUUID();
    codes.set(code, { person: provider.person, query });
    const denied = back({ error: 'access_denied', error_description: 'The person said no' });
    return { accept: back({ code }), denied };
  };

  const page = ({ accept, denied }) => {
    const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
    return `<!doctype html><title>provider</title><a id="accept" href="${escaped(accept)}">Accept</a> <a id="deny" href="${escaped(denied)}">Deny</a>`;
  };

  const trade = (headers, form) => {
    seen.token.push(Object.fromEntries(form));
    const basic = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
    const known = headers.authorization === basic || (form.get('client_id') === clientId && form.get('client_secret') === secret);
    if (!known) return [401, { error: 'invalid_client' }];
    const grant = codes.get(form.get('code'));
    codes.delete(form.get('code'));
    if (!grant || grant.query.get('redirect_uri') !== form.get('redirect_uri')) return [400, { error: 'invalid_grant' }];
    const challenge = grant.query.get('code_challenge');
    const answer = crypto.createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
    if (challenge && challenge !== answer) return [400, { error: 'invalid_grant' }];
    const accessToken = `provider-${crypto.randomUUID()}`;
    tokens.set(accessToken, grant.person);
    const nonce = grant.query.get('nonce') ?? undefined;
    const openid = grant.query.get('scope').split(' ').includes('openid');
    return [200, {
      access_token: accessToken, refresh_token: `refresh-${crypto.randomUUID()}`, token_type: 'Bearer', expires_in: 300,
      ...(openid ? { id_token: idToken({ ...grant.person, nonce }) } : {}),
    }];
  };

  const answers = {
    'GET /.well-known/openid-configuration': () => [200, {
      issuer: provider.url, authorization_endpoint: `${provider.url}/protocol/openid-connect/auth`, token_endpoint: `${provider.url}/protocol/openid-connect/token`,
      userinfo_endpoint: `${provider.url}/protocol/openid-connect/userinfo`, jwks_uri: `${provider.url}/protocol/openid-connect/certs`,
      response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
    }],
    'GET /protocol/openid-connect/certs': () => [200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] }],
    'GET /protocol/openid-connect/auth': ({ url }) => [200, page(authorize(url.searchParams))],
    'POST /protocol/openid-connect/token': ({ headers, text }) => trade(headers, new URLSearchParams(text)),
    'GET /protocol/openid-connect/userinfo': ({ headers }) => {
      const person = tokens.get(headers.authorization?.replace(/^Bearer /i, ''));
      return person ? [200, person] : [401, {}];
    },
  };

  const server = http.createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
    request.on('end', () => {
      const url = new URL(request.url, provider.url);
      const answer = answers[`${request.method} ${url.pathname}`];
      const [status, body] = provider.failing ? [503, {}] : (answer?.({ url, headers: request.headers, text }) ?? [404, {}]);
      const html = typeof body === 'string';
      response.writeHead(status, { 'content-type': html ? 'text/html' : 'application/json' });
      response.end(html ? body : JSON.stringify(body));
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  provider.url = `http://127.0.0.1:${server.address().port}`;
  provider.idToken = idToken;
  /** What the person does who was sent to `url`: gives the address the browser goes to next. */
  provider.visit = (url, { deny = false } = {}) => {
    const { accept, denied } = authorize(new URL(url).searchParams);
    return deny ? denied : accept;
  };
  provider.stop = () => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  });
  return provider;
}

/** Settings that sign people in at `provider`, as `keycloak`. */
export const providedBy = (provider, more = {}) => ({
  external_keycloak_enabled: true, external_keycloak_client_id: provider.clientId, external_keycloak_secret: provider.secret, external_keycloak_url: provider.url, ...more,
});

/** Somebody with a verified address. */
export const somebody = (email, more = {}) => ({ sub: crypto.randomUUID(), email, email_verified: true, name: 'Ada Example', preferred_username: 'ada', ...more });
