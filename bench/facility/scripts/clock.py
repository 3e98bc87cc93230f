"""Answer every line with this machine's time, in seconds since 1970 (UTC)."""

import sys
import time

if __name__ == "__main__":
    for _ in sys.stdin:
        print(f"{time.time():.6f}", flush=True)
