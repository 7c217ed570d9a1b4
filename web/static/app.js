/* What a keyboard and a second click want. Every page works without it. */
"use strict";

const rows = () => Array.from(document.querySelectorAll("[data-row]"));
const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

function move(by) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((row) => row.hasAttribute("data-cursor"));
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  all.forEach((row) => row.removeAttribute("data-cursor"));
  next.setAttribute("data-cursor", "");
  const link = next.querySelector("a");
  link.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key === "j") move(1);
  if (event.key === "k") move(-1);
  const answer = { a: "agree", r: "return" }[event.key];
  const choice = answer && document.querySelector(`.decide [name="answer"][type="radio"][value="${answer}"]`);
  if (choice) {
    choice.click();
    choice.focus();
    event.preventDefault();
  }
});

/* One click, one request; the key in the form would make two of them one anyway. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

/* Files may be dropped anywhere on a form that takes some. */
const dropArea = (event) => event.target.closest && event.target.closest("[data-drop]");
document.addEventListener("dragover", (event) => {
  if (dropArea(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const area = dropArea(event);
  if (!area) return;
  event.preventDefault();
  area.querySelector('input[type="file"]').files = event.dataTransfer.files;
});
