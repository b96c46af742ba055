// What the page does in the browser alone. Gradio runs this once, when the page is loaded.
(language, example) => {
  document.documentElement.lang = language;

  // Gradio gives the examples no names.
  document.querySelectorAll(".gallery-item").forEach((button, number) => {
    button.setAttribute("aria-label", `${example} ${number + 1}`);
  });

  // A picture that is pasted or dropped anywhere on the tab goes where one goes that is dropped on its field.
  const give = (given) => {
    const picture = [...given.files].find((file) => file.type.startsWith("image/"));
    const field = document.querySelector("#photo input[type=file]");
    if (!picture || !field?.closest("#photo").offsetParent) return;
    const files = new DataTransfer();
    files.items.add(picture);
    field.files = files.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  // Text of a word processor has its picture beside it, and goes into the field that it is pasted into.
  document.addEventListener("paste", (event) => {
    if (event.target.matches("input, textarea") && event.clipboardData.types.includes("text/plain")) return;
    give(event.clipboardData);
  });

  // Gradio takes no file that is dropped on a photo, nor beside its fields: the browser would open it in the page's
  // place, and the answer and all that was typed be gone. A picture of the page itself may be dragged about as well.
  let ours = false;
  document.addEventListener("dragstart", () => { ours = true; });
  document.addEventListener("dragend", () => { ours = false; });
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (kind === "drop" && !ours) give(event.dataTransfer);
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
  document.addEventListener("click", ({ target }) => {
    const row = target.closest("#batch-table [data-photo]");
    if (!row) return;
    window.isicScreenOpened = row.dataset.photo;
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
