// A user in a real browser: signs up, finds the mail in the mailbox, comes back signed in, reloads, signs out in two tabs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { browserForThisFile, hasBrowser, needsBrowser, plugInKey } from './chromium.mjs';
import { PASSWORD, STORAGE, claims, newEmail, newProject, startForThisFile } from './support.mjs';

const LIBRARY = fileURLToPath(new URL('./node_modules/@supabase/supabase-js/dist/umd/supabase.js', import.meta.url));

/** An app of one page on a port of its own, which is the project's site. */
async function startApp() {
  let settings;
  const server = http.createServer((request, response) => {
    if (request.url.startsWith('/supabase.js')) {
      response.writeHead(200, { 'content-type': 'text/javascript' });
      response.end(fs.readFileSync(LIBRARY));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>app</title><script src="/supabase.js"></script><script>
      const client = supabase.createClient(${JSON.stringify(settings.url)}, ${JSON.stringify(settings.anon_key)});
      window.auth = client.auth;
      window.events = [];
      client.auth.onAuthStateChange((event, session) => {
        window.events.push(event);
        document.title = session ? 'signed in as ' + session.user.email : 'signed out';
      });
    </script>`);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    // The same page under a name: relying parties have names, not addresses.
    named: `http://localhost:${server.address().port}`,
    serve: (project) => { settings = project; },
    stop: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

const { gateway } = hasBrowser ? await startForThisFile() : {};
const app = hasBrowser ? await startApp() : undefined;
const browser = hasBrowser ? await browserForThisFile() : undefined;
after(() => app?.stop());

const titled = (page, title) => page.waitForFunction((wanted) => document.title === wanted, title, { timeout: 20000 });

test(`sign-up, mailbox, link, session, reload, sign-out in every tab [${STORAGE}]`, needsBrowser, async () => {
  const project = await newProject(gateway, { mailer_autoconfirm: false, site_url: app.url });
  app.serve(project);
  const context = await browser.newContext();
  const problems = [];
  context.on('weberror', (error) => problems.push(String(error.error())));
  const page = await context.newPage();
  await page.goto(app.url);
  await titled(page, 'signed out');

  const email = newEmail();
  const signedUp = await page.evaluate(([address, password]) => window.auth.signUp({ email: address, password }), [email, PASSWORD]);
  assert.equal(signedUp.error, null);
  assert.equal(signedUp.data.session, null);

  const mailbox = await context.newPage();
  const refusedByPolicy = [];
  mailbox.on('console', (message) => { if (/Content Security Policy/.test(message.text())) refusedByPolicy.push(message.text()); });
  await mailbox.goto(`${project.url}/mail/`);
  await mailbox.getByText(email).first().click();
  const opened = context.waitForEvent('page');
  await mailbox.locator('a.follow').click();
  const returned = await opened;
  await titled(returned, `signed in as ${email}`);
  assert.ok(returned.url().startsWith(app.url), returned.url());
  await returned.waitForFunction(() => !window.location.hash.includes('access_token'), undefined, { timeout: 20000 });
  assert.deepEqual(refusedByPolicy, []);
  await titled(page, `signed in as ${email}`);

  await page.goto(app.url);
  await titled(page, `signed in as ${email}`);
  const other = await context.newPage();
  await other.goto(app.url);
  await titled(other, `signed in as ${email}`);

  const signedOut = await page.evaluate(() => window.auth.signOut());
  assert.equal(signedOut.error, null);
  await titled(page, 'signed out');
  await titled(other, 'signed out');
  await other.reload();
  await titled(other, 'signed out');
  assert.deepEqual(problems, []);
  await context.close();
});

test('the mailbox shows a new mail without a reload', needsBrowser, async () => {
  const project = await newProject(gateway, { mailer_autoconfirm: false, site_url: app.url });
  app.serve(project);
  const context = await browser.newContext();
  const mailbox = await context.newPage();
  await mailbox.goto(`${project.url}/mail/`);
  const page = await context.newPage();
  await page.goto(app.url);
  const email = newEmail();
  await page.evaluate((address) => window.auth.signInWithOtp({ email: address }), email);
  await mailbox.getByText(email).first().waitFor({ timeout: 20000 });
  await context.close();
});

test('mfa.webauthn registers a security key and authenticates with it', needsBrowser, async () => {
  const project = await newProject(gateway, {
    site_url: app.named, mfa_web_authn_enroll_enabled: true, mfa_web_authn_verify_enabled: true,
    webauthn_rp_id: 'localhost', webauthn_rp_display_name: 'Test', webauthn_rp_origins: app.named,
  });
  app.serve(project);
  const context = await browser.newContext();
  const page = await context.newPage();
  await plugInKey(page);
  await page.goto(app.named);
  const credentials = { email: newEmail(), password: PASSWORD };
  // The key is built in here; what supabase-js asks for by itself is one that is plugged in.
  const registered = await page.evaluate(async (given) => {
    await window.auth.signUp(given);
    return window.auth.mfa.webauthn.register({ friendlyName: 'key' }, { authenticatorSelection: { authenticatorAttachment: 'platform' } });
  }, credentials);
  assert.equal(registered.error, null, JSON.stringify(registered.error));
  assert.equal(claims(registered.data.access_token).aal, 'aal2');
  const authenticated = await page.evaluate(async (given) => {
    await window.auth.signInWithPassword(given);
    const { data } = await window.auth.mfa.listFactors();
    return window.auth.mfa.webauthn.authenticate({ factorId: data.webauthn[0].id });
  }, credentials);
  assert.equal(authenticated.error, null, JSON.stringify(authenticated.error));
  const { aal, amr } = claims(authenticated.data.access_token);
  assert.deepEqual([aal, amr.map(({ method }) => method)], ['aal2', ['mfa/webauthn', 'password']]);
  await context.close();
});
