// Choosing a passage: by sura, juz or page of the print.

import { counted, language, number, onLanguage, readNumber, say, text, verseNumbers } from '../language/language.js';
import { JUZ_COUNT, PAGE_COUNT, juzParts, pageOf, pageParts } from '../passage/divisions.js';
import { samePassage } from '../passage/passage.js';
import { SURAS, sura } from '../passage/suras.js';
import { $, element } from './dom.js';
import { closeSheet, openSheet } from './sheets.js';

/** @typedef {import('../passage/passage.js').Passage} Passage */

/** A passage in the page's language, as in "an-Naba 78:1–40". @param {Passage} passage */
export function passageName({ surah, ayah, to }) {
  return text('passage.title', { sura: suraName(surah), verses: verseNumbers(surah, ayah, to) });
}

/** @param {number} surah */
export function suraName(surah) {
  return language() === 'ar' ? sura(surah).arabic : sura(surah).name;
}

export class Chooser {
  /** @type {Passage} */
  #passage = { surah: 1, ayah: 1, to: 7 };

  /** @param {(passage: Passage) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    for (const input of document.querySelectorAll('input[name="division"]')) {
      input.addEventListener('change', () => this.#divide());
    }
    $('search').addEventListener('input', () => this.#draw());
    $('division-number').addEventListener('input', () => this.#draw());
    for (const id of ['from', 'to']) $(id).addEventListener('change', () => this.#limit());
    const more = () => this.#sayMore();
    $('choices').addEventListener('scroll', more, { passive: true });
    new ResizeObserver(more).observe($('choices'));
    $('whole').addEventListener('click', () => this.#take(wholeSura(this.#passage.surah)));
    $('range').addEventListener('submit', (event) => this.#submit(event));
    onLanguage(() => $('chooser').open && this.#draw());
  }

  /** @param {Passage} passage */
  open(passage) {
    this.#passage = passage;
    $('search').value = '';
    this.#divide();
    openSheet('chooser');
    const chosen = $('choices').querySelector('[aria-pressed="true"]');
    if (!chosen) return;
    // The list moves, not the sheet: to about its middle, with a whole row on top.
    const rowsAbove = Math.floor(($('choices').clientHeight / chosen.offsetHeight - 1) / 2);
    $('choices').scrollTop = chosen.offsetTop - rowsAbove * chosen.offsetHeight;
  }

  get #division() {
    return document.querySelector('input[name="division"]:checked').value;
  }

  #divide() {
    const division = this.#division;
    const { surah, ayah } = this.#passage;
    if (division === 'page') $('division-number').value = number(pageOf(surah, ayah));
    if (division === 'juz') {
      const juz = range(JUZ_COUNT).find((place) => juzParts(place).some((part) => holds(part, surah, ayah)));
      $('division-number').value = number(juz);
    }
    $('search-field').hidden = division !== 'sura';
    $('number-field').hidden = division === 'sura';
    this.#draw();
  }

  #draw() {
    const division = this.#division;
    if (division === 'sura') this.#drawSuras();
    else this.#drawParts(division);
    this.#drawRange();
    this.#sayMore();
  }

  /** Whether the list goes on below its edge. */
  #sayMore() {
    const list = $('choices');
    list.toggleAttribute('data-more', list.scrollTop + list.clientHeight < list.scrollHeight - 1);
  }

  #drawSuras() {
    const wanted = plain($('search').value);
    const found = SURAS.filter(({ number: place, name, arabic }) => (
      !wanted || String(place) === wanted || plain(name).includes(wanted) || plain(arabic).includes(wanted)
    ));
    $('choices').replaceChildren(...found.map(({ number: surah, verses }) => this.#choice(
      wholeSura(surah), counted('passage.verses', verses), surah === this.#passage.surah,
    )));
    if (!found.length) $('choices').append(element('li', {}, element('p', {}, text('passage.none'))));
  }

  #drawParts(division) {
    const most = division === 'juz' ? JUZ_COUNT : PAGE_COUNT;
    say($('number-name'), 'passage.number', { most });
    const chosen = Math.min(most, Math.max(1, readNumber($('division-number').value)));
    const parts = division === 'juz' ? juzParts(chosen) : pageParts(chosen);
    $('choices').replaceChildren(...parts.map((part) => this.#choice(
      part, text('passage.part', { from: part.ayah, to: part.to }), samePassage(part, this.#passage),
    )));
  }

  #choice(passage, about, pressed) {
    const { surah } = passage;
    const button = element(
      'button', { type: 'button', 'aria-pressed': String(pressed) },
      element('span', { class: 'place' }, number(surah)),
      element('span', { class: 'arabic', lang: 'ar', dir: 'rtl' }, sura(surah).arabic),
      element('span', { class: 'name' }, ...(language() === 'ar' ? [] : [sura(surah).name]), element('span', { class: 'about' }, about)),
    );
    button.addEventListener('click', () => this.#take(passage));
    return element('li', {}, button);
  }

  #take(passage) {
    this.#passage = passage;
    this.#draw();
  }

  #drawRange() {
    const { surah, ayah, to } = this.#passage;
    say($('range-sura'), 'passage.title', { sura: suraName(surah), verses: number(surah) });
    $('from').value = number(ayah);
    $('to').value = number(to);
  }

  #limit() {
    const { surah } = this.#passage;
    const within = (value) => Math.min(sura(surah).verses, Math.max(1, readNumber(value)));
    const ayah = within($('from').value);
    this.#passage = { surah, ayah, to: Math.max(ayah, within($('to').value)) };
    this.#drawRange();
  }

  #submit(event) {
    event.preventDefault();
    this.#limit();
    closeSheet('chooser');
    this.onChoose(this.#passage);
  }
}

const ARABIC_DIGITS = '٠١٢٣٤٥٦٧٨٩';
const range = (count) => Array.from({ length: count }, (_, index) => index + 1);
const wholeSura = (surah) => ({ surah, ayah: 1, to: sura(surah).verses });
const holds = (part, surah, ayah) => part.surah === surah && part.ayah <= ayah && ayah <= part.to;

/** For searching: without hamza seats, hyphens and case, in one kind of digits. */
function plain(name) {
  const digits = name.trim().replace(/[٠-٩]/g, (digit) => String(ARABIC_DIGITS.indexOf(digit)));
  return digits.toLowerCase().replace(/[أإآ]/g, 'ا').replace(/ة/g, 'ه').replace(/ى/g, 'ي').replace(/[-’'\s]/g, '');
}
