// The hot requests on one storage: CPU time a request, latencies, what stays when somebody else floods, start and memory.
import path from 'node:path';
import { ROOT, startGateway, startStorage } from '../gateway.mjs';
import { load, only } from '../load.mjs';
import { start, stop } from '../processes.mjs';
import { temporaryFolder } from '../services.mjs';
import { client, drive } from './client.mjs';
import { hashingThreads, meter, resident } from './cpu.mjs';
import { commit, machine, versions } from './machine.mjs';
import { pgbench } from './pgbench.mjs';

const CLIENTS = [8, 64];
const WARM_UP = 1; // seconds
const PASSWORD = 'correct horse battery';
const UNLIMITED = { rate_limit_otp: 1e9, rate_limit_token_refresh: 1e9, rate_limit_verify: 1e9 };
const ONLY_REFRESH = { options: { 'sign-in-share': 0, 'user-read-share': 0 } };
const env = { RUST_LOG: 'warn' };
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

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
async function driven(request, clients, pids, seconds, isHashing, step) {
  await drive(clients, WARM_UP, step);
  const spent = meter(pids);
  const done = await drive(clients, seconds, step);
  const each = (times) => Object.fromEntries(Object.entries(times).map(([name, time]) => [name, time / done.requests]));
  const hash = each(spent(isHashing)).gateway;
  const all = each(spent());
  return { request, clients, ...done, cpu: { ...all, gateway: all.gateway - hash, hash } };
}

async function withPasswords(project, pids, seconds, isHashing) {
  const { call, close } = client(project.url);
  const post = async (route, user) => (await call('POST', route, { body: { email: `bench-${user}@example.com`, password: PASSWORD } }))[0];
  let users = 0;
  const requests = { 'sign-up': () => post('/signup', users++), 'password sign-in': (mine) => post('/token?grant_type=password', mine) };
  const rows = [];
  for (const [request, step] of Object.entries(requests)) {
    for (const clients of CLIENTS) rows.push(await driven(request, clients, pids, seconds, isHashing, step));
  }
  close();
  return rows;
}

/** One session refreshed by very many at once, wave after wave. */
async function storm(project, seconds) {
  const wide = 200;
  const { operations, cpu, ...row } = await load('refresh-storm', { projects: [project], clients: wide, users: 1, seconds, options: { 'same-session-share': 1 } });
  return { wide, ...row };
}

/** `GET /user` of a project at a steady rate, alone and while 64 clients sign in to another one: the flood begins half-way. */
async function neighbour(watched, flooded, seconds) {
  const { operations } = await load('noisy-neighbour', { projects: [flooded, watched], clients: 64, seconds: 2 * seconds, options: { 'watch-rate': 100, watchers: 16 } });
  return { alone: operations['user-read-quiet'], beside: operations['user-read-flooded'], sign_ins: operations['sign-in'].requests / seconds };
}

/** The same requests to handlers that do nothing: what HTTP costs here. */
async function bare(seconds) {
  const program = process.env.TENANTRY_BARE_BINARY ?? path.join(ROOT, 'target/release/examples/bare');
  const child = start(program, []);
  const { url } = JSON.parse(await new Promise((resolve) => { child.stdout.once('data', resolve); }));
  const project = { url, service_role_key: 'none', anon_key: 'none' };
  const pids = { handler: child.pid };
  const rows = [...await loaded('GET /user', 'user-read', project, pids, seconds), ...await loaded('refresh', 'sign-in-and-refresh', project, pids, seconds, ONLY_REFRESH)];
  await stop(child);
  return rows;
}

/** Measures everything on a storage of its own. `say` is told what comes next. */
export async function measureRequests(kind, seconds, say) {
  const storage = await startStorage(kind, { durable: true });
  const folder = temporaryFolder('bench');
  const dataDir = path.join(folder.path, 'data');
  try {
    say('start and memory');
    const atRest = await idle(storage, dataDir);
    const gateway = await startGateway({ storage, folder: dataDir, env });
    const isHashing = hashingThreads(gateway.child.pid);
    const pids = { gateway: gateway.child.pid, ...(storage.postgres && { database: storage.postgres.pid(), redis: storage.redis.pid() }) };
    const newProject = () => gateway.createProject({ config: { mailer_autoconfirm: true, ...UNLIMITED } });
    const [first, second] = [await newProject(), await newProject()];
    const rows = [];
    const measure = async (what, step) => { say(what); rows.push(...await step()); };
    // What is rare first: the database clears away after many writes for a while.
    await measure('sign-up and password sign-in', () => withPasswords(first, pids, seconds, isHashing));
    // As PostgreSQL does by itself within a minute.
    await storage.postgres?.query(storage.database, 'analyze');
    await measure('GET /user', () => loaded('GET /user', 'user-read', first, pids, seconds));
    await measure('refresh', () => loaded('refresh', 'sign-in-and-refresh', first, pids, seconds, ONLY_REFRESH));
    await measure('settings', () => loaded('settings', only('settings'), first, pids, seconds, { users: 1 }));
    await measure('JWKS', () => loaded('JWKS', only('jwks'), first, pids, seconds, { users: 1 }));
    say('one session, 200 refreshes at once');
    const one = await storm(first, seconds);
    say('a flood next door');
    const beside = await neighbour(first, second, 2 * seconds);
    await gateway.stop();
    say('handlers that do nothing');
    const nothing = await bare(seconds);
    if (storage.postgres) say('pgbench');
    const floor = storage.postgres && await pgbench(storage.postgres, { clients: CLIENTS, seconds });
    return {
      storage: kind, machine: machine(), versions: await versions(storage), commit: await commit(), seconds,
      ...atRest, requests: rows, storm: one, neighbour: beside, bare: nothing, pgbench: floor,
    };
  } finally {
    await storage.stop();
    folder.remove();
  }
}
