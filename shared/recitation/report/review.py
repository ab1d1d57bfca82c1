"""The offline path: a whole recording judged at once."""

from __future__ import annotations

from collections.abc import Iterable

from shared.hearing import Hearing
from shared.recitation.grading.policy import DEFAULT, FeedbackPolicy
from shared.recitation.live.feedback import Feedback
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import Passage


def review(passage: Passage, hearings: Iterable[Hearing], policy: FeedbackPolicy = DEFAULT) -> Feedback:
    """Judge all windows of a recording, in order, and decide what is still open."""
    follower = Follower(passage, policy)
    for hearing in hearings:
        follower.hear(hearing)
    return follower.finish()
