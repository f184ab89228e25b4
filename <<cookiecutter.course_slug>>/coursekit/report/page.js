// A heading of a table sorts it: numbers from the lowest, a second time from the highest.
for (const head of document.querySelectorAll(".sortable thead tr:first-child th")) {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  head.append(button);
  button.onclick = () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const words = !head.matches(".n, .name");
    const rows = [...body.rows].map((row, n) => {
      const text = row.cells[head.cellIndex].textContent.trim();
      return { row, n, text, value: words ? NaN : parseFloat(text) };
    });
    const number = (x) => (isNaN(x.value) ? -1 : x.value);
    rows.sort((a, b) => (number(a) - number(b) || (words ? a.text.localeCompare(b.text, undefined, { numeric: true }) : 0)) * (up ? 1 : -1) || a.n - b.n);
    body.append(...rows.map((x) => x.row));
  };
}

// The search field shows only whom it finds, wherever they stand; accents and case do not count.
const search = document.querySelector("search"), field = search.querySelector("input");
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const people = [...document.querySelectorAll("[data-who]")].map((shown) => ({ shown, who: plain(shown.dataset.who) }));
const lists = document.querySelectorAll("details");
field.oninput = () => {
  const words = plain(field.value).split(/\s+/).filter(Boolean);
  for (const { shown, who } of people) shown.hidden = !words.every((word) => who.includes(word));
  for (const list of lists) list.open = words.length > 0 && list.querySelector("[data-who]:not([hidden])") !== null;
  for (const row of document.querySelectorAll(".groups tbody tr")) row.hidden = !row.querySelector("[data-who]:not([hidden])");
  const found = document.querySelectorAll(".everyone [data-who]:not([hidden])").length;
  search.querySelector("output").textContent = words.length ? `${found} student${found === 1 ? "" : "s"}` : "";
};
onkeydown = (event) => {
  if (event.key === "/" && event.target !== field && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    field.select();
  } else if (event.key === "Escape" && event.target === field) {
    field.value = "";
    field.oninput();
    field.blur();
  }
};
search.hidden = false;
