// One answer at a time, marked by keys. What students wrote is only ever set as text.
"use strict";
const page = JSON.parse(document.getElementById("data").textContent);
const el = (id) => document.getElementById(id);
const answers = page.questions.flatMap((question, number) =>
  question.answers.map((answer) => ({ ...answer, question, number })));

// ---- What is known: marks and the steps back, by the answers' ids, kept in this browser

const place = ["marks", page.course, page.term, page.module, page.grader].join("\n");
let state = { marks: {}, past: [], at: "", unsaved: false };
let keeps = true, said = "", picking = false, typing = false;

function load() {
  try {
    state = { ...state, ...JSON.parse(localStorage.getItem(place) ?? "{}") };
  } catch {
    keeps = false;
  }
}

function keep() {
  try {
    localStorage.setItem(place, JSON.stringify(state));
    keeps = true;
  } catch {
    keeps = false;
  }
}

const here = () => answers.find((answer) => answer.id === state.at) ?? answers[0];
const markOf = (answer) => state.marks[answer.id] ?? { points: null, lines: [], comment: answer.said ?? "" };
const isMarked = (answer) => markOf(answer).points !== null;
const same = () => here().question.answers.filter((other) => other.answer === here().answer).length - 1;

function remember(changed) {
  state.past.push({ at: here().id, before: changed.map(({ id }) => [id, state.marks[id] ?? null]) });
  state.past = state.past.slice(-500);
  state.unsaved = true;
}

function change(values, changed = [here()]) {
  remember(changed);
  for (const answer of changed) state.marks[answer.id] = { ...markOf(answer), ...values };
}

// ---- What the keys do

function add(points, values = {}) {
  const sum = (markOf(here()).points ?? 0) + points;
  change({ points: Math.min(here().question.points, Math.max(0, sum)), ...values });
}

function toggle(number) {
  const line = here().question.rubric[number], { lines } = markOf(here());
  if (!line) return;
  const chosen = lines.includes(number);
  add(chosen ? -line.points : line.points,
    { lines: chosen ? lines.filter((other) => other !== number) : [...lines, number].sort() });
}

function go(steps) {
  const wanted = answers.indexOf(here()) + steps;
  state.at = answers[Math.min(answers.length - 1, Math.max(0, wanted))].id;
}

function next() {
  const now = answers.indexOf(here());
  const left = [...answers.slice(now + 1), ...answers.slice(0, now + 1)].find((answer) => !isMarked(answer));
  if (left) state.at = left.id;
  else said = "All answers are marked: press s to save.";
}

function nextQuestion() {
  const wanted = (here().number + 1) % page.questions.length;
  const those = answers.filter(({ number }) => number === wanted);
  state.at = (those.find((answer) => !isMarked(answer)) ?? those[0]).id;
}

function likeThis() {
  const others = answers.filter((a) => a.question === here().question && a.answer === here().answer && a !== here());
  if (others.length && isMarked(here())) change(markOf(here()), others);
  said = isMarked(here()) ? `${others.length} others have this mark now.` : "Give this one points first.";
}

function undo() {
  const last = state.past.pop();
  if (!last) return void (said = "Nothing to undo.");
  for (const [id, mark] of last.before) {
    if (mark) state.marks[id] = mark;
    else delete state.marks[id];
  }
  state.at = last.at;
  state.unsaved = true;
}

function comments() {
  const counts = new Map();
  for (const answer of answers) {
    const { comment } = markOf(answer);
    if (comment && answer.question === here().question) counts.set(comment, (counts.get(comment) ?? 0) + 1);
  }
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, 9);
}

function save() {
  const given = answers.filter((answer) => state.marks[answer.id]);
  const marks = given.filter(isMarked).map((answer) => {
    const { points, lines, comment } = markOf(answer);
    return { student: answer.student, question: answer.question.name, answer: answer.answer, had: answer.had,
      said: answer.said, points, lines: lines.map((n) => answer.question.rubric[n].text), comment };
  });
  const { format, course, module, grader, made } = page;
  const file = { format, page: page.page, course, module, grader, made, saved: new Date().toISOString(), marks };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
  link.download = `${page.module}-${grader}.marks.json`;
  link.click();
  state.unsaved = false;
  const bare = given.length - marks.length;
  said = `${marks.length} marks are in ${link.download}.` + (bare ? ` ${bare} comments are not: their answers have no points yet.` : "");
}

