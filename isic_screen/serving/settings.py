"""What an operator may choose: by option, else by environment variable, else the default."""

import argparse
import errno
import hmac
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from isic_screen.artifact import BUNDLED_MODEL
from isic_screen.errors import ScreenError

_PORTS = range(1, 65_536)
_GRADIOS_NUMBERS = {"GRADIO_NUM_PORTS": _PORTS, "GRADIO_NODE_NUM_PORTS": _PORTS, "GRADIO_DEBUG": range(2)}
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_DESCRIPTION = "The screening page: one dermoscopy photo, one calibrated probability."
_ENVIRONMENT = """\
An option goes before its environment variable: ISIC_SCREEN_MODEL, ISIC_SCREEN_ROOT_PATH (then GRADIO_ROOT_PATH),
ISIC_SCREEN_MCP (then GRADIO_MCP_SERVER), GRADIO_SERVER_NAME, GRADIO_SERVER_PORT. A login is asked for when both
ISIC_SCREEN_USER and ISIC_SCREEN_PASSWORD are set; there is no option for it, as other users of the machine can read
a process's options."""


class SettingsError(ScreenError):
    """A setting that cannot be followed, or two that do not go together."""


@dataclass(frozen=True)
class Login:
    """The one user who may in. Called by Gradio with what was typed."""

    user: str
    password: str = field(repr=False)

    def __call__(self, user: str, password: str) -> bool:
        # Both are always compared, in constant time: how long it takes tells nothing about either.
        same_user = hmac.compare_digest(user.encode(), self.user.encode())
        same_password = hmac.compare_digest(password.encode(), self.password.encode())
        return same_user and same_password


@dataclass(frozen=True)
class Settings:
    """What was chosen. None leaves a choice to Gradio: this machine only, and port 7860 or the next free one."""

    model: Path
    host: str | None
    port: int | None
    root_path: str | None
    mcp: bool
    login: Login | None

    def address(self, here: str) -> str:
        """Where visitors find a page that listens at the address `here`."""
        if self.root_path is None:
            return here
        if self.root_path.startswith("/"):
            return f"{here.rstrip('/')}{self.root_path}/"
        return f"{self.root_path}/ (a proxy's; it finds the page at {here})"


def prepare(environment: MutableMapping[str, str]) -> None:
    """To be called before Gradio is imported: nothing is reported, no answer is kept in a browser or a bucket, no use
    is counted. And a variable of Gradio's that is set but empty is taken out, as Gradio would read a number in it.
    """
    for name in [name for name, value in environment.items() if name.startswith("GRADIO_") and not value.strip()]:
        del environment[name]
    environment.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    environment.setdefault("GRADIO_RUN_HISTORY", "False")
    environment["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    environment["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)


