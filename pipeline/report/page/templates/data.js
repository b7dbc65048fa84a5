// The page's data, and small helpers to show it. Text is only ever set as text, never as markup.
const page = JSON.parse(document.getElementById("page-data").textContent);
const find = (id) => document.getElementById(id);
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const integers = (text) => new Uint32Array(bytes(text).buffer);

page.numbers = integers(page.numbers); // by position in the picture: the image's index in its file
page.labels = bytes(page.labels);
for (const model of page.models) {
  model.mistakes = integers(model.mistakes); // positions in the picture, the most confident first
  model.predicted = bytes(model.predicted);
  model.probabilities = bytes(model.probabilities); // one row of classes a mistake, 255 for certainty
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const percent = (fraction, digits = 2) => `${(100 * fraction).toFixed(digits)} %`;
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
