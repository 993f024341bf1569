// One HTTP call with a deadline, over connections that are kept, as a backend's client would.
import http from 'node:http';

const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });

/** {status, headers, data}; throws when there was no whole answer in time. */
export function call(method, url, { headers = {}, body, timeout_ms = 3000 } = {}) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const request = http.request(url, {
      method,
      agent,
      signal: AbortSignal.timeout(timeout_ms),
      headers: { ...headers, ...(text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }) },
    }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const raw = Buffer.concat(chunks).toString('utf8');
        try {
          resolve({ status: response.statusCode, headers: response.headers, data: raw ? JSON.parse(raw) : null });
        } catch {
          reject(new Error(`not JSON: ${raw.slice(0, 80)}`));
        }
      });
      response.on('aborted', () => reject(new Error('cut off')));
    });
    request.on('error', reject);
    request.end(text);
  });
}

export function closeConnections() {
  agent.destroy();
}
