"""Write requirements.lock from what is installed: run it in an environment whose tests pass.

    python scripts/lock.py

Everything that pyproject.toml asks for, extras included, with everything that those need.
Left out: CUDA packages, which depend on the machine, and build suffixes such as ``+cpu``.
"""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
DEPENDS_ON_MACHINE = ("nvidia", "cuda", "triton")
HEADER = """\
# The versions that Accord is tested with. They are constraints: only what is asked for is
# installed, `make demo` takes less than `make test`. Renew with scripts/lock.py.
"""


def wanted() -> list[Requirement]:
    """What pyproject.toml names, in all extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for group in groups for text in group]


def versions() -> dict[str, str]:
    """Name and version of every package that is needed."""
    todo, seen, found = wanted(), set(), {}
    while todo:
        requirement = todo.pop()
        name = requirement.name.lower().replace("_", "-")
        key = (name, frozenset(requirement.extras))
        if key in seen or name == "accord" or name.startswith(DEPENDS_ON_MACHINE):
            continue
        seen.add(key)
        installed = distribution(requirement.name)
        found[name] = installed.version.partition("+")[0]
        extras = list(requirement.extras) or [""]
        for text in installed.requires or []:
            inner = Requirement(text)
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                todo.append(inner)
    return found


if __name__ == "__main__":
    lines = [f"{name}=={version}\n" for name, version in sorted(versions().items())]
    (ROOT / "requirements.lock").write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"requirements.lock: {len(lines)} packages")
