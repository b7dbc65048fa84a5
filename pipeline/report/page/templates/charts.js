// The charts, drawn by Vega-Lite once; later only their signals and data change.
const specs = JSON.parse(document.getElementById("page-charts").textContent);
const options = { actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" } };
const views = {};
for (const [place, spec] of Object.entries(specs)) {
  views[place] = vegaEmbed(find(place), spec, options).then((embedded) => embedded.view);
}

async function set(place, signals) {
  const view = await views[place];
  for (const [name, value] of Object.entries(signals)) view.signal(name, value);
  await view.runAsync();
}

async function fill(place, name, rows) {
  const view = await views[place];
  await view.data(name, rows).runAsync();
}

// A model keeps its colour while it is drawn. The next one gets the first free colour.
const COLOURS = 6;
const drawn = [...document.querySelectorAll("input[name=curve]:checked")].map((input) => input.value);

function drawCurves() {
  for (const input of document.querySelectorAll("input[name=curve]")) {
    const place = drawn.indexOf(input.value);
    const swatch = input.nextElementSibling;
    swatch.textContent = place < 0 ? "" : "●■▲◆"[Math.floor(place / COLOURS) % 4];
    swatch.style.setProperty("--colour", `var(--series-${(place % COLOURS) + 1})`);
  }
  set("curves-chart", { chosen: [...drawn], measure: document.querySelector("input[name=measure]:checked").value });
}

find("curves").addEventListener("change", ({ target }) => {
  if (target.name === "curve" && target.checked) {
    const free = drawn.indexOf(null);
    drawn[free < 0 ? drawn.length : free] = target.value;
  } else if (target.name === "curve") {
    drawn[drawn.indexOf(target.value)] = null;
  }
  drawCurves();
});
