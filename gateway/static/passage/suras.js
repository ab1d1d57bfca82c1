// Names (Arabic, and as commonly transliterated) and numbers of verses of the 114 suras, in order.

const NAMES =
  'al-Fatiha|al-Baqara|Al Imran|an-Nisa|al-Maida|al-Anam|al-Araf|al-Anfal|at-Tawba|Yunus|Hud|Yusuf|ar-Rad|Ibrahim|' +
  'al-Hijr|an-Nahl|al-Isra|al-Kahf|Maryam|Ta Ha|al-Anbiya|al-Hajj|al-Muminun|an-Nur|al-Furqan|ash-Shuara|an-Naml|' +
  'al-Qasas|al-Ankabut|ar-Rum|Luqman|as-Sajda|al-Ahzab|Saba|Fatir|Ya Sin|as-Saffat|Sad|az-Zumar|Ghafir|Fussilat|' +
  'ash-Shura|az-Zukhruf|ad-Dukhan|al-Jathiya|al-Ahqaf|Muhammad|al-Fath|al-Hujurat|Qaf|adh-Dhariyat|at-Tur|an-Najm|' +
  'al-Qamar|ar-Rahman|al-Waqia|al-Hadid|al-Mujadala|al-Hashr|al-Mumtahana|as-Saff|al-Jumua|al-Munafiqun|' +
  'at-Taghabun|at-Talaq|at-Tahrim|al-Mulk|al-Qalam|al-Haqqa|al-Maarij|Nuh|al-Jinn|al-Muzzammil|al-Muddaththir|' +
  'al-Qiyama|al-Insan|al-Mursalat|an-Naba|an-Naziat|Abasa|at-Takwir|al-Infitar|al-Mutaffifin|al-Inshiqaq|al-Buruj|' +
  'at-Tariq|al-Ala|al-Ghashiya|al-Fajr|al-Balad|ash-Shams|al-Layl|ad-Duha|ash-Sharh|at-Tin|al-Alaq|al-Qadr|' +
  'al-Bayyina|az-Zalzala|al-Adiyat|al-Qaria|at-Takathur|al-Asr|al-Humaza|al-Fil|Quraysh|al-Maun|al-Kawthar|' +
  'al-Kafirun|an-Nasr|al-Masad|al-Ikhlas|al-Falaq|an-Nas';

const ARABIC_NAMES =
  'الفاتحة|البقرة|آل عمران|النساء|المائدة|الأنعام|الأعراف|الأنفال|التوبة|يونس|هود|يوسف|الرعد|إبراهيم|الحجر|' +
  'النحل|الإسراء|الكهف|مريم|طه|الأنبياء|الحج|المؤمنون|النور|الفرقان|الشعراء|النمل|القصص|العنكبوت|الروم|' +
  'لقمان|السجدة|الأحزاب|سبأ|فاطر|يس|الصافات|ص|الزمر|غافر|فصلت|الشورى|الزخرف|الدخان|الجاثية|الأحقاف|محمد|' +
  'الفتح|الحجرات|ق|الذاريات|الطور|النجم|القمر|الرحمن|الواقعة|الحديد|المجادلة|الحشر|الممتحنة|الصف|الجمعة|' +
  'المنافقون|التغابن|الطلاق|التحريم|الملك|القلم|الحاقة|المعارج|نوح|الجن|المزمل|المدثر|القيامة|الإنسان|' +
  'المرسلات|النبأ|النازعات|عبس|التكوير|الانفطار|المطففين|الانشقاق|البروج|الطارق|الأعلى|الغاشية|الفجر|البلد|' +
  'الشمس|الليل|الضحى|الشرح|التين|العلق|القدر|البينة|الزلزلة|العاديات|القارعة|التكاثر|العصر|الهمزة|الفيل|' +
  'قريش|الماعون|الكوثر|الكافرون|النصر|المسد|الإخلاص|الفلق|الناس';

const COUNTS =
  '7 286 200 176 120 165 206 75 129 109 123 111 43 52 99 128 111 110 98 135 112 78 118 64 77 227 93 88 69 60 34 30 ' +
  '73 54 45 83 182 88 75 85 54 53 89 59 37 35 38 29 18 45 60 49 62 55 78 96 29 22 24 13 14 11 11 18 12 12 30 52 52 ' +
  '44 28 28 20 56 40 31 50 40 46 42 29 19 36 25 22 17 19 26 30 20 15 21 11 8 8 19 5 8 8 11 11 8 3 9 5 4 7 3 6 3 5 4 5 6';

const counts = COUNTS.split(' ').map(Number);
const arabic = ARABIC_NAMES.split('|');

/** @typedef {{number: number, name: string, arabic: string, verses: number}} Sura */

/** @type {Sura[]} */
export const SURAS = NAMES.split('|').map((name, index) => ({
  number: index + 1, name, arabic: arabic[index], verses: counts[index],
}));

/** @param {number} number @returns {Sura} */
export const sura = (number) => SURAS[number - 1];
