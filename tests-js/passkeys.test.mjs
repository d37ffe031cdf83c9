// Passkeys, through supabase-js and a security key in software.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Authenticator } from './authenticator.mjs';
import { STORAGE, admin, call, claims, client, newEmail, newProject, ok, refused, signedInAgain, signedUp, startForThisFile } from './support.mjs';
import { withApp } from './totp.mjs';

const { gateway } = await startForThisFile();
const ORIGIN = 'http://localhost:3000';
const PASSKEYS = { passkey_enabled: true, webauthn_rp_id: 'localhost', webauthn_rp_display_name: 'Test', webauthn_rp_origins: ORIGIN };

/** Registers a passkey of `key`; `change` is what the key does otherwise than it should. */
async function register({ auth: { passkey } }, key, change) {
  const { challenge_id: challengeId, options } = ok(await passkey.startRegistration());
  return passkey.verifyRegistration({ challengeId, credential: key.create(options, change) });
}

/** Signs in with a passkey of `key`. */
async function signIn({ auth: { passkey } }, key, change) {
  const { challenge_id: challengeId, options } = ok(await passkey.startAuthentication());
  return passkey.verifyAuthentication({ challengeId, credential: key.get(options, change) });
}

for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
  test(`registration, sign-in, list, rename and removal with ${algorithm} [${STORAGE}]`, async () => {
    const project = await newProject(gateway, PASSKEYS);
    const { supabase, user, email } = await signedUp(project);
    const { passkey } = supabase.auth;
    const key = new Authenticator({ origin: ORIGIN, algorithm });
    assert.deepEqual(ok(await passkey.list()), []);
    const { challenge_id: challengeId, options, expires_at: expires } = ok(await passkey.startRegistration());
    assert.deepEqual([options.rp, options.user.name], [{ id: 'localhost', name: 'Test' }, email]);
    assert.equal(Buffer.from(options.user.id, 'base64url').toString(), user.id);
    assert.equal(options.authenticatorSelection.residentKey, 'required');
    assert.ok(Math.abs(expires - (Date.now() / 1000 + 300)) < 30);
    const registered = ok(await passkey.verifyRegistration({ challengeId, credential: key.create(options) }));
    assert.ok(registered.id && registered.created_at);
    const { options: next } = ok(await passkey.startRegistration());
    assert.equal(next.excludeCredentials.length, 1);

    const visitor = client(project);
    const events = [];
    visitor.auth.onAuthStateChange((event) => { events.push(event); });
    const { session, user: found } = ok(await signIn(visitor, key));
    assert.equal(found.id, user.id);
    assert.deepEqual([claims(session.access_token).aal, claims(session.access_token).amr[0].method], ['aal1', 'passkey']);
    assert.ok(events.includes('SIGNED_IN'), events.join());
    ok(await visitor.auth.refreshSession());

    const renamed = ok(await passkey.update({ passkeyId: registered.id, friendlyName: 'Laptop' }));
    assert.equal(renamed.friendly_name, 'Laptop');
    const [listed] = ok(await passkey.list());
    assert.deepEqual([listed.id, listed.friendly_name], [registered.id, 'Laptop']);
    assert.ok(listed.last_used_at);
    const { error } = await passkey.delete({ passkeyId: registered.id });
    assert.equal(error, null);
    assert.deepEqual(ok(await passkey.list()), []);
    refused(await signIn(client(project), key), 400, 'webauthn_verification_failed');
    ok(await visitor.auth.getUser());
  });
}

test('an answer for another page, or to a challenge that was answered, is refused', async () => {
  const project = await newProject(gateway, PASSKEYS);
  const { supabase } = await signedUp(project);
  const key = new Authenticator({ origin: ORIGIN });
  refused(await register(supabase, new Authenticator({ origin: ORIGIN }), { origin: 'https://evil.example' }), 400, 'webauthn_verification_failed');
  ok(await register(supabase, key));
  refused(await signIn(client(project), key, { origin: 'https://evil.example' }), 400, 'webauthn_verification_failed');

  const { passkey } = client(project).auth;
  const { challenge_id: challengeId, options } = ok(await passkey.startAuthentication());
  const credential = key.get(options);
  ok(await passkey.verifyAuthentication({ challengeId, credential }));
  refused(await passkey.verifyAuthentication({ challengeId, credential }), 400, 'webauthn_challenge_not_found');
  const { challenge_id: other } = ok(await passkey.startAuthentication());
  refused(await passkey.verifyAuthentication({ challengeId: other, credential }), 400, 'webauthn_verification_failed');
  refused(await passkey.verifyAuthentication({ challengeId: other, credential: key.get(options) }), 400, 'webauthn_challenge_not_found');
});

test('of many who show the same assertion one is let in', async () => {
  const project = await newProject(gateway, PASSKEYS);
  const { supabase } = await signedUp(project);
  const key = new Authenticator({ origin: ORIGIN });
  ok(await register(supabase, key));
  const { challenge_id: challengeId, options } = ok(await client(project).auth.passkey.startAuthentication());
  const credential = key.get(options);
  const answers = await Promise.all(Array.from({ length: 16 }, () => client(project).auth.passkey.verifyAuthentication({ challengeId, credential })));
  assert.equal(answers.filter(({ error }) => !error).length, 1);
  for (const answer of answers.filter(({ error }) => error)) refused(answer, 400, 'webauthn_challenge_not_found');
});

