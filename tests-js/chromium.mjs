// A real browser, where the machine has one.
import fs from 'node:fs';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

const PROGRAMS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = PROGRAMS.find((program) => program && fs.existsSync(program));

/** Whether there is a browser. */
export const hasBrowser = Boolean(executablePath);

/** Options of a test that cannot do without one. */
export const needsBrowser = { skip: hasBrowser ? false : 'no Chromium: set CHROMIUM to its path' };

/** A browser for a test file. */
export async function browserForThisFile() {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  after(() => browser.close());
  return browser;
}

/** Gives a page a security key that is always touched, knows its user and remembers passkeys (WebAuthn over CDP). */
export async function plugInKey(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  await session.send('WebAuthn.addVirtualAuthenticator', { options });
}
