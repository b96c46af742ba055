// What the page does in the browser alone. Gradio runs this once, when the page is loaded.
(language, example) => {
  document.documentElement.lang = language;

  // Gradio gives the examples no names.
  document.querySelectorAll(".gallery-item").forEach((button, number) => {
    button.setAttribute("aria-label", `${example} ${number + 1}`);
  });

  // Fields of numbers are of text (isic_screen/ui/threshold.py): phones are to show the digits.
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches("#threshold input, #prevalence input, #batch-part input")) target.inputMode = "decimal";
  });
  // A slider's number is the browser's own field, which takes the decimal mark of the browser's language alone: the
  // value is written for it. So the mark is seen with the first digit behind it.
  let whole = null;
  document.addEventListener("beforeinput", (event) => {
    const { target } = event;
    const text = (event.data ?? event.dataTransfer?.getData("text/plain") ?? "").trim();
    if (!target.matches("input[type=number]")) return;
    const write = (value) => {
      event.preventDefault();
      target.value = value;
      target.dispatchEvent(new Event("input", { bubbles: true }));
    };
    if (whole !== null && whole === target.value && /^\d+$/.test(text)) write(`${whole || 0}.${text}`);
    else if (/^\d*[.,]\d+$/.test(text)) write(text.replace(",", "."));
    else if (/^[.,]$/.test(text)) event.preventDefault();
    const left = getSelection().toString() === target.value ? "" : target.value; // what is marked, is typed over
    whole = /^[.,]$/.test(text) && /^\d*$/.test(left) ? left : null;
    if (whole === "") target.value = "";
  });

  const isZip = (file) => /\.zip$/i.test(file.name);
  const put = (files, field) => {
    const all = new DataTransfer();
    for (const file of files) all.items.add(file);
    field.files = all.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const soon = async (found) => {
    for (let tries = 0; tries < 100 && !found(); tries += 1) await new Promise((done) => { setTimeout(done, 50); });
    return found();
  };
  // The tab for one photo takes one. More than that, a folder or a ZIP file go to the tab for many, and none gets lost.
  const giveMany = async (files) => {
    document.querySelector("#many-photos-button").click();
    const start = await soon(() => document.querySelector("#batch-start"));
    const busy = start.disabled;
    document.querySelector("#batch-busy").hidden = !busy;
    document.querySelector("#batch-given").hidden = busy;
    if (busy) return;
    const field = await soon(() => document.querySelector("#batch-files input[type=file]"));
    window.isicScreenArrived = () => start.click();
    put(files, field); // what is there already, stays: nobody would miss it in time
  };
  // What is pasted or dropped anywhere on the tab goes where goes what is dropped on its field.
  const give = async (files, many) => {
    const field = document.querySelector("#photo input[type=file]");
    if (!files.length || !field?.closest("#photo").offsetParent) return;
    if (many || files.length > 1 || isZip(files[0])) await giveMany(files);
    else put(files, field);
  };
  const read = (entry) => new Promise((done) => { entry.file(done, () => done(null)); });
  // The files of a folder and of the folders in it, but for those that a system keeps for itself.
  const inFolder = async (folder) => {
    const reader = folder.createReader();
    const found = [];
    for (let some; !some || some.length;) {
      some = await new Promise((done) => { reader.readEntries(done, () => done([])); });
      for (const entry of some) {
        if (entry.name.startsWith(".") || entry.name === "__MACOSX") continue;
        found.push(...(entry.isDirectory ? await inFolder(entry) : [await read(entry)]));
      }
    }
    return found.filter(Boolean);
  };
  const giveDropped = async (given) => {
    const folders = [...given.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory);
    const files = [...given.files]; // before the first pause: then the browser takes them back
    if (!folders.length) { await give(files, false); return; }
    const names = folders.map(({ name }) => name);
    const inside = await Promise.all(folders.map(inFolder));
    await give([...files.filter(({ name }) => !names.includes(name)), ...inside.flat()], true);
  };
  // Text of a word processor has its picture beside it, and goes into the field that it is pasted into.
  document.addEventListener("paste", (event) => {
    if (event.target.matches("input, textarea") && event.clipboardData.types.includes("text/plain")) return;
    give([...event.clipboardData.files], false);
  });
  // Of several that are dropped on the field or chosen for it, Gradio would take the first.
  document.addEventListener("change", (event) => {
    const { target } = event;
    if (!target.matches("#photo input[type=file]") || (target.files.length === 1 && !isZip(target.files[0]))) return;
    event.stopImmediatePropagation();
    give([...target.files], false);
  }, true);
  document.addEventListener("drop", (event) => {
    if (!event.target.closest?.("#photo") || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true })); // for Gradio: nothing is above it now
    if (!ours) giveDropped(event.dataTransfer);
  }, true);

  // Gradio takes no file that is dropped on a photo, nor beside its fields: the browser would open it in the page's
  // place, and the answer and all that was typed be gone. A picture of the page itself may be dragged about as well.
  let ours = false;
  document.addEventListener("dragstart", () => { ours = true; });
  document.addEventListener("dragend", () => { ours = false; });
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (kind === "drop" && !ours) giveDropped(event.dataTransfer);
    });
  }

  // Where there is no camera, Gradio's button for it does nothing.
  const lookForCamera = async () => {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    document.body.classList.toggle("no-camera", !devices.some(({ kind }) => kind === "videoinput"));
  };
  lookForCamera();
  navigator.mediaDevices?.addEventListener("devicechange", lookForCamera);

  // A photo that the browser cannot draw, as a TIFF, shows no torn picture: the answer shows what was read.
  const show = (shown) => ({ target }) => {
    if (target.matches("#photo img")) target.style.visibility = shown;
  };
  document.addEventListener("error", show("hidden"), true);
  document.addEventListener("load", show(""), true);

  // Gradio's field for a picture offers and takes those files alone that the browser calls pictures: no DICOM files, and
  // HEIC on some systems only. What a file is, the server tells, and says why it cannot be read.
  document.addEventListener("click", ({ target }) => {
    if (target.closest("#photo")) document.querySelector("#photo input[type=file]")?.removeAttribute("accept");
  }, true);
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("#photo input[type=file]")) return;
    const files = new DataTransfer();
    for (const file of target.files) {
      files.items.add(file.type.startsWith("image/") ? file : new File([file], file.name, { type: "image/*" }));
    }
    target.files = files.files;
  }, true);

  // On what stays: a region that comes with its text is not read out by a screen reader.
  for (const id of ["answer", "consequences"]) document.getElementById(id)?.setAttribute("aria-live", "polite");

  // Paper is light. Gradio's dark colours hang on a class, which is away while the page is printed.
  let dark = false;
  window.addEventListener("beforeprint", () => {
    dark ||= document.body.classList.contains("dark");
    document.body.classList.remove("dark");
  });
  window.addEventListener("afterprint", () => {
    if (dark) document.body.classList.add("dark");
    dark = false;
  });

  // Files are made and saved here: one on the server could be fetched by whoever knows its address.
  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };
  window.isicScreenSave = (base64, name, type) => {
    if (base64) fetch(`data:${type};base64,${base64}`).then((answer) => answer.blob()).then((blob) => save(blob, name));
  };

  // The heat map's slider and button come and go with the photo, so the listeners stand on what stays.
  document.addEventListener("input", ({ target }) => {
    if (target.matches(".heat .swipe")) target.closest(".heat").style.setProperty("--swipe", `${target.value}%`);
  });
  // A row of the batch: its number goes with a press of a hidden button to the server, which knows the visitor's batch.
  // A double click is one click: Gradio begins a batch for each.
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest("#batch-start")) event.stopImmediatePropagation();
  }, true);
  document.addEventListener("click", ({ target }) => {
    const row = target.closest("#batch-table [data-photo]");
    if (!row) return;
    window.isicScreen.open(row.dataset.photo);
    document.querySelector("#batch-open").click();
  });

  document.addEventListener("click", ({ target }) => {
    if (!target.matches(".heat .save")) return;
    const [photo, layer] = target.closest(".heat").querySelectorAll(".pictures img");
    const canvas = Object.assign(document.createElement("canvas"), { width: photo.naturalWidth, height: photo.naturalHeight });
    const pen = canvas.getContext("2d");
    pen.drawImage(photo, 0, 0);
    pen.globalAlpha = Number(getComputedStyle(layer).opacity);
    const uncovered = (canvas.width * target.closest(".heat").querySelector(".swipe").value) / 100;
    pen.beginPath();
    pen.rect(uncovered, 0, canvas.width - uncovered, canvas.height);
    pen.clip();
    pen.drawImage(layer, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(blob, "isic-screen-heat-map.png"), "image/png");
  });
}
