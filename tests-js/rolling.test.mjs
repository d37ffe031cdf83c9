// Gateways that are replaced one after the other, as an upgrade does it: whoever tries again at another one notices nothing, nothing that
// was accepted is cut off, and keys change meanwhile.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { until } from '../scripts/lib/processes.mjs';
import { ask, askAny, isTemporary, load, startFleet } from './fleet.mjs';
import { PASSWORD, STORAGE, claims, newEmail, newProject } from './support.mjs';

const skip = STORAGE === 'sqlite' && 'needs PostgreSQL, Redis and several gateways';
const REFRESH = '/token?grant_type=refresh_token';

for (const count of [2, 3]) {
  test(`a rolling restart of ${count} gateways is not noticed by who tries again`, { skip }, async () => {
    const fleet = await startFleet(count);
    try {
      await rolling(fleet);
    } finally {
      await fleet.stop();
    }
  });
}

async function rolling(fleet) {
  const project = await newProject(fleet.gateways[0]);
  const failures = [];
  const keys = new Set();
  const broken = [];
  let [answers, retries] = [0, 0];

  /** A request that may be tried again, and must end well. */
  async function must(status, method, route, options) {
    const answer = await askAny(fleet, project, method, route, options);
    answers += 1;
    retries += answer.tries - 1;
    if (answer.status !== status) failures.push(`${method} ${route}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }

  /** Somebody who works all the time. */
  async function worker() {
    const email = newEmail();
    const credentials = { body: { email, password: PASSWORD } };
    // A sign-up is not tried again: whoever hears nothing must find that it was not made.
    const made = await ask(fleet, project, crypto.randomInt(fleet.gateways.length), 'POST', '/signup', credentials);
    if (made.status === 0) broken.push(email);
    if (made.status !== 200 && !isTemporary(made)) failures.push(`sign-up: ${made.status} ${JSON.stringify(made.body)}`);
    if (made.status !== 200) return;
    let { body: session } = made;
    for (let round = 0; round < 6; round += 1) {
      const rotated = await must(200, 'POST', REFRESH, { body: { refresh_token: session.refresh_token } });
      if (rotated.status !== 200) return;
      session = rotated.body;
      keys.add(JSON.parse(Buffer.from(session.access_token.split('.')[0], 'base64url')).kid ?? 'secret');
      await must(200, 'GET', '/user', { token: session.access_token });
      await must(200, 'PUT', '/user', { token: session.access_token, body: { data: { round } } });
    }
    const again = await must(200, 'POST', '/token?grant_type=password', credentials);
    if (again.status === 200) assert.notEqual(claims(again.body.access_token).session_id, claims(session.access_token).session_id);
    await must(200, 'GET', '/settings');
  }

  const traffic = load(6, worker);
  const more = (number) => {
    const enough = answers + number;
    return until(`${number} more answers`, () => answers >= enough, 30000);
  };
  /** New keys sign, at any gateway; what the old ones have signed goes on. */
  async function rotate(i, algorithm) {
    const [status, body] = await fleet.gateways[i].management('POST', `/v1/projects/${project.ref}/config/auth/signing-keys/rotate`, { algorithm });
    assert.ok(status === 200 || status === 201, `${status} ${JSON.stringify(body)}`);
  }

  await more(60);
  await rotate(0, 'ES256');
  for (const i of fleet.gateways.keys()) {
    const { code, signal } = await fleet.drain(i);
    assert.deepEqual([code, signal ?? null], [0, null], `gateway ${i}: ${fleet.gateways[i].log()}`);
    await more(30);
    await fleet.start(i);
    await more(30);
    await rotate(i, ['RS256', 'EdDSA', 'ES256'][i]);
  }
  await more(60);
  assert.deepEqual(await traffic.stop(), []);
  assert.deepEqual(failures, []);
  const users = new Set((await fleet.storage.postgres.query(fleet.storage.database, 'select email from auth.users')).split('\n'));
  assert.deepEqual(broken.filter((email) => users.has(email)), [], 'an accepted request was cut off before its answer');
  assert.ok(keys.size >= 3, `tokens were signed by ${[...keys]}`);
  console.log(`${answers} answers after ${retries} retries, ${broken.length} sign-ups that met a closed door, ${keys.size} keys`);
}

/** Whether every gateway serves the project with this setting for anonymous sign-ups. */
const live = (fleet, project, on) => async () => {
  const answers = await Promise.all(fleet.gateways.map((_, i) => ask(fleet, project, i, 'GET', '/settings')));
  return answers.every(({ body }) => body?.external?.anonymous_users === on);
};

test('a change is live at every gateway within a second, with Redis and without', { skip }, async () => {
  const fleet = await startFleet(3);
  try {
    const project = await newProject(fleet.gateways[0], { external_anonymous_users_enabled: false });
    await until('all to serve', live(fleet, project, false));
    const change = async (i, on) => {
      const began = Date.now();
      const [status] = await fleet.gateways[i].management('PATCH', `/v1/projects/${project.ref}/config/auth`, { external_anonymous_users_enabled: on });
      assert.equal(status, 200);
      await until(`the change of gateway ${i}`, live(fleet, project, on), 3000, 20);
      return Date.now() - began;
    };
    const took = [await change(0, true), await change(1, false), await change(2, true)];
    await fleet.storage.redis.halt('SIGKILL');
    const without = [await change(2, false), await change(1, true), await change(0, false)];
    await fleet.storage.redis.start();
    console.log(`with Redis ${took.join(', ')} ms, without ${without.join(', ')} ms`);
    assert.ok(took.every((each) => each < 1000), `${took} ms`);
    // The database is looked at once a second.
    assert.ok(without.every((each) => each < 2000), `${without} ms`);
  } finally {
    await fleet.stop();
  }
});
