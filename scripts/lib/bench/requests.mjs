// The hot requests on one storage: CPU time a request, latencies, what stays when somebody else floods, start and memory.
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ROOT, startGateway, startStorage } from '../gateway.mjs';
import { ONLY_REFRESH, load, only } from '../load.mjs';
import { start, stop } from '../processes.mjs';
import { temporaryFolder } from '../services.mjs';
import { client, drive, driveAt } from './client.mjs';
import { hashingThreads, meter, resident } from './cpu.mjs';
import { commit, machine, versions } from './machine.mjs';
import { median, repeat } from './median.mjs';
import { pgbench } from './pgbench.mjs';

const CLIENTS = [8, 64];
const WARM_UP = 1; // seconds
const ANONYMOUS = 'sign-up without password';
const SIGN_IN = 'password sign-in';
const PASSWORD = 'correct horse battery';
const UNLIMITED = { rate_limit_anonymous_users: 1e9, rate_limit_otp: 1e9, rate_limit_token_refresh: 1e9, rate_limit_verify: 1e9 };
const env = { RUST_LOG: 'warn' };

/** Start to ready and resident memory of a gateway that has nothing to do: the median of three starts on a database that is there. */
async function idle(storage, dataDir) {
  const starts = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const began = performance.now();
    const gateway = await startGateway({ storage, folder: dataDir, env });
    const ready = performance.now() - began;
    await pause(1000);
    if (turn > 0) starts.push([ready, resident(gateway.child.pid)]);
    await gateway.stop();
  }
  return { start_ms: median(starts.map(([ready]) => ready)), idle_mb: median(starts.map(([, memory]) => memory)) };
}

/** What a request costs beside the hash of a password. */
const cost = ({ cpu: { hash, ...cpu } }) => Object.values(cpu).reduce((sum, each) => sum + each, 0);

/**
 * Of rounds, each of the same rows, the cheapest of each row: whatever else the machine and its host do can only add to CPU time, and
 * rounds that lie apart are not all disturbed.
 */
function cheapest(rounds) {
  const [first, ...others] = rounds;
  return first.map((row, index) => others.map((round) => round[index]).reduce((a, b) => (cost(b) < cost(a) ? b : a), row));
}

/** Requests that the load generator sends, and what they cost. */
async function loaded(request, scenario, project, pids, seconds, more) {
  const rows = [];
  for (const clients of CLIENTS) {
    const { operations, ...row } = await load(scenario, { projects: [project], clients, seconds, pids, ...more });
    rows.push({ request, clients, ...row });
  }
  return rows;
}

/** Requests that this process sends: the hashing of passwords is counted apart. */
async function driven(clients, pids, seconds, isHashing, step) {
  await drive(clients, WARM_UP, step);
  const spent = meter(pids);
  const done = await drive(clients, seconds, step);
  const each = (times) => Object.fromEntries(Object.entries(times).map(([name, time]) => [name, time / done.requests]));
  const hash = each(spent(isHashing)).gateway;
  const all = each(spent());
  return { ...done, cpu: { ...all, gateway: all.gateway - hash, hash } };
}

/** The requests that open a session of a project; those with a password are given a number that stands for the user. */
function openings(project) {
  const { call, close } = client(project.url);
  const status = async (route, body) => (await call('POST', route, { body }))[0];
  const byPassword = (route, user) => status(route, { email: `bench-${user}@example.com`, password: PASSWORD });
  let users = 0;
  const post = { 'sign-up': () => byPassword('/signup', users++), [SIGN_IN]: (user) => byPassword('/token?grant_type=password', user), [ANONYMOUS]: () => status('/signup', {}) };
  return { post, close };
}

/** What opens a session: `requests` of `openings`, one after the other. */
async function opening(requests, { post }, pids, seconds) {
  const isHashing = hashingThreads(pids.gateway);
  const rows = [];
  for (const request of requests) {
    for (const clients of CLIENTS) rows.push({ request, clients, ...await driven(clients, pids, seconds, isHashing, post[request]) });
  }
  return rows;
}

/** The CPU time of requests that come seldom, one by one: `rate` a second. */
async function seldomly(rate, pids, seconds, step) {
  const spent = meter(pids);
  const requests = await driveAt(rate, seconds, step);
  return { rate, cpu: Object.fromEntries(Object.entries(spent()).map(([name, time]) => [name, time / requests])) };
}

/** One session refreshed by very many at once, wave after wave. */
async function storm(project, { rounds, seconds }) {
  const wide = 200;
  const { operations, cpu, ...row } = median(await repeat(rounds, () => load('refresh-storm', { projects: [project], clients: wide, users: 1, seconds, options: { 'same-session-share': 1 } })), ({ p99 }) => p99);
  return { wide, ...row };
}

/**
 * `GET /user` of a project at a steady rate, alone and while 64 clients sign in to another one: the flood begins half-way. `machine` is
 * the same for a handler that does nothing, in a process of its own: what the flood does to everything that runs here.
 */
