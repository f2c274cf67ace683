"""The program in the README runs, and prints what the README says."""

import subprocess
import sys
from pathlib import Path

from pages import ROOT, read

from wsgateway.brokers import RedisServer


def test_the_readme_program_prints_what_it_says(redis_server: RedisServer, tmp_path: Path) -> None:
    fences = read(ROOT / "README.md").fences
    at = next(i for i, (language, _) in enumerate(fences) if language == "python")
    program, output = fences[at][1], fences[at + 1][1]
    assert "redis://127.0.0.1:6379" in program
    script = tmp_path / "readme.py"
    script.write_text(program.replace("redis://127.0.0.1:6379", redis_server.url), "utf-8")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, output, "")
