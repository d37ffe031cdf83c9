// The example app, as somebody uses it: in Chromium, with a security key that Chromium plays.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startServer } from '../examples/web/server.mjs';
import { browserForThisFile, hasBrowser, needsBrowser, plugInKey } from './chromium.mjs';
import { PASSWORD, STORAGE, newEmail, newProject, startForThisFile } from './support.mjs';
import { App } from './totp.mjs';

const library = fileURLToPath(new URL('./node_modules/@supabase/supabase-js/dist/umd/supabase.js', import.meta.url));

let project;
const { gateway } = hasBrowser ? await startForThisFile() : {};
const browser = hasBrowser ? await browserForThisFile() : undefined;
const app = hasBrowser ? await startServer({ settings: () => ({ url: project.url, key: project.anon_key }), port: 0, library }) : undefined;
after(() => app?.stop());

/** A project with the settings that the example's README names, for the port that the page has here. */
async function newExampleProject() {
  const readme = fs.readFileSync(new URL('../examples/web/README.md', import.meta.url), 'utf8').replaceAll('\\\n', ' ');
  const [, words] = readme.match(/tenantry config set REF (.*)/);
  const made = await newProject(gateway, { site_url: app.url });
  const { code, stderr } = await gateway.cli('config', 'set', made.ref, ...words.trim().split(/\s+/).map((word) => word.replace('http://localhost:3000', app.url)));
  assert.equal(code, 0, stderr);
  return made;
}

/** The page in a browser of its own; `problems` are its errors and what its content policy stopped. */
async function open(options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) problems.push(message.text()); });
  await plugInKey(page);
  await page.goto(app.url);
  return { page, problems, close: () => context.close() };
}

async function enter(page, email, label) {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: label, exact: true }).click();
  await page.getByText(`Signed in as ${email}`).waitFor();
}

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

/** Waits until `locator` finds so many. */
async function shows(locator, count) {
  if (count > 0) await locator.nth(count - 1).waitFor();
  await locator.nth(count).waitFor({ state: 'detached' });
}

const assurance = (page, level) => page.locator('#level', { hasText: level }).waitFor();

test(`a passkey is added, and signs in without a name [${STORAGE}]`, needsBrowser, async () => {
  project = await newExampleProject();
  const { page, problems, close } = await open();
  const email = newEmail();
  await enter(page, email, 'Sign up');
  await press(page, 'Add a passkey');
  await shows(page.locator('#passkeys li'), 1);
  await press(page, 'Sign out');
  await press(page, 'Sign in with a passkey');
  await page.getByText(`Signed in as ${email}`).waitFor();
  await page.reload();
  await page.getByText(`Signed in as ${email}`).waitFor();
  await press(page.locator('#passkeys'), 'Remove');
  await shows(page.locator('#passkeys li'), 0);
  await press(page, 'Sign out');
  await press(page, 'Sign in with a passkey');
  await page.getByRole('status').filter({ hasText: 'Credential verification failed' }).waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test('the list shows both sessions, and ends the other one', needsBrowser, async () => {
  project = await newExampleProject();
  const here = await open({ userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' });
  const there = await open({ userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1' });
  const email = newEmail();
  await enter(here.page, email, 'Sign up');
  const rows = here.page.locator('#sessions tr');
  await shows(rows, 1);
  await enter(there.page, email, 'Sign in');

  await here.page.reload();
  await shows(rows, 2);
  const own = rows.filter({ hasText: 'This one' });
  const other = rows.filter({ hasText: 'Safari on iPhone' });
  assert.match(await own.innerText(), /Firefox on Linux\s+127\.0\.0\.1/);
  await press(other, 'End');
  await shows(rows, 1);
  await own.waitFor();

  await there.page.reload();
  await there.page.getByText('This session was ended.').waitFor();
  await there.page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  assert.deepEqual([...here.problems, ...there.problems], []);
  await Promise.all([here.close(), there.close()]);
});

test('an authenticator app is enrolled, asked for, and replaced by a recovery code', needsBrowser, async () => {
  project = await newExampleProject();
  const { page, problems, close } = await open();
  const email = newEmail();
  await enter(page, email, 'Sign up');
  await press(page, 'Add an authenticator app');
  await page.getByAltText('QR code').waitFor();
  await page.waitForFunction(() => document.getElementById('qr').naturalWidth > 0);
  const authenticator = new App(await page.locator('#secret').innerText());
  const enrolment = page.locator('#enrolment');
  await enrolment.getByLabel('Code that the app shows').fill(authenticator.wrong());
  await press(enrolment, 'Confirm');
  await page.getByText('Invalid TOTP code entered').waitFor();
  await enrolment.getByLabel('Code that the app shows').fill(authenticator.next());
  await press(enrolment, 'Confirm');
  await assurance(page, 'aal2');
  await shows(page.locator('#factors li'), 1);
  await press(page, 'Make new codes');
  await shows(page.locator('#codes li'), 10);
  const code = await page.locator('#codes li').first().innerText();

  await press(page, 'Sign out');
  await enter(page, email, 'Sign in');
  await assurance(page, 'aal1');
  await press(page, 'Confirm with a second factor');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Code of your authenticator app').fill(authenticator.next());
  await press(dialog, 'Confirm');
  await assurance(page, 'aal2');
  await page.getByText('10 of 10 are left.').waitFor();

  await press(page, 'Sign out');
  await enter(page, email, 'Sign in');
  await press(page.locator('#factors'), 'Remove');
  await dialog.getByLabel('Code of your authenticator app').fill(code);
  await press(dialog, 'Confirm');
  await shows(page.locator('#factors li'), 0);
  await page.getByText('There are none.').waitFor();
  await assurance(page, 'aal1');
  assert.deepEqual(problems, []);
  await close();
});
