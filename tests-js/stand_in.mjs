// An HTTP server of the test's own: keeps what it is sent and answers as it is told.
import http from 'node:http';

/** Starts a server; `answer({ method, path, headers, text })` gives `{ status, body }`. */
export async function startStandIn(answer = () => ({ status: 200, body: {} })) {
  const requests = [];
  const server = http.createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
    request.on('end', async () => {
      const received = { method: request.method, path: request.url, headers: request.headers, text };
      requests.push(received);
      const { status = 200, body = {}, headers = {} } = await answer(received);
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    stop: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

/** The key with which the hooks of `hooked` are signed. */
export const HOOK_SECRET = 'dGhlIGtleSBvZiB0aGUgaG9va3Mgb2YgdGhpcyB0ZXN0ISE=';

/** Settings that send these hooks of a project to a stand-in, each to the path of its name. */
export const hooked = (standIn, ...names) => Object.fromEntries(names.flatMap((name) => [
  [`hook_${name}_enabled`, true],
  [`hook_${name}_uri`, `${standIn.url}/${name}`],
  [`hook_${name}_secrets`, `v1,whsec_${HOOK_SECRET}`],
]));

/** What a stand-in was told through a hook, oldest first. */
export const payloads = (standIn, name) => standIn.requests.filter(({ path }) => path === `/${name}`).map(({ text }) => JSON.parse(text));
