// Serves the page, supabase-js and the project's public settings. Nothing else happens here: the page talks to the gateway.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PUBLIC = fileURLToPath(new URL('./public/', import.meta.url));

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
};

/** The one file of supabase-js that a page can load by itself, out of node_modules. */
function installedLibrary() {
  const entry = createRequire(import.meta.url).resolve('@supabase/supabase-js');
  return path.join(path.dirname(entry), 'umd', 'supabase.js');
}

/**
 * Starts the server. `settings()` gives `{ url, key }`: the project's URL and its anon key, which are meant for browsers.
 * Gives `{ url, stop }`.
 */
export async function startServer({ settings, port = 3000, library = installedLibrary() }) {
  const server = http.createServer((request, response) => {
    const send = (type, body) => {
      response.writeHead(200, {
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        // The page runs its own scripts, talks to its project, and shows QR codes that came as data URLs.
        'content-security-policy': `default-src 'self'; connect-src 'self' ${new URL(settings().url).origin}; img-src data:`,
      });
      response.end(body);
    };
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/settings.json') send('application/json', JSON.stringify(settings()));
    else if (pathname === '/supabase.js') send('text/javascript; charset=utf-8', fs.readFileSync(library));
    else if (pathname in FILES) send(FILES[pathname][1], fs.readFileSync(path.join(PUBLIC, FILES[pathname][0])));
    else response.writeHead(404).end();
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, 'localhost', resolve);
  });
  return {
    url: `http://localhost:${server.address().port}`,
    stop: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { PROJECT_URL, ANON_KEY, PORT } = process.env;
  if (!PROJECT_URL || !ANON_KEY) {
    console.error('PROJECT_URL and ANON_KEY are missing: `tenantry project show REF` prints both');
    process.exit(1);
  }
  const { url } = await startServer({ settings: () => ({ url: PROJECT_URL, key: ANON_KEY }), port: Number(PORT ?? 3000) });
  console.log(`open ${url}`);
}
