// Test images with their predictions.
function picture(position) {
  const made = element("span", { className: "picture", role: "img", ariaLabel: `test image ${page.numbers[position]}` });
  made.style.setProperty("--column", position % page.columns);
  made.style.setProperty("--row", Math.floor(position / page.columns));
  return made;
}

// One mistake of a model: the image, and a bar for the probability of each class.
function card(model, mistake) {
  const position = model.mistakes[mistake];
  const classes = page.classes.length;
  const bars = page.classes.map((name, place) => {
    const fraction = model.probabilities[mistake * classes + place] / 255;
    const role = place === page.labels[position] ? "correct" : place === model.predicted[mistake] ? "wrong" : "";
    const bar = element("i");
    bar.style.setProperty("--fraction", fraction.toFixed(3));
    const words = { correct: "actual", wrong: "predicted" }[role];
    const label = element("span", { className: "name", title: name }, name);
    if (words) label.append(element("span", { className: "hidden" }, ` (${words})`));
    return element("li", { className: role }, label, bar, element("b", {}, 0 < fraction && fraction < 0.005 ? "< 1 %" : percent(fraction, 0)));
  });
  const name = element("span", { className: "number" }, `№ ${page.numbers[position]}`);
  return element("li", {}, element("div", {}, picture(position), name), element("ol", {}, ...bars));
}

// One image that only one of two models classifies correctly, with the other's prediction.
function tile(model, mistake) {
  const position = model.mistakes[mistake];
  const words = element("span", { className: "words" }, page.classes[page.labels[position]], element("br"));
  words.append(element("span", { className: "taken" }, `predicted ${page.classes[model.predicted[mistake]]}`), element("br"));
  words.append(element("small", {}, `№ ${page.numbers[position]}`));
  return element("li", {}, picture(position), words);
}

// Shows the first items, and a button for as many more.
function showInSteps(list, button, items, make, step) {
  const show = () => {
    const shown = list.childElementCount;
    list.append(...Array.from(items.slice(shown, shown + step), make));
    const left = items.length - list.childElementCount;
    button.hidden = left === 0;
    button.textContent = `Show ${Math.min(step, left)} more of ${left}`;
  };
  list.replaceChildren();
  button.onclick = () => {
    const next = list.childElementCount;
    show();
    list.children[next].tabIndex = -1; // the button may be gone: go on reading at the first new image
    list.children[next].focus({ preventScroll: true });
  };
  show();
}
