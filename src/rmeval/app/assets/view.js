// Keys press the page's own links and buttons, so that everything also works without this file.
"use strict";

const one = (selector) => document.querySelector(selector);
const rows = [...document.querySelectorAll("tr[data-row] a")];
const help = one("#help");
const keys = one("#keys");
let left = false;

function move(step) {
  const place = rows.indexOf(document.activeElement);
  const target = place < 0 ? (step > 0 ? 0 : rows.length - 1) : place + step;
  if (target >= 0 && target < rows.length) rows[target].focus();
}

const actions = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  "/": () => one("#search")?.select(),
  "?": () => help.showModal(),
};

function actionOf(key) {
  const pressed = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key);
  if (pressed) return () => { left = true; pressed.click(); };
  if (["j", "k", "ArrowDown", "ArrowUp"].includes(key) && !rows.length) return undefined;
  if (key === "/" && !one("#search")) return undefined;
  return actions[key];
}

document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("textarea, select, input:not([type=checkbox])");
  if (event.key === "Escape" && writing) event.target.blur();
  if (writing || help.open || left || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!keys.checked && event.key !== "?") return;
  // Arrows scroll, unless a row is focused.
  if (event.key.startsWith("Arrow") && !rows.includes(document.activeElement)) return;
  const action = actionOf(event.key);
  if (!action || (event.repeat && !rows.length)) return;
  event.preventDefault();
  action();
});

// A page that the browser keeps takes keys again.
window.addEventListener("pageshow", () => { left = false; });

// Empty fields of a filter are no part of the address.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const field of document.querySelectorAll("form [name]:disabled")) field.disabled = false;
});

keys.checked = localStorage.getItem("keys") !== "off";
keys.addEventListener("change", () => localStorage.setItem("keys", keys.checked ? "on" : "off"));
one("#help-button").hidden = false;
one("#help-button").addEventListener("click", () => help.showModal());
