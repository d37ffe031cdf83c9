// The real binary: built once, started on a free port, asked through its own interfaces.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, start, stop } from './processes.mjs';
import { startPostgres, startRedis, temporaryFolder } from './services.mjs';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A built program: the one its variable names, else the one that `cargo build` makes. */
function built(name, variable) {
  if (process.env[variable]) return path.resolve(process.env[variable]);
  const target = process.env.CARGO_TARGET_DIR ? path.resolve(ROOT, process.env.CARGO_TARGET_DIR) : path.join(ROOT, 'target');
  const found = path.join(target, 'debug', name);
  if (!fs.existsSync(found)) throw new Error(`${found} is missing: run \`cargo build -p ${name}\`, or name the binary in ${variable}`);
  return found;
}

/** The gateway's binary. */
export const binary = () => built('tenantry', 'TENANTRY_BINARY');

/** The load generator's binary. */
export const loadBinary = () => built('tenantry-load', 'TENANTRY_LOAD_BINARY');

/** The environment without settings of ours, so that a run means the same everywhere. */
function cleanEnvironment(extra) {
  const names = new Set(['DATABASE_URL', 'REDIS_URL', 'ACCESS_TOKEN_LIFETIME', 'SITE_URL', 'AUTH_AUTO_CONFIRM']);
  const kept = Object.entries(process.env).filter(([name]) => !names.has(name) && (!name.startsWith('TENANTRY_') || name === 'TENANTRY_BINARY') && !name.startsWith('OTEL_'));
  return { ...Object.fromEntries(kept), ...extra };
}

/** Where gateways keep their data: `sqlite`, or a fresh PostgreSQL and Redis of our own. `options` are those of `startPostgres`. */
export async function startStorage(kind, options) {
  if (kind === 'sqlite') return { kind, args: [], stop: async () => {} };
  if (kind !== 'postgres') throw new Error(`unknown storage ${kind}: sqlite or postgres`);
  const [postgres, redis] = await Promise.all([startPostgres(options), startRedis()]);
  const database = 'tenantry';
  const url = await postgres.createDatabase(database);
  return {
    kind, postgres, redis, database,
    args: ['--database-url', url, '--redis-url', redis.url],
    stop: () => Promise.all([postgres.stop(), redis.stop()]),
  };
}

/**
 * Starts `tenantry serve` and waits until it is ready. `storage` is what `startStorage` gave; `folder` a data directory
 * to go on with. Gateways that share a database share a master key: give each the same `env.TENANTRY_MASTER_KEY`.
 */
export async function startGateway({ storage = { args: [] }, args = [], env = {}, folder, listen = '127.0.0.1:0' } = {}) {
  const own = folder ? undefined : temporaryFolder('data');
  const dataDir = folder ?? path.join(own.path, 'data');
  const environment = cleanEnvironment(env);
  const child = start(binary(), ['serve', '--json', '--listen', listen, '--data-dir', dataDir, ...storage.args, ...args], {
    env: environment,
    cwd: own?.path ?? path.dirname(dataDir),
    echo: Boolean(process.env.TENANTRY_SHOW_LOG),
  });
  const ready = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(JSON.parse(text.slice(0, end)));
    });
    child.ended.then(({ code, signal }) => reject(new Error(`tenantry serve ended (${signal ?? code}):\n${child.said}`)));
  });
  const token = fs.readFileSync(ready.token_file, 'utf8').trim();
  const gateway = {
    ...ready, token, dataDir, child,
    log: () => child.said,
    /** Runs a command of the command line against this gateway. */
    cli: (...words) => run(binary(), [...words, '--url', ready.admin_url, '--token', token], { env: environment }),
    /** Calls the Management API: `[status, body]`. */
    async management(method, route, body) {
      const response = await fetch(`${ready.admin_url}${route}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      return [response.status, text ? JSON.parse(text) : undefined];
    },
    /** Creates a project through the command line, with the configuration and the further flags given. */
    async createProject({ config, flags = [] } = {}) {
      const files = temporaryFolder('project');
      try {
        const words = ['project', 'create', '--json', ...flags];
        if (config) {
          const file = path.join(files.path, 'config.json');
          fs.writeFileSync(file, JSON.stringify(config));
          words.push('--config', file);
        }
        const { code, stdout, stderr } = await gateway.cli(...words);
        if (code !== 0) throw new Error(`tenantry ${words.join(' ')}: ${stderr}`);
        return JSON.parse(stdout);
      } finally {
        files.remove();
      }
    },
    /** Ends the gateway by draining; the data directory stays where it was given. */
    async stop() {
      const end = await stop(child, 'SIGTERM');
      own?.remove();
      return end;
    },
    /** Ends the gateway without warning; the data stays. */
    kill: () => stop(child, 'SIGKILL'),
  };
  return gateway;
}
