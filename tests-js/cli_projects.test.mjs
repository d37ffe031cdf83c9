// The command line and what a platform does with its projects: against a running gateway, seen by supabase-js.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { PASSWORD, STORAGE, client, newEmail, newProject, ok, startForThisFile } from './support.mjs';

const { storage, gateway } = await startForThisFile();
const folder = temporaryFolder('cli-projects');
after(() => folder.remove());
const file = (name, text) => {
  const full = path.join(folder.path, name);
  if (text !== undefined) fs.writeFileSync(full, text);
  return full;
};

/** Runs a command that must succeed and gives its JSON. */
async function json(...words) {
  const { code, stdout, stderr } = await gateway.cli(...words, '--json');
  assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Runs a command that must succeed and gives what it says. */
async function said(...words) {
  const { code, stdout, stderr } = await gateway.cli(...words);
  assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

/** A project with one user who is signed in. */
async function inhabited() {
  const project = await newProject(gateway);
  const email = newEmail();
  const user = client(project);
  ok(await user.auth.signUp({ email, password: PASSWORD }));
  return { project, email, user };
}

test(`a deleted project can be brought back with all that was in it [${STORAGE}]`, async () => {
  const { project, email, user } = await inhabited();
  const gone = await json('project', 'delete', project.ref, '--yes');
  assert.equal(gone.status, 'GOING_DOWN');
  assert.ok(Date.parse(gone.purge_at) > Date.now());
  assert.equal((await fetch(`${project.url}/auth/v1/settings`)).status, 404);
  assert.ok((await json('project', 'list', '--status', 'deleted')).some(({ ref }) => ref === project.ref));
  assert.ok(!(await json('project', 'list')).some(({ ref }) => ref === project.ref));
  await json('project', 'restore', project.ref);
  ok(await user.auth.refreshSession());
  ok(await client(project).auth.signInWithPassword({ email, password: PASSWORD }));
  await json('project', 'delete', project.ref, '--yes', '--grace', '0');
  assert.equal((await gateway.cli('project', 'restore', project.ref)).code, 1);
});

test('a list is searched and stops where it should', async () => {
  for (const name of ['listed-a', 'listed-b', 'listed-c']) await json('project', 'create', '--ref', name);
  assert.deepEqual((await json('project', 'list', '--search', 'listed-')).map(({ ref }) => ref), ['listed-a', 'listed-b', 'listed-c']);
  assert.deepEqual((await json('project', 'list', '--search', 'listed-', '--after', 'listed-a', '--limit', '1')).map(({ ref }) => ref), ['listed-b']);
});

test('a change of configuration is shown, tried, compared and taken back', async () => {
  const { ref } = await newProject(gateway);
  const before = await json('config', 'show', ref);
  const trial = await said('config', 'set', ref, 'jwt_exp=900', '--dry-run');
  assert.match(trial, /jwt_exp: 3600 -> 900/);
  assert.equal((await json('config', 'show', ref)).jwt_exp, before.jwt_exp);
  assert.match(await said('config', 'set', ref, 'jwt_exp=900', '--note', 'short tokens'), /rollback/);
  assert.match(await said('config', 'set', ref, 'jwt_exp=900'), /nothing changes/);
  const [newest, older] = await json('config', 'history', ref);
  assert.equal(newest.note, 'short tokens');
  assert.match(await said('config', 'diff', ref), /jwt_exp: 3600 -> 900/);
  assert.equal((await json('config', 'show', ref, '--version', String(older.version))).values.jwt_exp, 3600);
  assert.match(await said('config', 'rollback', ref, String(older.version)), /jwt_exp: 900 -> 3600/);
  assert.equal((await json('config', 'show', ref)).jwt_exp, 3600);
  const patch = file('drift.json', '{"jwt_exp": 600}');
  assert.equal((await gateway.cli('config', 'diff', ref, '--file', patch, '--exit-code')).code, 3);
  await json('config', 'apply', ref, patch);
  assert.equal((await gateway.cli('config', 'diff', ref, '--file', patch, '--exit-code')).code, 0);
});

test('the settings of a GoTrue server and of a Supabase project are taken over', async () => {
  const { ref } = await newProject(gateway);
  const env = file('auth.env', 'GOTRUE_SITE_URL=https://app.example.com\nGOTRUE_JWT_EXP=1200\nGOTRUE_SMS_MAX_FREQUENCY=1m\nGOTRUE_JWT_SECRET=not-applied-at-all\nGOTRUE_NONSENSE=1\n');
  const applied = await gateway.cli('config', 'apply', ref, env);
  assert.equal(applied.code, 0, applied.stderr);
  assert.match(applied.stderr, /GOTRUE_JWT_SECRET[\s\S]*GOTRUE_NONSENSE/);
  let config = await json('config', 'show', ref);
  assert.deepEqual([config.site_url, config.jwt_exp, config.sms_max_frequency], ['https://app.example.com', 1200, 60]);

  const supabase = path.join(folder.path, 'supabase');
  fs.mkdirSync(path.join(supabase, 'templates'), { recursive: true });
  fs.writeFileSync(path.join(supabase, 'templates', 'invite.html'), '<p>Come: {{ .ConfirmationURL }}</p>');
  fs.writeFileSync(path.join(supabase, '.env'), 'GOOGLE_SECRET="sesame"\n');
  fs.writeFileSync(path.join(supabase, 'config.toml'), `
    project_id = "local"
    [auth]
    site_url = "http://127.0.0.1:3000"
    additional_redirect_urls = ["https://127.0.0.1:3000"]
    enable_signup = false
    [auth.email]
    max_frequency = "2s"
    otp_length = 6
    [auth.email.template.invite]
    subject = "Come"
    content_path = "./supabase/templates/invite.html"
    [auth.sms.test_otp]
    4152127777 = "123456"
    [auth.external.google]
    enabled = true
    client_id = "web,ios"
    secret = "env(GOOGLE_SECRET)"
    [auth.external.apple]
    enabled = false
    secret = "env(NOT_SET_ANYWHERE)"
    [remotes.production]
    project_id = "${ref}"
    [remotes.production.auth]
    site_url = "https://production.example.com"`);
  const toml = path.join(supabase, 'config.toml');
  config = await json('config', 'apply', ref, toml);
  assert.equal(config.site_url, 'https://production.example.com');
  assert.deepEqual([config.disable_signup, config.smtp_max_frequency, config.mailer_otp_length], [true, 2, 6]);
  assert.deepEqual([config.external_google_client_id, config.external_google_additional_client_ids, config.external_apple_enabled], ['web', 'ios', false]);
  assert.match(config.external_google_secret, /^[0-9a-f]{64}$/);
  assert.equal(config.mailer_templates_invite_content, '<p>Come: {{ .ConfirmationURL }}</p>');
  assert.equal(config.sms_test_otp, '4152127777=123456');
  assert.match(await said('config', 'apply', ref, toml), /nothing changes/);
});

test('tokens have a role and a reach, and the log says who it was', async () => {
  const mine = await newProject(gateway);
  const other = await newProject(gateway);
  const token = await json('tokens', 'create', 'agency', '--role', 'operator', '--project', mine.ref, '--expires-in', '1d');
  assert.match(token.token, /^sbp_[0-9a-f]{40}$/);
  const as = async (route, init = {}) => (await fetch(`${gateway.admin_url}${route}`, { ...init, headers: { authorization: `Bearer ${token.token}`, 'content-type': 'application/json' } })).status;
  assert.equal(await as(`/v1/projects/${mine.ref}/config/auth`, { method: 'PATCH', body: '{"jwt_exp":700}' }), 200);
  assert.equal(await as(`/v1/projects/${other.ref}`), 404);
  assert.equal(await as('/v1/tokens'), 403);
  const { entries } = await json('audit', '--project', mine.ref, '--limit', '1');
  assert.equal(entries[0].token.name, 'agency');
  assert.match(await said('audit', '--project', mine.ref, '--changes', '--limit', '5'), /jwt_exp: .*700/);
  assert.ok(!(await json('tokens', 'list')).some((listed) => JSON.stringify(listed).includes(token.token)));
  await json('tokens', 'revoke', token.id, '--yes');
  assert.equal(await as(`/v1/projects/${mine.ref}`), 401);
  assert.ok((await json('gateways')).length >= 1);
});

test('quotas are set, counted and refuse', async () => {
  const project = await newProject(gateway);
  const { quotas } = await json('project', 'quotas', project.ref, 'users=1', 'in_flight=50');
  assert.deepEqual([quotas.users, quotas.in_flight], [1, 50]);
  ok(await client(project).auth.signUp({ email: newEmail(), password: PASSWORD }));
  assert.ok((await client(project).auth.signUp({ email: newEmail(), password: PASSWORD })).error);
  const usage = await json('project', 'usage', project.ref);
  assert.equal(usage.users, 1);
  const shown = await json('project', 'show', project.ref);
  assert.deepEqual([shown.quotas.quotas.users, shown.usage.users, shown.placement], [1, 1, 'gateway']);
  assert.equal((await json('project', 'quotas', project.ref, 'users=default')).quotas.users, null);
  ok(await client(project).auth.signUp({ email: newEmail(), password: PASSWORD }));
});

test('keys take the place of others while both are accepted', async () => {
  const { ref, url } = await newProject(gateway);
  const old = await json('api-keys', 'create', ref, '--type', 'secret', '--name', 'server_b');
  const opens = async (key) => (await fetch(`${url}/auth/v1/admin/users`, { headers: { apikey: key, authorization: `Bearer ${key}` } })).status === 200;
  const next = await json('api-keys', 'rotate', ref, old.id, '--grace', '1h');
  assert.ok((await opens(old.api_key)) && (await opens(next.api_key)));
  const last = await json('api-keys', 'rotate', ref, next.id, '--grace', '0');
  assert.deepEqual([await opens(next.api_key), await opens(last.api_key)], [false, true]);
  assert.equal((await json('api-keys', 'legacy', ref, 'off')).enabled, false);
  assert.equal((await json('api-keys', 'legacy', ref)).enabled, false);
  await json('api-keys', 'legacy', ref, 'on');
  assert.equal((await json('keys', 'rotate', ref, '--alg', 'EdDSA')).algorithm, 'EdDSA');
});

test('users: list, show, sessions, ban, logout, delete', async () => {
  const { project, email, user } = await inhabited();
  ok(await client(project).auth.signUp({ email: newEmail(), password: PASSWORD }));
  const { ref } = project;
  assert.equal((await json('users', 'list', ref)).users.length, 2);
  assert.deepEqual((await json('users', 'list', ref, '--search', email)).users.map((found) => found.email), [email]);
  const first = await json('users', 'list', ref, '--limit', '1');
  const second = await json('users', 'list', ref, '--limit', '1', '--after', first.next_cursor);
  assert.notEqual(first.users[0].id, second.users[0].id);
  const shown = await json('users', 'show', ref, email);
  assert.equal(shown.email, email);
  assert.match(await said('users', 'show', ref, shown.id), /identities|provider/);
  assert.equal((await json('users', 'sessions', ref, email)).sessions.length, 1);
  const { sessions } = await json('project', 'sessions', ref);
  assert.equal(sessions.length, 2);

  await json('users', 'ban', ref, email, '--for', '1d');
  assert.ok((await client(project).auth.signInWithPassword({ email, password: PASSWORD })).error);
  await json('users', 'ban', ref, email, '--lift');
  ok(await client(project).auth.signInWithPassword({ email, password: PASSWORD }));
  await json('users', 'logout', ref, email);
  assert.ok((await user.auth.refreshSession()).error);
  await json('project', 'sessions', ref, '--end-all', '--yes');
  assert.equal((await json('project', 'sessions', ref)).sessions.length, 0);
  await json('users', 'delete', ref, email, '--yes');
  assert.equal((await gateway.cli('users', 'show', ref, email)).code, 1);
});

test('a project goes into a file and comes back with its users and their sessions', async () => {
  const { project, email, user } = await inhabited();
  const archive = file('archive.ndjson');
  const { key_file: keyFile } = await json('project', 'export', project.ref, archive);
  assert.equal(fs.statSync(keyFile).mode & 0o077, 0);
  assert.ok(!fs.readFileSync(archive, 'utf8').includes(project.jwt_secret), 'secrets are sealed');
  await json('project', 'delete', project.ref, '--yes', '--grace', '0');
  const back = await json('project', 'import', archive);
  assert.equal(back.ref, project.ref);
  ok(await user.auth.refreshSession());
  ok(await client(project).auth.signInWithPassword({ email, password: PASSWORD }));
  assert.equal((await gateway.cli('project', 'import', archive)).code, 1, 'it is there already');
});

test('a project moves to a database of its own and back while its users stay', async () => {
  const { project, user } = await inhabited();
  const own = STORAGE === 'sqlite' ? ['--to', 'sqlite'] : ['--to', 'postgres', '--database-url', await storage.postgres.createDatabase('moved')];
  const there = await json('project', 'move', project.ref, ...own, '--max-pause', '20s');
  assert.deepEqual([there.placement, there.move.phase], [STORAGE === 'sqlite' ? 'sqlite' : 'postgres', 'done']);
  ok(await user.auth.refreshSession());
  assert.equal((await json('project', 'move', project.ref, '--to', 'gateway')).placement, 'gateway');
  ok(await user.auth.refreshSession());
  assert.match(await said('project', 'move', project.ref, '--show'), /placement\s+gateway/);
});

test('a host name of its own is named, shown and given up', async () => {
  const { ref } = await newProject(gateway);
  const named = await json('project', 'domain', 'set', ref, 'auth.example.com');
  assert.equal(named.custom_hostname, 'auth.example.com');
  assert.match(await said('project', 'domain', 'show', ref), /auth\.example\.com/);
  await said('project', 'domain', 'remove', ref);
  assert.doesNotMatch(await said('project', 'domain', 'show', ref), /auth\.example\.com/);
});
