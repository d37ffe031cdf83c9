// What a client is told while parts of the gateway die, and what is still there afterwards.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { startGateway, startStorage } from '../scripts/lib/gateway.mjs';
import { until } from '../scripts/lib/processes.mjs';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { PASSWORD, STORAGE, call, claims, newEmail, newProject, refresh, UNLIMITED } from './support.mjs';

const storage = await startStorage(STORAGE);
const folder = temporaryFolder('faults');
const dataDir = path.join(folder.path, 'data');
let gateway = await startGateway({ storage, folder: dataDir });
after(async () => {
  await gateway.stop();
  await storage.stop();
  folder.remove();
});
const project = await newProject(gateway);
const here = () => ({ url: `${gateway.url}/p/${project.ref}` });
const signUp = (email, options = here()) => call(project, 'POST', '/signup', { body: { email, password: PASSWORD }, ...options });

/** Runs `workers` loops of `step` until `stop()`; a step that throws (the gateway is gone) ends its loop. */
function load(workers, step) {
  let running = true;
  const loops = Array.from({ length: workers }, async () => {
    while (running) {
      try { await step(); } catch { return; }
    }
  });
  return { stop: async () => { running = false; await Promise.all(loops); } };
}

test(`kill -9 under load loses nothing that was acknowledged [${STORAGE}]`, async () => {
  const acknowledged = { users: [], rotated: [], ended: [] };
  const traffic = load(8, async () => {
    const email = newEmail();
    const [status, body] = await signUp(email);
    if (status !== 200) throw new Error(String(status));
    acknowledged.users.push(email);
    const [rotated, fresh] = await refresh(project, body.refresh_token, here());
    if (rotated !== 200) throw new Error(String(rotated));
    const [again, next] = await refresh(project, fresh.refresh_token, here());
    if (again !== 200) throw new Error(String(again));
    const [ended] = await call(project, 'POST', '/logout', { token: next.access_token, ...here() });
    if (ended === 204) acknowledged.ended.push(next.refresh_token);
    // Another session of the same user stays open, with a token that was rotated.
    const [, second] = await call(project, 'POST', '/token?grant_type=password', { body: { email, password: PASSWORD }, ...here() });
    const [kept, last] = await refresh(project, second.refresh_token, here());
    if (kept === 200) acknowledged.rotated.push({ session: claims(last.access_token).session_id, token: last.refresh_token });
  });
  await until('some load', () => acknowledged.rotated.length >= 10, 60000);
  await gateway.kill();
  await traffic.stop();

  gateway = await startGateway({ storage, folder: dataDir });
  for (const email of acknowledged.users) {
    const [status, body] = await signUp(email);
    assert.deepEqual([status, body.code], [422, 'user_already_exists'], `sign-up of ${email} was acknowledged`);
  }
  for (const token of acknowledged.ended) assert.equal((await refresh(project, token, here()))[0], 400, 'the session was ended');
  for (const { session, token } of acknowledged.rotated) {
    const [status, body] = await refresh(project, token, here());
    assert.equal(status, 200, 'the rotation was acknowledged');
    assert.equal(claims(body.access_token).session_id, session);
  }
});

test('SIGTERM finishes what was accepted', async () => {
  const accepted = [];
  let sent = 0;
  for (let i = 0; i < 24; i += 1) {
    const email = newEmail();
    accepted.push(signUp(email).then(([status]) => status, () => 'refused'));
    sent += 1;
  }
  // The first answer shows that the gateway has begun to work on them.
  await Promise.race(accepted);
  const end = await gateway.stop();
  assert.deepEqual([end.code, end.signal ?? null], [0, null]);
  const answers = await Promise.all(accepted);
  assert.equal(answers.length, sent);
  const odd = answers.filter((answer) => ![200, 503, 'refused'].includes(answer));
  assert.deepEqual(odd, []);
  assert.ok(answers.includes(200));
  gateway = await startGateway({ storage, folder: dataDir });
});

