// Signing in at a provider, with ID tokens and with wallets, through supabase-js.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, test } from 'node:test';
import { providedBy, somebody, startOpenidProvider } from './openid_provider.mjs';
import { STORAGE, UNLIMITED, admin, call, claims, client, newEmail, newProject, ok, refused, signedInAgain, signedUp, startForThisFile } from './support.mjs';
import { ethereumWallet, solanaWallet } from './wallet.mjs';

const SITE = 'http://localhost:3000';
const { gateway } = await startForThisFile();
const provider = await startOpenidProvider();
after(() => provider.stop());

const newOauthProject = (config = {}) => newProject(gateway, { site_url: SITE, mailer_autoconfirm: false, ...providedBy(provider), ...config });

/** One hop of a browser: where it is sent, and the whole answer. */
async function hop(url, headers = {}) {
  const response = await fetch(url, { redirect: 'manual', headers });
  assert.ok([302, 303].includes(response.status), `${response.status} ${await response.text()}`);
  return { location: response.headers.get('location'), cookies: response.headers.getSetCookie(), status: response.status };
}

/** Goes from the app to the provider and back: the address at which the app is opened again. */
async function roundTrip({ auth }, person, options = {}, does = {}) {
  const { url } = ok(await auth.signInWithOAuth({ provider: 'keycloak', options: { skipBrowserRedirect: true, ...options } }));
  const { location: page } = await hop(url);
  provider.person = person;
  const { location } = await hop(provider.visit(page, does));
  return new URL(location);
}

const fragment = (url) => Object.fromEntries(new URLSearchParams(url.hash.slice(1)));

/** Signs in with the implicit flow, and gives the client its session. */
async function signIn(project, person, options) {
  const supabase = client(project);
  const { access_token, refresh_token } = fragment(await roundTrip(supabase, person, options));
  const { session } = ok(await supabase.auth.setSession({ access_token, refresh_token }));
  return { supabase, session, user: session.user };
}

test(`signInWithOAuth, implicit: tokens of both sides come back in the fragment [${STORAGE}]`, async () => {
  const project = await newOauthProject();
  const supabase = client(project);
  const email = newEmail();
  const url = await roundTrip(supabase, somebody(email), { redirectTo: `${SITE}/in?tab=2`, scopes: 'groups', queryParams: { prompt: 'login' } });
  assert.equal(`${url.origin}${url.pathname}${url.search}`, `${SITE}/in?tab=2`);
  const { access_token: accessToken, refresh_token: refreshToken, provider_token: providerToken, provider_refresh_token: providerRefreshToken } = fragment(url);
  assert.ok(providerToken.startsWith('provider-') && providerRefreshToken.startsWith('refresh-'));
  const { user } = ok(await supabase.auth.setSession({ access_token: accessToken, refresh_token: refreshToken }));
  assert.deepEqual([user.email, user.app_metadata], [email, { provider: 'keycloak', providers: ['keycloak'] }]);
  assert.equal(user.user_metadata.full_name, 'Ada Example');
  assert.equal(claims(accessToken).amr[0].method, 'oauth');
  const { scope, prompt, redirect_to: forwarded, state } = provider.seen.authorize.at(-1);
  assert.deepEqual([scope, prompt, forwarded], ['profile email groups', 'login', undefined]);
  assert.match(state, /^[0-9a-f-]{36}$/);
});

test(`signInWithOAuth, PKCE: a code for the client that began, once [${STORAGE}]`, async () => {
  const project = await newOauthProject();
  const supabase = client(project, { flowType: 'pkce' });
  const url = await roundTrip(supabase, somebody(newEmail()), { redirectTo: SITE });
  assert.equal(url.hash, '');
  const code = url.searchParams.get('code');
  refused(await client(project, { flowType: 'pkce' }).auth.exchangeCodeForSession(code), 400, 'pkce_code_verifier_not_found');
  const { session, user } = ok(await supabase.auth.exchangeCodeForSession(code));
  assert.ok(session.provider_token.startsWith('provider-') && session.provider_refresh_token.startsWith('refresh-'));
  assert.equal(user.identities[0].provider, 'keycloak');
  const [status, body] = await call(project, 'POST', '/token?grant_type=pkce', { body: { auth_code: code, code_verifier: 'x'.repeat(43) } });
  assert.deepEqual([status, body.code], [404, 'flow_state_not_found']);
});

test(`a state is good once, and the provider's refusal reaches the app [${STORAGE}]`, async () => {
  const project = await newOauthProject();
  const supabase = client(project);
  const denied = await roundTrip(supabase, somebody(newEmail()), { redirectTo: `${SITE}/in` }, { deny: true });
  assert.deepEqual([denied.searchParams.get('error'), denied.searchParams.get('error_description')], ['access_denied', 'The person said no']);

  const { url } = ok(await supabase.auth.signInWithOAuth({ provider: 'keycloak', options: { skipBrowserRedirect: true } }));
  const { location: page } = await hop(url);
  provider.person = somebody(newEmail());
  const back = provider.visit(page);
  assert.ok(fragment(new URL((await hop(back)).location)).access_token);
  const { status, location } = await hop(back);
  assert.deepEqual([status, new URL(location).searchParams.get('error_code')], [303, 'bad_oauth_state']);
});

