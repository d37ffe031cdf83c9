// Refreshes of one session at the same moment: every call is answered, and there is one successor.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { startGateway } from '../scripts/lib/gateway.mjs';
import { PASSWORD, STORAGE, admin, call, claims, client, newProject, ok, refresh, refused, signedUp, startSeveralForThisFile } from './support.mjs';

const { storage, gateways } = await startSeveralForThisFile();
const project = await newProject(gateways[0]);
/** The project's address on each gateway. */
const urls = gateways.map((gateway) => `${gateway.url}/p/${project.ref}`);

async function race(width, addresses) {
  const { session } = await signedUp(project, { url: addresses[0] });
  const answers = await Promise.all(Array.from({ length: width }, (_, i) =>
    refresh(project, session.refresh_token, { url: addresses[i % addresses.length] })));
  const refusals = answers.filter(([status]) => status !== 200);
  assert.deepEqual(refusals.map(([status, body]) => `${status} ${body?.code}`), [], 'every call is answered with a session');
  const successors = new Set(answers.map(([, body]) => body.refresh_token));
  assert.equal(successors.size, 1, 'there is one successor');
  assert.notEqual([...successors][0], session.refresh_token);
  assert.deepEqual(new Set(answers.map(([, body]) => claims(body.access_token).session_id)), new Set([claims(session.access_token).session_id]));
  const [status] = await refresh(project, [...successors][0], { url: addresses.at(-1) });
  assert.equal(status, 200, 'the successor is good');
}

for (const width of [64, 200]) {
  test(`${width} refreshes of one session on one gateway [${STORAGE}]`, () => race(width, urls.slice(0, 1)));
  test(`${width} refreshes of one session on two gateways [${STORAGE}]`, { skip: gateways.length < 2 && 'SQLite serves one gateway' }, () => race(width, urls));
}

test('an old token outside the reuse interval ends the family', async () => {
  const strict = await newProject(gateways[0], { security_refresh_token_reuse_interval: 0 });
  const { session } = await signedUp(strict);
  const tokens = [session.refresh_token];
  for (let i = 0; i < 3; i += 1) {
    const [status, body] = await refresh(strict, tokens.at(-1));
    assert.equal(status, 200);
    tokens.push(body.refresh_token);
  }
  const [status, body] = await refresh(strict, tokens[0]);
  assert.deepEqual([status, body.code], [400, 'refresh_token_already_used']);
  const [newest] = await refresh(strict, tokens.at(-1));
  assert.equal(newest, 400, 'the newest token of the family is dead as well');
});

const two = { skip: gateways.length < 2 && 'SQLite serves one gateway' };

test('gateways that start at the same moment agree on operator, first project and schema', two, async () => {
  const [one, other] = gateways;
  assert.equal(one.token, other.token);
  assert.equal(one.project.ref, other.project.ref);
  for (const gateway of gateways) {
    const [, projects] = await gateway.management('GET', '/v1/projects');
    assert.deepEqual(projects.filter(({ ref }) => ref === one.project.ref).length, 1);
  }
  const stranger = startGateway({ storage, env: { TENANTRY_MASTER_KEY: crypto.randomBytes(32).toString('base64url') } });
  await assert.rejects(stranger, /master key does not fit/);
});

test('sign in on one gateway; refresh, list and revoke on the other', two, async () => {
  const [here, there] = urls;
  const { session, email } = await signedUp(project, { url: here });
  const [refreshed, fresh] = await refresh(project, session.refresh_token, { url: there });
  assert.equal(refreshed, 200);
  const second = ok(await client(project, { url: there }).auth.signInWithPassword({ email, password: PASSWORD })).session;
  for (const url of urls) {
    const [status, { sessions }] = await call(project, 'GET', '/sessions', { token: fresh.access_token, url });
    assert.equal(status, 200);
    assert.equal(sessions.length, 2, `both sessions are listed on ${url}`);
  }
  // Warm on both gateways, then revoked on one: the other refuses at once.
  assert.equal((await call(project, 'GET', '/user', { token: second.access_token, url: here }))[0], 200);
  const id = claims(second.access_token).session_id;
  assert.equal((await call(project, 'DELETE', `/sessions/${id}`, { token: fresh.access_token, url: there }))[0], 204);
  assert.equal((await call(project, 'GET', '/user', { token: second.access_token, url: here }))[0], 403);
  assert.equal((await refresh(project, second.refresh_token, { url: here }))[0], 400);
});

test('configuration and pausing reach the other gateway', two, async () => {
  const shared = await newProject(gateways[0]);
  const settings = (gateway) => fetch(`${gateway.url}/p/${shared.ref}/auth/v1/settings`);
  for (const gateway of gateways) assert.equal((await settings(gateway)).status, 200);
  const until = async (probe) => {
    for (let i = 0; i < 100; i += 1) {
      if (await probe()) return true;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    return false;
  };
  await gateways[1].management('PATCH', `/v1/projects/${shared.ref}/config/auth`, { disable_signup: true });
  assert.ok(await until(async () => (await (await settings(gateways[0])).json()).disable_signup === true));
  await gateways[0].cli('project', 'pause', shared.ref);
  assert.ok(await until(async () => (await settings(gateways[1])).status === 503));
});

test('an admin on one gateway ends a session of the other', two, async () => {
  const [here, there] = urls;
  const { supabase, user } = await signedUp(project, { url: here });
  ok(await supabase.auth.getUser());
  ok(await admin(project, { url: there }).auth.admin.deleteUser(user.id));
  refused(await supabase.auth.getUser(), 403, 'user_not_found');
});
