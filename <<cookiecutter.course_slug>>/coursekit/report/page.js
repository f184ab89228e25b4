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
    const rows = [...body.rows].map((row, n) => {
      const text = row.cells[head.cellIndex].textContent.trim();
      return { row, n, text, value: head.cellIndex ? parseFloat(text) : NaN };
    });
    const number = (x) => (isNaN(x.value) ? -1 : x.value);
    rows.sort((a, b) => (number(a) - number(b) || (head.cellIndex ? 0 : a.text.localeCompare(b.text, undefined, { numeric: true }))) * (up ? 1 : -1) || a.n - b.n);
    body.append(...rows.map((x) => x.row));
  };
}
