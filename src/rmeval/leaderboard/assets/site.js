"use strict";
// Sorting and filtering of boards. Without scripts the tables are complete, in the order of their headline.
(() => {
  document.documentElement.classList.add("js");

  const value = (row, column) => row.cells[column].dataset.value ?? "";

  const compare = (one, other, numeric) =>
    numeric ? Number(one) - Number(other) : one.localeCompare(other, "en", { numeric: true });

  function sort(table, head, descending) {
    const column = head.cellIndex;
    const numeric = head.dataset.sort === "number";
    const rows = [...table.tBodies[0].rows];
    rows.sort((first, second) => {
      const [one, other] = [value(first, column), value(second, column)];
      // Rows without a value are last in both directions.
      if (one === "" || other === "") return (one === "") - (other === "");
      return (descending ? -1 : 1) * compare(one, other, numeric);
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    table.tBodies[0].append(...rows);
  }

  function makeSortable(table) {
    for (const head of table.tHead.rows[0].cells) {
      if (!head.dataset.sort) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = head.dataset.sort === "number" ? "descending" : "ascending";
        const next = now === null ? first : now === "descending" ? "ascending" : "descending";
        sort(table, head, next === "descending");
      });
      if (head.dataset.first !== undefined) head.setAttribute("aria-sort", "descending");
    }
  }

  function makeFilter(section, table) {
    const controls = section.querySelector(".controls");
    const [search, kind, published, baselines, every] = ["search", "kind", "published", "baselines", "every"].map((name) =>
      controls.querySelector(`[name="${name}"]`),
    );
    const count = controls.querySelector("output");
    const update = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.dataset.text;
        const fits =
          words.every((word) => text.includes(word)) &&
          (!kind.value || row.dataset.kind === kind.value) &&
          (published === null || published.checked || row.dataset.published === undefined) &&
          (baselines === null || baselines.checked || row.dataset.baseline === undefined);
        row.hidden = !fits;
        shown += fits;
      }
      if (every !== null) table.classList.toggle("every", every.checked);
      count.textContent = `${shown} of ${table.tBodies[0].rows.length} rows`;
    };
    controls.addEventListener("input", update);
    update();
  }

  for (const section of document.querySelectorAll("section.board")) {
    const table = section.querySelector("table.board");
    makeSortable(table);
    makeFilter(section, table);
  }
})();
