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
