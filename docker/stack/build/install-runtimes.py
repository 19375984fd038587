"""Puts uv and the bundled Node.js versions, each with npm and corepack, into the build image.

Everything comes from the npm registry and the Python package index, or from the mirrors named on the command line, and
is compared with the digests in runtimes.json before a byte of it is used. Usage: install-runtimes.py PINS NPM PYPI.
"""

import base64
import hashlib
import html
import io
import json
import os
import platform
import re
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile

RUNTIMES = '/opt/paas/runtimes'
ATTEMPTS = 3
TIMEOUT_SECONDS = 60


def fetch(url: str) -> bytes:
    """The body behind an address; a failure that may pass is tried again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            if attempt == ATTEMPTS or error.code < 500:
                sys.exit(f'{url} answered {error.code}')
        except OSError as error:
            if attempt == ATTEMPTS:
                sys.exit(f'{url} could not be fetched: {error}')
        time.sleep(attempt)
    raise AssertionError('unreachable')


def check(name: str, algorithm: str, body: bytes, expected: bytes) -> None:
    if hashlib.new(algorithm, body).digest() != expected:
        sys.exit(f'{name} does not have the pinned {algorithm} digest')


def npm_package(registry: str, name: str, version: str, integrity: str) -> tarfile.TarFile:
    body = fetch(f'{registry.rstrip("/")}/{name}/-/{name}-{version}.tgz')
    algorithm, _, digest = integrity.partition('-')
    check(f'{name}@{version}', algorithm, body, base64.b64decode(digest))
    return tarfile.open(fileobj=io.BytesIO(body), mode='r:gz')


def unpack(archive: tarfile.TarFile, target: str, only: tuple[str, ...] = ('',)) -> None:
    """Unpacks what starts with one of `only`, without the leading package/ folder; owners become root."""
    members = []
    for member in archive.getmembers():
        _, _, inner = member.name.partition('/')
        if inner and inner.startswith(only):
            members.append(member.replace(name=inner, uid=0, gid=0, uname='root', gname='root', deep=False))
    archive.extractall(target, members=members, filter='data')


def install_node(registry: str, architecture: str, pin: dict, corepack_pin: dict) -> None:
    prefix = f'{RUNTIMES}/node-{pin["version"]}'
    npm = f'{prefix}/lib/node_modules/npm'
    corepack = f'{prefix}/lib/node_modules/corepack'
    os.makedirs(npm)
    with npm_package(registry, f'node-linux-{architecture}', pin['version'], pin['integrity'][architecture]) as archive:
        # The headers stay: node-gyp takes them by npm_config_nodedir instead of downloading them.
        unpack(archive, prefix, ('bin/node', 'include/', 'LICENSE'))
    with npm_package(registry, 'npm', pin['npm']['version'], pin['npm']['integrity']) as archive:
        unpack(archive, npm)
    # Node.js comes with it up to 24, and apps call it: `corepack enable`.
    with npm_package(registry, 'corepack', corepack_pin['version'], corepack_pin['integrity']) as archive:
        unpack(archive, corepack)
    os.symlink('../lib/node_modules/corepack/dist/corepack.js', f'{prefix}/bin/corepack')
    os.chmod(f'{corepack}/dist/corepack.js', 0o755)
    for command in ('npm', 'npx'):
        os.symlink(f'../lib/node_modules/npm/bin/{command}-cli.js', f'{prefix}/bin/{command}')
        os.chmod(f'{npm}/bin/{command}-cli.js', 0o755)
    os.chmod(f'{prefix}/bin/node', 0o755)
    print(f'node {pin["version"]} with npm {pin["npm"]["version"]} and corepack {corepack_pin["version"]}', flush=True)


def install_uv(index: str, architecture: str, pin: dict) -> None:
    wheel = pin['wheel'][architecture]
    page_url = f'{index.rstrip("/")}/uv/'
    page = fetch(page_url).decode()
    link = next((m for m in re.findall(r'href="([^"]+)"', page) if f'/{wheel["file"]}' in m), None)
    if link is None:
        sys.exit(f'{page_url} does not list {wheel["file"]}')
    body = fetch(urllib.parse.urljoin(page_url, html.unescape(link)).partition('#')[0])
    check(wheel['file'], 'sha256', body, bytes.fromhex(wheel['sha256']))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for command in ('uv', 'uvx'):
            with open(f'/usr/local/bin/{command}', 'wb') as file:
                file.write(archive.read(f'uv-{pin["version"]}.data/scripts/{command}'))
            os.chmod(f'/usr/local/bin/{command}', 0o755)
    print(f'uv {pin["version"]}', flush=True)


def main() -> None:
    pins_file, registry, index = sys.argv[1:]
    machine = platform.machine()
    architecture = {'x86_64': 'x64', 'aarch64': 'arm64'}.get(machine)
    if architecture is None:
        sys.exit(f'no runtimes are pinned for {machine}; x86_64 and aarch64 are')
    with open(pins_file, encoding='utf-8') as file:
        pins = json.load(file)
    os.umask(0o022)
    os.makedirs(RUNTIMES)
    install_uv(index, architecture, pins['uv'])
    for pin in pins['node']:
        install_node(registry, architecture, pin, pins['corepack'])


main()
