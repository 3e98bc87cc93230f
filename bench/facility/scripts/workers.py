"""Wait until a Dask scheduler knows so many workers. Arguments: its dashboard's address, workers, most seconds."""

import json
import sys
import time
import urllib.request


def main(address: str, wanted: int, most_s: float) -> None:
    """Print how many there are, and when the last one came (Unix time)."""
    deadline, known, said = time.monotonic() + most_s, 0, ""
    while known < wanted and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/json/counts.json", timeout=5) as answer:
                known = int(json.load(answer)["workers"])
        except (OSError, ValueError, KeyError) as error:
            said = str(error)
        if known < wanted:
            time.sleep(0.1)
    print(json.dumps({"workers": known, "said": said}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
