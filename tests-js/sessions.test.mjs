// Sessions that their users see and end, and what others hear of it.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { countMails, nextMail } from './mails.mjs';
import { STORAGE, admin, call, claims, newProject, ok, signedInAgain, signedUp, startSeveralForThisFile } from './support.mjs';

const { storage, gateways } = await startSeveralForThisFile();
const [gateway] = gateways;
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';

const idOf = ({ access_token: token }) => claims(token).session_id;
/** The project's address on the last gateway, which did not open its sessions where there are two. */
const elsewhere = (project) => `${gateways.at(-1).url}/p/${project.ref}`;

test(`the list says which device, and is newest first, in pages [${STORAGE}]`, async () => {
  const project = await newProject(gateway);
  const { email, session } = await signedUp(project, { headers: { 'user-agent': FIREFOX } });
  const { session: phone } = await signedInAgain(project, email, { headers: { 'user-agent': IPHONE } });
  const [status, { sessions }] = await call(project, 'GET', '/sessions', { token: session.access_token, url: elsewhere(project) });
  assert.equal(status, 200);
  assert.deepEqual(sessions.map(({ id, current }) => [id, current]), [[idOf(phone), false], [idOf(session), true]]);
  const [{ device: mobile }, { device, user_agent: agent, ip, aal, created_at: created }] = sessions;
  assert.deepEqual([device.browser, device.os, device.kind], ['Firefox', 'Linux', 'desktop']);
  assert.deepEqual([mobile.browser, mobile.os, mobile.kind], ['Safari', 'iPhone', 'mobile']);
  assert.deepEqual([agent, ip, aal], [FIREFOX, '127.0.0.1', 'aal1']);
  assert.ok(Math.abs(Date.parse(created) - Date.now()) < 60_000);

  const [, { sessions: second }, headers] = await call(project, 'GET', '/sessions?page=2&per_page=1', { token: session.access_token });
  assert.deepEqual(second.map(({ id }) => id), [idOf(session)]);
  assert.equal(headers.get('x-total-count'), '2');
  assert.match(headers.get('link'), /rel="last"/);
});

test('an ended session is refused at once, on every gateway', async () => {
  const project = await newProject(gateway);
  const { email, session } = await signedUp(project);
  const { session: other } = await signedInAgain(project, email);
  for (const { url } of gateways) {
    assert.equal((await call(project, 'GET', '/user', { token: other.access_token, url: `${url}/p/${project.ref}` }))[0], 200);
  }
  assert.equal((await call(project, 'DELETE', `/sessions/${idOf(other)}`, { token: session.access_token }))[0], 204);
  for (const { url } of gateways) {
    for (const [method, route] of [['GET', '/user'], ['GET', '/sessions'], ['POST', '/logout'], ['PUT', '/user']]) {
      const [status, body] = await call(project, method, route, { token: other.access_token, url: `${url}/p/${project.ref}`, body: method === 'PUT' ? { data: { a: 1 } } : undefined });
      assert.deepEqual([status, body?.code], [403, 'session_not_found'], `${method} ${route}`);
    }
  }
});

test('nobody ends the session of somebody else', async () => {
  const project = await newProject(gateway);
  const [{ session }, { session: stranger }] = [await signedUp(project), await signedUp(project)];
  for (const id of [idOf(session), crypto.randomUUID()]) {
    const [status, { code }] = await call(project, 'DELETE', `/sessions/${id}`, { token: stranger.access_token });
    assert.deepEqual([status, code], [404, 'session_not_found']);
  }
  const [status, { code }] = await call(project, 'DELETE', '/sessions/mine', { token: stranger.access_token });
  assert.deepEqual([status, code], [404, 'validation_failed']);
  assert.equal((await call(project, 'GET', '/user', { token: session.access_token }))[0], 200);
});

test('an administrator sees and ends the sessions of a user', async () => {
  const project = await newProject(gateway);
  const { email, user, session } = await signedUp(project);
  const { session: second } = await signedInAgain(project, email);
  const { session: third } = await signedInAgain(project, email);
  const of = (method, route = '') => call(project, method, `/admin/users/${user.id}/sessions${route}`, { token: project.service_role_key });
  const [, { sessions }] = await of('GET');
  assert.deepEqual(new Set(sessions.map(({ id }) => id)), new Set([session, second, third].map(idOf)));
  assert.ok(sessions.every(({ current }) => !current));
  assert.equal((await of('DELETE', `/${idOf(second)}`))[0], 204);
  assert.equal((await call(project, 'GET', '/user', { token: second.access_token }))[0], 403);
  assert.equal((await of('DELETE'))[0], 204);
  for (const { access_token: token } of [session, third]) assert.equal((await call(project, 'GET', '/user', { token }))[0], 403);
  assert.deepEqual((await of('GET'))[1].sessions, []);
});

test('beyond the most a user may have, the session that was used longest ago ends', async () => {
  const project = await newProject(gateway, { sessions_max_per_user: 2 });
  const { email, session } = await signedUp(project);
  const { session: second } = await signedInAgain(project, email);
  const { session: third } = await signedInAgain(project, email);
  const alive = async ({ access_token: token }) => (await call(project, 'GET', '/user', { token }))[0] === 200;
  assert.deepEqual([await alive(session), await alive(second), await alive(third)], [false, true, true]);
});

test('a sign-in from a device that was not seen before is told by mail', async () => {
  const project = await newProject(gateway, { mailer_notifications_new_device_enabled: true });
  const { email } = await signedUp(project, { headers: { 'user-agent': FIREFOX } });
  await signedInAgain(project, email, { headers: { 'user-agent': FIREFOX } });
  await signedInAgain(project, email, { headers: { 'user-agent': IPHONE } });
  const { message } = await nextMail(project, email);
  assert.match(message.Subject, /new device/);
  assert.match(message.HTML, /Safari on iPhone[^]*127\.0\.0\.1/);
  assert.equal(await countMails(project, email), 1, 'neither the first device nor a known one');
});

