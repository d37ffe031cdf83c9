// Child processes that never outlive this one, and free ports for them.
import { spawn } from 'node:child_process';
import net from 'node:net';

const running = new Set();

/** Starts a program. Its output is kept (last 64 KiB) in `child.said`; with `echo` it is also shown on stderr. */
export function start(program, args, { echo = false, ...options } = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      child.said = (child.said + text).slice(-65536);
      if (echo) process.stderr.write(text);
    });
  }
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => { child.said += `${error}\n`; resolve({ code: null, error }); });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  running.add(child);
  child.ended.then(() => running.delete(child));
  return child;
}

/** Sends `signal` and waits for the end; kills when that takes longer than `patience` ms. */
export async function stop(child, signal = 'SIGTERM', patience = 20000) {
  if (child.exitCode !== null || child.signalCode !== null) return child.ended;
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  const end = await child.ended;
  clearTimeout(timer);
  return end;
}

/** Runs a program to its end and gives what it printed. */
export async function run(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  const code = await new Promise((resolve, reject) => { child.once('error', reject); child.once('close', resolve); });
  return { code, stdout, stderr };
}

/** A TCP port of the loopback interface that nobody listens on now: `wanted`, or any. */
export function freePort(wanted = 0) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Whether nobody listens on a TCP port of the loopback interface. */
export const isFree = (port) => freePort(port).then(() => true, () => false);

/** Waits until `probe` gives something true; throws with `what` after `patience` ms. */
export async function until(what, probe, patience = 30000, every = 50) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await Promise.resolve().then(probe).catch(() => false);
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${patience / 1000} s`);
    await new Promise((resolve) => { setTimeout(resolve, every); });
  }
}

process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
