// The page: where images come from, and what the model makes of them. Text is only ever set as text, never as markup.
const find = (id) => document.getElementById(id);
const settings = JSON.parse(find("settings").textContent);
const values = settings.height * settings.width * settings.channels;
const blank = settings.background === "dark" ? 0 : 255;
const canvas = find("image");
const context = canvas.getContext("2d");

// What the model sees, the class of a test image, where the image is from, and whether it was changed here.
const empty = { pixels: new Uint8Array(values).fill(blank), label: null, source: "", edited: false };
const state = { ...empty };

function element(name, className, ...children) {
  const made = Object.assign(document.createElement(name), { className });
  made.append(...children);
  return made;
}

const percent = (fraction) => (0 < fraction && fraction < 0.0005 ? "< 0.1 %" : `${(100 * fraction).toFixed(1)} %`);

// Bytes that the page holds as gzip in base64.
async function unpack(id) {
  const packed = Uint8Array.from(atob(find(id).textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function drawPixels() {
  const { height, width, channels } = settings;
  const image = context.createImageData(width, height);
  for (let place = 0; place < height * width; place++) {
    const colour = state.pixels.subarray(place * channels, (place + 1) * channels);
    image.data.set(channels === 3 ? colour : [colour[0], colour[0], colour[0]], 4 * place);
    image.data[4 * place + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// Show an image and predict its class. What is left out of `change` stays.
let awaited = null; // the file that is shown when its picture is read, unless something else is shown before
function show(change) {
  awaited = null;
  Object.assign(state, change);
  find("caption").textContent = state.source && state.edited ? `${state.source} Changed by hand.` : state.source;
  drawPixels();
  predict();
}

function showProbabilities(probabilities) {
  const predicted = probabilities.indexOf(Math.max(...probabilities));
  const { label } = state;
  settings.classes.forEach((_, place) => {
    const row = find("probabilities").children[place];
    const wrong = label !== null && place === predicted && place !== label;
    const [name, bar, share] = row.children;
    row.className = place === label ? "correct" : wrong ? "wrong" : place === predicted ? "predicted" : "";
    row.dataset.probability = probabilities[place];
    name.lastChild.textContent = place === label ? " (actual)" : place === predicted ? " (predicted)" : "";
    bar.style.setProperty("--fraction", probabilities[place].toFixed(3));
    share.textContent = percent(probabilities[place]);
  });
  const verdict = label === null ? "" : label === predicted ? ", which is right" : `; it is ${settings.classes[label]}`;
  find("prediction").textContent = `${settings.classes[predicted]}, ${percent(probabilities[predicted])}${verdict}`;
}

// A brush asks faster than a large model answers: only the newest image is predicted next.
const running = { session: null, busy: false, again: false };
async function predict() {
  running.again = true;
  if (running.busy || !running.session) return;
  running.busy = true;
  find("probabilities").ariaBusy = "true";
  while (running.again) {
    running.again = false;
    const pixels = new ort.Tensor("float32", Float32Array.from(state.pixels), [1, settings.height, settings.width, settings.channels]);
    const { probabilities } = await running.session.run({ pixels });
    const finite = probabilities.data.every(Number.isFinite); // RBF units give no numbers far from all their centres
    showProbabilities(finite ? [...probabilities.data] : settings.classes.map(() => 1 / settings.classes.length));
  }
  running.busy = false;
  find("probabilities").ariaBusy = "false";
}

function showTestImage(images, labels, number) {
  const pixels = images.slice(number * values, (number + 1) * values);
  show({ ...empty, pixels, label: labels[number], source: `Test image ${number}: ${settings.classes[labels[number]]}.` });
}

async function showFile(file) {
  awaited = file;
  try {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    if (awaited !== file) return;
    const { width, height } = bitmap;
    const whole = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    whole.drawImage(bitmap, 0, 0);
    const found = prepare(flatten(whole.getImageData(0, 0, width, height).data, height, width, settings), settings);
    const done = [found.fitted && settings.extent !== null && "cropped to its content and centred", found.inverted && "inverted"];
    const words = done.filter(Boolean).join(", ") || "taken as it is";
    const hint = `Its border of grey ${found.grey.toFixed(0)} was taken as ${found.background}; if it is not, invert the image.`;
    show({ ...empty, pixels: found.pixels, source: `${file.name}: ${words}. ${found.unclear ? hint : ""}` });
  } catch {
    if (awaited !== file) return;
    find("caption").textContent = `${file.name}: found no picture that this browser can read; expected a PNG or JPEG file.`;
  }
}

function listenToFiles() {
  const dropping = (on) => document.documentElement.classList.toggle("dropping", on);
  find("file").addEventListener("change", ({ target }) => target.files.length && showFile(target.files[0]));
  find("file").addEventListener("click", ({ target }) => (target.value = "")); // so that the same file can be chosen again
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    dropping(true);
  });
  document.addEventListener("dragleave", () => dropping(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dropping(false);
    if (event.dataTransfer.files.length) showFile(event.dataTransfer.files[0]);
  });
}

function listenToBrush() {
  let drawn = null; // the stroke: the pixels before it, how much of each it covers, and its last point
  const pointOf = ({ clientX, clientY }) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { x: ((clientX - left) / width) * settings.width, y: ((clientY - top) / height) * settings.height };
  };
  const draw = (event) => {
    const to = pointOf(event);
    stroke(drawn.coverage, settings, drawn.last, to, find("width").value / 2);
    drawn.last = to;
    const strength = find("strength").value / 100;
    const ink = blank + (255 - 2 * blank) * strength;
    const pixels = drawn.before.map((value, place) => value + (ink - value) * drawn.coverage[Math.floor(place / settings.channels)]);
    show({ pixels, edited: true });
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    drawn = { before: state.pixels, coverage: new Float32Array(settings.height * settings.width), last: pointOf(event) };
    draw(event);
  });
  canvas.addEventListener("pointermove", (event) => drawn && draw(event));
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (drawn = null));
  find("clear").addEventListener("click", () => show(empty));
  find("invert").addEventListener("click", () => show({ pixels: inverse(state.pixels), edited: true }));
}

async function start() {
  find("probabilities").append(
    ...settings.classes.map((name) => element("li", "", element("span", "name", name, element("span", "hidden")), element("i", ""), element("b", ""))),
  );
  const [images, labels, wasm, model] = await Promise.all(["images", "labels", "wasm", "model"].map(unpack));
  const number = find("number");
  const showNumber = () => {
    if (number.validity.valid && number.value !== "") showTestImage(images, labels, Number(number.value));
    else find("caption").textContent = `Test images have the numbers 0 to ${labels.length - 1}.`;
  };
  number.addEventListener("input", showNumber);
  find("random").addEventListener("click", () => {
    number.value = Math.floor(Math.random() * labels.length);
    showNumber();
  });
  listenToFiles();
  listenToBrush();
  showNumber();
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: wasm });
  running.session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  await predict();
}

start()
  .catch((error) => {
    find("prediction").textContent = `The model could not be started: ${error.message}`;
  })
  .finally(() => document.documentElement.classList.add("drawn"));
