// What the page can do without this, it does without this: here are keys, dropping, copying, and nothing else.
"use strict";
document.documentElement.classList.add("js");

const MOST = 20 * 1024 * 1024; // what the server takes
const box = document.getElementById("q");
const file = document.getElementById("file");

function say(text) {
  const said = document.getElementById("said");
  if (said) { said.textContent = text; said.hidden = false; }
}

// Arrows go through what was found: down and up in a column, left and right to the same place of its neighbours.
function columns() {
  return [...document.querySelectorAll(".column")].map((each) => [...each.querySelectorAll(".hit > summary")]);
}

function step(key) {
  const found = columns().filter((each) => each.length);
  if (!found.length) return false;
  let x = found.findIndex((each) => each.includes(document.activeElement));
  if (x < 0) {
    if (key !== "ArrowDown" || document.activeElement !== box) return false;
    found[0][0].focus();
    return true;
  }
  let y = found[x].indexOf(document.activeElement);
  if (key === "ArrowUp" && y === 0) { box.focus(); return true; }
  if (key === "ArrowDown") y += 1;
  if (key === "ArrowUp") y -= 1;
  if (key === "ArrowRight") x += 1;
  if (key === "ArrowLeft") x -= 1;
  const column = found[Math.max(0, Math.min(x, found.length - 1))];
  column[Math.max(0, Math.min(y, column.length - 1))].focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !typing && box) { event.preventDefault(); box.focus(); box.select(); return; }
  if (event.key === "Escape" && box && document.activeElement !== box) { box.focus(); return; }
  if (event.key.startsWith("Arrow") && (!typing || document.activeElement === box) && step(event.key)) event.preventDefault();
});

// The same document in the other columns.
function mark(event, on) {
  const hit = event.target.closest && event.target.closest(".hit");
  if (!hit) return;
  for (const each of document.querySelectorAll(".hit")) {
    each.classList.toggle("same", on && each !== hit && each.dataset.id === hit.dataset.id);
  }
}
for (const [name, on] of [["focusin", true], ["focusout", false], ["mouseover", true], ["mouseout", false]]) {
  document.addEventListener(name, (event) => mark(event, on));
}

// A picture, dropped, pasted or chosen.
function send(files) {
  if (!file || !files.length) return;
  if (files[0].size > MOST) { say(`${files[0].name} is too long: at most 20 MB are taken`); return; }
  if (files !== file.files) {
    const carried = new DataTransfer();
    carried.items.add(files[0]);
    file.files = carried.files;
  }
  document.getElementById("form").requestSubmit(document.getElementById("send"));
}
if (file) {
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    send(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => send(event.clipboardData.files));
  file.addEventListener("change", () => send(file.files));
}

// Copying; where a browser gives no clipboard to a page (http from another machine), the text is selected instead.
document.addEventListener("click", async (event) => {
  const button = event.target.closest && event.target.closest(".copy");
  if (!button) return;
  const from = document.getElementById(button.dataset.from);
  try {
    await navigator.clipboard.writeText(from.textContent);
    say("copied");
  } catch {
    for (let outer = from.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
    getSelection().selectAllChildren(from);
    say("press Ctrl+C to copy what is selected");
  }
});
