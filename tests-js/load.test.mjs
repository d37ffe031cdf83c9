// The load generator against a real gateway: every scenario runs, fails nothing, and leaves nothing behind.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { ROOT, loadBinary, startGateway } from '../scripts/lib/gateway.mjs';
import { run } from '../scripts/lib/processes.mjs';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { STORAGE, admin, newProject, ok, startForThisFile } from './support.mjs';

const env = { TENANTRY_MASTER_KEY: crypto.randomBytes(32).toString('base64url') };
const { storage, gateway } = await startForThisFile({ env });
const load = (...words) => run(loadBinary(), words);

const folder = temporaryFolder('load');
after(() => folder.remove());

/** One second of a scenario on projects that it makes itself. */
const smoke = (name, { admin_url: url, token } = gateway) =>
  ['run', name, '--gateway', url, '--token', token, '--clients', '2', '--duration', '1', '--warm-up', '0'];

async function reported(words) {
  const { code, stdout, stderr } = await load(...words, '--json');
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout);
}

const projects = async () => (await gateway.management('GET', '/v1/projects'))[1].map(({ ref }) => ref);
const before = await projects();

const operations = ({ runs }) => Object.fromEntries(runs[0].operations.map((row) => [row.operation, row]));

/** What a scenario needs beside the words of every smoke run, and operations that each run has to come to. */
const SCENARIOS = {
  'sign-up-wave': { operations: ['sign-up'] },
  'sign-in-and-refresh': { operations: ['refresh'] },
  'user-read': { operations: ['user-read'] },
  'refresh-storm': { operations: ['refresh-same-session', 'refresh-at-expiry'] },
  'otp-mail': { words: ['-o', 'addresses=20'], operations: ['otp', 'verify'] },
  'magic-link': { words: ['-o', 'addresses=20'], operations: ['follow-link'] },
  'mfa-login': { operations: ['challenge', 'verify'] },
  'oauth-login': { operations: ['authorize', 'callback'] },
  'session-list-revoke': { operations: ['session-list'] },
  'admin-listing': { words: ['-o', 'listed-users=20'], operations: ['list-page'] },
  'noisy-neighbour': { operations: ['user-read-quiet', 'user-read-flooded', 'sign-in'] },
  'cold-fleet': { words: ['-o', 'fleet=8', '-o', 'sign-in=1'], operations: ['settings-cold', 'sign-in', 'pause', 'resume'] },
  fleet: { words: ['-o', 'fleet=5'], operations: ['settings-cold', 'config-change', 'project-list', 'project-search'] },
  'config-and-key-rotation': { words: ['-o', 'rotations=4'], operations: ['user-read', 'refresh', 'config-change', 'key-rotation', 'api-key-rotation'] },
  soak: { operations: ['refresh'] },
  'attack-mix': { operations: ['guess', 'sign-in-known', 'sign-in-unknown', 'junk-body', 'user-read'] },
};

/** Has a test of its own. */
const APART = ['gateway-restart'];

const listed = JSON.parse((await load('list', '--json')).stdout);

test('every scenario of the list has a run here', () => {
  const names = listed.map(({ name }) => name);
  assert.deepEqual(names.toSorted(), [...Object.keys(SCENARIOS), ...APART].toSorted());
});

test('the documentation has the scenarios of the list', () => {
  const page = fs.readFileSync(path.join(ROOT, 'docs/load-testing.md'), 'utf8');
  const table = listed.map(({ name, does }) => `| \`${name}\` | ${does} |\n`).join('');
  assert.ok(page.includes(table), `docs/load-testing.md should have\n${table}`);
});

describe('one second of each', { concurrency: 3 }, () => {
  for (const [name, { words = [], operations: expected }] of Object.entries(SCENARIOS)) {
    test(`tenantry-load run ${name} [${STORAGE}]`, async () => {
      const report = await reported([...smoke(name), ...words, '--no-report']);
      const [measured] = report.runs;
      assert.equal(measured.errors, 0, JSON.stringify(measured.operations.filter(({ errors }) => errors > 0)));
      assert.ok(measured.requests > 0);
      for (const operation of expected) assert.ok(operations(report)[operation], `${operation} is missing in ${Object.keys(operations(report))}`);
    });
  }
});

test(`tenantry-load run gateway-restart: what was cut off is answered afterwards, and no session is lost [${STORAGE}]`, async () => {
  const data = path.join(folder.path, 'restarted');
  const first = await startGateway({ storage, folder: data, env });
  const listen = new URL(first.url).host;
  const second = first.child.ended.then(() => startGateway({ storage, folder: data, env, listen }));
  const report = await reported([...smoke('gateway-restart', first), '--no-report', '--restart-command', `kill -TERM ${first.child.pid}`]);
  await (await second).stop();
  const { refresh, 'refresh-retried': retried, outage, restart } = operations(report);
  assert.equal(restart.errors, 0);
  assert.equal(retried.errors, 0, JSON.stringify(retried));
  assert.deepEqual(Object.keys(refresh.errors_by_status).filter((reason) => reason.startsWith('4')), []);
  assert.ok(outage.latency_ms.max > 0);
  assert.ok(report.runs[0].notes.includes('sessions lost: 0'), report.runs[0].notes.join());
});

test(`no project is left behind [${STORAGE}]`, async () => {
  assert.deepEqual(await projects(), before);
});

test(`users on a project that was given are removed, the project stays [${STORAGE}]`, async () => {
  const project = await newProject(gateway);
  const words = ['run', 'sign-in-and-refresh', '--url', project.url, '--key', project.service_role_key, '--anon-key', project.anon_key];
  const report = await reported([...words, '--clients', '4', '--duration', '1', '--warm-up', '0', '--no-report', '--fail-on', 'errors<0.1%']);
  assert.equal(report.runs[0].errors, 0);
  assert.equal(ok(await admin(project).auth.admin.listUsers()).users.length, 0);
});

test(`a run leaves files that are read again, compared, and judged by thresholds [${STORAGE}]`, async () => {
  const out = path.join(folder.path, 'reports');
  const junit = path.join(folder.path, 'junit.xml');
  const first = await load(...smoke('user-read'), '--out', out, '--junit', junit, '--repeat', '2', '--fail-on', 'errors<0.1%');
  assert.equal(first.code, 0, first.stderr + first.stdout);
  const json = path.join(out, 'user-read.json');
  assert.equal(JSON.parse(fs.readFileSync(json, 'utf8')).runs.length, 2);
  const html = fs.readFileSync(path.join(out, 'user-read.html'), 'utf8');
  assert.match(html, /^<!doctype html>/i);
  assert.doesNotMatch(html, /(src|href)="https?:/, 'nothing is loaded from elsewhere');
  assert.match(fs.readFileSync(junit, 'utf8'), /<testsuite/);

  const page = path.join(folder.path, 'again.html');
  const again = await load('report', json, '--html', page);
  assert.equal(again.code, 0, again.stderr);
  assert.match(fs.readFileSync(page, 'utf8'), /^<!doctype html>[^]*user-read/i);

  const compared = await load('compare', json, json);
  assert.equal(compared.code, 0, compared.stderr);
  assert.match(compared.stdout, /user-read/);

  const broken = await load(...smoke('user-read'), '--no-report', '--fail-on', 'p50<0.001ms');
  assert.equal(broken.code, 3, broken.stderr + broken.stdout);
  assert.match(broken.stderr + broken.stdout, /p50/);
});
