// What a visitor sees follows from the newest input, however late answers come. Inputs and questions to the server are
// numbered here, in one row. A question says all that it is about; its answer bears its number, and changes no part of
// the page that was answered later, or that the visitor has changed since. See isic_screen/ui/newest.py.
() => {
  const FOLLOW = ["answer", "consequences", "plot", "roc", "confusion", "batch-table", "batch-case"];
  const TYPED = ["threshold", "prevalence"];
  const CONTROLS = [...TYPED, "sensitivity", "batch-sensitivity", "presets", "batch-part", "batch-filter", "report"];
  const HIDDEN = { __type__: "update", visible: false };
  let count = 0;
  let lastChoice = 0; // the newest input that threshold or prevalence come from
  let inForce = null; // these, as the newest answer has them; null: the model's own
  let choices = []; // the inputs since, which it does not hold yet
  let photo = null, screened = null; // the photo that is shown, and the one whose answer is there
  let run = null, begun = null, opened = null; // of the batch: the run, the one that the server has begun, the row
  const changed = {}; // a part's newest input
  const logged = {}; // how much of that is among the choices
  const answered = {}; // a part's newest answer
  const asked = {}; // the newest question about a part that was answered, be it by nothing new

  const change = (...parts) => {
    count += 1;
    parts.forEach((part) => { changed[part] = count; });
  };
  const isAfter = (number, part) => number > Math.max(changed[part] ?? 0, answered[part] ?? 0);
  const nameOf = (given) => (given === null ? null : (given.path ?? given.url.slice(-200)));
  const isMoved = (control) => (changed[control] ?? 0) > (logged[control] ?? 0);

  const clock = () => {
    const now = new Date(), ahead = -now.getTimezoneOffset(), two = (number) => `${Math.floor(number)}`.padStart(2, "0");
    const local = new Date(now.getTime() + ahead * 60000).toISOString().slice(0, 19);
    return `${local}${ahead < 0 ? "-" : "+"}${two(Math.abs(ahead) / 60)}:${two(Math.abs(ahead) % 60)}`;
  };

  // At once: between a move and what Gradio makes of it there is time for an answer.
  document.addEventListener("input", ({ target }) => {
    const control = target.closest(CONTROLS.map((id) => `#${id}`).join());
    if (control) change(control.id);
  }, true);

  // What is shown for another choice than the newest is pale.
  const markBehind = () => FOLLOW.forEach((id) => {
    document.getElementById(id)?.setAttribute("aria-busy", (asked[id] ?? 0) < lastChoice);
  });

  const choose = (field, control, value) => {
    if (!isMoved(control)) return; // only left; or Gradio, which had the event wait, sets it off anew
    const typed = TYPED.includes(field);
    change(control);
    logged[control] = lastChoice = count;
    if (!typed) choices = choices.filter(({ given }) => given.field === "prevalence"); // it holds whatever was before
    choices.push({ number: count, given: { field, value: typed ? value.slice(0, 80) : value } });
    markBehind();
  };

  window.isicScreen = {
    change,

    /** A choice of threshold or prevalence by one of the controls. */
    choose,

    /** What goes to the server with every question, here with one about the photo that is `given`. */
    ask(given) {
      for (const control of TYPED) { // it is left by the same click that asks
        const field = document.querySelector(`#${control} input`);
        if (isMoved(control) && field !== document.activeElement) choose(control, control, field.value);
      }
      count += 1;
      return JSON.stringify({
        ...{ number: count, clock: clock(), photo: given === undefined ? photo : nameOf(given), screened, run, begun, opened },
        ...{ in_force: inForce, choices: choices.map((choice) => choice.given) },
      });
    },

    /** Of an answer, the new values of these parts; undefined is what Gradio leaves as it is. */
    answer({ number, values, told }, parts) {
      if ("screened" in told && told.screened !== photo) return [];
      if (told.in_force && isAfter(number, "in force")) {
        answered["in force"] = number;
        inForce = told.in_force;
        choices = choices.filter((choice) => choice.number > number);
      }
      screened = told.screened ?? screened;
      begun = told.begun ?? begun;
      if (told.forgotten === begun) begun = null;
      const isBeingTyped = (part) => TYPED.includes(part) && isMoved(part);
      const fresh = parts.map((part) => part in values && isAfter(number, part) && !isBeingTyped(part));
      parts.forEach((part, place) => {
        asked[part] = Math.max(asked[part] ?? 0, number);
        if (fresh[place]) answered[part] = number;
      });
      markBehind();
      return parts.map((part, place) => (fresh[place] ? values[part] : undefined));
    },

    /** Another photo is shown, or none: what stood there of the one before goes, and what was typed for its report.
        A field that is empty is given nothing: what Gradio is told of a closed report's fields, it puts in shortly
        after they have appeared, over what was typed there meanwhile. */
    show(given, [waiting, underWay], parts, typed) {
      photo = nameOf(given);
      change("photo", ...parts);
      return [photo === null ? waiting : underWay, "", HIDDEN, HIDDEN, ...typed.map((text) => (text ? "" : undefined)), ""];
    },

    /** The photo that is shown gets no answer: the card that says so. */
    fail(card) {
      if (photo === null || photo === screened) return [];
      change("answer");
      return [card];
    },

    /** No answer about the newest choice: the card goes in the place of one that is about another. */
    behind: (card) => [photo !== null && photo === screened ? card : undefined, card],
    behindBatch: (card) => (run === null ? [] : [card, ""]),

    /** A batch is begun, where there are files, and asked for: by the same click, as a second one is not asked about. */
    begin(files) {
      if (files?.length) {
        change("batch", "batch-table", "batch-case", "batch-heat");
        [run, opened] = [count, null];
      }
      return window.isicScreen.ask();
    },

    /** A row of the batch is opened. */
    open(row) {
      change("batch-case", "batch-heat");
      opened = Number(row);
    },

    /** Save a file that the server made; whether nothing that it rests on has changed since it was asked for. */
    save({ number, told: { file } }, name, type, parts) {
      const stale = parts.some((part) => (changed[part] ?? 0) > number);
      if (file && !stale) window.isicScreenSave(file, name, type);
      return !stale;
    },
  };
}
