// What holds of sessions, factors and the feed while gateways and Redis come and go.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import path from 'node:path';
import { after, test } from 'node:test';
import { startGateway, startStorage } from '../scripts/lib/gateway.mjs';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { STORAGE, call, claims, client, newProject, ok, refused, signedInAgain, signedUp } from './support.mjs';
import { withApp } from './totp.mjs';

const storage = await startStorage(STORAGE);
const folder = temporaryFolder('session-faults');
const env = { TENANTRY_MASTER_KEY: crypto.randomBytes(32).toString('base64url') };
const startOne = (name) => startGateway({ storage, env, folder: path.join(folder.path, name) });
const gateways = [await startOne('a'), ...(STORAGE === 'sqlite' ? [] : [await startOne('b')])];
after(async () => {
  for (const gateway of gateways) await gateway.stop();
  await storage.stop();
  folder.remove();
});

/** A project's address on a gateway of now. */
const at = (project, i) => `${gateways.at(i).url}/p/${project.ref}`;
const idOf = ({ access_token: token }) => claims(token).session_id;
const needsRedis = { skip: STORAGE === 'sqlite' && 'needs Redis and a second gateway' };

const feed = async (project, query, i = -1) =>
  (await call(project, 'GET', `/admin/revocations${query}`, { token: project.service_role_key, url: at(project, i) }))[1];

test(`sessions, factors and the feed survive a restart [${STORAGE}]`, async () => {
  const project = await newProject(gateways[0]);
  const { supabase, email } = await signedUp(project);
  const { factorId, app } = await withApp(supabase);
  const raised = ok(await supabase.auth.getSession()).session;
  const { session: second } = await signedInAgain(project, email);
  const { cursor } = await feed(project, '');

  assert.equal((await gateways[0].stop()).code, 0);
  gateways[0] = await startOne('a');
  const url = at(project, 0);
  const [, { sessions }] = await call(project, 'GET', '/sessions', { token: raised.access_token, url });
  assert.deepEqual(sessions.map(({ id, aal }) => [id, aal]).sort(), [[idOf(raised), 'aal2'], [idOf(second), 'aal1']].sort());
  assert.equal((await call(project, 'DELETE', `/sessions/${idOf(second)}`, { token: raised.access_token, url }))[0], 204);
  assert.deepEqual((await feed(project, `?cursor=${cursor}`)).revocations.map((each) => each.session_id), [idOf(second)]);
  const moved = client(project, { url });
  ok(await moved.auth.setSession({ access_token: raised.access_token, refresh_token: raised.refresh_token }));
  ok(await moved.auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
});

test('readers of the feed do not hold up the end of a gateway', async () => {
  const project = await newProject(gateways[0]);
  const { cursor } = await feed(project, '', 0);
  const headers = { apikey: project.service_role_key, authorization: `Bearer ${project.service_role_key}` };
  const route = `${at(project, 0)}/auth/v1/admin/revocations?cursor=${cursor}&wait=25`;
  const stream = await fetch(route, { headers: { ...headers, accept: 'text/event-stream' } });
  const ended = stream.text().then(() => 'ended', () => 'cut off');
  const waiting = fetch(route, { headers }).then((response) => response.text()).catch(() => 'cut off');
  // The stream's first block has come when its answer has; so has the waiting reader's question.
  const began = Date.now();
  const { code } = await gateways[0].stop();
  gateways[0] = await startOne('a');
  assert.equal(code, 0);
  assert.ok(Date.now() - began < 15_000, 'well before the time to drain is over');
  await Promise.all([ended, waiting]);
});

test('an empty Redis is filled again, and nothing that was ended comes back', needsRedis, async () => {
  const project = await newProject(gateways[0]);
  const { session, email } = await signedUp(project);
  const { session: second } = await signedInAgain(project, email);
  const { session: ended } = await signedInAgain(project, email);
  assert.equal((await call(project, 'DELETE', `/sessions/${idOf(ended)}`, { token: session.access_token }))[0], 204);
  await storage.redis.halt('SIGKILL');
  await storage.redis.start();
  for (const i of [0, 1]) {
    const url = at(project, i);
    const [status, { sessions }] = await call(project, 'GET', '/sessions', { token: session.access_token, url });
    assert.equal(status, 200);
    assert.deepEqual(new Set(sessions.map(({ id }) => id)), new Set([idOf(session), idOf(second)]));
    assert.equal((await call(project, 'GET', '/user', { token: ended.access_token, url }))[0], 403);
  }
});

test('without Redis a code still works once, revocation is at once, and the feed tells', needsRedis, async () => {
  const project = await newProject(gateways[0]);
  const { supabase, session, email } = await signedUp(project);
  const { factorId, app } = await withApp(supabase);
  const { session: other } = await signedInAgain(project, email);
  const { cursor } = await feed(project, '');
  await storage.redis.halt('SIGKILL');
  try {
    const waiting = feed(project, `?cursor=${cursor}&wait=20`);
    const token = ok(await supabase.auth.getSession()).session.access_token;
    assert.equal((await call(project, 'DELETE', `/sessions/${idOf(other)}`, { token }))[0], 204);
    for (const i of [0, 1]) assert.equal((await call(project, 'GET', '/user', { token: other.access_token, url: at(project, i) }))[0], 403);
    assert.deepEqual((await waiting).revocations.map((each) => each.session_id), [idOf(other)]);

    const [here, there] = [await signedInAgain(project, email, { url: at(project, 0) }), await signedInAgain(project, email, { url: at(project, 1) })];
    const code = app.next();
    ok(await here.supabase.auth.mfa.challengeAndVerify({ factorId, code }));
    assert.ok(idOf(session));
    const again = await signedInAgain(project, email, { url: at(project, 1) });
    refused(await again.supabase.auth.mfa.challengeAndVerify({ factorId, code }), 422, 'mfa_verification_failed');
    assert.equal((await call(project, 'GET', '/user', { token: there.session.access_token, url: at(project, 1) }))[0], 403, 'it had no second factor when the other got one');
  } finally {
    await storage.redis.start();
  }
});
