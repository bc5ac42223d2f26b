// The service worker: keeps the app's own files, so that it opens in a tunnel. It never sees, keeps
// or answers anything of the API; nobody's data are in its cache.
const CACHE = "unionhall-__VERSION__";
const SHELL = [/* __SHELL__ */];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

/** Paths that a page has loaded before it had a worker. */
self.addEventListener("message", (event) => {
  event.waitUntil(Promise.all(event.data.map((path) => asset(new Request(path)))));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(asset(request));
});

/** The newest page, or the kept one without a network: every room is the same page. */
async function page(request) {
  try {
    return await fetch(request);
  } catch (offline) {
    if (/^\/(graphql|healthz|readyz|metrics)/.test(new URL(request.url).pathname)) throw offline;
    return (await caches.match("/")) ?? Response.error();
  }
}

/** Names change with content, so what is kept is right for ever. */
async function asset(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const fresh = await fetch(request);
  if (fresh.ok) await (await caches.open(CACHE)).put(request, fresh.clone());
  return fresh;
}
