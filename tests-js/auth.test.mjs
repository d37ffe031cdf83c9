// A user's whole way through supabase-js.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../scripts/lib/processes.mjs';
import { PASSWORD, STORAGE, call, claims, client, newEmail, newProject, ok, refused, signedUp, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();
const project = await newProject(gateway);

test(`signUp gives a user and a session [${STORAGE}]`, async () => {
  const { user, session, email } = await signedUp(project);
  assert.equal(user.email, email);
  assert.equal(user.role, 'authenticated');
  assert.equal(user.aud, 'authenticated');
  assert.equal(session.token_type, 'bearer');
  assert.equal(session.expires_in, 3600);
  const { iss, sub, session_id, aal, amr } = claims(session.access_token);
  assert.equal(iss, `${project.url}/auth/v1`);
  assert.equal(sub, user.id);
  assert.match(session_id, /^[0-9a-f-]{36}$/);
  assert.equal(aal, 'aal1');
  assert.equal(amr[0].method, 'password');
});

test('signUp of a taken address and of a short password are refused', async () => {
  const { supabase, email } = await signedUp(project);
  refused(await supabase.auth.signUp({ email, password: PASSWORD }), 422, 'user_already_exists');
  const weak = refused(await supabase.auth.signUp({ email: newEmail(), password: 'short' }), 422, 'weak_password');
  assert.deepEqual(weak.reasons, ['length']);
});

test('signInWithPassword gives a new session, and the same error for a wrong password and an unknown address', async () => {
  const { email, user, session } = await signedUp(project);
  const supabase = client(project);
  const again = ok(await supabase.auth.signInWithPassword({ email, password: PASSWORD }));
  assert.equal(again.user.id, user.id);
  assert.notEqual(claims(again.session.access_token).session_id, claims(session.access_token).session_id);
  const wrong = refused(await supabase.auth.signInWithPassword({ email, password: 'not it at all' }), 400, 'invalid_credentials');
  const unknown = refused(await supabase.auth.signInWithPassword({ email: newEmail(), password: PASSWORD }), 400, 'invalid_credentials');
  assert.equal(wrong.message, unknown.message);
});

test('getUser and getSession know the signed-in user', async () => {
  const { supabase, user, session } = await signedUp(project);
  assert.equal(ok(await supabase.auth.getUser()).user.id, user.id);
  assert.equal(ok(await supabase.auth.getSession()).session.access_token, session.access_token);
  const stranger = client(project);
  assert.equal(ok(await stranger.auth.getSession()).session, null);
  assert.equal((await stranger.auth.getUser()).error.name, 'AuthSessionMissingError');
});

test('updateUser changes metadata and password', async () => {
  const { supabase, email } = await signedUp(project);
  ok(await supabase.auth.updateUser({ data: { theme: 'dark', gone: 1 } }));
  const { user } = ok(await supabase.auth.updateUser({ data: { gone: null } }));
  assert.equal(user.user_metadata.theme, 'dark');
  assert.equal('gone' in user.user_metadata, false);

  refused(await supabase.auth.updateUser({ password: PASSWORD }), 422, 'same_password');
  ok(await supabase.auth.updateUser({ password: 'another long password' }));
  refused(await client(project).auth.signInWithPassword({ email, password: PASSWORD }), 400, 'invalid_credentials');
  ok(await client(project).auth.signInWithPassword({ email, password: 'another long password' }));
});

test('refreshSession rotates the refresh token and keeps the session', async () => {
  const { supabase, session } = await signedUp(project);
  const fresh = ok(await supabase.auth.refreshSession()).session;
  assert.notEqual(fresh.refresh_token, session.refresh_token);
  assert.equal(claims(fresh.access_token).session_id, claims(session.access_token).session_id);
  assert.equal(ok(await supabase.auth.getSession()).session.refresh_token, fresh.refresh_token);
  refused(await client(project).auth.refreshSession({ refresh_token: 'abcdefghijkl' }), 400, 'refresh_token_not_found');
  refused(await client(project).auth.refreshSession({ refresh_token: 'nonsense' }), 400, 'validation_failed');
});

test('test_logout: signOut ends this, the other, or every session, and getSession is null afterwards', async () => {
  const { supabase: first, email } = await signedUp(project);
  const signIn = async () => {
    const supabase = client(project);
    ok(await supabase.auth.signInWithPassword({ email, password: PASSWORD }));
    return supabase;
  };
  const alive = async (supabase) => (await supabase.auth.refreshSession()).error === null;

  const second = await signIn();
  ok(await second.auth.signOut({ scope: 'local' }));
  assert.equal(ok(await second.auth.getSession()).session, null);
  assert.equal(await alive(first), true);

  const third = await signIn();
  const fourth = await signIn();
  ok(await third.auth.signOut({ scope: 'others' }));
  assert.ok(ok(await third.auth.getSession()).session);
  assert.equal(await alive(third), true);
  assert.equal(await alive(first), false);
  assert.equal(await alive(fourth), false);

  const fifth = await signIn();
  const token = ok(await fifth.auth.getSession()).session.access_token;
  ok(await fifth.auth.signOut());
  assert.equal(ok(await fifth.auth.getSession()).session, null);
  assert.equal(await alive(third), false);
  const [status, body] = await call(project, 'GET', '/user', { token });
  assert.deepEqual([status, body.code], [403, 'session_not_found'], 'the access token of an ended session is refused at once');
});

test('onAuthStateChange tells what happens', async () => {
  const supabase = client(project);
  const events = [];
  const { data } = supabase.auth.onAuthStateChange((event) => { events.push(event); });
  await until('the first event', () => events.includes('INITIAL_SESSION'));
  const email = newEmail();
  ok(await supabase.auth.signUp({ email, password: PASSWORD }));
  ok(await supabase.auth.updateUser({ data: { a: 1 } }));
  ok(await supabase.auth.refreshSession());
  await supabase.auth.signOut();
  await until('the last event', () => events.includes('SIGNED_OUT'));
  data.subscription.unsubscribe();
  assert.deepEqual(events, ['INITIAL_SESSION', 'SIGNED_IN', 'USER_UPDATED', 'TOKEN_REFRESHED', 'SIGNED_OUT']);
});

test('getClaims verifies a symmetric token on the server', async () => {
  const { supabase, user } = await signedUp(project);
  const { claims: found } = ok(await supabase.auth.getClaims());
  assert.equal(found.sub, user.id);
});

test('getClaims verifies an asymmetric token with the JWKS alone', async () => {
  const asymmetric = await newProject(gateway);
  const [created, key] = await gateway.management('POST', `/v1/projects/${asymmetric.ref}/config/auth/signing-keys`, { algorithm: 'ES256' });
  assert.equal(created, 201);
  const [moved] = await gateway.management('PATCH', `/v1/projects/${asymmetric.ref}/config/auth/signing-keys/${key.id}`, { status: 'in_use' });
  assert.equal(moved, 200);
  const { supabase, user } = await signedUp(asymmetric);
  const { claims: found, header } = ok(await supabase.auth.getClaims());
  assert.equal(found.sub, user.id);
  assert.deepEqual([header.alg, header.kid], ['ES256', key.id]);
});

test('test_session_list: GET /sessions lists the live sessions and DELETE ends one', async () => {
  const { supabase, email, session } = await signedUp(project);
  const other = client(project);
  const otherSession = ok(await other.auth.signInWithPassword({ email, password: PASSWORD })).session;
  const token = session.access_token;
  const [status, { sessions }, headers] = await call(project, 'GET', '/sessions', { token });
  assert.equal(status, 200);
  assert.equal(headers.get('x-total-count'), '2');
  assert.deepEqual(sessions.map(({ current }) => current).sort(), [false, true]);
  const mine = sessions.find(({ current }) => current);
  assert.equal(mine.id, claims(token).session_id);
  assert.equal(mine.aal, 'aal1');
  assert.equal(mine.amr[0].method, 'password');
  assert.equal(mine.ip, '127.0.0.1');
  for (const key of ['created_at', 'updated_at', 'refreshed_at', 'not_after', 'user_agent', 'device']) assert.ok(key in mine, key);

  const id = claims(otherSession.access_token).session_id;
  assert.equal((await call(project, 'DELETE', `/sessions/${id}`, { token }))[0], 204);
  assert.equal((await call(project, 'DELETE', `/sessions/${id}`, { token }))[1].code, 'session_not_found');
  refused(await other.auth.refreshSession(), 400, 'refresh_token_not_found');
  assert.equal((await call(project, 'GET', '/sessions', { token }))[1].sessions.length, 1);
  ok(await supabase.auth.getUser());
});

test('tokens and keys of elsewhere change nothing', async () => {
  const { session } = await signedUp(project);
  const [header, payload] = session.access_token.split('.');
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
  const later = Buffer.from(JSON.stringify({ ...claims(session.access_token), role: 'service_role' })).toString('base64url');
  for (const token of [`${none}.${payload}.`, `${header}.${later}.${session.access_token.split('.')[2]}`, 'x', project.anon_key]) {
    const [status] = await call(project, 'POST', '/logout', { token });
    assert.ok(status === 401 || status === 403, `${status} for ${token}`);
  }
  assert.equal((await call(project, 'POST', '/logout'))[0], 401);
  assert.equal((await call(project, 'GET', '/user', { token: session.access_token }))[0], 200);
});
