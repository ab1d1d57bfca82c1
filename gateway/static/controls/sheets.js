// Sheets: dialogs that close by their button, by Escape, and by a touch beside them.

import { $ } from './dom.js';

export function prepareSheets() {
  for (const sheet of document.querySelectorAll('dialog.sheet')) {
    sheet.addEventListener('click', (event) => {
      if (event.target === sheet || event.target.closest('[data-close]')) sheet.close();
    });
  }
}

/** @param {string} id */
export function openSheet(id) {
  const sheet = $(id);
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
}

/** @param {string} id */
export const closeSheet = (id) => $(id).close();
