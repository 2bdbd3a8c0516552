"""Prints what the program and the functions are made of, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).

Every package that Cargo links for the given platforms, with its licence, the digest of its source and what it depends
on. Needs Python 3.11 and cargo.
"""

import json
import subprocess
import sys
import tomllib
import uuid

PLATFORMS = ("aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu")


def metadata(platform):
    arguments = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", platform]
    return json.loads(subprocess.run(arguments, check=True, stdout=subprocess.PIPE).stdout)


def is_shipped(package):
    """Whether it is the program or a function: what else the workspace has is for tests and measurements."""
    folder = package["manifest_path"].split("/")[-3:-1]
    return package["source"] is None and (folder[0] == "functions" or folder[1] == "cli")


def linked(document):
    """The ids of all packages that are linked into what is shipped, and for each those that it depends on."""
    nodes = {node["id"]: node for node in document["resolve"]["nodes"]}
    found = {}
    waiting = [package["id"] for package in document["packages"] if is_shipped(package)]
    while waiting:
        package = waiting.pop()
        if package not in found:
            # `kind` is absent for a dependency that is neither of tests nor of a build script.
            needs = [
                dependency["pkg"]
                for dependency in nodes[package]["deps"]
                if any(kind["kind"] is None for kind in dependency["dep_kinds"])
            ]
            found[package] = needs
            waiting.extend(needs)
    return found


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    entry = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package["license"]:
        # Older manifests separate alternatives by a slash.
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return entry


def main():
    packages, needs = {}, {}
    for platform in PLATFORMS:
        document = metadata(platform)
        packages |= {package["id"]: package for package in document["packages"]}
        for package, dependencies in linked(document).items():
            needs.setdefault(package, set()).update(dependencies)
    with open("Cargo.lock", "rb") as lock:
        entries = tomllib.load(lock)["package"]
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in entries}
    version = next(package["version"] for package in packages.values() if package["name"] == "countersign")
    shipped = sorted(needs, key=lambda package: reference(packages[package]))
    components = [component(packages[package], checksums) for package in shipped]
    # The same number for the same content.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components, sort_keys=True))
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "countersign-release", "version": version}},
        "components": components,
        "dependencies": [
            {
                "ref": reference(packages[package]),
                "dependsOn": sorted(reference(packages[dependency]) for dependency in needs[package]),
            }
            for package in shipped
        ],
    }
    json.dump(document, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
