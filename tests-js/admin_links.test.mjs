// Links and invitations that an administrator asks for, and the audit log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countMails, follow, nextMail, READABLE } from './mails.mjs';
import { PASSWORD, STORAGE, admin, call, client, newEmail, newProject, ok, refused, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();
const project = await newProject(gateway, READABLE);
const { auth } = admin(project);

async function known() {
  const email = newEmail();
  const { user } = ok(await auth.admin.createUser({ email, password: PASSWORD, email_confirm: true }));
  return { email, user };
}

test(`generateLink of a sign-up: link, hash and code each work, and no mail goes out [${STORAGE}]`, async () => {
  const uses = [
    async (properties) => ok(await client(project).auth.verifyOtp({ token_hash: properties.hashed_token, type: 'signup' })),
    async (properties, email) => ok(await client(project).auth.verifyOtp({ email, token: properties.email_otp, type: 'signup' })),
    async (properties) => assert.ok((await follow(properties.action_link)).fragment.access_token),
  ];
  for (const use of uses) {
    const email = newEmail();
    const { user, properties } = ok(await auth.admin.generateLink({ type: 'signup', email, password: PASSWORD, options: { data: { plan: 'b' } } }));
    assert.deepEqual([user.email, user.user_metadata.plan, properties.verification_type], [email, 'b', 'signup']);
    await use(properties, email);
    assert.equal(await countMails(project, email), 0);
    ok(await client(project).auth.signInWithPassword({ email, password: PASSWORD }));
  }
});

test('generateLink of a magic link and of a recovery', async () => {
  for (const type of ['magiclink', 'recovery']) {
    const { email, user } = await known();
    const { properties } = ok(await auth.admin.generateLink({ type, email }));
    assert.equal(properties.verification_type, type);
    const { user: verified } = ok(await client(project).auth.verifyOtp({ email, token: properties.email_otp, type }));
    assert.equal(verified.id, user.id);
  }
  refused(await auth.admin.generateLink({ type: 'recovery', email: newEmail() }), 404, 'user_not_found');
  assert.equal(ok(await auth.admin.generateLink({ type: 'magiclink', email: newEmail() })).properties.verification_type, 'signup');
});

test('generateLink of an e-mail change: both hashes complete it', async () => {
  const { email, user } = await known();
  const next = newEmail();
  const toNew = ok(await auth.admin.generateLink({ type: 'email_change_new', email, newEmail: next })).properties;
  const toCurrent = ok(await auth.admin.generateLink({ type: 'email_change_current', email, newEmail: next })).properties;
  assert.equal(ok(await client(project).auth.verifyOtp({ token_hash: toNew.hashed_token, type: 'email_change' })).session, null);
  const done = ok(await client(project).auth.verifyOtp({ token_hash: toCurrent.hashed_token, type: 'email_change' }));
  assert.deepEqual([done.user.id, done.user.email], [user.id, next]);
});

test('inviteUserByEmail: the link signs in, and a password can be set', async () => {
  const email = newEmail();
  const { user } = ok(await auth.admin.inviteUserByEmail(email, { data: { team: 'red' }, redirectTo: 'http://localhost:3000/join' }));
  assert.deepEqual([user.email, user.user_metadata.team], [email, 'red']);
  assert.ok(user.invited_at);
  const mail = await nextMail(project, email);
  assert.deepEqual([mail.kind, mail.redirect], ['invite', 'http://localhost:3000/join']);
  const { fragment } = await follow(mail.link);
  assert.equal(fragment.type, 'invite');
  const supabase = client(project);
  ok(await supabase.auth.setSession({ access_token: fragment.access_token, refresh_token: fragment.refresh_token }));
  ok(await supabase.auth.updateUser({ password: PASSWORD }));
  ok(await client(project).auth.signInWithPassword({ email, password: PASSWORD }));
  refused(await auth.admin.inviteUserByEmail(email), 422, 'email_exists');
});

test('listUsers filters by address', async () => {
  const { email, user } = await known();
  const [status, body] = await call(project, 'GET', `/admin/users?filter=${encodeURIComponent(email.slice(1, 20))}`, { token: project.service_role_key });
  assert.equal(status, 200);
  assert.deepEqual(body.users.map(({ id }) => id), [user.id]);
});

test('the audit log tells what happened, newest first, and is searched', async () => {
  const { email } = await known();
  ok(await client(project).auth.signInWithPassword({ email, password: PASSWORD }));
  const read = async (query) => {
    const [status, body, headers] = await call(project, 'GET', `/admin/audit?${query}`, { token: project.service_role_key });
    assert.equal(status, 200);
    return { entries: body, total: Number(headers.get('x-total-count')) };
  };
  const { entries } = await read(`query=author:${encodeURIComponent(email)}`);
  assert.equal(entries[0].payload.action, 'login');
  assert.equal(entries[0].payload.actor_username, email);
  const { entries: page, total } = await read('per_page=1');
  assert.equal(page.length, 1);
  assert.ok(total >= 2);
  const [status, error] = await call(project, 'GET', '/admin/audit?query=nonsense', { token: project.service_role_key });
  assert.deepEqual([status, error.message], [400, 'Invalid query scope: nonsense']);
});
