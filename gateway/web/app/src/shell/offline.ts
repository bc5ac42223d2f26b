/** Keep the app's own files in this browser, so that it opens without a network (src/worker.js). */
export async function keepForOffline(): Promise<void> {
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  await navigator.serviceWorker.register("/worker.js");
  const { active } = await navigator.serviceWorker.ready;
  // What this page has loaded before there was a worker to keep it.
  const loaded = performance.getEntriesByType("resource").map((entry) => new URL(entry.name));
  const own = loaded.filter((url) => url.origin === location.origin && url.pathname.startsWith("/assets/"));
  active?.postMessage(own.map((url) => url.pathname));
}
