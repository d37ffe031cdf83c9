// The admin API, projects apart from each other, live configuration, and mail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../scripts/lib/processes.mjs';
import { PASSWORD, STORAGE, admin, call, claims, client, newEmail, newProject, ok, refused, signedUp, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();
const project = await newProject(gateway);

test(`admin.createUser, getUserById, updateUserById, listUsers and deleteUser [${STORAGE}]`, async () => {
  const { auth } = admin(project);
  const email = newEmail();
  const { user } = ok(await auth.admin.createUser({ email, password: PASSWORD, email_confirm: true, user_metadata: { plan: 'pro' }, app_metadata: { team: 7 } }));
  assert.equal(user.user_metadata.plan, 'pro');
  assert.equal(user.app_metadata.team, 7);
  assert.ok(user.email_confirmed_at);
  ok(await client(project).auth.signInWithPassword({ email, password: PASSWORD }));

  assert.equal(ok(await auth.admin.getUserById(user.id)).user.email, email);
  assert.equal(ok(await auth.admin.updateUserById(user.id, { user_metadata: { plan: 'free' } })).user.user_metadata.plan, 'free');
  const listed = ok(await auth.admin.listUsers({ page: 1, perPage: 50 }));
  assert.ok(listed.users.some(({ id }) => id === user.id));
  assert.equal(listed.total, listed.users.length);

  ok(await auth.admin.deleteUser(user.id));
  refused(await auth.admin.getUserById(user.id), 404, 'user_not_found');
  refused(await client(project).auth.signInWithPassword({ email, password: PASSWORD }), 400, 'invalid_credentials');
});

test('listUsers pages', async () => {
  const paged = await newProject(gateway);
  const { auth } = admin(paged);
  for (let i = 0; i < 5; i += 1) ok(await auth.admin.createUser({ email: newEmail() }));
  const first = ok(await auth.admin.listUsers({ page: 1, perPage: 2 }));
  const last = ok(await auth.admin.listUsers({ page: 3, perPage: 2 }));
  assert.deepEqual([first.users.length, first.total, first.nextPage, first.lastPage], [2, 5, 2, 3]);
  assert.equal(last.users.length, 1);
});

test('the admin API is closed to users and to the anon key', async () => {
  const { supabase } = await signedUp(project);
  refused(await supabase.auth.admin.listUsers(), 403, 'not_admin');
  const [status] = await call(project, 'GET', '/admin/users');
  assert.equal(status, 401);
});

test('a banned user is signed out and cannot come back', async () => {
  const { supabase, user, email } = await signedUp(project);
  ok(await admin(project).auth.admin.updateUserById(user.id, { ban_duration: '24h' }));
  refused(await supabase.auth.refreshSession(), 400, 'user_banned');
  refused(await client(project).auth.signInWithPassword({ email, password: PASSWORD }), 400, 'user_banned');
});

test('two projects share nothing', async () => {
  const other = await newProject(gateway);
  const { email, session, user } = await signedUp(project);
  refused(await client(other).auth.signInWithPassword({ email, password: PASSWORD }), 400, 'invalid_credentials');
  const [status, body] = await call(other, 'GET', '/user', { token: session.access_token });
  assert.deepEqual([status, body.code], [403, 'bad_jwt']);
  const [refreshed] = await call(other, 'POST', '/token?grant_type=refresh_token', { body: { refresh_token: session.refresh_token } });
  assert.equal(refreshed, 400);
  refused(await admin(other).auth.admin.getUserById(user.id), 404, 'user_not_found');
  assert.equal(ok(await admin(other).auth.admin.listUsers()).users.length, 0);
  const foreign = client(other, { key: project.service_role_key });
  assert.ok((await foreign.auth.admin.listUsers()).error, "another project's service key opens nothing");
  // The same address is another person here.
  const twin = ok(await client(other).auth.signUp({ email, password: PASSWORD })).user;
  assert.notEqual(twin.id, user.id);
  const [alive] = await call(project, 'GET', '/user', { token: session.access_token });
  assert.equal(alive, 200);
});

test('configuration is live: sign-ups close, and access tokens get shorter', async () => {
  const live = await newProject(gateway);
  const route = `/v1/projects/${live.ref}/config/auth`;
  await signedUp(live);
  const [changed, config] = await gateway.management('PATCH', route, { disable_signup: true, jwt_exp: 120 });
  assert.deepEqual([changed, config.disable_signup, config.jwt_exp], [200, true, 120]);
  refused(await client(live).auth.signUp({ email: newEmail(), password: PASSWORD }), 422, 'signup_disabled');
  assert.equal((await call(live, 'GET', '/settings'))[1].disable_signup, true);
  const [refusedStatus, { message }] = await gateway.management('PATCH', route, { jwt_exp: -1 });
  assert.equal(refusedStatus, 400);
  assert.match(message, /jwt_exp/);

  await gateway.management('PATCH', route, { disable_signup: false });
  const { session } = await signedUp(live);
  const { iat, exp } = claims(session.access_token);
  assert.deepEqual([session.expires_in, exp - iat], [120, 120]);
});

test('a paused project answers 503 and comes back with its users', async () => {
  const paused = await newProject(gateway);
  const { email } = await signedUp(paused);
  assert.equal((await gateway.cli('project', 'pause', paused.ref)).code, 0);
  const [status] = await call(paused, 'GET', '/settings');
  assert.equal(status, 503);
  assert.equal((await call(project, 'GET', '/settings'))[0], 200);
  assert.equal((await gateway.cli('project', 'resume', paused.ref)).code, 0);
  ok(await client(paused).auth.signInWithPassword({ email, password: PASSWORD }));
});

test('the confirmation mail lands in the development mailbox, and its link signs in', async () => {
  const strict = await newProject(gateway, { mailer_autoconfirm: false, site_url: 'http://localhost:3000' });
  const supabase = client(strict);
  const email = newEmail();
  const { user, session } = ok(await supabase.auth.signUp({ email, password: PASSWORD }));
  assert.equal(session, null);
  assert.ok(user.confirmation_sent_at);
  refused(await supabase.auth.signInWithPassword({ email, password: PASSWORD }), 400, 'email_not_confirmed');

  const search = `${strict.url}/mail/api/v1/search?query=${encodeURIComponent(`to:${email}`)}`;
  const found = await until('the mail', async () => (await (await fetch(search)).json()).messages[0]);
  const message = await (await fetch(`${strict.url}/mail/api/v1/message/${found.ID}`)).json();
  const link = message.HTML.match(/href="([^"]+)"/)[1].replaceAll('&amp;', '&');
  assert.ok(link.startsWith(`${strict.url}/auth/v1/verify?`), link);

  const response = await fetch(link, { redirect: 'manual' });
  assert.equal(response.status, 303);
  const target = new URL(response.headers.get('location'));
  assert.equal(target.origin, 'http://localhost:3000');
  const fragment = new URLSearchParams(target.hash.slice(1));
  assert.equal(fragment.get('type'), 'signup');
  ok(await supabase.auth.setSession({ access_token: fragment.get('access_token'), refresh_token: fragment.get('refresh_token') }));
  assert.equal(ok(await supabase.auth.getUser()).user.email, email);

  const again = await fetch(link, { redirect: 'manual' });
  assert.match(again.headers.get('location'), /error_code=otp_expired/, 'a link works once');
  ok(await client(strict).auth.signInWithPassword({ email, password: PASSWORD }));
  const others = await (await fetch(`${project.url}/mail/api/v1/messages`)).json();
  assert.equal(others.messages.length, 0, "another project's mailbox shows nothing");
});