def read_settings(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> Settings:
    """The settings from command-line options (None: those of this process) and environment variables.

    An environment variable that is set but empty counts as not set. SettingsError says which setting is wrong;
    argparse itself ends the process with status 2 for an option it does not know.
    """
    parser = argparse.ArgumentParser(
        description=_DESCRIPTION, epilog=_ENVIRONMENT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: the bundled model")
    parser.add_argument("--host", metavar="H", help="address to listen on, 0.0.0.0 for all; default: this machine only")
    parser.add_argument("--port", type=int, metavar="P", help="default: 7860, or the next free one")
    parser.add_argument("--root-path", metavar="PATH", help="where a proxy shows the page, for example /derma")
    parser.add_argument("--mcp", action=argparse.BooleanOptionalAction, help="offer the API as MCP tools as well")
    given = parser.parse_args(arguments)

    login = _login(environment)
    mcp = given.mcp
    if mcp is None:
        mcp = _switch(environment, "ISIC_SCREEN_MCP", "GRADIO_MCP_SERVER")
    if mcp:
        _check_mcp(login)
    # Gradio reads these as it is imported or launched, whether they count here or not, and fails at what is no number.
    for name, allowed in _GRADIOS_NUMBERS.items():
        _number(name, environment.get(name, "").strip(), allowed, "it")
    ports = (
        _port("--port", "" if given.port is None else str(given.port)),
        _port("GRADIO_SERVER_PORT", environment.get("GRADIO_SERVER_PORT", "").strip()),
    )
    return Settings(
        model=given.model or Path(environment.get("ISIC_SCREEN_MODEL") or BUNDLED_MODEL),
        host=_host(given.host or environment.get("GRADIO_SERVER_NAME", "").strip()),
        port=next((port for port in ports if port is not None), None),
        root_path=_root_path(
            given.root_path or environment.get("ISIC_SCREEN_ROOT_PATH") or environment.get("GRADIO_ROOT_PATH")
        ),
        mcp=mcp,
        login=login,
    )


def check_address(host: str | None, port: int | None) -> None:
    """Raises SettingsError where no server could listen: Gradio would end with its trace."""
    name = (host or "127.0.0.1").strip("[]")
    try:
        places = socket.getaddrinfo(name, port or 0, type=socket.SOCK_STREAM)
        faults = [fault for family, kind, _, _, address in places if (fault := _fault(family, kind, address))]
        in_use = [fault for fault in faults if fault.errno == errno.EADDRINUSE]
        if in_use or len(faults) == len(places):  # localhost may have an address of a family that the machine has not
            raise (in_use or faults)[0]
    except (OSError, UnicodeError) as error:  # a UnicodeError of a name that no host can have
        at = name if port is None else f"{name}, port {port}"
        why = error.strerror if isinstance(error, OSError) and error.strerror else "no host has this name"
        raise SettingsError(f"The page cannot be offered at {at} ({why}): choose another --host or --port.") from error


def _fault(family: int, kind: int, address: Any) -> OSError | None:
    """What keeps a server from listening at a socket's address."""
    try:
        with socket.socket(family, kind) as probe:
            if os.name == "posix":  # a port that was left a moment ago is free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _host(given: str) -> str | None:
    """As Gradio makes an address of it: IPv6 in brackets."""
    return f"[{given}]" if ":" in given and not given.startswith("[") else given or None


def _port(name: str, given: str) -> int | None:
    return _number(name, given, _PORTS, "a port")


def _number(name: str, given: str, allowed: range, what: str) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= 5 and int(given) in allowed):
        raise SettingsError(f"{name} is {given!r}: {what} is a number from {allowed[0]} to {allowed[-1]}.")
    return int(given)


def _login(environment: Mapping[str, str]) -> Login | None:
    user, password = environment.get("ISIC_SCREEN_USER", "").strip(), environment.get("ISIC_SCREEN_PASSWORD", "")
    if not user and not password:
        return None
    if not user or not password:
        is_set, missing = ("USER", "PASSWORD") if user else ("PASSWORD", "USER")
        raise SettingsError(
            f"ISIC_SCREEN_{is_set} is set and ISIC_SCREEN_{missing} is not: set both for a login, or neither."
        )
    return Login(user, password)


def _switch(environment: Mapping[str, str], *names: str) -> bool:
    for name in names:
        value = environment.get(name, "").strip().lower()
        if value in _YES:
            return True
        if value in _NO:
            return False
        if value:
            raise SettingsError(f"{name} is {value!r}: write 1 to switch it on or 0 to switch it off.")
    return False


def _root_path(given: str | None) -> str | None:
    if not given:
        return None
    if not given.startswith(("/", "http://", "https://")):
        raise SettingsError(f"The root path is {given!r}: it begins with a slash, as /derma, or is a whole address.")
    return given.rstrip("/") or None


def _check_mcp(login: Login | None) -> None:
    if login is not None:
        # Gradio's login does not cover its MCP address.
        raise SettingsError(
            "MCP and the login do not go together: the MCP tools would be open to all. Let a proxy ask for the login."
        )
    try:
        installed = version("mcp")
    except PackageNotFoundError:
        installed = "none"
    if installed.split(".")[0] != "1":
        raise SettingsError(f"MCP needs the package mcp 1.x, found {installed}: pip install 'mcp>=1.21,<2'.")
