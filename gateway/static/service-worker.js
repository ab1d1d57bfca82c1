// Keeps the page, its fonts and the text that was read, so that all of it opens without a network.
// Files of one version are kept together: a new page never meets an old script.

const PAGE = 'rattil-page-';
const TEXT = 'rattil-text';

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(activate()));
self.addEventListener('fetch', (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== 'GET' || address.origin !== location.origin) return;
  if (event.request.mode === 'navigate') event.respondWith(fromPage(new Request('./'), event));
  else if (isText(address)) event.respondWith(fromText(event.request));
  else event.respondWith(fromPage(event.request));
});

const isText = ({ pathname }) => pathname.startsWith(new URL('verses/', registration.scope).pathname);

async function latest() {
  const answer = await fetch('page.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`page.json: ${answer.status}`);
  return answer.json();
}

async function install() {
  await fetchVersion(await latest());
  await self.skipWaiting();
}

async function fetchVersion({ version, files }) {
  const name = PAGE + version;
  if (await caches.has(name)) return false;
  const cache = await caches.open(name);
  try {
    await cache.addAll(files.map((file) => new Request(file, { cache: 'no-cache' })));
  } catch (error) {
    await caches.delete(name);
    throw error;
  }
  return true;
}

/** The newest whole version; older ones go. */
async function keepOnly(version) {
  for (const name of await caches.keys()) {
    if (name.startsWith(PAGE) && name !== PAGE + version) await caches.delete(name);
  }
}

async function activate() {
  await self.clients.claim();
}

/** From the kept version; what is not in it comes from the network. */
async function fromPage(request, navigation = null) {
  const names = (await caches.keys()).filter((name) => name.startsWith(PAGE));
  const kept = names.length ? await (await caches.open(names.at(-1))).match(request, { ignoreSearch: true }) : null;
  if (navigation) navigation.waitUntil(update());
  return kept ?? fetch(navigation ? navigation.request : request);
}

/** After each visit: a new version is fetched whole, and shown from the next visit on. */
async function update() {
  try {
    const newest = await latest();
    if (await fetchVersion(newest)) await keepOnly(newest.version);
  } catch {
    // No network, or half a deployment: the kept version stays.
  }
}

/** The text never changes: kept once, it is not asked for again. */
async function fromText(request) {
  const cache = await caches.open(TEXT);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}
