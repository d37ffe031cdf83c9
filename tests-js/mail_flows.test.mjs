// Links and codes by mail, through supabase-js.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { countMails, follow, nextMail, READABLE } from './mails.mjs';
import { PASSWORD, STORAGE, admin, call, claims, client, newEmail, newProject, ok, refused, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();
const project = await newProject(gateway, READABLE);
const asking = await newProject(gateway, { ...READABLE, security_update_password_require_reauthentication: true });

/** A confirmed user of `where`, signed in. */
async function member(where = project) {
  const email = newEmail();
  const { user } = ok(await admin(where).auth.admin.createUser({ email, password: PASSWORD, email_confirm: true }));
  const supabase = client(where);
  ok(await supabase.auth.signInWithPassword({ email, password: PASSWORD }));
  return { supabase, email, user };
}

/** Until another mail may go to the same address. */
const coolDown = () => new Promise((resolve) => { setTimeout(resolve, 1100); });

const wrong = (code) => code.replace(/.$/, (last) => String((Number(last) + 1) % 10));

test(`signUp, and verifyOtp with the mailed code [${STORAGE}]`, async () => {
  const supabase = client(project);
  const email = newEmail();
  const { user, session } = ok(await supabase.auth.signUp({ email, password: PASSWORD, options: { data: { plan: 'a' } } }));
  assert.equal(session, null);
  assert.equal(user.user_metadata.plan, 'a');
  const mail = await nextMail(project, email);
  assert.equal(mail.kind, 'confirmation');
  refused(await supabase.auth.verifyOtp({ email, token: wrong(mail.code), type: 'signup' }), 403, 'otp_expired');
  const verified = ok(await supabase.auth.verifyOtp({ email, token: mail.code, type: 'signup' }));
  assert.equal(verified.user.id, user.id);
  assert.equal(claims(verified.session.access_token).amr[0].method, 'otp');
  refused(await client(project).auth.verifyOtp({ email, token: mail.code, type: 'signup' }), 403, 'otp_expired');
});

test('a second signUp tells nothing: a user without identities, and no mail', async () => {
  const { email, user } = await member();
  const { user: shown, session } = ok(await client(project).auth.signUp({ email, password: 'another password' }));
  assert.equal(session, null);
  assert.deepEqual(shown.identities, []);
  assert.notEqual(shown.id, user.id);
  assert.equal(await countMails(project, email), 0);
});

test('resend of a sign-up replaces the code', async () => {
  const supabase = client(project);
  const email = newEmail();
  ok(await supabase.auth.signUp({ email, password: PASSWORD }));
  const first = await nextMail(project, email);
  const early = refused(await supabase.auth.resend({ type: 'signup', email }), 429, 'over_email_send_rate_limit');
  assert.match(early.message, /^For security purposes, you can only request this after \d+ seconds\.$/);
  await coolDown();
  ok(await supabase.auth.resend({ type: 'signup', email }));
  const second = await nextMail(project, email);
  refused(await supabase.auth.verifyOtp({ email, token: first.code, type: 'signup' }), 403, 'otp_expired');
  ok(await supabase.auth.verifyOtp({ email, token: second.code, type: 'signup' }));
});

test('signInWithOtp: a new address is confirmed, a known one signs in, by code, hash and link', async () => {
  const email = newEmail();
  const supabase = client(project);
  ok(await supabase.auth.signInWithOtp({ email }));
  const confirmation = await nextMail(project, email);
  assert.equal(confirmation.kind, 'confirmation');
  const { user } = ok(await supabase.auth.verifyOtp({ email, token: confirmation.code, type: 'email' }));

  await coolDown();
  ok(await client(project).auth.signInWithOtp({ email }));
  const byCode = await nextMail(project, email);
  assert.equal(byCode.kind, 'magic_link');
  assert.equal(ok(await client(project).auth.verifyOtp({ email, token: byCode.code, type: 'email' })).user.id, user.id);

  await coolDown();
  ok(await client(project).auth.signInWithOtp({ email }));
  const byHash = await nextMail(project, email);
  assert.equal(ok(await client(project).auth.verifyOtp({ token_hash: byHash.hash, type: 'email' })).user.id, user.id);

  await coolDown();
  ok(await client(project).auth.signInWithOtp({ email, options: { emailRedirectTo: 'http://localhost:3000/welcome' } }));
  const byLink = await nextMail(project, email);
  assert.equal(byLink.redirect, 'http://localhost:3000/welcome');
  const landed = await follow(byLink.link);
  assert.deepEqual([landed.status, landed.target, landed.fragment.type], [303, 'http://localhost:3000/welcome', 'magiclink']);
  const returned = client(project);
  ok(await returned.auth.setSession({ access_token: landed.fragment.access_token, refresh_token: landed.fragment.refresh_token }));
  assert.equal(ok(await returned.auth.getUser()).user.id, user.id);
  assert.equal((await follow(byLink.link)).fragment.error_code, 'otp_expired', 'a link works once');
});

test('signInWithOtp that may not create a user says so', async () => {
  refused(await client(project).auth.signInWithOtp({ email: newEmail(), options: { shouldCreateUser: false } }), 422, 'otp_disabled');
});

test('magiclink answers the same for everybody', async () => {
  const { email } = await member();
  for (const address of [email, newEmail()]) {
    const [status, body] = await call(project, 'POST', '/magiclink', { body: { email: address } });
    assert.deepEqual([status, body], [200, { message: 'Magic link sent if email exists' }]);
  }
  assert.equal((await nextMail(project, email)).kind, 'magic_link');
});

test('resetPasswordForEmail, a new password, and a sign-in with it', async () => {
  const { email } = await member();
  const supabase = client(project);
  ok(await supabase.auth.resetPasswordForEmail(email, { redirectTo: 'http://localhost:3000/reset' }));
  const mail = await nextMail(project, email);
  assert.equal(mail.kind, 'recovery');
  const landed = await follow(mail.link);
  assert.equal(landed.fragment.type, 'recovery');
  ok(await supabase.auth.setSession({ access_token: landed.fragment.access_token, refresh_token: landed.fragment.refresh_token }));
  ok(await supabase.auth.updateUser({ password: 'a wholly new password' }));
  refused(await client(project).auth.signInWithPassword({ email, password: PASSWORD }), 400, 'invalid_credentials');
  ok(await client(project).auth.signInWithPassword({ email, password: 'a wholly new password' }));
  ok(await client(project).auth.resetPasswordForEmail(newEmail()));
});

test('the link of a recovery alone asks for the new password and ends every session', async () => {
  const { email, supabase } = await member();
  ok(await client(project).auth.resetPasswordForEmail(email));
  const { hash } = await nextMail(project, email);
  const [refusedStatus, error] = await call(project, 'POST', '/verify', { body: { type: 'recovery', token: hash } });
  assert.deepEqual([refusedStatus, error.code], [422, 'validation_failed']);
  const [status, session] = await call(project, 'POST', '/verify', { body: { type: 'recovery', token: hash, password: 'fresh and long' } });
  assert.equal(status, 200);
  assert.equal((await call(project, 'GET', '/user', { token: session.access_token }))[0], 200);
  refused(await supabase.auth.refreshSession(), 400, 'refresh_token_not_found');
  ok(await client(project).auth.signInWithPassword({ email, password: 'fresh and long' }));
});

test('an e-mail change needs both addresses', async () => {
  const { supabase, email } = await member();
  const next = newEmail();
  const { user } = ok(await supabase.auth.updateUser({ email: next }));
  assert.deepEqual([user.email, user.new_email], [email, next]);
  const [toOld, toNew] = [await nextMail(project, email), await nextMail(project, next)];
  const half = ok(await client(project).auth.verifyOtp({ token_hash: toNew.hash, type: 'email_change' }));
  assert.equal(half.session, null);
  assert.equal(ok(await supabase.auth.getUser()).user.email, email);
  const done = ok(await client(project).auth.verifyOtp({ email, token: toOld.code, type: 'email_change' }));
  assert.equal(done.user.email, next);
  assert.equal(ok(await supabase.auth.getUser()).user.email, next);
  ok(await client(project).auth.signInWithPassword({ email: next, password: PASSWORD }));
});

test('resend of an e-mail change sends both mails again', async () => {
  const { supabase, email } = await member();
  const next = newEmail();
  ok(await supabase.auth.updateUser({ email: next }));
  await nextMail(project, email);
  await nextMail(project, next);
  await coolDown();
  ok(await client(project).auth.resend({ type: 'email_change', email }));
  assert.equal((await nextMail(project, email)).kind, 'email_change');
  assert.equal((await nextMail(project, next)).kind, 'email_change');
});

test('reauthenticate: an old session changes the password with the mailed nonce', async () => {
  const { email, user } = await member(asking);
  // A token that names no session counts as an old one.
  const { access_token: token } = ok(await client(asking).auth.signInWithPassword({ email, password: PASSWORD })).session;
  const bare = bareToken(asking, claims(token));
  const [needed, error] = await call(asking, 'PUT', '/user', { token: bare, body: { password: 'another password' } });
  assert.deepEqual([needed, error.code], [400, 'reauthentication_needed']);
  const signedIn = client(asking);
  ok(await signedIn.auth.signInWithPassword({ email, password: PASSWORD }));
  ok(await signedIn.auth.reauthenticate());
  const { code, kind } = await nextMail(asking, email);
  assert.equal(kind, 'reauthentication');
  const change = (nonce) => call(asking, 'PUT', '/user', { token: bare, body: { password: 'another password', nonce } });
  assert.equal((await change(wrong(code)))[1].code, 'reauthentication_not_valid');
  const [status, changed] = await change(code);
  assert.deepEqual([status, changed.id], [200, user.id]);
  assert.equal((await change(code))[1].code, 'reauthentication_not_valid');
});

/** The token without its session, signed with the project's secret. */
function bareToken(where, { session_id: _, ...rest }) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(rest)}`;
  return `${text}.${createHmac('sha256', where.jwt_secret).update(text).digest('base64url')}`;
}

test('an anonymous user becomes permanent with a confirmed address', async () => {
  const anonymous = await newProject(gateway, { ...READABLE, external_anonymous_users_enabled: true, rate_limit_anonymous_users: 1e6 });
  const supabase = client(anonymous);
  const { user } = ok(await supabase.auth.signInAnonymously({ options: { data: { cart: 3 } } }));
  assert.equal(user.is_anonymous, true);
  const email = newEmail();
  ok(await supabase.auth.updateUser({ email }));
  assert.equal(ok(await supabase.auth.getUser()).user.is_anonymous, true);
  const { code } = await nextMail(anonymous, email);
  const verified = ok(await supabase.auth.verifyOtp({ email, token: code, type: 'email_change' }));
  assert.deepEqual([verified.user.id, verified.user.email, verified.user.is_anonymous, verified.user.user_metadata.cart], [user.id, email, false, 3]);
  ok(await supabase.auth.updateUser({ password: PASSWORD }));
  ok(await client(anonymous).auth.signInWithPassword({ email, password: PASSWORD }));
});

test('exchangeCodeForSession: sign-up, magic link and recovery with PKCE', async () => {
  const email = newEmail();
  const supabase = client(project, { flowType: 'pkce' });
  ok(await supabase.auth.signUp({ email, password: PASSWORD }));
  const confirmation = await nextMail(project, email);
  assert.match(confirmation.hash, /^pkce_/);
  const { query, fragment } = await follow(confirmation.link);
  assert.deepEqual(fragment, {});
  const { session } = ok(await supabase.auth.exchangeCodeForSession(query.code));
  assert.equal(claims(session.access_token).amr[0].method, 'email/signup');
  const [status, error] = await call(project, 'POST', '/token?grant_type=pkce', { body: { auth_code: query.code, code_verifier: 'x'.repeat(43) } });
  assert.deepEqual([status, error.code], [404, 'flow_state_not_found'], 'a code is traded once');

  for (const [method, ask] of [
    ['magiclink', (auth) => auth.signInWithOtp({ email })],
    ['recovery', (auth) => auth.resetPasswordForEmail(email)],
  ]) {
    await coolDown();
    const again = client(project, { flowType: 'pkce' });
    ok(await ask(again.auth));
    const landed = await follow((await nextMail(project, email)).link);
    const exchanged = ok(await again.auth.exchangeCodeForSession(landed.query.code));
    assert.equal(claims(exchanged.session.access_token).amr[0].method, method);
  }
});

test('DELETE /user ends the account, its sessions and its address', async () => {
  const { supabase, email } = await member();
  const token = ok(await supabase.auth.getSession()).session.access_token;
  assert.equal((await call(project, 'DELETE', '/user'))[0], 401);
  assert.equal((await call(project, 'DELETE', '/user', { token }))[0], 204);
  assert.equal((await call(project, 'GET', '/user', { token }))[0], 403);
  refused(await supabase.auth.refreshSession(), 400, 'refresh_token_not_found');
  refused(await client(project).auth.signInWithPassword({ email, password: PASSWORD }), 400, 'invalid_credentials');
  const { user } = ok(await client(project).auth.signUp({ email, password: PASSWORD }));
  assert.equal(user.identities.length, 1, 'the address is free again');
});

test('a page asks before it uses a link up, where the project wants one', async () => {
  const careful = await newProject(gateway, { ...READABLE, mailer_link_confirm_page_enabled: true });
  const email = newEmail();
  ok(await client(careful).auth.signUp({ email, password: PASSWORD }));
  const { link } = await nextMail(careful, email);
  for (let scan = 0; scan < 3; scan += 1) {
    const page = await follow(link);
    assert.equal(page.status, 200);
    assert.match(page.text, /<form/);
  }
  const response = await fetch(link);
  assert.match(response.headers.get('content-security-policy'), /default-src 'none'/);
  const html = await response.text();
  const action = new URL(html.match(/action="([^"]+)"/)[1].replaceAll('&amp;', '&'), link);
  const fields = [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value.replaceAll('&amp;', '&')]);
  const landed = await fetch(action, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' });
  assert.equal(landed.status, 303);
  assert.match(landed.headers.get('location'), /#access_token=/);
});
