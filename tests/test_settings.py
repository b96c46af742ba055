"""What an operator may choose: options, variables, the login, and what is wrong with them."""

import os
import socket
import subprocess
import sys

import pytest

from isic_screen.artifact import BUNDLED_MODEL
from isic_screen.serving import Login, check_address, prepare, read_settings
from isic_screen.serving import settings as settings_module
from isic_screen.serving.settings import SettingsError
from tests.conftest import ROOT
from tests.forks import run


def test_without_options_or_variables_the_defaults_hold():
    settings = read_settings([], {})
    assert settings.model == BUNDLED_MODEL
    assert (settings.host, settings.port, settings.root_path, settings.mcp, settings.login) == (None,) * 3 + (
        False,
        None,
    )


@pytest.mark.parametrize(
    ("root_path", "address"),
    [
        ("", "http://localhost:7860/"),
        ("/derma", "http://localhost:7860/derma/"),
        (
            "https://ward.example/derma/",
            "https://ward.example/derma/ (a proxy's; it finds the page at http://localhost:7860/)",
        ),
    ],
)
def test_the_address_that_is_told_has_the_root_path(root_path, address):
    assert read_settings(["--root-path", root_path], {}).address("http://localhost:7860/") == address


def test_an_option_goes_before_our_variable_and_that_before_gradios():
    environment = {"GRADIO_ROOT_PATH": "/gradio", "GRADIO_MCP_SERVER": "True"}
    assert read_settings([], environment).root_path == "/gradio"
    assert read_settings([], environment).mcp is True
    environment |= {
        "ISIC_SCREEN_ROOT_PATH": "/ours/",
        "ISIC_SCREEN_MCP": "off",
        "ISIC_SCREEN_MODEL": "ours.safetensors",
    }
    ours = read_settings([], environment)
    assert (ours.root_path, ours.mcp, ours.model.name) == ("/ours", False, "ours.safetensors")
    given = read_settings(["--root-path", "/given", "--mcp", "--model", "given.safetensors"], environment)
    assert (given.root_path, given.mcp, given.model.name) == ("/given", True, "given.safetensors")


def test_the_address_is_told_by_option_or_gradios_variables():
    environment = {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "7000"}
    settings = read_settings([], environment)
    assert (settings.host, settings.port) == ("0.0.0.0", 7000)
    settings = read_settings(["--host", "::1", "--port", "8000"], environment)
    assert (settings.host, settings.port) == ("[::1]", 8000)


def test_gradio_does_not_see_what_is_empty_and_what_would_report_or_keep():
    environment = {"GRADIO_SERVER_PORT": "", "GRADIO_SERVER_NAME": " ", "GRADIO_TEMP_DIR": "there", "OTHER": ""}
    prepare(environment)
    assert {"GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME"}.isdisjoint(environment)
    assert (environment["GRADIO_TEMP_DIR"], environment["OTHER"]) == ("there", "")
    assert environment["GRADIO_ANALYTICS_ENABLED"] == environment["GRADIO_RUN_HISTORY"] == "False"


