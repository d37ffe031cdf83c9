// Second factors, through supabase-js.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, test } from 'node:test';
import { Authenticator } from './authenticator.mjs';
import { nextMail } from './mails.mjs';
import { hooked, payloads, startStandIn } from './stand_in.mjs';
import { STORAGE, admin, call, claims, newPhone, newProject, ok, refused, signedInAgain, signedUp, startSeveralForThisFile } from './support.mjs';
import { App, withApp } from './totp.mjs';

const { gateways } = await startSeveralForThisFile();
const [gateway] = gateways;
const texts = await startStandIn();
after(() => texts.stop());

const ORIGIN = 'http://localhost:3000';
const WEBAUTHN = {
  mfa_web_authn_enroll_enabled: true,
  mfa_web_authn_verify_enabled: true,
  webauthn_rp_id: 'localhost',
  webauthn_rp_display_name: 'Test',
  webauthn_rp_origins: ORIGIN,
};

const level = async ({ auth }) => ok(await auth.mfa.getAuthenticatorAssuranceLevel());
const methods = (session) => claims(session.access_token).amr.map(({ method }) => method);

test(`test_mfa_verify_returns_aal2: enroll, challenge, verify, and what the session says of it [${STORAGE}]`, async () => {
  const project = await newProject(gateway);
  const { supabase, email, session } = await signedUp(project);
  const { mfa } = supabase.auth;
  assert.deepEqual([(await level(supabase)).currentLevel, (await level(supabase)).nextLevel], ['aal1', 'aal1']);

  const enrolled = ok(await mfa.enroll({ factorType: 'totp', friendlyName: 'phone', issuer: 'Example' }));
  assert.deepEqual([enrolled.type, enrolled.friendly_name], ['totp', 'phone']);
  const svg = enrolled.totp.qr_code.replace(/^data:image\/svg\+xml;utf-8,/, '');
  assert.match(svg, /^<\?xml[^]*<svg[^]*<\/svg>\s*$/);
  assert.doesNotMatch(svg, /[#%]/, 'it is put into a URL as it is');
  const uri = new URL(enrolled.totp.uri);
  assert.equal(decodeURIComponent(uri.pathname), `/Example:${email}`);
  assert.deepEqual(Object.fromEntries(uri.searchParams), { algorithm: 'SHA1', digits: '6', issuer: 'Example', period: '30', secret: enrolled.totp.secret });
  const before = ok(await mfa.listFactors());
  assert.deepEqual([before.all.map(({ id, status }) => [id, status]), before.totp], [[[enrolled.id, 'unverified']], []]);

  const app = new App(enrolled.totp.secret);
  const challenge = ok(await mfa.challenge({ factorId: enrolled.id }));
  assert.equal(challenge.type, 'totp');
  assert.ok(Math.abs(challenge.expires_at - (Date.now() / 1000 + 300)) < 30);
  const answer = { factorId: enrolled.id, challengeId: challenge.id };
  refused(await mfa.verify({ ...answer, code: app.wrong() }), 422, 'mfa_verification_failed');
  const events = [];
  const { data: { subscription } } = supabase.auth.onAuthStateChange((event) => { events.push(event); });
  const raised = ok(await mfa.verify({ ...answer, code: app.next() }));
  subscription.unsubscribe();
  assert.ok(events.includes('MFA_CHALLENGE_VERIFIED'), events.join());

  assert.deepEqual([claims(raised.access_token).aal, methods(raised)], ['aal2', ['totp', 'password']]);
  assert.equal(claims(raised.access_token).session_id, claims(session.access_token).session_id);
  assert.deepEqual(raised.user.factors.map(({ id, status }) => [id, status]), [[enrolled.id, 'verified']]);
  const now = await level(supabase);
  assert.deepEqual([now.currentLevel, now.nextLevel, now.currentAuthenticationMethods.length], ['aal2', 'aal2', 2]);
  assert.equal(ok(await mfa.listFactors()).totp[0].friendly_name, 'phone');
  const refreshed = ok(await supabase.auth.refreshSession()).session;
  assert.equal(claims(refreshed.access_token).aal, 'aal2');
  assert.equal(claims((await signedInAgain(project, email)).session.access_token).aal, 'aal1');
  const asked = ok(await mfa.getAuthenticatorAssuranceLevel(session.access_token));
  assert.deepEqual([asked.currentLevel, asked.nextLevel], ['aal1', 'aal2'], 'the level of another token');
});

test('with a factor, a session at aal1 changes neither factors nor password', async () => {
  const project = await newProject(gateway);
  const { supabase: first, email } = await signedUp(project);
  const { factorId, app } = await withApp(first);
  const { supabase } = await signedInAgain(project, email);
  const { mfa } = supabase.auth;
  assert.deepEqual([(await level(supabase)).currentLevel, (await level(supabase)).nextLevel], ['aal1', 'aal2']);
  refused(await supabase.auth.updateUser({ password: 'another password' }), 401, 'insufficient_aal');
  refused(await mfa.enroll({ factorType: 'totp', friendlyName: 'second' }), 403, 'insufficient_aal');
  refused(await mfa.unenroll({ factorId }), 422, 'insufficient_aal');

  ok(await mfa.challengeAndVerify({ factorId, code: app.next() }));
  ok(await supabase.auth.updateUser({ password: 'another password' }));
  refused(await mfa.enroll({ factorType: 'totp', friendlyName: 'app' }), 422, 'mfa_factor_name_conflict');
  const { id: leftover } = ok(await mfa.enroll({ factorType: 'totp', friendlyName: 'second' }));
  assert.equal(ok(await mfa.unenroll({ factorId: leftover })).id, leftover);
  assert.equal(ok(await mfa.unenroll({ factorId })).id, factorId);
  assert.deepEqual(ok(await mfa.listFactors()).all, []);
  ok(await supabase.auth.refreshSession());
  assert.equal((await level(supabase)).currentLevel, 'aal1');
});

test('a code and a challenge work once', async () => {
  const project = await newProject(gateway);
  const { supabase, email } = await signedUp(project);
  const { factorId, app } = await withApp(supabase);
  const { supabase: other } = await signedInAgain(project, email);
  const { mfa } = other.auth;
  const { id: challengeId } = ok(await mfa.challenge({ factorId }));
  const code = app.next();
  ok(await mfa.verify({ factorId, challengeId, code }));
  refused(await mfa.verify({ factorId, challengeId, code }), 422, 'mfa_ip_address_mismatch');
  refused(await mfa.challengeAndVerify({ factorId, code }), 422, 'mfa_verification_failed');
});

test('one code verifies once, whoever is first, on whatever gateway', async () => {
  const project = await newProject(gateway);
  const { supabase, email } = await signedUp(project);
  const { factorId, app } = await withApp(supabase);
  const urlOf = (i) => `${gateways[i % gateways.length].url}/p/${project.ref}`;
  const sessions = await Promise.all(Array.from({ length: 8 }, (_, i) => signedInAgain(project, email, { url: urlOf(i) })));
  const challenges = await Promise.all(sessions.map(async (each) => ok(await each.supabase.auth.mfa.challenge({ factorId })).id));
  const code = app.next();
  const answers = await Promise.all(sessions.map((each, i) => each.supabase.auth.mfa.verify({ factorId, challengeId: challenges[i], code })));
  assert.equal(answers.filter(({ error }) => !error).length, 1, answers.map(({ error }) => error?.code).join());
});

test('verifying ends the other sessions that have no second factor', async () => {
  const project = await newProject(gateway);
  const { supabase, email } = await signedUp(project);
  const { session: low } = await signedInAgain(project, email);
  const { factorId, app } = await withApp(supabase);
  assert.deepEqual((await call(project, 'GET', '/user', { token: low.access_token }))[1].code, 'session_not_found');
  const { supabase: second } = await signedInAgain(project, email);
  ok(await second.auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
  ok(await supabase.auth.getUser());
});

test("test_mfa_rejects_wrong_factor_owner: somebody else's factor is not to be had", async () => {
  const project = await newProject(gateway);
  const { supabase: owner } = await signedUp(project);
  const { factorId } = await withApp(owner);
  const { supabase } = await signedUp(project);
  const { mfa } = supabase.auth;
  assert.equal(refused(await mfa.challenge({ factorId }), 403, 'no_authorization').message, 'Factor belongs to another user');
  refused(await mfa.verify({ factorId, challengeId: crypto.randomUUID(), code: '123456' }), 403, 'no_authorization');
  refused(await mfa.unenroll({ factorId }), 404, 'mfa_factor_not_found');
  refused(await mfa.challenge({ factorId: crypto.randomUUID() }), 404, 'mfa_factor_not_found');
  const elsewhere = await newProject(gateway);
  const { supabase: stranger } = await signedUp(elsewhere);
  refused(await stranger.auth.mfa.challenge({ factorId }), 404, 'mfa_factor_not_found');
});

test('phone: the code comes by SMS', async () => {
  const project = await newProject(gateway, { mfa_phone_enroll_enabled: true, mfa_phone_verify_enabled: true, ...hooked(texts, 'send_sms') });
  const { supabase, user } = await signedUp(project);
  const { mfa } = supabase.auth;
  const phone = newPhone();
  const { id: factorId, type } = ok(await mfa.enroll({ factorType: 'phone', friendlyName: 'mobile', phone: `+${phone}` }));
  assert.equal(type, 'phone');
  const { id: challengeId } = ok(await mfa.challenge({ factorId, channel: 'sms' }));
  const { sms } = payloads(texts, 'send_sms').findLast((payload) => payload.user.id === user.id);
  assert.deepEqual([sms.phone, sms.sms_type], [phone, 'mfa']);
  const wrong = sms.otp.replace(/.$/, (last) => String((Number(last) + 1) % 10));
  refused(await mfa.verify({ factorId, challengeId, code: wrong }), 422, 'mfa_verification_failed');
  const raised = ok(await mfa.verify({ factorId, challengeId, code: sms.otp }));
  assert.deepEqual([claims(raised.access_token).aal, methods(raised)], ['aal2', ['mfa/phone', 'password']]);
  assert.equal(ok(await mfa.listFactors()).phone[0].phone, phone);
});

test('webauthn: a security key is made with the first challenge and asked for with the next', async () => {
  const project = await newProject(gateway, WEBAUTHN);
  const { supabase, email } = await signedUp(project);
  const key = new Authenticator({ origin: ORIGIN });
  const { id: factorId, type } = ok(await supabase.auth.mfa.enroll({ factorType: 'webauthn', friendlyName: 'key' }));
  assert.equal(type, 'webauthn');

  /** One ceremony: the challenge, and what the key makes of it. */
  const ceremony = async ({ auth: { mfa } }, change = {}) => {
    const { id: challengeId, webauthn } = ok(await mfa.challenge({ factorId, webauthn: { rpId: 'localhost', rpOrigins: [ORIGIN] } }));
    const { publicKey } = webauthn.credential_options;
    const credential = webauthn.type === 'create' ? key.create(publicKey, change) : key.get(publicKey, change);
    return [webauthn.type, await mfa.verify({ factorId, challengeId, webauthn: { type: webauthn.type, rpId: 'localhost', rpOrigins: [ORIGIN], credential_response: credential } })];
  };

  const [elsewhere, phished] = await ceremony(supabase, { origin: 'http://localhost.evil.example' });
  assert.equal(elsewhere, 'create');
  refused(phished, 422, 'mfa_verification_failed');
  const [made, raised] = await ceremony(supabase);
  assert.equal(made, 'create');
  assert.deepEqual([claims(ok(raised).access_token).aal, methods(raised.data)], ['aal2', ['mfa/webauthn', 'password']]);
  assert.equal(ok(await supabase.auth.mfa.listFactors()).webauthn[0].friendly_name, 'key');

  const { supabase: later } = await signedInAgain(project, email);
  const [asked, again] = await ceremony(later);
  assert.equal(asked, 'request');
  assert.equal(claims(ok(again).access_token).aal, 'aal2');
  const [, wrongOrigin] = await ceremony((await signedInAgain(project, email)).supabase, { origin: 'https://localhost:3000' });
  refused(wrongOrigin, 422, 'mfa_verification_failed');
});

test('admin.mfa lists and deletes factors, and the session falls back', async () => {
  const project = await newProject(gateway);
  const { supabase, user } = await signedUp(project);
  const { factorId } = await withApp(supabase);
  const { mfa } = admin(project).auth.admin;
  const { factors } = ok(await mfa.listFactors({ userId: user.id }));
  assert.deepEqual(factors.map(({ id, status, factor_type: type }) => [id, status, type]), [[factorId, 'verified', 'totp']]);
  ok(await mfa.deleteFactor({ userId: user.id, id: factorId }));
  assert.deepEqual(ok(await mfa.listFactors({ userId: user.id })).factors, []);
  assert.equal(claims(ok(await supabase.auth.refreshSession()).session.access_token).aal, 'aal1');
});

test('guesses are counted for each factor', async () => {
  const project = await newProject(gateway, { mfa_totp_max_failures: 3 });
  const { supabase } = await signedUp(project);
  const { id: factorId, totp } = ok(await supabase.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'app' }));
  const app = new App(totp.secret);
  const guess = (code) => supabase.auth.mfa.challengeAndVerify({ factorId, code });
  for (let i = 0; i < 3; i += 1) refused(await guess(app.wrong()), 422, 'mfa_verification_failed');
  refused(await guess(app.next()), 429, 'over_request_rate_limit');
  const { factorId: another } = await withApp(supabase, 'another');
  assert.notEqual(another, factorId);
});

const CODES = { mfa_recovery_codes_enroll_enabled: true, mfa_recovery_codes_verify_enabled: true };

test('recovery codes: made once, shown once, each works once', async () => {
  const project = await newProject(gateway, CODES);
  const { supabase, email } = await signedUp(project);
  const { recoveryCodes } = supabase.auth.mfa;
  refused(await recoveryCodes.getStatus(), 404, 'mfa_factor_not_found');
  refused(await recoveryCodes.generate(), 403, 'insufficient_aal');
  await withApp(supabase);
  const made = ok(await recoveryCodes.generate());
  assert.deepEqual([made.type, made.total, made.codes.length, new Set(made.codes).size], ['recovery_code', 10, 10, 10]);
  for (const code of made.codes) assert.match(code, /^[a-z2-7]{16}$/);
  refused(await recoveryCodes.generate(), 422, 'mfa_verified_factor_exists');
  assert.deepEqual(ok(await recoveryCodes.getStatus()), { id: made.id, type: 'recovery_code', total: 10, remaining: 10 });
  assert.deepEqual(ok(await supabase.auth.mfa.listFactors()).all.map(({ factor_type: type }) => type), ['totp']);

  const { supabase: lost } = await signedInAgain(project, email);
  const typed = made.codes[0].toUpperCase().replace(/(.{4})(?=.)/g, '$1- ');
  const raised = ok(await lost.auth.mfa.recoveryCodes.verify({ code: typed }));
  assert.deepEqual([claims(raised.access_token).aal, methods(raised)], ['aal2', ['mfa/recovery_code', 'password']]);
  assert.equal((await level(lost)).currentLevel, 'aal2');
  const again = refused(await lost.auth.mfa.recoveryCodes.verify({ code: made.codes[0] }), 422, 'mfa_verification_failed');
  assert.equal(again.message, 'Invalid recovery code entered');
  assert.equal(ok(await recoveryCodes.getStatus()).remaining, 9);
  assert.match((await nextMail(project, email)).subject, /recovery code/i, 'the owner hears of it');

  const renewed = ok(await lost.auth.mfa.recoveryCodes.regenerate());
  assert.equal(renewed.id, made.id);
  refused(await lost.auth.mfa.recoveryCodes.verify({ code: made.codes[1] }), 422, 'mfa_verification_failed');
  ok(await lost.auth.mfa.recoveryCodes.verify({ code: renewed.codes[9] }));
  ok(await lost.auth.mfa.recoveryCodes.unenroll());
  refused(await recoveryCodes.getStatus(), 404, 'mfa_factor_not_found');
});

test('recovery codes are locked after too many guesses', async () => {
  const project = await newProject(gateway, { ...CODES, mfa_recovery_codes_max_verify_attempts: 3 });
  const { supabase, email } = await signedUp(project);
  const { app, factorId } = await withApp(supabase);
  const { codes } = ok(await supabase.auth.mfa.recoveryCodes.generate());
  const { supabase: guessing } = await signedInAgain(project, email);
  for (let i = 0; i < 3; i += 1) refused(await guessing.auth.mfa.recoveryCodes.verify({ code: 'a'.repeat(16) }), 422, 'mfa_verification_failed');
  refused(await guessing.auth.mfa.recoveryCodes.verify({ code: codes[0] }), 429, 'mfa_recovery_codes_locked');
  ok(await guessing.auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
});
