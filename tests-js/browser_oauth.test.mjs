// Signing in at a provider in a real browser: both flows, linking, a refusal, and a wallet on the page.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { browserForThisFile, hasBrowser, needsBrowser } from './chromium.mjs';
import { providedBy, somebody, startOpenidProvider } from './openid_provider.mjs';
import { STORAGE, UNLIMITED, claims, newEmail, newProject, startForThisFile } from './support.mjs';
import { ethereumWallet, solanaWallet } from './wallet.mjs';

const LIBRARY = fileURLToPath(new URL('./node_modules/@supabase/supabase-js/dist/umd/supabase.js', import.meta.url));

/** An app of one page that tells in its title how it stands. */
async function startApp() {
  let settings;
  const server = http.createServer((request, response) => {
    const script = request.url.startsWith('/supabase.js');
    response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html' });
    response.end(script ? fs.readFileSync(LIBRARY) : `<!doctype html><title>app</title><script src="/supabase.js"></script><script>
      const client = supabase.createClient(${JSON.stringify(settings.url)}, ${JSON.stringify(settings.key)}, { auth: { flowType: ${JSON.stringify(settings.flowType)} } });
      window.auth = client.auth;
      client.auth.initialize().then(async ({ error }) => {
        const { data } = await client.auth.getSession();
        document.title = error ? 'refused: ' + error.message : data.session ? 'signed in as ' + data.session.user.email : 'signed out';
      });
    </script>`);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://localhost:${server.address().port}`,
    serve: (project, flowType) => { settings = { url: project.url, key: project.anon_key, flowType }; },
    stop: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

const { gateway } = hasBrowser ? await startForThisFile() : {};
const app = hasBrowser ? await startApp() : undefined;
const provider = hasBrowser ? await startOpenidProvider() : undefined;
const browser = hasBrowser ? await browserForThisFile() : undefined;
after(() => Promise.all([app?.stop(), provider?.stop()]));

const titled = (page, title) => page.waitForFunction((wanted) => document.title === wanted, title, { timeout: 20_000 });

/** The app in a browser of its own, for a project whose site it is. */
async function open(project, flowType = 'implicit') {
  app.serve(project, flowType);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(app.url);
  await titled(page, 'signed out');
  return { page, close: () => context.close() };
}

const newOauthProject = (config = {}) => newProject(gateway, { site_url: app.url, ...providedBy(provider), ...config });

/** Follows `begin` to the provider and says yes or no there. */
async function at(page, begin, link = '#accept') {
  await page.evaluate(begin);
  await page.locator(link).click({ timeout: 20_000 });
}

const signIn = () => { window.auth.signInWithOAuth({ provider: 'keycloak' }); };

for (const flowType of ['implicit', 'pkce']) {
  test(`signInWithOAuth, ${flowType}: there and back, and signed in after a reload [${STORAGE}]`, needsBrowser, async () => {
    const { page, close } = await open(await newOauthProject(), flowType);
    const email = newEmail();
    provider.person = somebody(email);
    await at(page, signIn);
    await titled(page, `signed in as ${email}`);
    await page.waitForFunction(() => !/access_token|code=/.test(window.location.href), undefined, { timeout: 20_000 });
    const session = await page.evaluate(async () => (await window.auth.getSession()).data.session);
    assert.ok(session.provider_token.startsWith('provider-'));
    await page.goto(app.url);
    await titled(page, `signed in as ${email}`);
    await close();
  });

  test(`a refusal of the provider reaches the app, ${flowType} [${STORAGE}]`, needsBrowser, async () => {
    const { page, close } = await open(await newOauthProject(), flowType);
    provider.person = somebody(newEmail());
    await at(page, signIn, '#deny');
    await titled(page, 'refused: The person said no');
    await close();
  });
}

test(`a provider is linked and unlinked [${STORAGE}]`, needsBrowser, async () => {
  const { page, close } = await open(await newOauthProject({ security_manual_linking_enabled: true }));
  const email = newEmail();
  await page.evaluate((address) => window.auth.signUp({ email: address, password: 'correct horse battery' }), email);
  provider.person = somebody(newEmail());
  await at(page, () => { window.auth.linkIdentity({ provider: 'keycloak' }); });
  await titled(page, `signed in as ${email}`);
  const identities = () => page.evaluate(async () => (await window.auth.getUserIdentities()).data.identities);
  const linked = (await identities()).find((identity) => identity.provider === 'keycloak');
  assert.ok(linked, 'the provider is linked');
  const { error } = await page.evaluate((identity) => window.auth.unlinkIdentity(identity), linked);
  assert.equal(error, null);
  assert.deepEqual((await identities()).map((identity) => identity.provider), ['email']);
  await close();
});

test(`shield: there and back with all that it asks for [${STORAGE}]`, needsBrowser, async () => {
  const project = await gateway.createProject({
    flags: ['--profile', 'shield'],
    config: { site_url: app.url, uri_allow_list: `${app.url},${app.url}/`, security_captcha_enabled: false, ...UNLIMITED, ...providedBy(provider) },
  });
  const { page, close } = await open(project, 'pkce');
  const email = newEmail();
  provider.person = somebody(email);
  await at(page, signIn);
  await titled(page, `signed in as ${email}`);
  await close();
});

test(`signInWithIdToken on the page [${STORAGE}]`, needsBrowser, async () => {
  const { page, close } = await open(await newOauthProject());
  const person = somebody(newEmail());
  const { data, error } = await page.evaluate((token) => window.auth.signInWithIdToken({ provider: 'keycloak', token }), provider.idToken(person));
  assert.equal(error, null);
  assert.equal(data.user.email, person.email);
  await close();
});

test(`signInWithWeb3 finds the wallets of the page [${STORAGE}]`, needsBrowser, async () => {
  const { page, close } = await open(await newOauthProject({ external_web3_ethereum_enabled: true, external_web3_solana_enabled: true }));
  const [ethereum, solana] = [ethereumWallet(), solanaWallet()];
  await page.exposeFunction('askEthereum', (request) => ethereum.request(request));
  await page.exposeFunction('askSolana', async (bytes) => [...await solana.signMessage(Uint8Array.from(bytes))]);
  await page.evaluate((address) => {
    window.ethereum = { request: (request) => window.askEthereum(request) };
    window.solana = { publicKey: { toBase58: () => address }, signMessage: async (bytes) => Uint8Array.from(await window.askSolana([...bytes])) };
  }, solana.address);
  for (const chain of ['ethereum', 'solana']) {
    const { data, error } = await page.evaluate((name) => window.auth.signInWithWeb3({ chain: name, statement: 'Sign in to the test' }), chain);
    assert.equal(error, null, error?.message);
    assert.equal(data.user.identities[0].provider, 'web3');
    assert.equal(claims(data.session.access_token).amr[0].method, 'web3');
  }
  await close();
});
