// CPU time and memory of processes on this machine, from Linux's /proc.
import fs from 'node:fs';

const TICK = 10e6; // nanoseconds of a clock tick in /proc/PID/stat
const read = (file) => { try { return fs.readFileSync(file, 'utf8'); } catch { return ''; } };
const fields = (pid) => read(`/proc/${pid}/stat`).split(') ').at(-1).split(' ');
const tasks = (pid) => { try { return fs.readdirSync(`/proc/${pid}/task`).map(Number).sort((a, b) => a - b); } catch { return []; } };

const memory = (pid, name) => Number(read(`/proc/${pid}/status`).match(new RegExp(`${name}:\\s+(\\d+)`))[1]) / 1024;

/** Resident memory in MiB. */
export const resident = (pid) => memory(pid, 'VmRSS');
/** The most it ever was. */
export const peak = (pid) => memory(pid, 'VmHWM');

/** Says of the id of a thread of a gateway whether it computes password hashes. */
export const hashingThreads = (pid) => (id) => read(`/proc/${pid}/task/${id}/comm`).trim() === 'hashing';

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