test("a flood of sign-ins on one project leaves another's requests alone", async () => {
  const quiet = await newProject(gateway);
  const at = { url: `${gateway.url}/p/${quiet.ref}` };
  const email = newEmail();
  const [, session] = await signUp(email, at);
  const flooded = newEmail();
  await signUp(flooded);
  const many = 150;
  let left = many;
  const signIn = (address, options) => call(project, 'POST', '/token?grant_type=password', { body: { email: address, password: PASSWORD }, ...options });
  const flood = Array.from({ length: left }, () => signIn(flooded, here()).then(([status]) => { left -= 1; return status; }));

  const [signedIn] = await signIn(email, at);
  const leftThen = left;
  let reads = 0;
  while (left > 0) {
    const [status] = await call(quiet, 'GET', '/user', { token: session.access_token, ...at });
    assert.equal(status, 200);
    reads += 1;
  }
  assert.equal(signedIn, 200);
  assert.ok(leftThen > 50, `a sign-in next door waited until ${many - leftThen} of ${many} were done`);
  assert.ok(reads > leftThen, `${reads} reads next door, one after the other, beside ${leftThen} sign-ins`);
  const odd = (await Promise.all(flood)).filter((status) => ![200, 429, 503].includes(status));
  assert.deepEqual(odd, []);
});

const needsServers = { skip: STORAGE === 'sqlite' && 'there is no server to restart' };

/** Statuses of `GET /user` and of a refresh while `fault` runs, then again once both work. */
async function duringFault(fault) {
  const [, session] = await signUp(newEmail());
  const seen = [];
  let token = session.refresh_token;
  const traffic = load(4, async () => {
    const [status] = await call(project, 'GET', '/user', { token: session.access_token, ...here() });
    seen.push(status);
  });
  const refreshes = load(1, async () => {
    const [status, body] = await refresh(project, token, here());
    seen.push(status);
    if (status === 200) token = body.refresh_token;
  });
  await until('load', () => seen.length > 20);
  await fault();
  await until('recovery', async () => {
    const [read] = await call(project, 'GET', '/user', { token: session.access_token, ...here() });
    const [rotated, body] = await refresh(project, token, here());
    if (rotated === 200) token = body.refresh_token;
    return read === 200 && rotated === 200;
  }, 30000);
  await Promise.all([traffic.stop(), refreshes.stop()]);
  const counts = Object.fromEntries([...new Set(seen)].map((status) => [status, seen.filter((s) => s === status).length]));
  assert.deepEqual(Object.keys(counts).filter((status) => !['200', '503', '504'].includes(status)), [], `statuses ${JSON.stringify(counts)}`);
  return counts;
}

test('PostgreSQL away: 503 with Retry-After, then recovery without a restart', needsServers, async () => {
  const counts = await duringFault(async () => {
    await storage.postgres.halt('SIGQUIT');
    await until('a 503', async () => {
      const [status, , headers] = await signUp(newEmail());
      return status === 503 && Number(headers.get('retry-after')) > 0;
    });
    const [settings] = await call(project, 'GET', '/settings', here());
    assert.equal(settings, 200, 'what needs no database is answered');
    await storage.postgres.start();
  });
  assert.ok(counts[503] > 0, JSON.stringify(counts));
});

test('Redis away: sign-in and refresh go on, and nothing revoked is accepted', needsServers, async () => {
  await duringFault(async () => {
    await storage.redis.halt('SIGKILL');
    const email = newEmail();
    const [signedUp, session] = await signUp(email);
    assert.equal(signedUp, 200);
    const [rotated, fresh] = await refresh(project, session.refresh_token, here());
    assert.equal(rotated, 200);
    const [listed, { sessions }] = await call(project, 'GET', '/sessions', { token: fresh.access_token, ...here() });
    assert.deepEqual([listed, sessions.length], [200, 1]);
    assert.equal((await call(project, 'POST', '/logout', { token: fresh.access_token, ...here() }))[0], 204);
    assert.equal((await call(project, 'GET', '/user', { token: fresh.access_token, ...here() }))[0], 403);
    assert.equal((await refresh(project, fresh.refresh_token, here()))[0], 400);
    await storage.redis.start();
  });
});

test("a project whose own database is away answers 503 and its neighbours don't notice", needsServers, async () => {
  const { startPostgres } = await import('../scripts/lib/services.mjs');
  const own = await startPostgres();
  try {
    const url = await own.createDatabase('tenant');
    const placed = await gateway.createProject({ config: { mailer_autoconfirm: true, ...UNLIMITED }, flags: ['--database-url', url] });
    const at = { url: `${gateway.url}/p/${placed.ref}` };
    const [before, session] = await signUp(newEmail(), at);
    assert.equal(before, 200);
    await own.halt('SIGQUIT');
    await until('a 503', async () => (await call(placed, 'GET', '/user', { token: session.access_token, ...at }))[0] === 503);
    assert.equal((await signUp(newEmail()))[0], 200);
    await own.start();
    await until('recovery', async () => (await call(placed, 'GET', '/user', { token: session.access_token, ...at }))[0] === 200);
    await gateway.management('DELETE', `/v1/projects/${placed.ref}`);
  } finally {
    await own.stop();
  }
});
