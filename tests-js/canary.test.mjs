// A word that only one project knows stands in everything of it that takes a word. No other project's answer, no measure, no line of a
// log and no key or value of Redis that is another's ever says it; what is secret is said nowhere at all.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, test } from 'node:test';
import { startGateway, startStorage } from '../scripts/lib/gateway.mjs';
import { run, until } from '../scripts/lib/processes.mjs';
import { STORAGE, UNLIMITED } from './support.mjs';
import { App } from './totp.mjs';

const storage = await startStorage(STORAGE);
const gateway = await startGateway({ storage, env: { RUST_LOG: 'debug' } });
const lines = [];
for (const stream of [gateway.child.stdout, gateway.child.stderr]) stream.on('data', (text) => lines.push(text));
after(async () => {
  await gateway.stop();
  await storage.stop();
});

const word = (what) => `${what}${crypto.randomBytes(8).toString('hex')}`;

/** A project full of its word: what may be shown to its own people, what is secret, and all it was ever answered. */
async function planted(name) {
  const [canary, secret] = [word('canary'), word('hidden')];
  const site = `https://${canary}.example.com`;
  const mails = ['confirmation', 'recovery', 'magic_link', 'invite', 'email_change', 'reauthentication'];
  const config = {
    ...UNLIMITED, mailer_autoconfirm: true, site_url: site, uri_allow_list: `${site}/**`, custom_oauth_enabled: true,
    mfa_recovery_codes_enroll_enabled: true, mfa_recovery_codes_verify_enabled: true, webauthn_rp_display_name: canary,
    webauthn_rp_id: `${canary}.example.com`, webauthn_rp_origins: site, passkey_enabled: true,
    external_gitlab_enabled: true, external_gitlab_client_id: canary, external_gitlab_secret: secret,
    external_phone_enabled: true, sms_provider: 'messagebird', sms_messagebird_access_key: secret, sms_messagebird_originator: canary.slice(0, 11),
    sms_template: `${canary} {{ .Code }}`, audit_log_failures_enabled: true,
    ...Object.fromEntries(mails.flatMap((mail) => [
      [`mailer_subjects_${mail}`, `${canary} ${mail}`],
      [`mailer_templates_${mail}_content`, `<p>${canary} {{ .Token }} {{ .ConfirmationURL }}</p>`],
    ])),
  };
  const project = await gateway.createProject({ config, flags: ['--name', canary] });
  return { name, canary, secret, project, site, password: `${secret} Aa1!`, answers: [], ids: new Set() };
}