test('introspection says whether the session of a token lives', async () => {
  const project = await newProject(gateway);
  const { supabase, session, user } = await signedUp(project);
  const introspect = async () => (await call(project, 'POST', '/admin/introspect', { token: project.service_role_key, body: { token: session.access_token }, url: elsewhere(project) }))[1];
  const living = await introspect();
  assert.deepEqual([living.active, living.sub, living.session_id], [true, user.id, idOf(session)]);
  ok(await supabase.auth.getUser());
  await supabase.auth.signOut();
  assert.deepEqual(await introspect(), { active: false });
});

test('inside PostgreSQL a function says whether a session lives', { skip: STORAGE === 'sqlite' && 'needs PostgreSQL' }, async () => {
  const project = await newProject(gateway);
  const { supabase, session } = await signedUp(project);
  const lives = () => storage.postgres.query(storage.database, `select auth.session_is_live('${idOf(session)}')`);
  assert.equal(await lives(), 't');
  await supabase.auth.signOut();
  assert.equal(await lives(), 'f');
});

/** A page of the feed, asked of the gateway that did not end anything. */
async function feed(project, query = '') {
  const [status, page] = await call(project, 'GET', `/admin/revocations${query}`, { token: project.service_role_key, url: elsewhere(project) });
  assert.equal(status, 200, JSON.stringify(page));
  return page;
}

test('the feed tells a reader that waits which sessions ended', async () => {
  const project = await newProject(gateway);
  const { supabase, session, user, email } = await signedUp(project);
  const { session: second } = await signedInAgain(project, email);
  const start = await feed(project);
  assert.deepEqual([start.revocations, start.gap], [[], false]);

  const waiting = feed(project, `?cursor=${start.cursor}&wait=20`);
  const began = Date.now();
  assert.equal((await call(project, 'DELETE', `/sessions/${idOf(second)}`, { token: session.access_token }))[0], 204);
  const told = await waiting;
  assert.deepEqual(told.revocations.map((each) => [each.session_id, each.user_id]), [[idOf(second), user.id]]);
  assert.ok(Math.abs(Date.parse(told.revocations[0].revoked_at) - Date.now()) < 60_000);
  assert.ok(Date.now() - began < 15_000, 'told when it happened, not when the wait was over');

  await supabase.auth.signOut();
  const { revocations, cursor } = await feed(project, `?cursor=${told.cursor}`);
  assert.deepEqual(revocations.map((each) => each.session_id), [idOf(session)]);
  assert.deepEqual((await feed(project, `?cursor=${cursor}`)).revocations, []);
  const all = await feed(project, `?cursor=${start.cursor}`);
  assert.deepEqual(all.revocations.map((each) => each.session_id), [idOf(second), idOf(session)], 'a reader may go back');
});

test('the feed is for administrators, and of one project', async () => {
  const project = await newProject(gateway);
  const other = await newProject(gateway);
  const { cursor } = await feed(other);
  const { supabase, session } = await signedUp(project);
  assert.deepEqual((await call(project, 'GET', '/admin/revocations', { token: session.access_token }))[1].code, 'not_admin');
  assert.equal((await call(project, 'GET', '/admin/revocations'))[0], 401);
  await supabase.auth.signOut();
  assert.deepEqual((await feed(other, `?cursor=${cursor}`)).revocations, []);
});

/** The events of a stream, as they come: `{ id, event, data }`. */
async function* events(response) {
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const fields = block.split('\n').filter((line) => !line.startsWith(':')).map((line) => line.match(/^(\w+): ?(.*)$/).slice(1));
      if (fields.length) yield Object.fromEntries(fields);
    }
  }
}

test('the feed as server-sent events, from where a reader left off', async () => {
  const project = await newProject(gateway);
  const { email, session, user } = await signedUp(project);
  const { session: second } = await signedInAgain(project, email);
  const { session: third } = await signedInAgain(project, email);
  const end = ({ access_token: token }) => call(project, 'DELETE', `/sessions/${claims(token).session_id}`, { token: session.access_token });
  const open = async (headers = {}) => {
    const stop = new AbortController();
    const response = await fetch(`${elsewhere(project)}/auth/v1/admin/revocations`, {
      headers: { apikey: project.service_role_key, authorization: `Bearer ${project.service_role_key}`, accept: 'text/event-stream', ...headers },
      signal: stop.signal,
    });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^text\/event-stream/);
    return { stream: events(response), stop: () => stop.abort() };
  };
  /** The first event that tells of an end. */
  const told = async (stream) => {
    for (;;) {
      const { value } = await stream.next();
      if (value.event === 'revocation') return { ...value, data: JSON.parse(value.data) };
    }
  };

  const live = await open();
  const { value: first } = await live.stream.next();
  assert.ok(first.id, 'where the stream begins');
  await end(second);
  const heard = await told(live.stream);
  assert.deepEqual([heard.data.session_id, heard.data.user_id], [idOf(second), user.id]);
  live.stop();

  await end(third);
  const resumed = await open({ 'last-event-id': heard.id });
  assert.equal((await told(resumed.stream)).data.session_id, idOf(third));
  resumed.stop();
});

test("a deleted user's sessions are told, too", async () => {
  const project = await newProject(gateway);
  const { cursor } = await feed(project);
  const { session, user } = await signedUp(project);
  ok(await admin(project).auth.admin.deleteUser(user.id));
  const { revocations } = await feed(project, `?cursor=${cursor}`);
  assert.deepEqual(revocations.map((each) => each.session_id), [idOf(session)]);
});