const KEYS = [
  ["1", "… 9: a line of the rubric", null],
  ["0", "no points", () => change({ points: 0, lines: [] })],
  ["+", "half a point more", () => add(0.5)],
  ["-", "less", () => add(-0.5)],
  ["Enter", "next unmarked", next],
  ["ArrowLeft", "previous", () => go(-1)],
  ["ArrowRight", "next", () => go(1)],
  ["c", "comment", () => el("comment").focus()],
  ["r", "use a comment again", () => { picking = comments().length > 0; said = picking ? "" : "No comments on this question yet."; }],
  ["a", "this mark for all with the same text", likeThis],
  ["u", "undo", undo],
  ["q", "next question", nextQuestion],
  ["s", "save", save],
];
const NAMES = { ArrowLeft: "←", ArrowRight: "→" };

function press(key) {
  const [, , action] = KEYS.find(([name]) => name === key) ?? [];
  const digit = Number(key) - 1;
  if (picking) {
    picking = false;
    const comment = comments()[digit];
    if (comment !== undefined) change({ comment });
  } else {
    said = "";
    if (action) action();
    else toggle(digit);
  }
  keep();
  show();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !answers.length) return;
  if (event.target === el("comment")) {
    if (event.key !== "Escape" && (event.key !== "Enter" || event.shiftKey)) return;
    el("comment").blur();
    return event.preventDefault();
  }
  const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // Where digits need Shift, as on French keyboards, the key itself says which one it is.
  const digit = /^(Digit|Numpad)\d$/.test(event.code) ? event.code.slice(-1) : "";
  const key = letter === "=" ? "+" : [letter, digit].find((k) => /^\d$/.test(k) || KEYS.some(([name]) => name === k));
  if (key === undefined && !picking) return;
  event.preventDefault();
  press(key ?? "Escape");
});

el("comment").addEventListener("input", () => {
  if (!typing) remember([here()]);
  typing = true; // one step back for all that is typed
  state.marks[here().id] = { ...markOf(here()), comment: el("comment").value };
  keep();
});
el("comment").addEventListener("blur", () => { typing = false; show(); });
addEventListener("beforeunload", (event) => { if (state.unsaved) event.preventDefault(); });
addEventListener("storage", (event) => { if (event.key === place) { load(); show(); } }); // another tab's

// ---- What is shown

function node(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.textContent = text;
  return made;
}

function button(key, text, pressed) {
  const made = node("button", "", { type: "button", onclick: () => { press(key); made.blur(); } });
  if (pressed !== undefined) made.setAttribute("aria-pressed", pressed);
  made.append(node("kbd", NAMES[key] ?? key), ` ${text}`);
  return made;
}

// Lines of a paragraph in the module's source become one, which wraps where there is room.
const flowing = (text) => text.replace(/(\S)\n(?=[^\s|*-])/g, "$1 ");
let shown = "";

function show() {
  const answer = here();
  if (!answer) return void (el("status").textContent = "There is nothing to mark on this page.");
  const { question } = answer, { points, lines, comment } = markOf(answer);
  const those = question.answers;
  el("progress").textContent = `${those.filter(isMarked).length} of ${those.length} · question ${answer.number + 1} of ${page.questions.length} · ${answers.filter(isMarked).length} of ${answers.length} in all`;
  el("points").textContent = `${points ?? "–"} of ${question.points}`;
  el("rubric").replaceChildren(...question.rubric.map((line, n) => button(String(n + 1), `${line.points}: ${line.text}`, lines.includes(n))));
  el("comment").value = comment;
  el("again").replaceChildren(...(picking ? comments().map((text, n) => button(String(n + 1), text)) : []));
  const notes = [
    keeps ? "" : "This browser keeps nothing for this page: save before you close it.",
    answer.had !== null ? `It had ${answer.had} points before; the work was graded again since.` : "",
    same() ? `${same()} others have the same text.` : "",
    state.unsaved ? "Not saved yet." : "",
    said,
  ];
  el("status").textContent = notes.filter(Boolean).join(" ");
  if (shown === answer.id) return; // a long answer is laid out once
  shown = answer.id;
  el("title").textContent = question.title;
  el("question").textContent = flowing(question.text);
  el("model").textContent = flowing(question.model);
  el("who").textContent = [answer.name, answer.student].filter(Boolean).join(" · ");
  el("answer").textContent = answer.text.trim() ? answer.text : "(empty)";
  el("pictures").replaceChildren(...answer.pictures.map((src) => node("img", "", { src, alt: "" })));
  scrollTo(0, 0);
}

el("keys").append(...KEYS.map(([key, text]) => button(key, text)));
load();
show();
