"""The numbers used in judging, each with its reason. Frozen: a session keeps its policy for life."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shared.recitation.alignment.reference_units import MoveCosts

WORD_MOVES = MoveCosts(back=100, back_per_word=0, skip_cap=540, inside=0)
"""Text engines, in hundredths: jump back 1.0, skip 0.9 a word up to 6 (DESIGN §6)."""
WORD_SKIP = 90
WORD_ENTER = 180
"""Surcharge for skipping into the middle of an optional formula: its words are common ones."""
WORD_EXTRA = 120
"""An extra word must cost more than a skipped one, or the word after a skip is called extra."""
WORD_WRONG = 200
"""A wholly different word; similarity takes its share off."""

SOUND_MOVES = MoveCosts(back=180, back_per_word=10, skip_cap=350, inside=10)
"""Phoneme engines: the same moves, scaled to words of about five sounds. With a high cap the aligner does
not follow over a left-out verse, as half of an unknown voice's sounds fit anywhere (docs/models.md)."""
SOUND_ENTER = 400
SOUND_SKIP = 100
SOUND_SKIP_PER_SOUND = 15
"""Leaving a word of n sounds out: 1.0 + 0.15 n, or what its own sounds cost if that is less."""


@dataclass(frozen=True, slots=True)
class SoundGrading:
    """Thresholds on a word's error: the share of its sounds' weight that was heard differently, 0-1."""

    minor_error: float = 0.30
    """One clear error in a word of two consonants (0.36), not in one of three (0.24-0.26): recognisers
    miss a sound now and then, and a false alarm costs more trust than a miss."""
    wrong_error: float = 0.42
    """The least error that makes a word wrong, however long."""
    wrong_spread: float = 0.9
    """A word that weighs w consonants is wrong from an error of `wrong_spread` / sqrt(w) on: the error of a
    word said correctly is a mean over its sounds, so it scatters with their number. 0.76 for ma: (m a:), 0.54
    for three consonants, 0.42 from eight sounds on: one in two hundred of the correct words of two voices
    never trained on is above it. A flat 0.58 would be too low for short words and too high for long ones."""
    wrong_consonants: float = 0.45
    """Share of consonants clearly different; half of them makes another word."""
    noise_allowance: float = 0.8
    """How much of the median error of the words around is added to the thresholds: a voice or
    microphone the model knows less well must not turn every word red."""
    unknown_allowance: float = 0.15
    """Added to the thresholds for a wrong word while the voice is not known: its errors may be the
    microphone's. What is over the usual ones is a minor mistake until then."""
    noise_cap: float = 0.3
    """The allowance's limit, so that wrong words stay wrong in noise."""
    noise_limit: float = 0.45
    """A median error above it is no noise: something else than the passage is being said, or nothing can be
    told. Then no word is accepted on wider thresholds; it stays open instead."""
    noise_words: int = 24
    """Over how many recent words the median is taken."""
    noise_least_words: int = 3
    """From how many words on a voice is known. Short verses have no more; at 6, words of learners on phones
    were called wrong six times as often, and no mistake was found more (docs/models.md)."""
    deleted_sound: float = 0.7
    """Weight of a sound not heard against one heard differently: mostly the recogniser's miss."""
    inserted_sound: float = 0.5
    heard_share: float = 0.34
    """A word of which less than this was heard was not said."""
    replaced_share: float = 0.8
    """If at least this share of some words' sounds was heard, they were said differently, not left out."""
    chance_sounds: int = 3
    """So many sounds of a word are found in many another one by chance, in their order. Beside a word of
    which more were heard, and rightly, strays are an extra word."""
    stray_noise: float = 0.25
    """In a voice heard worse than this (median error) recognisers invent so many sounds that a word with such
    a rest beside it is a minor mistake at most."""
    slowest_ms: int = 250
    """Where sounds follow one another later than this (median), only what is right is believed. No voice
    recites so slowly; one that is made three times as slow does (docs/models.md)."""
    pace_least: int = 4
    """From how many such times on a pace is known."""
    shortest_extra: int = 4
    """Fewer sounds than this between words are a breath or a slip, not an extra word."""


