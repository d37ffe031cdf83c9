// The chapter of docs/benchmarks.md about the number of projects, with its plots.
import fs from 'node:fs';
import path from 'node:path';
import { plot } from '../plot.mjs';
import { number, table } from './table.mjs';

const KINDS = [
  ['create', 'create'], ['cold', 'first request'], ['warm_request', 'warm request'], ['config_change', 'configuration change'], ['list', 'page of 100'], ['search', 'search'],
];
const both = ({ p50, p99 }) => `${number(p50)} / ${number(p99)}`;

function rows(measured) {
  return measured.map((row) => [
    row.projects.toLocaleString('en'), ...KINDS.map(([key]) => both(row[key])), `${Math.round(row.start_ms)} ms`, `${Math.round(row.idle_mb)} MB`,
    `${Math.round(row.warm_mb)} MB${row.warm ? ` (${row.warm.toLocaleString('en')} warm)` : ''}`,
  ]);
}

/** `storages` are the measurements with the names of what was measured; `folder` is where plots go. */
export function fleetChapter(storages, folder) {
  const parts = [`## The number of projects

\`scripts/measure-fleet\` makes projects, restarts the gateway at each number and measures with \`tenantry-load fleet\`: making a project, the first
request of a project that is not in memory, a request of one that is, a change of configuration until it is in force, a page of the list from
anywhere in it, and a search by the beginning of a ref. Milliseconds; p50 / p99 of requests sent one after the other to a gateway that does
nothing else. Latencies depend on the machine; what to look at is whether a column changes from line to line.
`];
  for (const [name, measured] of storages) {
    const file = `fleet-${measured.storage}.svg`;
    fs.writeFileSync(path.join(folder, file), plot({
      title: `Requests by number of projects, ${name}`, unit: 'ms (p50)',
      points: measured.rows.map((row) => row.projects),
      lines: KINDS.map(([key, kind]) => ({ name: kind, values: measured.rows.map((row) => row[key].p50) })),
    }));
    const header = ['projects', ...KINDS.map(([, kind]) => kind), 'start to ready', 'RSS at start', 'RSS warm'];
    parts.push(`### ${name}: number of projects\n\n${measured.machine}, commit ${measured.commit}.\n\n${table(header, rows(measured.rows))}\n\n![Requests by number of projects](benchmarks/${file})\n`);
  }
  return parts;
}
