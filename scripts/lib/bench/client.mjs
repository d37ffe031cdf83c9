// Requests one after the other or side by side, for what is measured too seldom or too slowly to need a load generator.
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** The value below which a share of `numbers` lies; they must be sorted. */
export const percentile = (numbers, share) => numbers[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];

/** Requests to a project over kept connections, as many as ask at once. Gives status and body. */
export function client(url) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
  return {
    close: () => agent.destroy(),
    call: (method, path, { token, body } = {}) => new Promise((resolve, reject) => {
      const text = body && JSON.stringify(body);
      const headers = { ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...(token && { authorization: `Bearer ${token}` }) };
      const request = http.request(`${url}/auth/v1${path}`, { agent, method, headers }, (response) => {
        let said = '';
        response.setEncoding('utf8').on('data', (part) => { said += part; }).on('end', () => resolve([response.statusCode, said]));
      });
      request.on('error', reject).end(text);
    }),
  };
}

/** Takes `rate` steps a second for so many seconds, evenly, whether or not the ones before are done; gives how many. */
export async function driveAt(rate, seconds, step) {
  const steps = [];
  const began = performance.now();
  for (let turn = 0; turn < rate * seconds; turn += 1) {
    await pause(began + (turn * 1000) / rate - performance.now());
    steps.push(step(turn));
  }
  await Promise.all(steps);
  return steps.length;
}

/** Lets `clients` take step after step for so many seconds; each step is `step(client, turn)` and gives a status. */
export async function drive(clients, seconds, step) {
  const latencies = [];
  let errors = 0;
  const began = performance.now();
  const end = began + seconds * 1000;
  await Promise.all(Array.from({ length: clients }, async (_, mine) => {
    for (let turn = 0; performance.now() < end; turn += 1) {
      const sent = performance.now();
      if (await step(mine, turn) >= 300) errors += 1;
      latencies.push(performance.now() - sent);
    }
  }));
  latencies.sort((a, b) => a - b);
  const took = (performance.now() - began) / 1000;
  return { requests: latencies.length, errors, rate: latencies.length / took, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}
