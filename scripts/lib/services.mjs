// A PostgreSQL and a Redis of our own: free ports, a temporary folder, gone afterwards.
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort, run, start, stop, until } from './processes.mjs';

const folders = new Set();
const remove = (folder) => {
  folders.delete(folder);
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
};
process.on('exit', () => folders.forEach(remove));

/** A temporary folder; `remove()` deletes it, at the latest when this process ends. */
export function temporaryFolder(name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `tenantry-${name}-`));
  folders.add(folder);
  return { path: folder, remove: () => remove(folder) };
}

/** The newest installed PostgreSQL's folder of programs: Debian keeps them out of the PATH. */
function postgresPrograms() {
  const versions = '/usr/lib/postgresql';
  if (!fs.existsSync(versions)) return '';
  const newest = fs.readdirSync(versions).sort((a, b) => Number(b) - Number(a))
    .find((version) => fs.existsSync(path.join(versions, version, 'bin', 'postgres')));
  return newest ? path.join(versions, newest, 'bin') : '';
}

/** PostgreSQL refuses to run as root: then it runs as the user its package made. */
async function postgresUser() {
  if (process.getuid() !== 0) return {};
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)));
  if (!uid) throw new Error('PostgreSQL cannot run as root and there is no user `postgres`: install postgresql');
  return { uid, gid };
}

/** Starts PostgreSQL with an empty cluster. What it commits reaches the disk only if it is to be `durable`. */
export async function startPostgres({ durable = false } = {}) {
  const folder = temporaryFolder('postgres');
  const programs = postgresPrograms();
  const program = (name) => path.join(programs, name);
  const user = await postgresUser();
  if (user.uid) fs.chownSync(folder.path, user.uid, user.gid);
  const data = path.join(folder.path, 'data');
  const options = { ...user, cwd: folder.path, env: { ...process.env, LC_ALL: 'C.UTF-8' } };
  const made = await run(program('initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], options);
  if (made.code !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  // The folder is thrown away with the machine running: nothing has to reach the disk itself, unless that is what is measured.
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: folder.path, fsync: durable ? 'on' : 'off', max_connections: '200', log_min_messages: 'fatal' };
  const args = ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const psql = (database, sql) => run(program('psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', database, '-c', sql]);
  let child;
  const service = {
    /** Runs one of the programs that come with it to the end. */
    tool: (name, words) => run(program(name), words, options),
    /** The id of its first process; the others are children. */
    pid: () => child.pid,
    url: (database = 'postgres') => `postgres://postgres@127.0.0.1:${port}/${database}`,
    async start() {
      child = start(program('postgres'), args, options);
      await until(`PostgreSQL on port ${port}`, async () => {
        if (child.exitCode !== null) throw new Error(child.said);
        return (await psql('postgres', 'select 1')).code === 0;
      });
    },
    /** `SIGINT` ends the connections and shuts down, `SIGQUIT` does so without a checkpoint, as a crash would. */
    halt: (signal = 'SIGINT') => stop(child, signal),
    /** Makes a database and gives its URL. */
    async createDatabase(name) {
      const made = await psql('postgres', `create database ${name}`);
      if (made.code !== 0) throw new Error(`create database ${name}: ${made.stderr}`);
      return service.url(name);
    },
    /** Runs one statement and gives its rows as lines. */
    async query(database, sql) {
      const answer = await psql(database, sql);
      if (answer.code !== 0) throw new Error(answer.stderr);
      return answer.stdout.trim();
    },
    async stop() {
      await stop(child, 'SIGINT');
      folder.remove();
    },
  };
  await service.start();
  return service;
}

/** Starts an empty Redis that keeps nothing. */
export async function startRedis() {
  const folder = temporaryFolder('redis');
  const port = await freePort();
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder.path, '--save', '', '--appendonly', 'no'];
  let child;
  const service = {
    url: `redis://127.0.0.1:${port}`,
    pid: () => child.pid,
    async start() {
      child = start('redis-server', args, { cwd: folder.path });
      await until(`Redis on port ${port}`, () => answersPing(port));
    },
    halt: (signal = 'SIGTERM') => stop(child, signal),
    async stop() {
      await stop(child);
      folder.remove();
    },
  };
  await service.start();
  return service;
}

function answersPing(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => { socket.destroy(); resolve(String(data).startsWith('+PONG')); });
    socket.once('error', () => resolve(false));
  });
}