test(`a verified address leads to the account that has it; whoever took it before loses his session [${STORAGE}]`, async () => {
  const project = await newOauthProject();
  const email = newEmail();
  ok(await admin(project).auth.admin.createUser({ email, password: 'password of the owner', email_confirm: true }));
  const { user } = await signIn(project, somebody(email));
  assert.deepEqual(user.identities.map((identity) => identity.provider).sort(), ['email', 'keycloak']);

  const squatted = newEmail();
  const squatter = client(project);
  ok(await squatter.auth.signUp({ email: squatted, password: 'password of a squatter' }));
  const { user: owner } = await signIn(project, somebody(squatted));
  assert.deepEqual(owner.identities.map((identity) => identity.provider), ['keycloak']);
  refused(await squatter.auth.signInWithPassword({ email: squatted, password: 'password of a squatter' }), 400, 'invalid_credentials');
});

test(`an unverified address opens nobody's account [${STORAGE}]`, async () => {
  const project = await newOauthProject();
  const email = newEmail();
  ok(await admin(project).auth.admin.createUser({ email, password: 'password of the owner', email_confirm: true }));
  const url = await roundTrip(client(project), somebody(email, { email_verified: false }));
  assert.equal(url.searchParams.get('error_code'), 'provider_email_needs_verification');
  const { users } = ok(await admin(project).auth.admin.listUsers());
  const owner = users.find((user) => user.email === email);
  const { user } = ok(await admin(project).auth.admin.getUserById(owner.id));
  assert.deepEqual(user.identities.map((identity) => identity.provider), ['email']);
});

test(`linkIdentity, getUserIdentities and unlinkIdentity [${STORAGE}]`, async () => {
  const project = await newOauthProject({ mailer_autoconfirm: true, security_manual_linking_enabled: true });
  const { supabase, user, email } = await signedUp(project);
  const { url } = ok(await supabase.auth.linkIdentity({ provider: 'keycloak', options: { redirectTo: SITE, skipBrowserRedirect: true } }));
  provider.person = somebody(newEmail());
  const { access_token: accessToken } = fragment(new URL((await hop(provider.visit(url))).location));
  assert.equal(claims(accessToken).sub, user.id);
  const { identities } = ok(await supabase.auth.getUserIdentities());
  const linked = identities.find((identity) => identity.provider === 'keycloak');
  assert.equal(linked.user_id, user.id);
  ok(await supabase.auth.unlinkIdentity(linked));
  const { identities: left } = ok(await supabase.auth.getUserIdentities());
  assert.deepEqual(left.map((identity) => identity.provider), ['email']);
  refused(await supabase.auth.unlinkIdentity(left[0]), 422, 'single_identity_not_deletable');
  assert.equal(ok(await supabase.auth.getUser()).user.email, email);
});

test(`an anonymous user links a provider and is anonymous no more [${STORAGE}]`, async () => {
  const project = await newOauthProject({ external_anonymous_users_enabled: true, security_manual_linking_enabled: true });
  const supabase = client(project);
  const { user } = ok(await supabase.auth.signInAnonymously());
  const { url } = ok(await supabase.auth.linkIdentity({ provider: 'keycloak', options: { skipBrowserRedirect: true } }));
  const email = newEmail();
  provider.person = somebody(email);
  await hop(provider.visit(url));
  const { user: now } = ok(await supabase.auth.refreshSession());
  assert.deepEqual([now.id, now.email, now.is_anonymous], [user.id, email, false]);
});

test(`signInWithIdToken and linkIdentity with an ID token [${STORAGE}]`, async () => {
  const project = await newOauthProject({ security_manual_linking_enabled: true });
  const nonce = crypto.randomUUID();
  const hashed = crypto.createHash('sha256').update(nonce).digest('hex');
  const person = somebody(newEmail());
  const supabase = client(project);
  const token = provider.idToken({ ...person, nonce: hashed });
  const { user } = ok(await supabase.auth.signInWithIdToken({ provider: 'keycloak', token, nonce }));
  assert.equal(user.identities[0].id, person.sub);
  refused(await supabase.auth.signInWithIdToken({ provider: 'keycloak', token, nonce: 'another' }), 400, undefined);
  refused(await supabase.auth.signInWithIdToken({ provider: 'keycloak', token: provider.idToken({ ...person, aud: 'another-client' }) }), 400, undefined);
  refused(await supabase.auth.signInWithIdToken({ provider: 'keycloak', token: provider.idToken({ ...person, iss: 'https://issuer.example' }) }), 400, undefined);
  const other = somebody(newEmail());
  const { user: linked } = ok(await supabase.auth.linkIdentity({ provider: 'keycloak', token: provider.idToken(other) }));
  assert.equal(linked.id, user.id);
  assert.equal(ok(await supabase.auth.getUser()).user.identities.length, 2);
});

