// Keys press the page's own buttons and links; verdicts are forms, so that nothing is stored by this file but drafts.
"use strict";

const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const questions = all("form.question");
const help = one("#help");
const keys = one("#keys");
let sent = false;

function activate(form) {
  for (const each of questions) each.classList.toggle("active", each === form);
}

function nextQuestion() {
  const place = questions.findIndex((form) => form.classList.contains("active"));
  if (questions.length) activate(questions[(place + 1) % questions.length]);
}

function judge(letter) {
  const verdict = { c: "correct", i: "incorrect", u: "unsure" }[letter];
  one(`form.question.active button[value="${verdict}"]`)?.click();
}

const press = (selector) => () => one(selector)?.click();
const actions = {
  c: () => judge("c"),
  i: () => judge("i"),
  u: () => judge("u"),
  q: nextQuestion,
  m: () => one("form.question.active textarea")?.focus(),
  n: press("#next"),
  p: press("#previous"),
  z: press("#undo"),
  t: press("#view"),
  l: press("header .name a"),
  "?": () => help.showModal(),
};

document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("textarea, input:not([type=checkbox])");
  if (event.key === "Escape" && writing) event.target.blur();
  if (writing || help.open || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!keys.checked && event.key !== "?") return;
  const tab = /^[1-9]$/.test(event.key) ? all("a.tab")[Number(event.key) - 1] : null;
  const action = tab ? () => tab.click() : actions[event.key];
  if (!action || sent) return;
  event.preventDefault();
  action();
});

for (const form of questions) {
  form.addEventListener("focusin", () => activate(form));
}

// A second press while the first verdict is on its way would be one for the next question.
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  if (sent) event.preventDefault();
  sent = true;
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// A comment without a verdict survives a reload and an end of the server in this tab.
for (const form of questions) {
  const box = form.querySelector("textarea");
  const name = `draft ${form.dataset.draft}`;
  const draft = sessionStorage.getItem(name);
  if (draft !== null && draft !== box.value) box.value = draft;
  if (draft === box.defaultValue) sessionStorage.removeItem(name);
  box.addEventListener("input", () => sessionStorage.setItem(name, box.value));
}

keys.checked = localStorage.getItem("keys") !== "off";
keys.addEventListener("change", () => localStorage.setItem("keys", keys.checked ? "on" : "off"));
one("#help-button").hidden = false;
one("#help-button").addEventListener("click", () => help.showModal());
