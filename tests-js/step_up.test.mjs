// Operations that want a fresh second factor: the app hears `insufficient_aal`, asks the user, and repeats what it did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PASSWORD, STORAGE, admin, call, client, newProject, ok, refused, signedInAgain, signedUp, startForThisFile, tokenOf } from './support.mjs';
import { withApp } from './totp.mjs';

const { gateway, storage } = await startForThisFile();
const OPERATIONS = 'password_change,email_change,account_delete,passkey_manage,recovery_codes,factor_unenroll,admin';
const CAREFUL = { security_step_up_operations: OPERATIONS, security_step_up_max_age: 60 };

test(`an account with a factor is deleted only with it [${STORAGE}]`, async () => {
  const project = await newProject(gateway, CAREFUL);
  const { supabase: first, email } = await signedUp(project);
  const { factorId, app } = await withApp(first);
  const { supabase } = await signedInAgain(project, email);
  const remove = async () => call(project, 'DELETE', '/user', { token: await tokenOf(supabase) });
  const [status, { code, message }] = await remove();
  assert.deepEqual([status, code, message], [403, 'insufficient_aal', 'A fresh second factor is required for this operation.']);
  ok(await supabase.auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
  assert.equal((await remove())[0], 204);
});

test('a password is changed with a second factor, and without one by who has just signed in', async () => {
  const project = await newProject(gateway, CAREFUL);
  const { supabase: first, email } = await signedUp(project);
  ok(await first.auth.updateUser({ password: `${PASSWORD}!` }));
  ok(await first.auth.updateUser({ password: PASSWORD }));
  const { factorId, app } = await withApp(first);
  const { supabase } = await signedInAgain(project, email);
  const change = () => supabase.auth.updateUser({ password: 'another password' });
  refused(await change(), 401, 'insufficient_aal');
  ok(await supabase.auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
  ok(await change());
});

test('an administrator is a person with a factor; a service key is a machine', async () => {
  const project = await newProject(gateway, CAREFUL);
  const { supabase, user } = await signedUp(project);
  ok(await admin(project).auth.admin.updateUserById(user.id, { role: 'service_role' }));
  ok(await supabase.auth.refreshSession());
  const list = async () => call(project, 'GET', '/admin/users', { token: await tokenOf(supabase) });
  const [status, { code }] = await list();
  assert.deepEqual([status, code], [403, 'insufficient_aal']);
  await withApp(supabase);
  assert.equal((await list())[0], 200);
});

// Age comes with time; here it is written into the database, which only PostgreSQL lets us reach.
test('a second factor grows old', { skip: STORAGE === 'sqlite' && 'needs PostgreSQL' }, async () => {
  const project = await newProject(gateway, CAREFUL);
  const { supabase, email, user } = await signedUp(project);
  const { factorId, app } = await withApp(supabase);
  const aged = () => storage.postgres.query(storage.database,
    `update auth.mfa_amr_claims c set updated_at = now() - interval '2 minutes' from auth.sessions s where s.id = c.session_id and s.user_id = '${user.id}'`);
  await aged();
  const old = refused(await supabase.auth.updateUser({ password: 'another password' }), 401, 'insufficient_aal');
  assert.equal(old.message, 'A fresh second factor is required for this operation.');
  refused(await supabase.auth.mfa.unenroll({ factorId }), 422, 'insufficient_aal');
  ok(await supabase.auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
  ok(await supabase.auth.updateUser({ password: 'another password' }));
  ok(await client(project).auth.signInWithPassword({ email, password: 'another password' }));
});
