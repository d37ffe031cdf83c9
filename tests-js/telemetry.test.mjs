// Traces reach an OpenTelemetry collector, the last ones when the gateway ends; logs are JSON where asked.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, test } from 'node:test';
import { startGateway, startStorage } from '../scripts/lib/gateway.mjs';
import { PASSWORD, STORAGE, call, newEmail, newProject } from './support.mjs';

const received = [];
const collector = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
    received.push({ path: request.url, type: request.headers['content-type'], body: Buffer.concat(chunks) });
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
});
await new Promise((resolve) => { collector.listen(0, '127.0.0.1', resolve); });
const storage = await startStorage(STORAGE);
after(async () => {
  collector.close();
  await storage.stop();
});

test(`a request is one trace from the edge over the actor to SQL [${STORAGE}]`, async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.address().port}`, TENANTRY_LOG_FORMAT: 'json' };
  const gateway = await startGateway({ storage, env });
  const project = await newProject(gateway);
  const email = newEmail();
  const [status] = await call(project, 'POST', '/signup', { body: { email, password: PASSWORD } });
  assert.equal(status, 200);
  const end = await gateway.stop();
  assert.equal(end.code, 0);

  assert.ok(received.length > 0, 'the spans were sent before the gateway ended');
  assert.ok(received.every(({ path, type }) => path === '/v1/traces' && type === 'application/x-protobuf'));
  const everything = Buffer.concat(received.map(({ body }) => body));
  const text = everything.toString('latin1');
  for (const part of ['tenantry', 'POST /p/{ref}/auth/v1/signup', 'operation', 'insert into auth.users']) assert.ok(text.includes(part), `${part} is in no trace`);
  for (const secret of [email, PASSWORD, project.jwt_secret, project.service_role_key]) assert.ok(!text.includes(secret), 'a trace holds no secret');

  const lines = gateway.log().split('\n').filter((line) => line.startsWith('{"timestamp"')).map((line) => JSON.parse(line));
  assert.ok(lines.some(({ message }) => message === 'ready'));
  assert.ok(lines.every((line) => line.level && line.target));
});
