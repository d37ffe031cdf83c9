// The benchmarks below `benches/`, run and read.
import { ROOT } from '../gateway.mjs';
import { run } from '../processes.mjs';
import { commit, machine } from './machine.mjs';

const CRATES = ['crypto', 'domain', 'actors'];
const UNITS = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };

/** Rows of the table that divan prints: `├─ name   fastest │ slowest │ median │ mean │ ...`, of which those with arguments are indented below a name. */
export function rowsOf(text) {
  const rows = [];
  let group = '';
  for (const line of text.split('\n')) {
    const found = line.match(/^(│ {2}| {3})?[├╰]─ (\S+)\s+(.*)$/);
    if (!found) continue;
    const [, inner, name, rest] = found;
    const [, , median] = [...rest.matchAll(/([\d.]+) (ns|µs|ms|s)\b/g)].map(([, number, unit]) => Number(number) * UNITS[unit]);
    if (!inner) group = name;
    if (median !== undefined) rows.push({ name: inner ? `${group} ${name}` : name, median_ns: median });
  }
  return rows;
}

/** Builds and runs all of them; `say` is told what comes next. */
export async function measureMicro(say) {
  const crates = [];
  for (const crate of CRATES) {
    say(`benches of ${crate}`);
    const { code, stdout, stderr } = await run('cargo', ['bench', '--locked', '--workspace', '--bench', crate, '--', '--min-time', '0.2'], { cwd: ROOT });
    if (code !== 0) throw new Error(stderr);
    crates.push({ crate, rows: rowsOf(stdout) });
  }
  return { machine: machine(), commit: await commit(), crates };
}
