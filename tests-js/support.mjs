// What the suites share: a gateway for the storage of this run, clients, and small assertions.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import { startGateway, startStorage } from '../scripts/lib/gateway.mjs';

/** `sqlite` or `postgres` (with Redis): the whole suite runs once on each. */
export const STORAGE = process.env.TENANTRY_TEST_STORAGE ?? 'sqlite';

export const PASSWORD = 'correct horse battery';

/** Storage and one gateway for a test file; both end with it. */
export async function startForThisFile(options = {}) {
  const storage = await startStorage(STORAGE);
  const gateway = await startGateway({ storage, ...options });
  after(async () => {
    await gateway.stop();
    await storage.stop();
  });
  return { storage, gateway };
}

/** The same with as many gateways as can share the storage: two, and one on SQLite. */
export async function startSeveralForThisFile() {
  const storage = await startStorage(STORAGE);
  const env = { TENANTRY_MASTER_KEY: crypto.randomBytes(32).toString('base64url') };
  const gateways = await Promise.all(Array.from({ length: STORAGE === 'sqlite' ? 1 : 2 }, () => startGateway({ storage, env })));
  after(async () => {
    for (const gateway of gateways) await gateway.stop();
    await storage.stop();
  });
  return { storage, gateways };
}

/** Limits per address that a suite, which comes from one address, does not meet. */
export const UNLIMITED = { rate_limit_otp: 1e6, rate_limit_token_refresh: 1e6, rate_limit_verify: 1e6, rate_limit_email_sent: 1e6 };

/** A project whose sign-ups are confirmed at once, unless `config` says otherwise. */
export function newProject(gateway, config = {}) {
  return gateway.createProject({ config: { mailer_autoconfirm: true, ...UNLIMITED, ...config } });
}

// Node 20 has no WebSocket of its own and supabase-js asks for one even where realtime is not used.
const realtime = { transport: globalThis.WebSocket ?? class {} };

/** What supabase-js has and does not offer without being asked. */
const experimental = { passkey: true, recoveryCodes: true };

/** A supabase-js client as an app makes one; its session is kept in memory. `flowType` is `implicit` or `pkce`. */
export function client(project, { key = project.anon_key, url = project.url, flowType = 'implicit', headers = {} } = {}) {
  const items = new Map();
  const storage = { getItem: (name) => items.get(name) ?? null, setItem: (name, value) => items.set(name, value), removeItem: (name) => items.delete(name) };
  const auth = { autoRefreshToken: false, flowType, storage, storageKey: crypto.randomUUID(), experimental };
  return createClient(url, key, { auth, realtime, global: { headers } });
}

/** A client with the service_role key. */
export const admin = (project, options = {}) => client(project, { key: project.service_role_key, ...options });

/** An address nobody has used. */
export const newEmail = () => `u${crypto.randomUUID()}@example.com`;

/** A number nobody has used. */
export const newPhone = () => `1555${String(crypto.randomInt(10_000_000)).padStart(7, '0')}`;

/** The data of an answer that must not be an error. */
export function ok({ data, error }) {
  assert.equal(error, null, `unexpected error: ${error?.code} ${error?.message}`);
  return data;
}

/** The error of an answer that must be one. */
export function refused({ error }, status, code) {
  assert.ok(error, 'an error was expected');
  assert.deepEqual([error.status, error.code], [status, code], error.message);
  return error;
}

/** Signs a new user up on an autoconfirming project: `{ supabase, email, user, session }`. */
export async function signedUp(project, options = {}) {
  const supabase = client(project, options);
  const email = newEmail();
  const { user, session } = ok(await supabase.auth.signUp({ email, password: PASSWORD }));
  assert.ok(session, 'the project confirms at once');
  return { supabase, email, user, session };
}

/** Another sign-in of a user, with a client of its own. */
export async function signedInAgain(project, email, options = {}) {
  const supabase = client(project, options);
  const { session } = ok(await supabase.auth.signInWithPassword({ email, password: PASSWORD }));
  return { supabase, session };
}

/** The access token that a client holds. */
export const tokenOf = async ({ auth }) => ok(await auth.getSession()).session.access_token;

/** A plain request below a project's `/auth/v1`: `[status, body, headers]`. */
export async function call(project, method, route, { token, body, url = project.url, key = project.anon_key } = {}) {
  const headers = { apikey: key, 'x-supabase-api-version': '2024-01-01' };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(`${url}/auth/v1${route}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  return [response.status, text ? JSON.parse(text) : undefined, response.headers];
}

/** One refresh: `[status, body]`. */
export const refresh = (project, refreshToken, options = {}) =>
  call(project, 'POST', '/token?grant_type=refresh_token', { body: { refresh_token: refreshToken }, ...options });

/** The claims of a token, unchecked. */
export const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
