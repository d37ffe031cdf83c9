// Supabase's own command line, as npm has it, against the real gateway.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { after, test } from 'node:test';
import { run } from '../scripts/lib/processes.mjs';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { PASSWORD, STORAGE, client, newEmail, ok, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();
const folder = temporaryFolder('supabase');
after(() => folder.remove());
const shim = path.join(path.dirname(createRequire(import.meta.url).resolve('supabase/package.json')), 'dist', 'supabase.js');
const workdir = path.join(folder.path, 'app');
const configFile = path.join(workdir, 'supabase', 'config.toml');
const profile = path.join(folder.path, 'tenantry.yaml');
fs.mkdirSync(workdir);
fs.writeFileSync(profile, [
  'name: tenantry',
  `api_url: ${gateway.admin_url}`,
  `dashboard_url: ${gateway.admin_url}`,
  'project_host: localhost',
  '',
].join('\n'));

/** Runs `supabase` with our profile and token, in a home and a project folder of its own. */
function supabase(words, env = {}) {
  const environment = {
    PATH: process.env.PATH, HOME: folder.path, SUPABASE_ACCESS_TOKEN: gateway.token, SUPABASE_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', ...env,
  };
  return run(process.execPath, [shim, '--profile', profile, '--workdir', workdir, ...words], { env: environment, cwd: workdir });
}

/** The same for a command that must succeed: what it printed on both streams. */
async function done(...words) {
  const { code, stdout, stderr } = await supabase(words);
  assert.equal(code, 0, `supabase ${words.join(' ')}:\n${stdout}\n${stderr}`);
  return stdout + stderr;
}

const config = async (ref) => (await gateway.management('GET', `/v1/projects/${ref}/config/auth`))[1];
let ref;

test(`supabase: organizations and projects are made and listed [${STORAGE}]`, async () => {
  await done('init');
  assert.match(await done('orgs', 'list'), /tenantry/);
  const made = await done('projects', 'create', 'Shop', '--org-id', 'tenantry', '--db-password', 'unused', '--region', 'us-east-1', '--yes');
  const listed = JSON.parse((await supabase(['projects', 'list', '--output', 'json'])).stdout);
  ref = listed.find(({ name }) => name === 'Shop')?.id;
  assert.match(ref ?? '', /^[a-z]{20}$/, made);
  assert.match(await done('projects', 'list'), new RegExp(ref));
});

test('supabase: the API keys it shows open the project', async () => {
  const keys = JSON.parse((await supabase(['projects', 'api-keys', '--project-ref', ref, '--output', 'json'])).stdout);
  const anon = keys.find(({ name }) => name === 'anon').api_key;
  await gateway.management('PATCH', `/v1/projects/${ref}/config/auth`, { mailer_autoconfirm: true });
  const url = `${gateway.url.replace(/\/p\/.*$/, '')}/p/${ref}`;
  ok(await client({ url, anon_key: anon }).auth.signUp({ email: newEmail(), password: PASSWORD }));
  assert.ok(keys.some(({ name }) => name === 'service_role'));
});

test('supabase: link finds the project', async () => {
  assert.match(await done('link', '--project-ref', ref), /Finished/);
  assert.equal(fs.readFileSync(path.join(workdir, 'supabase', '.temp', 'project-ref'), 'utf8').trim(), ref);
});

test('supabase: config push writes what the file says, secrets too, and a second push finds nothing to do', async () => {
  const toml = fs.readFileSync(configFile, 'utf8')
    .replace(/^site_url = .*$/m, 'site_url = "https://shop.example.com"')
    .replace(/^jwt_expiry = .*$/m, 'jwt_expiry = 900')
    .replace(/^minimum_password_length = .*$/m, 'minimum_password_length = 10');
  const github = ['', '[auth.external.github]', 'enabled = true', 'client_id = "the-client"', 'secret = "env(GITHUB_SECRET)"', ''];
  fs.writeFileSync(configFile, toml + github.join('\n'));
  const env = { GITHUB_SECRET: 'the-github-secret' };
  const push = async () => {
    const { code, stdout, stderr } = await supabase(['config', 'push', '--yes'], env);
    assert.equal(code, 0, stdout + stderr);
    return stdout + stderr;
  };
  assert.match(await push(), /site_url/);
  const pushed = await config(ref);
  assert.deepEqual(
    [pushed.site_url, pushed.jwt_exp, pushed.password_min_length, pushed.external_github_enabled, pushed.external_github_client_id],
    ['https://shop.example.com', 900, 10, true, 'the-client'],
  );
  assert.match(pushed.external_github_secret, /^[0-9a-f]{64}$/, 'the secret is set and not shown');
  const versions = async () => (await gateway.management('GET', `/v1/projects/${ref}/config/auth/history`))[1].length;
  const before = await versions();
  assert.doesNotMatch(await push(), /Would update Auth|site_url/);
  assert.equal(await versions(), before, 'a second push writes nothing');

  const { code, stdout, stderr } = await supabase(['config', 'push', '--yes'], { GITHUB_SECRET: 'another-secret' });
  assert.equal(code, 0, stdout + stderr);
  assert.notEqual((await config(ref)).external_github_secret, pushed.external_github_secret, 'a new secret is noticed by its fingerprint');
});

test('supabase: a value that makes no sense is refused with the name of its field', async () => {
  const toml = fs.readFileSync(configFile, 'utf8');
  fs.writeFileSync(configFile, toml.replace(/^jwt_expiry = .*$/m, 'jwt_expiry = 604801'));
  const { code, stdout, stderr } = await supabase(['config', 'push', '--yes'], { GITHUB_SECRET: 'another-secret' });
  fs.writeFileSync(configFile, toml);
  assert.notEqual(code, 0, stdout + stderr);
  assert.match(stdout + stderr, /jwt_exp/);
  assert.equal((await config(ref)).jwt_exp, 900);
});

test('supabase: config diff and pull see what changed here', async () => {
  await gateway.management('PATCH', `/v1/projects/${ref}/config/auth`, { jwt_exp: 1200 });
  assert.match(await done('config', 'diff'), /jwt_expiry[\s\S]*1200/);
  await done('config', 'pull', '--yes');
  assert.match(fs.readFileSync(configFile, 'utf8'), /^jwt_expiry = 1200$/m);
});

test('supabase: SAML is off, and says so', async () => {
  const { code, stdout, stderr } = await supabase(['sso', 'list', '--project-ref', ref]);
  assert.notEqual(code, 0);
  assert.match(stdout + stderr, /SAML 2\.0/);
});

test('supabase: a custom domain reads as not started', async () => {
  assert.match(await done('domains', 'get', '--project-ref', ref), /not.started/i);
});

test('supabase: a token that opens nothing is refused', async () => {
  const { code, stdout, stderr } = await supabase(['projects', 'list'], { SUPABASE_ACCESS_TOKEN: `sbp_${'0'.repeat(40)}` });
  assert.notEqual(code, 0);
  assert.match(stdout + stderr, /Unauthorized/);
});

test('supabase: a project is deleted', async () => {
  await done('projects', 'delete', ref, '--yes');
  const listed = JSON.parse((await supabase(['projects', 'list', '--output', 'json'])).stdout);
  assert.ok(!listed.some(({ id }) => id === ref));
});