/** A request to a project, whose whole answer is kept. */
async function ask(planted, method, route, { token, body, url = planted.project.url, headers = {} } = {}) {
  const response = await fetch(`${url}${route}`, {
    method, redirect: 'manual',
    headers: {
      apikey: planted.project.anon_key, 'user-agent': `${planted.canary}/1.0`, ...headers,
      ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  planted.answers.push({ what: `${method} ${route}`, status: response.status, said: `${JSON.stringify([...response.headers])}\n${text}` });
  let json;
  try { json = JSON.parse(text); } catch { json = {}; }
  // The operator's own token is named in what both are told.
  if (route.startsWith('/auth/')) for (const id of text.matchAll(/"(?:id|user_id|session_id|identity_id)":"([0-9a-f-]{36})"/g)) planted.ids.add(id[1]);
  return { status: response.status, json };
}

/** Puts the word wherever a person of the project or its server can put one, and asks for all that can be asked for. */
async function live(planted) {
  const { canary, password, project } = planted;
  const auth = (method, route, options) => ask(planted, method, `/auth/v1${route}`, options);
  const service = { token: project.service_role_key };
  const admin = (method, route, body) => auth(method, `/admin${route}`, { ...service, body });
  const ok = async (answer, ...statuses) => {
    const { status, json } = await answer;
    assert.ok(statuses.includes(status), `${planted.answers.at(-1).what}: ${status} ${JSON.stringify(json)}`);
    return json;
  };
  const email = `${canary}@example.com`;
  const credentials = { email, password, data: { note: canary } };
  const first = await ok(auth('POST', '/signup', { body: credentials }), 200);
  const made = await ok(auth('POST', '/factors', { token: first.access_token, body: { factor_type: 'totp', friendly_name: canary } }), 200);
  const challenge = await ok(auth('POST', `/factors/${made.id}/challenge`, { token: first.access_token, body: {} }), 200);
  const code = new App(made.totp.secret).next();
  const { access_token: token } = await ok(auth('POST', `/factors/${made.id}/verify`, { token: first.access_token, body: { challenge_id: challenge.id, code } }), 200);
  const { user } = await ok(auth('POST', '/token?grant_type=password', { body: credentials }), 200);
  await ok(auth('POST', '/factors/recovery-codes', { token, body: {} }), 200);
  await ok(auth('PUT', '/user', { token, body: { data: { more: canary } } }), 200);
  await ok(admin('PUT', `/users/${user.id}`, { app_metadata: { plan: canary } }), 200);
  await ok(admin('POST', '/custom-providers', {
    provider_type: 'oauth2', identifier: `custom:${canary}`, name: canary, client_id: canary, client_secret: planted.secret,
    authorization_url: 'https://8.8.8.8/authorize', token_url: 'https://8.8.8.8/token', userinfo_url: 'https://8.8.8.8/userinfo',
  }), 201);
  await ok(auth('POST', '/invite', { ...service, body: { email: `guest-${email}`, data: { note: canary } } }), 200);
  await ok(auth('POST', '/recover', { body: { email } }), 200);
  // What is refused tells no more than what is granted.
  for (const body of [{ email, password: canary }, { email: `nobody-${email}`, password: canary }]) await ok(auth('POST', '/token?grant_type=password', { body }), 400);
  await ok(auth('GET', `/authorize?provider=${canary}`), 400);
  await ok(auth('GET', `/verify?type=magiclink&token=${canary}`), 303);
  await ok(auth('POST', '/verify', { body: { type: 'email', email, token: canary } }), 403);
  await ok(auth('GET', '/user', { token: `${canary}.${canary}.${canary}` }), 403);
  for (const route of ['/health', '/settings', '/.well-known/jwks.json', '/.well-known/openid-configuration', `/authorize?provider=gitlab`, `/authorize?provider=custom:${canary}`]) await auth('GET', route);
  for (const route of ['/user', '/sessions', '/passkeys', '/factors/recovery-codes']) await ok(auth('GET', route, { token }), 200);
  const lists = ['/users', `/users/${user.id}`, `/users/${user.id}/factors`, `/users/${user.id}/sessions`, '/audit', '/custom-providers', '/revocations?cursor=0'];
  for (const route of lists) await ok(admin('GET', route), 200);
  await ok(auth('POST', '/passkeys/registration/options', { token, body: {} }), 200);
  await ok(auth('POST', '/passkeys/authentication/options', { body: {} }), 200);
}

/** What an operator asks of one project. */
async function operate(planted) {
  const options = { url: gateway.admin_url, token: gateway.token };
  const base = `/v1/projects/${planted.project.ref}`;
  const key = await ask(planted, 'POST', `${base}/api-keys`, { ...options, body: { type: 'secret', name: planted.canary.slice(0, 20), description: planted.canary } });
  assert.equal(key.status, 201, JSON.stringify(key.json));
  for (const route of ['', '/config/auth', '/api-keys', '/config/auth/signing-keys', '/config/auth/third-party-auth', '/health?services=auth', '/quotas', '/usage', '/sessions', '/audit', '/placement', '/config/auth/history']) {
    await ask(planted, 'GET', `${base}${route}`, options);
  }
  // Mail to people of the project, as its developers see it.
  await until('the mails', async () => (await ask(planted, 'GET', '/mail/api/v1/messages')).json.total >= 2);
}

/** All keys of Redis with all they hold. */
async function redisKeys() {
  if (!storage.redis) return [];
  const port = new URL(storage.redis.url).port;
  const redis = async (...words) => (await run('redis-cli', ['-p', port, ...words])).stdout.trim();
  const read = { string: ['GET'], hash: ['HGETALL'], set: ['SMEMBERS'], zset: ['ZRANGE'], list: ['LRANGE'], stream: ['XRANGE'] };
  const keys = (await redis('--scan')).split('\n').filter(Boolean);
  return Promise.all(keys.map(async (key) => {
    const [command] = read[await redis('TYPE', key)] ?? ['DUMP'];
    const all = { ZRANGE: ['0', '-1', 'WITHSCORES'], LRANGE: ['0', '-1'], XRANGE: ['-', '+'] }[command] ?? [];
    return { key, held: await redis(command, key, ...all) };
  }));
}

test(`a word of one project is seen nowhere of another [${STORAGE}]`, async () => {
  const all = [await planted('one'), await planted('two')];
  await Promise.all(all.map(live));
  await Promise.all(all.map(operate));
  const [metrics, keys] = [await (await fetch(`${gateway.admin_url}/metrics`)).text(), await redisKeys()];
  let checks = 0;
  const never = (text, what, where) => { checks += 1; assert.ok(!text.includes(what), `${where} says ${what}: ${text.slice(0, 2000)}`); };

  for (const [mine, other] of [all, all.toReversed()]) {
    assert.ok(mine.answers.some(({ said }) => said.includes(mine.canary)), 'the word is told to its own');
    const theirs = [other.canary, other.secret, other.project.ref, ...other.ids];
    for (const { what, said } of mine.answers) for (const each of theirs) never(said, each, `${mine.name}: ${what}`);
    for (const { what, said } of mine.answers) {
      if (what.startsWith('POST /v1') || what.includes('api-keys')) continue;
      never(said, mine.secret, `${mine.name}: ${what}`);
    }
    never(metrics, mine.canary, 'the metrics');
    never(metrics, mine.secret, 'the metrics');
    for (const id of mine.ids) never(metrics, id, 'the metrics');
    for (const line of lines.join('').split('\n')) {
      never(line, mine.secret, 'the log');
      if (line.includes(mine.project.ref)) for (const each of [other.canary, ...other.ids]) never(line, each, `the log of ${mine.name}`);
    }
    // What is somebody's is under his id; what is nobody's says nothing of anybody.
    const owned = keys.filter(({ held }) => held.includes(mine.canary)).map(({ key }) => key.split(':')[1]);
    assert.ok(new Set(owned).size <= 1, `${mine.name} is under ${owned}`);
    for (const { key, held } of keys) {
      const text = `${key}\n${held}`;
      never(text, mine.secret, 'Redis');
      if (key.split(':')[1] !== owned[0]) for (const each of [mine.canary, ...mine.ids]) never(text, each, `Redis under ${key}`);
    }
  }
  console.log(`${checks} checks, ${keys.length} keys of Redis, ${lines.join('').split('\n').length} lines of logs, ${all.map(({ answers }) => answers.length)} answers`);
});
