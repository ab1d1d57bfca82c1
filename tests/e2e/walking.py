"""A scripted reciter who walks through a passage, and what a browser saw of it."""

from __future__ import annotations

from tests.e2e.scripted_service import Connection, Script

WATCH = """
  window.seen = {frames: 0, inView: 0, reachable: 0, shift: 0};
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      // Chromium also names text that was laid out anew and stands where it stood.
      const moved = entry.sources.some(({node, previousRect, currentRect}) => (
        node?.parentElement?.closest('main')
        && JSON.stringify(previousRect) !== JSON.stringify(currentRect)
      ));
      if (moved && !entry.hadRecentInput) seen.shift += entry.value;
    }
  }).observe({type: 'layout-shift'});
  const look = () => {
    const word = document.querySelector('.word[aria-current]');
    if (word) {
      const place = word.getBoundingClientRect();
      const cover = document.getElementById('last-line');
      const top = document.querySelector('.top').getBoundingClientRect().bottom;
      const bar = document.querySelector('.bar').getBoundingClientRect();
      const main = document.getElementById('main').getBoundingClientRect();
      const under = document.elementFromPoint(main.x + main.width / 2, main.y + main.height / 2);
      const middle = (place.top + place.bottom) / 2;
      seen.frames += 1;
      const edge = bar.top > top ? bar.top : innerHeight;
      const bottom = cover.hidden ? edge : cover.getBoundingClientRect().top;
      seen.inView += Number(middle > top && middle < bottom);
      seen.reachable += Number(Boolean(under?.closest('#main')));
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  true
"""
"""Counts the frames in which the current word is in view and the large button can be touched."""


def walk(words: int, *, a_time: int = 1, every_s: float = 0.3, finish: bool = True) -> Script:
    """Recites the first `words` words, `a_time` at once, after each `every_s` of sound."""

    async def script(connection: Connection) -> None:
        await connection.ready()
        for seq, reached in enumerate(range(a_time, words + a_time, a_time)):
            said = min(words, reached)
            await connection.heard(every_s)
            await connection.partial(seq, "c" * said, pointer=said)
        if finish:
            await connection.asked("end")
            await connection.final("c" * words)

    return script
