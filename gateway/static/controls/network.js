// Whether the service can be reached. A device without a network may still reach a service on itself.

/** @returns {Promise<boolean>} */
export async function serviceReachable() {
  if (navigator.onLine) return true;
  try {
    return (await fetch('page.json', { cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}
