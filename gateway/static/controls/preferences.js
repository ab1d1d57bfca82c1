// What the reciter has chosen, kept in this browser; the access key only as long as the tab.

const PREFERENCES = 'rattil.preferences';
const KEY = 'rattil.key';
const DEFAULTS = { theme: 'system', size: 'medium', language: 'browser', hesitation: false, mode: 'read', passage: '' };

/** Private windows may refuse to store: the page works without. */
function read(storage, name) {
  try {
    return storage.getItem(name);
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) storage.removeItem(name);
    else storage.setItem(name, value);
  } catch {
    // Nothing is kept then.
  }
}

function stored(storage, name) {
  try {
    return JSON.parse(read(storage, name) ?? 'null');
  } catch {
    return null;
  }
}

let current = { ...DEFAULTS, ...stored(localStorage, PREFERENCES) };

export const preferences = () => current;

/** @param {Partial<typeof DEFAULTS>} changes */
export function prefer(changes) {
  current = { ...current, ...changes };
  write(localStorage, PREFERENCES, JSON.stringify(current));
}

export const accessKey = () => read(sessionStorage, KEY) ?? '';
export const setAccessKey = (key) => write(sessionStorage, KEY, key || null);

const UNFINISHED = 'rattil.unfinished';
const RESUMABLE_MS = 9 * 60 * 1000; // the service keeps a session for ten minutes

/** What a reload needs to go on; null forgets it. */
export function keepUnfinished(saved) {
  write(sessionStorage, UNFINISHED, saved && JSON.stringify({ ...saved, at: Date.now() }));
}

/** A recitation that a reload or a crash has cut off; null if there is none. */
export function unfinished() {
  const saved = stored(sessionStorage, UNFINISHED);
  return saved && Date.now() - saved.at < RESUMABLE_MS ? saved : null;
}
