// Sort tables by the column whose title is selected, by the cells' data-value.
function sortBy(table, column, direction) {
  const key = (row) => row.cells[column].dataset.value;
  const numeric = table.tHead.rows[0].cells[column].classList.contains("number");
  const rows = [...table.tBodies[0].rows].sort((one, other) => {
    if (!numeric) return direction * key(one).localeCompare(key(other));
    const missing = [key(one), key(other)].map((value) => value === "");
    return missing[0] || missing[1] ? missing[0] - missing[1] : direction * (key(one) - key(other));
  });
  table.tBodies[0].append(...rows);
  [...table.tHead.rows[0].cells].forEach((cell, place) => {
    if (place === column) cell.ariaSort = direction > 0 ? "ascending" : "descending";
    else cell.removeAttribute("aria-sort");
  });
}

// Keep the selected order when a table's rows are replaced.
function sortAgain(table) {
  const cells = [...table.tHead.rows[0].cells];
  const column = cells.findIndex((cell) => cell.ariaSort);
  if (column >= 0) sortBy(table, column, cells[column].ariaSort === "ascending" ? 1 : -1);
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const cell = event.target.closest("button")?.closest("th");
    if (!cell) return;
    const first = cell.classList.contains("number") ? -1 : 1; // names from A, numbers from the largest
    const turned = cell.ariaSort === "ascending" ? -1 : 1;
    sortBy(table, cell.cellIndex, cell.ariaSort ? turned : first);
  });
}
