// Hooks and SMS, with a stand-in for what the project runs.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, test } from 'node:test';
import { until } from '../scripts/lib/processes.mjs';
import { HOOK_SECRET, hooked, payloads, startStandIn } from './stand_in.mjs';
import { PASSWORD, STORAGE, call, claims, client, newEmail, newPhone, newProject, ok, refresh, refused, signedUp, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();

let answer = () => ({});
const hooks = await startStandIn((request) => answer(request));
after(() => hooks.stop());

test(`a sign-up by phone: the hook gets the code, verifyOtp takes it [${STORAGE}]`, async () => {
  const project = await newProject(gateway, { external_phone_enabled: true, sms_autoconfirm: false, sms_max_frequency: 1, rate_limit_sms_sent: 1e6, ...hooked(hooks, 'send_sms') });
  const phone = newPhone();
  const supabase = client(project);
  const { user, session } = ok(await supabase.auth.signUp({ phone, password: PASSWORD }));
  assert.deepEqual([user.phone, session], [phone, null]);
  const { sms } = payloads(hooks, 'send_sms').find((payload) => payload.user.id === user.id);
  assert.equal(sms.phone, phone);
  const verified = ok(await supabase.auth.verifyOtp({ phone, token: sms.otp, type: 'sms' }));
  assert.equal(verified.user.id, user.id);
  refused(await client(project).auth.verifyOtp({ phone, token: sms.otp, type: 'sms' }), 403, 'otp_expired');
  ok(await client(project).auth.signInWithPassword({ phone, password: PASSWORD }));

  await new Promise((resolve) => { setTimeout(resolve, 1100); });
  ok(await client(project).auth.signInWithOtp({ phone }));
  const again = payloads(hooks, 'send_sms').filter((payload) => payload.user.id === user.id).at(-1);
  assert.notEqual(again.sms.otp, sms.otp);
  ok(await client(project).auth.verifyOtp({ phone, token: again.sms.otp, type: 'sms' }));
});

test('a test number takes its fixed code and sends nothing', async () => {
  const phone = newPhone();
  const project = await newProject(gateway, { external_phone_enabled: true, sms_autoconfirm: false, sms_test_otp: `${phone}=123456`, ...hooked(hooks, 'send_sms') });
  const before = hooks.requests.length;
  ok(await client(project).auth.signInWithOtp({ phone }));
  ok(await client(project).auth.verifyOtp({ phone, token: '123456', type: 'sms' }));
  assert.equal(hooks.requests.length, before);
});

test('the mail hook takes the place of the mail, and is signed', async () => {
  const project = await newProject(gateway, { mailer_autoconfirm: false, ...hooked(hooks, 'send_email') });
  const email = newEmail();
  ok(await client(project).auth.signUp({ email, password: PASSWORD }));
  const request = hooks.requests.filter(({ path }) => path === '/send_email').at(-1);
  const { user, email_data: data } = JSON.parse(request.text);
  assert.deepEqual([user.email, data.email_action_type], [email, 'signup']);
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
  const expected = createHmac('sha256', Buffer.from(HOOK_SECRET, 'base64')).update(`${id}.${at}.${request.text}`).digest('base64');
  assert.equal(signature, `v1,${expected}`);
  ok(await client(project).auth.verifyOtp({ token_hash: data.token_hash, type: 'signup' }));
});

test('the token hook adds claims, to refreshed tokens too', async () => {
  const project = await newProject(gateway, hooked(hooks, 'custom_access_token'));
  answer = ({ path, text }) => (path === '/custom_access_token' ? { body: { claims: { ...JSON.parse(text).claims, plan: 'gold' } } } : {});
  const { supabase, session } = await signedUp(project);
  assert.equal(claims(session.access_token).plan, 'gold');
  assert.equal(claims(ok(await supabase.auth.refreshSession()).session.access_token).plan, 'gold');
  ok(await supabase.auth.getUser());
  answer = () => ({ body: { claims: {} } });
  const { refresh_token: token } = ok(await supabase.auth.getSession()).session;
  assert.equal((await refresh(project, token))[0], 500);
  answer = () => ({});
  assert.equal((await refresh(project, token))[0], 500, 'an answer without claims is none');
  answer = ({ text }) => ({ body: { claims: JSON.parse(text).claims } });
  assert.equal((await refresh(project, token))[0], 200, 'a failing hook uses no token up');
  answer = () => ({});
});

test('a hook that refuses keeps the account from being made', async () => {
  const project = await newProject(gateway, hooked(hooks, 'before_user_created'));
  const email = newEmail();
  answer = () => ({ body: { error: { http_code: 403, message: 'Not on the list' } } });
  const error = refused(await client(project).auth.signUp({ email, password: PASSWORD }), 403, 'unknown');
  assert.equal(error.message, 'Not on the list');
  answer = () => ({});
  ok(await client(project).auth.signUp({ email, password: PASSWORD }));
});

test("a hook that hangs delays nobody else's requests", async () => {
  const slow = await newProject(gateway, hooked(hooks, 'before_user_created'));
  const { session } = await signedUp(await newProject(gateway));
  const other = await newProject(gateway);
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  answer = async ({ path }) => {
    if (path === '/before_user_created') await held;
    return {};
  };
  const waiting = Array.from({ length: 40 }, () => call(slow, 'POST', '/signup', { body: { email: newEmail(), password: PASSWORD } }));
  await until('the hook is asked', () => hooks.requests.some(({ path }) => path === '/before_user_created'));
  for (let i = 0; i < 5; i += 1) await signedUp(other);
  assert.ok(session);
  release();
  const statuses = new Set((await Promise.all(waiting)).map(([status]) => status));
  answer = () => ({});
  assert.ok([...statuses].every((status) => [200, 422, 429, 503].includes(status)), [...statuses].join());
});
