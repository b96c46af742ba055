"""The tab for many photos: they are screened one after the other, and the table follows the threshold."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from isic_screen.errors import PhotoError
from isic_screen.explain import METHODS
from isic_screen.typed_number import typed_number
from isic_screen.ui import answer, batch
from isic_screen.ui.answer import Case
from isic_screen.ui.batch import FILTERS, Batch
from isic_screen.ui.batch_csv import batch_csv
from isic_screen.ui.batch_parts import BatchParts, batch_parts
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.clock import visitors_time
from isic_screen.ui.controls import PARTS, Controls
from isic_screen.ui.newest import QUICK, Asked, Questions
from isic_screen.ui.photo_tab import MODEL_AT_ONCE, SESSION_SECONDS, save
from isic_screen.ui.texts import Texts
from isic_screen.ui.threshold import chosen as chosen_by

_BETWEEN_UPDATES = 0.5  # seconds: a table that changes more often cannot be read
_BEGIN = "(asked, files) => [window.isicScreen.begin(files), files]"
_SHOW_CASE = "() => document.querySelector('#batch-case').scrollIntoView({block: 'nearest'})"


@dataclass(frozen=True)
class Opened:
    """A row of the visitor's batch, shown as the tab for one photo shows it."""

    run: int | None
    number: int
    name: str
    case: Case

    def meant(self, asked: Asked) -> bool:
        """Whether it is the row that the browser shows."""
        return (self.run, self.number) == (asked.run, asked.opened)


def batch_tab(callbacks: Callbacks, questions: Questions, choices: Controls) -> None:
    """The components and events of the tab, inside the tab's context."""
    # Held by the visitor's session; updated in place while a run goes on, so that what is done survives a cancel.
    found = gr.State(None, time_to_live=SESSION_SECONDS)
    opened = gr.State(None, time_to_live=SESSION_SECONDS)
    parts = batch_parts(callbacks.texts)
    tab = _Tab(callbacks, questions, parts, found, opened)
    tab.on_start()
    tab.on_choice(choices)
    tab.on_row()
    tab.on_saving()