def test_an_empty_variable_counts_as_not_set():
    ours = [f"ISIC_SCREEN_{name}" for name in ("MODEL", "ROOT_PATH", "MCP", "USER", "PASSWORD")]
    gradios = [f"GRADIO_{name}" for name in ("SERVER_NAME", "SERVER_PORT", "ROOT_PATH", "MCP_SERVER")]
    assert read_settings([], dict.fromkeys(ours + gradios, "")) == read_settings([], {})


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        ([], {"ISIC_SCREEN_USER": "ward"}, "ISIC_SCREEN_PASSWORD is not"),
        ([], {"ISIC_SCREEN_PASSWORD": "hush"}, "ISIC_SCREEN_USER is not"),
        ([], {"ISIC_SCREEN_MCP": "perhaps"}, "write 1"),
        (["--root-path", "derma"], {}, "begins with a slash"),
        (["--port", "0"], {}, "--port is '0': a port is a number from 1 to 65535"),
        (["--port", "99999"], {}, "--port is '99999'"),
        ([], {"GRADIO_SERVER_PORT": "http"}, "GRADIO_SERVER_PORT is 'http'"),
        (["--port", "7860"], {"GRADIO_SERVER_PORT": "9" * 5000}, "GRADIO_SERVER_PORT is '999"),
        ([], {"GRADIO_NUM_PORTS": "x"}, "GRADIO_NUM_PORTS is 'x': it is a number from 1 to 65535"),
        ([], {"GRADIO_NUM_PORTS": "0"}, "GRADIO_NUM_PORTS is '0'"),
        ([], {"GRADIO_NODE_NUM_PORTS": "many"}, "GRADIO_NODE_NUM_PORTS is 'many'"),
        ([], {"GRADIO_DEBUG": "true"}, "GRADIO_DEBUG is 'true': it is a number from 0 to 1"),
        (["--mcp"], {"ISIC_SCREEN_USER": "ward", "ISIC_SCREEN_PASSWORD": "hush"}, "do not go together"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_a_sentence(arguments, environment, sentence):
    with pytest.raises(SettingsError, match=sentence) as refused:
        read_settings(arguments, environment)
    assert "hush" not in str(refused.value)


def test_an_address_where_no_server_can_listen_is_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for host in (None, "127.0.0.1"):
            with pytest.raises(SettingsError, match=rf"cannot be offered at 127\.0\.0\.1, port {port} \(.*in use"):
                check_address(host, port)
        with pytest.raises(SettingsError, match=r"localhost, port \d+ \(.*in use"):
            check_address("localhost", port)
    check_address(None, port)
    check_address("localhost", port)
    check_address("0.0.0.0", None)
    for host in ("192.0.2.1", "no..host"):  # the first is for documents, and nobody's
        with pytest.raises(SettingsError, match=f"cannot be offered at {host} "):
            check_address(host, None)


def test_mcp_with_a_package_that_gradio_cannot_use_is_a_sentence(monkeypatch):
    monkeypatch.setattr(settings_module, "version", lambda _: "2.3.0")
    with pytest.raises(SettingsError, match=r"mcp 1\.x, found 2\.3\.0"):
        read_settings(["--mcp"], {})


@pytest.mark.parametrize(
    ("user", "password", "may_in"),
    [("ward", "hush", True), ("ward", "hush!", False), ("Ward", "hush", False), ("ward", "", False), ("", "", False)],
)
def test_only_the_right_user_with_the_right_password_may_in(user, password, may_in):
    assert Login("ward", "hush")(user, password) is may_in


def test_letters_outside_ascii_can_be_compared():
    assert Login("ärztin", "größe")("ärztin", "größe")
    assert not Login("ärztin", "größe")("ärztin", "grösse")


def test_a_password_is_never_shown():
    login = Login("ward", "hush")
    assert "hush" not in f"{login!r} {login}"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ISIC_SCREEN_MODEL": "nowhere.safetensors"}, "There is no model file"),
        ({"ISIC_SCREEN_USER": "ward"}, "set both for a login, or neither"),
        ({"GRADIO_TEMP_DIR": str(BUNDLED_MODEL)}, "name another with GRADIO_TEMP_DIR"),
    ],
)
def test_a_wrong_setting_ends_the_app_with_status_2(environment, sentence):
    done = run("app.py", environment=environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("GRADIO_SERVER_PORT", "a port is a number from 1 to 65535."),
        ("GRADIO_NUM_PORTS", "it is a number from 1 to 65535."),
    ],
)
def test_gradio_is_not_imported_before_its_variables_are_checked(name, sentence):
    """In a process of its own: the forks have Gradio loaded."""
    environment = {**os.environ, name: "http"}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"error: {name} is 'http': {sentence}\n"
