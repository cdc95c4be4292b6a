// Drives Backstage's real clients: one JSON call per line in, one JSON answer per line out.
//   first line   {"baseUrl": "…/api/catalog", "token": "…", "api": "catalog" or "scaffolder"}
//   then         {"method": "getEntities", "args": [{…}], "stream": false}
//   answers      {"value": …, "missing": true if undefined, "error": {…}, "requests": [{"method", "url", "body"}]}
// {"CATALOG_FILTER_EXISTS": true} stands for the catalog client's symbol. With "stream" the answer is the list of
// everything that came until the end: pages of an async iterator, events of an observable.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(process.argv[2] + '/');
const { CatalogClient, CATALOG_FILTER_EXISTS } = require('@backstage/catalog-client');
// By its file: the package's index loads @backstage/integration, which no call needs.
const { ScaffolderClient } = require(
  join(process.argv[2], 'node_modules/@backstage/plugin-scaffolder-common/dist/ScaffolderClient.cjs.js'),
);

// The library that reads event streams expects a browser's names.
globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {}, hidden: false };

let client;
let token;
let requests = [];

async function recordingFetch(url, init) {
  requests.push({ method: init?.method ?? 'GET', url: String(url), body: init?.body });
  return await fetch(url, init);
}

// Backstage's own fetch API adds the token of who is signed in.
async function signedFetch(url, init) {
  const headers = new Headers(init?.headers);
  headers.set('Authorization', `Bearer ${token}`);
  return await recordingFetch(url, { ...init, headers });
}

function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== 'object') return value;
  if (value.CATALOG_FILTER_EXISTS === true) return CATALOG_FILTER_EXISTS;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}

function observed(observable) {
  return new Promise((resolve, reject) => {
    const events = [];
    observable.subscribe({ next: event => events.push(event), error: reject, complete: () => resolve(events) });
  });
}

async function call({ method, args, stream }) {
  // The options follow the request, which may be left out.
  const result = client[method](...(args.length ? revive(args) : [undefined]), { token });
  if (!stream) return await result;
  if (typeof result.subscribe === 'function') return await observed(result);
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

function made({ api, baseUrl, user, polling }) {
  const discoveryApi = { getBaseUrl: async () => baseUrl };
  if (api !== 'scaffolder') return new CatalogClient({ discoveryApi, fetchApi: { fetch: recordingFetch } });
  return new ScaffolderClient({
    discoveryApi,
    fetchApi: { fetch: signedFetch },
    identityApi: { getBackstageIdentity: async () => ({ userEntityRef: user }) },
    useLongPollingLogs: polling,
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const given = JSON.parse(line);
  let answer;
  if (given.baseUrl) {
    token = given.token;
    client = made(given);
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
