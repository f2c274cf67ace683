"""`python -m wsgateway.demo` as its user runs it."""

import re
import subprocess
import sys


def test_the_demo_tells_each_step_in_both_languages_and_ends_well() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "wsgateway.demo"], capture_output=True, text=True, timeout=90
    )

    assert demo.returncode == 0, demo.stderr
    steps = re.findall(r"^ *\d+\.\d{3} s  (\S.+)\n {11}(\S.+)$", demo.stdout, re.MULTILINE)
    assert len(steps) == 10
    assert all(re.search(r"[\u4e00-\u9fff]", chinese) for _, chinese in steps)
    assert "SIGKILL" in demo.stdout
    assert "bob (g3) receives 'still there?'" in demo.stdout


def test_a_step_that_does_not_happen_is_a_failure() -> None:
    # A ping so long that the gateways refuse their settings: none of them starts.
    demo = subprocess.run(
        [sys.executable, "-m", "wsgateway.demo"],
        capture_output=True,
        text=True,
        timeout=90,
        env={"PATH": "", "WSGATEWAY_PING_S": "1e9"},
    )

    assert demo.returncode == 1
    assert demo.stderr.splitlines()[-1].startswith("wsgateway demo: ")
    assert "Traceback" not in demo.stderr
