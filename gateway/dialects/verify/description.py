"""What `/ws/verify` takes and says, for the AsyncAPI document."""

from __future__ import annotations

from gateway.description.dialect import DialectDescription
from gateway.dialects.recite import messages
from gateway.dialects.recite.description import MODEL, PASSAGE, TAKES
from gateway.dialects.verify.dialect import PATH, PartialVerdict

DESCRIPTION = DialectDescription(
    name="verify",
    title="Live recitation, the older dialect",
    text=(
        "Kept for clients that know no other dialect: the same audio and commands as the recitation dialect, "
        "one text of what was heard so far now and then, the report at the end. There are no "
        "acknowledgements and there is no resume."
    ),
    address=PATH,
    parameters=(*PASSAGE, MODEL),
    takes=TAKES,
    says=(
        PartialVerdict,
        messages.FinalResultEvent,
        messages.FinalResultErrorEvent,
        messages.ErrorEvent,
        messages.PongEvent,
    ),
)