test('a challenge of a registration belongs to who asked for it', async () => {
  const project = await newProject(gateway, PASSKEYS);
  const [{ supabase }, { supabase: other }] = [await signedUp(project), await signedUp(project)];
  const key = new Authenticator({ origin: ORIGIN });
  const { challenge_id: challengeId, options } = ok(await supabase.auth.passkey.startRegistration());
  const credential = key.create(options);
  refused(await other.auth.passkey.verifyRegistration({ challengeId, credential }), 400, 'webauthn_challenge_not_found');
  const registered = ok(await supabase.auth.passkey.verifyRegistration({ challengeId, credential }));
  refused(await other.auth.passkey.update({ passkeyId: registered.id, friendlyName: 'mine' }), 404, 'validation_failed');
  refused(await other.auth.passkey.delete({ passkeyId: registered.id }), 404, 'validation_failed');
  assert.deepEqual(ok(await other.auth.passkey.list()), []);
});

test('a passkey opens its own project only', async () => {
  const [project, elsewhere] = [await newProject(gateway, PASSKEYS), await newProject(gateway, PASSKEYS)];
  const { supabase } = await signedUp(project);
  const key = new Authenticator({ origin: ORIGIN });
  ok(await register(supabase, key));
  refused(await signIn(client(elsewhere), key), 400, 'webauthn_verification_failed');
  ok(await signIn(client(project), key));
});

test('whether the key saw its user counts where the project says so', async () => {
  const unverified = { userVerified: false };
  const lenient = await newProject(gateway, PASSKEYS);
  const { supabase } = await signedUp(lenient);
  const key = new Authenticator({ origin: ORIGIN });
  ok(await register(supabase, key, unverified));
  ok(await signIn(client(lenient), key, unverified));

  const strict = await newProject(gateway, { ...PASSKEYS, webauthn_user_verification: 'required', passkey_assurance_level: 'aal2' });
  const { supabase: careful } = await signedUp(strict);
  const good = new Authenticator({ origin: ORIGIN });
  refused(await register(careful, new Authenticator({ origin: ORIGIN }), unverified), 400, 'webauthn_verification_failed');
  ok(await register(careful, good));
  refused(await signIn(client(strict), good, unverified), 400, 'webauthn_verification_failed');
  const { session } = ok(await signIn(client(strict), good));
  assert.equal(claims(session.access_token).aal, 'aal2');
});

test('shield needs no settings for passkeys, and takes one for both factors', async () => {
  const project = await gateway.createProject({ flags: ['--profile', 'shield', '--name', 'Shop'], config: { site_url: ORIGIN } });
  // A link signs in: passwords would be looked up at a service outside.
  const { properties } = ok(await admin(project).auth.admin.generateLink({ type: 'magiclink', email: newEmail() }));
  const supabase = client(project);
  ok(await supabase.auth.verifyOtp({ token_hash: properties.hashed_token, type: properties.verification_type }));
  const { options } = ok(await supabase.auth.passkey.startRegistration());
  assert.deepEqual([options.rp, options.authenticatorSelection.userVerification], [{ id: 'localhost', name: 'Shop' }, 'required']);
  const key = new Authenticator({ origin: ORIGIN });
  ok(await register(supabase, key));
  const { session } = ok(await signIn(client(project), key));
  assert.deepEqual([claims(session.access_token).aal, claims(session.access_token).amr[0].method], ['aal2', 'passkey']);
});

test('with a second factor, passkeys are managed at aal2', async () => {
  const project = await newProject(gateway, PASSKEYS);
  const { supabase: first, email } = await signedUp(project);
  const { factorId, app } = await withApp(first);
  const { supabase } = await signedInAgain(project, email);
  refused(await supabase.auth.passkey.startRegistration(), 403, 'insufficient_aal');
  ok(await supabase.auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
  ok(await register(supabase, new Authenticator({ origin: ORIGIN })));
});

test('admin.passkey lists and deletes', async () => {
  const project = await newProject(gateway, PASSKEYS);
  const { supabase, user } = await signedUp(project);
  const key = new Authenticator({ origin: ORIGIN });
  const { id } = ok(await register(supabase, key));
  const { passkey } = admin(project).auth.admin;
  assert.deepEqual(ok(await passkey.listPasskeys({ userId: user.id })).map((each) => each.id), [id]);
  const { error } = await passkey.deletePasskey({ userId: user.id, passkeyId: id });
  assert.equal(error, null);
  assert.deepEqual(ok(await passkey.listPasskeys({ userId: user.id })), []);
  refused(await signIn(client(project), key), 400, 'webauthn_verification_failed');
});

test('a project without passkeys says so', async () => {
  const project = await newProject(gateway);
  refused(await client(project).auth.passkey.startAuthentication(), 404, 'passkey_disabled');
  const { supabase } = await signedUp(project);
  refused(await supabase.auth.passkey.startRegistration(), 404, 'passkey_disabled');
  const [, settings] = await call(project, 'GET', '/settings');
  assert.equal(settings.passkeys_enabled, false);
});
