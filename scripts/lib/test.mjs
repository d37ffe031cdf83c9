// The parts of scripts/test: each runs a tool, shows what it says, and counts what passed and failed.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './gateway.mjs';
import { startPostgres, startRedis } from './services.mjs';

// Unwrapping and indexing are how a test says what it takes for granted.
const IN_TESTS = ['unwrap_used', 'expect_used', 'panic', 'indexing_slicing'].flatMap((lint) => ['-A', `clippy::${lint}`]);

const INTEROP = 'interop/Cargo.toml';

const PARTS = {
  format: ['rustfmt finds nothing to change', async () => sum([
    await check('cargo', ['fmt', '--all', '--check']),
    await check('cargo', ['fmt', '--manifest-path', INTEROP, '--check']),
  ])],
  clippy: ['clippy, strict for what ships', () => check('cargo', ['clippy', '--workspace', '--locked', '--lib', '--bins', '--', '-D', 'warnings'])],
  'clippy-tests': ['clippy for the tests', () => check('cargo', ['clippy', '--workspace', '--locked', '--all-targets', '--', '-D', 'warnings', ...IN_TESTS])],
  deny: ['cargo deny, where it is installed', deny],
  rust: ['cargo test with PostgreSQL and Redis', rust],
  interop: ['ceremonies of a passkey library, in a package outside the workspace', interop],
  build: ['the binaries for the parts below', () => check('cargo', ['test', '--workspace', '--locked', '--no-run', '--quiet'])],
  'conformance-sqlite': ['the wire conformance kit on SQLite', () => conformance('sqlite')],
  'conformance-postgres': ['the wire conformance kit on PostgreSQL and Redis', () => conformance('postgres')],
  packages: ['supabase-js as locked', () => check('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], { cwd: path.join(ROOT, 'tests-js') })],
  'js-sqlite': ['supabase-js and the command line against the binary on SQLite', () => suite('sqlite')],
  'js-postgres': ['the same on PostgreSQL and Redis, and two gateways', () => suite('postgres')],
};

/** Runs a program, shows its output, and gives `{ code, text }`. */
function show(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
        process.stdout.write(chunk);
      });
    }
    child.once('error', (error) => resolve({ code: 1, text: `${text}${error}` }));
    child.once('close', (code) => resolve({ code: code ?? 1, text }));
  });
}

/** A part that passes or fails as one. */
async function check(program, args, options) {
  const { code } = await show(program, args, options);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
}

/** What several checks of one part say together. */
function sum(counts) {
  const total = (key) => counts.reduce((all, each) => all + each[key], 0);
  return { passed: total('passed'), failed: total('failed') };
}

/** Adds up the numbers before `passed` and `failed` words; a tool that fails without saying so is one failure. */
function count({ code, text }, passedPattern, failedPattern) {
  const all = (pattern) => [...text.matchAll(pattern)].reduce((total, [, number]) => total + Number(number), 0);
  const counts = { passed: all(passedPattern), failed: all(failedPattern) };
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function deny() {
  const { code } = await show('cargo', ['deny', '--version']);
  if (code === 0) return check('cargo', ['deny', '--workspace', 'check']);
  console.log('cargo deny is not installed: licences and advisories were not checked (cargo install cargo-deny)');
  return { passed: 0, failed: 0 };
}

async function rust() {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  try {
    const env = { ...process.env, TENANTRY_TEST_POSTGRES_URL: postgres.url(), TENANTRY_TEST_REDIS_URL: redis.url };
    const ran = await show('cargo', ['test', '--workspace', '--locked', '--no-fail-fast', '--', '--include-ignored'], { env });
    return count(ran, /^test result: .* (\d+) passed;/gm, /^test result: .* (\d+) failed;/gm);
  } finally {
    await Promise.all([postgres.stop(), redis.stop()]);
  }
}

async function interop() {
  const ran = await show('cargo', ['test', '--manifest-path', INTEROP, '--locked', '--target-dir', process.env.CARGO_TARGET_DIR ?? 'target']);
  return count(ran, /^test result: .* (\d+) passed;/gm, /^test result: .* (\d+) failed;/gm);
}

async function conformance(storage) {
  const ran = await show(process.execPath, ['scripts/conformance', '--expected', '--storage', storage]);
  return count(ran, /^(\d+) passed, \d+ failed/gm, /^\d+ passed, (\d+) failed/gm);
}

async function suite(storage) {
  const folder = path.join(ROOT, 'tests-js');
  const files = fs.readdirSync(folder).filter((name) => name.endsWith('.test.mjs')).sort();
  const args = ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files];
  const ran = await show(process.execPath, args, { cwd: folder, env: { ...process.env, TENANTRY_TEST_STORAGE: storage } });
  return count(ran, /^ℹ pass (\d+)/gm, /^ℹ (?:fail|cancelled) (\d+)/gm);
}

const wanted = process.argv.slice(2);
if (wanted.some((name) => !(name in PARTS))) {
  console.log(`usage: scripts/test [PART]...\n\nWithout a part, all of them in this order:\n${
    Object.entries(PARTS).map(([name, [what]]) => `  ${name.padEnd(22)}${what}`).join('\n')}`);
  process.exit(wanted.includes('--help') ? 0 : 2);
}

const totals = [];
for (const [name, [what, part]] of Object.entries(PARTS)) {
  if (wanted.length && !wanted.includes(name)) continue;
  console.log(`\n=== ${name}: ${what}`);
  const began = Date.now();
  const counts = await part().catch((error) => {
    console.error(error);
    return { passed: 0, failed: 1 };
  });
  totals.push({ name, ...counts, seconds: Math.round((Date.now() - began) / 1000) });
}
console.log('\n=== totals');
for (const { name, passed, failed, seconds } of totals) {
  console.log(`${name.padEnd(22)} ${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed ${String(seconds).padStart(5)} s`);
}
const { passed, failed } = sum(totals);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
