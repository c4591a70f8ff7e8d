"use strict";
// Every .sortable holds one table: its headings sort, its filter hides, and what is below data-fold rows is folded.
for (const box of document.querySelectorAll(".sortable")) {
  const table = box.querySelector("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const most = Number(box.dataset.fold);
  const input = box.querySelector("input[type=search]");
  const status = document.createElement("p");
  status.className = "faint";
  status.setAttribute("role", "status");
  let open = false;
  let more = null;
  let texts = null;

  const show = () => {
    const wanted = input ? input.value.trim().toLocaleLowerCase() : "";
    if (wanted && !texts) {
      texts = new Map(rows.map((row) => [row, row.textContent.toLocaleLowerCase()]));
    }
    let found = 0;
    for (const row of body.rows) {
      const fits = !wanted || texts.get(row).includes(wanted);
      row.toggleAttribute("data-out", !fits);
      row.hidden = !fits || (!open && !wanted && found >= most);
      found += fits ? 1 : 0;
    }
    status.textContent = wanted && !found ? box.dataset.none : "";
    if (more) {
      more.hidden = Boolean(wanted);
      more.textContent = open ? box.dataset.fewer : box.dataset.all;
      more.setAttribute("aria-expanded", String(open));
    }
  };

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.order === undefined ? cell.textContent : Number(cell.dataset.order);
  };
  const compare = (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other)));

  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    if (!head.textContent.trim()) {
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      // Of a number the largest is what is looked for.
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) {
        other.removeAttribute("aria-sort");
      }
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const keys = new Map(rows.map((row, place) => [row, [value(row, column), place]]));
      rows.sort((one, other) => sign * compare(keys.get(one)[0], keys.get(other)[0]) || keys.get(one)[1] - keys.get(other)[1]);
      body.append(...rows);
      show();
    });
  });

  if (rows.length > most) {
    more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.addEventListener("click", () => {
      open = !open;
      show();
    });
    box.append(more);
  }
  if (input) {
    input.addEventListener("input", show);
    box.append(status);
  }
  show();
}
// What is folded is printed all the same. A heading that is repeated on the next page is painted there without the buttons in it.
const folded = [];
const headings = [];
addEventListener("beforeprint", () => {
  for (const button of document.querySelectorAll("th > button")) {
    headings.push([button.parentElement, button]);
    button.replaceWith(button.textContent);
  }
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.open = true;
    folded.push(details);
  }
});
addEventListener("afterprint", () => {
  for (const [head, button] of headings.splice(0)) {
    head.replaceChildren(button);
  }
  for (const details of folded.splice(0)) {
    details.open = false;
  }
});
