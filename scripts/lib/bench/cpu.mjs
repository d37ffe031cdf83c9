// CPU time and memory of processes on this machine, from Linux's /proc.
import fs from 'node:fs';
import os from 'node:os';

const TICK = 10e6; // nanoseconds of a clock tick in /proc/PID/stat
const read = (file) => { try { return fs.readFileSync(file, 'utf8'); } catch { return ''; } };
const fields = (pid) => read(`/proc/${pid}/stat`).split(') ').at(-1).split(' ');
const tasks = (pid) => { try { return fs.readdirSync(`/proc/${pid}/task`).map(Number).sort((a, b) => a - b); } catch { return []; } };

/** Resident memory in MiB. */
export const resident = (pid) => Number(read(`/proc/${pid}/status`).match(/VmRSS:\s+(\d+)/)[1]) / 1024;

/**
 * The threads of a gateway that compute password hashes: those that its runtime starts beyond the one for each core which
 * serves requests. Ask while no hash has been computed yet; what it gives says so of a thread's id.
 */
export function hashingThreads(pid) {
  const named = (id) => read(`/proc/${pid}/task/${id}/comm`).startsWith('tokio');
  const serving = new Set(tasks(pid).filter(named).slice(0, os.availableParallelism()));
  return (id) => named(id) && !serving.has(id);
}

/** Nanoseconds of each thread of a process and its children, and of the children that have ended. */
function threads(pid, found = new Map()) {
  for (const id of tasks(pid)) found.set(id, Number(read(`/proc/${pid}/task/${id}/schedstat`).split(' ')[0]));
  found.set(`ended of ${pid}`, fields(pid).slice(13, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK, 0));
  for (const child of read(`/proc/${pid}/task/${pid}/children`).trim().split(' ')) if (child) threads(Number(child), found);
  return found;
}

/** Begins to count. What it gives says how many milliseconds each of `pids` (a name for each) spent since; `select` chooses threads. */
export function meter(pids) {
  const before = Object.entries(pids).map(([name, pid]) => [name, pid, threads(pid)]);
  return (select = () => true) => Object.fromEntries(before.map(([name, pid, then]) => {
    const spent = [...threads(pid)].filter(([id]) => select(id)).map(([id, time]) => time - (then.get(id) ?? 0));
    return [name, spent.reduce((sum, time) => sum + time, 0) / 1e6];
  }));
}
