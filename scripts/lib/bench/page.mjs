// docs/benchmarks.md, from the measurements in docs/benchmarks/.
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../gateway.mjs';
import { FLAMES } from './flame.mjs';
import { fleetChapter } from './fleet-page.mjs';
import { count, number, table, time } from './table.mjs';

/** Where measurements and pictures lie. */
export const FOLDER = path.join(ROOT, 'docs/benchmarks');
const STORAGES = { postgres: 'PostgreSQL and Redis', sqlite: 'SQLite' };

/**
 * CPU milliseconds a request of gateway and database: what the reference server, Supabase Auth, took on a like machine (two
 * shared cores, PostgreSQL with fsync beside it), and what Tenantry is to take. The hash of a password counts apart.
 */
const TARGETS = [
  ['GET /user', 8, 1.66, 0.17], ['GET /user', 64, 1.65, 0.12], ['refresh', 8, 6.9, 0.30], ['refresh', 64, 6.5, 0.15],
  ['password sign-in', 64, 9, 0.6], ['sign-up', 64, 14, 1], ['settings', 64, 0.10, 0.02], ['JWKS', 64, 0.07, 0.02],
];
const TARGET_RATE = 4000;
const TARGET_MEMORY = 30;

/** The name of a measurement's file. */
export const fileOf = (name) => path.join(FOLDER, `${name}.json`);
const read = (name) => (fs.existsSync(fileOf(name)) ? JSON.parse(fs.readFileSync(fileOf(name), 'utf8')) : undefined);

const milliseconds = (value) => `${number(value)} ms`;
const times = (ratio) => `${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)} ×`;
const row = (measured, request, clients) => measured.requests.find((each) => each.request === request && each.clients === clients);
/** Of gateway, database and Redis, without hashes. */
const together = ({ cpu: { hash, ...cpu } }) => Object.values(cpu).reduce((sum, each) => sum + each, 0);
const met = (is) => (is ? 'yes' : 'no');

function provenance({ machine, versions, commit }) {
  const programs = versions && Object.entries(versions).filter(([, version]) => version).map(([name, version]) => `${name} ${version}`).join(', ');
  return [machine, programs, `commit ${commit}`].filter(Boolean).join('; ');
}

function targets({ postgres, sqlite }) {
  const rows = [];
  for (const [request, clients, reference, target] of postgres ? TARGETS : []) {
    const measured = row(postgres, request, clients);
    const [spent, hash] = [together(measured), measured.cpu.hash];
    const shown = (value) => (hash === undefined ? milliseconds(value) : `hash + ${milliseconds(value)}`);
    rows.push([`CPU of \`${request}\`, ${clients} clients`, shown(reference), shown(target), shown(spent), times(reference / spent), met(spent <= target)]);
  }
  for (const [name, measured] of [['PostgreSQL', postgres], ['SQLite', sqlite]]) {
    if (!measured) continue;
    const { storm, neighbour } = measured;
    const refused = `${count(storm.errors)} of ${count(storm.requests)}`;
    rows.push([`${storm.wide} refreshes of one session at once: refused, ${name}`, '18 %', '0', refused, '', met(storm.errors === 0)]);
    rows.push([`the same: p99, ${name}`, '5 s', '50 ms', milliseconds(storm.p99), times(5000 / storm.p99), met(storm.p99 < 50)]);
    const growth = neighbour.beside.p99 / neighbour.alone.p99;
    rows.push([`p99 of \`GET /user\` while 64 clients sign in next door, ${name}`, '5 ms to 2.1 s', 'at most 2 ×', `${milliseconds(neighbour.alone.p99)} to ${milliseconds(neighbour.beside.p99)} (${times(growth)})`, times(420 / growth), met(growth <= 2)]);
  }
  if (sqlite) {
    const { rate } = row(sqlite, 'refresh', 64);
    rows.push(['durable refreshes a second, 64 clients, SQLite', '', count(TARGET_RATE), count(rate), '', met(rate >= TARGET_RATE)]);
  }
  for (const [name, measured] of [['PostgreSQL', postgres], ['SQLite', sqlite]]) {
    if (measured) rows.push([`resident memory of an idle gateway, ${name}`, '', `${TARGET_MEMORY} MiB`, `${number(measured.idle_mb)} MiB`, '', met(measured.idle_mb <= TARGET_MEMORY)]);
  }
  return table(['', 'reference', 'target', 'measured', 'better by', 'met'], rows, 1);
}

