// Flame graphs of the gateway under load: where it spends its CPU time. Takes Linux's perf.
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startGateway, startStorage } from '../gateway.mjs';
import { ONLY_REFRESH, load } from '../load.mjs';
import { run } from '../processes.mjs';
import { temporaryFolder } from '../services.mjs';

const CLIENTS = 64;
const SECONDS = 6;
/** How long the load takes to make its users, sign them in and warm up. */
const BEFORE = 3;
/** What is narrower tells nothing: a share of all. */
const LEAST = 0.003;
const [WIDTH, LINE, TOP] = [1200, 16, 22];

/** What is drawn: file, name, scenario and its options. */
export const FLAMES = [
  ['flame-user.svg', 'GET /user', 'user-read', {}],
  ['flame-refresh.svg', 'refresh', 'sign-in-and-refresh', ONLY_REFRESH],
];

/** Draws each with `write(file, svg)`. */
export async function drawFlames(say, write) {
  const storage = await startStorage('postgres', { durable: true });
  const gateway = await startGateway({ storage, env: { RUST_LOG: 'warn' } });
  try {
    for (const [file, name, scenario, more] of FLAMES) {
      say(`flame graph of ${name}`);
      const project = await gateway.createProject({ config: { mailer_autoconfirm: true, rate_limit_token_refresh: 1e9 } });
      const loading = load(scenario, { projects: [project], clients: CLIENTS, seconds: BEFORE + SECONDS, ...more });
      await pause(BEFORE * 1000);
      const samples = await record(gateway.child.pid);
      await loading;
      write(file, svg(`${name}, ${CLIENTS} clients, PostgreSQL and Redis: where the gateway spends its CPU time`, tree(samples)));
    }
  } finally {
    await gateway.stop();
    await storage.stop();
  }
}

/** Stacks of a process, outermost frame first. */
async function record(pid) {
  const folder = temporaryFolder('perf');
  const data = path.join(folder.path, 'data');
  const must = async (...words) => {
    const { code, stdout, stderr } = await run('perf', words, { cwd: folder.path });
    if (code !== 0) throw new Error(`perf ${words[0]}: ${stderr}`);
    return stdout;
  };
  await must('record', '-q', '-e', 'cpu-clock', '-F', '199', '--call-graph', 'dwarf,65528', '-p', String(pid), '-o', data, '--', 'sleep', String(SECONDS));
  const text = await must('script', '-i', data, '-F', 'ip,sym');
  folder.remove();
  const frame = (line) => line.trim().replace(/^[0-9a-f]+ /, '').replace(/::h[0-9a-f]{16}$/, '');
  return text.split('\n\n').map((stack) => stack.split('\n').filter((line) => line.trim()).map(frame).reverse()).filter((stack) => stack.length > 0);
}

function tree(stacks) {
  const root = { name: 'all', count: 0, inner: new Map() };
  for (const stack of stacks) {
    let at = root;
    at.count += 1;
    for (const name of stack) {
      if (!at.inner.has(name)) at.inner.set(name, { name, count: 0, inner: new Map() });
      at = at.inner.get(name);
      at.count += 1;
    }
  }
  return root;
}

const escape = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
/** A warm colour that a name always gets. */
function colour(name) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 997;
  return `rgb(${225 + (hash % 30)},${150 + (hash % 80)},${70 + (hash % 50)})`;
}

/** The tree as a picture: width is time, the outermost frame at the bottom. */
function svg(title, root) {
  const boxes = [];
  let deepest = 0;
  const place = (node, left, depth) => {
    if (node.count < root.count * LEAST) return;
    deepest = Math.max(deepest, depth);
    boxes.push({ node, left, depth });
    let at = left;
    for (const inner of [...node.inner.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      place(inner, at, depth + 1);
      at += inner.count;
    }
  };
  place(root, 0, 0);
  const height = TOP + (deepest + 1) * LINE + 4;
  const drawn = boxes.map(({ node, left, depth }) => {
    const [x, width] = [left, node.count].map((count) => (count / root.count) * WIDTH);
    const y = height - 4 - (depth + 1) * LINE;
    const letters = Math.floor((width - 4) / 6);
    const label = letters > 3 ? `<text x="${(x + 2).toFixed(1)}" y="${y + 11}">${escape(node.name.slice(0, letters))}</text>` : '';
    return `<g><title>${escape(node.name)} ${((node.count / root.count) * 100).toFixed(1)} %</title><rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(width - 0.3, 0.2).toFixed(1)}" height="${LINE - 1}" fill="${colour(node.name)}"/>${label}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10"><rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="8" y="14" font-size="13">${escape(title)}</text>${drawn.join('\n')}</svg>\n`;
}
