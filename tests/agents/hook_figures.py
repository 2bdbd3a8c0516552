"""How long a hook takes for a tool that needs no approval: python3 hook_figures.py PROGRAM [COUNT].

Starts `countersign serve` on a directory of its own, and prints the median and the 95th percentile of hooks before and
after a use, each a process of its own, in milliseconds.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def main() -> None:
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with tempfile.TemporaryDirectory() as directory:
        data = pathlib.Path(directory) / "data"
        serve = subprocess.Popen(
            [program, "serve", "--data-dir", str(data), "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            url = serve.stdout.readline().strip().removeprefix("listening on ")
            token = subprocess.run(
                [program, "token", "ann@example.com", "--groups", "developer", "--data-dir", str(data)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            environment = {"COUNTERSIGN_URL": url, "COUNTERSIGN_TOKEN": token, "HOME": directory, "PATH": os.environ["PATH"]}
            measure(program, environment, count)
        finally:
            serve.terminate()
            serve.wait()


def measure(program: str, environment: dict, count: int) -> None:
    taken = {"pre": [], "post": []}
    for number in range(count):
        use = {"tool": "Read", "arguments": {"path": f"/srv/{number}"}, "cwd": "/srv", "session": "s", "tool_use_id": str(number)}
        for event, document in (("pre", use), ("post", {**use, "result": "text", "is_error": False})):
            words = [program, "hook", "--agent", "generic", "--as-human", "--event", event]
            began = time.perf_counter()
            ended = subprocess.run(words, input=json.dumps(document).encode(), env=environment, capture_output=True)
            taken[event].append((time.perf_counter() - began) * 1000)
            if ended.returncode != 0:
                sys.exit(ended.stderr.decode())
    for event, milliseconds in taken.items():
        milliseconds.sort()
        high = milliseconds[int(len(milliseconds) * 0.95)]
        print(f"{event}: median {statistics.median(milliseconds):.1f} ms, 95th percentile {high:.1f} ms, {count} runs")


if __name__ == "__main__":
    main()
