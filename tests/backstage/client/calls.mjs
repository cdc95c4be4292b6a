// Drives the real @backstage/catalog-client: one JSON call per line in, one JSON answer per line out.
//   first line   {"baseUrl": "…/api/catalog", "token": "…"}
//   then         {"method": "getEntities", "args": [{…}], "stream": false}
//   answers      {"value": …, "missing": true if undefined, "error": {…}, "requests": [{"method", "url", "body"}]}
// {"CATALOG_FILTER_EXISTS": true} stands for the client's symbol.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const require = createRequire(process.argv[2] + '/');
const { CatalogClient, CATALOG_FILTER_EXISTS } = require('@backstage/catalog-client');

let client;
let token;
let requests = [];

async function recordingFetch(url, init) {
  requests.push({ method: init?.method ?? 'GET', url: String(url), body: init?.body });
  return await fetch(url, init);
}

function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== 'object') return value;
  if (value.CATALOG_FILTER_EXISTS === true) return CATALOG_FILTER_EXISTS;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}

async function call({ method, args, stream }) {
  // The options follow the request, which may be left out.
  const result = client[method](...(args.length ? revive(args) : [undefined]), { token });
  if (!stream) return await result;
  const pages = [];
  for await (const page of result) pages.push(page);
  return pages;
}

function told(error) {
  return {
    class: error.constructor?.name,
    name: error.body?.error?.name ?? error.name,
    message: error.message,
    statusCode: error.statusCode ?? error.response?.status,
    body: error.body,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const given = JSON.parse(line);
  let answer;
  if (given.baseUrl) {
    token = given.token;
    client = new CatalogClient({
      discoveryApi: { getBaseUrl: async () => given.baseUrl },
      fetchApi: { fetch: recordingFetch },
    });
    answer = { value: 'ready' };
  } else {
    requests = [];
    try {
      const value = await call(given);
      answer = { value: value ?? null, missing: value === undefined };
    } catch (error) {
      answer = { error: told(error) };
    }
    answer.requests = requests;
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