@dataclass(frozen=True, slots=True)
class WordGrading:
    """Length-aware letter thresholds: 95.6 % of Quran words are one letter away from another one."""

    one_letter_from: int = 4
    """From this many letters on, one wrong letter is minor; below, only a confusable one is."""
    two_letters_from: int = 7


@dataclass(frozen=True, slots=True)
class FitLimits:
    """From when on what is heard is taken for this passage, in units of the engine (sounds or words).

    Chosen on 276 verses of two voices never trained on and 67 phone recordings, each against its own passage
    and against another one, in windows of 1 and 2.5 s. Of those with 25 sounds or more, no verse of the
    voices and 4 to 6 % of the phone recordings are taken for another passage; of those that are one, 87 to
    92 %.
    """

    run_units: int
    """A run of this passage's words is believed from so many units on,"""
    run_words: int
    """and so many words."""
    gap_units: int
    """So many units that fit no word do not end a run,"""
    run_error: int = 45
    """A word with a larger error (hundredths) is no part of a run, however noisy the voice."""
    gap_words: int = 1
    """nor do so many words that are wrong or left out."""
    least_units: int = 20
    """Before so many units were heard nothing is doubted."""
    certain_units: int = 40
    """Before so many, the reciter is not told."""
    lately_units: int = 60
    """About so many units are what was heard lately."""
    trusted_share: float = 0.4
    """From this share on a word that was passed over is called missing."""
    least_share: float = 0.2
    """Less than this share of the units in long runs, and the passage is doubted: only runs are believed."""
    whole_share: float = 0.4
    """The same of a whole recitation: passages with a phrase in common have more than the other share."""
    poor_share: float = 0.4
    poor_run_times: int = 3
    poor_run_words: int = 5
    """Where the sound is said to be poor: doubted below this share; runs that are believed must be so many
    times as long, and of so many words. Chosen on al-Fatiha at 48 kHz heard as 16 kHz (docs/models.md)."""

    def in_poor_sound(self) -> FitLimits:
        """By which runs are believed there. What is counted stays as it is."""
        return replace(self, run_units=self.poor_run_times * self.run_units, run_words=self.poor_run_words)


SOUND_FIT = FitLimits(run_units=12, run_words=2, gap_units=8)
WORD_FIT = FitLimits(run_units=3, run_words=2, gap_units=2, least_units=3, certain_units=12, lately_units=18)
"""Text engines: the same, for words of about five sounds."""


@dataclass(frozen=True, slots=True)
class FeedbackPolicy:
    """Everything that can be tuned about a session's feedback."""

    settle_words: int = 2
    """Words the reciter must be past before an error is final and a word counts as missing."""
    agreeing_windows: int = 2
    """Consecutive windows that must agree before wrong or minor is shown."""
    words_behind: int = 24
    """How far back (words) a restart is followed at no extra cost in time."""
    words_ahead: int = 30
    lost_cost: float = 0.45
    """Cost per heard unit (1.0 = all wrong) from which words further away are tried."""
    lost_gain: int = 300
    """What looking further must save, in hundredths of a wrong unit, to be believed."""
    lost_words: int = 120
    """How far (words, both ways) it then looks."""
    settle_heard_sounds: int = 28
    """The newest heard sounds whose alignment stays open; older ones may be settled."""
    settle_heard_words: int = 10
    """The same for text engines, in words."""
    settle_batch: int = 40
    """Heard sounds settled at once: a new start of the alignment costs time, so not with every window."""
    open_units: int = 240
    """Bound of the open units; beyond it the oldest are settled wherever they are."""
    transcript_words: int = 4_000
    """Bound of the transcript kept; older words leave it first."""
    remarks: int = 64
    """Bound of the extra words and of the repeats kept."""
    gaps: int = 32
    """Bound of the gaps in the audio kept; of more, neighbours are taken as one."""
    gap_edge_ms: int = 250
    """A word within this distance of a gap in the audio may have been cut by it."""
    word_fit: FitLimits = WORD_FIT
    sound_fit: FitLimits = SOUND_FIT
    word_moves: MoveCosts = WORD_MOVES
    sound_moves: MoveCosts = SOUND_MOVES
    sounds: SoundGrading = field(default_factory=SoundGrading)
    words: WordGrading = field(default_factory=WordGrading)


DEFAULT = FeedbackPolicy()
