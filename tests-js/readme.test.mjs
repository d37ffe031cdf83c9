// The example of the README, as a reader pastes it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../scripts/lib/gateway.mjs';
import { start, until } from '../scripts/lib/processes.mjs';
import { STORAGE, startForThisFile } from './support.mjs';

const { gateway } = await startForThisFile();

test(`the README's example signs up, in, refreshes and out against what serve prints [${STORAGE}]`, async () => {
  const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const example = readme.match(/^```js\n(.*?)^```/ms)[1]
    .replace('PROJECT_URL', gateway.project.url).replace('ANON_KEY', gateway.project.anon_key);
  // Node 20 has no WebSocket of its own, which supabase-js asks for though auth never opens one.
  const webSocket = `data:text/javascript,${encodeURIComponent('globalThis.WebSocket ??= class {}')}`;
  const script = start(process.execPath, ['--import', webSocket, '--input-type=module', '-e', example], { cwd: path.join(ROOT, 'tests-js') });

  const message = await until('the mail', async () => {
    assert.equal(script.exitCode, null, script.said);
    const list = await (await fetch(new URL('api/v1/messages', gateway.mailbox_url))).json();
    return list.messages[0];
  });
  const mail = await (await fetch(new URL(`api/v1/message/${message.ID}`, gateway.mailbox_url))).json();
  const link = mail.HTML.match(/href="([^"]+)"/)[1].replaceAll('&amp;', '&');
  assert.equal((await fetch(link, { redirect: 'manual' })).status, 303);

  const { code } = await script.ended;
  assert.equal(code, 0, script.said);
  for (const line of ['signed up - follow the link', 'signed in as ada-', 'refreshed until ', 'session: null']) {
    assert.ok(script.said.includes(line), `${line} is missing in\n${script.said}`);
  }
});