/** What the same machine paid in the same run for the least that could answer: HTTP without work, a row without HTTP. */
function ratios(measured, each) {
  const bare = measured.bare.find((other) => other.request === each.request && other.clients === each.clients);
  const statement = { 'GET /user': 'select', refresh: 'update returning' }[each.request];
  const floor = measured.pgbench?.find((other) => other.statement === statement && other.clients === each.clients);
  return [bare && times(each.cpu.gateway / bare.cpu.handler), floor && times(each.cpu.database / floor.cpu.database)];
}

function storage(name, measured) {
  const isRemote = measured.requests.some(({ cpu }) => cpu.database !== undefined);
  const parts = ['gateway', ...(isRemote ? ['database', 'redis'] : [])];
  const shown = (value) => (value === undefined ? '' : number(value));
  const rows = measured.requests.map((each) => {
    const [bare, floor] = ratios(measured, each);
    return [each.request, each.clients, count(each.rate), shown(each.p50), shown(each.p99), shown(each.cpu.hash), ...parts.map((part) => shown(each.cpu[part])), ...(isRemote ? [shown(together(each))] : []), bare, ...(isRemote ? [floor] : [])];
  });
  const header = ['request', 'clients', 'a second', 'p50 ms', 'p99 ms', 'hash', ...parts.map((part) => (part === 'redis' ? 'Redis' : part)), ...(isRemote ? ['together'] : []), 'gateway : bare axum', ...(isRemote ? ['database : pgbench'] : [])];
  const floors = [
    ...measured.bare.filter(({ clients }) => clients).map((each) => [`bare axum, ${each.request}`, each.clients, count(each.rate), number(each.cpu.handler)]),
    ...(measured.pgbench ?? []).filter(({ clients }) => clients).map((each) => [`pgbench, \`${each.statement}\``, each.clients, count(each.rate), number(each.cpu.database)]),
  ];
  return `### ${name}

${provenance(measured)}. Start to ready ${Math.round(measured.start_ms)} ms. Each line is the cheapest of ${measured.rounds} rounds of ${measured.seconds} seconds that lie apart: what else the machine and its host do only adds to CPU time. CPU is milliseconds a request.

${table(header, rows, 1)}

${table(['the floor, in the same run', 'clients', 'a second', 'CPU ms'], floors, 1)}
`;
}

/** What the flood does to every program of the machine. */
function flood(measured) {
  const { neighbour } = measured.postgres ?? {};
  if (!neighbour) return '';
  const { alone, beside } = neighbour.machine;
  return `Hashing threads give way to all others
(nice 10), but two busy cores are felt by whoever sleeps between requests: beside the same flood, a handler that does nothing, in a process of its own and asked as seldom, goes
from a p99 of ${milliseconds(alone.p99)} to ${milliseconds(beside.p99)} (${times(beside.p99 / alone.p99)}). `;
}

