// What the load balancer and nginx are in front of the Shop: paths, headers, files.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as call } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const APP = fileURLToPath(new URL('..', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** The headers that nginx.conf adds to every answer, so that the browser holds the page to them. */
function headersOfNginx() {
  const lines = readFileSync(join(APP, 'nginx.conf'), 'utf8').matchAll(/add_header (\S+) (?:"([^"]*)"|(\S+)) always;/g);
  return Object.fromEntries([...lines].map(([, name, quoted, bare]) => [name, quoted ?? bare]).filter(([, value]) => !value.startsWith('$')));
}

/** Serves dist/ under /shop/ and the services under /api/product and /api/order: `{url, close}`. */
export async function frontDoor(services) {
  const headers = headersOfNginx();
  const server = createServer((incoming, outgoing) => {
    const { pathname } = new URL(incoming.url, 'http://here');
    const service = Object.keys(services).find((prefix) => pathname.startsWith(`${prefix}/`));
    if (service) {
      const onward = call(services[service] + incoming.url, { method: incoming.method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.writeHead(502).end());
      incoming.pipe(onward);
      return;
    }
    try {
      if (!pathname.startsWith('/shop/')) throw new Error('not of the Shop');
      const file = pathname === '/shop/' ? 'index.html' : normalize(pathname.slice('/shop/'.length));
      const body = readFileSync(join(APP, 'dist', file));
      outgoing.writeHead(200, { ...headers, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(body);
    } catch {
      outgoing.writeHead(404, headers).end();
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    headers,
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => { server.closeAllConnections(); server.close(); },
  };
}
