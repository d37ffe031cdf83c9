// On what was measured: the machine, the programs, the state of the repository.
import os from 'node:os';
import { ROOT, binary } from '../gateway.mjs';
import { run } from '../processes.mjs';

/** Cores, family of the processor and memory. */
export const machine = () => `${os.cpus().length} cores (${os.cpus()[0].model.trim()}), ${Math.round(os.totalmem() / 2 ** 30)} GiB`;

/** The commit, with a `+` where files differ from it. Measurements, which are written below docs, do not count. */
export async function commit() {
  const git = async (...words) => (await run('git', ['-C', ROOT, ...words])).stdout.trim();
  const changed = await git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!docs');
  return `${await git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`;
}

/** The first number with dots that a program says of itself; nothing where it is not installed. */
async function version(program, ...words) {
  const { stdout } = await run(program, words.length ? words : ['--version']).catch(() => ({ stdout: '' }));
  return stdout.match(/\d+(\.\d+)+/)?.[0];
}

/** Versions of what took part in a measurement on `storage`. */
export async function versions(storage) {
  const ours = { rustc: await version('rustc'), tenantry: await version(binary()) };
  if (storage.kind === 'sqlite') return ours;
  const [postgres] = (await storage.postgres.query('postgres', 'show server_version')).split(' ');
  return { ...ours, PostgreSQL: postgres, Redis: await version('redis-server') };
}