/** Why a sign-in costs more than its statements do under load: it comes alone. */
function seldom(measured) {
  if (!measured) return '';
  const { rate } = measured.seldom;
  const [most] = measured.requests.map(({ clients }) => clients).sort((a, b) => b - a);
  const at = (rows, wanted, clients) => rows.find((each) => Object.entries({ ...wanted, clients }).every(([name, value]) => each[name] === value));
  const line = (name, rows, wanted) => {
    const [alone, crowded] = [at(rows, wanted), at(rows, wanted, most)].map(together);
    return [name, number(alone), number(crowded), times(alone / crowded)];
  };
  const rows = [
    line('bare axum, GET /user', measured.bare, { request: 'GET /user' }),
    line('pgbench, `select`', measured.pgbench, { statement: 'select' }),
    line('pgbench, `update returning`', measured.pgbench, { statement: 'update returning' }),
    line(`Tenantry, ${measured.seldom.request} (one statement, one commit)`, [measured.seldom, ...measured.requests], { request: measured.seldom.request }),
  ];
  const floor = ['select', 'update returning'].map((statement) => together(at(measured.pgbench, { statement }))).reduce((a, b) => a + b);
  return `### Requests that come alone

Two cores that hash answer ${rate} sign-ins a second. At that rate no request meets another: each wakes the gateway, the database and Redis from sleep, and each
commit goes to the disk by itself. CPU milliseconds of the same requests at ${rate} a second, sent evenly, and as fast as ${most} clients get answers (PostgreSQL):

${table(['', `${rate} a second`, `${most} clients`, ''], rows, 1)}

So the time beside the hash is not the work of signing in, and there is a floor under it: one \`select\` and one \`update\` of a single row by pgbench, without a server
in front, take ${milliseconds(floor)} at this rate. A sign-in is two statements, two calls of Redis and an answer over HTTP.
`;
}

function requestChapter(measured) {
  const parts = [`## Requests

CPU time is what decides how many requests a machine holds, and it is the same on a busy one: it is read from the kernel for the gateway (on SQLite the
database is in it), the servers of PostgreSQL (fsync on) and Redis, and counts all three. They and the clients share the cores. Requests come in a closed loop:
each client sends its next one when the last is answered. The hash of a password (argon2id, 19 MiB, two passes) is what it is and counts apart, as the time
of the threads that compute nothing else. *Reference* is Supabase Auth on a like machine, with the same number of clients.

${targets(measured)}

What clients wait is measured from their side (refreshes at once, the flood next door; of rounds the middle one counts), and they share the cores with the server. ${flood(measured)}How near the rest is to
what cannot be saved is said by two floors, measured in the same run with the same clients: axum handlers that answer constants of the same size (\`load-tests/examples/bare.rs\`), and pgbench with one prepared statement on a row
of the same size.
`];
  parts.push(seldom(measured.postgres));
  for (const [kind, name] of Object.entries(STORAGES)) if (measured[kind]) parts.push(storage(name, measured[kind]));
  return parts.filter(Boolean);
}

function microChapter(measured) {
  const rows = measured.crates.flatMap(({ crate, rows: benches }) => benches.map((each) => [crate, `\`${each.name}\``, time(each.median_ns)]));
  return [`## Parts

${measured.machine}; commit ${measured.commit}. Medians of \`cargo bench -p CRATE --bench CRATE\`; \`t=2\` is two threads at once. The benchmarks of \`actors\` run the whole
gateway on one thread, with SQLite.

${table(['crate', 'benchmark', 'median'], rows, 2)}
`];
}

function profileChapter() {
  const there = FLAMES.filter(([file]) => fs.existsSync(path.join(FOLDER, file)));
  const pictures = there.map(([file, request]) => `![Flame graph of ${request}](benchmarks/${file})`);
  return there.length ? [`## Where the time goes\n\nThe gateway under 64 clients on PostgreSQL; open a picture by itself to look closer.\n\n${pictures.join('\n\n')}\n`] : [];
}

/** Writes the page and its plots from the measurements that are there. */
export function writePage() {
  const all = (what) => Object.keys(STORAGES).map((kind) => [kind, read(`${what}-${kind}`)]).filter(([, measured]) => measured);
  const [requests, fleet, micro] = [Object.fromEntries(all('requests')), all('fleet'), read('micro')];
  const parts = [
    '# Benchmarks\n\nWritten by `scripts/bench` from the measurements in [benchmarks/](benchmarks), which it makes too; those of the number of projects are made by\n`scripts/measure-fleet`.\n',
    ...(Object.keys(requests).length ? requestChapter(requests) : []),
    ...profileChapter(),
    ...(micro ? microChapter(micro) : []),
    ...(fleet.length ? fleetChapter(fleet.map(([kind, measured]) => [STORAGES[kind], measured]), FOLDER) : []),
  ];
  fs.writeFileSync(path.join(ROOT, 'docs/benchmarks.md'), parts.join('\n'));
}
