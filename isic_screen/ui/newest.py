"""Answers that come late change nothing: what a visitor sees follows from the newest input.

The browser numbers every input and every question (assets/newest.js), and says with each question all that the answer
rests on. The answer goes to a hidden component first, with its number; from there the browser passes on to the page
what is still true. So no order in which answers arrive matters, and no two callbacks have to wait for each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field

QUICK: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "queue": False,
    "trigger_mode": "always_last",
}
"""Events that only compute: they wait for no photo."""

_ASK = "(asked, ...rest) => [window.isicScreen.ask(), ...rest]"
_ANSWER = "(answer) => window.isicScreen.answer(answer, {parts})"


class _FromBrowser(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class InForce(_FromBrowser):
    """What a visitor has chosen, as an answer told the browser."""

    threshold: float = Field(ge=0, le=1)
    """On the model file's scale."""
    prevalence: float = Field(gt=0, lt=1)
    caught: float = Field(ge=0, le=100)
    """Melanomas in percent, where the slider stands."""


class Choice(_FromBrowser):
    """One input since; a field that was typed into gives its text."""

    field: Literal["sensitivity", "threshold", "prevalence"]
    value: float | str | None


class Asked(_FromBrowser):
    """What a question is about, all of it as it was in the browser when it was asked."""

    number: int
    clock: str = Field(max_length=40)
    """The browser's time, in ISO 8601 with its distance from UTC."""
    photo: str | None = Field(max_length=1000)
    """The name by which the browser knows the photo that is shown; None: there is none."""
    screened: str | None = Field(max_length=1000)
    """The photo whose answer the browser has."""
    run: int | None
    """The batch that was begun last, by the number of the input."""
    begun: int | None
    """The batch that the browser knows to be begun."""
    opened: int | None
    """The row of the batch that is shown."""
    in_force: InForce | None
    """None: nothing was chosen yet."""
    choices: tuple[Choice, ...] = Field(max_length=1000)


@dataclass(frozen=True)
class Question:
    """An event, and what the browser does with its answer; what follows hangs on one of the two by `success`."""

    event: Any
    answered: Any
    held: gr.JSON
    """Where the answer waits: `number`, `values` of the parts of the page, and what is `told` to the browser alone."""


class Questions:
    """The questions that one page asks."""

    def __init__(self) -> None:
        self._asked = gr.Textbox(visible=False)  # filled by the browser

    def ask(
        self,
        listen: Callable[..., Any],
        answer: Callable[..., dict[Any, Any]],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        script: str = _ASK,
        **how: Any,
    ) -> Question:
        """Have `answer(Asked, *inputs)` called at an event; `listen` is what adds a listener, such as `button.click`.

        `answer` gives a dict as Gradio takes it, of values that JSON holds and of `gr.update`; what is for a `gr.State`
        stays on the server. A key that is a text is told to the browser alone.
        """
        states = [output for output in outputs if isinstance(output, gr.State)]
        parts = {output: name_of(output) for output in outputs if not isinstance(output, gr.State)}
        held = gr.JSON(visible=False)

        def numbered(question: str, *given: Any) -> dict[Any, Any]:
            asked = Asked.model_validate_json(question)
            found = answer(asked, *given)
            told = {key: value for key, value in found.items() if isinstance(key, str)}
            values = {parts[key]: value for key, value in found.items() if key in parts}
            kept = {state: found[state] for state in states if state in found}
            return {held: {"number": asked.number, "values": values, "told": told}, **kept}

        event = listen(numbered, [self._asked, *inputs], [held, *states], js=script, **how)
        passed_on = _ANSWER.format(parts=list(parts.values()))
        return Question(
            event,
            event.success(None, held, list(parts), js=passed_on, api_visibility="private"),
            held,
        )


def name_of(part: Any) -> str:
    """The name by which the browser knows a part of the page."""
    return part.elem_id or str(part._id)
