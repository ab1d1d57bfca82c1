// A reference recitation, verse by verse, where the operator of the service has one.

export class Reference {
  #audio = new Audio();
  #ayah = 0;
  #last = 0;
  #surah = 0;

  /**
   * @param {string} extension of the files `reference/SSSAAA.<extension>`
   * @param {(ayah: number) => void} onVerse the verse that plays now; 0 once nothing plays
   * @param {() => void} onMissing the service has no recording of this verse
   */
  constructor(extension, onVerse, onMissing) {
    this.extension = extension;
    this.onVerse = onVerse;
    this.#audio.addEventListener('ended', () => this.#next());
    this.#audio.addEventListener('error', () => {
      if (!this.#ayah) return;
      this.stop();
      onMissing();
    });
  }

  get playing() {
    return this.#ayah > 0;
  }

  /** Play verses `ayah` to `to`. */
  play(surah, ayah, to) {
    this.#surah = surah;
    this.#last = to;
    this.#start(ayah);
  }

  stop() {
    this.#ayah = 0;
    this.#audio.pause();
    this.onVerse(0);
  }

  #next() {
    if (this.#ayah && this.#ayah < this.#last) this.#start(this.#ayah + 1);
    else this.stop();
  }

  #start(ayah) {
    this.#ayah = ayah;
    this.#audio.src = `reference/${String(this.#surah).padStart(3, '0')}${String(ayah).padStart(3, '0')}.${this.extension}`;
    // A refusal is told by the error event; an interruption by the next verse is none.
    this.#audio.play().catch(() => {});
    this.onVerse(ayah);
  }
}
