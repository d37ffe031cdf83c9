// The load generator as scripts use it: what it is told, and what is read out of its answers.
import fs from 'node:fs';
import path from 'node:path';
import { loadBinary } from './gateway.mjs';
import { run } from './processes.mjs';
import { temporaryFolder } from './services.mjs';

const figures = ({ requests, errors, throughput, latency_ms: { p50, p99 } }) => ({ requests, errors, rate: throughput, p50, p99 });

/** Makes of `sign-in-and-refresh` a scenario of refreshes. */
export const ONLY_REFRESH = { options: { 'sign-in-share': 0, 'user-read-share': 0 } };

/** A scenario of a single step, `settings` or another one that scenarios of files can have: its file, which goes with this process. */
export function only(step) {
  const file = path.join(temporaryFolder('scenario').path, `${step}.toml`);
  fs.writeFileSync(file, `name = "${step}"\nsteps = [{ do = "${step}" }]\n`);
  return file;
}

/**
 * Runs a scenario (a name, or a file with one) against projects and gives requests, errors, rate and latencies of all requests, the
 * same of each of its `operations`, and in `cpu` the milliseconds a request that each process of `pids` (a name for each) spent.
 */
export async function load(scenario, { projects, clients, users, rate, seconds, warmUp = 1, pids = {}, options = {} }) {
  const words = ['run', scenario, '--json', '--no-report', '--clients', clients, '--duration', seconds, '--warm-up', warmUp];
  for (const project of projects) words.push('--url', project.url, '--key', project.service_role_key, '--anon-key', project.anon_key);
  if (users) words.push('--users', users);
  if (rate) words.push('--rate', rate);
  for (const pid of Object.values(pids)) words.push('--pid', pid);
  for (const [name, value] of Object.entries(options)) words.push('--option', `${name}=${value}`);
  const { code, stdout, stderr } = await run(loadBinary(), words.map(String));
  if (code !== 0) throw new Error(`tenantry-load run ${scenario}: ${stderr || stdout}`);
  const [measured] = JSON.parse(stdout).runs;
  const spent = (pid) => measured.processes.find((each) => each.pid === pid).cpu_ms_per_request;
  return {
    ...figures(measured),
    operations: Object.fromEntries(measured.operations.map((each) => [each.operation, figures(each)])),
    cpu: Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, spent(pid)])),
  };
}