for (const [chain, wallet] of [['ethereum', ethereumWallet()], ['solana', solanaWallet()]]) {
  test(`signInWithWeb3 with a wallet of ${chain} [${STORAGE}]`, async () => {
    const project = await newOauthProject({ external_web3_ethereum_enabled: true, external_web3_solana_enabled: true });
    const sign = (url = SITE) => client(project).auth.signInWithWeb3({ chain, wallet, statement: 'Sign in to the test', options: { url } });
    const { user, session } = ok(await sign());
    assert.deepEqual([user.identities[0].provider, claims(session.access_token).amr[0].method], ['web3', 'web3']);
    assert.equal(user.identities[0].identity_data.custom_claims.address.toLowerCase(), wallet.address?.toLowerCase() ?? wallet.publicKey.toBase58().toLowerCase());
    const { user: again } = ok(await sign());
    assert.equal(again.id, user.id);
    refused(await sign('https://evil.example/'), 400, undefined);
  });
}

test(`admin.customProviders: created, listed, changed, removed [${STORAGE}]`, async () => {
  const project = await newOauthProject({ custom_oauth_enabled: true });
  const { customProviders } = admin(project).auth.admin;
  const made = ok(await customProviders.createProvider({
    provider_type: 'oauth2', identifier: 'custom:acme', name: 'Acme', client_id: 'acme', client_secret: 'shh', scopes: ['read'],
    authorization_url: 'https://8.8.8.8/authorize', token_url: 'https://8.8.8.8/token', userinfo_url: 'https://8.8.8.8/userinfo',
  }));
  assert.deepEqual([made.identifier, made.pkce_enabled, made.client_secret], ['custom:acme', true, undefined]);
  const { url } = ok(await client(project).auth.signInWithOAuth({ provider: 'custom:acme', options: { skipBrowserRedirect: true } }));
  const { location } = await hop(url);
  assert.ok(location.startsWith('https://8.8.8.8/authorize?'), location);
  assert.equal(new URL(location).searchParams.get('code_challenge_method'), 'S256');
  assert.equal(ok(await customProviders.updateProvider('custom:acme', { name: 'Acme 2' })).name, 'Acme 2');
  assert.equal(ok(await customProviders.listProviders()).providers.length, 1);
  ok(await customProviders.deleteProvider('custom:acme'));
  refused(await customProviders.getProvider('custom:acme'), 404, 'custom_provider_not_found');
});

test(`shield: no sign-in without challenge, a nonce and S256 towards the provider [${STORAGE}]`, async () => {
  const project = await gateway.createProject({ flags: ['--profile', 'shield'], config: { site_url: SITE, uri_allow_list: SITE, ...UNLIMITED, ...providedBy(provider) } });
  const { url: without } = ok(await client(project).auth.signInWithOAuth({ provider: 'keycloak', options: { skipBrowserRedirect: true } }));
  assert.equal((await fetch(without, { redirect: 'manual' })).status, 400);
  const supabase = client(project, { flowType: 'pkce' });
  const url = await roundTrip(supabase, somebody(newEmail()), { redirectTo: SITE });
  const { nonce, code_challenge_method: method, scope } = provider.seen.authorize.at(-1);
  assert.ok(nonce && scope.split(' ').includes('openid'));
  assert.equal(method, 'S256');
  assert.ok(provider.seen.token.at(-1).code_verifier.length >= 43);
  ok(await supabase.auth.exchangeCodeForSession(url.searchParams.get('code')));
});

test(`a provider that is away says so to the app, and the project's other ways in go on [${STORAGE}]`, async () => {
  const away = await startOpenidProvider();
  after(() => away.stop());
  const project = await newProject(gateway, { site_url: SITE, ...providedBy(away) });
  const { email } = await signedUp(project);
  const { url } = ok(await client(project).auth.signInWithOAuth({ provider: 'keycloak', options: { skipBrowserRedirect: true } }));
  away.person = somebody(newEmail());
  const underWay = [];
  for (let begun = 0; begun < 6; begun += 1) underWay.push(away.visit((await hop(url)).location));
  away.failing = true;
  const answers = [];
  for (const back of underWay) answers.push(new URL((await hop(back)).location).searchParams.get('error'));
  assert.deepEqual(answers, [...Array(5).fill('server_error'), 'temporarily_unavailable']);
  assert.equal((await fetch(url, { redirect: 'manual' })).status, 503);
  const { url: other } = ok(await client(await newOauthProject()).auth.signInWithOAuth({ provider: 'keycloak', options: { skipBrowserRedirect: true } }));
  assert.equal((await fetch(other, { redirect: 'manual' })).status, 302);
  assert.ok((await signedInAgain(project, email)).session);
});
