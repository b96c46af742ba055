"""What an operator may choose: options, variables, the login, and what is wrong with them."""

import pytest

from isic_screen.artifact import BUNDLED_MODEL
from isic_screen.serving import Login, read_settings
from isic_screen.serving import settings as settings_module
from isic_screen.serving.settings import SettingsError
from tests.forks import run


def test_without_options_or_variables_the_defaults_hold():
    settings = read_settings([], {})
    assert settings.model == BUNDLED_MODEL
    assert (settings.host, settings.port, settings.root_path, settings.mcp, settings.login) == (None,) * 3 + (
        False,
        None,
    )


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


def test_an_empty_variable_counts_as_not_set():
    names = ("MODEL", "ROOT_PATH", "MCP", "USER", "PASSWORD")
    assert read_settings([], {f"ISIC_SCREEN_{name}": "" for name in names}) == read_settings([], {})


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        ([], {"ISIC_SCREEN_USER": "ward"}, "ISIC_SCREEN_PASSWORD is not"),
        ([], {"ISIC_SCREEN_PASSWORD": "hush"}, "ISIC_SCREEN_USER is not"),
        ([], {"ISIC_SCREEN_MCP": "perhaps"}, "write 1"),
        (["--root-path", "derma"], {}, "begins with a slash"),
        (["--mcp"], {"ISIC_SCREEN_USER": "ward", "ISIC_SCREEN_PASSWORD": "hush"}, "do not go together"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_a_sentence(arguments, environment, sentence):
    with pytest.raises(SettingsError, match=sentence) as refused:
        read_settings(arguments, environment)
    assert "hush" not in str(refused.value)


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
    ],
)
def test_a_wrong_setting_ends_the_app_with_status_2(environment, sentence):
    done = run("app.py", environment=environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
