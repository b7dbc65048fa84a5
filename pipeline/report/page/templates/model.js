// One model: its confusion matrix with the images of a cell, its classes, its calibration.
const CARDS = 12;
const matrix = find("confusion").tBodies[0];
const state = { model: null, actual: null, predicted: null };

// The matrix has the same cells for every model: create them once, then fill them.
for (const [actual, name] of page.classes.entries()) {
  const row = matrix.insertRow();
  row.append(element("th", { scope: "row" }, name));
  for (const predicted of page.classes.keys()) {
    const button = element("button", { type: "button", tabIndex: -1 });
    button.dataset.actual = actual;
    button.dataset.predicted = predicted;
    row.insertCell().append(actual === predicted ? element("span") : button);
  }
}
const cellAt = (actual, predicted) => matrix.rows[actual]?.cells[predicted + 1]?.firstChild;

function fillMatrix(model) {
  model.confusion.forEach((row, actual) => {
    const support = row.reduce((sum, images) => sum + images, 0);
    row.forEach((images, predicted) => {
      const cell = cellAt(actual, predicted);
      const fraction = support ? images / support : 0;
      cell.textContent = images;
      cell.style.setProperty("--fraction", Math.sqrt(fraction).toFixed(3)); // the root lets rare mistakes show
      cell.classList.toggle("none", images === 0);
      if (actual === predicted) return;
      cell.ariaLabel = `${page.classes[actual]} predicted as ${page.classes[predicted]}: ${count(images, "image")}`;
    });
  });
}

function worstCell(model) {
  let worst = { actual: 0, predicted: 1, images: -1 };
  model.confusion.forEach((row, actual) => {
    row.forEach((images, predicted) => {
      if (actual !== predicted && images > worst.images) worst = { actual, predicted, images };
    });
  });
  return worst;
}

// The Tab key stops at one cell of the matrix, the last one that had the focus.
function enterAt(cell) {
  for (const button of matrix.querySelectorAll("button[tabindex='0']")) button.tabIndex = -1;
  cell.tabIndex = 0;
}

function chooseCell(actual, predicted) {
  cellAt(state.actual, state.predicted)?.setAttribute("aria-pressed", "false");
  cellAt(actual, predicted).setAttribute("aria-pressed", "true");
  enterAt(cellAt(actual, predicted));
  Object.assign(state, { actual, predicted });
  showCell();
}

function showCell() {
  const { model, actual, predicted } = state;
  const inCell = [...model.mistakes.keys()].filter(
    (mistake) => page.labels[model.mistakes[mistake]] === actual && model.predicted[mistake] === predicted,
  );
  find("gallery-title").textContent = `${page.classes[actual]} predicted as ${page.classes[predicted]}: ${count(inCell.length, "image")}`;
  showInSteps(find("cards"), find("more"), inCell, (mistake) => card(model, mistake), CARDS);
}

function fillClasses(model) {
  const cell = (value, text = percent(value)) => {
    const made = element("td", { className: "number" }, text);
    made.dataset.value = value;
    return made;
  };
  const rows = model.perClass.map((scores) => {
    const name = element("th", { scope: "row" }, scores.class);
    name.dataset.value = scores.class;
    const values = [scores.precision, scores.recall, scores.f1].map((value) => cell(value));
    return element("tr", {}, name, ...values, cell(scores.support, scores.support.toLocaleString("en")));
  });
  const images = model.perClass.reduce((sum, scores) => sum + scores.support, 0);
  const means = ["macro", "weighted"].map((kind) => {
    const values = ["precision", "recall", "f1"].map((name) => cell(model.averages[`${name}_${kind}`]));
    return element("tr", {}, element("th", { scope: "row" }, `${kind} mean`), ...values, cell(images, images.toLocaleString("en")));
  });
  const table = find("per-class");
  table.tBodies[0].replaceChildren(...rows);
  table.tFoot.replaceChildren(...means);
  sortAgain(table);
}

function chooseModel(place) {
  const model = page.models[place];
  state.model = model;
  const seed = model.seeds > 1 ? `best seed (${model.seed}) of ${model.seeds}: ` : "";
  find("model-accuracy").textContent = `${seed}test accuracy ${percent(model.accuracy)}`;
  fillMatrix(model);
  if (state.actual === null) {
    const { actual, predicted } = worstCell(model);
    chooseCell(actual, predicted);
  } else {
    showCell();
  }
  fillClasses(model);
  find("calibration-error").textContent = percent(model.calibrationError);
  set("class-scores", { model: model.name });
  set("reliability", { model: model.name });
}

matrix.addEventListener("click", ({ target }) => {
  if (target.tagName !== "BUTTON") return;
  chooseCell(Number(target.dataset.actual), Number(target.dataset.predicted));
  find("gallery").scrollIntoView({ block: "nearest", behavior: "smooth" });
});

// Arrow keys move to the next cell and skip the diagonal. Enter and the space bar select, as on any button.
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
matrix.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step || event.target.tagName !== "BUTTON") return;
  event.preventDefault();
  let [actual, predicted] = [Number(event.target.dataset.actual), Number(event.target.dataset.predicted)];
  do {
    actual += step[0];
    predicted += step[1];
  } while (actual === predicted);
  cellAt(actual, predicted)?.focus?.();
});
matrix.addEventListener("focusin", ({ target }) => enterAt(target));
find("model").addEventListener("change", ({ target }) => chooseModel(Number(target.value)));
