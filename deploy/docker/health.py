"""Exit status 0 if this container's service answers 200 at HEALTH_URL."""

import os
import sys
import urllib.error
import urllib.request

try:
    with urllib.request.urlopen(os.environ["HEALTH_URL"], timeout=3) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except (KeyError, OSError, urllib.error.URLError) as error:
    print(f"not healthy: {error!r}", file=sys.stderr)
    sys.exit(1)
