"""Writes the requirements.txt of a peer that is a Python package, with a hash
for every wheel that is right for Linux on x86_64 or aarch64 and a CPython from
3.10 to 3.14. Nothing is built from source. (pip asks the Python it runs in which
dependencies a package has: typing-extensions is needed by 3.10 alone.)

    python3 tests/peers/pin.py moto==5.2.5 flask flask-cors typing-extensions >tests/peers/moto/requirements.txt
    python3 tests/peers/pin.py awscli==1.46.3 >tests/peers/aws/requirements.txt
"""

import json
import subprocess
import sys
import tempfile

MACHINES = ["x86_64", "aarch64"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
# The manylinux tags pip is told of; the highest one is Debian 12's.
TAGS = ["manylinux_2_17", "manylinux_2_28", "manylinux_2_34", "manylinux2014"]


def wheels(wanted, python, machine):
    """(name, version) -> hash of each wheel that pip would install there."""
    with tempfile.TemporaryDirectory() as nowhere:
        platforms = [f"--platform={tag}_{machine}" for tag in TAGS]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--no-cache-dir", "--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
        command += ["--target", nowhere, "--report", "-", *platforms, *wanted]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {
        (one["metadata"]["name"].lower().replace("_", "-").replace(".", "-"), one["metadata"]["version"]):
            one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in report["install"]
    }


def main():
    wanted = sys.argv[1:]
    # The oldest Python decides on the versions.
    oldest = wheels(wanted, PYTHONS[0], MACHINES[0])
    pinned = [f"{name}=={version}" for name, version in oldest]
    hashes = {}
    for machine in MACHINES:
        for python in PYTHONS:
            for package, sha256 in wheels(pinned, python, machine).items():
                hashes.setdefault(package, {})[sha256] = None
    if set(hashes) != set(oldest):
        sys.exit(f"other packages on other machines: {set(hashes) ^ set(oldest)}")
    print(f"# Written by: python3 tests/peers/pin.py {' '.join(wanted)}")
    for (name, version), found in sorted(hashes.items()):
        print(f"{name}=={version}", *(f"--hash=sha256:{sha256}" for sha256 in found), sep=" \\\n    ")


main()
