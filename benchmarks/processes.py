"""What a whole process costs: start-up, one verification on the command line, the memory that a hostile input takes."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
_script = Path(sys.executable).with_name("cityid")
CITYID = str(_script) if _script.exists() else f"{sys.executable} -m cli"
SECRET = "--passphrase-fd 3 3<passphrase"

SCENE = f"""
set -eu
printf 'correct horse battery staple\\n' > passphrase
cityid init city city --did did:web:id.lindau.example --name 'Stadt Lindau' --country DE --jurisdiction DE-BY {SECRET}
cat > ada.json <<'EOF'
{{"given_name": "Ada", "family_name": "Lovelace", "birthdate": "1990-12-10",
 "address": {{"street_address": "Hafenweg", "postal_code": "88131", "locality": "Lindau", "country": "DE"}},
 "municipality": {{"code": "09776116", "name": "Lindau"}},
 "district": {{"code": "01", "name": "Insel"}}, "resident_since": "2011-02-03"}}
EOF
cityid --home city issue residency --claims ada.json --yes -o ada.offer {SECRET}
cityid init wallet ada {SECRET}
cityid init service library --audience x509_san_dns:library.example --name Library
for home in ada library; do
  cityid --home $home trust add --did did:web:id.lindau.example --document city/did.json --name Lindau --status none \
    --type residency
done
cityid --home ada accept ada.offer --yes -o ada.request {SECRET}
cityid --home city issue --answer ada.request -o ada.cards {SECRET}
cityid --home ada accept ada.cards {SECRET}
cat > library/policies/card.toml <<'EOF'
purpose = "library card"
[ask]
type = "residency"
claims = ["age_over_18", "address.locality"]
[accept]
"age_over_18" = true
[trust]
list = "trust/issuers.toml"
EOF
"""
QUESTION = f"""
set -eu
cityid --home library request --policy library/policies/card.toml -o {{n}}.request.json
cityid --home ada present {{n}}.request.json --yes --show age_over_18 --show address.locality \
  --show issuing_authority --show issuing_country --show issuing_jurisdiction -o {{n}}.answer.json {SECRET}
"""


def _environment(folder: Path) -> dict[str, str]:
    """As on a machine where cityid was run before (compiled), without leaving anything in the tree. Where cityid is not
    installed, it is run from there."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment if _script.exists() else {**environment, "PYTHONPATH": str(TREE)}


def _shell(script: str, folder: Path) -> None:
    found = subprocess.run(
        ["bash", "-c", f'cityid() {{ {CITYID} "$@"; }}\n{script}'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(folder),
    )
    if found.returncode:
        raise RuntimeError(f"the scene could not be set: {found.stderr.strip()[-600:]}")


def _timed(command: list[str], folder: Path) -> float:
    start = time.perf_counter()
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=_environment(folder))
    took = (time.perf_counter() - start) * 1e3
    if found.returncode:
        raise RuntimeError(f"{' '.join(command)}: {found.stderr.strip()[-600:]}")
    return took


def start_up(runs: int) -> dict[str, list[float]]:
    """Milliseconds of whole processes, in turn: `bare`, `import`, `help`, `verify`. Each verification is a question of
    its own, accepted."""
    python, cityid = sys.executable, CITYID.split()
    times: dict[str, list[float]] = {"bare": [], "import": [], "help": [], "verify": []}
    with tempfile.TemporaryDirectory(prefix="cityid-bench.") as name:
        folder = Path(name)
        _shell(SCENE, folder)
        for number in range(runs + 1):
            _shell(QUESTION.format(n=number), folder)
            verify = ["--home", "library", "verify", f"{number}.answer.json", "--session", f"{number}.request.json"]
            for each, command in (
                ("bare", [python, "-c", "pass"]),
                ("import", [python, "-c", "import cityid"]),
                ("help", [*cityid, "--help"]),
                ("verify", [*cityid, *verify]),
            ):
                took = _timed(command, folder)
                if number:  # the first fills the file cache
                    times[each].append(took)
    return times


HOSTILE = """
import base64, json, sys
from datetime import UTC, datetime
sys.path[:0] = [{tree!r}, {bench!r}]
import alone
import cityid

def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

LIMIT = (1 << 20) - 1
HEAD = b64(b'{{"alg":"ES256","typ":"dc+sd-jwt"}}') + b"."

def token(head, each, tail):
    room = LIMIT * 3 // 4 - 200 - len(head) - len(tail)
    return HEAD + b64(head + each * (room // len(each)) + tail) + b".AAAA~"

NAMES = b",".join(b'"%x":0' % number for number in range(LIMIT * 3 // 4 // 10))
INPUTS = {{
    "nesting": token(b'{{"a":', b"[", b""),
    "small arrays": token(b'{{"a":[', b"[],", b"0]}}"),
    "small objects": token(b'{{"a":[', b"{{}},", b"0]}}"),
    "numbers": token(b'{{"a":[', b"1,", b"0]}}"),
    "names": token(b"{{" + NAMES, b" ", b"}}"),
    "digests": token(b'{{"_sd":[', b'"",', b'""]}}'),
    "disclosures": HEAD + b"e30.AAAA" + b"~WyIiLCIiLDBd" * (LIMIT // 14),
    "tildes": HEAD + b"e30.AAAA" + b"~" * (LIMIT - 100),
    "dots": b"." * LIMIT,
    "JSON serialisation": b'{{"payload":"' + b"A" * (LIMIT - 100) + b'","protected":"","signature":""}}',
    "JSON of arrays": b'{{"a":[' + b"[]," * (LIMIT // 3 - 10) + b"[]]}}",
}}
fixtures = alone.Fixtures.__new__(alone.Fixtures)
fixtures.cred, fixtures.now, fixtures.keys, fixtures.files = alone.CRED, int(datetime.now(UTC).timestamp()), {{}}, {{}}
adapter = alone.adapter()
fixtures.fill(adapter)
check = adapter.judge(fixtures, "p256")
assert check(fixtures.pool("sdjwt_presented_es256.json")[0].encode())
raw = INPUTS[sys.argv[1]]
assert len(raw) <= 1 << 20

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024

with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the high-water mark begins anew: idle is what is held now
before = peak()
verdict = check(raw)
assert not verdict
print(json.dumps([peak() - before, verdict.reason.code]))
"""
KINDS = (
    "nesting", "small arrays", "small objects", "numbers", "names", "digests", "disclosures", "tildes", "dots",
    "JSON serialisation", "JSON of arrays",
)  # fmt: skip


def hostile() -> dict[str, tuple[float, str]]:
    """For each kind of 1 MiB input, in a process of its own: the peak above idle in MiB, and the code it got."""
    import json

    script = HOSTILE.format(tree=str(TREE), bench=str(TREE / "benchmarks"))
    found: dict[str, tuple[float, str]] = {}
    for kind in KINDS:
        done = subprocess.run([sys.executable, "-c", script, kind], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{kind}: {done.stderr.strip()[-600:]}")
        size, code = json.loads(done.stdout)
        found[kind] = (size, code)
    return found


def median(times: list[float]) -> float:
    return statistics.median(times)


def possible() -> str:
    """ "" where the command line can be measured, else why not."""
    return "" if shutil.which("bash") else "bash is needed to set the scene"
