// Several gateways over one PostgreSQL and one Redis, and clients that go to any of them.
import crypto from 'node:crypto';
import path from 'node:path';
import { startGateway, startStorage } from '../scripts/lib/gateway.mjs';
import { freePort } from '../scripts/lib/processes.mjs';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { call } from './support.mjs';

/** Starts `count` gateways. Each keeps its address over its restarts. */
export async function startFleet(count) {
  const storage = await startStorage('postgres');
  const folder = temporaryFolder('fleet');
  const env = { TENANTRY_MASTER_KEY: crypto.randomBytes(32).toString('base64url') };
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const external = `http://127.0.0.1:${ports[0]}`;
  const begin = (i) => startGateway({
    storage, env, folder: path.join(folder.path, String(i)), listen: `127.0.0.1:${ports[i]}`, args: ['--external-url', external],
  });
  const gateways = [await begin(0)];
  gateways.push(...await Promise.all(ports.slice(1).map((_, i) => begin(i + 1))));
  return {
    storage, gateways,
    /** A project's address at one gateway. */
    at: (project, i) => `http://127.0.0.1:${ports[i]}/p/${project.ref}`,
    start: async (i) => { gateways[i] = await begin(i); },
    kill: (i) => gateways[i].kill(),
    drain: (i) => gateways[i].stop(),
    async stop() {
      await Promise.all(gateways.map((gateway) => gateway.stop()));
      await storage.stop();
      folder.remove();
    },
  };
}

/** A request to one gateway: `{ status, body, headers }`, with the status 0 where the connection broke: nobody knows what became of it. */
export async function ask(fleet, project, i, method, route, options = {}) {
  try {
    const [status, body, headers] = await call(project, method, route, { url: fleet.at(project, i), ...options });
    return { status, body, headers };
  } catch (error) {
    return { status: 0, error };
  }
}

/** Whether an answer says no more than that this gateway cannot answer now. */
export const isTemporary = ({ status }) => status === 0 || status === 502 || status === 503 || status === 504;

/** Asks one gateway after the other, beginning with any, until one answers: what a load balancer or a client does that tries again. */
export async function askAny(fleet, project, method, route, options = {}, patience = 30000) {
  const end = Date.now() + patience;
  let at = crypto.randomInt(fleet.gateways.length);
  for (let tries = 1; ; tries += 1) {
    const answer = await ask(fleet, project, at, method, route, options);
    if (!isTemporary(answer) || Date.now() > end) return { ...answer, tries };
    at = (at + 1) % fleet.gateways.length;
    // A client waits a little when everybody has refused it.
    if (tries % fleet.gateways.length === 0) await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

/** Runs `workers` loops of `step` until `stop()`, which gives what any of them threw. */
export function load(workers, step) {
  let running = true;
  const loops = Array.from({ length: workers }, async () => { while (running) await step(); });
  const failed = Promise.all(loops.map((loop) => loop.catch((error) => error))).then((ends) => ends.filter(Boolean));
  return { stop: async () => { running = false; return failed; } };
}