async function neighbour(watched, flooded, nothing, { post }, { rounds, seconds }) {
  const growth = ({ alone, beside }) => beside.p99 / alone.p99;
  const project = median(await repeat(rounds, async () => {
    const { operations } = await load('noisy-neighbour', { projects: [flooded, watched], clients: 64, seconds: 2 * seconds, options: { 'watch-rate': 100, watchers: 16 } });
    return { alone: operations['user-read-quiet'], beside: operations['user-read-flooded'], sign_ins: operations['sign-in'].requests / seconds };
  }), growth);
  const watch = async () => (await load('user-read', { projects: [nothing], clients: 16, rate: 100, seconds })).operations['user-read'];
  const machine = median(await repeat(rounds, async () => {
    const alone = await watch();
    const [beside] = await Promise.all([watch(), drive(64, seconds + 2 * WARM_UP, (user) => post[SIGN_IN](user))]);
    return { alone, beside };
  }), growth);
  return { ...project, machine };
}

/** Handlers that do nothing, as a project. */
async function startBare() {
  const program = process.env.TENANTRY_BARE_BINARY ?? path.join(ROOT, 'target/release/examples/bare');
  const child = start(program, []);
  const { url } = JSON.parse(await new Promise((resolve) => { child.stdout.once('data', resolve); }));
  return { child, project: { url, service_role_key: 'none', anon_key: 'none' } };
}

/** The same requests to handlers that do nothing: what HTTP costs here. */
async function bare({ child, project }, rate, seconds) {
  const pids = { handler: child.pid };
  const rows = [...await loaded('GET /user', 'user-read', project, pids, seconds), ...await loaded('refresh', 'sign-in-and-refresh', project, pids, seconds, ONLY_REFRESH)];
  const { call, close } = client(project.url);
  rows.push({ request: 'GET /user', ...await seldomly(rate, pids, seconds, () => call('GET', '/user')) });
  close();
  return rows;
}

/**
 * Measures everything on a storage of its own: so many `rounds` of so many `seconds`. `say` is told what
 * comes next.
 */
export async function measureRequests(kind, pace, say) {
  const storage = await startStorage(kind, { durable: true });
  const folder = temporaryFolder('bench');
  const dataDir = path.join(folder.path, 'data');
  try {
    say('start and memory');
    const atRest = await idle(storage, dataDir);
    const gateway = await startGateway({ storage, folder: dataDir, env });
    const pids = { gateway: gateway.child.pid, ...(storage.postgres && { database: storage.postgres.pid(), redis: storage.redis.pid() }) };
    const newProject = () => gateway.createProject({ config: { mailer_autoconfirm: true, external_anonymous_users_enabled: true, ...UNLIMITED } });
    const [first, second] = [await newProject(), await newProject()];
    const sessions = openings(first);
    const { rounds, seconds } = pace;
    const round = async () => {
      const rows = [];
      const measure = async (what, step) => { say(what); rows.push(...await step()); };
      await measure('sign-up and password sign-in', () => opening(['sign-up', SIGN_IN], sessions, pids, seconds));
      // As PostgreSQL does by itself within a minute.
      await storage.postgres?.query(storage.database, 'analyze');
      await measure('GET /user', () => loaded('GET /user', 'user-read', first, pids, seconds));
      await measure('refresh', () => loaded('refresh', 'sign-in-and-refresh', first, pids, seconds, ONLY_REFRESH));
      await measure('settings', () => loaded('settings', only('settings'), first, pids, seconds, { users: 1 }));
      await measure('JWKS', () => loaded('JWKS', only('jwks'), first, pids, seconds, { users: 1 }));
      await measure(ANONYMOUS, () => opening([ANONYMOUS], sessions, pids, seconds));
      return rows;
    };
    const rows = cheapest(await repeat(rounds, round));
    say('one session, 200 refreshes at once');
    const one = await storm(first, pace);
    say('a flood next door');
    const handlers = await startBare();
    const beside = await neighbour(first, second, handlers.project, sessions, { rounds, seconds: 2 * seconds });
    say('requests that come alone');
    const rate = Math.round(rows.find((row) => row.request === SIGN_IN && row.clients === Math.max(...CLIENTS)).rate);
    const [few] = cheapest(await repeat(rounds, async () => [{ request: ANONYMOUS, ...await seldomly(rate, pids, seconds, sessions.post[ANONYMOUS]) }]));
    sessions.close();
    await gateway.stop();
    say('handlers that do nothing');
    const nothing = cheapest(await repeat(rounds, () => bare(handlers, rate, seconds)));
    await stop(handlers.child);
    if (storage.postgres) say('pgbench');
    // What the gateway left to clear away is not the floor's.
    await storage.postgres?.query(storage.database, 'vacuum');
    await storage.postgres?.query(storage.database, 'checkpoint');
    const floor = storage.postgres && cheapest(await repeat(rounds, () => pgbench(storage.postgres, { rate, clients: CLIENTS, seconds })));
    return {
      storage: kind, machine: machine(), versions: await versions(storage), commit: await commit(), ...pace,
      ...atRest, requests: rows, seldom: few, storm: one, neighbour: beside, bare: nothing, pgbench: floor,
    };
  } finally {
    await storage.stop();
    folder.remove();
  }
}
