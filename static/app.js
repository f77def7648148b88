// What a page gains with JavaScript: passwords that can be shown, rules that tick while typing, local times.
// Every page works without it.
"use strict";

const TESTS = {
  min: (text, name, limit) => [...text].length >= Number(limit),
  max: (text, name, limit) => [...text].length <= Number(limit),
  lower: (text) => /\p{Lowercase}/u.test(text),
  upper: (text) => /\p{Uppercase}/u.test(text),
  digit: (text) => /\p{Nd}/u.test(text),
  symbol: (text) => /[^\p{L}\p{N}\s]/u.test(text),
  "not-name": (text, name) => name === "" || text.normalize("NFKC").toLowerCase() !== name.normalize("NFKC").toLowerCase(),
};

function showButtons() {
  for (const button of document.querySelectorAll("[data-show]")) {
    const field = document.getElementById(button.dataset.show);
    button.hidden = false;
    button.addEventListener("click", () => {
      const show = field.type === "password";
      field.type = show ? "text" : "password";
      button.textContent = show ? "Hide" : "Show";
      button.setAttribute("aria-pressed", String(show));
    });
  }
}

function tick(item, passes) {
  item.classList.toggle("met", passes === true);
  item.classList.toggle("unmet", passes === false);
}

// The server alone can tell how hard a password is to guess; it is asked when the typing pauses.
async function ask(list, field, name) {
  const body = new URLSearchParams({ username: name, password: field.value });
  const token = field.form.querySelector("[name=csrf_token]").value;
  // Without its own origin, a page that was opened with a user name and password in its address cannot ask.
  const address = new URL(list.dataset.check, location.origin);
  const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body });
  return answer.ok ? answer.json() : null;
}

function liveRules(list) {
  const field = document.getElementById(list.dataset.rulesFor);
  const nameField = field.form.querySelector("input[name=username]");
  const items = [...list.querySelectorAll("[data-rule]")];
  let timer = 0;
  const check = () => {
    field.removeAttribute("aria-invalid"); // what was refused is not there any more
    document.getElementById(`${field.id}-error`)?.remove();
    const text = field.value;
    const name = list.dataset.name || (nameField ? nameField.value : "");
    for (const item of items) {
      const [test, limit] = item.dataset.test.split(":");
      if (test) tick(item, text === "" ? null : TESTS[test](text, name, limit));
      else tick(item, null);
    }
    clearTimeout(timer);
    const late = items.filter((item) => !item.dataset.test);
    if (text === "" || late.length === 0) return;
    timer = setTimeout(async () => {
      const broken = await ask(list, field, name).catch(() => null);
      if (broken === null || field.value !== text) return;
      for (const item of late) tick(item, !broken.includes(item.dataset.rule));
    }, 250);
  };
  field.addEventListener("input", check);
  if (nameField) nameField.addEventListener("input", check);
}

function localTimes() {
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  for (const element of document.querySelectorAll("time[datetime]")) {
    const format = "day" in element.dataset ? day : moment;
    element.title = element.textContent;
    element.textContent = format.format(new Date(element.dateTime));
  }
}

// What is copied is read from the page, so that it is copied as it is shown.
function copyButtons() {
  if (!navigator.clipboard) return; // only pages with https or a loopback address may copy
  const copy = async (button, text) => {
    await navigator.clipboard.writeText(text);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button, document.getElementById(button.dataset.copy).textContent));
  }
  for (const button of document.querySelectorAll("[data-copy-all]")) {
    const rows = document.getElementById(button.dataset.copyAll).tBodies[0].rows;
    const lines = () => [...rows].map((row) => `${row.querySelector(".name").textContent}\t${row.querySelector(".password").textContent}`);
    button.addEventListener("click", () => copy(button, `${lines().join("\n")}\n`));
  }
}

function printButtons() {
  for (const element of document.querySelectorAll(".only-with-script")) element.hidden = false;
  for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
}

function chooseAll() {
  for (const all of document.querySelectorAll("[data-choose-all]")) {
    const name = all.dataset.chooseAll;
    const boxes = [...document.querySelectorAll(`input[type=checkbox][name=${name}]`)];
    const said = document.querySelector(`[data-chosen=${name}]`);
    const count = () => {
      const chosen = boxes.filter((box) => box.checked).length;
      all.checked = chosen > 0 && chosen === boxes.length;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
      if (said) said.textContent = chosen === 0 ? "With those chosen:" : `With the ${chosen} chosen:`;
    };
    all.hidden = false;
    all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; count(); });
    for (const box of boxes) box.addEventListener("change", count);
    count();
  }
}

// Whoever clicks twice means once: the second time would come from a page that is over already.
function sendOnce() {
  let sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    if (event.timeStamp - (sent.get(event.target) ?? -Infinity) < 10_000) event.preventDefault();
    else sent.set(event.target, event.timeStamp);
  });
  window.addEventListener("pageshow", () => { sent = new WeakMap(); });
}

showButtons();
sendOnce();
copyButtons();
printButtons();
chooseAll();
document.querySelectorAll("[data-rules-for]").forEach(liveRules);
localTimes();
