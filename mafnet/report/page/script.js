// Sorting, filtering and opening of details. Without this script the page shows the same content.
"use strict";

function valueOf(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  return cell.classList.contains("num") ? (text === "" ? NaN : Number(text)) : text;
}

// Rows without a number come last in both directions.
function compare(one, other, direction) {
  if (typeof one === "string") {
    return direction * one.localeCompare(other, undefined, { numeric: true });
  }
  if (Number.isNaN(one) || Number.isNaN(other)) {
    return Number.isNaN(one) - Number.isNaN(other);
  }
  return direction * (one - other);
}

function sortBy(table, heading) {
  // The first click sorts names ascending and numbers descending.
  const first = heading.classList.contains("num") ? "descending" : "ascending";
  const ascending = (heading.getAttribute("aria-sort") === first) === (first === "descending");
  const column = heading.cellIndex;
  const keyed = Array.from(table.tBodies[0].rows, (row) => [valueOf(row, column), row]);
  keyed.sort((one, other) => compare(one[0], other[0], ascending ? 1 : -1));
  table.tBodies[0].append(...keyed.map(([, row]) => row));
  for (const other of heading.parentElement.cells) {
    other.removeAttribute("aria-sort");
  }
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

function makeSortable(table) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
  }
}

function makeFilter() {
  const text = document.getElementById("filter-text");
  const outcome = document.getElementById("filter-outcome");
  const count = document.getElementById("filter-count");
  const rows = Array.from(document.getElementById("sample-table").tBodies[0].rows, (row) => ({
    row,
    outcome: row.dataset.outcome,
    text: row.textContent.toLowerCase(),
  }));
  const apply = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, outcome: own, text: content } of rows) {
      const fits = (!outcome.value || own === outcome.value) && wanted.every((word) => content.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length} shown`;
  };
  text.addEventListener("input", apply);
  outcome.addEventListener("change", apply);
  text.closest(".filter").hidden = false;
  apply();
}

// A link to an element inside a closed <details> opens it.
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const holder = target && target.closest("details");
  for (let one = holder; one; one = one.parentElement.closest("details")) {
    one.open = true;
  }
  if (holder) {
    holder.scrollIntoView();
    holder.querySelector("summary").focus({ preventScroll: true });
  }
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
makeFilter();
window.addEventListener("hashchange", openTarget);
openTarget();
