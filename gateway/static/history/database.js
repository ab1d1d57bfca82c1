// IndexedDB, in promises. Nothing that is stored here ever leaves the browser.

const NAME = 'rattil';
const VERSION = 1;

/** @returns {Promise<IDBDatabase>} rejects where the browser keeps nothing (some private windows) */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('sittings', { keyPath: 'id', autoIncrement: true });
      request.result.createObjectStore('words', { keyPath: 'key' });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  });
}

/**
 * Run `work` in one transaction over the stores and wait until it is written.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(sittings: IDBObjectStore, words: IDBObjectStore) => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function inTransaction(mode, work) {
  const database = await open();
  try {
    const transaction = database.transaction(['sittings', 'words'], mode);
    const written = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(undefined);
      transaction.onabort = () => reject(transaction.error);
    });
    const result = await work(transaction.objectStore('sittings'), transaction.objectStore('words'));
    await written;
    return result;
  } finally {
    database.close();
  }
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
export function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
