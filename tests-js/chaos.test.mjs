// Two and three gateways under load while they, Redis and PostgreSQL die and come back. The database is asked afterwards what is true: what was
// acknowledged is there, and what was ended was accepted by nobody.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { until } from '../scripts/lib/processes.mjs';
import { ask, askAny, isTemporary, load, startFleet } from './fleet.mjs';
import { PASSWORD, STORAGE, claims, newEmail, newProject } from './support.mjs';

const skip = STORAGE === 'sqlite' && 'needs PostgreSQL, Redis and several gateways';

const REFRESH = '/token?grant_type=refresh_token';

for (const count of [2, 3]) {
  test(`with ${count} gateways, what was acknowledged stays and what was ended stays ended, whatever dies`, { skip }, async () => {
    const fleet = await startFleet(count);
    try {
      await chaos(fleet);
    } finally {
      await fleet.stop();
    }
  });
}

async function chaos(fleet) {
  const anyGateway = () => crypto.randomInt(fleet.gateways.length);
  const last = fleet.gateways.length - 1;
  const project = await newProject(fleet.gateways[0]);
  const users = new Map(); // e-mail to the last acknowledged and the last attempted number
  const open = new Map(); // session to the refresh token that was acknowledged last
  const ended = []; // tokens of sessions whose end was acknowledged
  const violations = [];
  const seen = {};
  let acknowledged = 0;
  const note = (what, { status }) => { seen[`${what} ${status}`] = (seen[`${what} ${status}`] ?? 0) + 1; };
  const violated = (what, answer) => violations.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);

  /** What is ended is accepted by no gateway, from the moment its end was acknowledged. */
  async function mustBeOver({ access, refresh }, i) {
    const read = await ask(fleet, project, i, 'GET', '/user', { token: access });
    if (read.status !== 403 && !isTemporary(read)) violated(`an ended token at gateway ${i}`, read);
    const rotated = await ask(fleet, project, i, 'POST', REFRESH, { body: { refresh_token: refresh } });
    if (rotated.status !== 400 && !isTemporary(rotated)) violated(`an ended refresh token at gateway ${i}`, rotated);
  }

  /** One life of a user: sign up, refresh and write for a while, then leave or stay. */
  async function live() {
    const email = newEmail();
    const signUp = await ask(fleet, project, anyGateway(), 'POST', '/signup', { body: { email, password: PASSWORD } });
    note('sign-up', signUp);
    if (isTemporary(signUp)) return;
    if (signUp.status !== 200) return violated('a sign-up', signUp);
    const user = { acknowledged: 0, attempted: 0 };
    users.set(email, user);
    let { access_token: access, refresh_token: refresh } = signUp.body;
    const session = claims(access).session_id;
    open.set(session, refresh);
    acknowledged += 1;
    for (let round = 0; round < 3; round += 1) {
      // A refresh whose answer was lost is tried again with the token that is known.
      const rotated = await askAny(fleet, project, 'POST', REFRESH, { body: { refresh_token: refresh } });
      note('refresh', rotated);
      if (rotated.status !== 200) return violated('a refresh', rotated);
      ({ access_token: access, refresh_token: refresh } = rotated.body);
      if (claims(access).session_id !== session) violated('another session', rotated);
      open.set(session, refresh);
      user.attempted += 1;
      const wrote = await ask(fleet, project, anyGateway(), 'PUT', '/user', { token: access, body: { data: { n: user.attempted } } });
      note('update', wrote);
      if (wrote.status === 200) user.acknowledged = user.attempted;
      else if (!isTemporary(wrote)) violated('an update', wrote);
      acknowledged += 1;
    }
    if (crypto.randomInt(2) === 0) return;
    // From here on nobody knows whether it is open, until its end is acknowledged.
    open.delete(session);
    const [method, route, token] = [
      ['POST', '/logout?scope=local', access],
      ['DELETE', `/sessions/${session}`, access],
      ['DELETE', `/admin/users/${signUp.body.user.id}/sessions`, project.service_role_key],
    ][crypto.randomInt(3)];
    const left = await ask(fleet, project, anyGateway(), method, route, { token });
    note('end', left);
    if (left.status !== 204) return isTemporary(left) || violated('the end of a session', left);
    const tokens = { session, access, refresh };
    ended.push(tokens);
    acknowledged += 1;
    await Promise.all(fleet.gateways.map((_, i) => mustBeOver(tokens, i)));
  }

  /** The operator changes the configuration, version after version, at any gateway. */
  const versions = { acknowledged: 0, attempted: 0 };
  async function configure() {
    versions.attempted += 1;
    const change = { site_url: `https://v${versions.attempted}.example.com` };
    const [status] = await fleet.gateways[anyGateway()].management('PATCH', `/v1/projects/${project.ref}/config/auth`, change).catch(() => [0]);
    note('configuration', { status });
    if (status === 200) versions.acknowledged = versions.attempted;
    else if (!isTemporary({ status })) violated('a change of the configuration', { status });
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }

  const traffic = load(12, live);
  const operator = load(1, configure);
  const watch = load(1, async () => {
    if (ended.length) await mustBeOver(ended[crypto.randomInt(ended.length)], anyGateway());
    else await new Promise((resolve) => { setTimeout(resolve, 50); });
  });
  const more = (count) => {
    const enough = acknowledged + count;
    return until(`${count} more writes`, () => acknowledged >= enough, 30000);
  };
  const { postgres, redis } = fleet.storage;
  await more(40);

  // A gateway dies in mid-request; the others go on.
  await fleet.kill(0);
  await more(25);
  await fleet.start(0);
  await more(10);

  // Redis dies; a gateway dies and starts without it.
  await redis.halt('SIGKILL');
  await more(25);
  await fleet.kill(1);
  await fleet.start(1);
  await more(25);
  await redis.start();
  await more(10);

  // PostgreSQL crashes and recovers, with everybody connected.
  await postgres.halt('SIGQUIT');
  await until('a refusal', async () => isTemporary(await ask(fleet, project, last, 'POST', '/signup', { body: { email: newEmail(), password: PASSWORD } })));
  await postgres.start();
  await more(25);

  // Two die at once, one of them while Redis starts anew with nothing in it.
  await Promise.all([fleet.kill(0), fleet.kill(last)]);
  await redis.halt('SIGTERM');
  await Promise.all([redis.start(), fleet.start(0), fleet.start(last)]);
  await more(40);

  const failed = [...await traffic.stop(), ...await operator.stop(), ...await watch.stop()];
  assert.deepEqual(failed, []);
  const told = `${JSON.stringify(seen)}, ${ended.length} ended`;
  assert.deepEqual(violations, [], told);
  assert.ok(ended.length >= 5, told);

  const rows = async (sql) => (await postgres.query(fleet.storage.database, sql)).split('\n').filter(Boolean);
  const stored = new Map((await rows("select email || '|' || coalesce(raw_user_meta_data->>'n', '0') from auth.users")).map((row) => row.split('|')));
  for (const [email, { acknowledged: least, attempted: most }] of users) {
    assert.ok(stored.has(email), `${email} was acknowledged and is not there`);
    const n = Number(stored.get(email));
    assert.ok(least <= n && n <= most, `${email} has written ${n}; ${least} was acknowledged, ${most} was tried`);
  }
  const sessions = new Set(await rows('select id from auth.sessions'));
  for (const session of open.keys()) assert.ok(sessions.has(session), `session ${session} was acknowledged and is not there`);
  for (const { session } of ended) assert.ok(!sessions.has(session), `session ${session} was ended and is there`);
  for (const tokens of ended) await mustBeOver(tokens, anyGateway());
  const [, config] = await fleet.gateways[0].management('GET', `/v1/projects/${project.ref}/config/auth`);
  const version = Number(/v(\d+)/.exec(config.site_url)[1]);
  assert.ok(versions.acknowledged <= version && version <= versions.attempted, `version ${version} of ${JSON.stringify(versions)}`);
  for (const [session, token] of open) {
    const answer = await askAny(fleet, project, 'POST', REFRESH, { body: { refresh_token: token } });
    assert.equal(answer.status, 200, `session ${session}: ${JSON.stringify(answer.body)}`);
    assert.equal(claims(answer.body.access_token).session_id, session);
  }
  assert.deepEqual(violations, [], told);
  console.log(`${acknowledged} acknowledged writes of ${users.size} users, ${versions.acknowledged} versions of the configuration, ${told}`);
}
