// The command line against a running gateway, and what `serve` prints and leaves behind.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { binary, startGateway, startStorage } from '../scripts/lib/gateway.mjs';
import { run } from '../scripts/lib/processes.mjs';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { PASSWORD, STORAGE, client, newEmail, ok } from './support.mjs';

const storage = await startStorage(STORAGE);
const folder = temporaryFolder('cli');
const dataDir = path.join(folder.path, 'data');
let gateway = await startGateway({ storage, folder: dataDir });
after(async () => {
  await gateway.stop();
  await storage.stop();
  folder.remove();
});

/** Runs a command that must succeed and gives its JSON. */
async function json(...words) {
  const { code, stdout, stderr } = await gateway.cli(...words, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test(`serve --json says all that a client needs [${STORAGE}]`, async () => {
  for (const key of ['url', 'admin_url', 'token_file', 'project', 'mailbox_url']) assert.ok(gateway[key], key);
  const keys = ['ref', 'name', 'url', 'anon_key', 'service_role_key', 'jwt_secret', 'profile', 'status'];
  for (const key of keys) assert.ok(gateway.project[key], `project.${key}`);
  assert.match(gateway.project.ref, /^[a-z]{20}$/);
  assert.match(gateway.token, /^sbp_[0-9a-f]{40}$/);
  ok(await client(gateway.project).auth.signUp({ email: newEmail(), password: PASSWORD }));
  assert.equal((await fetch(gateway.mailbox_url)).status, 200);
});

test('key file and token file are for their owner only, and no key is in the log', () => {
  for (const name of ['master.key', 'operator-token']) {
    assert.equal(fs.statSync(path.join(dataDir, name)).mode & 0o077, 0, name);
  }
  assert.equal(fs.statSync(dataDir).mode & 0o077, 0);
  // `said` holds stdout as well, which has the keys: the log lines are those of the rest.
  const log = gateway.log().split('\n').filter((line) => !line.startsWith('{"')).join('\n');
  for (const secret of [gateway.token, gateway.project.jwt_secret, gateway.project.service_role_key]) assert.ok(!log.includes(secret));
});

test('the gateway is found through its data directory', async () => {
  const listed = await run(binary(), ['project', 'list', '--json', '--data-dir', dataDir]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.ok(JSON.parse(listed.stdout).some(({ ref }) => ref === gateway.project.ref));
  const refused = await run(binary(), ['project', 'list', '--data-dir', dataDir, '--token', 'sbp_wrong']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /401[\s\S]*operator-token/);
});

test('projects: create, list, show, pause, resume, delete', async () => {
  const created = await json('project', 'create', '--ref', 'acme-1', '--name', 'Acme', '--profile', 'shield');
  assert.deepEqual([created.ref, created.name, created.profile, created.status], ['acme-1', 'Acme', 'shield', 'ACTIVE_HEALTHY']);
  assert.ok(created.url.endsWith('/p/acme-1'));
  const again = await gateway.cli('project', 'create', '--ref', 'acme-1');
  assert.equal(again.code, 1);
  assert.match(again.stderr, /acme-1/);
  const shown = await json('project', 'show', 'acme-1');
  assert.equal(shown.anon_key, created.anon_key);
  await json('project', 'pause', 'acme-1');
  assert.equal((await json('project', 'show', 'acme-1')).status, 'INACTIVE');
  await json('project', 'resume', 'acme-1');
  const table = await gateway.cli('project', 'list');
  assert.match(table.stdout, /acme-1/);
  await json('project', 'delete', 'acme-1', '--yes');
  assert.equal((await gateway.cli('project', 'show', 'acme-1')).code, 1);
  for (const bad of ['A', 'x', '1abc', 'a_b']) assert.notEqual((await gateway.cli('project', 'create', '--ref', bad)).code, 0, bad);
});

test('config: show, set, unset, apply, history', async () => {
  const { ref } = await json('project', 'create');
  assert.equal((await json('config', 'show', ref)).jwt_exp, 3600);
  const set = await json('config', 'set', ref, 'jwt_exp=900', 'smtp_port=2525', 'disable_signup=true');
  assert.deepEqual([set.jwt_exp, set.smtp_port, set.disable_signup], [900, '2525', true]);
  assert.equal((await json('config', 'unset', ref, 'jwt_exp')).jwt_exp, 3600);
  const file = path.join(folder.path, 'config.toml');
  fs.writeFileSync(file, 'site_url = "https://app.example.com"\nmailer_otp_exp = 300\n');
  const applied = await json('config', 'apply', ref, file);
  assert.deepEqual([applied.site_url, applied.mailer_otp_exp], ['https://app.example.com', 300]);
  assert.ok((await json('config', 'history', ref)).length >= 3);

  const unknown = await gateway.cli('config', 'set', ref, 'jwt_expp=1');
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no such field/);
  const invalid = await gateway.cli('config', 'set', ref, 'jwt_exp=-5', 'password_min_length=1');
  assert.equal(invalid.code, 1);
  assert.match(invalid.stderr, /jwt_exp[\s\S]*password_min_length/);
  assert.equal((await json('config', 'show', ref)).jwt_exp, 3600, 'a refused write changes nothing');
});

test('keys: create, list, rotate, revoke', async () => {
  const { ref, url } = await json('project', 'create');
  const key = await json('keys', 'create', ref, '--alg', 'ES256');
  assert.equal(key.status, 'standby');
  const published = async () => (await (await fetch(`${url}/auth/v1/.well-known/jwks.json`)).json()).keys.map(({ kid }) => kid);
  assert.deepEqual(await published(), [key.id], 'a standby key is published before it signs');
  assert.equal((await json('keys', 'rotate', ref)).status, 'in_use');
  const next = await json('keys', 'create', ref, '--alg', 'ES256');
  await json('keys', 'rotate', ref);
  assert.deepEqual((await json('keys', 'list', ref)).filter(({ id }) => id === key.id || id === next.id).map(({ status }) => status).sort(), ['in_use', 'previously_used']);
  assert.equal((await json('keys', 'revoke', ref, key.id)).status, 'revoked');
  assert.deepEqual(await published(), [next.id]);
});

test('api-keys: list, create, delete', async () => {
  const { ref, url } = await json('project', 'create');
  const key = await json('api-keys', 'create', ref, '--type', 'secret', '--name', 'server_a');
  assert.match(key.api_key, /^sb_secret_[\w-]{22}_[\w-]{8}$/);
  const asAdmin = async () => (await fetch(`${url}/auth/v1/admin/users`, { headers: { apikey: key.api_key, authorization: `Bearer ${key.api_key}` } })).status;
  assert.equal(await asAdmin(), 200);
  const listed = await json('api-keys', 'list', ref);
  assert.ok(listed.every(({ api_key }) => api_key !== key.api_key), 'a secret key is not shown without --reveal');
  await json('api-keys', 'delete', ref, key.id);
  assert.ok([401, 403].includes(await asAdmin()), 'a deleted key opens nothing');
});

test('doctor finds a healthy gateway', async () => {
  const { code, stdout, stderr } = await run(binary(), ['doctor', '--json', '--data-dir', dataDir, ...storage.args]);
  assert.equal(code, 0, stderr + stdout);
  assert.deepEqual(JSON.parse(stdout).filter(({ state }) => state === 'failed'), []);
});

test('a second start keeps project and keys', async () => {
  const before = gateway.project;
  const count = (await json('project', 'list')).length;
  await gateway.stop();
  gateway = await startGateway({ storage, folder: dataDir });
  assert.equal((await json('project', 'list')).length, count);
  assert.equal((await json('project', 'show', before.ref)).anon_key, before.anon_key);
});

test('with a listener of its own, the Management API leaves the public one', async () => {
  const apart = await startGateway({ args: ['--admin-listen', '127.0.0.1:0'] });
  try {
    assert.notEqual(new URL(apart.url).port, new URL(apart.admin_url).port);
    for (const route of ['/v1/projects', '/metrics']) {
      assert.equal((await fetch(`${apart.url}${route}`, { headers: { authorization: `Bearer ${apart.token}` } })).status, 404, route);
      assert.equal((await fetch(`${apart.admin_url}${route}`, { headers: { authorization: `Bearer ${apart.token}` } })).status, 200, route);
    }
  } finally {
    await apart.stop();
  }
});

test('health of the gateway, and the Management API without a token', async () => {
  for (const route of ['/livez', '/readyz']) assert.ok((await fetch(`${gateway.url}${route}`)).ok, route);
  assert.match(await (await fetch(`${gateway.url}/metrics`)).text(), /^# (HELP|TYPE) /m);
  assert.equal((await fetch(`${gateway.url}/v1/projects`)).status, 401);
});
