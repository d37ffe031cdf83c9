// The load generator against a real gateway: it measures, and leaves nobody behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBinary } from '../scripts/lib/gateway.mjs';
import { run } from '../scripts/lib/processes.mjs';
import { STORAGE, admin, newProject, ok, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();

for (const scenario of ['user-read', 'sign-in-and-refresh']) {
  test(`tenantry-load run ${scenario} [${STORAGE}]`, async () => {
    const project = await newProject(gateway);
    const words = ['run', scenario, '--url', project.url, '--key', project.service_role_key, '--clients', '4', '--duration', '1', '--warm-up', '0', '--max-errors', '0'];
    const { code, stdout, stderr } = await run(loadBinary(), words);
    assert.equal(code, 0, stderr + stdout);
    assert.equal(ok(await admin(project).auth.admin.listUsers()).users.length, 0, 'the users were removed');
  });
}
