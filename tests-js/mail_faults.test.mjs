// Mail is never lost: servers that are away, and a gateway that dies between commit and delivery.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { startGateway, startStorage } from '../scripts/lib/gateway.mjs';
import { freePort, until } from '../scripts/lib/processes.mjs';
import { temporaryFolder } from '../scripts/lib/services.mjs';
import { PASSWORD, STORAGE, call, newEmail, newProject } from './support.mjs';

const storage = await startStorage(STORAGE);
const folder = temporaryFolder('mail-faults');
const dataDir = path.join(folder.path, 'data');
let gateway = await startGateway({ storage, folder: dataDir });
after(async () => {
  await gateway.stop();
  await storage.stop();
  folder.remove();
});

/** An SMTP server that keeps what it takes: `{ to, id }` of each mail. */
async function startSmtp(port) {
  const mails = [];
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let buffer = '';
    let to;
    let data = null;
    socket.write('220 ready\r\n');
    socket.setEncoding('utf8').on('data', (chunk) => {
      buffer += chunk;
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        if (data !== null) {
          if (line !== '.') { data += `${line}\n`; continue; }
          mails.push({ to, id: data.match(/^Message-ID: (.*)$/mi)[1] });
          data = null;
          socket.write('250 taken\r\n');
        } else if (/^EHLO/i.test(line)) socket.write('250 hello\r\n');
        else if (/^RCPT TO:<(.*)>/i.test(line)) { to = line.match(/<(.*)>/)[1]; socket.write('250 ok\r\n'); }
        else if (/^DATA/i.test(line)) { data = ''; socket.write('354 go on\r\n'); }
        else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  });
  await new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });
  return {
    mails,
    stop: () => new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(resolve);
    }),
  };
}

test(`an SMTP server that was away, and a gateway killed meanwhile: every mail arrives under one id [${STORAGE}]`, async () => {
  const port = await freePort();
  const project = await newProject(gateway, { mailer_autoconfirm: false, smtp_host: '127.0.0.1', smtp_port: String(port), smtp_admin_email: 'auth@example.com' });
  const here = () => ({ url: `${gateway.url}/p/${project.ref}` });
  const emails = Array.from({ length: 12 }, newEmail);
  for (const email of emails) {
    const [status] = await call(project, 'POST', '/signup', { body: { email, password: PASSWORD }, ...here() });
    assert.equal(status, 200, 'a server that is away delays the mail, not the request');
  }
  await gateway.kill();
  const smtp = await startSmtp(port);
  gateway = await startGateway({ storage, folder: dataDir });
  await until('all mails', () => new Set(smtp.mails.map(({ to }) => to)).size === emails.length, 180000);
  for (const email of emails) {
    const ids = new Set(smtp.mails.filter(({ to }) => to === email).map(({ id }) => id));
    assert.equal(ids.size, 1, `mail to ${email} has one id however often it was sent`);
  }
  await smtp.stop();
});
