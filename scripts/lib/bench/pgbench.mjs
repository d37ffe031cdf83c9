// What the database alone pays for a like row: pgbench with one statement of our own, on the server that the gateway was measured on.
import fs from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '../services.mjs';
import { meter } from './cpu.mjs';

const ROWS = 1000;
/** Rows as large as a user with an identity, found by a key. */
const SETUP = `create table rows (id int primary key, counter bigint not null default 0, updated_at timestamptz not null default now(), rest text not null);
  insert into rows (id, rest) select n, repeat(md5(n::text), 32) from generate_series(1, ${ROWS}) n;`;
let databases = 0;
const STATEMENTS = {
  select: 'select id, counter, updated_at, rest from rows where id = :id;',
  'update returning': 'update rows set counter = counter + 1, updated_at = now() where id = :id returning id, counter, updated_at, rest;',
};

/**
 * Runs each statement at a fixed rate and then with each number of clients, as fast as it goes; gives transactions a second and CPU
 * milliseconds a transaction.
 */
export async function pgbench(postgres, { rate, clients, seconds }) {
  const database = `floor_${(databases += 1)}`;
  const url = await postgres.createDatabase(database);
  await postgres.query(database, SETUP);
  const folder = temporaryFolder('pgbench');
  fs.chmodSync(folder.path, 0o755);
  const rows = [];
  for (const [statement, sql] of Object.entries(STATEMENTS)) {
    const file = path.join(folder.path, 'script.sql');
    fs.writeFileSync(file, `\\set id random(1, ${ROWS})\n${sql}\n`, { mode: 0o644 });
    for (const count of [undefined, ...clients]) {
      const pace = count ? ['-c', count, '-j', 2] : ['-c', 4, '-R', rate];
      const words = ['-n', '-M', 'prepared', '-f', file, ...pace, '-T', seconds, url].map(String);
      rows.push({ statement, clients: count, ...await one(postgres, words) });
    }
  }
  folder.remove();
  return rows;
}

async function one(postgres, words) {
  const spent = meter({ database: postgres.pid() });
  const { code, stdout, stderr } = await postgres.tool('pgbench', words);
  if (code !== 0) throw new Error(`pgbench: ${stderr}`);
  const transactions = Number(stdout.match(/actually processed: (\d+)/)[1]);
  return { rate: Number(stdout.match(/tps = ([\d.]+)/)[1]), cpu: { database: spent().database / transactions } };
}