test('the code of the mail verifies as well, where the template shows one', async () => {
  const strict = await newProject(gateway, { mailer_autoconfirm: false, mailer_templates_confirmation_content: '<p>Your code is {{ .Token }}.</p>' });
  const supabase = client(strict);
  const email = newEmail();
  ok(await supabase.auth.signUp({ email, password: PASSWORD }));
  const search = `${strict.url}/mail/api/v1/search?query=${encodeURIComponent(`to:${email}`)}`;
  const found = await until('the mail', async () => (await (await fetch(search)).json()).messages[0]);
  const { HTML } = await (await fetch(`${strict.url}/mail/api/v1/message/${found.ID}`)).json();
  const code = HTML.match(/Your code is (\d+)\./)[1];
  refused(await supabase.auth.verifyOtp({ email, token: '000000', type: 'signup' }), 403, 'otp_expired');
  const { session } = ok(await supabase.auth.verifyOtp({ email, token: code, type: 'signup' }));
  assert.ok(session.access_token);
});

test('any host form reaches the project', async () => {
  const { port } = new URL(gateway.url);
  const [status, settings] = await call(project, 'GET', '/settings', { url: project.url });
  assert.equal(status, 200);
  const http = await import('node:http');
  const byHost = await new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/auth/v1/settings', headers: { host: `${project.ref}.localhost:${port}` } }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; }).on('end', () => resolve(JSON.parse(text)));
    });
    request.on('error', reject);
  });
  assert.deepEqual(byHost, settings);
  const unknown = await fetch(`${gateway.url}/p/nosuchproject/auth/v1/settings`);
  assert.equal(unknown.status, 404);
});