@dataclass(frozen=True)
class _Tab:
    """What the visitor's doings set off."""

    callbacks: Callbacks
    questions: Questions
    parts: BatchParts
    found: gr.State
    opened: gr.State

    @property
    def _texts(self) -> Texts:
        return self.callbacks.texts

    def _alert(self, sentence: str) -> str:
        return f'<p class="batch-progress" role="alert">{sentence}</p>'

    def _lost(self, asked: Asked) -> dict[Any, Any]:
        """The server was started anew, or an hour has passed: it knows nothing of what the page still shows.

        Nothing is lost where the page shows no batch, or one that is only being begun.
        """
        return self._forgotten(asked) if asked.run is not None and asked.run == asked.begun else {}

    def _forgotten(self, asked: Asked) -> dict[Any, Any]:
        parts = self.parts
        return {
            self.found: None,
            self.opened: None,
            **self._at_rest(),
            parts.controls: gr.update(visible=False),
            parts.progress: self._alert(self._texts.BATCH_FORGOTTEN),
            parts.files: None,
            parts.table: "",
            parts.card: "",
            parts.heat: "",
            "forgotten": asked.run,
        }

    def _at_rest(self) -> dict[Any, Any]:
        return {self.parts.start: gr.update(interactive=True), self.parts.stop: gr.update(interactive=False)}

    @property
    def _all(self) -> list[Any]:
        return [self.found, self.opened, *self.parts.results, self.parts.files]

    def on_start(self) -> None:
        """A batch: begun, run, and ended or stopped."""
        parts, ask = self.parts, self.questions.ask
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        outputs = [self.found, self.opened, *parts.results, parts.chosen, parts.part, parts.note]
        beginning = ask(parts.start.click, self._begun, [parts.files], outputs, _BEGIN, **private, queue=False)
        ask(beginning.event.failure, self._forgotten, [], self._all, **private, queue=False)
        # One batch at a time over all visitors, apart from the single photos, which must not wait for it.
        running = beginning.answered.success(
            self._run, [parts.files, self.found], parts.progress, **private, concurrency_limit=1, concurrency_id="batch"
        )
        for end in (running.then, running.failure):
            ask(end, self._ended, [self.found], self._all, **private, queue=False)
        ask(parts.stop.click, self._halted, [self.found], self._all, **private, cancels=running, queue=False)

    def _begun(self, asked: Asked, paths: list[str] | None) -> dict[Any, Any]:
        parts = self.parts
        if not paths:
            return {parts.progress: self._alert(self._texts.BATCH_NOTHING)}
        return {
            self.found: Batch(paths=paths, run=asked.run),
            self.opened: None,
            parts.start: gr.update(interactive=False),
            parts.stop: gr.update(interactive=True),
            parts.controls: gr.update(visible=False),
            parts.progress: "",
            parts.chosen: FILTERS[0],
            parts.part: "1",
            **dict.fromkeys((parts.table, parts.card, parts.heat, parts.note), ""),
            "begun": asked.run,
        }

    def _run(self, paths: list[str] | None, batch_: Batch | None) -> Iterator[str]:
        """How far it is: with every word of it the table is listed anew, at the threshold as it is by then."""
        if not paths or batch_ is None:
            yield self._alert(self._texts.BATCH_NOTHING)  # without a value, Gradio would empty what `_begun` has filled
            return
        uploads, started, told = batch.Uploads(paths), time.monotonic(), 0.0
        batch_.passed_over = uploads.passed_over
        yield batch.progress(0, uploads.expected, 0, self._texts)
        for rows in batch.screen(self.callbacks.screener, uploads):
            batch_.rows += rows
            now = time.monotonic()
            if now - told >= _BETWEEN_UPDATES:
                told = now
                done = len(batch_.rows)
                yield batch.progress(done, max(uploads.expected, done), now - started, self._texts)
        batch_.complete = True

    def _ended(self, asked: Asked, batch_: Batch | None) -> dict[Any, Any]:
        """After the last photo, a fault, or a stop: then this comes for the run and for the button, in any order."""
        if batch_ is None or batch_.run != asked.run:
            return {**self._at_rest(), **self._lost(asked)}
        texts = self._texts
        sentence = texts.BATCH_STOPPED if batch_.stopped else texts.BATCH_FAILED
        if batch_.complete:
            one = {0: texts.BATCH_NO_PHOTO, 1: texts.BATCH_DONE_ONE}
            sentence = one.get(len(batch_.rows), texts.BATCH_DONE)
        return {
            **self._at_rest(),
            self.parts.controls: gr.update(visible=bool(batch_.rows)),
            self.parts.progress: batch.result(sentence, batch_, texts),
        }

    def _halted(self, asked: Asked, batch_: Batch | None) -> dict[Any, Any]:
        if batch_ is not None:
            batch_.stopped = True
        return self._ended(asked, batch_)

    def on_choice(self, choices: Controls) -> None:
        """The table and the opened row follow threshold and prevalence, the table also filter and part."""
        parts, ask = self.parts, self.questions.ask
        outputs = [*self._all, parts.part, parts.note]

        def moved(*given: Any, **how: Any) -> Any:
            return gr.on(choices.moves, *given, **how)

        def relisted(*given: Any, **how: Any) -> Any:
            return gr.on([parts.part.change, parts.progress.change], *given, **how)

        following = ask(moved, self._follow, [self.found, self.opened, parts.chosen, parts.part], outputs, **QUICK)
        card = json.dumps(answer.not_updated(self._texts))
        behind = f"() => window.isicScreen.behindBatch({card})"
        following.event.failure(None, None, [parts.table, parts.card], js=behind, api_visibility="private")
        ask(relisted, self._listed, [self.found, parts.chosen, parts.part], outputs, **QUICK)
        ask(parts.chosen.input, self._from_the_top, [self.found, parts.chosen], outputs, **QUICK)

    def _listed(self, asked: Asked, batch_: Batch | None, only: str, part: str | None) -> dict[Any, Any]:
        if batch_ is None or batch_.run != asked.run:
            return self._lost(asked)
        texts, now = self._texts, chosen_by(asked, self.callbacks)
        most = batch.parts(batch_, now.threshold, only)
        label = texts.BATCH_PART.format(most=most)
        try:
            wanted = int(typed_number(part)) if part else 1
        except (ValueError, OverflowError):
            sentence = texts.BATCH_NO_PART.format(typed=escape(str(part)), most=most)
            return {self.parts.note: self._alert(sentence), self.parts.part: gr.update(label=label)}
        shown = min(max(wanted, 1), most)
        point = self.callbacks.point(now.threshold)
        # An emptied field is left so: the next figure is on its way.
        corrected = part and part != str(shown)
        return {
            self.parts.table: batch.table(batch_, point, now.prevalence, only, shown, texts),
            self.parts.part: gr.update(label=label, value=str(shown)) if corrected else gr.update(label=label),
            self.parts.note: "",
        }

    def _from_the_top(self, asked: Asked, batch_: Batch | None, only: str) -> dict[Any, Any]:
        listed = self._listed(asked, batch_, only, None)
        if self.parts.part in listed:
            listed[self.parts.part]["value"] = "1"
        return listed

    def _follow(
        self, asked: Asked, batch_: Batch | None, shown: Opened | None, only: str, part: str | None
    ) -> dict[Any, Any]:
        return {**self._listed(asked, batch_, only, part), **self._redrawn(asked, shown)}

    def on_row(self) -> None:
        """A row is opened: it is shown as on the tab for one photo, and looked at again: is it borderline?"""
        parts, ask = self.parts, self.questions.ask
        opening = ask(parts.open_it.click, self._open, [self.found], self._all, **QUICK)
        opening.answered.success(None, None, None, js=_SHOW_CASE, api_visibility="private")
        again = ask(
            opening.answered.success,
            self._look_again,
            [self.found, self.opened],
            [],
            api_visibility="private",
            show_progress="hidden",
            trigger_mode="always_last",
            **MODEL_AT_ONCE,
        )
        ask(again.answered.success, self._redrawn, [self.opened], [parts.card], **QUICK)

    def _open(self, asked: Asked, batch_: Batch | None) -> dict[Any, Any]:
        parts, number = self.parts, asked.opened
        if batch_ is None or batch_.run != asked.run:
            return self._lost(asked)
        if number is None or not 0 <= number < len(batch_.rows):
            return {self.opened: None, parts.card: "", parts.heat: ""}
        row = batch_.rows[number]
        if isinstance(row.result, PhotoError):
            sentence = self._texts.fault(str(row.result))
            return {self.opened: None, parts.card: answer.problem(sentence, self._texts), parts.heat: ""}
        shown = Opened(batch_.run, number, row.name, row.case(row.result))
        heat = self.callbacks.heat(shown.case, METHODS[0])
        return {self.opened: shown, **self._redrawn(asked, shown), parts.heat: heat}

    def _look_again(self, asked: Asked, batch_: Batch | None, shown: Opened | None) -> dict[Any, Any]:
        if batch_ is not None and shown is not None and shown.meant(asked) and shown.case.spread is None:
            self.callbacks.measure_spread(shown.case, batch_.source(shown.number))
        return {}

    def _redrawn(self, asked: Asked, shown: Opened | None) -> dict[Any, Any]:
        if shown is None or not shown.meant(asked):
            return {}
        now = chosen_by(asked, self.callbacks)
        verdict = self.callbacks.verdict(shown.case, now.threshold, now.prevalence)
        return {self.parts.card: answer.named(shown.name, self._texts) + verdict}

    def on_saving(self) -> None:
        """The list as a file, at what holds when it is asked for."""
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        rests_on = [*PARTS, "batch"]
        for button, made, name, kind in (
            (self.parts.csv, self._as_csv, "isic-screen-batch.csv", "text/csv"),
            (self.parts.pdf, self._as_pdf, "isic-screen-batch.pdf", "application/pdf"),
        ):
            making = self.questions.ask(button.click, made, [self.found], self._all, **private)
            save(making, self.parts.note, name, kind, rests_on, self._texts)

    def _as_csv(self, asked: Asked, batch_: Batch | None) -> dict[Any, Any]:
        if batch_ is None or batch_.run != asked.run:
            return self._lost(asked)
        now = chosen_by(asked, self.callbacks)
        point, model, on = (
            self.callbacks.point(now.threshold),
            self.callbacks.screener.model,
            visitors_time(asked.clock),
        )
        made = batch_csv(batch_.rows, point, now.prevalence, self._texts, model=model, on=on)
        # Without its mark, Excel spoils umlauts.
        return {"file": base64.b64encode(made.encode("utf-8-sig")).decode()}

    def _as_pdf(self, asked: Asked, batch_: Batch | None) -> dict[Any, Any]:
        if batch_ is None or batch_.run != asked.run:
            return self._lost(asked)
        now = chosen_by(asked, self.callbacks)
        made = self.callbacks.batch_report(batch_, now.threshold, now.prevalence, visitors_time(asked.clock))
        return {"file": base64.b64encode(made).decode()}
